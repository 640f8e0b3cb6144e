"use strict";
const $$ = (what, from = document) => [...from.querySelectorAll(what)];
const bar = document.querySelector(".bar"), live = document.querySelector(".status");
const fit = () => document.documentElement.style.setProperty("--bar", `${bar.offsetHeight + 12}px`);
addEventListener("resize", fit);
fit();

// evidence lights up while its diagnosis is hovered or focused, and stays while it is pressed
const rows = note => $$(".dx", note);
const light = note => {
  const on = new Set(rows(note).filter(row => row.matches(":hover, :focus-visible, [aria-pressed=true]")).map(row => row.dataset.d));
  $$(".ev", note).forEach(part => part.classList.toggle("lit", part.dataset.d.split(" ").some(d => on.has(d))));
};
for (const row of $$(".dx")) {
  const note = row.closest("article");
  for (const event of ["pointerenter", "pointerleave", "focus", "blur"]) row.addEventListener(event, () => light(note));
  row.addEventListener("click", () => {
    const pressed = row.getAttribute("aria-pressed") !== "true";
    rows(note).forEach(other => other.setAttribute("aria-pressed", String(other === row && pressed)));
    light(note);
    const first = $$(".ev", note).find(part => part.dataset.d.split(" ").includes(row.dataset.d));
    if (pressed && first) first.scrollIntoView({ block: "center" });
  });
}

// what a mark is: on hover, and with the arrow keys inside a text
const tell = mark => { live.textContent = mark ? mark.title : ""; };
const shown = mark => getComputedStyle(mark).borderBottomStyle !== "none";
for (const text of $$(".text")) {
  text.addEventListener("pointerover", event => tell(event.target.closest(".m")));
  text.addEventListener("pointerleave", () => tell(null));
  text.addEventListener("focusin", event => tell(event.target.closest(".m")));
  text.addEventListener("focusout", () => tell(null));
  text.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const marks = $$(".m.a", text).filter(shown), at = marks.indexOf(document.activeElement);
    const next = marks[at < 0 ? (step > 0 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  });
}

for (const button of $$(".bar button")) {
  button.addEventListener("click", () => $$("input", button.closest("fieldset")).forEach(box => { box.checked = button.value === "all"; }));
}
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "INPUT") return;
  const step = { j: 1, k: -1 }[event.key];
  if (event.key === "Escape") {
    $$(".dx[aria-pressed=true]").forEach(row => row.setAttribute("aria-pressed", "false"));
    $$(".ev.lit").forEach(part => part.classList.remove("lit"));
  }
  if (!step) return;
  const notes = $$("article"), line = bar.offsetHeight + 20;
  const at = notes.findLastIndex(note => note.getBoundingClientRect().top <= line);
  const next = notes[Math.min(Math.max(at + step, 0), notes.length - 1)];
  if (next) { next.scrollIntoView(); next.querySelector(".text").focus({ preventScroll: true }); }
});
