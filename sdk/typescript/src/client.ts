/** Aural: one door to the Developer API, `await aural.call("create_interview", { title })`. */

import { Budget, pauseAfter, RetryBudget } from "./budget.js";
import { NotFound, RateLimited, ServerError, Unanswered, Unreachable, type AuralError } from "./errors.js";
import { Ledger, type OnceOptions, type Outcome } from "./ledger.js";
import { keyless, refusal, unusable, usable } from "./refusals.js";
import { isObject, requestOf, type Request as Call } from "./request.js";
import { DEADLINE, now, sleep } from "./time.js";
import type { Arguments, CreateName, ListName, Name, Result, RowOf } from "./types.js";
import { type Fetch, Wire } from "./wire.js";

export const CLOUD = "https://aural-ai.com/api/v1";
/** Seconds of the deadline that waiting for the rate limit leaves to the request itself. */
const SPARE = 5;
/** Seconds that one request may take, and what Aural may take longer over. */
const TIMEOUT = 15;
const LARGE_TIMEOUT = 30;
const ATTEMPTS = 3;
/** What may pass. */
const PASSING = [500, 502, 503, 504];
/** A candidate link: its origin, with the path below which a proxy serves it. */
const LINK = /^(https?:\/\/[^\s/?#@]{1,255}(?:\/[\w.~-]{1,80}){0,4}?)\/i\/(?:invite\/)?[\w-]{1,200}$/;

export interface Options {
  /** The deployment, up to and including `/api/v1`; Aural's cloud where nothing is said. */
  baseUrl?: string | undefined;
  /** Aural's limit per key (60), kept by waiting; 0 is off. */
  requestsPerMinute?: number | undefined;
  /** Instead of the global `fetch`. */
  fetch?: Fetch | undefined;
}

export class Aural {
  readonly #key: string | null | undefined;
  readonly #wire: Wire;
  readonly #budget: Budget;
  readonly #ledger: Ledger;
  readonly #retries = new RetryBudget();
  /** Seconds by which the backend's clock is ahead of ours, as its answers tell. */
  #skew: number | undefined;
  #linkOrigin: string;

  /** @param key `dlv_...`; without one every call is a `NoUsableKey` */
  constructor(key: string | null | undefined, { baseUrl = CLOUD, requestsPerMinute = 60, fetch }: Options = {}) {
    const url = new URL(baseUrl, globalThis.location?.href);
    if (!/^https?:$/.test(url.protocol) || url.username || url.password || /[?#]/.test(url.href)) {
      throw new TypeError("baseUrl must be an http or https address without a user, a query or a fragment.");
    }
    if (typeof requestsPerMinute !== "number" || !(requestsPerMinute >= 0)) {
      throw new TypeError("requestsPerMinute must be a number, 0 or more.");
    }
    const base = url.href.replace(/\/+$/, "");
    this.#key = key;
    this.#wire = new Wire(base, fetch);
    this.#budget = new Budget(requestsPerMinute);
    this.#linkOrigin = base.replace(/\/api\/v1$/, "");
    this.#ledger = new Ledger({
      ask: (call, deadline, signal) => this.#ask(call, signal, deadline),
      skew: () => this.#skew,
      linkOrigin: () => this.#linkOrigin,
    });
  }

  /**
   * Carry out one operation: `data` of what Aural answers; of a list, the rows of one page and its cursor.
   *
   * A request waits for its turn, a 429 is waited out, and what may be repeated is, within 45 s. A write that has left
   * is waited for. Whatever goes wrong is an `AuralError`; an input that cannot be sent is a `TypeError`.
   */
  async call<N extends Name>(name: N, ...[input, options]: Arguments<N>): Promise<Result<N>> {
    return (await this.#ask(requestOf(name, input), options?.signal)) as Result<N>;
  }

  /** Every row of a list, each once, until a page brings nothing new: Aural repeats rows where pages meet. */
  async *each<N extends ListName>(name: N, ...[input, options]: Arguments<N>): AsyncGenerator<RowOf<N>, void> {
    const first = requestOf(name, input);
    const seen = new Set<string>();
    let query: object = { ...(first.fields.includes("limit") ? { limit: 100 } : {}), ...(first.payload as object) };
    for (;;) {
      const page = (await this.#ask({ ...first, payload: query }, options?.signal)) as Page;
      const fresh = page.data.filter(({ id }) => !seen.has(id) && seen.add(id));
      yield* fresh as RowOf<N>[];
      if (!fresh.length || page.cursor === null) return;
      query = { ...query, cursor: page.cursor };
    }
  }

  /**
   * Carry out a create, unless this client carried out the same one in the last ten minutes: then that one's result.
   * Where an answer is lost, the lists say whether it was done. `remarks` say how the result is known.
   */
  async once<N extends CreateName>(
    name: N,
    ...[input, options]: Arguments<N, OnceOptions>
  ): Promise<Outcome<Result<N>>> {
    return (await this.#ledger.once(requestOf(name, input), options ?? {})) as Outcome<Result<N>>;
  }

  /** How many requests could leave at once now; undefined without a limit. */
  remaining(): number | undefined {
    return this.#budget.remaining();
  }

  async #ask(call: Call, signal: AbortSignal | undefined, deadline = now() + DEADLINE): Promise<unknown> {
    const key = usable(this.#key);
    signal &&= AbortSignal.any([signal]); // Node warns of many listeners at one that calls share
    let lost: AuralError | undefined;
    /** A write that may have arrived ends with that, whatever ends it: nobody may read that nothing was done. */
    const last = (error: unknown): unknown => (call.effect === "read" ? error : (lost ?? error));
    const waiting = async <T>(wait: Promise<T>): Promise<T> =>
      await wait.catch((error: unknown) => {
        throw last(error);
      });
    let attempt = 0;
    for (;;) {
      const leave = await waiting(this.#budget.enter(deadline - SPARE - now(), signal));
      try {
        const result = await this.#attempt(call, key, deadline, signal, lost !== undefined).finally(leave);
        this.#retries.earn();
        return result;
      } catch (error) {
        let wait: number;
        if (error instanceof RateLimited) {
          wait = error.retryAfter;
          this.#budget.pause(wait);
          if (now() + wait > deadline) throw last(error);
          if (this.#budget.limit) wait = 0;
        } else if (error instanceof Unreachable || error instanceof Unanswered || error instanceof ServerError) {
          attempt += 1;
          if (!(error instanceof Unreachable)) lost = error;
          wait = pauseAfter(attempt);
          if (now() + wait > deadline || !this.#mayRepeat(call, error, attempt)) throw last(error);
        } else {
          throw error;
        }
        await waiting(sleep(wait, signal));
      }
    }
  }

  #mayRepeat(call: Call, error: AuralError, attempt: number): boolean {
    if (attempt >= (call.large && !(error instanceof Unreachable) ? 1 : ATTEMPTS)) return false;
    const passing = error instanceof ServerError && (PASSING.includes(error.status) || error.code === "UNREADABLE");
    const repeatable = call.effect !== "create" && (error instanceof Unanswered || passing);
    return (error instanceof Unreachable || repeatable) && this.#retries.spend();
  }

  /** One request. After a lost answer, a row that is no longer there has been deleted. */
  async #attempt(
    call: Call,
    key: string,
    deadline: number,
    signal: AbortSignal | undefined,
    lost: boolean,
  ): Promise<unknown> {
    const begun = Date.now();
    const seconds = Math.min(call.large ? LARGE_TIMEOUT : TIMEOUT, Math.max(0.01, deadline - now()));
    const answer = await this.#wire.exchange(call, key, seconds, call.effect === "read" ? signal : undefined);
    this.#skew = skewOf(answer.headers.get("date"), begun, this.#skew);
    if (answer.status === 200) {
      const result = resultOf(call, answer.body);
      this.#noteLinks(call, result);
      return result;
    }
    const refused = refusal(call, answer);
    if (lost && call.name === "delete_question" && refused instanceof NotFound) {
      return { id: call.params["questionId"], deleted: true };
    }
    throw refused;
  }

  /** Remember where candidate links lead: Aural's own answers show it. */
  #noteLinks({ name }: Call, result: unknown): void {
    const published = name === "publish_interview" ? (result as { url?: unknown }).url : undefined;
    const invited = name === "create_candidates" ? (result as { data: { inviteUrl?: unknown }[] }).data[0] : undefined;
    const link = published ?? invited?.inviteUrl;
    if (typeof link === "string") this.#linkOrigin = LINK.exec(link)?.[1] ?? this.#linkOrigin;
  }
}

interface Page {
  data: { id: string }[];
  cursor: string | null;
}

/** What a successful answer holds, without keys. */
function resultOf(call: Call, body: unknown): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body as ArrayBuffer | undefined);
    const answer = /dlv_|\\u/.test(text) ? keyless(readJson(text)) : readJson(text);
    if (isObject(answer)) {
      const { data, cursor = null } = answer;
      if (!call.rows && (call.row ? isRow(data) : isObject(data))) return data;
      if (call.rows && Array.isArray(data) && data.every(isRow) && (cursor === null || typeof cursor === "string")) {
        return { data, cursor };
      }
    }
  } catch {
    // said below
  }
  throw unusable(call, "The backend said success, but its answer cannot be read.", "UNREADABLE");
}

/** A number that is none, as some backends write for nothing, is null. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const words = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$)|-?\b(?:NaN|Infinity)\b/gs;
    return JSON.parse(text.replace(words, (found) => (found.startsWith('"') ? found : "null")));
  }
}

const isRow = (row: unknown): boolean => isObject(row) && typeof row["id"] === "string";

/**
 * How far the backend's clock is ahead: what is known of it, unless the date of an answer contradicts. That date was
 * noted between the request and now, in whole seconds, by servers that renew it once a second; the least is taken.
 */
function skewOf(date: string | null, begun: number, known: number | undefined): number | undefined {
  const at = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(at)) return known;
  const [least, most] = [(at - Date.now()) / 1000, (at - begun) / 1000 + 2];
  return known !== undefined && known >= least && known <= most ? known : least;
}
