"""Write the results table of the README from the raw results: `python scripts/bench/readme.py`.

No number of the table is typed by hand; a test holds the README to what this prints.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"
START, END = "<!-- results -->\n", "<!-- end of results -->\n"
OPTIONS = {"minilm": "--minilm ENCODER", "e5": "--e5 ENCODER", "en": "--en EN.vec.gz", "zh": "--zh ZH.vec.gz"}
ENCODERS = {"minilm": "MiniLM", "e5": "e5-small", None: "BiLSTM"}
HEADS: dict[str | None, str] = {"pointer": "span scorer", "linear": "linear head", None: "CRF"}


def read(name: str) -> Any:
    """Read one file of raw results."""
    return json.loads((HERE / "results" / f"{name}.json").read_text("utf-8"))


def rows() -> list[tuple[str, str, str, str]]:
    """Give what was measured, on what, the figures and the command."""
    made = [*entity_rows(), *diagnosis_rows(), *patient_rows()]
    for name, sets in read("bundled").items():
        if name.startswith("phi"):  # shown beside the rules, as they are used
            continue
        for result in sets:
            keys = ("strict F1", "overlap F1") if name.startswith("entities") else ("MAP", "top 1")
            figures = ", ".join(f"{key} {100 * result['row'][key]:.1f}" for key in keys)
            made.append((f"bundled `{name}`", result["set"], figures, f"scripts/bench/bundled.py {name} --data DATA"))
    for where, systems in read("deid").items():
        for name, result in systems.items():
            on = where if where.startswith("corpora/") else f"{where}/dev"
            made.append((f"PHI, {name}", on, figures_of(result), "scripts/bench/deid.py --data DATA"))
    for lang, systems in read("cultures").items():
        for name, found in systems.items():
            low, high = min(found, key=lambda each: found[each]), max(found.values())
            figures = f"names of {len(found)} cultures: characters found {found[low]:.1%} ({low}) to {high:.1%}"
            made.append((f"PHI, clinlp {name}", f"corpora/cultures.py, {lang}", figures, "scripts/bench/cultures.py"))
    for name, result in read("annotate").items():
        median = result["median"]
        figures = (
            f"{median['all_notes_per_s']:.0f} notes/s, {median['all_characters_per_s'] / 1000:,.0f} k characters/s"
        )
        figures += f"; tokens + sentences + PHI {median['rules_characters_per_s'] / 1000:,.0f} k characters/s"
        off = " --phi off --entities off --diagnosis off" * name.endswith("rules only")
        command = f"scripts/bench/annotate.py DATA/...{off}"
        made.append(("annotate, one core", name, figures, command))
    return [*made, *prose_rows(), *training_rows(), *inference_rows()]


def prose_rows() -> list[tuple[str, str, str, str]]:
    """What the table shows of the readers of prose: what they find, and how fast beside peers."""
    held, made = read("prose"), []
    command = "scripts/bench/prose.py --data DATA --peer edsnlp=PYTHON --peer medspacy=PYTHON"
    for name, result in held["quality"].items():
        scores = result.get("scores") or {"sections": result}
        figures = ", ".join(f"{label} F1 {100 * each['f1']:.1f}" for label, each in scores.items())
        what = "sections" if "sections" in scores else "context"
        made.append((f"{what}, {'trained' if 'trained' in name else 'rules'}", name, figures, command))
    for task, sides in held["speed"]["tasks"].items():
        shown = {side: each for side, each in sides.items() if side != "times"}
        figures = ", ".join(
            f"{side} {each['notes_per_s']:,.0f} notes/s ({each['characters_per_s'] / 1e6:,.2f} M characters/s)"
            for side, each in shown.items()
        )
        what = "tokens" if task == "tokens" else f"sentences, context of {task}"
        made.append((f"{what}, one core", "mtsamples", figures, command))
    return made


def entity_rows() -> list[tuple[str, str, str, str]]:
    """What the table shows of taggers trained on public corpora: the mean of the seeds and their spread."""
    made = []
    for seeds in by_job("entities"):
        used, scored_on = seeds[0]["settings"], seeds[0]["scored_on"]
        needed = " ".join(option for name, option in OPTIONS.items() if name in used.values())
        parts = "train and dev" if used.get("whole") and scored_on.endswith("test") else "train"
        model = f"{ENCODERS[used.get('encoder')]} {'+ words ' * bool(used.get('stacked'))}+ {HEADS[used.get('head')]}"
        figures = [
            f"{match} F1 {spread([each[match]['micro']['f1'] for each in seeds])}" for match in ("strict", "overlap")
        ]
        command = f"scripts/bench/entities.py {seeds[0]['job']} --data DATA {needed}"
        made.append(
            (f"{model}, trained on its {parts}", f"{scored_on} ({devices(seeds)})", ", ".join(figures), command)
        )
    return made


def diagnosis_rows() -> list[tuple[str, str, str, str]]:
    """What the table shows of diagnosers: the network, and what stands beside it."""
    made = []
    for seeds in by_job("diagnosis"):
        used, models = seeds[0]["settings"], seeds[0]["models"]
        single = bool(used.get("single"))
        kinds = [("micro", "accuracy"), ("macro", "macro F1")] if single else [("map", "MAP"), ("micro", "micro F1")]
        kinds += [] if single else [("macro", "macro F1")]
        figures = [
            f"{name}: "
            + ", ".join(f"{shown} {spread([_value(each, name, key) for each in seeds])}" for key, shown in kinds)
            for name in models
        ]
        needed = " ".join(
            option for name, option in (*OPTIONS.items(), ("icd", "--icd ICD.csv")) if name in used.values()
        )
        encoder = {"lstm": "BiLSTM", "cnn": "CNN"}.get(used["encoder"]) or ENCODERS[used["encoder"]]
        on = f"{seeds[0]['scored_on']}{', 3 characters' * (used.get('code_length') == 3)} ({devices(seeds)})"
        command = f"scripts/bench/diagnosis.py {seeds[0]['job']} --data DATA {needed}".rstrip()
        made.append((f"diagnoser, {encoder}", on, "; ".join(figures), command))
    return made


def patient_rows() -> list[tuple[str, str, str, str]]:
    """What the table shows of models of patients, where the history alone says what comes next."""
    seeds = [each for each in read("patients") if each["job"].startswith("history")]
    models = [(name, spread([each["models"][name]["top1"] for each in seeds])) for name in seeds[0]["models"]]
    figures = f"top 1, at most {100 * seeds[0]['ceiling']:.0f}: " + ", ".join(
        f"{name} {share}" for name, share in models
    )
    return [
        (
            "next visit's code",
            f"simulated patients ({devices(seeds)})",
            figures,
            "scripts/bench/patients.py history --encoder cnn",
        )
    ]


def _value(result: dict[str, Any], model: str, key: str) -> float:
    held = result["models"][model][key]
    return float(held["f1"] if isinstance(held, dict) else held)


def by_job(name: str) -> list[list[dict[str, Any]]]:
    """Give the results of each job, all seeds together."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for result in read(name):
        jobs.setdefault(result["job"], []).append(result)
    return [sorted(seeds, key=lambda each: each["seed"]) for seeds in jobs.values()]


