"use strict";
// What comes in from files and what goes out as files; all of it stays in the browser.
const MOST_BYTES = 4e6;
// a whole number that JavaScript cannot hold, an id of 18 digits say, is kept as the string that stands in the file
function exact(key, value, context) {
  if (typeof value !== "number" || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  if (!context?.source) throw new RangeError(key);
  return context.source;
}
async function open(files) {
  try {
    if (files.reduce((sum, file) => sum + file.size, 0) > MOST_BYTES) { tell(say("large"), true); return; }
    const texts = await Promise.all(files.map(async file => new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer())));
    if (files.length === 1 && !files[0].name.endsWith(".jsonl")) { $("input").value = texts[0]; go(); return; }
    const records = files.flatMap((file, i) => file.name.endsWith(".jsonl")
      ? texts[i].split("\n").filter(line => line.trim()).map(line => JSON.parse(line, exact))
      : [{ note_id: file.name.replace(/\.[^.]*$/, ""), text: texts[i] }]);
    if (records.length && (!changed() || confirm(say("lost")))) annotate(records);
  } catch { tell(say("bad"), true); }
}
$("file").addEventListener("change", () => { const files = [...$("file").files]; if (files.length) open(files); $("file").value = ""; });
addEventListener("dragover", event => { event.preventDefault(); $$(".in")[0].classList.add("over"); });
addEventListener("dragleave", () => $$(".in")[0].classList.remove("over"));
addEventListener("drop", event => { event.preventDefault(); $$(".in")[0].classList.remove("over"); const files = [...event.dataTransfer.files]; if (files.length) open(files); });
function save(name, content) {
  const link = make("a", { href: URL.createObjectURL(new Blob([content], { type: "application/octet-stream" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  tell(`${name}: ${say("saved")}`);
}
function record(one) {
  const { note_id, text, patient_id, lang: of, time, sections, fields } = one;
  const order = (a, b) => a.start - b.start || b.end - a.end;
  return { note_id, text, patient_id, lang: of, time, entities: kept(one, "entities").map(bare).sort(order), phi: kept(one, "phi").map(bare).sort(order), sections, diagnoses: codes(one).map(code => ({ code })), fields };
}
function saved(name, made) {
  const good = notes.filter(one => !one.failure);
  save(name, made(good.map(record)));
  good.forEach(one => { one.saved = true; });
  if (good.length < notes.length) tell(`${name}: ${say("saved")} · ${say("failed")}: ${notes.length - good.length}`, true);
}
$("jsonl").addEventListener("click", () => saved("corrected.jsonl", records => records.map(one => `${JSON.stringify(one)}\n`).join("")));
$("brat").addEventListener("click", () => saved("corrected-brat.zip", bratZip));

// brat standoff, as `clinlp convert` writes it: a text and its spans, each note two files
const FLAG_NAMES = { negated: "Negated", uncertain: "Uncertain", historical: "Historical", hypothetical: "Hypothetical" };
function bratLines(one) {
  const letters = [...one.text], lines = [];
  let nAttributes = 0;
  const attribute = value => lines.push(`A${++nAttributes}\t${value}`);
  ["entities", "phi", "sections"].flatMap(kind => (one[kind] || []).map(span => ({ kind, span }))).forEach(({ kind, span }, i) => {
    const t = `T${i + 1}`, inner = letters.slice(span.start, span.end);
    const parts = [];
    inner.forEach((letter, at) => { if (letter !== "\n") { if (at && inner[at - 1] !== "\n") parts.at(-1)[1]++; else parts.push([span.start + at, span.start + at + 1]); } });
    const whole = parts.length && parts[0][0] === span.start && parts.at(-1)[1] === span.end ? parts : [[span.start, span.end]];
    lines.push(`${t}\t${span.label.replace(/\s/gu, "_")} ${whole.map(part => part.join(" ")).join(";")}\t${inner.join("").replace(/[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/gu, " ")}`);
    if (kind !== "entities") attribute(`Set ${t} ${kind}`);
    if (!span.context) return;
    for (const [flag, name] of Object.entries(FLAG_NAMES)) if (span.context[flag]) attribute(`${name} ${t}`);
    const who = span.context.experiencer || "patient";
    attribute(`Experiencer ${t} ${who[0].toUpperCase()}${who.slice(1)}`);
  });
  return lines.map(line => `${line}\n`).join("");
}
function bratZip(records) {
  const names = new Set(), files = [], labels = new Set();
  for (const one of records) {
    const stem = one.note_id.replace(/[^\p{L}\p{N}._-]/gu, "_").replace(/^\.+/, "_") || "note";
    let name = stem;
    for (let n = 2; names.has(name.toLowerCase()); n++) name = `${stem}-${n}`;
    names.add(name.toLowerCase());
    for (const span of [...one.entities, ...one.phi, ...one.sections || []]) labels.add(span.label.replace(/\s/gu, "_"));
    files.push([`${name}.txt`, one.text], [`${name}.ann`, bratLines(one)]);
  }
  const flags = Object.values(FLAG_NAMES).map(name => `${name}\tArg:<ENTITY>\n`).join("");
  files.push(["annotation.conf", `[entities]\n${[...labels].sort().map(label => `${label}\n`).join("")}\n[relations]\n\n[events]\n\n[attributes]\n${flags}Experiencer\tArg:<ENTITY>, Value:Patient|Family|Other\nSet\tArg:<ENTITY>, Value:phi|sections\n`]);
  return zip(files);
}

// a zip of files as they are, without compression (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16)
const CRC = Uint32Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; });
const crc32 = bytes => { let crc = -1; for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8); return (crc ^ -1) >>> 0; };
const little = (...pairs) => { const made = []; for (const [value, n] of pairs) for (let at = 0; at < n; at++) made.push((value >>> (8 * at)) & 255); return Uint8Array.from(made); };
function zip(files) {
  const encoder = new TextEncoder(), body = [], central = [];
  let at = 0, nCentral = 0;
  for (const [name, text] of files) {
    const path = encoder.encode(name), bytes = encoder.encode(text), size = bytes.length;
    // version 2.0, names in UTF-8, stored, 1 January 1980
    const facts = [[20, 2], [0x0800, 2], [0, 2], [0, 2], [0x21, 2], [crc32(bytes), 4], [size, 4], [size, 4], [path.length, 2], [0, 2]];
    const head = little([0x04034b50, 4], ...facts), entry = little([0x02014b50, 4], [20, 2], ...facts, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]);
    body.push(head, path, bytes);
    central.push(entry, path);
    at += head.length + path.length + size;
    nCentral += entry.length + path.length;
  }
  return new Blob([...body, ...central, little([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [nCentral, 4], [at, 4], [0, 2])]);
}
