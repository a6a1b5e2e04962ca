/** A clock that only tests move, and a backend of one's own words behind `fetch`. */

import { mock } from "node:test";

import { Aural } from "../dist/index.js";

/** Stop the clock at a moment. */
export function stopClock() {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.parse("2026-11-30T12:00:00Z") });
  mock.method(performance, "now", () => Date.now());
}

export function startClock() {
  mock.timers.reset();
  mock.restoreAll();
}

/** Let everything run that waits for no clock. */
export async function settled() {
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resume) => setImmediate(resume));
}

/** Let time pass. */
export async function pass(seconds) {
  await settled();
  for (let left = seconds * 1000; left > 0; left -= 250) {
    mock.timers.tick(Math.min(250, left));
    await settled();
  }
}

/** What becomes of a promise while time passes, and after how many seconds: `{ value }` or `{ error }`, and `after`. */
export async function outcome(promise) {
  const begun = Date.now();
  let end;
  promise.then(
    (value) => (end = { value, after: (Date.now() - begun) / 1000 }),
    (error) => (end = { error, after: (Date.now() - begun) / 1000 }),
  );
  for (let moved = 0; moved < 4000; moved += 1) {
    await settled();
    if (end) return end;
    mock.timers.tick(250);
  }
  throw new Error("It did not end within 1000 seconds.");
}

export const json = (status, body, headers = {}) =>
  new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
export const ok = (data, more = {}) => json(200, { data, ...more });
/** An answer that never comes; it ends with the request. */
export const never = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

/**
 * A client, and what it sent. Each answer is a Response, an Error, or a function of the request that gives one; the last
 * one answers all that come after it.
 */
export function against(answers, options = {}) {
  const sent = [];
  const fetch = async (url, { method, redirect, body, signal }) => {
    const answer = answers[Math.min(sent.length, answers.length - 1)];
    sent.push({ at: Date.now() / 1000, method, url, redirect, body });
    const given = typeof answer === "function" ? await answer({ signal }, sent.length) : answer;
    if (given instanceof Error) throw given;
    return given.clone();
  };
  const aural = new Aural("dlv_test_clock", { baseUrl: "http://aural.test/api/v1", fetch, ...options });
  return { aural, sent };
}

/** What `fetch` of Node throws. */
export const failed = (fields) =>
  Object.assign(new TypeError("fetch failed"), { cause: Object.assign(new Error("x"), fields) });
