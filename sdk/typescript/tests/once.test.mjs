import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { BadRequest, Unanswered } from "../dist/index.js";
import { against, failed, json, never, ok, outcome, pass, settled, startClock, stopClock } from "./clock.mjs";

beforeEach(stopClock);
afterEach(startClock);

const RESET = failed({ code: "ECONNRESET", syscall: "read" });
const made = (id, more = {}) => ({ id, title: "Queues", createdAt: new Date().toISOString(), ...more });
const CREATE = ["create_interview", { title: "Queues" }];
const none = () => ok([], { cursor: null });
const creates = (sent) => sent.filter(({ method }) => method === "POST").length;

test("the same create within ten minutes gets the first one's result, however it is written, and then is made anew", async () => {
  const { aural, sent } = against([(_, number) => ok(made(`${number}`))]);
  const input = { title: "Queues", assessmentCriteria: [{ name: "n", description: "d" }] };
  const again = { assessmentCriteria: [{ description: "d", name: "n" }], title: "Queues", objective: undefined };
  assert.deepEqual((await outcome(aural.once("create_interview", input))).value.remarks, []);
  await pass(599);
  const { value } = await outcome(aural.once("create_interview", again));
  assert.equal(value.result.id, "1");
  assert.match(value.remarks[0], /^The same call was made 599 s ago: .* nothing was done a second time/);
  await pass(2);
  assert.equal((await outcome(aural.once("create_interview", input))).value.result.id, "2");
  assert.equal(sent.length, 2);
});

test("another create is made, and the same one on purpose", async () => {
  const { aural } = against([(_, number) => ok(made(`${number}`))]);
  const result = async (...given) => (await outcome(aural.once(...given))).value.result.id;
  assert.equal(await result(...CREATE), "1");
  assert.equal(await result("create_interview", { title: "queues" }), "2");
  assert.equal(await result(...CREATE, { allowDuplicate: true }), "3");
  assert.equal(await result(...CREATE, { allowDuplicate: true }), "4");
  assert.equal(await result(...CREATE), "1");
});

test("what a caller does with a result does not change what the next one gets", async () => {
  const { aural } = against([ok(made("a"))]);
  (await outcome(aural.once(...CREATE))).value.result.title = "changed";
  assert.equal((await outcome(aural.once(...CREATE))).value.result.title, "Queues");
});

test("of the same create twice at once one is sent", async () => {
  const { aural, sent } = against([() => new Promise((go) => setTimeout(() => go(ok(made("a"))), 3000))]);
  const [one, other] = (await outcome(Promise.all([aural.once(...CREATE), aural.once(...CREATE)]))).value;
  assert.deepEqual([one.result, one.remarks, other.remarks.length, sent.length], [other.result, [], 1, 1]);
});

test("who waits for the same create that fails makes it", async () => {
  const { aural } = against([json(400, { error: { code: "BAD_REQUEST", message: "x" } }), ok(made("b"))]);
  const [one, other] = (await outcome(Promise.allSettled([aural.once(...CREATE), aural.once(...CREATE)]))).value;
  assert.deepEqual([one.status, other.value.result.id], ["rejected", "b"]);
});

for (const lost of [RESET, json(502), ok("what?"), json(500, { error: { code: "INTERNAL_ERROR", message: "x" } })]) {
  test(`a create that is lost by ${lost.status ?? "a reset"} is found by looking`, async () => {
    const { aural, sent } = against([
      lost,
      ok([made("other", { title: "x" }), made("a", { title: " queues" })], { cursor: null }),
    ]);
    const { value } = await outcome(aural.once(...CREATE));
    assert.equal(value.result.id, "a");
    assert.match(value.remarks[0], /^The answer was lost on the way, but it was done/);
    assert.match((await outcome(aural.once(...CREATE))).value.remarks[0], /nothing was done a second time/);
    assert.equal(creates(sent), 1);
  });
}

test("a create that is lost and not there was not done, and is made when it is asked for again", async () => {
  const { aural, sent } = against([RESET, none, none, ok(made("a"))]);
  const { error, after } = await outcome(aural.once(...CREATE));
  assert.deepEqual(
    [error.message, error.nextStep],
    ["No usable answer came, and looking shows that it was not done.", "Call again."],
  );
  assert.equal(after, 1);
  assert.deepEqual((await outcome(aural.once(...CREATE))).value.remarks, []);
  assert.equal(creates(sent), 2);
});

for (const [what, row] of [
  ["older", () => made("a", { createdAt: new Date("2026-11-30T11:58:59Z").toISOString() })],
  ["different", () => made("a", { title: "Queues 2" })],
]) {
  test(`a row that is ${what} is not what was made`, async () => {
    const { aural } = against([RESET, () => ok([row()], { cursor: null })]);
    assert.match((await outcome(aural.once(...CREATE))).error.message, /not done/);
  });
}

test("rows that other creates made are not what a lost one made", async () => {
  const { aural } = against([ok(made("a")), RESET, () => ok([made("a")], { cursor: null })]);
  await outcome(aural.once(...CREATE));
  assert.match((await outcome(aural.once(...CREATE, { allowDuplicate: true }))).error.message, /not done/);
});

