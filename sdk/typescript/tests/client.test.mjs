import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import * as all from "../dist/index.js";
import { hold } from "../dist/refusals.js";
import { neverSent } from "../dist/wire.js";
import { against, failed, json, never, ok, outcome, pass, settled, startClock, stopClock } from "./clock.mjs";

beforeEach(() => {
  stopClock();
  mock.method(Math, "random", () => 1);
});
afterEach(startClock);

const INTERVIEW = {
  id: "00000000-0000-4000-8000-000000000001",
  title: "Queues",
  createdAt: "2026-11-30T12:00:00+00:00",
};
const refused = (status, error) => json(status, { error });
const tooMany = (seconds, headers) =>
  json(429, { error: { code: "RATE_LIMITED", message: "Wait.", retry_after: seconds } }, headers);
const RESET = failed({ code: "ECONNRESET", syscall: "read" });
const NO_CONNECTION = failed({ code: "ECONNREFUSED", syscall: "connect" });
const ID = INTERVIEW.id;

// ── Holds ───────────────────────────────────────────────────────────────────────────────────────

for (const [given, seconds] of [
  [5, 5],
  ["5", 5],
  [" 0.5 ", 1],
  ["12.75", 12.75],
  [".5e1", 5],
  ["0", 1],
  ["-3", 1],
  ["86400", 600],
  ["Mon, 30 Nov 2026 12:00:30 GMT", 30],
  ["Monday, 30-Nov-26 12:02:00 GMT", 120],
  ["Mon, 30 Nov 2026 11:00:00 GMT", 1],
  ["Wed, 30 Nov 2033 12:00:00 GMT", 600],
  ["Mon, 99 Nov 2026 12:00:30 GMT", 60],
  ["", 60],
  ["soon 1", 60],
  ["0x10", 60],
  ["1 minute", 60],
  ["NaN", 60],
  ["2026-11-30T12:00:30Z", 60],
  [null, 60],
  [true, 60],
  [[5], 60],
  [{}, 60],
]) {
  test(`a Retry-After of ${JSON.stringify(given)} holds for ${seconds} s`, () => assert.equal(hold(given), seconds));
}

for (const [what, given] of [
  ["digits", `${"1".repeat(1_000_000)}x`],
  ["months", "Mon ".repeat(250_000)],
]) {
  test(`a Retry-After of a million ${what} holds for 60 s`, () => assert.equal(hold(given), 60));
}

test("a 429 holds every call, and is waited out", async () => {
  const { aural, sent } = against([tooMany(7), ok(INTERVIEW)]);
  const first = outcome(aural.call("create_interview", { title: "a" }));
  await settled();
  assert.equal(aural.remaining(), 0);
  const second = aural.call("create_interview", { title: "b" });
  assert.equal((await first).after, 7);
  await second;
  assert.deepEqual(
    sent.map(({ at }) => at - sent[0].at),
    [0, 7, 7],
  );
});

test("the header counts where the body says nothing, and without a limit the call itself waits", async () => {
  const { aural } = against([json(429, undefined, { "retry-after": "9" }), ok(INTERVIEW)], { requestsPerMinute: 0 });
  assert.equal((await outcome(aural.call("create_interview", { title: "a" }))).after, 9);
});

test("a 429 that holds longer than a call may take is told at once", async () => {
  const { aural, sent } = against([tooMany(46)]);
  const { error, after } = await outcome(aural.call("create_interview", { title: "a" }));
  assert.ok(error instanceof all.RateLimited);
  assert.deepEqual([after, error.retryAfter, error.status, sent.length], [0, 46, 429, 1]);
  assert.ok((await outcome(aural.call("list_interviews"))).error instanceof all.BudgetExhausted);
  assert.equal(sent.length, 1);
});

// ── Repetitions ─────────────────────────────────────────────────────────────────────────────────

