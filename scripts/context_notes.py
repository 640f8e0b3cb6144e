"""Write sentences whose [entities] are marked as notes that `clinlp train context` reads.

python scripts/context_notes.py tests/cases/context_*.jsonl -o sentences.jsonl
clinlp train context --train sentences.jsonl --train corpora/en/train.jsonl -o runs/context

A line of the input has `text` and, for each entity in its brackets, letters of what holds in `context`:
n(egated), u(ncertain), h(istorical), p(ossible later: hypothetical), f(amily), o(ther). A letter with `?` may
hold or not: it is left out.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from clinlp.note import Note
from clinlp.records import write_notes
from clinlp.spans import Context, Span
from clinlp.text.language import detect_language


def note_of(note_id: str, marked: str, said: Sequence[str]) -> Note:
    """Read one sentence."""
    text, spans = "", []
    for at, part in enumerate(re.split(r"[\[\]]", marked)):
        if at % 2:
            holds = set(re.sub(r"\w\?", "", said[at // 2]))
            who = "family" if "f" in holds else "other" if "o" in holds else "patient"
            context = Context("n" in holds, "u" in holds, "h" in holds, "p" in holds, who)
            spans.append(Span(len(text), len(text) + len(part), "FINDING", None, context))
        text += part
    return Note(note_id, text, lang=detect_language(text), entities=tuple(spans))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    notes = []
    for path in given.inputs:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            record = json.loads(line)
            notes.append(note_of(f"{path.stem}-{number}", record["text"], record["context"]))
    print(f"{write_notes(notes, given.out).n_notes:,} notes")


if __name__ == "__main__":
    main()
