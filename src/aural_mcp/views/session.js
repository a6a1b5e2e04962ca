/* One candidate's interview: scores with what they rest on, the transcript beside them, and what a person should look at. */

start((first) => {
  const result = first, insights = result.insights && typeof result.insights === "object" ? result.insights : {};
  const messages = [...list(result.messages)];
  const flagged = new Map(list(result.flags).map((each) => [each.turn, list(each.reasons)]));
  const events = list(result.integrityLog);
  const name = result.participantName || "Unnamed candidate";
  let next = result.nextTurn;

  /* ── Scores ── */
  const jump = (turn) => make("button", { type: "button", class: "plain turn-link", click: () => go(turn) }, `turn ${turn}`);
  function evaluation(each, words) {
    const score = typeof each.score === "number" ? each.score : null, evidence = list(each.evidence).filter((turn) => Number.isInteger(turn));
    return make("li", {}, make("div", { class: "scored" }, make("span", { class: `chip heat ${heat(score)}` }, score === null ? [make("span", { "aria-hidden": "true" }, "–"), make("span", { class: "hidden" }, "not scored")] : figure(score)),
        make("h3", { dir: "auto" }, said(each.name || each.question || "Unnamed"))),
      score === null ? make("p", { class: "quiet" }, "Not scored, which is not a low score.") : bar(score, 10), prose(words),
      list(each.highlights).length ? make("ul", { class: "plus" }, each.highlights.map((one) => make("li", {}, said(text(one))))) : null,
      list(each.improvements).length ? make("ul", { class: "minus" }, each.improvements.map((one) => make("li", {}, said(text(one))))) : null,
      evidence.length ? make("p", { class: "quiet" }, "Rests on ", evidence.slice(0, 10).flatMap((turn, at) => [at ? ", " : "", jump(turn)])) : make("p", { class: "quiet small" }, "No turns are named for it."));
  }
  const criteria = list(insights.criteriaEvaluations), asked = list(insights.questionEvaluations);
  const scores = criteria.length + asked.length ? make("section", { class: "long" },
    criteria.length ? [make("h2", {}, "By criterion"), make("ul", { class: "evaluations" }, criteria.map((each) => evaluation(each, each.reasoning)))] : null,
    asked.length ? [make("h2", {}, "By question"), make("ul", { class: "evaluations" }, asked.map((each) => evaluation(each, each.evaluation)))] : null)
    : make("section", {}, make("h2", {}, "Scores"), make("p", {}, "Nobody has scored this session. That is not a low score."));

  /* ── Time line ── */
  function line() {
    const at = (stamp) => { const time = new Date(stamp).getTime(); return isNaN(time) ? null : time; };
    const turns = messages.map((each) => ({ at: at(each.timestamp), kind: each.role === "USER" ? "answer" : "asked", turn: each.turn }));
    const marks = [...turns.filter((each) => flagged.has(each.turn)).map((each) => ({ ...each, kind: "flag", said: `Turn ${each.turn}: ${flagged.get(each.turn).join(", ")}` })),
      ...[...flagged].filter(([turn]) => !messages.some((each) => each.turn === turn)).map(([turn, reasons]) => ({ at: null, kind: "flag", turn, said: `Turn ${turn}: ${reasons.join(", ")}` })),
      ...events.map((each) => ({ at: at(each.at), kind: "event", said: [String(each.type || "event").toLowerCase().replaceAll("_", " "), each.detail].filter(Boolean).join(": ") }))];
    if (!marks.length) return null;
    const times = [...turns, ...marks].map((each) => each.at).filter((time) => time !== null);
    const from = Math.min(...times), long = Math.max(1, Math.max(...times) - from);
    const place = (time) => 12 + (576 * (time - from)) / long;
    const minute = (time) => (time === null ? "" : `${Math.floor((time - from) / 60000)}:${String(Math.floor(((time - from) / 1000) % 60)).padStart(2, "0")}`);
    const chart = times.length ? make("svg", { class: "timeline", viewBox: "0 0 600 56", role: "img", "aria-label": `Time line: ${count(turns.length, "turn")}, ${count(marks.length, "mark")} to look at; they are listed below.` },
      make("line", { class: "axis", x1: 12, x2: 588, y1: 34, y2: 34 }), turns.filter((each) => each.at !== null).map((each) => make("line", { class: each.kind, x1: place(each.at), x2: place(each.at), y1: each.kind === "answer" ? 22 : 29, y2: 34 })),
      marks.filter((each) => each.at !== null).map((each) => (each.kind === "flag" ? make("polygon", { class: "flag", points: `${place(each.at) - 5},6 ${place(each.at) + 5},6 ${place(each.at)},18` }) : make("circle", { class: "event", cx: place(each.at), cy: 44, r: 5 })))) : null;
    const ordered = sorted(marks, (each) => each.at, false);
    return make("section", { class: "long" }, make("h2", {}, "To look at"), make("p", { class: "quiet" }, "A flag or an event proves nothing and changes no score."), chart,
      make("div", { class: "legend" }, make("span", { class: "key flagged", "aria-hidden": "true" }), "flagged turn", events.length ? [make("span", { class: "key happened", "aria-hidden": "true" }), "integrity event"] : null),
      table("What to look at, in time", ["At", "What", "Where"], ordered.map((each) => [minute(each.at) || "–", said(each.said), each.turn ? jump(each.turn) : "browser"])));
  }

  /* ── Transcript ── */
  const transcript = make("ol", { class: "transcript" }), rest = make("div", { class: "actions" });
  function turn(each) {
    const mine = each.role === "USER", reasons = flagged.get(each.turn);
    return make("li", { class: `${mine ? "mine" : ""}${reasons ? " flagged" : ""}`, id: `turn-${each.turn}`, tabindex: -1 },
      make("p", { class: "speaker" }, mine ? said(shortened(name, 80)) : each.role === "SYSTEM" ? "System" : "Interviewer", ` · turn ${each.turn}`, each.isFollowUp ? " · follow-up" : "", each.timestamp ? [" · ", moment(each.timestamp, { timeStyle: "short" })] : ""),
      reasons ? badge(reasons.join(", "), "warn") : null, spoken(each), drawn(each.code), each.transcription ? prose(each.transcription) : null);
  }
  function spoken(each) {
    const parts = String(each.content || "").split(/```([^\n`]*)\n([\s\S]*?)\n?```/);
    return parts.map((part, at) => (at % 3 === 0 ? (part.trim() ? prose(part.trim()) : null) : at % 3 === 2 ? highlighted(part, parts[at - 1]) : null));
  }
  /** A drawing as a picture: in an image, an SVG runs nothing and loads nothing. */
  function drawn(given) {
    if (!given) return null;
    if (typeof given === "string") return highlighted(given, "");
    const svg = typeof given.svg === "string" ? given.svg : "";
    if (svg.startsWith("<svg")) return make("img", { class: "board", src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`, alt: `What ${shortened(name, 60)} drew`, width: 900, height: 560 });
    return typeof given.code === "string" ? highlighted(given.code, text(given.language)) : make("details", {}, make("summary", {}, "What was drawn, as data"), make("pre", { tabindex: 0 }, JSON.stringify(given, null, 1)));
  }
  function more() {
    const can = host.can("serverTools");
    rest.replaceChildren(...[next && can && action("Read on", async () => { const page = await host.call("get_session", { sessionId: result.id, fromTurn: next }); add(list(page.messages)); next = page.nextTurn; more(); }),
      next && !can && make("p", { class: "quiet" }, `The transcript goes on with turn ${next} of ${result.turns}.`)].filter(Boolean));
  }
  function add(turns) { messages.push(...turns); transcript.append(...turns.map(turn)); lines.replaceChildren(...[line()].filter(Boolean)); }
  function go(number) {
    const found = document.getElementById(`turn-${number}`);
    if (found) { found.scrollIntoView({ block: "center" }); found.focus({ preventScroll: true }); } else rest.querySelector("button")?.focus();
  }
  /** What only the report holds: the log, code and drawings; asked for when somebody wants to see it. */
  async function report(place) {
    const found = await host.call("get_session_report", { sessionId: result.id });
    events.push(...list(found.integrityLog));
    const pages = new Map(list(found.messages).map((each) => [each.turn, each]));
    messages.forEach((each, at) => { messages[at] = { ...each, ...pages.get(each.turn) }; });
    transcript.replaceChildren(...messages.map(turn));
    lines.replaceChildren(...[line()].filter(Boolean));
    place.replaceChildren(make("p", { class: "quiet", role: "status" }, events.length ? count(events.length, "integrity event") + " in the log." : "The log holds no event, or none was kept."));
  }

  transcript.append(...messages.map(turn));
  more();
  const lines = make("div", {}, line());
  const whole = make("div", { class: "no-print" });
  if (host.can("serverTools") && result.integrityLog === undefined) whole.append(action("Show drawings, code and the integrity log", () => report(whole)));
  const overall = typeof result.overallScore === "number";
  const insight = list(insights.keyInsights);
  return [
    make("header", { class: "top" }, make("div", {}, make("p", { class: "eyebrow" }, said(result.interview?.title || "Session")), make("h1", { class: "clamp", dir: "auto" }, name),
      make("p", { class: "quiet" }, badge(String(result.status || "").toLowerCase().replaceAll("_", " ")), " ", moment(result.createdAt), lasting(result.totalDurationSeconds) ? ` · ${lasting(result.totalDurationSeconds)}` : "", result.turns ? ` · ${count(result.turns, "turn")}` : "")),
      make("div", {}, make("p", { class: "quiet small" }, "Overall score"), make("p", { class: "big" }, overall ? figure(result.overallScore) : make("span", { class: "quiet" }, "not scored")))),
    notice("Read this first", remarks(result.remarks), "warn"),
    result.decision ? make("section", {}, make("h2", {}, "What was decided"), make("p", {}, said(result.decision)), prose(result.decisionReason)) : null,
    list(result.requests).length ? make("section", { class: "notice warn" }, make("h2", {}, "Asked for, and open"), list(result.requests).map((each) => [make("p", {}, `${{ data: "Their data", correct: "A correction", delete: "To be deleted" }[each.kind] || each.kind}, since ${String(each.since).slice(0, 10)}`), prose(each.text)])) : null, whole,
    make("div", { class: "columns" },
      make("div", {}, result.summary || insight.length ? make("section", { class: "long" }, make("h2", {}, "Summary"), prose(result.summary), insight.length ? make("ul", {}, insight.map((each) => make("li", {}, said(text(each))))) : null,
        list(result.themes).length ? make("p", { class: "badges" }, result.themes.slice(0, 20).map((each) => badge(said(shortened(text(each), 60))))) : null) : null, scores, lines),
      make("section", { class: "long" }, make("h2", {}, "Transcript"), messages.length ? transcript : make("p", { class: "quiet" }, "No words are shown here."), rest)),
  ];
});

