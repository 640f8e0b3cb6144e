const { labels, marks, notes } = JSON.parse(document.getElementById("data").textContent);
const bar = document.querySelector(".bar"), live = document.querySelector(".status");
const main = document.getElementById("notes"), outline = document.getElementById("outline");

// elements are made of tags, attributes and text alone: nothing of a note is ever read as markup
const make = (tag, attributes = {}, ...inner) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  element.append(...inner);
  return element;
};
const both = (one, other) => one === other ? one : `${one} ${other}`;
const isChinese = note => note.lang === "zh-Hans";
const isPhi = span => labels[span[2]][0] === "phi";

// filters
const state = { off: new Set(), marksOff: new Set(), least: 0, find: "", codes: 0, only: false, hidden: false, tags: true };
const PLAIN = -1; // entities that no mark says anything about
const passes = span => {
  if (state.off.has(span[2]) || (span[3] ?? 1) < state.least) return false;
  if (isPhi(span)) return true;
  return span[4] ? !span[4].some(mark => state.marksOff.has(mark)) : !state.marksOff.has(PLAIN);
};
const chip = (content, checked, change, count) => {
  const box = make("input", { type: "checkbox", checked });
  box.addEventListener("change", () => { change(box.checked); refresh(); });
  return make("label", { class: "chip" }, box, ...content, ...(count === undefined ? [] : [make("b", {}, count.toLocaleString("en"))]));
};
const toggle = (set, key) => on => on ? set.delete(key) : set.add(key);
const group = (heading, chips) => {
  const all = on => { chips.forEach(each => { const box = each.querySelector("input"); if (box.checked !== on) { box.checked = on; box.dispatchEvent(new Event("change")); } }); };
  const buttons = [["all 全选", true], ["none 清除", false]].map(([name, on]) => {
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => all(on));
    return button;
  });
  return make("fieldset", {}, make("legend", {}, heading), ...chips, ...(chips.length > 1 ? buttons : []));
};
const said = make("output", { class: "faint", "aria-live": "polite" });
const find = make("input", { type: "search", placeholder: "/", "aria-label": "Find in text, ids and codes · 查找原文、编号、编码" });
const buildBar = () => {
  find.addEventListener("input", () => { state.find = find.value.trim().toLowerCase(); refresh(); });
  find.addEventListener("keydown", event => { if (event.key === "Enter") step(1, true); });
  bar.append(make("label", { class: "find" }, "Find 查找 ", find), said);
  for (const [kind, heading] of [["entities", "Entities 实体"], ["phi", "PHI 隐私"]]) {
    const chips = labels.flatMap(([of, label, , chinese, count], at) => of !== kind ? [] : [
      chip([make("i", { class: `m l${at}${kind === "phi" ? " phi" : ""}` }), make("bdi", {}, both(label, chinese))], true, toggle(state.off, at), count)]);
    if (chips.length) bar.append(group(heading, chips));
  }
  const there = marks.flatMap(([mark, english, chinese, count], at) => count ? [
    chip([make("span", { class: `m ${mark}` }, both(english, chinese))], true, toggle(state.marksOff, at), count)] : []);
  if (there.length) {
    const n = notes.reduce((sum, note) => sum + note.spans.filter(span => !isPhi(span) && !span[4]).length, 0);
    bar.append(group("Context 语境", [chip([make("span", { class: "m" }, "affirmed 肯定")], true, toggle(state.marksOff, PLAIN), n), ...there]));
  }
  if (notes.some(note => note.spans.some(span => span[3] !== undefined && span[3] !== null))) bar.append(slider("score 置信度", "least"));
  if (notes.some(note => note.codes?.some(code => code[1] !== null))) bar.append(slider("probability 概率", "codes"));
  const switches = [chip(["label tags 标签文字"], true, on => { state.tags = on; document.body.classList.toggle("bare", !on); })];
  if (labels.some(([kind]) => kind === "phi")) switches.push(chip(["hide PHI 隐去隐私"], false, on => { state.hidden = on; }));
  switches.push(chip(["only notes with a span shown 仅含所选标注"], false, on => { state.only = on; }));
  bar.append(make("div", { class: "switches" }, ...switches));
};
const slider = (name, key) => {
  const range = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": name }), shown = make("b", {}, "≥ 0.00");
  range.addEventListener("input", () => { state[key] = Number(range.value); shown.textContent = `≥ ${state[key].toFixed(2)}`; refresh(); });
  return make("label", { class: "chip slide" }, name, range, shown);
};