test("the backend's clock may be wrong by hours", async () => {
  const behind = () => new Date(Date.now() - 7_200_000);
  const dated = (body) => json(200, body, { date: behind().toUTCString() });
  const row = () => made("a", { createdAt: behind().toISOString() });
  const { aural } = against([() => dated({ data: {} }), RESET, () => dated({ data: [row()], cursor: null })]);
  await outcome(aural.call("get_usage"));
  assert.equal((await outcome(aural.once(...CREATE))).value.result.id, "a");
});

test("what timed out may still be under way: the same again looks first, and is made when that is over", async () => {
  const { aural, sent } = against([never, none, none, none, none, ok(made("a"))]);
  const first = await outcome(aural.once(...CREATE));
  assert.ok(first.error instanceof Unanswered);
  assert.match(first.error.message, /still be at it/);
  assert.match(
    first.error.nextStep,
    /^It may have been done: look with list_interviews. The same call again looks first/,
  );
  assert.match((await outcome(aural.once(...CREATE))).error.message, /still be at it/);
  assert.equal(creates(sent), 1);
  await pass(30);
  assert.equal((await outcome(aural.once(...CREATE))).value.result.id, "a");
  assert.equal(creates(sent), 2);
});

test("what timed out and arrives later is found", async () => {
  const { aural, sent } = against([never, none, none, () => ok([made("a")], { cursor: null })]);
  await outcome(aural.once(...CREATE));
  const both = await outcome(Promise.all([aural.once(...CREATE), aural.once(...CREATE)]));
  assert.deepEqual(
    both.value.map(({ result }) => result.id),
    ["a", "a"],
  );
  assert.equal(creates(sent), 1);
});

test("what was found an hour later is remembered from then on", async () => {
  const { aural, sent } = against([never, none, none, () => ok([made("a")], { cursor: null })]);
  await outcome(aural.once(...CREATE));
  await pass(3600);
  assert.equal((await outcome(aural.once(...CREATE))).value.result.id, "a");
  await pass(10);
  assert.match((await outcome(aural.once(...CREATE))).value.remarks[0], /nothing was done a second time/);
  assert.equal(creates(sent), 1);
});

test("who gives up while it is looked for an earlier one does not wait for that", async () => {
  const { aural, sent } = against([never, none, none, never, () => ok([made("a")], { cursor: null })]);
  await outcome(aural.once(...CREATE));
  const stop = new AbortController();
  const ended = outcome(aural.once(...CREATE, { signal: stop.signal }));
  await settled();
  stop.abort();
  const { error, after } = await ended;
  assert.deepEqual([error.name, after < 1], ["AbortError", true]);
  assert.equal((await outcome(aural.once(...CREATE))).value.result.id, "a");
  assert.equal(creates(sent), 1);
});

test("where looking does not tell, nobody claims to know", async () => {
  const { aural } = against([RESET, json(501)]);
  const { error } = await outcome(aural.once(...CREATE));
  assert.match(error.message, /Looking did not tell: The backend failed/);
});

for (const [what, lost] of [
  ["a gateway that waited no longer", json(504)],
  ["Cloudflare, which waited no longer", json(524)],
]) {
  test(`what was lost by ${what} may still be under way`, async () => {
    const { aural, sent } = against([lost, none]);
    for (let time = 0; time < 2; time += 1) {
      assert.match((await outcome(aural.once(...CREATE))).error.message, /still be at it/);
    }
    assert.equal(creates(sent), 1);
  });
}

test("what waited long before it was sent and timed out may still be under way as long as any", async () => {
  const { aural, sent } = against([json(429, { error: { retry_after: 25 } }), never, none]);
  await outcome(aural.once(...CREATE));
  await pass(5);
  assert.match((await outcome(aural.once(...CREATE))).error.message, /still be at it/);
  assert.equal(creates(sent), 2);
});

test("a call takes 45 s at most, looking included, and the next one looks first", async () => {
  const { aural, sent } = against([json(429, { error: { retry_after: 25 } }), never, never, none]);
  const { error, after } = await outcome(aural.once(...CREATE));
  assert.ok(error instanceof Unanswered && after <= 45, `${error} ${after}`);
  const other = await outcome(aural.once(...CREATE));
  assert.match(other.error.message, /still be at it/);
  assert.equal(creates(sent), 2);
});

test("who waits for the same create is told within 45 s, too", async () => {
  const refused = json(400, { error: { code: "BAD_REQUEST", message: "x" } });
  const late = () => new Promise((go) => setTimeout(() => go(refused), 14_000));
  const { aural } = against([json(429, { error: { retry_after: 25 } }), late, never]);
  const first = outcome(aural.once(...CREATE));
  await pass(1);
  const { error, after } = await outcome(aural.once(...CREATE));
  assert.ok(error instanceof Unanswered && after <= 45, `${error} ${after}`);
  assert.ok((await first).error instanceof BadRequest);
});

