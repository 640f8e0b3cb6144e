"""Time the page of notes in a browser: `python scripts/bench/page.py [--notes 5000]`.

The notes are those of the synthetic corpora, again and again, with a diagnosis and its evidence each.
What is timed is the browser's own work on its main thread (Chromium's `Performance.getMetrics`, processor
time); a busy machine makes it longer still, so the load is written beside it. Timed are opening the page,
three searches, a label switched off and on, a jump, and scrolling. Results go to `results/page.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from clinlp.note import Diagnosis, Note
from clinlp.records import read_notes
from clinlp.report.page import render
from scripts.bench.annotate import machine
from scripts.bench.browser import Browser

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results" / "page.json"
STEPS = {
    "search, found in many notes": "find.value = '患者'; find.dispatchEvent(new Event('input'))",
    "search, found in none": "find.value = 'zzzz'; find.dispatchEvent(new Event('input'))",
    "search emptied": "find.value = ''; find.dispatchEvent(new Event('input'))",
    "a label switched off": "bar.querySelector('fieldset input').click()",
    "a label switched on": "bar.querySelector('fieldset input').click()",
    "jump to the middle": "go(Math.floor(notes.length / 2))",
    "scroll by a screen": "scrollBy(0, innerHeight)",
}


def notes_of(n_notes: int) -> list[Note]:
    """Give as many notes of both languages, by turns."""
    held = [
        note
        for pair in zip(*(read_notes(ROOT / "corpora" / lang / "dev.jsonl") for lang in ("en", "zh")), strict=False)
        for note in pair
    ]
    made = []
    for at, note in enumerate(islice(cycle(held), n_notes)):
        codes = tuple(
            Diagnosis(code, 0.9 - 0.2 * k, note.entities[k : k + 2]) for k, code in enumerate(("I10", "E11.9"))
        )
        made.append(replace(note, note_id=f"{note.note_id}-{at}", diagnoses=codes))
    return made


def measure(page: Path, profile: Path) -> dict[str, dict[str, float]]:
    """Open a page and take each step; give milliseconds of the main thread, and what is held after it."""
    made: dict[str, dict[str, float]] = {}
    with Browser(profile) as browser:
        browser.call("Performance.enable", timeDomain="threadTicks")
        before: dict[str, float] = {}
        for name, script in ({"open": ""} | STEPS).items():
            if script:
                browser.run(script)
                browser.settle()
            else:
                browser.open(page)
            now = {each["name"]: each["value"] for each in browser.call("Performance.getMetrics")["metrics"]}
            kinds = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
            made[name] = {kind: round(1000 * (now[kind] - before.get(kind, 0.0)), 1) for kind in kinds}
            made[name] |= {"heap_mb": round(now["JSHeapUsedSize"] / 1e6, 1), "nodes": now["Nodes"]}
            before = now
        if browser.complaints:
            raise RuntimeError(browser.complaints[0])
    return made


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notes", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    notes = notes_of(given.notes)
    began = time.process_time()
    text = render(notes, "bench")
    rendered = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(text, "utf-8")
        rounds = [measure(page, Path(folder) / f"profile-{at}") for at in range(given.rounds)]
    middle = {
        step: {kind: median(each[step][kind] for each in rounds) for kind in rounds[0][step]} for step in rounds[0]
    }
    facts: dict[str, Any] = {
        "machine": machine() | {"load": round(os.getloadavg()[0], 1)},
        "n_notes": len(notes),
        "n_characters": sum(len(note.text) for note in notes),
        "n_spans": sum(len(note.entities) + len(note.phi) for note in notes),
        "page_mb": round(len(text.encode()) / 1e6, 2),
        "render_s": round(rendered, 2),
        "median_ms": middle,
        "rounds": rounds,
    }
    RESULTS.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for step, numbers in middle.items():
        held = f"heap {numbers['heap_mb']:.0f} MB  {numbers['nodes']:,.0f} nodes"
        print(f"{step:30} {numbers['TaskDuration']:8.0f} ms  {held}")


if __name__ == "__main__":
    main()
