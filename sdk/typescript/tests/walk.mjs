/** A walk through a real backend, in whatever runs JavaScript; gives what it saw. */

import { Aural, AuralError, insightsOf, NotFound, Unanswered, Unreachable } from "aural-client";

export async function walk(baseUrl, key) {
  const aural = new Aural(key, { baseUrl });
  const { id } = await aural.call("create_interview", { title: "Backend engineer" });
  await aural.call("create_questions", { interviewId: id, questions: [{ text: "Why?" }, { text: "How?" }] });
  await aural.once("create_candidates", { interviewId: id, candidates: [{ name: "Ana" }] });
  const again = await aural.once("create_candidates", { interviewId: id, candidates: [{ name: "Ana" }] });
  const titles = [];
  for await (const row of aural.each("list_interviews", { limit: 1 })) titles.push(row.title);
  const read = await aural.call("get_interview", { interviewId: id });
  const { data: people } = await aural.call("list_candidates", { interviewId: id });
  const missing = { interviewId: "00000000-0000-4000-8000-000000000000" };
  const error = await aural.call("get_interview", missing).catch((thrown) => thrown);
  const nowhere = new Aural(key, { baseUrl: baseUrl.replace(/:\d+/, ":1024") });
  const unreachable = await nowhere.call("create_interview", { title: "Lost" }).catch((thrown) => thrown);
  return {
    title: read.title,
    questions: read.questions.map(({ text }) => text),
    people: people.map(({ name }) => name),
    again: again.remarks.length,
    listed: titles,
    error: [error instanceof NotFound && error instanceof AuralError, error.status, error.nextStep],
    sent: unreachable instanceof Unanswered || !(unreachable instanceof Unreachable),
    insights: insightsOf(null).score,
    shown: JSON.stringify(aural) + String(error.stack) + String(unreachable.stack),
  };
}

const given = globalThis.Deno?.args ?? globalThis.process?.argv.slice(2);
if (given?.length) walk(...given).then((seen) => console.log(JSON.stringify(seen)));
