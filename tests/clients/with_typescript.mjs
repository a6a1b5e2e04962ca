// The official TypeScript SDK, which checks each structured answer against the tool's output schema.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const installed = createRequire(`${process.env.CLIENTS}/package.json`);
const sdk = (path) => import(pathToFileURL(installed.resolve(`@modelcontextprotocol/sdk/${path}`)).href);
const { Client } = await sdk("client/index.js");
const { StdioClientTransport } = await sdk("client/stdio.js");

const [command, ...args] = process.argv.slice(2);
const client = new Client({ name: "typescript", version: "1" });
await client.connect(new StdioClientTransport({ command, args, env: process.env }));
const { tools } = await client.listTools();

async function call(name, given) {
  const result = await client.callTool({ name, arguments: given });
  if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
  return result.structuredContent;
}

const person = { name: "Ana Silva", email: "ana@example.org", phone: "+351 912 345 678", graduationYear: 2014 };
const made = await call("create_interview", {
  title: "Backend engineer", objective: "Find who has run queues.", timeLimitMinutes: 30, description: undefined,
});
const of = { interviewId: made.id };
await call("create_questions", { ...of, questions: [{ text: "Tell me about a queue that you ran." }] });
await call("update_interview", { ...of, title: "Senior backend engineer", description: undefined });
const [{ id: candidateId }] = (await call("create_candidates", { ...of, candidates: [person] })).data;
const { properties } = tools.find(({ name }) => name === "update_candidate").inputSchema;
const nulls = Object.fromEntries(Object.keys(properties).map((name) => [name, null]));
await call("update_candidate", { ...nulls, ...of, candidateId, name: "Ana Sousa" });
const asked = await call("publish_interview", of);
const published = await call("publish_interview", { ...of, confirmation: asked.confirmation });
const { contents } = await client.readResource({ uri: `aural://interviews/${made.id}/candidates` });
console.log(JSON.stringify({
  schemas: Object.fromEntries(tools.map(({ name, inputSchema }) => [name, inputSchema])),
  asked,
  published,
  interview: await call("get_interview", of),
  candidates: await call("list_candidates", { ...of, include: ["phone", "graduationYear"] }),
  resource: contents[0].text,
  sessions: await call("list_sessions", of),
}));
await client.close();
