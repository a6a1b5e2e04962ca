import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Budget } from "../dist/budget.js";
import { BudgetExhausted } from "../dist/index.js";
import { outcome, pass, settled, startClock, stopClock } from "./clock.mjs";

beforeEach(stopClock);
afterEach(startClock);

/** Requests that take so many seconds each, asked for at once: when each left, in the order of leaving. */
async function leaving(budget, count, { within = 1000, takes = 0 } = {}) {
  const begun = Date.now();
  const left = [];
  const one = async (number) => {
    const leave = await budget.enter(within);
    left.push([number, (Date.now() - begun) / 1000]);
    if (takes) await new Promise((resume) => setTimeout(resume, takes * 1000));
    leave();
  };
  const all = Promise.all(Array.from({ length: count }, (_, number) => one(number)));
  assert.equal((await outcome(all)).error, undefined);
  return left;
}

test("58 requests leave at once and the next ones when the window has room, in the order in which they came", async () => {
  const left = await leaving(new Budget(60), 60);
  assert.deepEqual(
    left.slice(0, 58),
    Array.from({ length: 58 }, (_, number) => [number, 0]),
  );
  assert.deepEqual(left.slice(58), [
    [58, 61],
    [59, 61],
  ]);
});

test("a request counts from its end, as nobody knows when it arrived", async () => {
  assert.deepEqual(await leaving(new Budget(2), 2, { takes: 20 }), [
    [0, 0],
    [1, 81],
  ]);
});

for (const [perMinute, limit] of [
  [60, 58],
  [600, 580],
  [30, 29],
  [1, 1],
  [2, 1],
  [3, 2],
]) {
  test(`of ${perMinute} a minute ${limit} are used`, async () => {
    const budget = new Budget(perMinute);
    assert.equal(budget.remaining(), limit);
    (await budget.enter(0))();
    assert.equal(budget.remaining(), limit - 1);
    await pass(61);
    assert.equal(budget.remaining(), limit);
  });
}

test("without a limit all leave at once, and nobody counts", async () => {
  const budget = new Budget(0);
  assert.ok((await leaving(budget, 500)).every(([, at]) => at === 0));
  assert.equal(budget.remaining(), undefined);
});

test("who would wait too long is told at once, and when to come again", async () => {
  const budget = new Budget(2);
  (await budget.enter(0))();
  await pass(10);
  const { error, after } = await outcome(budget.enter(40));
  assert.ok(error instanceof BudgetExhausted);
  assert.equal(after, 0);
  assert.equal(error.retryAfter, 51);
  assert.match(error.nextStep, /^Nothing was sent. Call again in 51 s.$/);
});

test("32 wait, and the next one is told at once", async () => {
  const budget = new Budget(60);
  budget.pause(5);
  const waiting = Array.from({ length: 32 }, () => budget.enter(40));
  assert.ok((await outcome(budget.enter(40))).error instanceof BudgetExhausted);
  await pass(5);
  await Promise.all(waiting);
});

test("a pause holds those that wait already, and a shorter one does not shorten it", async () => {
  const budget = new Budget(2);
  (await budget.enter(0))();
  const next = budget.enter(100);
  await pass(50);
  budget.pause(30);
  budget.pause(1);
  assert.equal(budget.remaining(), 0);
  assert.equal((await outcome(next)).after, 30);
});

test("who waits and cannot be let go in time any more is told as soon as that is known", async () => {
  const budget = new Budget(60);
  budget.pause(10);
  const patient = budget.enter(100);
  const hasty = budget.enter(20);
  await pass(5);
  budget.pause(60);
  const { error, after } = await outcome(hasty);
  assert.ok(error instanceof BudgetExhausted);
  assert.deepEqual([after, error.retryAfter], [0, 60]);
  assert.equal((await outcome(patient)).after, 60);
});

test("who gives up waiting leaves the turn to the next one, and gives its own reason", async () => {
  const budget = new Budget(2);
  (await budget.enter(0))();
  const stop = new AbortController();
  const first = budget.enter(100, stop.signal);
  const second = budget.enter(200);
  await settled();
  stop.abort(new Error("enough"));
  assert.equal((await outcome(first)).error.message, "enough");
  assert.equal((await outcome(second)).after, 61);
});

test("whoever was told to stop before does not wait at all", async () => {
  const { error } = await outcome(new Budget(0).enter(1, AbortSignal.abort(new Error("before"))));
  assert.equal(error.message, "before");
});

test("in no 61 seconds there are more than the limit, whatever comes when", async () => {
  let seed = 7;
  const chance = (most) => (seed = (seed * 48271) % 2147483647) % most;
  const budget = new Budget(6);
  const spans = [];
  const one = async () => {
    const leave = await budget.enter(900);
    const span = [Date.now() / 1000, Infinity];
    spans.push(span);
    await new Promise((resume) => setTimeout(resume, chance(9000)));
    span[1] = Date.now() / 1000;
    leave();
  };
  const all = [];
  for (let number = 0; number < 25; number += 1) {
    all.push(one());
    if (chance(4) === 0) budget.pause(chance(5));
    await pass(chance(12));
  }
  await outcome(Promise.all(all));
  assert.equal(spans.length, 25);
  for (const [begun] of spans) {
    const held = spans.filter(([from, until]) => from <= begun && until > begun - 61);
    assert.ok(held.length <= budget.limit, `${held.length} at ${begun}`);
  }
});
