"use strict";
// one note: spans that share a character lie in lanes, the outer one above; the text is cut at every border
const lay = spans => {
  const laid = [];
  let group = [], used = [], free = [];
  const close = () => {
    const deepest = Math.max(0, ...group.map(each => each.depth));
    for (const each of group) laid.push({ ...each, lane: deepest - each.depth });
    group = []; free = [];
  };
  for (const span of spans) {
    used = used.filter(each => each.end > span.start || !free.push(each.depth));
    if (!used.length) close();
    const depth = free.length ? free.splice(free.indexOf(Math.min(...free)), 1)[0] : used.length;
    used.push({ end: span.end, depth });
    group.push({ ...span, depth });
  }
  close();
  return laid;
};
const box = (part, start, end) => {
  const { span } = part, [kind, label, english, chinese] = labels[span[2]], held = span[4] ?? [];
  const tip = [[...new Set([label, english, chinese])].join(" "), ...held.map(mark => both(marks[mark][1], marks[mark][2])),
    ...(span[3] === undefined || span[3] === null ? [] : [`score 置信度 ${span[3].toFixed(2)}`])].join(" · ");
  const classes = ["m", `l${span[2]}`, `d${Math.min(part.lane, 4)}`, ...held.map(mark => marks[mark][0])];
  if (kind === "phi") classes.push("phi");
  if (start === part.start) classes.push("a");
  if (end === part.end) classes.push("z");
  return make("span", { class: classes.join(" "), title: tip, tabindex: start === part.start && -1 });
};
const tag = ({ span }, note, place) => place.append(make("span", { class: `tag ${isPhi(span) ? "phi" : `l${span[2]}`}`, "data-n": names(span, note).join(" · "), "aria-hidden": "true" }));
const names = (span, note) => {
  const [, label, , chinese] = labels[span[2]], held = span[4] ?? [];
  return isChinese(note) ? [chinese, ...held.map(mark => marks[mark][2])] : [label, ...held.map(mark => marks[mark][1])];
};
const write = (note, number) => {
  const shown = lay(note.spans.filter(span => passes(span) || (state.hidden && isPhi(span))).map(span => ({ start: span[0], end: span[1], span })));
  const evidence = (note.codes ?? []).flatMap(([, , places], at) => places.map(([start, end]) => ({ start, end, at })));
  const sections = new Map();
  (note.sections ?? []).forEach(([start, name], at) => sections.set(start, [...sections.get(start) ?? [], [name, at]]));
  const borders = [...new Set([0, note.text.length, ...sections.keys(), ...[...shown, ...evidence].flatMap(each => [each.start, each.end])])].sort((a, b) => a - b);
  const byStart = (a, b) => a.start - b.start;
  const waiting = [...shown.sort(byStart)], support = [...evidence.sort(byStart)];
  const text = make("div", { class: "text", lang: note.lang, tabindex: 0, role: "group", "aria-labelledby": `h${number}` });
  let open = [], lit = [], atMark = 0, atSupport = 0;
  borders.forEach((start, at) => {
    for (const [name, which] of sections.get(start) ?? []) text.append(make("span", { class: "sec", id: `n${number}s${which}`, "data-name": name }));
    const end = borders[at + 1];
    if (end === undefined) return;
    open = open.filter(part => part.end > start);
    while (atMark < waiting.length && waiting[atMark].start === start) open.push(waiting[atMark++]);
    lit = lit.filter(part => part.end > start);
    while (atSupport < support.length && support[atSupport].start === start) lit.push(support[atSupport++]);
    open.sort((a, b) => b.lane - a.lane);
    let place = text;
    if (lit.length) place.append(place = make("span", { class: "ev", "data-d": [...new Set(lit.map(part => part.at))].join(" ") }));
    for (const part of open) place.append(place = box(part, start, end));
    place.append(hiddenOr(note.text.slice(start, end), open, start));
    for (const part of [...open].reverse()) if (part.end === end) tag(part, note, place = place.parentNode);
  });
  return text;
};
const hiddenOr = (words, open, start) => {
  const phi = state.hidden && open.find(part => isPhi(part.span));
  return !phi ? words : start === phi.start ? `[${labels[phi.span[2]][1]}]` : "";
};
const diagnoses = note => {
  const rows = note.codes.flatMap(([code, score, places], at) => score !== null && score < state.codes ? [] : [make("button", { type: "button", class: "dx", "data-d": at, "aria-pressed": "false" },
    make("b", {}, make("bdi", {}, code)), make("span", {}, score === null ? "" : `${(100 * score).toFixed(1)}%`),
    ...(score === null ? [] : [make("meter", { min: 0, max: 1, value: score.toFixed(4), "aria-hidden": "true" })]), make("small", {}, `evidence 依据: ${places.length}`))]);
  return make("aside", {}, make("h3", {}, "Diagnoses 诊断"), ...(rows.length ? rows : [make("p", { class: "faint" }, "none 无")]));
};

