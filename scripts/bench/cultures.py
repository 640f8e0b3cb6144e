"""Measure whether names of all cultures are found alike: `python scripts/bench/cultures.py`.

Notes of `corpora/cultures.py`, by the rules alone and by rules and bundled tagger; characters of names that are
found, for each culture. Results go to `results/cultures.json`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from clinlp.inference.config import PipelineConfig
from clinlp.inference.release import Deidentifier
from clinlp.metrics.leakage import score_leakage
from clinlp.note import Lang, Note
from corpora.cultures import EN, ZH, notes_of

RESULTS = Path(__file__).parent / "results" / "cultures.json"
SYSTEMS = {"rules": PipelineConfig(deid="tag", phi="off"), "rules + tagger": PipelineConfig(deid="tag")}


def measure(system: Deidentifier, lang: Lang, culture: str) -> float:
    """Give the share of the characters of names that is found."""
    gold = list(notes_of(lang, culture))
    found = system.find([replace(note, phi=()) for note in gold])
    return score_leakage(gold, [note for note in found if isinstance(note, Note)]).overall.character_recall


def main() -> None:
    held: dict[str, dict[str, dict[str, float]]] = {}
    for name, config in SYSTEMS.items():
        system = Deidentifier(config)
        for lang, cultures in (("en", EN), ("zh", ZH)):
            found = {culture: measure(system, lang, culture) for culture in cultures}
            held.setdefault(lang, {})[name] = found
            print(name, lang, *(f"{culture} {share:.1%}" for culture, share in found.items()), sep="  ")
    RESULTS.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
