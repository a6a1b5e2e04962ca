/** What the types take and refuse. It is compiled, never run. */

import { Aural, BudgetExhausted, insightsOf, NotFound, type Result, type RowOf, type Schemas } from "aural-client";

const aural = new Aural("dlv_test_types", { baseUrl: undefined, requestsPerMinute: 0 });

export async function typed(): Promise<void> {
  const made: Schemas["Interview"] = await aural.call("create_interview", { title: "a", aiTone: "CASUAL" });
  const asked = await aural.call("create_questions", { interviewId: made.id, questions: [{ text: "Why?" }] });
  const order: number = asked.data[0]!.order;
  const next: string | null = (await aural.call("list_interviews")).cursor;
  await aural.call("list_sessions", { interviewId: made.id, limit: order, cursor: next ?? "x" });
  await aural.call("update_interview", { interviewId: made.id, objective: null, title: undefined });
  const questions = [{ text: "Which?", options: ["a", "b"] }] as const;
  await aural.call("create_questions", { interviewId: made.id, questions });
  for await (const row of aural.each("list_sessions", { interviewId: made.id })) {
    const same: RowOf<"list_sessions"> = row;
    const score: number | null = insightsOf(same.insights).score;
    void score;
  }
  const { result, remarks } = await aural.once("create_candidates", { interviewId: "a", candidates: [{ name: "b" }] });
  const [link, remark]: (string | undefined)[] = [result.data[0]?.inviteUrl, remarks[0]];
  const usage: Result<"get_usage"> = await aural.call("get_usage", {}, { signal: AbortSignal.abort() });
  const left: number | undefined = aural.remaining();
  void [link, remark, usage.plan, left];

  // @ts-expect-error  there is no such operation
  await aural.call("create_meeting");
  // @ts-expect-error  a title is needed
  await aural.call("create_interview");
  // @ts-expect-error  and nothing else is called so
  await aural.call("create_interview", { titel: "a" });
  // @ts-expect-error  the id is in the path
  await aural.call("get_interview", {});
  // @ts-expect-error  a tone that there is not
  await aural.call("create_interview", { title: "a", aiTone: "RUDE" });
  // @ts-expect-error  questions are rows
  await aural.call("create_questions", { interviewId: "a", questions: { text: "b" } });
  // @ts-expect-error  options are the last argument
  await aural.call("get_usage", { signal: AbortSignal.abort() });
  // @ts-expect-error  this makes nothing
  await aural.once("update_interview", { interviewId: "a", title: "b" });
  // @ts-expect-error  this is no list
  aural.each("get_usage");
  // @ts-expect-error  there is no such field
  void made.nmae.length;
}

export const said = (error: unknown): string | number | undefined =>
  error instanceof BudgetExhausted ? error.retryAfter : error instanceof NotFound ? error.code : undefined;
