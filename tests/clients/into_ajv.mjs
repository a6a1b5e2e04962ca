// Every tool on stdin through ajv in its strictest mode: each schema compiles without a warning, and takes the least call.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const installed = createRequire(`${process.env.CLIENTS}/package.json`);
const Ajv = installed("ajv/dist/2020").default;
const refuse = (said) => { throw new Error(said); };
const ajv = new Ajv({ strict: true, strictTypes: true, strictTuples: true, strictRequired: true,
  logger: { log() {}, warn: refuse, error: refuse } });

const converted = {};
for (const { name, inputSchema, outputSchema, least } of JSON.parse(await text(process.stdin))) {
  try {
    const takes = ajv.compile(inputSchema);
    if (!takes(least)) throw new Error(ajv.errorsText(takes.errors));
    ajv.compile(outputSchema);
  } catch (error) {
    throw new Error(`${name}: ${error.message}`);
  }
  converted[name] = inputSchema;
}
console.log(JSON.stringify(converted));
