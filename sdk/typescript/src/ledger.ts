/**
 * No create twice: what was asked for lately, what came of it, and looking where no answer came.
 *
 * Aural's creates have no idempotency key. One is written down before it is sent; the same one within ten minutes gets
 * the first one's result. When an answer is lost, the lists say whether it was done: rows that match what was sent,
 * made since it was sent.
 */

import { AuralError, ServerError, Unanswered } from "./errors.js";
import { lister } from "./refusals.js";
import { isObject, requestOf, type Request } from "./request.js";
import { now, sleep, within } from "./time.js";
import type { CallOptions } from "./types.js";

/** What came of a create, and how that is known. */
export interface Outcome<R> {
  readonly result: R;
  readonly remarks: readonly string[];
}

export interface OnceOptions extends CallOptions {
  /** Carry it out whatever was done before. */
  allowDuplicate?: boolean | undefined;
}

/** What looking needs of the client. */
interface Client {
  ask(request: Request, signal?: AbortSignal): Promise<unknown>;
  /** Seconds by which the backend's clock is ahead of ours. */
  skew(): number;
  linkOrigin(): string;
}

interface Row {
  id: string;
  [field: string]: unknown;
}
interface Page {
  data: Row[];
  cursor: string | null;
}

interface Entry {
  state: "started" | "done" | "unknown";
  /** When it was sent, in seconds: on the clock that nobody sets back, and since 1970. */
  begun: number;
  sentAt: number;
  result?: unknown;
  /** Settles when its call is over. */
  over?: Promise<unknown>;
}

/** Seconds for which the same create gets the first one's result, and for which one whose end is not known is kept. */
const REMEMBERED = 600;
const IN_DOUBT = 86_400;
/** Seconds that the same call waits for the one that is under way. */
const PATIENCE = 44;
/** Seconds after which a create that timed out and cannot be found was not done. */
const SETTLED = 30;
/** Seconds by which the backend's clock may differ beyond what its answers tell. */
const SKEW = 60;
const MOST_PAGES = 10;
/** Seconds until the second look: a backend may still be at it. */
const LOOK_AGAIN = 1;
const FOUND = "The answer was lost on the way, but it was done: these rows were found by looking.";
const STILL = "It does not show up yet, but the backend may still be at it.";

export class Ledger {
  readonly #client: Client;
  readonly #entries = new Map<string, Entry>();
  #marks = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  async once(request: Request, { allowDuplicate, signal }: OnceOptions): Promise<Outcome<unknown>> {
    if (request.effect !== "create") throw new TypeError(`${request.name} makes nothing: call does it.`);
    const digest = plainJson([request.name, request.params, request.payload, allowDuplicate ? ++this.#marks : 0]);
    const until = now() + PATIENCE;
    for (;;) {
      this.#forget();
      const earlier = this.#entries.get(digest);
      if (!earlier) return await this.#begin(request, digest, signal);
      const age = now() - earlier.begun;
      if (earlier.state === "done") return { result: structuredClone(earlier.result), remarks: [repeated(age)] };
      if (earlier.state === "unknown") {
        const settled = this.#settle(request, digest, earlier, age);
        earlier.over = settled.catch(() => undefined);
        if (await settled) return { result: structuredClone(earlier.result), remarks: [FOUND] };
      } else {
        if (until <= now()) throw unknown(request, "The same call is still under way.");
        await within(until - now(), earlier.over, signal);
      }
    }
  }

  #begin(request: Request, digest: string, signal: AbortSignal | undefined): Promise<Outcome<unknown>> {
    const entry: Entry = { state: "started", begun: now(), sentAt: Date.now() / 1000 };
    this.#entries.set(digest, entry);
    const sent = this.#send(request, digest, entry, signal);
    entry.over = sent.catch(() => undefined);
    return sent;
  }

