/** One request and its answer: how long it may take, how much of it is read, and whether it can have arrived. */

import createClient, { type Client } from "openapi-fetch";

import { AuralError, Unreachable } from "./errors.js";
import { type Answer, unanswered, unusable } from "./refusals.js";
import type { Request as Call } from "./request.js";
import type { paths } from "./schema.js";

/** What is used of `fetch`, so that those of undici and node-fetch do too. */
export type Fetch = (
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body?: string;
    redirect: "manual";
    signal: AbortSignal;
  },
) => Promise<Reply>;
interface Reply {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: { get(name: string): string | null };
  readonly body?: unknown;
  arrayBuffer(): Promise<ArrayBuffer>;
}
interface Sent {
  data?: unknown;
  error?: unknown;
}
type Send = (method: string, path: string, init: object) => Promise<Sent>;

/** Bytes of an answer beyond which it is not read any further. */
const LARGEST = 64_000_000;
/** Codes of Node, Deno and Bun for a connection that was never made. */
const NO_CONNECTION = new Set(
  "ECONNREFUSED ENOTFOUND EAI_AGAIN UND_ERR_CONNECT_TIMEOUT ConnectionRefused FailedToOpenSocket".split(" "),
);
const NO_TRUST = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|ERR_TLS_CERT_)/;

export class Wire {
  readonly #client: Client<paths>;
  readonly #fetch: Fetch;

  constructor(
    readonly baseUrl: string,
    fetch: Fetch | undefined,
  ) {
    this.#client = createClient<paths>({ baseUrl });
    this.#fetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
  }

  /**
   * Send a request and read its whole answer.
   *
   * @param seconds after which it is given up
   * @param signal of the caller, where it may end the request
   */
  async exchange(call: Call, key: string, seconds: number, signal: AbortSignal | undefined): Promise<Answer> {
    const stop = new AbortController();
    const stopped = new Promise<never>((_, reject) => {
      stop.signal.addEventListener("abort", () => reject(stop.signal.reason as Error));
    });
    const end = (): void => stop.abort();
    const timer = setTimeout(end, seconds * 1000);
    signal?.addEventListener("abort", end);
    let size = 0;
    const counted = (part: Uint8Array, out: TransformStreamDefaultController<Uint8Array>): void => {
      size += part.byteLength;
      if (size > LARGEST) throw new RangeError("too large");
      out.enqueue(part);
    };
    const send = this.#fetch; // a browser's own must not be called as a method
    let reply: Reply | undefined;
    const fetch = async ({ url, method, headers }: Request): Promise<Response> => {
      const body = "body" in init ? { body: bodyOf(init.body) } : {};
      const given = { method, headers: Object.fromEntries(headers), ...body };
      try {
        reply = await send(url, { ...given, redirect: "manual", signal: stop.signal });
      } catch (error) {
        throw neverSent(error) ? this.#unreachable(error) : error;
      }
      const read =
        reply.body instanceof ReadableStream
          ? reply.body.pipeThrough(new TransformStream({ transform: counted }))
          : await reply.arrayBuffer();
      return new Response(read, { status: reply.ok ? 200 : 500 });
    };
    const init = {
      params: { path: call.params, ...(call.method === "GET" ? { query: call.payload } : {}) },
      ...(call.method !== "GET" && Object.keys(call.payload as object).length ? { body: call.payload } : {}),
      headers: { accept: "application/json", authorization: `Bearer ${key}` },
      parseAs: "arrayBuffer",
      fetch,
    };
    try {
      signal?.throwIfAborted();
      const sent = (this.#client.request as unknown as Send)(call.method, call.path, init);
      const { data, error } = await Promise.race([sent, stopped]);
      const { status, headers } = reply as unknown as Reply;
      return { status, headers, body: data ?? error };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof AuralError) throw error;
      if (size > LARGEST) throw unusable(call, `The backend's answer is larger than ${LARGEST / 1e6} MB.`, "TOO_LARGE");
      throw unanswered(call, stop.signal.aborted);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    }
  }

  #unreachable(error: unknown): Unreachable {
    const code = codeOf(error);
    const why = code ? ` (${code})` : "";
    const message = `The backend at ${this.baseUrl} cannot be reached${why}, so nothing was done.`;
    return new Unreachable(message, "Check the network and baseUrl, then call again.");
  }
}

/** Whether a failed `fetch` shows that no connection was made. Browsers do not tell, so there it never does. */
export function neverSent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { cause, code, errors, syscall } = error as Error & { code?: unknown; errors?: unknown; syscall?: unknown };
  if (Array.isArray(errors)) return errors.length > 0 && errors.every(neverSent);
  return (
    NO_CONNECTION.has(String(code)) ||
    NO_TRUST.test(String(code)) ||
    syscall === "connect" ||
    syscall === "getaddrinfo" ||
    error.message.includes("client error (Connect)") ||
    neverSent(cause)
  );
}

/** A text, but in Deno, which sends a text again where the connection that it had kept ends (denoland/deno#35610). */
function bodyOf(payload: unknown): string {
  const text = JSON.stringify(payload);
  return "Deno" in globalThis ? (new Blob([text]) as unknown as string) : text;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : codeOf(error.cause);
}
