/* What every view shares: elements that hold text and never HTML, numbers, copying, sorting, and the host around it. */

const SHAPES = new Set(["svg", "g", "rect", "line", "circle", "path", "polygon"]);

/** An element. Strings become text nodes; what is null, undefined, false or empty is left out. */
function make(tag, attributes, ...children) {
  const element = SHAPES.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(9).filter((each) => each !== null && each !== undefined && each !== false && each !== ""));
  return element;
}

const unbroken = (text) => (/\S{25}/.test(String(text ?? "")) ? "unbroken" : undefined);
/** Words that others wrote, on a line: their direction is their own. */
const said = (text) => make("bdi", { class: unbroken(text) }, String(text ?? ""));
/** Words that others wrote, as paragraphs. */
const prose = (text, kind = "prose") => (text ? make("p", { class: `${kind} ${unbroken(text) || ""}`, dir: "auto" }, String(text)) : null);
const list = (value) => (Array.isArray(value) ? value : []);
const text = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
const shortened = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);

/** A score as people write it: 8, 7.5, 6.33. */
const figure = (score) => (typeof score === "number" && isFinite(score) ? String(Math.round(score * 100) / 100) : "–");
/** The class that colours a score of 1 to 10. */
const heat = (score) => (typeof score === "number" ? `s${Math.min(10, Math.max(1, Math.round(score)))}` : "none");

function moment(stamp, options = { dateStyle: "medium", timeStyle: "short" }) {
  const at = new Date(stamp);
  return stamp && !isNaN(at) ? make("time", { datetime: at.toISOString() }, new Intl.DateTimeFormat("en-GB", options).format(at)) : null;
}

