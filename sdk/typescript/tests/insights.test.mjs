import assert from "node:assert/strict";
import { test } from "node:test";

import { insightsOf } from "../dist/index.js";

const question = (name, score, more = {}) => ({ question: name, score, evaluation: `on ${name}`, ...more });
const criterion = (name, score) => ({ name, score, reasoning: `on ${name}` });
const FULL = {
  keyInsights: ["Knows queues."],
  questionEvaluations: [question("Why?", 8, { highlights: ["a"] }), question("How?", 7), question("What?", 7)],
  criteriaEvaluations: [criterion("Design", 3)],
  toneAnalysis: { overall: "calm" },
};

test("what Aural writes is read, with the mean that its dashboard shows, and kept as it came", () => {
  const found = insightsOf(FULL);
  assert.deepEqual(found.keyInsights, ["Knows queues."]);
  assert.deepEqual(found.questions.map(({ of, score, words }) => [of, score, words])[0], ["Why?", 8, "on Why?"]);
  assert.deepEqual([found.criteria[0].of, found.criteria[0].words, found.score], ["Design", "on Design", 7.33]);
  assert.deepEqual(found.questions[0].raw.highlights, ["a"]);
  assert.equal(found.raw, FULL);
});

for (const [what, raw, keyInsights, of, score] of [
  ["nothing", null, [], [], null],
  ["left out", undefined, [], [], null],
  ["an empty object", {}, [], [], null],
  ["an empty array", [], [], [], null],
  ["an empty text", " ", [], [], null],
  ["texts", ["Calm.", "Knows queues."], ["Calm.", "Knows queues."], [], null],
  ["a text", "Knows queues.", ["Knows queues."], [], null],
  ["the text of a number", "7", ["7"], [], null],
  ["the text null", "null", [], [], null],
  ["an object as text", JSON.stringify(FULL), ["Knows queues."], ["Why?", "How?", "What?", "Design"], 7.33],
  ["an array as text", '["Calm."]', ["Calm."], [], null],
  ["evaluations in an array", [question("Why?", 8), criterion("Design", 4), "Calm."], ["Calm."], ["Why?", "Design"], 8],
  [
    "criteria alone",
    { criteriaEvaluations: [criterion("Design", 4), criterion("Tests", 5)] },
    [],
    ["Design", "Tests"],
    4.5,
  ],
  [
    "questions that nobody scored",
    { ...FULL, questionEvaluations: [question("Why?", null)] },
    ["Knows queues."],
    ["Why?", "Design"],
    3,
  ],
  [
    "scores that are none",
    { questionEvaluations: [question("a", "8"), question("b", true), question("c", NaN)] },
    [],
    ["a", "b", "c"],
    null,
  ],
  ["a score of nothing", { questionEvaluations: [question("a", 0), question("b", 1)] }, [], ["a", "b"], 0.5],
  [
    "rows that are none",
    { keyInsights: [1, "a", null], questionEvaluations: [null, "x", [], {}, question("a", 2)] },
    ["a"],
    ["a"],
    2,
  ],
  ["fields of another type", { keyInsights: "a", questionEvaluations: {}, criteriaEvaluations: 5 }, [], [], null],
  ["a number", 5, [], [], null],
  ["true", true, [], [], null],
]) {
  test(`${what} becomes the same shape`, () => {
    const found = insightsOf(raw);
    assert.deepEqual(found.keyInsights, keyInsights);
    assert.deepEqual(
      [...found.questions, ...found.criteria].map((each) => each.of),
      of,
    );
    assert.deepEqual([found.score, found.raw], [score, raw]);
  });
}
