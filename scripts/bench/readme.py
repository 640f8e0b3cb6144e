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
NEEDS = {"ncbi-lstm": "--en EN.vec.gz", "ncbi-minilm": "--minilm ENCODER", "yidu-lstm": "--zh ZH.vec.gz"}
MODELS = {"ncbi-lstm": "BiLSTM-CRF", "ncbi-minilm": "MiniLM + CRF", "yidu-lstm": "BiLSTM-CRF"}


def read(name: str) -> Any:
    """Read one file of raw results."""
    return json.loads((HERE / "results" / f"{name}.json").read_text("utf-8"))


def rows() -> list[tuple[str, str, str, str]]:
    """Give what was measured, on what, the figures and the command."""
    made = []
    for job in read("entities"):
        strict, overlap = (100 * job[match]["micro"]["f1"] for match in ("strict", "overlap"))
        where = f"{job['scored_on']} ({job['device'].removeprefix('NVIDIA ')})"
        command = f"scripts/bench/entities.py {job['job']} --data DATA {NEEDS[job['job']]}"
        figures = f"strict F1 {strict:.1f}, overlap F1 {overlap:.1f}"
        made.append((f"{MODELS[job['job']]}, trained on its train part", where, figures, command))
    for name, sets in read("bundled").items():
        for result in sets:
            keys = ("strict F1", "overlap F1") if name.startswith("entities") else ("MAP", "top 1")
            figures = ", ".join(f"{key} {100 * result['row'][key]:.1f}" for key in keys)
            made.append((f"bundled `{name}`", result["set"], figures, f"scripts/bench/bundled.py {name} --data DATA"))
    for name in ("zh/deid_multipriv", "zh/deid_tcm", "en/contextual_anonymizer", "en/presidio_synth"):
        found = read(f"phi-{name[3:]}")["phi"]["leakage"]
        figures = f"characters found {100 * found['labels']['all']['character_recall']:.1f} %, "
        if "AGE" in found["labels"]:
            kept = {label: row for label, row in found["labels"].items() if label not in ("all", "AGE")}
            spans = sum(row["n_spans"] for row in kept.values())
            recall = sum(row["n_spans"] * row["span_recall"] for row in kept.values()) / spans
            figures += f"spans other than AGE {100 * recall:.1f} %, "
        figures += f"other characters removed {100 * found['over_redaction']:.2f} %"
        made.append(
            ("PHI rules", f"{name}/dev", figures, f"clinlp evaluate rules DATA/{name}/dev.jsonl --attribute phi")
        )
    for name, result in read("annotate").items():
        median = result["median"]
        figures = (
            f"{median['all_notes_per_s']:.0f} notes/s, {median['all_characters_per_s'] / 1000:,.0f} k characters/s"
        )
        if name.endswith("rules only"):
            figures += f"; tokens + sentences + PHI {median['rules_characters_per_s'] / 1000:,.0f} k characters/s"
        command = "scripts/bench/annotate.py DATA/..." + " --entities off --diagnosis off" * name.endswith("rules only")
        made.append(("annotate, one core", name, figures, command))
    return made


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
