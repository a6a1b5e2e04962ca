// Comfort only: the pages work without it. Keeps a draft in this browser, sends once, grows the field.
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

function grow() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

if (field) {
  const key = `aural-draft:${field.dataset.turn}`;
  const draft = drafts.read(key);
  if (draft && (field.value === "" || field.classList.contains("code"))) field.value = draft;
  grow();
  field.addEventListener("input", () => {
    grow();
    note.textContent = drafts.write(key, field.value) ? "Draft kept on this device" : "";
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

for (const each of document.querySelectorAll("form")) {
  each.addEventListener("submit", () => {
    // Only after the browser has read the form: a disabled button would not be sent.
    setTimeout(() => each.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  });
}
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("button").forEach((button) => { button.disabled = false; });
});

if (form) {
  form.scrollIntoView({ block: "nearest" });
  if (field) field.focus({ preventScroll: true });
} else if (document.querySelector(".finished")) {
  drafts.forgetAll();
  document.querySelector(".finished").scrollIntoView({ block: "nearest" });
}
