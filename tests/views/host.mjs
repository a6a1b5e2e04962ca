// A host of MCP Apps for tests: the bridge of ext-apps around a sandbox of two frames; tools are called in Python.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

globalThis.sizes = [];
globalThis.opened = [];
globalThis.told = [];
globalThis.show = async ({ html, csp, arguments: args, result, theme, abilities, sandbox }) => {
  const frame = document.createElement("iframe");
  frame.title = "A view";
  frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms");
  frame.style.cssText = "width:100%;height:600px;border:0";
  document.body.append(frame);
  const can = Object.fromEntries(abilities.map((each) => [each, {}]));
  const bridge = (globalThis.bridge = new AppBridge(null, { name: "tests", version: "1" }, can, { hostContext: { theme, displayMode: "inline" } }));
  bridge.oncalltool = ({ name, arguments: given }) => globalThis.callTool(name, given);
  bridge.onopenlink = async ({ url }) => { globalThis.opened.push(url); return {}; };
  bridge.onupdatemodelcontext = async ({ content }) => { globalThis.told.push(["context", content[0].text]); return {}; };
  bridge.onmessage = async ({ content }) => { globalThis.told.push(["message", content[0].text]); return {}; };
  bridge.onsizechange = ({ height }) => { globalThis.sizes.push(height); };
  bridge.onsandboxready = () => bridge.sendSandboxResourceReady({ html, csp });
  const shaken = new Promise((resolve) => { bridge.oninitialized = resolve; });
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = sandbox;
  await shaken;
  await bridge.sendToolInput({ arguments: args });
  await bridge.sendToolResult(result);
};
