/** Seconds, as everything here counts them. */

/** Seconds that one call may take, waiting for the rate limit and looking included. */
export const DEADLINE = 45;

/** A clock that nobody sets back. */
export const now = (): number => performance.now() / 1000;

/** Wait, unless the signal says no. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Wait for a promise, but no longer than so many seconds. */
export async function within(
  seconds: number,
  promise: Promise<unknown> | undefined,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const over = new AbortController();
  const stop = (): void => over.abort(signal?.reason);
  signal?.addEventListener("abort", stop);
  try {
    await Promise.race([promise, sleep(seconds, over.signal)]);
  } finally {
    signal?.removeEventListener("abort", stop);
    over.abort();
  }
}
