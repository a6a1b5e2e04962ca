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
import { DEADLINE, now, sleep, within } from "./time.js";
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
  ask(request: Request, deadline: number, signal?: AbortSignal): Promise<unknown>;
  /** Seconds by which the backend's clock is ahead of ours, once an answer told. */
  skew(): number | undefined;
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
  /** When it was begun, in seconds: on the clock that nobody sets back, and since 1970; how far the backend's was. */
  begun: number;
  sentAt: number;
  skew: number | undefined;
  /** When it ended without an answer. */
  lost?: number;
  result?: unknown;
  /** Settles when its call is over. */
  over?: Promise<unknown>;
}

/** Seconds for which the same create gets the first one's result, and for which one whose end is not known is kept. */
const REMEMBERED = 600;
const IN_DOUBT = 86_400;
/** Seconds that the same call waits for the one that is under way; the rest of its time is for a request. */
const PATIENCE = 40;
/** Statuses of those between us who waited no longer: Aural may still be at it. */
const GAVE_UP = [504, 524];
/** Seconds from there after which a create that timed out and cannot be found was not done. */
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
    const begun = now();
    const [until, deadline] = [begun + PATIENCE, begun + DEADLINE];
    for (;;) {
      this.#forget();
      const earlier = this.#entries.get(digest);
      if (!earlier) return await this.#begin(request, digest, deadline, signal);
      if (earlier.state === "done") {
        return { result: structuredClone(earlier.result), remarks: [repeated(now() - earlier.begun)] };
      }
      if (earlier.state === "unknown") {
        const settled = this.#settle(request, digest, earlier, deadline);
        earlier.over = settled.catch(() => undefined);
        await within(deadline - now(), settled, signal);
        if (await settled) return { result: structuredClone(earlier.result), remarks: [FOUND] };
      } else {
        if (until <= now()) throw unknown(request, "The same call is still under way.");
        await within(until - now(), earlier.over, signal);
      }
    }
  }

  #begin(
    request: Request,
    digest: string,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<Outcome<unknown>> {
    const entry: Entry = { state: "started", begun: now(), sentAt: Date.now() / 1000, skew: this.#client.skew() };
    this.#entries.set(digest, entry);
    const sent = this.#send(request, digest, entry, deadline, signal);
    entry.over = sent.catch(() => undefined);
    return sent;
  }

  async #send(
    request: Request,
    digest: string,
    entry: Entry,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<Outcome<unknown>> {
    try {
      entry.result = await this.#client.ask(request, deadline, signal);
    } catch (lost) {
      const unsure = lost instanceof Unanswered || lost instanceof ServerError;
      if (unsure) return await this.#looked(request, digest, entry, lost, deadline);
      this.#entries.delete(digest);
      throw lost;
    }
    entry.state = "done";
    return { result: structuredClone(entry.result), remarks: [] };
  }

  /** Twice, a little apart and whatever the caller does meanwhile: done, not done, or not to be told. */
  async #looked(
    request: Request,
    digest: string,
    entry: Entry,
    lost: Unanswered | ServerError,
    deadline: number,
  ): Promise<Outcome<unknown>> {
    entry.lost = now();
    const timedOut = lost instanceof Unanswered ? lost.timedOut : GAVE_UP.includes(lost.status);
    try {
      await this.#look(request, entry, deadline);
      if (!entry.result) {
        await sleep(LOOK_AGAIN);
        await this.#look(request, entry, deadline);
      }
      if (!entry.result && timedOut) throw unknown(request, STILL);
    } catch (error) {
      entry.state = "unknown";
      throw error;
    }
    if (!entry.result) {
      this.#entries.delete(digest);
      throw new Unanswered("No usable answer came, and looking shows that it was not done.", "Call again.");
    }
    entry.state = "done";
    return { result: structuredClone(entry.result), remarks: [FOUND] };
  }

  /** Whether an earlier one whose answer was lost was done; where it was not, it may be carried out now. */
  async #settle(request: Request, digest: string, earlier: Entry, deadline: number): Promise<boolean> {
    earlier.state = "started"; // who comes meanwhile waits
    try {
      await this.#look(request, earlier, deadline);
      if (!earlier.result && now() - (earlier.lost ?? now()) < SETTLED) throw unknown(request, STILL);
    } catch (error) {
      earlier.state = "unknown";
      throw error;
    }
    if (earlier.result) Object.assign(earlier, { state: "done", begun: now() }); // it is remembered from here on
    else this.#entries.delete(digest);
    return earlier.result !== undefined;
  }

  /** Where what was sent is there, it becomes the entry's result at once, so that no other look takes the same rows. */
  async #look(request: Request, entry: Entry, deadline: number): Promise<void> {
    try {
      await (request.name === "create_interview" ? this.#interview : this.#rows).call(this, request, entry, deadline);
    } catch (error) {
      if (error instanceof AuralError) throw unknown(request, `Looking did not tell: ${error.message}`);
      throw error;
    }
  }

  async #interview({ payload }: Request, entry: Entry, deadline: number): Promise<void> {
    const wanted = payload as Record<string, unknown>;
    const names = Object.keys(wanted).filter((name) => plain(wanted[name]) !== null); // Aural has a default for nothing
    let query: object = { limit: 100 };
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { data, cursor } = await this.#list("list_interviews", query, deadline);
      entry.result = this.#new(data, entry).find((row) => looks(row, names) === looks(wanted, names));
      if (entry.result || cursor === null || timeOf(data.at(-1)?.["updatedAt"]) < this.#since(entry)) return;
      query = { limit: 100, cursor };
    }
    throw new Unanswered("So much was made meanwhile that looking does not tell.", "");
  }

  /** A row for each that was sent, in that order; none unless all are there: a create is all or none. */
  async #rows(request: Request, entry: Entry, deadline: number): Promise<void> {
    const people = request.name === "create_candidates";
    const names = people ? ["name", "email", "phone"] : ["text", "type", "options"];
    const { data } = await this.#list(people ? "list_candidates" : "list_questions", request.params, deadline);
    const left = this.#new(data, entry);
    const wanted = request.payload as Record<string, unknown>[];
    const found = wanted.flatMap((each) => {
      const place = left.findIndex((row) => looks(row, names) === looks(each, names));
      return place < 0 ? [] : left.splice(place, 1);
    });
    if (!found.length) return;
    if (found.length < wanted.length) throw new Unanswered(`${found.length} of ${wanted.length} are there.`, "");
    const link = `${this.#client.linkOrigin()}/i/invite/`;
    const invited = (row: Row): Row => ({ ...row, inviteUrl: `${link}${String(row["inviteToken"])}` });
    entry.result = { data: people ? found.map(invited) : found, cursor: null };
  }

  async #list(name: string, given: object, deadline: number): Promise<Page> {
    return (await this.#client.ask(requestOf(name, given as Record<string, unknown>), deadline)) as Page;
  }

  /** The rows that were made since one was sent, and of which no other is the result. */
  #new(rows: Row[], entry: Entry): Row[] {
    const known = new Set([...this.#entries.values()].flatMap(({ result }) => rowsOf(result)).map(({ id }) => id));
    return rows.filter((row) => !known.has(row.id) && timeOf(row["createdAt"]) >= this.#since(entry));
  }

  /** On the backend's clock; where ours was set meanwhile, the earlier time that comes of it. */
  #since({ sentAt, skew }: Entry): number {
    const told = this.#client.skew() ?? 0;
    return sentAt + Math.min(skew ?? told, told) - SKEW;
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
  const inOrder = (each: unknown): unknown =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1))) : each;
  return JSON.stringify(value, (_, each: unknown) => inOrder(each));
}

/** Seconds since 1970; what is no time counts as now, so that it is not overlooked. */
function timeOf(text: unknown): number {
  const at = typeof text === "string" ? Date.parse(text) : NaN;
  return (Number.isNaN(at) ? Date.now() : at) / 1000;
}
