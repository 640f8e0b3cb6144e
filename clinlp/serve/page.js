"use strict";
// Offsets count code points, as the service's do: `points` holds the text cut into them.
const $ = id => document.getElementById(id), $$ = (what, from = document) => [...from.querySelectorAll(what)];
const NAMES = JSON.parse(document.body.dataset.labels), HUES = [2, 28, 212, 188, 272, 140, 96, 72, 50, 322];
const FLAGS = ["negated", "uncertain", "historical", "hypothetical"], PEOPLE = ["patient", "family", "other"];
let lang = navigator.language.startsWith("zh") ? "zh" : "en", say = key => WORDS[lang][key];
let notes = [], at = 0, points = [], selected = null, chosen = null, timer = 0, asked = 0, rare = null, sent = [];
const note = () => notes[at];

// what the person is told
const tell = (words, bad = false) => { $("status").textContent = words; $("status").classList.toggle("bad", bad); };
const nameOf = (kind, label) => (NAMES[kind].find(each => each[0] === label) || [label, label, label])[lang === "zh" ? 2 : 1];
const hueOf = label => {
  const known = NAMES.entities.findIndex(each => each[0] === label);
  return known >= 0 ? HUES[known % HUES.length] : [...label].reduce((sum, each) => (sum * 31 + each.codePointAt(0)) % 360, 7);
};
const make = (tag, facts = {}, ...inside) => { const made = Object.assign(document.createElement(tag), facts); made.append(...inside); return made; };

// the note on the screen
const least = () => Number($("least").value), leastCode = () => $("leastcode").dataset.moved ? Number($("leastcode").value) : null;
const ranked = one => [...one.diagnoses, ...(one.more || []).filter(({ code, score }) =>
  (score >= leastCode() || (one.codes || []).includes(code)) && !one.diagnoses.some(each => each.code === code))];
