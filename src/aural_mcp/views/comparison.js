/* The candidates of an interview side by side: a heat map that sorts, with what is unsound first and the words behind each score. */

const AT_FIRST = 50;
const PSEUDONYM = /^Candidate [B-DF-HJKMNP-TV-XZ2-9]{6}$/;

start((given) => {
  const result = { ...given, candidates: list(given.candidates) };
  const columns = list(result.columns);
  const weighted = result.candidates.some((row) => typeof row.weightedMean === "number");
  const state = { by: "", falling: false, open: new Set(), all: result.candidates.length <= AT_FIRST, column: "" };
  let hidden = null;

  /* Names. Hiding them forgets them: nothing here can bring them back. */
  const nameOf = (row) => (hidden ? hidden.called.get(row.sessionId) : row.name || "Unnamed candidate");
  const masked = (words) => (hidden && hidden.parts ? String(words ?? "").replace(hidden.parts, "[name]") : words);
  function hide() {
    const called = new Map(result.candidates.map((row, at) => [row.sessionId, `Candidate ${at + 1}`]));
    const parts = new Set(result.candidates.flatMap((row) => [row.name, ...String(row.name || "").split(/[^\p{L}\p{N}]+/u)]).filter((part) => part && part.length > 1));
    const safe = [...parts].sort((one, other) => other.length - one.length).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    hidden = { called, parts: safe.length ? new RegExp(`(?<![\\p{L}\\p{N}])(?:${safe.join("|")})(?![\\p{L}\\p{N}])`, "giu") : null };
    for (const row of result.candidates) {
      row.unsound = masked(row.unsound);
      row.quotes = list(row.quotes).map((each) => ({ ...each, said: masked(each.said) }));
    }
    result.unsound = list(result.unsound).map(masked);
    result.remarks = list(result.remarks).map(masked);
    result.scorers = list(result.scorers).map(masked);
    for (const row of result.candidates) delete row.name;
    hidden.parts = null;
    draw();
    root.querySelector("[role=status]").focus();
  }

  const values = { rank: (row) => row.rank, name: nameOf, mean: (row) => row.mean, weightedMean: (row) => row.weightedMean, coverage: (row) => row.coverage && parseInt(row.coverage, 10) };
  const valueOf = (row) => (values[state.by] || ((each) => each[state.by]))(row);
  const quoteFor = (row, column) => list(row.quotes).filter((each) => String(each.columns).split(", ").includes(column));

  /* ── The matrix ── */
  const body = make("tbody");
  const heads = new Map();
  const more = make("div", { class: "actions below" });

  function head(id, words, extra, kind = "") {
    const label = make("button", { type: "button", class: "plain", click: () => sort(id) }, words, make("span", { class: "arrow", "aria-hidden": "true" }));
    const cell = make("th", { scope: "col", class: kind, title: extra?.title }, label, extra?.below);
    heads.set(id, cell);
    return cell;
  }
  function sort(id) {
    const numbers = id !== "name" && id !== "rank";
    state.falling = state.by === id ? !state.falling : numbers;
    state.by = id;
    rows();
  }
  function headings() {
    const named = columns.map((each) => head(each.column, each.column, {
      title: each.name,
      below: make("span", { class: "of" }, make("span", { class: "printed", "aria-hidden": "true" }, `${each.column} `), said(shortened(each.name, 70)), each.weight ? make("span", { class: "weight" }, `weight ${figure(each.weight)}`) : null),
    }, `score ${each.column[0]}`));
    return make("tr", {}, result.ranked ? head("rank", "Rank", null, "number") : null, head("name", "Candidate", null, "who"),
      weighted ? head("weightedMean", "Weighted", { title: "Mean of the criteria by their weights" }, "mean") : null, head("mean", "Mean", null, "mean"), head("coverage", "Scored", null, "mean"), named);
  }
  const width = () => heads.size;

  function toggle(row, column = "") {
    if (state.open.has(row.sessionId) && (!column || column === state.column)) state.open.delete(row.sessionId);
    else state.open.add(row.sessionId);
    state.column = column;
    rows(row.sessionId);
  }
  function every(event) {
    const shown = event.currentTarget.getAttribute("aria-pressed") === "true";
    event.currentTarget.setAttribute("aria-pressed", String(!shown));
    state.open = new Set(shown ? [] : result.candidates.map((row) => row.sessionId));
    rows();
  }
  function cell(row, each) {
    const score = row[each.column], there = typeof score === "number", quotes = quoteFor(row, each.column);
    return make("td", { class: `heat score ${heat(score)}${there && quotes.length ? " quoted" : ""}`, title: there ? undefined : "Not scored, which is not a low score", click: () => toggle(row, each.column) },
      there ? figure(score) : [make("span", { "aria-hidden": "true" }, "–"), make("span", { class: "hidden" }, "not scored")]);
  }
  function warnings(row) {
    return [row.unsound && badge(said(row.unsound), "warn"), row.flaggedTurns && badge(`look at turn ${row.flaggedTurns}`, "warn"), row.endedByTeam && badge("ended by the team"), row.decision && badge(said(row.decision)), row.scoredBy && badge([said(`scored by ${row.scoredBy}`)])];
  }
  function line(row) {
    const open = state.open.has(row.sessionId), id = `about-${row.sessionId}`;
    const name = make("button", { type: "button", class: "plain", "aria-expanded": String(open), "aria-controls": open ? id : undefined, click: () => toggle(row), "data-row": row.sessionId },
      make("span", { class: "twist", "aria-hidden": "true" }), make("bdi", { class: "clamp", title: nameOf(row).length > 60 ? nameOf(row).slice(0, 500) : undefined }, nameOf(row)));
    const means = weighted ? [mean(row.weightedMean, "strong")] : [];
    return make("tr", { class: open ? "open" : "" }, result.ranked ? make("td", { class: "number rank" }, row.rank ?? "–") : null,
      make("th", { scope: "row", class: "who" }, name, make("span", { class: "badges" }, warnings(row))),
      means, mean(row.mean), make("td", { class: "mean" }, row.coverage || "–"), columns.map((each) => cell(row, each)));
  }
  const mean = (value, kind) => make("td", { class: "mean" }, typeof value === "number" ? [figure(value), bar(value, 10, kind)] : make("span", { class: "quiet" }, "not scored"));

  /* ── What stands behind the scores of one ── */
  function about(row) {
    const named = new Map(columns.map((each) => [each.column, each.name]));
    const words = list(row.quotes).map((each) => {
      const ids = String(each.columns).split(", ");
      return make("li", { class: ids.includes(state.column) ? "chosen" : "" },
        make("p", { class: "quiet" }, ids.map((id) => [make("span", { class: `chip heat ${heat(row[id])}` }, `${id} ${figure(row[id])}`), " ", said(shortened(String(named.get(id) ?? ""), 80)), " "]), `turn ${each.turn}`, each.byRule ? `, chosen by rule: the scorer named none for ${each.byRule}` : ""),
        make("blockquote", { dir: "auto" }, each.said));
    });
    const counts = [["Turns", row.turns], ["Not scored", row.notScored], ["No evidence found for", row.noEvidence], ["Turns to look at", row.flaggedTurns], ["Pastes", row.pastes], ["Left the page", row.leftPage],
      ["Hidden characters", row.hiddenCharacters], ["Faster than typing", row.fasterThanTyping], ["Other events", row.otherEvents], ["Answers like another's", row.equalAnswers], ["Integrity log", row.integrityLog]];
    const read = host.can("serverTools") && host.args.interviewId && !list(row.quotes).length && action("Read the quotes", () => again({ quotes: true }));
    return make("tr", { class: "about", id: `about-${row.sessionId}` }, make("td", { colspan: width() }, make("div", { class: "inside" }, facts(counts),
      words.length ? make("ul", { class: "quotes" }, words) : make("p", { class: "quiet" }, "No quotes were read for this comparison."), read,
      host.links.session ? make("p", {}, leads("session", row.sessionId, "Scores and transcript")) : null)));
  }

  /* ── Drawing ── */
  function rows(focused) {
    const ordered = state.by ? sorted(result.candidates, valueOf, state.falling) : result.candidates;
    const shown = state.all ? ordered : ordered.slice(0, AT_FIRST);
    body.replaceChildren(...shown.flatMap((row) => (state.open.has(row.sessionId) ? [line(row), about(row)] : [line(row)])));
    for (const [id, cell] of heads) {
      if (id === state.by) cell.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    const rest = ordered.length - shown.length;
    more.replaceChildren(...[
      rest && make("button", { type: "button", click: () => { state.all = true; rows(); } }, `Show the other ${rest.toLocaleString("en")}`),
      result.cursor && host.can("serverTools") && host.args.interviewId && action("Load more candidates", next),
      result.cursor && !host.can("serverTools") && make("p", { class: "quiet" }, "More candidates follow in the next page of this comparison."),
    ].filter(Boolean));
    if (focused) body.querySelector(`[data-row="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
  async function again(changes) {
    const { cursor, ...args } = host.args;
    Object.assign(result, await host.call("compare_candidates", { ...args, ...changes }));
    redraw();
  }
  async function next() {
    const found = await host.call("compare_candidates", { ...host.args, cursor: result.cursor });
    result.candidates.push(...list(found.candidates));
    result.cursor = found.cursor;
    result.unsound = [...new Set([...list(result.unsound), ...list(found.unsound)])];
    redraw();
  }
  const redraw = () => (hidden ? hide() : draw());

  const root = make("div");
  function draw() {
    heads.clear();
    const named = result.candidates.some((row) => row.name && !PSEUDONYM.test(row.name));
    const ends = [...Array(10).keys()].map((at) => make("span", { class: `chip heat s${at + 1}` }, at + 1));
    root.replaceChildren(
      make("header", { class: "top" }, make("div", {}, make("p", { class: "eyebrow" }, "Comparison"), make("h1", { dir: "auto" }, result.interview || "Interview"),
        make("p", { class: "quiet" }, count(result.candidates.length, "candidate"), result.cursor ? " so far" : "", ` · ${count(columns.length, "score")} each · `, result.ranked ? "ranked by the rule below" : "nobody is ranked")),
      make("div", { class: "actions no-print" }, result.candidates.some((row) => list(row.quotes).length) ? make("button", { type: "button", "aria-pressed": "false", click: every }, "Show every quote") : null, hidden ? make("p", { class: "quiet", role: "status", tabindex: -1 }, "Names are hidden.") : named ? make("button", { type: "button", click: () => { hide(); } }, "Hide names") : make("p", { class: "quiet" }, "Blind: nobody is named."))),
      ...[notice("Read this first", remarks(result.unsound), "warn"),
        result.candidates.length ? make("section", { class: "long matrix" }, make("h2", {}, "Scores"),
          make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores by candidate" }, make("table", { class: "scores" },
            make("caption", { class: "hidden" }, "Scores from 1 to 10 by candidate and column. A heading sorts; a name shows the words behind the scores."), make("thead", {}, headings()), body)),
          more,
          make("div", { class: "legend" }, make("span", { class: "quiet" }, "1 to 10"), make("span", { class: "chips", "aria-hidden": "true" }, ends), make("span", { class: "chip heat none", "aria-hidden": "true" }, "–"), "not scored, which is not low", make("span", { class: "dot", "aria-hidden": "true" }), "has a quote: open the name"))
          : make("section", {}, make("p", {}, "There is nobody to compare yet: no session is finished.")),
        columns.length ? make("section", { class: "long" }, make("h2", {}, "What is scored"), table("Columns", ["Column", "Criterion or question", ...(columns.some((each) => each.weight) ? ["Weight"] : []), "Scored", "Mean"], columns.map(summary))) : null,
        list(result.scorers).length ? notice("Scored by", result.scorers) : null,
        notice("How to read this", remarks(result.remarks).filter((each) => !each.startsWith("Nobody is ranked")))].filter(Boolean),
      make("footer", {}, "People decide; this assembles evidence. ", result.rubricVersion ? `Rubric version ${result.rubricVersion}.` : ""));
    rows();
  }
  function summary(each) {
    const scores = result.candidates.map((row) => row[each.column]).filter((score) => typeof score === "number");
    const sum = scores.reduce((total, score) => total + score, 0);
    return [each.column, said(each.name), ...(columns.some((other) => other.weight) ? [each.weight ? [figure(each.weight), bar(each.weight, Math.max(...columns.map((other) => other.weight || 0)))] : ""] : []),
      `${scores.length} of ${result.candidates.length}`, scores.length ? [figure(sum / scores.length), bar(sum / scores.length, 10)] : "not scored"];
  }
  addEventListener("beforeprint", () => { state.all = true; rows(); });
  draw();
  return root;
});