test("of two creates that look alike and were lost at once, one does not take the other's row", async () => {
  const rows = () => ok([made("a")], { cursor: null });
  const { aural } = against([RESET, RESET, rows]);
  const both = [aural.once(...CREATE), aural.once("create_interview", { title: " queues" })];
  const ends = (await outcome(Promise.allSettled(both))).value;
  assert.deepEqual(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

for (const [what, hours] of [
  ["forward", 1],
  ["back", -1],
]) {
  test(`what was made is found though our clock is set ${what} meanwhile`, async () => {
    const { Date: Stopped } = globalThis;
    let ahead = -hours * 3_600_000;
    class Ours extends Stopped {
      static now = () => Stopped.now() + ahead;
    }
    globalThis.Date = Ours;
    mock.method(performance, "now", () => Stopped.now());
    const dated = (body) => json(200, body, { date: new Stopped(Stopped.now()).toUTCString() });
    let looked = 0;
    const { aural } = against([
      () => dated({ data: {} }),
      RESET,
      () => {
        ahead = 0;
        looked += 1;
        return dated({ data: looked < 2 ? [] : [made("a", { createdAt: new Stopped().toISOString() })], cursor: null });
      },
    ]);
    try {
      await outcome(aural.call("get_usage"));
      assert.equal((await outcome(aural.once(...CREATE))).value.result.id, "a");
    } finally {
      globalThis.Date = Stopped;
    }
  });
}

test("what Aural has a default for is found though nothing was said", async () => {
  const row = () => made("a", { aiName: "Aural", language: "en", chatEnabled: true, objective: null });
  const { aural } = against([RESET, () => ok([row()], { cursor: null })]);
  const given = { title: "Queues", aiName: " ", language: "", chatEnabled: null, objective: "" };
  assert.equal((await outcome(aural.once("create_interview", given))).value.result.id, "a");
});

test("objects without a prototype, as GraphQL gives them, are the same as others", async () => {
  const { aural, sent } = against([ok(made("a"))]);
  const bare = (fields) => Object.assign(Object.create(null), fields);
  const criterion = { name: "n", description: "d" };
  await outcome(aural.once("create_interview", bare({ title: "Queues", assessmentCriteria: [bare(criterion)] })));
  const { value } = await outcome(aural.once("create_interview", { assessmentCriteria: [criterion], title: "Queues" }));
  assert.deepEqual([value.remarks.length, sent.length], [1, 1]);
});

const QUESTIONS = [
  "create_questions",
  { interviewId: "i", questions: [{ text: " Why? " }, { text: "Which?", type: "SINGLE_CHOICE", options: ["a", "b"] }] },
];
const question = (id, text, more = {}) => made(id, { text, type: "OPEN_ENDED", options: null, ...more });

test("questions are found in the order in which they were sent", async () => {
  const listed = () => [
    question("x", "Else?"),
    question("2", "Which?", { type: "SINGLE_CHOICE", options: ["a", "b"] }),
    question("1", "Why?"),
  ];
  const { aural } = against([RESET, () => ok(listed())]);
  const { value } = await outcome(aural.once(...QUESTIONS));
  assert.deepEqual([value.result.data.map(({ id }) => id), value.result.cursor], [["1", "2"], null]);
});

test("of questions of which only some are there nobody can tell", async () => {
  const { aural } = against([RESET, () => ok([question("1", "Why?")])]);
  assert.match((await outcome(aural.once(...QUESTIONS))).error.message, /Looking did not tell: 1 of 2 are there./);
});

test("people are found with links that lead where Aural's own do", async () => {
  const people = {
    interviewId: "i",
    candidates: [
      { name: "Ann", email: "Ann@x.test" },
      { name: "Ann", email: "Ann@x.test" },
    ],
  };
  const row = (id) => made(id, { name: "Ann", email: "ann@x.test", phone: null, inviteToken: `t${id}` });
  const published = ok({ id: "i", url: "https://hire.test/aural/i/slug" });
  const { aural } = against([published, RESET, () => ok([row("1"), row("2")])]);
  await outcome(aural.call("publish_interview", { interviewId: "i" }));
  const { value } = await outcome(aural.once("create_candidates", people));
  assert.deepEqual(
    value.result.data.map(({ inviteUrl }) => inviteUrl),
    ["https://hire.test/aural/i/invite/t1", "https://hire.test/aural/i/invite/t2"],
  );
});

test("who gives up before anything was sent leaves nothing in doubt", async () => {
  const { aural, sent } = against([json(429, { error: { retry_after: 20 } }), ok(made("a"))]);
  const stop = new AbortController();
  const given = aural.once(...CREATE, { signal: stop.signal });
  await settled();
  stop.abort();
  assert.equal((await outcome(given)).error.name, "AbortError");
  assert.deepEqual((await outcome(aural.once(...CREATE))).value.remarks, []);
  assert.equal(sent.length, 2);
});

test("only what makes something is made once", async () => {
  const { aural, sent } = against([ok({})]);
  assert.ok((await outcome(aural.once("get_usage"))).error instanceof TypeError);
  assert.equal(sent.length, 0);
});
