"""Short English queries and note lines meant to fool the rules: identifiers in every shape, and what only looks so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinlp.deid import default_detectors, find_phi
from clinlp.metrics.leakage import score_leakage
from clinlp.note import Note
from clinlp.spans import Span

RECORDS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "cases" / "adversarial_en.jsonl").read_text("utf-8").splitlines()
]


def gold_of(record: dict[str, object]) -> Note:
    return Note(record["note_id"], record["text"], lang="en", phi=tuple(Span(*span) for span in record["phi"]))


def found_in(note: Note) -> Note:
    [found] = find_phi([Note(note.note_id, note.text, lang="en")], default_detectors())
    return found


def marked(note: Note) -> str:
    text = note.text
    for span in reversed(note.phi):
        text = f"{text[: span.start]}{{{span.label}:{text[span.start : span.end]}}}{text[span.end :]}"
    return text


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(record, marks=[pytest.mark.xfail(strict=True)] if record.get("known_miss") else [])
        for record in RECORDS
    ],
    ids=lambda record: record["note_id"],
)
def test_case(record: dict[str, object]) -> None:
    gold = gold_of(record)
    assert marked(found_in(gold)) == marked(gold)


def test_the_whole_suite_leaks_little_and_keeps_the_rest() -> None:
    gold = [gold_of(record) for record in RECORDS]
    scores = score_leakage(gold, [found_in(note) for note in gold])
    assert len(gold) >= 400
    assert scores.overall.character_recall >= 0.985
    assert scores.over_redaction < 0.005