for (const [name, input, lost, times] of [
  ["list_interviews", {}, RESET, 3],
  ["list_interviews", {}, json(503, {}), 3],
  ["list_interviews", {}, json(500), 3],
  ["list_interviews", {}, new Response("<html>"), 3],
  ["list_interviews", {}, ok({}), 3],
  ["list_interviews", {}, json(501, {}), 1],
  ["list_interviews", {}, new Response(null, { status: 308, headers: { location: "/" } }), 1],
  ["list_interviews", {}, refused(400, { code: "BAD_REQUEST", message: "No." }), 1],
  ["update_interview", { interviewId: ID, title: "b" }, RESET, 3],
  ["publish_interview", { interviewId: ID }, json(502), 3],
  ["end_interview_sessions", { interviewId: ID, ids: ["a"] }, json(504), 3],
  ["create_interview", { title: "a" }, RESET, 1],
  ["create_interview", { title: "a" }, json(503, {}), 1],
  ["create_interview", { title: "a" }, ok([]), 1],
  ["create_interview", { title: "a" }, NO_CONNECTION, 3],
  ["list_candidates", { interviewId: ID }, RESET, 1],
  ["list_candidates", { interviewId: ID }, NO_CONNECTION, 3],
]) {
  const what = lost instanceof Error ? lost.cause.code : `HTTP ${lost.status}`;
  test(`${name} is sent ${times} times against ${what}`, async () => {
    const { aural, sent } = against([lost]);
    assert.ok((await outcome(aural.call(name, input))).error instanceof all.AuralError);
    assert.equal(sent.length, times);
  });
}

test("pauses between repetitions are drawn from ever longer spans", async () => {
  const { aural, sent } = against([RESET, RESET, ok([])]);
  await outcome(aural.call("list_interviews"));
  assert.deepEqual(
    sent.map(({ at }) => at - sent[0].at),
    [0, 0.25, 0.75],
  );
});

test("a backend that keeps failing is not asked three times as often", async () => {
  const { aural, sent } = against([RESET]);
  for (let number = 0; number < 10; number += 1) await outcome(aural.call("list_interviews"));
  assert.equal(sent.length, 20);
});

test("a row that is gone after a lost delete is deleted, and one that never was is not found", async () => {
  const gone = refused(404, { code: "NOT_FOUND", message: "Question not found" });
  const { aural } = against([RESET, gone]);
  assert.deepEqual((await outcome(aural.call("delete_question", { questionId: ID }))).value, { id: ID, deleted: true });
  const { error } = await outcome(aural.call("delete_question", { questionId: ID }));
  assert.ok(error instanceof all.NotFound);
  assert.equal(error.nextStep, "Call list_questions for ids that exist.");
});

// ── Deadlines and signals ───────────────────────────────────────────────────────────────────────

test("a request is given up after 15 s and a call after 45", async () => {
  const { aural, sent } = against([never]);
  const { error, after } = await outcome(aural.call("list_interviews"));
  assert.ok(error instanceof all.Unanswered && error.timedOut);
  assert.ok(after <= 45, `${after}`);
  assert.deepEqual(
    sent.map(({ at }) => at - sent[0].at),
    [0, 15.25, 30.75],
  );
});

test("what Aural may take longer over is given up after 30 s", async () => {
  const { aural, sent } = against([never]);
  const { error, after } = await outcome(aural.call("list_candidates", { interviewId: ID }));
  assert.deepEqual([error.timedOut, after, sent.length], [true, 30, 1]);
});

test("a fetch that does not listen to its signal is given up all the same", async () => {
  const { aural } = against([() => new Promise(() => undefined)]);
  assert.equal((await outcome(aural.call("create_interview", { title: "a" }))).after, 15);
});

test("an answer that stops in the middle is no answer", async () => {
  const cut = () => new Response(new ReadableStream({ start: (out) => out.enqueue(new Uint8Array([123])) }));
  const { aural } = against([cut]);
  const { error, after } = await outcome(aural.call("create_interview", { title: "a" }));
  assert.deepEqual([error.name, error.timedOut, after], ["Unanswered", true, 15]);
});

