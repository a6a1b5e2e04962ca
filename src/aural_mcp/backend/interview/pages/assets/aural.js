// Comfort only: the pages work without it. Drafts, sending once there is a connection, the clock, the code editor,
// the drawing, reading aloud.
"use strict";

const form = document.getElementById("answer-form");
const field = document.getElementById("answer");
const note = document.getElementById("saved");

const drafts = {
  read: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  write: (key, text) => { try { localStorage.setItem(key, text); return true; } catch { return false; } },
  forgetAll: () => {
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith("aural-draft:")) localStorage.removeItem(name);
    } catch { /* storage is off: nothing to forget */ }
  },
};

function saidSaved(kept) {
  if (note) note.textContent = kept ? form.dataset.draft : "";
}

// ── Text ──────────────────────────────────────────────────────────────────────────────────────────

function grow() {
  if (field.classList.contains("code")) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

function keepDraft(key) {
  const draft = drafts.read(key);
  if (draft !== null && (field.value === "" || field.classList.contains("code"))) field.value = draft;
  grow();
  field.addEventListener("input", () => { grow(); saidSaved(drafts.write(key, field.value)); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

// ── Code ──────────────────────────────────────────────────────────────────────────────────────────

function editor(box) {
  const gutter = box.querySelector(".gutter");
  const language = document.getElementById("language");
  const starters = JSON.parse(box.dataset.starters);
  let leaving = false;

  const number = () => {
    gutter.textContent = Array.from({ length: field.value.split("\n").length }, (_, line) => line + 1).join("\n");
    gutter.scrollTop = field.scrollTop;
  };
  const insert = (text) => {
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input"));
  };
  const indentation = () => {
    const line = field.value.slice(0, field.selectionStart).split("\n").pop();
    const opens = /[{([:]\s*$/.test(line) ? "    " : "";
    return line.match(/^\s*/)[0] + opens;
  };

  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { leaving = true; return; }
    if (event.key === "Tab" && !event.shiftKey && !leaving) { event.preventDefault(); insert("    "); }
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      insert(`\n${indentation()}`);
    }
    if (event.key !== "Shift") leaving = false;
  });
  field.addEventListener("scroll", () => { gutter.scrollTop = field.scrollTop; });
  field.addEventListener("input", number);
  language.addEventListener("change", () => {
    const untouched = field.value.trim() === "" || Object.values(starters).some((code) => code.trim() === field.value.trim());
    if (untouched) { field.value = starters[language.value] ?? ""; field.dispatchEvent(new Event("input")); }
  });
  number();
}

// ── Drawing ───────────────────────────────────────────────────────────────────────────────────────

function board(box, key) {
  const canvas = document.getElementById("canvas");
  const hidden = document.getElementById("drawing");
  const count = document.getElementById("strokes");
  const pen = canvas.getContext("2d");
  let strokes = read(hidden.value) ?? read(drafts.read(key)) ?? [];
  let current = null;

  function read(text) { try { return text ? JSON.parse(text) : null; } catch { return null; } }

  function paint() {
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.lineWidth = 3;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = "#17181f";
    for (const stroke of strokes) {
      pen.beginPath();
      stroke.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      if (stroke.length === 1) pen.lineTo(stroke[0][0] + 0.1, stroke[0][1]);
      pen.stroke();
    }
  }
  function store() {
    hidden.value = strokes.length ? JSON.stringify(strokes) : "";
    count.textContent = strokes.length ? box.dataset.count.replace("{count}", strokes.length) : "";
    saidSaved(drafts.write(key, hidden.value));
    paint();
  }
  function place(event) {
    const area = canvas.getBoundingClientRect();
    const x = Math.round((event.clientX - area.left) * canvas.width / area.width);
    const y = Math.round((event.clientY - area.top) * canvas.height / area.height);
    return [x, y];
  }

  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    current = [place(event)];
    strokes.push(current);
    paint();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current) return;
    current.push(...(event.getCoalescedEvents?.() ?? [event]).map(place));
    paint();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { if (current) { current = null; store(); } });
  }
  document.getElementById("undo").addEventListener("click", () => { strokes.pop(); store(); });
  document.getElementById("clear").addEventListener("click", () => { strokes = []; store(); });
  box.classList.add("on");
  hidden.value = strokes.length ? JSON.stringify(strokes) : "";
  count.textContent = strokes.length ? box.dataset.count.replace("{count}", strokes.length) : "";
  paint();
}

// ── The clock ─────────────────────────────────────────────────────────────────────────────────────

function clock(line) {
  const ends = performance.now() + Number(line.dataset.seconds) * 1000;
  const shown = line.querySelector(".time");
  const tick = setInterval(() => {
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    shown.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    line.classList.toggle("short", left <= 60);
    if (left > 0) return;
    clearInterval(tick);
    send(null, true); // as it stands: the server takes what is there, or notes that there was nothing in time
  }, 250);
}

// ── What the hiring team asked to be noted, and the candidate was told of ─────────────────────────

function watch(address) {
  let left = 0;
  let copied = "";
  const send = (type, detail) => {
    const body = new URLSearchParams({ type, detail });
    fetch(address, { method: "POST", body, keepalive: true }).catch(() => {});
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { left = Date.now(); return; }
    if (left) send("tab_switch", `Left the page for ${Math.max(1, Math.round((Date.now() - left) / 1000))} s`);
    left = 0;
  });
  for (const kind of ["copy", "cut"]) {
    document.addEventListener(kind, () => {
      const active = document.activeElement;
      const own = active?.value?.slice(active.selectionStart, active.selectionEnd);
      copied = (own || String(document.getSelection())).trim();
    });
  }
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    if (text.trim() !== copied) send("paste", `Pasted ${text.length} characters`);
  });
}

