/** What an answer that is not success becomes: one error with the next step; a 5xx body is never repeated. */

import * as errors from "./errors.js";
import { FINDERS } from "./operations.js";
import { ids, isObject, type Operation, type Request } from "./request.js";

export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** An error object as it was read, any other body as bytes, undefined where there was none. */
  readonly body: unknown;
}

type Step = readonly [typeof errors.ApiError, string];
const GET_A_KEY = "Create one in the Aural dashboard under Settings → API Keys (it is shown once)";
const KEY = /dlv_[!#$%&*+\-./0-9:=?@A-Z^_a-z|~]+/g;
const WHOLE_KEY = new RegExp(`^${KEY.source.slice(0, -1)}{1,500}$`);
const REFUSALS: Readonly<Record<number, Step>> = {
  400: [errors.BadRequest, "Correct the value it names and call {tool} again."],
  401: [errors.Unauthorized, `The key is not accepted. ${GET_A_KEY} and give it to the client.`],
  403: [errors.Forbidden, "The key's owner may not do this here: check the id with {finder}, or ask for a role."],
  404: [errors.NotFound, "Call {finder} for ids that exist."],
  409: [errors.Conflict, "Read the present state first, then decide whether {tool} is still needed."],
  413: [errors.BadRequest, "Send less in one call to {tool}."],
  422: [errors.BadRequest, "Correct the value it names and call {tool} again."],
};
const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
/** What Aural answers to a change of which it knows no field. */
const NOTHING_KNOWN = "No valid fields to update";
/** Seconds that a 429 can hold a key, and those for one that does not say. */
const SHORTEST_HOLD = 1;
const LONGEST_HOLD = 600;
const USUAL_HOLD = 60;

/** The key, if it could be one. */
export function usable(key: string | null | undefined): string {
  if (!key) throw new errors.NoUsableKey("There is no Aural API key.", `${GET_A_KEY} and give it to the client.`);
  if (WHOLE_KEY.test(key)) return key;
  throw new errors.NoUsableKey("This is not an Aural API key: keys start with `dlv_`.", `${GET_A_KEY}.`);
}

/** What to do when nobody knows whether the operation happened. */
export function afterSilence({ name, effect }: Request): string {
  if (effect === "read") return "Call again; if it stays so, the backend does not answer properly.";
  if (effect === "create") return `It may have been done: look with ${lister(name)} before trying again.`;
  return "It may have been done: the same call again is safe and comes to the same state.";
}

/** The operation that shows what one made: `list_questions` of `create_questions`. */
export const lister = (name: string): string => `list_${name.split("_")[1]?.replace(/s$/, "")}s`;

/** A request that left, and of which nobody knows what became. */
export function unanswered(request: Request, timedOut: boolean): errors.Unanswered {
  const message = "The request was sent, but the connection broke or timed out before an answer came.";
  return new errors.Unanswered(message, afterSilence(request), timedOut);
}

/** What was read of an answer that cannot be used. */
export function unusable(request: Request, message: string, code: string, status = 200): errors.ServerError {
  return new errors.ServerError(message, afterSilence(request), status, code);
}

/** The one place where a status and a body become an error. */
export function refusal(request: Request, answer: Answer): errors.AuralError {
  let { status } = answer;
  let error = errorObject(answer);
  if (status === 429) return rateLimited(error, answer.headers);
  const finder = finderOf(request, text(error?.["message"]));
  if (status === 500 && finder && !ids(request).every((id) => UUID.test(id))) {
    status = 404;
    error = { message: "That is not an id of this backend." };
  }
  if (status >= 500 || status < 400) {
    return unusable(request, `The backend failed (HTTP ${status}).`, "INTERNAL_ERROR", status);
  }
  if (!error && (status === 404 || status === 405)) return notOffered(request, status);
  const { code: given, message, ...details } = error ?? {};
  const code = typeof given === "string" && /^[A-Z][A-Z0-9_]{1,40}$/.test(given) ? given : `HTTP_${status}`;
  let [kind, step] = REFUSALS[status] ?? [errors.ApiError, "Read the message and change the call."];
  if (code === "PLAN_LIMIT_EXCEEDED") {
    [kind, step] = [errors.PlanLimitExceeded, "The plan's limit is reached. Calling again will not help."];
  } else if (status === 400 && text(message).startsWith(NOTHING_KNOWN) && newerFields(request)) {
    step = `This deployment does not know ${newerFields(request)}: it cannot be set here.`;
  }
  const numbers = Object.entries(details).filter(([, value]) => typeof value === "number");
  const said = `Aural refused (${code}): ${quoted(text(message) || "no reason given")}.`;
  const whole = said + numbers.map(([name, value]) => ` ${name}: ${value}.`).join("");
  const nextStep = step.replace("{tool}", request.name).replace("{finder}", finder ?? "list_interviews");
  return new kind(whole, nextStep, status, code, details);
}

/** The value without anything in it that looks like a key: a backend may repeat the one that it was sent. */
export function keyless(value: unknown): unknown {
  if (typeof value === "string") return value.replace(KEY, "dlv_…");
  if (Array.isArray(value)) return value.map(keyless);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [keyless(name), keyless(each)]));
}