// notes are drawn when they come near the screen, and those that were seen longest ago are taken away again
const KEPT = 60;
const articles = notes.map((note, number) => {
  const n = { entities: 0, phi: 0 };
  for (const span of note.spans) n[labels[span[2]][0]]++;
  const facts = `${[...note.text].length.toLocaleString("en")} characters 字 · ${n.entities} entities 实体 · ${n.phi} PHI`;
  const article = make("article", { id: `n${number}`, "aria-labelledby": `h${number}` },
    make("header", {}, make("h2", { id: `h${number}` }, make("bdi", {}, note.id)), make("span", { class: "faint" }, facts)), make("div", { class: "body" }));
  article.lastChild.style.minHeight = `${Math.ceil(note.text.length / (isChinese(note) ? 45 : 90) + 1) * 36 + 40}px`;
  return article;
});
const pair = (note, number) => {
  const pane = (name, text) => make("section", {}, make("h3", {}, name), text);
  return make("div", { class: "pair" }, pane("Original 原文", write({ ...note.before, lang: note.lang }, number)), pane("Released 脱敏文本", write(note, number)));
};
const drawn = new Set();
const draw = number => {
  if (drawn.delete(number)) { drawn.add(number); return; }
  const note = notes[number], body = articles[number].lastChild;
  body.replaceChildren(note.before ? pair(note, number) : write(note, number), ...(note.codes ? [diagnoses(note)] : []));
  body.classList.toggle("wide", !note.codes);
  body.style.minHeight = "";
  drawn.add(number);
  highlight(number);
};
const undraw = number => {
  const body = articles[number].lastChild;
  body.style.minHeight = `${body.offsetHeight}px`;
  body.replaceChildren();
  drawn.delete(number);
};
const near = new Set();
const watcher = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    const number = Number(target.id.slice(1));
    if (!isIntersecting) { near.delete(number); continue; }
    near.add(number);
    draw(number);
  }
  for (const number of drawn) if (drawn.size > KEPT && !near.has(number) && !articles[number].contains(document.activeElement)) undraw(number);
}, { rootMargin: "1200px 0px" });
// in lower case, each letter where it was: İ would become two
const fold = text => {
  const low = text.toLowerCase();
  return low.length === text.length ? low : [...text].map(each => each.toLowerCase().length === each.length ? each.toLowerCase() : each).join("");
};
const lower = notes.map(note => fold(`${note.id}\n${note.text}\n${note.before?.text ?? ""}\n${(note.codes ?? []).map(code => code[0]).join(" ")}`));
const links = notes.map((note, number) => make("li", {}, make("a", { href: `#n${number}` }, make("bdi", {}, note.id))));
let pending = 0;
const refresh = () => { if (!pending) pending = requestAnimationFrame(() => { pending = 0; apply(); }); };
const apply = () => {
  let n = 0;
  notes.forEach((note, number) => {
    const shown = (!state.find || lower[number].includes(state.find)) && (!state.only || note.spans.some(passes));
    articles[number].hidden = links[number].hidden = !shown;
    n += shown;
  });
  for (const number of [...drawn]) near.has(number) ? (drawn.delete(number), draw(number)) : undraw(number);
  said.textContent = `${n.toLocaleString("en")} / ${notes.length.toLocaleString("en")} notes 份`;
};

// what was searched for, marked without touching the text
const found = globalThis.Highlight && CSS.highlights ? new Highlight() : null;
if (found) CSS.highlights.set("found", found);
const highlight = number => {
  if (!found) return;
  for (const range of found) if (!range.startContainer.isConnected || articles[number].contains(range.startContainer)) found.delete(range);
  if (state.find) for (const text of articles[number].querySelectorAll(".text")) mark(text);
};
const mark = text => {
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT), parts = [];
  let all = "";
  for (let node = walker.nextNode(); node; node = walker.nextNode()) { parts.push([all.length, node]); all += node.data; }
  all = fold(all);
  const place = at => { const part = parts.findLast(([start]) => start <= at); return [part[1], Math.min(at - part[0], part[1].length)]; };
  for (let at = all.indexOf(state.find), n = 0; at >= 0 && n < 200; at = all.indexOf(state.find, at + state.find.length), n++) {
    const range = document.createRange();
    range.setStart(...place(at));
    range.setEnd(...place(at + state.find.length - 1));
    range.setEnd(range.endContainer, Math.min(range.endOffset + 1, range.endContainer.length));
    found.add(range);
  }
};

