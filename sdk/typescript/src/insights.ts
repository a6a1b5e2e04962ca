/** One shape of a session's `insights`, which deployments send as an object, an array, a text or nothing. */

import { isObject } from "./request.js";

export interface Evaluation {
  /** The question, or the name of the criterion. */
  readonly of: string;
  /** From 1 to 10; null is not scored. */
  readonly score: number | null;
  /** Why. */
  readonly words: string;
  /** All that came of it. */
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface Insights {
  readonly keyInsights: readonly string[];
  readonly questions: readonly Evaluation[];
  readonly criteria: readonly Evaluation[];
  /** The mean of the questions' scores, else of the criteria's, to two places, as Aural's dashboard shows it. */
  readonly score: number | null;
  /** What came, untouched. */
  readonly raw: unknown;
}

/** What an analysis says, whatever its shape; empty where there is none yet. */
export function insightsOf(raw: unknown): Insights {
  const found = parsed(raw);
  const rows = list(found);
  const fields: Record<string, unknown> = isObject(found)
    ? found
    : { keyInsights: rows, questionEvaluations: rows, criteriaEvaluations: rows };
  const questions = evaluations(fields["questionEvaluations"], "question", "evaluation");
  const criteria = evaluations(fields["criteriaEvaluations"], "name", "reasoning");
  const keyInsights = list(fields["keyInsights"]).filter((each) => typeof each === "string");
  return { keyInsights, questions, criteria, score: mean(questions) ?? mean(criteria), raw };
}

/** A text may be JSON that was written down once more; any other text is one insight. */
function parsed(raw: unknown): unknown {
  if (typeof raw !== "string") return raw;
  try {
    const inner: unknown = JSON.parse(raw);
    return typeof inner === "object" ? inner : [raw];
  } catch {
    return raw.trim() ? [raw] : [];
  }
}

function evaluations(rows: unknown, naming: string, why: string): Evaluation[] {
  return list(rows)
    .filter(isObject)
    .filter((row) => typeof row[naming] === "string")
    .map((row) => ({ of: text(row[naming]), score: scoreOf(row["score"]), words: text(row[why]), raw: row }));
}

function mean(rows: readonly Evaluation[]): number | null {
  const scores = rows.flatMap((row) => row.score ?? []);
  return scores.length ? Math.round((scores.reduce((sum, each) => sum + each, 0) / scores.length) * 100) / 100 : null;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const scoreOf = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
