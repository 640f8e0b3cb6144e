"""Write the results of the README from the raw results: `python scripts/bench/readme.py`.

No number there is typed by hand; a test holds the README to what this prints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"
Row = Sequence[str]
ENCODERS = {"minilm": "MiniLM", "e5": "e5-small", "lstm": "BiLSTM", "cnn": "CNN", None: "BiLSTM"}
HEADS: dict[str | None, str] = {"pointer": "span scorer", "linear": "linear", None: "CRF"}
DEID = ("clinlp rules + tagger", "clinlp rules", "presidio, en_core_web_sm", "presidio, patterns alone", "rampart")
DEID += ("argus-redact", "deduce (Dutch)")
MODELS = {"network": "", "tfidf": "TF-IDF", "likeness": "names in part", "dictionary": "names", "ensemble": "ensemble"}
INFERENCE = "scripts/bench/inference.py --data DATA --minilm ENCODER"


def read(name: str) -> Any:
    """Read one file of raw results."""
    return json.loads((HERE / "results" / f"{name}.json").read_text("utf-8"))


def markdown(head: Row, rows: Iterable[Row]) -> str:
    """Write a table; the last cell of a row is its command."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join((*row[:-1], f"`{row[-1]}`")) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def spread(shares: Sequence[float]) -> str:
    """Write the mean in percent; of several seeds with the standard deviation."""
    if len(shares) == 1:
        return f"{100 * shares[0]:.1f}"
    return f"{100 * mean(shares):.1f} ± {100 * stdev(shares):.1f}"


