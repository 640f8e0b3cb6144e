"""Write the results table of the README from the raw results: `python scripts/bench/readme.py`.

No number of the table is typed by hand; a test holds the README to what this prints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"
START, END = "<!-- results -->\n", "<!-- end of results -->\n"
OPTIONS = {"minilm": "--minilm ENCODER", "e5": "--e5 ENCODER", "en": "--en EN.vec.gz", "zh": "--zh ZH.vec.gz"}
ENCODERS = {"minilm": "MiniLM", "e5": "e5-small", None: "BiLSTM"}
HEADS = {"pointer": "span scorer", "linear": "linear head", None: "CRF"}


def read(name: str) -> Any:
    """Read one file of raw results."""
    return json.loads((HERE / "results" / f"{name}.json").read_text("utf-8"))


def rows() -> list[tuple[str, str, str, str]]:
    """Give what was measured, on what, the figures and the command."""
    made = []
    for job in read("entities"):
        strict, overlap = (100 * job[match]["micro"]["f1"] for match in ("strict", "overlap"))
        where = f"{job['scored_on']} ({job['device'].removeprefix('NVIDIA ')})"
        used = job["settings"]
        needed = " ".join(option for name, option in OPTIONS.items() if name in used.values())
        command = f"scripts/bench/entities.py {job['job']} --data DATA {needed}"
        model = f"{ENCODERS[used.get('encoder')]} + {HEADS[used.get('head')]}"
        figures = f"strict F1 {strict:.1f}, overlap F1 {overlap:.1f}"
        made.append((f"{model}, trained on its train part", where, figures, command))
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
    for name, result in read("annotate").items():
        median = result["median"]
        figures = (
            f"{median['all_notes_per_s']:.0f} notes/s, {median['all_characters_per_s'] / 1000:,.0f} k characters/s"
        )
        figures += f"; tokens + sentences + PHI {median['rules_characters_per_s'] / 1000:,.0f} k characters/s"
        off = " --phi off --entities off --diagnosis off" * name.endswith("rules only")
        command = f"scripts/bench/annotate.py DATA/...{off}"
        made.append(("annotate, one core", name, figures, command))
    return [*made, *training_rows(), *inference_rows()]


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
