/** Requests per minute, so that Aural never has to refuse us; and how often something is repeated. */

import { BudgetExhausted } from "./errors.js";
import { now } from "./time.js";

/** Seconds; one more than Aural's minute, for clocks and the network. */
const WINDOW = 61;
/** Requests that wait; who comes after them is told at once. */
const MOST_WAITING = 32;

interface Waiting {
  /** When it must be let go at the latest. */
  until: number;
  go: (leave: () => void) => void;
  refuse: (error: unknown) => void;
}

/** Grants requests: of 60 a minute, 58 in any 61 seconds, first come first served. 0 a minute means no limit. */
export class Budget {
  readonly limit: number;
  /** The requests of the window. When one arrives nobody knows: it counts from its end, which is surely not before. */
  #sent: { ended: number | undefined }[] = [];
  #waiting: Waiting[] = [];
  #pausedUntil = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(requestsPerMinute: number) {
    this.limit = requestsPerMinute ? Math.max(1, Math.floor((requestsPerMinute * 58) / 60)) : 0;
  }

  /** How many requests could leave now; undefined without a limit. */
  remaining(): number | undefined {
    if (!this.limit) return undefined;
    return now() < this.#pausedUntil ? 0 : Math.max(0, this.limit - this.#times().length);
  }

  /** Hold every request, waiting ones too, for so many seconds. */
  pause(seconds: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now() + seconds);
    this.#serve();
  }

  /**
   * Wait for a turn; gives what to call when the request is over.
   *
   * @param within seconds that it may wait; once it is known to be longer, that is `BudgetExhausted`
   */
  async enter(within: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (!this.limit) return () => undefined;
    const until = now() + within;
    const at = this.#turns(this.#waiting.length + 1).at(-1) ?? until;
    if (at > until || (at > now() && this.#waiting.length >= MOST_WAITING)) throw this.#exhausted(at);
    return await new Promise((go, refuse) => {
      const stop = (): void => {
        this.#waiting = this.#waiting.filter((each) => each !== mine);
        refuse(signal?.reason);
        this.#serve();
      };
      const settled = (): void => signal?.removeEventListener("abort", stop);
      const mine: Waiting = {
        until,
        go: (leave) => (settled(), go(leave)),
        refuse: (error) => (settled(), refuse(error)),
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#waiting.push(mine);
      this.#serve();
    });
  }

  /** Let go whose turn it is, refuse who would wait too long by now, and look again when the next one's turn comes. */
  #serve(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const turns = this.#turns(this.#waiting.length);
      const first = turns[0];
      if (first === undefined) return;
      const late = this.#waiting.findIndex((each, place) => (turns[place] ?? 0) > each.until);
      if (late >= 0) {
        this.#waiting.splice(late, 1)[0]?.refuse(this.#exhausted(turns[late] ?? 0));
      } else if (first <= now()) {
        const request: { ended: number | undefined } = { ended: undefined };
        this.#sent.push(request);
        this.#waiting.shift()?.go(() => {
          request.ended = now();
          this.#serve();
        });
      } else {
        this.#timer = setTimeout(() => this.#serve(), Math.ceil((first - now()) * 1000));
        return;
      }
    }
  }

  /** When the next so many may leave: each after the one before it, and when the window has room. */
  #turns(count: number): number[] {
    const at = now();
    const times = this.#times();
    return Array.from({ length: count }, () => {
      const room = (times.at(-this.limit) ?? -Infinity) + WINDOW;
      const turn = Math.max(at, this.#pausedUntil, room, times.at(-1) ?? at);
      times.push(turn);
      return turn;
    });
  }

  /** The times of the window, in order; what is on its way counts as now. */
  #times(): number[] {
    const at = now();
    this.#sent = this.#sent.filter((each) => each.ended === undefined || each.ended + WINDOW > at);
    return this.#sent.map((each) => each.ended ?? at).sort((one, other) => one - other);
  }

  #exhausted(at: number): BudgetExhausted {
    const seconds = Math.max(1, Math.ceil(at - now()));
    const message = `rate_limited: the ${this.limit} requests that this key may send in ${WINDOW} s are used up.`;
    return new BudgetExhausted(message, `Nothing was sent. Call again in ${seconds} s.`, seconds);
  }
}

/** Twenty tokens: a repetition costs two, a success gives a fifth back. */
export class RetryBudget {
  #tokens = 20;

  /** Whether another repetition may be made. */
  spend(): boolean {
    if (this.#tokens < 2) return false;
    this.#tokens -= 2;
    return true;
  }

  earn(): void {
    this.#tokens = Math.min(20, this.#tokens + 0.2);
  }
}

/** Seconds to wait after the attempt of this number: full jitter, so that many do not come back together. */
export const pauseAfter = (attempt: number): number => Math.random() * Math.min(4, 0.25 * 2 ** (attempt - 1));
