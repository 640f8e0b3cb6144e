"use strict";
// What is asked of the service, and what it answers.
async function ask(path, body) {
  for (let tries = 0; ; tries++) {
    const headers = { "Content-Type": "application/json" };
    if ($("key").value) headers.Authorization = `Bearer ${$("key").value}`;
    let answer;
    try { answer = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers }); } catch { throw new Error(say("reach")); }
    if (answer.ok) return answer.json();
    if (answer.status === 401) { $("keyrow").hidden = false; $("key").focus(); throw new Error(say("needkey")); }
    if (answer.status !== 429 || tries === 5) throw new Error(await answer.json().then(held => held.error.message, () => String(answer.status)));
    const wait = Number(answer.headers.get("Retry-After")) || 1;
    tell(`${say("busy")} ${wait}`);
    await new Promise(done => setTimeout(done, wait * 1000));
  }
}
const TASKS = ["phi", "entities", "diagnosis"], pick = task => $(`${task}model`);
const chosenModels = (given, tasks) => new URLSearchParams([...Object.entries(given), ...tasks.filter(task => pick(task).value).map(task => [task, pick(task).value])]);
async function annotate(records) {
  const turn = ++asked;
  sent = records;
  tell(say("working"));
  try {
    const held = await ask(`v1/annotate?${chosenModels({ deid: "off" }, TASKS)}`, { notes: records });
    if (turn !== asked) return;
    notes = held.notes.map((found, i) => found.failure
      ? { note_id: found.note_id, text: typeof records[i]?.text === "string" ? records[i].text : "", failure: found.failure, entities: [], phi: [], diagnoses: [], fields: {}, past: [], codes: null }
      : { ...found, diagnoses: found.diagnoses || [], past: [], codes: null });
    at = 0;
    rare = null;
    tell(say("done"));
    show();
    if (leastCode() !== null) improbable();
  } catch (error) { if (turn === asked) tell(error.message, true); }
}
// the service gives the codes that the model chooses; those below come once somebody asks for a lower probability
const MOST_CODES = 25;
async function improbable() {
  const turn = asked;
  if (rare === asked || !notes.length) return;
  rare = asked;
  try {
    const held = await ask(`v1/diagnose?${chosenModels({ deid: "off", codes: MOST_CODES }, ["diagnosis"])}`, { notes: sent });
    if (turn !== asked) return;
    notes.forEach((one, i) => { one.more = held.notes[i].diagnoses || []; });
    draw();
  } catch (error) { rare = null; tell(error.message, true); }
}
// a released text that is not of the note as it now stands must not be there to save
let releases = 0;
function unrelease() {
  releases++;
  $("plain").textContent = "";
  $("released").disabled = true;
  if (note()) delete note().released;
}
async function release() {
  unrelease();
  const one = note(), turn = releases;
  if (!one || one.failure) return;
  try {
    const held = await ask(`v1/deidentify?${chosenModels({ deid: $("deid").value || "tag", checked: true }, [])}`, { note_id: one.note_id, text: one.text, lang: one.lang, phi: kept(one, "phi").map(bare) });
    if (turn === releases) { one.released = held; $("plain").textContent = held.text; $("released").disabled = false; }
  } catch (error) { if (turn === releases) tell(error.message, true); }
}