function notOffered(request: Operation, status: number): errors.NotOffered {
  const older = "This deployment of Aural is older and does not offer this operation yet.";
  const [message, step] = request.newer
    ? [older, "Use another operation: get_session and list_candidates work everywhere."]
    : ["The address answers, but not as Aural's API does.", "Check baseUrl: it ends in /api/v1."];
  return new errors.NotOffered(message, step, status, "NOT_OFFERED");
}

function rateLimited(error: Record<string, unknown> | undefined, headers: Answer["headers"]): errors.RateLimited {
  const seconds = hold(error?.["retry_after"] ?? headers.get("retry-after"));
  const message = "rate_limited: Aural takes no more requests of this key for now.";
  return new errors.RateLimited(message, `Nothing was done. Call again in ${Math.round(seconds)} s.`, seconds);
}

/** Seconds that a `Retry-After` asks for: a number, or an HTTP date; anything else counts as a minute. */
export function hold(given: unknown): number {
  const said = typeof given === "number" ? String(given) : text(given).trim();
  const isDate = said.length < 100 && /[A-Z][a-z]{2}.*\d\d:\d\d/.test(said);
  const isNumber = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(said);
  const seconds = isDate ? (Date.parse(said) - Date.now()) / 1000 : isNumber ? Number(said) : NaN;
  return Number.isNaN(seconds) ? USUAL_HOLD : Math.min(Math.max(seconds, SHORTEST_HOLD), LONGEST_HOLD);
}

/** Aural's `error` object without keys; nothing when the body is HTML, empty, too deep or anything else. */
function errorObject({ body }: Answer): Record<string, unknown> | undefined {
  try {
    return isObject(body) && isObject(body["error"]) ? (keyless(body["error"]) as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The operation that lists the ids of what the message says is missing, else of the last id in the path. */
function finderOf({ path }: Operation, message: string): string | undefined {
  const names = Array.from(path.matchAll(/\{(\w+)\}/g), (found) => found[1] ?? "");
  const named = names.filter((name) => message.toLowerCase().includes(name.replace(/Id$/, "")));
  return FINDERS[(named.length ? named : names).at(-1) ?? ""];
}

/** What was sent that an earlier deployment does not know. */
function newerFields({ newerFields, payload }: Request): string {
  return (newerFields ?? []).filter((name) => isObject(payload) && name in payload).join(", ");
}

/** Somebody else's words inside a sentence of ours: on one line, shortened, without what cannot be seen. */
function quoted(words: string): string {
  const seen = words.replace(/\s+/gu, " ").replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}“”]/gu, "");
  const line = text(keyless(seen)).trim(); // once more: what cannot be seen may have parted a key
  return `“${line.length <= 300 ? line : `${line.slice(0, 299)}…`}”`;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