test("a caller's signal ends a read at once", async () => {
  const { aural, sent } = against([never]);
  const stop = new AbortController();
  const read = aural.call("list_interviews", {}, { signal: stop.signal });
  await pass(2);
  stop.abort(new Error("enough"));
  const { error, after } = await outcome(read);
  assert.deepEqual([error.message, after, sent.length], ["enough", 0, 1]);
});

test("many calls share a signal, and nobody is warned of it", async () => {
  const warned = mock.method(process, "emitWarning", () => undefined);
  const { aural } = against([never]);
  const stop = new AbortController();
  const given = { signal: stop.signal };
  const ends = Promise.allSettled(Array.from({ length: 80 }, () => aural.call("list_interviews", {}, given)));
  await settled();
  stop.abort();
  assert.equal((await ends).filter(({ reason }) => reason.name === "AbortError").length, 58);
  assert.equal(warned.mock.callCount(), 0);
});

test("a write that has left is waited for, whatever the caller's signal says", async () => {
  const { aural } = against([() => new Promise((resume) => setTimeout(() => resume(ok(INTERVIEW)), 5000))]);
  const stop = new AbortController();
  const write = aural.call("create_interview", { title: "a" }, { signal: stop.signal });
  await pass(1);
  stop.abort();
  assert.deepEqual((await outcome(write)).value, INTERVIEW);
});

test("a write whose answer is lost is not repeated for who went away, and the error says that it was sent", async () => {
  const { aural, sent } = against([RESET]);
  const stop = new AbortController();
  const write = aural.call("update_interview", { interviewId: ID, title: "b" }, { signal: stop.signal });
  await settled();
  stop.abort();
  assert.ok((await outcome(write)).error instanceof all.Unanswered);
  assert.equal(sent.length, 1);
});

for (const [what, then] of [
  ["no connection is made", NO_CONNECTION],
  ["the key is held for long", tooMany(100)],
]) {
  test(`a write whose answer is lost may have been done, also where ${what} afterwards`, async () => {
    const { aural, sent } = against([RESET, then]);
    const { error } = await outcome(aural.call("update_interview", { interviewId: ID, title: "b" }));
    assert.ok(error instanceof all.Unanswered, error.name);
    assert.match(error.nextStep, /^It may have been done/);
    assert.ok(sent.length > 1);
    const read = await outcome(against([RESET, then]).aural.call("list_interviews"));
    assert.ok(!(read.error instanceof all.Unanswered), read.error.name);
  });
}

test("nothing is sent for a signal that had ended before", async () => {
  const { aural, sent } = against([ok(INTERVIEW)]);
  const { error } = await outcome(aural.call("create_interview", { title: "a" }, { signal: AbortSignal.abort() }));
  assert.deepEqual([error.name, sent.length], ["AbortError", 0]);
});

// ── Whether it was sent ─────────────────────────────────────────────────────────────────────────

