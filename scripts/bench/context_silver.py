"""Write notes whose contexts the rules gave: `python scripts/bench/context_silver.py --data DATA -o FILE`.

Terms are looked for in English notes (mtsamples); Chinese ones (yidu_s4k, train) bring their entities. Of the
entities that no cue speaks of, few are kept, for they are most. Beside the sentences of `tests/cases` (by
`scripts/context_notes.py`) and the synthetic corpora, this is what the classifier in the results was trained on.
"""

from __future__ import annotations

import argparse
import random
import runpy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from clinlp.note import Lang, Note
from clinlp.records import read_notes, write_notes
from clinlp.spans import Span
from clinlp.text.context import add_context
from clinlp.text.matcher import Matcher
from clinlp.text.sections import find_sections

ENTITIES = 4_000  # of each language
PLAIN = {"en": 1, "zh": 3}  # entities of a note that no cue speaks of


def silver(notes: Iterable[Note], lang: Lang) -> list[Note]:
    """Give notes with entities that the rules speak of, in any order, until there are enough."""
    made = []
    for note in notes:
        spans = add_context(note.text, note.entities, lang, find_sections(note.text, lang))
        plain = [span for span in spans if span.context is None or not span.context.cues]
        left_out = set(plain) - set(random.sample(plain, min(len(plain), PLAIN[lang])))
        kept = tuple(span for span in spans if span not in left_out)
        made.append(replace(note, note_id=f"silver-{note.note_id}", lang=lang, entities=kept))
    random.shuffle(made)
    count, chosen = 0, []
    for note in made:
        if count < ENTITIES:
            chosen.append(note)
            count += len(note.entities)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    random.seed(1)
    terms = runpy.run_path(str(Path(__file__).with_name("prose.py")))["MANY"]
    matcher = Matcher((term, "FINDING") for term in terms)
    english = (
        replace(note, entities=tuple(Span(*found) for found in matcher.find(note.text)))
        for note in read_notes(given.data / "en/mtsamples/notes.jsonl")
    )
    notes = silver((note for note in english if note.entities), "en")
    notes += silver(read_notes(given.data / "zh/yidu_s4k/train.jsonl"), "zh")
    print(f"{write_notes(notes, given.out).n_notes:,} notes")


if __name__ == "__main__":
    main()