  async #send(
    request: Request,
    digest: string,
    entry: Entry,
    signal: AbortSignal | undefined,
  ): Promise<Outcome<unknown>> {
    try {
      entry.result = await this.#client.ask(request, signal);
    } catch (lost) {
      const unsure = lost instanceof Unanswered || lost instanceof ServerError;
      if (unsure) return await this.#looked(request, digest, entry, lost);
      this.#entries.delete(digest);
      throw lost;
    }
    entry.state = "done";
    return { result: structuredClone(entry.result), remarks: [] };
  }

  /** Twice, a little apart and whatever the caller does meanwhile: done, not done, or not to be told. */
  async #looked(request: Request, digest: string, entry: Entry, lost: AuralError): Promise<Outcome<unknown>> {
    let found: unknown;
    try {
      found = await this.#look(request, entry.sentAt);
      if (!found) {
        await sleep(LOOK_AGAIN);
        found = await this.#look(request, entry.sentAt);
      }
      if (!found && lost instanceof Unanswered && lost.timedOut) throw unknown(request, STILL);
    } catch (error) {
      entry.state = "unknown";
      throw error;
    }
    if (!found) {
      this.#entries.delete(digest);
      throw new Unanswered("No usable answer came, and looking shows that it was not done.", "Call again.");
    }
    Object.assign(entry, { state: "done", result: found });
    return { result: structuredClone(found), remarks: [FOUND] };
  }

  /** Whether an earlier one whose answer was lost was done; where it was not, it may be carried out now. */
  async #settle(request: Request, digest: string, earlier: Entry, age: number): Promise<boolean> {
    earlier.state = "started"; // who comes meanwhile waits
    try {
      earlier.result = await this.#look(request, earlier.sentAt);
      if (!earlier.result && age < SETTLED) throw unknown(request, STILL);
    } catch (error) {
      earlier.state = "unknown";
      throw error;
    }
    if (earlier.result) earlier.state = "done";
    else this.#entries.delete(digest);
    return earlier.state === "done";
  }

  async #look(request: Request, sentAt: number): Promise<unknown> {
    const since = sentAt + this.#client.skew() - SKEW;
    const made = [...this.#entries.values()].flatMap(({ result }) => rowsOf(result));
    const known = new Set(made.map(({ id }) => id));
    const isNew = (row: Row): boolean => !known.has(row.id) && timeOf(row["createdAt"]) >= since;
    try {
      if (request.name === "create_interview") return await this.#interview(request, since, isNew);
      return await this.#rows(request, isNew);
    } catch (error) {
      if (error instanceof AuralError) throw unknown(request, `Looking did not tell: ${error.message}`);
      throw error;
    }
  }

  async #interview({ payload }: Request, since: number, isNew: (row: Row) => boolean): Promise<Row | undefined> {
    const wanted = payload as Record<string, unknown>;
    const names = Object.keys(wanted);
    let query: object = { limit: 100 };
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { data, cursor } = await this.#list("list_interviews", query);
      const found = data.find((row) => isNew(row) && looks(row, names) === looks(wanted, names));
      if (found || cursor === null || timeOf(data.at(-1)?.["updatedAt"]) < since) return found;
      query = { limit: 100, cursor };
    }
    throw new Unanswered("So much was made meanwhile that looking does not tell.", "");
  }

  /** A row for each that was sent, in that order; none unless all are there: a create is all or none. */
  async #rows(request: Request, isNew: (row: Row) => boolean): Promise<Page | undefined> {
    const people = request.name === "create_candidates";
    const names = people ? ["name", "email", "phone"] : ["text", "type", "options"];
    const { data } = await this.#list(people ? "list_candidates" : "list_questions", request.params);
    const left = data.filter(isNew);
    const wanted = request.payload as Record<string, unknown>[];
    const found = wanted.flatMap((each) => {
      const place = left.findIndex((row) => looks(row, names) === looks(each, names));
      return place < 0 ? [] : left.splice(place, 1);
    });
    if (!found.length) return undefined;
    if (found.length < wanted.length) throw new Unanswered(`${found.length} of ${wanted.length} are there.`, "");
    const link = `${this.#client.linkOrigin()}/i/invite/`;
    const invited = (row: Row): Row => ({ ...row, inviteUrl: `${link}${String(row["inviteToken"])}` });
    return { data: people ? found.map(invited) : found, cursor: null };
  }

  async #list(name: string, given: object): Promise<Page> {
    return (await this.#client.ask(requestOf(name, given as Record<string, unknown>))) as Page;
  }

  #forget(): void {
    for (const [digest, { state, begun }] of this.#entries) {
      const over = now() - begun > (state === "done" ? REMEMBERED : IN_DOUBT);
      if (over && state !== "started") this.#entries.delete(digest);
    }
  }
}

const rowsOf = (result: unknown): Row[] => {
  const { data } = (result ?? { data: [] }) as Partial<Page>;
  return data ?? [result as Row];
};

const repeated = (age: number): string =>
  `The same call was made ${Math.max(1, Math.round(age))} s ago: this is its result, and nothing was done a second ` +
  "time. To really do it again, set allowDuplicate true.";

function unknown(request: Request, why: string): Unanswered {
  const step = `It may have been done: look with ${lister(request.name)}.`;
  const again = "The same call again looks first and does nothing twice.";
  return new Unanswered(`The request was sent and no usable answer came. ${why}`, `${step} ${again}`);
}

/** What makes a row the one that was sent, as one text: the named fields, but for what Aural trims and lowers. */
const looks = (row: Record<string, unknown>, names: readonly string[]): string =>
  plainJson(names.map((name) => plain(row[name])));
const plain = (value: unknown): unknown =>
  typeof value === "string" ? value.trim().toLowerCase() || null : (value ?? null);

/** JSON with the names of each object in order. */
function plainJson(value: unknown): string {
  const inOrder = (each: unknown): unknown => (isObject(each) ? Object.fromEntries(Object.entries(each).sort()) : each);
  return JSON.stringify(value, (_, each: unknown) => inOrder(each));
}

/** Seconds since 1970; what is no time counts as now, so that it is not overlooked. */
function timeOf(text: unknown): number {
  const at = typeof text === "string" ? Date.parse(text) : NaN;
  return (Number.isNaN(at) ? Date.now() : at) / 1000;
}