const connect = (code) => Object.assign(new Error("connect"), { code, syscall: "connect" });
for (const [what, error, unsent] of [
  ["Node: refused", NO_CONNECTION, true],
  [
    "Node: both addresses refused",
    failed({ code: "ECONNREFUSED", errors: [connect("ECONNREFUSED"), connect("ENETUNREACH")] }),
    true,
  ],
  ["Node: no such name", failed({ code: "ENOTFOUND", syscall: "getaddrinfo" }), true],
  ["Node: no name server", failed({ code: "EAI_AGAIN", syscall: "getaddrinfo" }), true],
  ["Node: no connection in time", failed({ code: "UND_ERR_CONNECT_TIMEOUT" }), true],
  ["Node: no way there", failed({ code: "EHOSTUNREACH", syscall: "connect" }), true],
  ["Node: a certificate that is over", failed({ code: "CERT_HAS_EXPIRED" }), true],
  ["Node: a certificate of another name", failed({ code: "ERR_TLS_CERT_ALTNAME_INVALID" }), true],
  ["Node: reset", RESET, false],
  ["Node: no way there any more", failed({ code: "EHOSTUNREACH", syscall: "read" }), false],
  [
    "Node: one of two was made",
    failed({
      code: "ECONNREFUSED",
      errors: [connect("ECONNREFUSED"), Object.assign(new Error("x"), { code: "EPIPE" })],
    }),
    false,
  ],
  ["Node: nothing tried", failed({ errors: [] }), false],
  ["Node: closed", failed({ code: "UND_ERR_SOCKET" }), false],
  ["Node: no headers in time", failed({ code: "UND_ERR_HEADERS_TIMEOUT" }), false],
  ["Node: the other side stopped", failed({ code: "ETIMEDOUT", syscall: "read" }), false],
  [
    "Deno: refused",
    failed({
      message:
        "error sending request for url (http://a/): client error (Connect): tcp connect error: Connection refused (os error 111)",
    }),
    true,
  ],
  [
    "Deno, older: refused",
    new TypeError("error sending request for url (http://a/): client error (Connect): tcp connect error"),
    true,
  ],
  [
    "Deno: closed",
    failed({
      message:
        "error sending request from 127.0.0.1:1 for http://a/: client error (SendRequest): connection closed before message completed",
    }),
    false,
  ],
  ["Deno: reset", failed({ message: "Connection reset by peer (os error 104)" }), false],
  ["Bun: refused", Object.assign(new TypeError("Unable to connect."), { code: "ECONNREFUSED" }), true],
  ["Bun, older: refused", Object.assign(new Error("Unable to connect."), { code: "ConnectionRefused" }), true],
  ["Bun: closed", Object.assign(new TypeError("closed"), { code: "ECONNRESET" }), false],
  ["Chromium", new TypeError("Failed to fetch"), false],
  ["Firefox", new TypeError("NetworkError when attempting to fetch resource."), false],
  ["Safari", new TypeError("Load failed"), false],
  ["something thrown that is no error", "ECONNREFUSED", false],
]) {
  test(`${what}: ${unsent ? "it provably did not run" : "nobody knows"}`, () => assert.equal(neverSent(error), unsent));
}

// ── What leaves, and what is told ───────────────────────────────────────────────────────────────

for (const id of ["", ".", "..", "a\nb", "x".repeat(201), "\ud800", 5, null, undefined, ["a"]]) {
  test(`nothing is sent for the id ${JSON.stringify(id)?.slice(0, 20)}`, async () => {
    const { aural, sent } = against([ok({})]);
    assert.ok((await outcome(aural.call("get_interview", { interviewId: id }))).error instanceof TypeError);
    assert.equal(sent.length, 0);
  });
}

test("what an id holds stays in its place of the path", async () => {
  const { aural, sent } = against([ok({})]);
  await outcome(aural.call("get_interview", { interviewId: "../a?b#c%2e$&{interviewId}" }));
  assert.equal(sent[0].url, "http://aural.test/api/v1/interviews/..%2Fa%3Fb%23c%252e%24%26%7BinterviewId%7D");
});

for (const [name, input] of [
  ["create_interview", { title: "a", titel: "b" }],
  ["get_usage", { x: 1 }],
  ["update_interview", { interviewId: ID }],
  ["update_interview", { interviewId: ID, title: undefined }],
  ["create_questions", { interviewId: ID, questions: [] }],
  ["create_questions", { interviewId: ID, questions: { text: "a" } }],
  ["create_questions", { interviewId: ID, questions: [null] }],
  ["list_interviews", { cursor: ".." }],
  ["constructor", {}],
  ["delete_interview", { interviewId: ID }],
]) {
  test(`nothing is sent for ${name} ${JSON.stringify(input)}`, async () => {
    const { aural, sent } = against([ok({})]);
    assert.ok((await outcome(aural.call(name, input))).error instanceof TypeError);
    assert.equal(sent.length, 0);
  });
}

