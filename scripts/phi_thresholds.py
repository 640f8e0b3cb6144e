"""Choose how sure a PHI tagger must be of each label: `python scripts/phi_thresholds.py MODEL DUMP... [--budget 5e-4]`.

DUMPs are notes without PHI, or nearly so, or with gold `phi`: that and what the rules find counts as PHI, all else is
none. A label gets the least level at which it removes at most the budget's share of the characters of any one dump;
one that never keeps it is left to the rules. The levels are written to the model's config.json.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clinlp.deid import default_detectors, find_phi
from clinlp.inference.phi import LEVELS, PhiTagger
from clinlp.models.store import find_model, load_model, save_model
from clinlp.models.tagger import Tagger
from clinlp.note import Note
from clinlp.records import read_notes

NEVER = 1.0


def removed(tagger: PhiTagger, notes: list[Note]) -> dict[tuple[str, float], float]:
    """Share of the characters that each label would remove at each level, what the rules find left out."""
    counts = {(label, level): 0 for label in tagger.labels for level in LEVELS}
    for note, spans in zip(find_phi(notes, default_detectors()), tagger(notes), strict=True):  # joins gold and found
        covered = {at for span in note.phi for at in range(span.start, span.end)}
        for label, level in counts:
            here = [s for s in spans if s.label == label and s.score is not None and s.score >= level]
            counts[label, level] += len({at for s in here for at in range(s.start, s.end)} - covered)
    total = sum(len(note.text) for note in notes)
    return {key: count / total for key, count in counts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dumps", nargs="+", type=Path)
    parser.add_argument("--budget", type=float, default=5e-4, help="share of characters a label may remove for nothing")
    parser.add_argument("--least", type=float, default=0.3, help="no label gets a lower level")
    parser.add_argument("--notes", type=int, default=300, help="notes of each dump, every other one")
    given = parser.parse_args()
    model = load_model(given.model)
    if not isinstance(model, Tagger):
        parser.error(f"{given.model}: a PHI tagger needed")
    model.config = model.config.model_copy(update={"thresholds": {}})
    tagger = PhiTagger(model, PhiTagger.load(given.model).reader)
    dumps = [list(islice(read_notes(path), 1, 2 * given.notes, 2)) for path in given.dumps]
    shares = [removed(tagger, notes) for notes in dumps]
    levels = sorted(level for level in LEVELS if level >= given.least)
    chosen = {
        label: next((level for level in levels if all(share[label, level] <= given.budget for share in shares)), NEVER)
        for label in tagger.labels
    }
    print(chosen)
    model.config = model.config.model_copy(update={"thresholds": chosen})
    save_model(find_model(given.model), model, half=True)


if __name__ == "__main__":
    main()