const kept = (one, kind) => one[kind].filter(span => span.score === undefined || span.score >= least());
const spans = one => ["entities", "phi"].flatMap(kind => kept(one, kind).map(span => ({ kind, span }))).sort((a, b) => a.span.start - b.span.start || b.span.end - a.span.end);
const words = (start, end) => points.slice(start, end).join("");
const marksOf = context => context ? [...FLAGS.filter(flag => context[flag]), ...(context.experiencer && context.experiencer !== "patient" ? [context.experiencer] : [])] : [];
function show() {
  const one = note();
  selected = chosen = null;
  points = one ? [...one.text] : [];
  $("place").textContent = notes.length ? `${at + 1} / ${notes.length}` : "";
  $("before").disabled = at <= 0;
  $("after").disabled = at >= notes.length - 1;
  $("jsonl").disabled = $("brat").disabled = !notes.some(each => !each.failure);
  if (one && one.failure) tell(`${say("failed")}: ${one.failure.stage} ${one.failure.error} ${one.failure.reason}`, true);
  draw();
  release();
}
function draw() {
  const one = note(), text = $("text");
  text.replaceChildren();
  if (one) {
    text.lang = one.lang === "zh" ? "zh-Hans" : "en";
    const shown = spans(one), evidence = ranked(one).flatMap(({ evidence: places }, number) => (places || []).map(span => ({ number, span })));
    const cuts = new Set([0, points.length]);
    for (const { span } of [...shown, ...evidence]) cuts.add(span.start).add(span.end);
    if (selected) cuts.add(selected.start).add(selected.end);
    const sorted = [...cuts].sort((a, b) => a - b);
    for (let i = 0; i + 1 < sorted.length; i++) text.append(part(sorted[i], sorted[i + 1], shown, evidence));
    $("facts").textContent = `${one.note_id} · ${points.length} ${say("facts")} · ${say("entities")} ${kept(one, "entities").length} · PHI ${kept(one, "phi").length}`;
  } else $("facts").textContent = "";
  diagnoses(one);
  editor();
  light();
}
function part(start, end, shown, evidence) {
  let inner = make("span", { textContent: words(start, end) });
  inner.dataset.s = start;
  if (selected && selected.start <= start && end <= selected.end) inner.className = "sel";
  const numbers = evidence.filter(({ span }) => span.start <= start && end <= span.end).map(({ number }) => number);
  const over = shown.filter(({ span }) => span.start <= start && end <= span.end);
  over.reverse().forEach(({ kind, span }, depth) => {
    const marks = kind === "entities" ? marksOf(span.context) : [];
    const box = make("span", { className: ["m", `d${Math.min(depth, 4)}`, ...marks].join(" ") }, inner);
    if (kind === "phi") box.classList.add("phi"); else box.style.setProperty("--h", hueOf(span.label));
    if (start === span.start) box.classList.add("a");
    if (end === span.end) { box.classList.add("z"); box.dataset.n = [nameOf(kind, span.label), ...marks.map(say)].join(" · "); }
    inner = box;
  });
  if (!numbers.length) return inner;
  const lit = make("span", { className: "ev" }, inner);
  lit.dataset.d = numbers.join(" ");
  return lit;
}
function diagnoses(one) {
  $("diagnoses").replaceChildren(...(one ? ranked(one).map((its, number) => ({ its, number })).sort((a, b) => (b.its.score ?? 1) - (a.its.score ?? 1)) : []).map(({ its, number }) => {
    const right = codes(one).includes(its.code), share = its.score === undefined ? "" : `${(100 * its.score).toFixed(1)}%`;
    const box = make("input", { type: "checkbox", checked: right, ariaLabel: its.code });
    box.addEventListener("change", () => { remember(); one.codes = box.checked ? [...codes(one), its.code] : codes(one).filter(code => code !== its.code); draw(); });
    const row = make("button", { type: "button", className: "dx", ariaPressed: "false" }, make("b", { textContent: its.code }), make("span", { textContent: share }));
    row.dataset.d = number;
    if (share) row.append(make("meter", { min: 0, max: 1, value: its.score, ariaHidden: "true" }));
    row.append(make("small", { textContent: `${say("evidence")}: ${(its.evidence || []).length}` }));
    row.addEventListener("click", () => { const pressed = row.ariaPressed !== "true"; $$(".dx").forEach(other => { other.ariaPressed = String(other === row && pressed); }); light(); });
    for (const event of ["pointerenter", "pointerleave", "focus", "blur"]) row.addEventListener(event, light);
    return make("div", { className: right ? "dxrow" : "dxrow no" }, box, row);
  }));
}
const codes = one => one.codes || ranked(one).filter(({ score }) => score === undefined || score >= leastCode()).map(({ code }) => code);
function light() {
  const on = new Set($$(".dx").filter(row => row.matches(":hover, :focus-visible") || row.ariaPressed === "true").map(row => row.dataset.d));
  $$(".ev").forEach(each => each.classList.toggle("lit", each.dataset.d.split(" ").some(d => on.has(d))));
}