const circular = { name: "a", description: "b" };
circular.itself = circular;
for (const [what, given] of [
  ["a BigInt", { timeLimitMinutes: 5n }],
  ["a number that is none", { timeLimitMinutes: NaN }],
  ["a number without end", { timeLimitMinutes: Infinity }],
  ["what holds itself", { assessmentCriteria: [circular] }],
  ["a number that is none far inside", { assessmentCriteria: [{ name: "a", description: "b", weight: NaN }] }],
]) {
  test(`nothing is sent, and nobody says that it was, of ${what}`, async () => {
    const { aural, sent } = against([ok(INTERVIEW)]);
    for (const how of ["call", "once"]) {
      const { error } = await outcome(aural[how]("create_interview", { title: "a", ...given }));
      assert.ok(error instanceof TypeError, `${error}`);
    }
    assert.equal(sent.length, 0);
  });
}

test("what leaves is what was given, whatever the caller does with it afterwards", async () => {
  const { aural, sent } = against([tooMany(5), ok(INTERVIEW)]);
  const [criterion] = [{ name: "a", description: "b" }];
  const made = aural.call("create_interview", { title: "a", assessmentCriteria: [criterion] });
  criterion.name = "changed";
  await outcome(made);
  assert.ok(sent.every(({ body }) => body.includes('"name":"a"')));
});

test("null clears, and what is undefined is left out", async () => {
  const { aural, sent } = against([ok(INTERVIEW)]);
  await outcome(aural.call("update_interview", { interviewId: ID, objective: null, title: undefined }));
  assert.equal(sent[0].body, '{"objective":null}');
});

test("questions leave with all that Aural wants of each, as it fails where only some have it", async () => {
  const { aural, sent } = against([ok([])]);
  const questions = [
    { text: "a", allowFileUpload: true },
    { text: "b", order: undefined },
  ];
  await outcome(aural.call("create_questions", { interviewId: ID, questions }));
  const [one, other] = JSON.parse(sent[0].body);
  assert.deepEqual(Object.keys(one).sort(), Object.keys(other).sort());
  assert.deepEqual([one.allowFileUpload, other.allowFileUpload, other.type], [true, false, "OPEN_ENDED"]);
});

for (const key of [undefined, null, "", "sk-1", "dlv_", "dlv_a b", "dlv_ä", "Bearer dlv_a", "dlv_a\n"]) {
  test(`nothing is sent with the key ${JSON.stringify(key)}, and it is not repeated`, async () => {
    const client = new all.Aural(key, { fetch: () => assert.fail("sent") });
    const { error } = await outcome(client.call("get_usage"));
    assert.ok(error instanceof all.NoUsableKey);
    assert.ok(!key || !String(error).includes(key) || key === "dlv_");
  });
}

for (const baseUrl of ["ftp://a/api/v1", "http://me:word@a/api/v1", "http://a/api/v1?x=1", "http://a/api/v1#", "/api/v1", "nonsense"]) {
  test(`${baseUrl} is no base URL`, () => assert.throws(() => new all.Aural("dlv_test", { baseUrl }), TypeError));
}

for (const requestsPerMinute of [-1, NaN, "many", "", null, true, []]) {
  test(`${requestsPerMinute} requests a minute are refused`, () =>
    assert.throws(() => new all.Aural("dlv_test", { requestsPerMinute }), TypeError));
}

