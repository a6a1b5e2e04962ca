// One client, asked in lines of JSON on stdin and answered in lines of JSON on stdout: the tests that hold for both
// clients ask the Python one the same. Its only argument is what it is made of, as JSON, with `hurry`: how many times
// as soon timers end.
import { createInterface } from "node:readline";
import { inspect } from "node:util";

import { Aural } from "aural-client";

const { key, hurry, ...options } = JSON.parse(process.argv[2]);
const { setTimeout: later } = globalThis;
globalThis.setTimeout = (does, milliseconds, ...given) => later(does, milliseconds / hurry, ...given);
const aural = new Aural(key, options);

const does = {
  call: async ({ operation, input }) => ({ result: await aural.call(operation, input) }),
  once: ({ operation, input, allowDuplicate }) => aural.once(operation, input, { allowDuplicate }),
  remaining: async () => ({ result: (await aural.remaining()) ?? null }),
  async each({ operation, input }) {
    const result = [];
    for await (const row of aural.each(operation, input)) result.push(row);
    return { result };
  },
};

function told(error) {
  const { message, nextStep, status, code, details, retryAfter, timedOut } = error;
  const shown = inspect(error, { depth: 9 });
  return { kind: error.constructor.name, message, nextStep, status, code, details, retryAfter, timedOut, shown };
}

async function answer({ id, do: deed, ...asked }) {
  const said = await does[deed](asked).catch((error) => ({ error: told(error) }));
  process.stdout.write(`${JSON.stringify({ id, ...said })}\n`);
}

for await (const line of createInterface({ input: process.stdin })) answer(JSON.parse(line));
