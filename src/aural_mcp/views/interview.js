/* One interview as it is set: its questions, what is scored and by how much, its settings, and what a candidate sees. */

start((result) => {
  const kinds = { OPEN_ENDED: "open question", SINGLE_CHOICE: "one choice", MULTIPLE_CHOICE: "several choices", CODING: "code", WHITEBOARD: "whiteboard", RESEARCH: "research" };
  const criteria = list(result.assessmentCriteria), questions = list(result.questions);
  const rubric = criteria.map((each) => ({ name: each.name, description: each.description, weight: each.weight }));
  const weighed = rubric.filter((each) => typeof each.weight === "number");
  const heaviest = Math.max(...weighed.map((each) => each.weight), 0);
  const plain = (value) => String(value || "").toLowerCase().replaceAll("_", " ");
  const minutes = (seconds) => (seconds % 60 ? `${seconds} s` : count(seconds / 60, "minute"));
  const ways = [result.chatEnabled !== false && "writing", result.voiceEnabled && "voice", result.videoEnabled && "video"].filter(Boolean).join(", ");
  const state = result.state || (result.isActive === false ? "archived" : result.requireInvite ? "by invitation" : "public");
  const meaning = { public: "open to everyone who has the link", "by invitation": "private links only", archived: "its links take nobody" };
  const prompts = (value) => (Array.isArray(value) ? value.map(text) : value ? [text(value)] : []);

  function question(each, at) {
    const follow = prompts(each.followUpPrompts), rules = [["Shown if", each.showIf], ["Skipped if", each.skipIf], ["Rules", each.validationRules]].filter(([, value]) => value);
    return make("li", { class: "card question" },
      make("div", { class: "actions" }, make("span", { class: "count" }, at + 1), badge(kinds[each.type] || plain(each.type)), each.required === false || each.isRequired === false ? badge("may be skipped") : null,
        each.timeLimitSeconds ? badge(minutes(each.timeLimitSeconds), "good") : null, each.followUpEnabled === false || each.probeOnShort === false ? badge("no follow-up") : null, each.allowFileUpload ? badge("takes a file") : null),
      prose(each.text, "prose asked"), prose(each.description, "prose quiet"),
      list(each.options).length ? make("ul", { class: "options" }, each.options.map((option) => make("li", {}, said(option)))) : null,
      Object.entries(each.starterCode || {}).map(([language, code]) => make("details", {}, make("summary", {}, "Starter code: ", said(language)), make("pre", { tabindex: 0, dir: "ltr" }, String(code)))),
      follow.length ? make("details", {}, make("summary", {}, count(follow.length, "prepared follow-up")), make("ul", {}, follow.map((prompt) => make("li", {}, said(prompt))))) : null,
      rules.length ? facts(rules.map(([name, value]) => [name, said(text(value))])) : null);
  }
  function seen(each, at) {
    const several = each.type === "MULTIPLE_CHOICE";
    return make("li", {}, make("p", { class: "quiet" }, `${at + 1} of ${questions.length}`, each.timeLimitSeconds ? ` · ${minutes(each.timeLimitSeconds)}` : "", each.required === false ? " · may be skipped" : ""),
      prose(each.text, "prose asked"), prose(each.description, "prose quiet"),
      list(each.options).length ? make("ul", { class: "choices" }, each.options.map((option) => make("li", {}, make("span", { class: several ? "box" : "ring", "aria-hidden": "true" }), said(option))))
        : make("div", { class: "field" }, { CODING: "An editor for code", WHITEBOARD: "A board to draw on, and a box for words" }[each.type] || "A box for the answer"));
  }

  return [
    make("header", { class: "top" }, make("div", {}, make("p", { class: "eyebrow" }, "Interview"), make("h1", { dir: "auto" }, result.title || "Interview without a title"),
      make("p", { class: "quiet" }, badge(state, state === "archived" ? "warn" : "good"), ` ${meaning[state] || ""} · ${count(questions.length, "question")}`, typeof result.sessions === "number" ? ` · ${count(result.sessions, "session")}` : "")),
      result.url ? make("div", { class: "actions no-print" }, make("span", { class: "quiet", dir: "ltr" }, result.url), copier("of the interview", result.url)) : null),
    notice("Note", remarks(result.remarks)),
    result.objective || result.description ? make("section", {}, result.objective ? [make("h2", {}, "What it is to find out"), prose(result.objective)] : null, result.description ? [make("h2", {}, "What candidates read about it"), prose(result.description)] : null) : null,
    make("div", { class: "columns even" },
      make("div", {}, make("h2", { class: "over" }, "Questions"), questions.length ? make("ol", { class: "questions" }, questions.map(question)) : make("section", {}, make("p", {}, "It has no questions yet."))),
      make("div", {},
        make("section", { class: "long" }, make("h2", {}, "What is scored"), rubric.length
          ? table("Rubric", ["Criterion", ...(rubric.some((each) => each.weight) ? ["Weight"] : [])], rubric.map((each) => [make("div", {}, make("strong", { dir: "auto" }, said(each.name)), prose(each.description, "prose quiet small")),
            ...(rubric.some((other) => other.weight) ? [each.weight ? make("div", { class: "weighed" }, said(text(each.weight)), typeof each.weight === "number" ? bar(each.weight, heaviest) : null) : "–"] : [])]))
          : make("p", {}, "It has no criteria to score against.")),
        make("section", {}, make("h2", {}, "Settings"), facts([["Language", plain(result.language)], ["Time limit", result.timeLimitMinutes ? count(result.timeLimitMinutes, "minute") : "none"], ["Answers by", ways], ["Interviewer", result.aiName || "Aural"], ["Tone", plain(result.aiTone)],
          ["Follow-ups", plain(result.followUpDepth)], ["Integrity log", result.antiCheatingEnabled ? "kept" : "off"], ["Created", moment(result.createdAt, { dateStyle: "medium" })], ["Changed", moment(result.updatedAt)]])),
        questions.length ? make("section", { class: "long" }, make("details", { class: "phone" }, make("summary", {}, "What a candidate sees"), make("p", { class: "quiet" }, "Questions come one at a time. Rubric, objective and scores are never shown."),
          make("div", { class: "screen" }, make("p", { class: "eyebrow" }, said(result.companyName || "")), make("h3", { dir: "auto" }, result.title), prose(result.description), make("ol", {}, questions.map(seen))))) : null)),
  ];
});
