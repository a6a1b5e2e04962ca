// The official TypeScript SDKs sign somebody in, read, and ask for more when a change is refused.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [which, address] = process.argv.slice(2);
const installed = createRequire(`${process.env.CLIENTS}/package.json`);
const load = (path) => import(pathToFileURL(installed.resolve(path)).href);
const { Client, StreamableHTTPClientTransport } =
  which === "v2"
    ? await load("@modelcontextprotocol/client")
    : {
        ...(await load("@modelcontextprotocol/sdk/client/index.js")),
        ...(await load("@modelcontextprotocol/sdk/client/streamableHttp.js")),
      };

let arrived;
const came = () => new Promise((resolve) => (arrived = resolve));
const listener = createServer((request, response) => {
  response.end("Back to the application.");
  arrived?.(new URL(request.url, "http://127.0.0.1").searchParams);
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
const redirect = `http://127.0.0.1:${listener.address().port}/callback`;

const kept = {};
const provider = {
  redirectUrl: redirect,
  clientMetadata: { client_name: "TypeScript", redirect_uris: [redirect], token_endpoint_auth_method: "none" },
  state: () => "a state",
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  saveDiscoveryState: (state) => void (kept.discovered = state),
  discoveryState: () => kept.discovered,
  redirectToAuthorization: (url) => {
    kept.answer = came();
    console.log(JSON.stringify({ open: url.href }));
  },
};

async function signedIn(doing) {
  try {
    return await doing();
  } catch (error) {
    if (!kept.answer) throw error;
    const answer = await kept.answer;
    kept.answer = undefined;
    await transport.finishAuth(which === "v2" ? answer : answer.get("code"));
    return doing();
  }
}

let transport, client;
await signedIn(async () => {
  transport = new StreamableHTTPClientTransport(new URL(address), { authProvider: provider });
  client = new Client({ name: "typescript", version: "1" });
  await client.connect(transport);
});
const { tools } = await client.listTools();
const call = (name, given) => client.callTool({ name, arguments: given });
const first = kept.tokens.scope;
const read = await call("list_interviews", {});
const title = "Made after asking for more";
let made, refused;
try {
  made = await signedIn(() => call("create_interview", { title }));
} catch (error) {
  refused = error.code;
}
console.log(JSON.stringify({
  tools: tools.length, scopes: [first, kept.tokens.scope], failed: read.isError ?? false, made: made?.structuredContent, refused,
}));
await client.close();
listener.close();