def jobs_of(name: str) -> dict[str, list[dict[str, Any]]]:
    """Give the results of each job, all seeds together."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for result in read(name):
        jobs.setdefault(result["job"], []).append(result)
    return jobs


# --- De-identification ----------------------------------------------------------------------------------


def deid_rows() -> list[Row]:
    """A row a set: characters found / notes without a leak / other characters removed, for each system."""
    rows = []
    for where, systems in read("deid").items():
        cells = [_deid_cell(systems[name]) if name in systems else "" for name in DEID]
        rows.append((where if where.startswith("corpora/") else f"{where}/dev", *cells, "scripts/bench/deid.py"))
    return rows


def _deid_cell(result: dict[str, Any]) -> str:
    found, clean = result["overall"]["character_recall"]["value"], result["notes"]["clean_share"]
    return f"{100 * found:.1f} / {100 * clean:.1f} / {100 * result['over_redaction']['value']:.2f}"


def culture_rows() -> list[Row]:
    """Names of how many cultures were read, and at which recall the worst."""
    rows = []
    for lang, systems in read("cultures").items():
        for name, found in systems.items():
            low = min(found, key=lambda each: found[each])
            said = f"{found[low]:.1%} ({low}) to {max(found.values()):.1%} of characters"
            rows.append((f"names of {len(found)} cultures, {lang}, {name}", said, "scripts/bench/cultures.py"))
    return rows


# --- Models trained on public corpora -------------------------------------------------------------------


def entity_rows() -> list[Row]:
    """A row a model: strict and overlapping F1."""
    rows = []
    for job, seeds in jobs_of("entities").items():
        used, scored_on = seeds[0]["settings"], seeds[0]["scored_on"]
        parts = "train + dev" if used.get("whole") and scored_on.endswith("test") else "train"
        model = f"{ENCODERS[used.get('encoder')]} {'+ words ' * bool(used.get('stacked'))}+ {HEADS[used.get('head')]}"
        figures = [spread([each[match]["micro"]["f1"] for each in seeds]) for match in ("strict", "overlap")]
        rows.append((scored_on, parts, model, *figures, str(len(seeds)), f"scripts/bench/entities.py {job}"))
    return rows


def diagnosis_rows() -> list[Row]:
    """A row a network: the figures of what stands beside it too."""
    rows = []
    for job, seeds in jobs_of("diagnosis").items():
        used, models = seeds[0]["settings"], seeds[0]["models"]
        kinds = ("micro", "macro") if used.get("single") else ("map", "micro", "macro")
        cells = [
            " / ".join(spread([_value(each, name, kind) for each in seeds]) for kind in kinds) if name in models else ""
            for name in MODELS
        ]
        if not used.get("single"):
            cells = [cell and cell + _learned(seeds, name) for cell, name in zip(cells, MODELS, strict=True)]
        on = f"{seeds[0]['scored_on']}{', 3 characters' * (used.get('code_length') == 3)}"
        on += ", the patient's turns" * (used.get("text") == "patient_text")
        network = ENCODERS[used["encoder"]]
        if "both" in used:  # of the BiLSTM alone its own row says it
            network, cells[0] = f"{network}, {ENCODERS['cnn']}", ""
        rows.append((on, network, *cells, f"scripts/bench/diagnosis.py {job}"))
    return rows


def _learned(seeds: list[dict[str, Any]], model: str) -> str:
    """Macro F1 over the codes of ten training notes or more, where it was kept."""
    if any("learned" not in each["models"][model] for each in seeds):
        return ""
    return f" ({spread([_value(each, model, 'learned') for each in seeds])})"


def _value(result: dict[str, Any], model: str, key: str) -> float:
    held = result["models"][model][key]
    return float(held["f1"] if isinstance(held, dict) else held)


def patient_rows() -> list[Row]:
    """Models of patients, where the history alone says what comes next."""
    seeds = [each for each in read("patients") if each["job"].startswith("history")]
    models = [f"{name} {spread([each['models'][name]['top1'] for each in seeds])}" for name in seeds[0]["models"]]
    said = f"top 1 (at most {100 * seeds[0]['ceiling']:.0f}): {', '.join(models)}"
    return [("next visit's code, simulated patients", said, "scripts/bench/patients.py history --encoder cnn")]


def bundled_rows() -> list[Row]:
    """The models in the package, by corpus."""
    rows = []
    for name, sets in read("bundled").items():
        if name.startswith("phi"):  # shown beside the rules, as they are used
            continue
        keys = ("strict F1", "overlap F1") if name.startswith("entities") else ("MAP", "top 1")
        for result in sets:
            said = ", ".join(f"{key} {100 * result['row'][key]:.1f}" for key in keys)
            rows.append((f"`{name}` on {result['set']}", said, f"scripts/bench/bundled.py {name}"))
    return rows


# --- Prose and speed ------------------------------------------------------------------------------------


def prose_rows() -> list[Row]:
    """What the readers of prose find."""
    rows = []
    for name, result in read("prose")["quality"].items():
        scores = result.get("scores") or {"sections": result}
        said = ", ".join(f"{label} {100 * each['f1']:.1f}" for label, each in scores.items())
        kind = "trained classifier" if name.endswith(", trained") else "rules"
        rows.append((f"{name.removesuffix(', trained')}, {kind}", f"F1 {said}", "scripts/bench/prose.py"))
    return rows


def speed_rows() -> list[Row]:
    """How fast the annotator and its stages are, beside peers where there are any."""
    rows: list[Row] = []
    for name, result in read("annotate").items():
        held = result["median"]
        said = f"{held['all_notes_per_s']:,.0f} notes/s, {held['all_characters_per_s'] / 1000:,.0f} k characters/s"
        said += f"; tokens + sentences + PHI {held['rules_characters_per_s'] / 1000:,.0f} k characters/s"
        said += f", PHI alone {held['stages']['phi']['characters_per_s'] / 1000:,.0f} k"
        off = " --phi off --entities off --diagnosis off" * name.endswith("rules only")
        rows.append((f"annotate, one core, {name}", said, f"scripts/bench/annotate.py DUMP{off}"))
    for task, sides in read("prose")["speed"]["tasks"].items():
        what = "tokens" if task == "tokens" else f"sentences, context of {task}"
        shown = {side: held["notes_per_s"] for side, held in sides.items() if side != "times"}
        rows.append((f"{what}, one core, mtsamples", _rates(shown), "scripts/bench/prose.py --parts speed"))
    jobs = read("jobs")
    for task, sides in jobs["tasks"].items():
        what = f"job of {jobs['n_notes']:,} mtsamples notes, {jobs['workers']} processes: "
        what += {"phi": "find PHI, write text without", "context": "sentences, sixty terms, context"}[task]
        shown = {side: held["notes_per_s"] for side, held in sides.items()}
        rows.append((what, _rates(shown), "scripts/bench/jobs.py DUMP"))
    return rows


def service_rows() -> list[Row]:
    """How long one note takes, and what a service gives many clients."""
    held = read("serve")
    rows: list[Row] = []
    for lang in ("en", "zh"):
        latency = held[f"latency {lang}, all"]
        said = f"{latency['wall_ms']:.0f} ms in the median, warm"
        what = f"one {lang} note of 2,000 characters, all bundled models, one core"
        rows.append((what, said, "scripts/bench/serve.py latency"))
    for name, batched in held.items():
        if name.startswith("load") and name.endswith(", batched"):
            alone = held[name.replace("batched", "unbatched")]
            said = f"{batched['notes_per_s']:,.0f} notes/s, {batched['notes_per_s'] / alone['notes_per_s']:.1f} times "
            said += f"those of one note a batch; p99 {batched['p99_ms']:,.0f} ms"
            what = f"service, {batched['n_clients']} clients, {name.removeprefix('load ').removesuffix(', batched')}"
            rows.append((what, said, "scripts/bench/serve.py load"))
    return rows


def _rates(sides: dict[str, float]) -> str:
    return ", ".join(f"{side} {rate:,.0f}" for side, rate in sides.items()) + " notes/s"


def scale_rows() -> list[Row]:
    """How a job grows with notes and workers."""
    rows = []
    for name, result in read("scale").items():
        what = name.split()[0]
        runs = result["runs"]
        if what == "size":
            said = "; ".join(
                f"{run['n_notes']:,} notes: {run['notes_per_s']:,.0f} notes/s "
                f"({run['notes_per_s_of_a_worker']:,.0f} of a loaded worker), {run['peak_mib']:,.0f} MiB"
                for run in runs
            )
        else:
            said = ", ".join(
                f"{run['config'].get('on') or str(run['config']['workers']) + ' workers'} {run['notes_per_s']:,.1f}"
                for run in runs
            )
            said = f"{said} notes/s: {result['times_the_first'][-1]:.2f} times the first"
        rows.append((name, said, f"scripts/bench/scale.py {what}{' DUMP' * (what != 'size')}"))
    return rows


def learning_rows() -> list[Row]:
    """Trainers side by side, and one tagger in every harness."""
    rows: list[Row] = []
    for name, result in read("training").items():
        command = "scripts/bench/training.py" + " --every 1" * ("1 of" not in name)
        said = "; ".join(
            f"{side} ({'float32' if held['precision_used'] == 'no' else held['precision_used']}) "
            f"{held['epoch_cpu_s']:.1f} s an epoch, F1 {100 * held['f1']:.1f}"
            for side, held in result["sides"].items()
        )
        rows.append((f"training MiniLM, one thread, {name}", said, command))
    for name, result in read("inference").items():
        said = "; ".join(
            f"{side} {held['notes_per_s']:,.1f}"
            + (f" ({held['over_bare']:.2f} of bare)" if "over_bare" in held else "")
            for side, held in result["sides"].items()
        )
        rows.append((f"MiniLM tagger, {name}", f"{said} notes/s", INFERENCE + " --head linear" * ("linear" in name)))
    return rows


def cost_rows() -> list[Row]:
    """Hours for ten million notes of the size of mtsamples, from the rates measured above on one core and one GPU."""
    rows = []
    workers = next(v for k, v in read("scale").items() if k.startswith("workers") and "rules" in k)
    kept = min(1.0, workers["times_the_first"][-1] / workers["runs"][-1]["config"]["workers"])
    dumps = {"mtsamples/notes.csv, rules only": "rules alone", "mtsamples/notes.csv": "all bundled models"}
    for name, what in dumps.items():
        rate = read("annotate")[name]["median"]["all_notes_per_s"]
        hours = [f"{1e7 / (rate * (cores * kept if cores > 1 else 1)) / 3600:,.1f} h" for cores in (1, 16, 128)]
        rows.append((what, *hours, "", "scripts/bench/annotate.py DUMP"))
    for name, result in read("inference").items():
        if "H100" in name:
            hours = 1e7 / result["sides"]["clinlp bf16"]["notes_per_s"] / 3600
            rows.append(("entities by a MiniLM tagger", "", "", "", f"{hours:,.1f} h", INFERENCE))
    return rows


def table() -> str:
    """Write all tables as Markdown."""
    what = ("what", "figures", "command")
    entities = ("scored on", "trained on", "model", "strict", "overlap", "seeds", "command")
    diagnoses = ("scored on", "network", "alone", *list(MODELS.values())[1:], "command")
    parts = {
        "Finding PHI: characters found / notes without a leak / other characters removed, %": (
            markdown(("notes", *DEID, "command"), deid_rows()),
            markdown(what, culture_rows()),
        ),
        "Entities: models trained on public corpora, F1": (markdown(entities, entity_rows()),),
        "Diagnoses: MAP / micro F1 / macro F1 (codes of 10 notes or more); of one class, accuracy / macro F1": (
            markdown(diagnoses, diagnosis_rows()),
            markdown(what, patient_rows()),
        ),
        "The models in the package, and the rules for context and sections": (
            markdown(what, [*bundled_rows(), *prose_rows()]),
        ),
        "Speed": (markdown(what, [*speed_rows(), *scale_rows(), *service_rows(), *learning_rows()]),),
        "Ten million notes of 3,000 characters, by the rates above": (
            markdown(("work", "1 core", "16 cores", "128 cores", "one H100", "command"), cost_rows()),
        ),
    }
    return "\n".join("\n".join((f"### {title}\n", *tables)) for title, tables in parts.items())


START, END = "<!-- results -->\n", "<!-- end of results -->\n"


def main() -> None:
    text = README.read_text("utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    README.write_text(f"{before}{START}{table()}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