def spread(shares: list[float]) -> str:
    """Write the mean in percent; of several seeds with the standard deviation."""
    if len(shares) == 1:
        return f"{100 * shares[0]:.1f}"
    return f"{100 * mean(shares):.1f} ± {100 * stdev(shares):.1f} ({len(shares)} seeds)"


def devices(seeds: list[dict[str, Any]]) -> str:
    """Name what they were trained on."""
    return ", ".join(dict.fromkeys(each["device"].removeprefix("NVIDIA ") for each in seeds))


def training_rows() -> list[tuple[str, str, str, str]]:
    """What the table shows of trainers side by side."""
    made = []
    for name, result in read("training").items():
        command = "scripts/bench/training.py --data DATA --minilm ENCODER --edsnlp PYTHON"
        command += " --every 1" * ("1 of" not in name)
        for side, held in result["sides"].items():
            figures = (
                f"{held['epoch_cpu_s']:.1f} s an epoch, {held['pieces_per_cpu_s']:,.0f} pieces/s, padding "
                f"{held['padding_share']:.0%}, strict F1 {100 * held['f1']:.1f} after {len(held['epochs'])} epochs"
            )
            precision = "float32" if held["precision_used"] == "no" else held["precision_used"]
            made.append((f"training MiniLM, one thread, {side} ({precision})", name, figures, command))
    return made


def inference_rows() -> list[tuple[str, str, str, str]]:
    """What the table shows of one tagger in every harness."""
    made = []
    for name, result in read("inference").items():
        for side, held in result["sides"].items():
            figures = f"{held['notes_per_s']:.1f} notes/s, {held['pieces_per_s']:,.0f} pieces/s"
            if "over_bare" in held:
                ratios = ", ".join(f"{ratio:.1f} of {peer}" for peer, ratio in held["over_pipelines"].items())
                figures += f"; {held['over_bare']:.2f} of the bare forward, {ratios}"
            command = "scripts/bench/inference.py --data DATA --minilm ENCODER"
            command += " --head linear" * ("linear" in name)
            made.append((f"MiniLM tagger, {side}", name, figures, command))
    return made


def figures_of(result: dict[str, Any]) -> str:
    """What the table shows of one de-identifier on one set."""
    characters, spans = (result["overall"][f"{kind}_recall"]["value"] for kind in ("character", "span"))
    clean, other, speed = result["notes"]["clean_share"], result["over_redaction"]["value"], result["characters_per_s"]
    return (
        f"characters found {characters:.1%}, spans {spans:.1%}, notes without a leak {clean:.1%}, "
        f"other characters removed {other:.2%}; {speed / 1000:,.0f} k characters/s"
    )


def table() -> str:
    """Write the rows as Markdown."""
    lines = ["| what | on | figures | command |", "|---|---|---|---|"]
    lines += ["| " + " | ".join((*row[:3], f"`{row[3]}`")) + " |" for row in rows()]
    return "\n".join(lines) + "\n"


def main() -> None:
    text = README.read_text("utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    README.write_text(f"{before}{START}{table()}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
