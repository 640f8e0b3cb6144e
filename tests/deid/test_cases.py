"""Regression notes: every kind of identifier and every trap, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinlp.deid import default_detectors, find_phi
from clinlp.note import Note
from clinlp.spans import Span

CASES = Path(__file__).parent.parent / "cases"


def cases() -> list[Note]:
    notes = []
    for path in sorted([*CASES.glob("deid_*.jsonl"), *CASES.glob("adversarial_*.jsonl")]):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            phi = tuple(Span(*span) for span in record["phi"])
            notes.append(Note(record["note_id"], record["text"], lang=record["lang"], phi=phi))
    return notes


@pytest.mark.parametrize("gold", cases(), ids=lambda note: note.note_id)
def test_case(gold: Note) -> None:
    [found] = find_phi([Note(gold.note_id, gold.text, lang=gold.lang)], default_detectors())
    assert marked(found) == marked(gold)


def marked(note: Note) -> str:
    """Write the spans into the text, so that a failing case can be read."""
    text = note.text
    for span in reversed(note.phi):
        text = f"{text[: span.start]}{{{span.label}:{text[span.start : span.end]}}}{text[span.end :]}"
    return text