function lasting(seconds) {
  if (typeof seconds !== "number") return "";
  const minutes = Math.round(seconds / 60);
  return minutes < 1 ? "under 1 min" : minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function ago(stamp) {
  const minutes = Math.round((Date.now() - new Date(stamp)) / 60000);
  if (!stamp || isNaN(minutes)) return "";
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${minutes} min ago` : minutes < 2880 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`;
}

/** A bar whose length says a number that stands beside it. */
function bar(value, most, kind = "") {
  const length = most > 0 && typeof value === "number" ? Math.max(0, Math.min(100, (100 * value) / most)) : 0;
  return make("svg", { class: `bar ${kind}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
    make("rect", { class: "track", width: 100, height: 8 }), make("rect", { class: "fill", width: length, height: 8 }));
}

/** A table: headings, and rows of cells. */
function table(caption, headings, rows) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", { class: "hidden" }, caption),
      make("thead", {}, make("tr", {}, headings.map((each) => make("th", { scope: "col" }, each)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, at) => make(at ? "td" : "th", at ? {} : { scope: "row" }, cell)))))));
}

const section = (heading, ...rest) => (rest.flat(9).some(Boolean) ? make("section", {}, make("h2", {}, heading), rest) : null);
/** Names and values; what has no value is left out. */
const facts = (pairs) => make("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
  .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
const badge = (words, kind = "") => make("span", { class: `badge ${kind}` }, words);
const notice = (heading, sentences, kind = "") => (list(sentences).length
  ? make("section", { class: `notice ${kind}` }, make("h2", {}, heading), make("ul", {}, sentences.map((each) => make("li", {}, said(each))))) : null);

/** Remarks as a person reads them: without what tells an agent what to call and what to say. */
const FOR_AGENTS = /\b(?:[Cc]all|[a-z]+_[a-z_]+|cursor|fromTurn|the user|true|nextRow)\b/;
const IN_WORDS = [[/: (?:tell the user,|say so)[^.;]*/g, ""], [/, see notScored/g, ""], [/, see scorers/g, ""], [/flaggedTurns/g, "“look at turn”"], [/with byRule/g, "marked “chosen by rule”"], [/weightedMean/g, "weighted mean"],
  [/; compare_answers shows whose/g, ""], [/equalAnswers/g, "Answers like another's"]];
function remarks(sentences) {
  return list(sentences).filter((each) => typeof each === "string").map((each) => IN_WORDS.reduce((words, [from, to]) => words.replace(from, to), each)
    .split(/(?<=[.!?])\s+(?=[A-Z“])/).filter((sentence) => !FOR_AGENTS.test(sentence)).join(" ")).filter(Boolean);
}

/** A button that copies what it is given or fetches, asking for no permission; where that fails, the text is shown and selected. */
function copier(what, value, words = "Copy link") {
  const place = make("span", { class: "copy" }), done = make("output", { class: "quiet" });
  const button = make("button", { type: "button", click: async () => {
    button.disabled = true;
    try {
      const copied = typeof value === "function" ? await value() : value;
      const field = place.querySelector("input") || make("input", { type: "text", readonly: true, "aria-label": what, dir: "ltr" });
      field.value = copied;
      place.append(field);
      field.select();
      const taken = document.execCommand("copy") || (await navigator.clipboard.writeText(copied).then(() => true, () => false));
      if (taken) { field.remove(); button.focus(); }
      done.textContent = taken ? "Copied" : "Selected: copy it";
    } catch (error) { done.textContent = error.message; }
    button.disabled = false;
  } }, words, make("span", { class: "hidden" }, ` ${what}`));
  place.append(button, done);
  return place;
}

/** Where the caller of this page says that a row leads, else only words. */
function leads(kind, id, words) {
  const pattern = host.links[kind];
  return pattern && id ? make("a", { href: pattern.replace("{id}", encodeURIComponent(id)) }, words) : words;
}

/** A button that does something which takes a moment, and says when it went wrong. */
function action(words, run) {
  const said = make("output", { class: "quiet" });
  const button = make("button", { type: "button", click: async () => {
    button.disabled = true; said.textContent = "One moment…";
    try { await run(); said.textContent = ""; } catch (error) { said.textContent = error.message; }
    button.disabled = false;
  } }, words);
  return make("span", { class: "action" }, button, said);
}

/** Rows by a value: numbers from the highest, names from A, and what has none last in either direction. */
function sorted(rows, value, falling) {
  const there = rows.filter((row) => value(row) !== null && value(row) !== undefined && value(row) !== "");
  const order = (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true }));
  there.sort((one, other) => order(value(one), value(other)) * (falling ? -1 : 1));
  return [...there, ...rows.filter((row) => !there.includes(row))];
}

/* ── The host ─────────────────────────────────────────────────────────────────────────────────── */

/** The host of MCP Apps around this view: JSON-RPC over postMessage. Without one, everything that needs it is left out. */
const host = (() => {
  const waiting = new Map();
  let number = 0, abilities = {};
  const post = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const request = (method, params) => new Promise((resolve, reject) => { waiting.set(++number, { resolve, reject }); post({ id: number, method, params }); });
  const context = (given) => { if (given && (given.theme === "light" || given.theme === "dark")) document.documentElement.style.colorScheme = given.theme; };
  const self = {
    args: {}, links: {}, result: {}, request, can: (what) => Boolean(abilities[what]),
    /** The structured content of a tool that is called through the host. */
    async call(name, args) {
      const result = await request("tools/call", { name, arguments: args });
      if (result.isError || !result.structuredContent) throw new Error(words(result) || "The host gave no answer.");
      return result.structuredContent;
    },
    /** Shake hands, then hear results. */
    async begin(heard, stopped) {
      const on = {
        "ui/notifications/tool-input": (params) => { self.args = params.arguments || {}; },
        "ui/notifications/tool-result": (params) => ((self.result = params).isError || !params.structuredContent ? stopped(words(params) || "There is no result to show.") : heard(params.structuredContent)),
        "ui/notifications/tool-cancelled": () => stopped("The call was cancelled."),
        "ui/notifications/host-context-changed": context,
      };
      addEventListener("message", (event) => {
        const message = event.data;
        if (event.source !== window.parent || !message || message.jsonrpc !== "2.0") return;
        if (message.method && message.id !== undefined) {
          const known = message.method === "ping" || message.method === "ui/resource-teardown";
          post({ id: message.id, ...(known ? { result: {} } : { error: { code: -32601, message: "Method not found" } }) });
        } else if (message.method) on[message.method]?.(message.params || {});
        else if (waiting.has(message.id)) {
          const { resolve, reject } = waiting.get(message.id);
          waiting.delete(message.id);
          message.error ? reject(new Error(message.error.message || "The host refused.")) : resolve(message.result || {});
        }
      });
      const info = { protocolVersion: "2026-01-26", appInfo: { name: "aural-mcp", version: "1" }, appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] } };
      const met = await request("ui/initialize", info);
      abilities = met.hostCapabilities || {};
      context(met.hostContext);
      post({ method: "ui/notifications/initialized", params: {} });
      let height = 0;
      new ResizeObserver(() => {
        const now = Math.ceil(document.body.getBoundingClientRect().height);
        if (now !== height) post({ method: "ui/notifications/size-changed", params: { width: innerWidth, height: (height = now) } });
      }).observe(document.body);
    },
  };
  const words = (result) => list(result.content).map((each) => each.text || "").join(" ");
  return self;
})();

/** Draw what is embedded, or what a host hands over; a view is a function from a result to elements. */
function start(view) {
  const main = document.getElementById("view");
  const embedded = (id) => {
    const held = document.getElementById(id), value = JSON.parse(held?.textContent || "null");
    held?.remove();
    return value;
  };
  const say = (words) => { main.removeAttribute("aria-busy"); main.replaceChildren(make("p", { role: "status" }, words)); };
  const show = (result) => {
    try {
      main.replaceChildren(...[view(result, show)].flat(9).filter(Boolean));
      main.removeAttribute("aria-busy");
    } catch (error) {
      console.error(error);
      say("This result cannot be drawn; what the tool said in words is complete.");
    }
  };
  host.links = embedded("links") || {};
  const result = embedded("result");
  if (result) show(result);
  else if (window.parent === window) say("This page shows a result inside an app that hosts it.");
  else host.begin(show, say).catch((error) => say(`The host refused: ${error.message}`));
}
