/* What a tool would do, to whom, and the user's yes or no; or in a line what it did. The answer goes to the server alone. */

start((result, show) => {
  const SETTLES = 700; // ms in which no answer is taken: a second click was meant for what stood here before
  const about = result.approval, asked = result.asked || { tool: text(about?.tool), arguments: host.args };
  const call = (more) => host.call("approval", { ...asked, ...more });
  const quiet = (words) => make("p", { class: "quiet" }, words);
  const heading = (words) => make("h1", { id: "asked", tabindex: -1, dir: "auto", class: unbroken(words) }, words);
  const hear = (heard) => { show({ heard, asked }); document.getElementById("asked")?.focus(); };

  /** Tell the model, in the server's own words, where the host passes them on; whether it did. */
  async function tell(words) {
    const content = [{ type: "text", text: words }], wants = host.can("updateModelContext");
    if (!wants && !host.can("message")) return false;
    const sent = wants ? host.request("ui/update-model-context", { content }) : host.request("ui/message", { role: "user", content });
    return sent.then((taken) => !taken.isError, () => false);
  }

  async function answer(confirmation, said, place) {
    for (const each of place.querySelectorAll("button")) each.disabled = true;
    place.querySelector("output").textContent = "One moment…";
    try {
      const heard = await call({ confirmation, answer: said });
      if (heard.told) heard.untold = !(await tell(text(heard.told)));
      hear(heard);
    } catch (error) { hear({ state: "lost", said: `Nobody can say whether anything was done. ${error.message}` }); }
  }

  function question(waiting) {
    const [first, ...rest] = list(waiting.question).map(text);
    const button = (words, said, kind) => make("button", { type: "button", class: kind, disabled: true, click: () => answer(text(waiting.confirmation), said, place) }, words);
    const place = make("div", { class: "actions" }, button("No, do nothing", "no"), button("Yes, do it", "yes", "strong"), make("output", { class: "quiet" }));
    setTimeout(() => place.querySelectorAll("button").forEach((each) => { each.disabled = false; }), SETTLES);
    return make("section", { "aria-labelledby": "asked" }, waiting.changed ? make("p", { class: "changed", dir: "auto" }, text(waiting.changed)) : make("p", { class: "eyebrow" }, "Do you agree?"), heading(first), rest.map((each) => prose(each)), place);
  }

  /** What was done: a line, and what a person may want to see or copy. */
  function outcome(line, done) {
    const name = (each) => text(each.name || each.title) || "Unnamed";
    const links = list(done.data).filter((each) => each && (each.inviteUrl || each.url)).map((each) => make("li", {}, make("span", { class: "named" }, said(name(each))), copier(`of ${name(each)}`, text(each.inviteUrl || each.url))));
    const people = links.length ? make("ul", { class: "people" }, links) : null;
    return [heading(line), done.candidate ? facts([["Name", done.name && said(done.name)], ["E-mail", done.email && said(done.email)]]) : null,
      typeof done.registered === "number" ? quiet(`${count(done.registered, "person", "people")} registered.`) : null,
      done.url ? make("p", { class: "actions" }, make("span", { class: "quiet", dir: "ltr" }, text(done.url)), copier("of the interview", text(done.url))) : null,
      links.length > 5 ? make("details", {}, make("summary", {}, count(links.length, "link")), people) : people,
      remarks(done.remarks).map(quiet)];
  }

  const heard = result.heard;
  const anew = make("div", { class: "actions" }, action("Ask me again", async () => hear(await call({}))));
  const untold = heard?.untold ? quiet("This host does not tell the assistant: say so in the conversation.") : null;
  const words = list(host.result.content).map((each) => text(each.text)).join("\n");
  switch (heard?.state) {
    case "waiting": return question(heard);
    case "done": return [outcome(text(heard.said), heard.result || {}), untold];
    case "declined": case "over": return [heading(text(heard.said)), untold, anew];
    case "failed": case "lost": return [heading(remarks([text(heard.said)]).join(" ") || "That did not work."), untold, anew];
  }
  if (!about) return outcome(words.split("\n")[0] || "Done.", result);
  if (!host.can("serverTools")) return [heading("This waits for your answer"), list(result.remarks).map((each) => prose(text(each).replace(/^.*?(?:Ask the user|They are asked): /s, ""))), result.confirmation ? quiet("It cannot be given here: answer in the conversation.") : null];
  const confirmation = text(host.result._meta?.["aural-ai.com/confirmation"] || result.confirmation || about.number);
  call({ confirmation }).then((found) => show({ heard: found, asked }), (error) => show({ heard: { state: "lost", said: error.message }, asked }));
  return heading("One moment…");
});
