/* How far an interview is: from registered to scored, who may need a word, and the links to send them. */

start((result, show) => {
  const standing = result.standing || {}, attention = result.attention || {};
  const number = (name) => Number(standing[name]) || 0;
  const known = typeof standing.notStarted === "number";
  const complete = number("scored") + number("notScored");
  const begun = complete + number("inProgress") + number("gaveUp");
  const all = begun + number("notStarted");
  const stages = [...(known ? [["Registered or begun", all, "Everybody who has a link of their own, or came by the public one"]] : []),
    ["Begun", begun, "Opened the interview and agreed"], ["Complete", complete, "Answered to the end"], ["Scored", number("scored"), "With a score to compare"]];
  const most = Math.max(1, stages[0][1]);
  const share = (value) => `${Math.round((100 * value) / most)} %`;
  const aside = [["Not begun", known ? number("notStarted") : null], ["In progress", number("inProgress")], ["Gave up", number("gaveUp")], ["Complete, not scored", number("notScored")]];

  const funnel = make("figure", { class: "funnel" },
    make("figcaption", { class: "hidden" }, `From ${stages[0][0].toLowerCase()} to scored: ${stages.map(([name, value]) => `${name.toLowerCase()} ${value}`).join(", ")}.`),
    make("svg", { viewBox: "0 0 400 120", preserveAspectRatio: "none", role: "img", "aria-label": `Funnel: ${stages.map(([name, value]) => `${name} ${value}`).join(", ")}` },
      stages.map(([, value], at) => {
        const wide = 400 / stages.length, next = (stages[at + 1] || stages[at])[1];
        const tall = (each) => Math.max(1, (56 * each) / most), left = at * wide + 1, right = left + wide - 2;
        return make("polygon", { class: `stage f${at}`, points: `${left},${60 - tall(value)} ${right},${60 - tall(next)} ${right},${60 + tall(next)} ${left},${60 + tall(value)}` });
      })),
    make("ol", { class: "stages" }, stages.map(([name, value]) => make("li", {}, make("span", { class: "big" }, value.toLocaleString("en")), make("span", {}, name), make("span", { class: "quiet" }, share(value))))));

  /* ── People ── */
  async function linkOf(person) {
    const found = await host.call("list_candidates", { interviewId: host.args.interviewId, name: person.name, include: ["inviteUrl"] });
    const link = list(found.data).find((each) => each.id === person.candidateId)?.inviteUrl;
    if (!link) throw new Error("No link was found.");
    return link;
  }
  const wanted = { data: "their data", correct: "a correction", delete: "to be deleted" };
  const owed = (day) => `${day < new Date().toISOString().slice(0, 10) ? "overdue since" : "due by"} ${day}`;
  function person(each) {
    const name = each.name || "Unnamed candidate", fetched = each.candidateId && host.can("serverTools") && host.args.interviewId && (() => linkOf(each));
    const link = each.inviteUrl || fetched;
    return make("li", {}, make("span", { class: "named" }, leads("session", each.sessionId, make("bdi", { class: "clamp" }, name))),
      make("span", { class: "quiet" }, wanted[each.kind] ? `${wanted[each.kind]}, ` : "", each.due ? owed(each.due) : each.kind ? String(each.since).slice(0, 10) : ago(each.since), each.endedByTeam ? ", ended by the team" : ""), link ? copier(`of ${shortened(name, 60)}`, link) : null);
  }
  const kinds = [["Would rather speak with a person", attention.asksForPerson, "", "They said so on the page: answer them first."], ["Asked for", attention.requests, "", "Candidates ask the team for this; the team closes it when it was answered."],
    ["Explanations due", attention.explanationsDue, "", "They were turned down and have not been told why."], ["Not begun", attention.notStarted, "notStarted", "Remind them: they have a link and have not opened it."], ["Stuck", attention.stuck, "", "In the middle, and silent for half an hour."],
    ["Gave up", attention.gaveUp, "gaveUp", "They left before the end; ask what happened."], ["Complete, not scored", attention.notScored, "notScored", "Answered to the end, and nobody has scored it."]];
  const cards = (some) => some.filter(([, people]) => list(people).length).map(([name, people, counted, why]) => {
    const rest = (counted ? number(counted) : 0) - people.length;
    return make("section", { class: "long" }, make("h2", {}, name, " ", badge(String(Math.max(people.length, counted ? number(counted) : 0)))), make("p", { class: "quiet" }, why), make("ul", { class: "people" }, people.map(person)),
      rest > 0 ? make("p", { class: "quiet" }, host.args.cursor ? `${rest} more were named before.` : `And ${rest} more.`) : null);
  });
  const urgent = cards(kinds.slice(0, 3)), words = cards(kinds.slice(3));

  const scored = sorted(list(result.scored), (row) => row.overallScore, true);
  const changes = list(result.changes);
  const stamp = make("p", { class: "quiet" }, result.isOver ? "Everybody is through." : `${all - complete - number("gaveUp")} still to come`, " · as of ", moment(new Date().toISOString(), { timeStyle: "short" }));
  return [
    make("header", { class: "top" }, make("div", {}, make("p", { class: "eyebrow" }, "Progress"), make("h1", { dir: "auto" }, result.interview || (result.isOver ? "All through" : "Who is through")), stamp),
      host.can("serverTools") && host.args.interviewId ? make("div", { class: "actions no-print" }, action("Look again", async () => show(await host.call("wait_for_sessions", { interviewId: host.args.interviewId })))) : null),
    urgent.length ? make("div", { class: "cards" }, urgent) : null,
    make("section", {}, make("h2", {}, "From registered to scored"), funnel, make("details", {}, make("summary", {}, "As a table"),
      table("Where everybody stands", ["Where", "People", "Of all"], [...stages.map(([name, value, why]) => [make("span", {}, name, make("br"), make("span", { class: "quiet small" }, why)), value, share(value)]),
        ...aside.filter(([, value]) => value !== null).map(([name, value]) => [name, value, share(value)])]))),
    notice("Note", remarks(result.remarks)),
    words.length ? make("div", { class: "cards" }, words) : urgent.length ? null : make("section", {}, make("p", {}, "Nobody needs a word right now.")),
    changes.length ? section("Changed since the last look", table("Changes", ["Candidate", "Before", "Now", "Score"], changes.map((each) => [leads("session", each.sessionId, said(each.name || "Unnamed candidate")), each.was || "new", each.now, figure(each.overallScore)]))) : null,
    scored.length ? section("Scored", table("Scores", ["Candidate", "Overall score"], scored.map((each) => [leads("session", each.sessionId, said(each.name || "Unnamed candidate")), make("div", { class: "measured" }, make("span", {}, figure(each.overallScore)), bar(each.overallScore, 10))])), number("scored") > scored.length ? make("p", { class: "quiet" }, `The newest ${scored.length} of ${number("scored")}.`) : null) : null,
  ];
});