// corrections
const bare = ({ start, end, label, context }) => context ? { start, end, label, context } : { start, end, label };
const remember = () => { const one = note(); one.past.push([one.entities, one.phi, one.diagnoses, one.codes]); };
const changed = () => notes.some(one => one.past.length && !one.saved);
function editor() {
  const have = Boolean(selected), context = (chosen && chosen.kind === "entities" && chosen.span.context) || {};
  $("words").textContent = have ? words(selected.start, selected.end) : "";
  $("put").disabled = !have;
  $("drop").disabled = !chosen;
  $("undo").disabled = !(note() && note().past.length);
  $("addcode").disabled = !note();
  if (chosen) { $("kind").value = chosen.kind; $("label").value = chosen.span.label; }
  const kind = $("kind").value;
  $("labels").replaceChildren(...NAMES[kind].map(([value]) => make("option", { value, textContent: nameOf(kind, value) })));
  $("marks").replaceChildren(...(kind === "phi" ? [] : [...FLAGS.map(flag => make("label", {}, make("input", { type: "checkbox", name: flag, checked: Boolean(context[flag]) }), say(flag))),
    make("label", {}, say("whose"), make("select", { name: "experiencer" }, ...PEOPLE.map(who => make("option", { value: who, textContent: say(who), selected: who === (context.experiencer || "patient") }))))]));
}
function choose(found) { chosen = found; selected = found ? { start: found.span.start, end: found.span.end } : null; draw(); if (found) tell([words(found.span.start, found.span.end), nameOf(found.kind, found.span.label)].join(" · ")); }
function context() {
  const held = Object.fromEntries($$("#marks input").map(box => [box.name, box.checked]));
  const who = $("marks").querySelector("select");
  return who ? { ...held, experiencer: who.value } : undefined;
}
function put() {
  const one = note(), label = $("label").value.trim(), kind = $("kind").value;
  if (!one || !selected || selected.start >= selected.end) return;
  if (!label) { $("label").focus(); return; }
  remember();
  const span = { start: selected.start, end: selected.end, label };
  if (kind === "entities") span.context = context();
  if (chosen) one[chosen.kind] = one[chosen.kind].filter(each => each !== chosen.span);
  one[kind] = [...one[kind].filter(each => each.start !== span.start || each.end !== span.end || each.label !== label), span];
  choose({ kind, span });
  tell(`${words(span.start, span.end)} · ${nameOf(kind, label)}: ${say("added")}`);
  release();
}
function drop() {
  const one = note(), gone = chosen;
  if (!gone) return;
  remember();
  one[gone.kind] = one[gone.kind].filter(each => each !== gone.span);
  choose(null);
  tell(`${words(gone.span.start, gone.span.end)}: ${say("removed")}`);
  release();
}
function undo() {
  const one = note(), past = one && one.past.pop();
  if (!past) return;
  [one.entities, one.phi, one.diagnoses, one.codes] = past;
  choose(null);
  release();
}
function place(node, offset) {
  const holder = (node.nodeType === 3 ? node.parentElement : node).closest("[data-s]");
  if (!holder || !$("text").contains(holder)) return null;
  return Number(holder.dataset.s) + (node.nodeType === 3 ? [...node.data.slice(0, offset)].length : offset ? [...holder.textContent].length : 0);
}
$("text").addEventListener("pointerup", () => {
  const range = getSelection(), one = note();
  if (!one || !range.rangeCount) return;
  const from = place(range.anchorNode, range.anchorOffset), to = place(range.focusNode, range.focusOffset);
  if (from === null || to === null) return;
  if (from === to) { choose(spans(one).filter(({ span }) => span.start <= from && from <= span.end).sort((a, b) => (a.span.end - a.span.start) - (b.span.end - b.span.start))[0] || null); return; }
  let [start, end] = [Math.min(from, to), Math.max(from, to)];
  while (start < end && !points[start].trim()) start++;
  while (end > start && !points[end - 1].trim()) end--;
  if (start < end) { chosen = null; selected = { start, end }; draw(); }
});
const tokens = () => { const found = [], text = note().text; let start = 0; for (const { segment, isWordLike } of new Intl.Segmenter(note().lang || "en", { granularity: "word" }).segment(text)) { const n = [...segment].length; if (isWordLike) found.push({ start, end: start + n }); start += n; } return found; };
function step(by) {
  const all = spans(note()), now = chosen ? all.findIndex(({ span }) => span === chosen.span) : -1;
  if (all.length) choose(all[now < 0 ? (by > 0 ? 0 : all.length - 1) : (now + by + all.length) % all.length]);
  const mark = $$(".sel")[0];
  if (mark) mark.scrollIntoView({ block: "nearest" });
}
function word(by) {
  const all = tokens(), from = selected ? selected.start : -1;
  const next = by > 0 ? all.find(each => each.start > from) : all.findLast(each => each.start < from);
  if (next) { chosen = null; selected = next; draw(); tell(words(next.start, next.end)); }
}
function stretch(edge, by) {
  if (!selected) return;
  const all = tokens();
  const next = edge === "end"
    ? (by > 0 ? all.find(each => each.end > selected.end) : all.findLast(each => each.end < selected.end))?.end
    : (by > 0 ? all.findLast(each => each.start < selected.start) : all.find(each => each.start > selected.start))?.start;
  const made = { ...selected, ...(next === undefined ? {} : { [edge]: next }) };
  if (made.start < made.end) { selected = made; draw(); tell(words(made.start, made.end)); }
}
const KEYS = {
  ArrowRight: () => step(1), ArrowLeft: () => step(-1), w: () => word(1), W: () => word(-1), e: () => stretch("end", 1), E: () => stretch("end", -1),
  b: () => stretch("start", 1), B: () => stretch("start", -1), Enter: () => { if (selected) $("label").focus(); }, Delete: drop, Backspace: drop, u: undo, Escape: () => choose(null),
};
$("text").addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || !note() || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("label").addEventListener("keydown", event => { if (event.key === "Enter") { put(); $("text").focus(); } else if (event.key === "Escape") $("text").focus(); });
$("kind").addEventListener("change", () => { if (chosen) chosen = null; editor(); });
$("put").addEventListener("click", put);
$("drop").addEventListener("click", drop);
$("undo").addEventListener("click", undo);
$("addcode").addEventListener("click", () => {
  const one = note(), code = $("code").value.trim();
  if (!one || !code || codes(one).includes(code)) return;
  const now = codes(one);
  remember();
  if (!one.diagnoses.some(found => found.code === code)) one.diagnoses = [...one.diagnoses, { code }];
  one.codes = [...now, code];
  $("code").value = "";
  draw();
});