for (const [status, body, kind, code, step] of [
  [400, { code: "BAD_REQUEST", message: "title is required." }, "BadRequest", "BAD_REQUEST", /Correct the value/],
  [401, { code: "UNAUTHORIZED", message: "Invalid" }, "Unauthorized", "UNAUTHORIZED", /Settings → API Keys/],
  [403, { code: "FORBIDDEN", message: "No access to this interview" }, "Forbidden", "FORBIDDEN", /list_interviews/],
  [
    403,
    { code: "PLAN_LIMIT_EXCEEDED", message: "Full", limit: 3 },
    "PlanLimitExceeded",
    "PLAN_LIMIT_EXCEEDED",
    /limit/,
  ],
  [404, { code: "NOT_FOUND", message: "Interview not found" }, "NotFound", "NOT_FOUND", /Call list_interviews/],
  [409, { code: "CONFLICT", message: "Ended" }, "Conflict", "CONFLICT", /Read the present state first, then decide whether update_candidate/],
  [413, { message: "Too large" }, "BadRequest", "HTTP_413", /Send less/],
  [422, { code: "nonsense code", message: "x" }, "BadRequest", "HTTP_422", /Correct/],
  [418, { code: "TEAPOT", message: "x" }, "ApiError", "TEAPOT", /Read the message/],
  [
    400,
    { code: "BAD_REQUEST", message: "No valid fields to update." },
    "BadRequest",
    "BAD_REQUEST",
    /does not know gender/,
  ],
]) {
  test(`HTTP ${status} ${body.code ?? ""} is ${kind}`, async () => {
    const client = against([refused(status, body)]).aural;
    const given = { interviewId: ID, candidateId: ID, gender: "f" };
    const { error } = await outcome(client.call("update_candidate", given));
    assert.deepEqual([error.constructor.name, error.name, error.status, error.code], [kind, kind, status, code]);
    assert.ok(error instanceof all.ApiError && error instanceof all.AuralError && error instanceof Error);
    assert.match(error.nextStep, step);
    assert.ok(error.message.includes(body.message));
    assert.equal(error.details.limit, body.limit);
  });
}

for (const [status, body] of [
  [404, "<html>"],
  [405, ""],
  [404, "[]"],
  [404, '{"error":"x"}'],
  [404, "null"],
]) {
  test(`${status} with ${body || "nothing"} is not Aural's own: the operation is not offered`, async () => {
    const { aural } = against([() => new Response(body, { status })]);
    const { error: older } = await outcome(aural.call("get_session_report", { sessionId: ID }));
    const { error: wrong } = await outcome(aural.call("list_interviews"));
    assert.ok(older instanceof all.NotOffered && wrong instanceof all.NotOffered);
    assert.match(older.message, /older/);
    assert.match(wrong.nextStep, /baseUrl/);
  });
}

test("an id that the database of a deployment fails on is not found", async () => {
  const { aural } = against([
    refused(500, { code: "INTERNAL_ERROR", message: 'invalid input syntax for type uuid: "x"' }),
  ]);
  assert.ok((await outcome(aural.call("get_interview", { interviewId: "x" }))).error instanceof all.NotFound);
  assert.ok((await outcome(aural.call("get_interview", { interviewId: ID }))).error instanceof all.ServerError);
});

test("what a failing backend says is never repeated, and a key that it repeats is struck out", async () => {
  const message = "of dlv_test_clock and d\u200blv_\u00adtest_clock";
  const echo = (status) => refused(status, { code: "X", message, seen: ["dlv_test_clock"] });
  const { error: failing } = await outcome(against([echo(500)]).aural.call("get_usage"));
  const { error: refusing } = await outcome(against([echo(400)]).aural.call("get_usage"));
  assert.equal(failing.message, "The backend failed (HTTP 500).");
  assert.match(refusing.message, /of dlv_…/);
  const { value } = await outcome(against([ok({ plan: "dlv_test_clock" })]).aural.call("get_usage"));
  assert.ok(!JSON.stringify([failing, refusing, refusing.stack, refusing.details, value]).includes("test_clock"));
});

for (const [what, more] of [
  ["no text", { message: { toString: 1 } }],
  ["nested without end", { message: "x", deep: 0 }],
]) {
  test(`a refusal of which something is ${what} is a refusal`, async () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const body = JSON.stringify({ error: { code: "BAD_REQUEST", ...more } }).replace('"deep":0', `"deep":${deep}`);
    const { error } = await outcome(against([new Response(body, { status: 400 })]).aural.call("get_usage"));
    assert.ok(error instanceof all.BadRequest, `${error}`);
  });
}

test("a link that is no text does not hide that people were invited", async () => {
  const row = { id: "a", inviteUrl: { toString: 1 } };
  const given = { interviewId: ID, candidates: [{ name: "a" }] };
  assert.deepEqual((await outcome(against([ok([row])]).aural.call("create_candidates", given))).value.data, [row]);
});