/** Code with its comments, strings, numbers and common words told apart. */
function highlighted(code, language) {
  const hash = /^(py|python|ruby|rb|sh|bash|yaml|php|r)/i.test(language || ""), sql = /^sql/i.test(language || "");
  const comment = hash ? "#[^\\n]*" : sql ? "--[^\\n]*" : "//[^\\n]*|/\\*[\\s\\S]*?\\*/|(?<=^|\\n)#[^\\n]*";
  const keywords = "abstract and as assert async await bool break case catch char class const continue def default delete do double elif else enum except export extends extern false finally float fn for from func function go goto if impl implements import in int interface is lambda let long match mod mut namespace new nil none not null or package pass private protected public pub raise return self static string struct super switch this throw true try type typedef typeof undefined unsigned use using var void where while with yield select insert update delete from where join group order by having limit create table values into".split(" ");
  const known = new Set(keywords);
  const parts = new RegExp(`(${comment})|("(?:\\\\.|[^"\\\\\\n])*"|'(?:\\\\.|[^'\\\\\\n])*'|\`[^\`]*\`)|(\\b\\d[\\d_.]*\\b)|([A-Za-z_]\\w*)`, "g");
  const block = make("pre", { tabindex: 0, dir: "ltr", "aria-label": language ? `Code, ${shortened(language, 20)}` : "Code", role: "region" });
  let at = 0;
  for (const found of code.slice(0, 60000).matchAll(parts)) {
    const kind = found[1] ? "comment" : found[2] ? "string" : found[3] ? "digits" : known.has(sql ? found[4].toLowerCase() : found[4]) ? "keyword" : "";
    if (!kind) continue;
    block.append(code.slice(at, found.index), make("span", { class: kind }, found[0]));
    at = found.index + found[0].length;
  }
  block.append(code.slice(at));
  return block;
}
