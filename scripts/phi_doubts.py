"""Choose which guesses of the rules a PHI tagger may doubt: `python scripts/phi_doubts.py MODEL GOLD... --lang en`.

GOLD are notes with `phi` that the model has not learned from; `corpora/written/...` means those. A label gets the
highest score up to `--most` such that of what the rules find at or below it and the model sees nothing in, at most
`--budget` of the label's gold characters are PHI. The scores are written to the model's config.json.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clinlp.deid import default_detectors
from clinlp.deid.detect import THRESHOLD
from clinlp.inference.phi import PhiTagger
from clinlp.models.store import find_model, load_model, save_model
from clinlp.models.tagger import Tagger
from clinlp.note import Note
from clinlp.records import read_notes
from corpora.written import written_notes

LEAST_WRONG = 0.0005  # of all other characters: for less, a label is not worth a doubt


def unseen(notes: list[Note], tagger: PhiTagger) -> tuple[Counter[tuple[str, float]], Counter[tuple[str, float]]]:
    """Characters that are PHI and that are none in the rules' spans without a candidate, by label and score."""
    right, wrong = Counter[tuple[str, float]](), Counter[tuple[str, float]]()
    bare = [replace(note, phi=()) for note in notes]
    answers = [detector(bare) for detector in default_detectors()]
    for at, (note, candidates) in enumerate(zip(notes, tagger(bare), strict=True)):
        gold = {place for span in note.phi for place in range(span.start, span.end)}
        seen = {place for span in candidates for place in range(span.start, span.end)}
        for span in (span for answer in answers for span in answer[at]):
            places = set(range(span.start, span.end))
            if span.score is not None and span.score >= THRESHOLD and not places & seen:
                right[span.label, span.score] += len(places & gold)
                wrong[span.label, span.score] += len(places - gold)
    return right, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("gold", nargs="+", type=Path)
    parser.add_argument("--lang", choices=("en", "zh"), required=True)
    parser.add_argument("--budget", type=float, default=1e-3, help="share of a label's characters that may be lost")
    parser.add_argument("--most", type=float, default=0.7, help="no rule that is surer is doubted")
    given = parser.parse_args()
    model = load_model(given.model)
    if not isinstance(model, Tagger):
        parser.error(f"{given.model}: a PHI tagger needed")
    is_written = [path.parts[:2] == ("corpora", "written") for path in given.gold]
    notes = [
        note
        for path, own in zip(given.gold, is_written, strict=True)
        for note in (written_notes(given.lang, path.name) if own else read_notes(path))
    ]
    right, wrong = unseen(notes, PhiTagger.load(given.model))
    gold = Counter[str]()
    for span in (span for note in notes for span in note.phi):
        gold[span.label] += len(span)
    n_other = sum(len(note.text) for note in notes) - gold.total()
    chosen = {}
    for label in sorted({label for label, _ in wrong}):
        scores = sorted(score for its, score in {*right, *wrong} if its == label and score <= given.most)
        for score in scores:
            lost, won = (sum(held[label, s] for s in scores if s <= score) for held in (right, wrong))
            if lost <= given.budget * gold[label] and won >= LEAST_WRONG * n_other:
                chosen[label] = score
    print(chosen)
    doubts = {**model.config.doubts, given.lang: chosen}
    model.config = model.config.model_copy(update={"doubts": doubts})
    save_model(find_model(given.model), model, half=True)


if __name__ == "__main__":
    main()