test("an answer that cannot be read is given up soon, however it is made", async () => {
  const begun = process.hrtime.bigint();
  const { aural } = against([() => new Response(`{"data": NaN, "a": "${'\\"'.repeat(1_000_000)}`)]);
  assert.equal((await outcome(aural.call("create_interview", { title: "a" }))).error.code, "UNREADABLE");
  assert.ok(process.hrtime.bigint() - begun < 5_000_000_000n);
});

test("a status that is none in HTTP is a failure of the backend", async () => {
  const odd = { clone: () => ({ status: 999, ok: false, headers: new Headers(), body: new Response("x").body }) };
  const { error } = await outcome(against([odd]).aural.call("create_interview", { title: "a" }));
  assert.deepEqual([error.name, error.status], ["ServerError", 999]);
});

test("a fetch that must not be called as a method, and one whose answers are not the global ones, are fetches", async () => {
  const { buffer } = new TextEncoder().encode('{"data":{"plan":"x"}}');
  async function fetch() {
    assert.equal(this, undefined);
    return { status: 200, ok: true, headers: new Map(), body: { pipe() {} }, arrayBuffer: async () => buffer };
  }
  const aural = new all.Aural("dlv_test", { fetch });
  assert.deepEqual((await outcome(aural.call("get_usage"))).value, { plan: "x" });
});

test("an answer is read up to 64 MB", async () => {
  let made = 0;
  const endless = new ReadableStream({ pull: (out) => out.enqueue(new Uint8Array((made += 1) && 1_000_000)) });
  const { aural } = against([{ clone: () => new Response(endless) }]);
  const { error } = await outcome(aural.call("list_interviews"));
  assert.deepEqual(
    [error.name, error.code, error.message],
    ["ServerError", "TOO_LARGE", "The backend's answer is larger than 64 MB."],
  );
  assert.ok(made < 80, `${made}`);
});

test("numbers that are none are null, as some backends write them for nothing", async () => {
  const { aural } = against([() => new Response('{"data":{"a":NaN,"b":-Infinity,"c":"NaN \\" Infinity"}}')]);
  assert.deepEqual((await outcome(aural.call("get_usage"))).value, { a: null, b: null, c: 'NaN " Infinity' });
});

for (const status of [201, 204, 304, 308, 500, 599]) {
  test(`HTTP ${status} is a failure of the backend, and no redirect is followed with the key`, async () => {
    const { aural, sent } = against([
      () => new Response(null, { status, headers: { location: "http://other.test/" } }),
    ]);
    const { error } = await outcome(aural.call("create_interview", { title: "a" }));
    assert.deepEqual([error.constructor, error.status, error.code], [all.ServerError, status, "INTERNAL_ERROR"]);
    assert.equal(sent[0].redirect, "manual");
  });
}

// ── Lists ───────────────────────────────────────────────────────────────────────────────────────

const rows = async (list) => {
  const found = [];
  for await (const { id } of list) found.push(id);
  return found;
};

for (const [what, pages, found] of [
  [
    "rows that repeat where pages meet",
    [
      [["a", "b"], "b"],
      [["b", "c"], "c"],
      [["c"], null],
    ],
    ["a", "b", "c"],
  ],
  [
    "a page that brings nothing new and goes on",
    [
      [["a"], "a"],
      [["a"], "a"],
    ],
    ["a"],
  ],
  ["an empty page with a cursor", [[[], "x"]], []],
  ["a row that is twice in a page", [[["a", "a"], null]], ["a"]],
  ["an answer without a cursor", [[["a"], undefined]], ["a"]],
]) {
  test(`a list ends and gives every row once: ${what}`, async () => {
    const answers = pages.map(([ids, cursor]) =>
      ok(
        ids.map((id) => ({ id })),
        { cursor },
      ),
    );
    const { aural, sent } = against(answers);
    assert.deepEqual((await outcome(rows(aural.each("list_interviews")))).value, found);
    assert.equal(sent.length, pages.length);
    assert.match(sent[0].url, /limit=100$/);
  });
}