// evidence lights up while its diagnosis is hovered or focused, and stays while it is pressed
const $$ = (what, from) => [...from.querySelectorAll(what)];
const light = note => {
  const on = new Set($$(".dx", note).filter(row => row.matches(":hover, :focus-visible, [aria-pressed=true]")).map(row => row.dataset.d));
  for (const part of $$(".ev", note)) part.classList.toggle("lit", part.dataset.d.split(" ").some(d => on.has(d)));
};
const onRow = event => { const row = event.target.closest?.(".dx"); if (row) light(row.closest("article")); };
for (const event of ["pointerover", "pointerout", "focusin", "focusout"]) main.addEventListener(event, onRow);
main.addEventListener("click", event => {
  const row = event.target.closest(".dx");
  if (!row) return;
  const note = row.closest("article"), pressed = row.getAttribute("aria-pressed") !== "true";
  for (const other of $$(".dx", note)) other.setAttribute("aria-pressed", String(other === row && pressed));
  light(note);
  const first = pressed && $$(".ev", note).find(part => part.dataset.d.split(" ").includes(row.dataset.d));
  if (first) first.scrollIntoView({ block: "nearest" });
});

// what a mark is: on hover, and with the arrow keys inside a text
const tell = event => { live.textContent = event.target.closest?.(".text .m")?.title ?? ""; };
for (const event of ["pointerover", "focusin"]) main.addEventListener(event, tell);
main.addEventListener("keydown", event => {
  const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key], text = event.target.closest(".text");
  if (!way || !text) return;
  event.preventDefault();
  const all = $$(".m.a", text), at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? (way > 0 ? 0 : all.length - 1) : (at + way + all.length) % all.length];
  if (next) { next.focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
});

// moving from note to note
const current = () => articles.findLastIndex(article => !article.hidden && article.getBoundingClientRect().top <= bar.offsetHeight + 30);
const go = number => {
  draw(number);
  articles[number].scrollIntoView();
  articles[number].querySelector(".text").focus({ preventScroll: true });
};
const step = (way, first = false) => {
  let at = first ? -1 : current();
  do at += way; while (articles[at]?.hidden);
  if (articles[at]) go(at);
};
outline.addEventListener("click", event => {
  const number = links.indexOf(event.target.closest("li.note"));
  if (number >= 0 && !event.target.closest("ol ol")) { event.preventDefault(); go(number); }
});
let told = -1;
const follow = () => {
  const number = Math.max(0, current());
  if (number === told || !notes.length) return;
  links[told]?.classList.remove("here");
  links[told]?.querySelector("ol")?.remove();
  told = number;
  links[told].classList.add("here");
  const items = (notes[told].sections ?? []).map(([, name], at) => make("li", {}, make("a", { href: `#n${told}s${at}` }, name)));
  if (items.length) links[told].append(make("ol", { lang: notes[told].lang }, ...items));
  const box = outline.parentElement, { top, bottom } = links[told].getBoundingClientRect(), frame = box.getBoundingClientRect();
  if (top < frame.top || bottom > frame.bottom) box.scrollTop += top - frame.top - 20;
};
addEventListener("scroll", () => requestAnimationFrame(follow), { passive: true });
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    for (const row of $$(".dx[aria-pressed=true]", main)) row.setAttribute("aria-pressed", "false");
    for (const part of $$(".ev.lit", main)) part.classList.remove("lit");
    if (find.value) { find.value = state.find = ""; refresh(); }
  }
  if (event.target.tagName === "INPUT") return;
  if (event.key === "/") { event.preventDefault(); find.focus(); find.select(); }
  if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
});
addEventListener("beforeprint", () => notes.forEach((_, number) => { if (!articles[number].hidden) draw(number); }));

const fit = () => document.documentElement.style.setProperty("--bar", `${bar.offsetHeight + 12}px`);
buildBar();
links.forEach(link => link.classList.add("note"));
outline.append(...links);
main.append(...articles);
articles.slice(0, 3).forEach((_, number) => draw(number));
articles.forEach(article => watcher.observe(article));
addEventListener("resize", fit);
fit();
apply();
follow();