// ── Reading aloud ─────────────────────────────────────────────────────────────────────────────────

function readAloud(button) {
  if (!window.speechSynthesis) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const spoken = new SpeechSynthesisUtterance(document.getElementById("question").textContent);
    spoken.lang = document.documentElement.lang;
    speechSynthesis.cancel();
    speechSynthesis.speak(spoken);
  });
}

// ── Sending ───────────────────────────────────────────────────────────────────────────────────────

const RETRY = 3000;
let sending = false;

function lock(locked) {
  document.querySelectorAll("button").forEach((button) => { button.disabled = locked; });
}

function saidOffline(off) {
  const line = document.getElementById("offline");
  line.textContent = off ? line.dataset.text : "";
}

// Tries until there is a connection; what is typed meanwhile counts.
async function untilReached(attempt) {
  for (;;) {
    try {
      const answer = await attempt();
      if (answer.status >= 502) throw new Error("nobody behind the proxy");
      saidOffline(false);
      return answer;
    } catch {
      lock(false);
      saidOffline(true);
      await new Promise((again) => {
        setTimeout(again, RETRY);
        addEventListener("online", again, { once: true });
      });
    }
  }
}

// Sends an answer: the server takes one that comes twice once.
async function send(submitter, over = false) {
  if (sending) return;
  sending = true;
  lock(true);
  const answer = await untilReached(() => {
    const body = new URLSearchParams(new FormData(form));
    if (submitter?.name) body.append(submitter.name, submitter.value);
    if (over) body.append("clock", "over");
    return fetch(form.action, { method: "POST", body, redirect: "manual" });
  });
  const stands = over && answer.status === 200; // no clock runs: what was typed is kept as a draft
  if (answer.type === "opaqueredirect" || stands) location.replace(form.action.replace(/\/answer$/, ""));
  else go(form, submitter); // what it refuses, it says on a page
}

// Has the browser send a form, with the button that was pressed.
function go(each, submitter) {
  lock(false);
  each.dataset.ready = "yes";
  if (submitter) each.requestSubmit(submitter);
  else each.submit();
  lock(true);
}

function sends(each) {
  each.addEventListener("submit", async (event) => {
    if (each.dataset.ready) return;
    event.preventDefault();
    const { submitter } = event;
    if (each === form && !submitter?.hasAttribute("formaction")) { send(submitter); return; }
    if (sending) return;
    sending = true;
    await untilReached(() => fetch("/assets/aural.svg", { method: "HEAD", cache: "no-store" }));
    go(each, submitter);
  });
}

// A refusal goes away when what it is about was mended.
function mends(each) {
  const error = document.getElementById("error");
  if (!error) return;
  const mended = () => {
    const field = each.querySelector("[aria-invalid]");
    if (field && !(field.type === "checkbox" ? field.checked : field.value.trim() && field.validity.valid)) return;
    field?.removeAttribute("aria-invalid");
    field?.removeAttribute("aria-describedby");
    error.remove();
  };
  for (const kind of ["input", "change"]) each.addEventListener(kind, mended);
  document.getElementById("canvas")?.addEventListener("pointerup", mended);
}

// ── All of it ─────────────────────────────────────────────────────────────────────────────────────

if (form) {
  const key = `aural-draft:${form.elements.turn.value}`;
  const drawing = document.getElementById("board");
  const code = document.getElementById("editor");
  if (field) keepDraft(key);
  if (code) editor(code);
  if (drawing) board(drawing, `${key}:drawing`);
  if (form.dataset.event) watch(form.dataset.event);
  readAloud(document.getElementById("read-aloud"));
  document.querySelectorAll(".clock").forEach((line) => { if (line.dataset.seconds) clock(line); });
  const noted = location.hash === "#noted" || /\/(person|request)$/.test(location.pathname);
  const stop = (noted && document.getElementById("noted")) || document.querySelector(".person[open]") || form;
  stop.scrollIntoView({ block: stop === form ? "start" : "nearest" });
  if (!code && !drawing) (field ?? form.querySelector(".choice input"))?.focus({ preventScroll: true });
} else if (document.querySelector(".finished")) {
  drafts.forgetAll();
  const noted = location.hash === "#noted" && document.getElementById("noted");
  (noted || document.querySelector(".person[open]") || document.querySelector(".finished")).scrollIntoView({ block: "nearest" });
}

for (const each of document.querySelectorAll(".person input")) {
  each.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // else it would send the answer, or begin
    each.closest(".person").querySelector("button").click();
  });
}
for (const each of document.querySelectorAll("form")) {
  mends(each);
  sends(each);
}
document.getElementById("error")?.scrollIntoView({ block: "center" });
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