// what comes in and what goes out
const single = () => { const text = $("input").value; return text.trim() ? [{ note_id: "1", text }] : []; };
function go() {
  const records = single();
  clearTimeout(timer);
  if (records.length && (!changed() || confirm(say("lost")))) annotate(records);
}
$("go").addEventListener("click", go);
$("input").addEventListener("input", () => { clearTimeout(timer); if (!changed()) timer = setTimeout(go, 600); });
$("released").addEventListener("click", () => { if (note().released) save("released.txt", note().released.text); });
addEventListener("beforeunload", event => { if (changed()) event.preventDefault(); });
$("before").addEventListener("click", () => { at--; show(); });
$("after").addEventListener("click", () => { at++; show(); });
$("least").addEventListener("input", () => { $("leastvalue").value = least().toFixed(2); draw(); unrelease(); });
$("leastcode").addEventListener("input", () => { $("leastcode").dataset.moved = "yes"; $("leastcodevalue").value = leastCode().toFixed(2); draw(); improbable(); });
$("least").addEventListener("change", release);
$("deid").addEventListener("change", release);

for (const task of TASKS) {
  let before = "";
  pick(task).addEventListener("change", () => {
    if (sent.length && changed() && !confirm(say("lost"))) { pick(task).value = before; return; }
    before = pick(task).value;
    if (sent.length) annotate(sent);
  });
}

// the interface in one of two languages
function translate() {
  document.documentElement.lang = lang === "zh" ? "zh-Hans" : "en";
  $$("[data-t]").forEach(each => { each.textContent = say(each.dataset.t); });
  $("lang").textContent = lang === "zh" ? "English" : "中文";
  $("lang").lang = lang === "zh" ? "en" : "zh-Hans";
  $("plain").ariaLabel = say("releasedname");
  if (leastCode() === null) $("leastcodevalue").value = say("own");
  $$("#deid option").forEach(each => { each.textContent = say("modes")[each.value]; });
  draw();
}
$("lang").addEventListener("click", () => { lang = lang === "zh" ? "en" : "zh"; translate(); });
async function begin() {
  let modes = ["tag", "mask", "placeholder"], first = "tag";
  try {
    const held = await ask("v1/models");
    modes = held.deid.filter(mode => mode !== "off");
    first = modes.includes(held.default_deid) ? held.default_deid : "tag";
    for (const task of TASKS) {
      const own = held.models.filter(model => model.task === task).map(model => model.name).join(", "), others = held.choices[task];
      pick(task).replaceChildren(make("option", { value: "", textContent: own }), ...others.map(value => make("option", { value, textContent: value })));
      pick(task).closest("label").hidden = !others.length;
    }
    $("leastcode").closest("label").hidden = !held.models.some(model => model.task === "diagnosis");
    $("models").hidden = TASKS.every(task => !held.choices[task].length);
  } catch (error) { tell(error.message, true); }
  $("deid").replaceChildren(...modes.map(value => make("option", { value, selected: value === first })));
  translate();
}
$("key").addEventListener("change", () => begin().then(release));
begin();
