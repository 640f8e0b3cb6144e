"""What the bundled models are trained on: synthetic notes, and public corpora whose licence lets weights ship."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from clinlp.labels import ENTITY_LABELS
from clinlp.note import Diagnosis, Note
from clinlp.records import from_record, read_notes
from clinlp.spans import Span
from corpora.generator import make_notes

FINE = {"Duration": "DURATION", "Frequency": "FREQUENCY"}  # finer types of maccrobat2020 that its 12 labels leave out


def under_our_labels(note: Note, renamed: Mapping[str, str]) -> Note:
    """Put a public corpus's spans under the package's labels; those that have none there are left out."""
    spans = [Span(s.start, s.end, renamed.get(s.label, s.label)) for s in note.entities]
    fine = [Span(a, b, FINE[kind]) for a, b, kind in note.fields.get("entities_fine", ()) if kind in FINE]
    return replace(note, entities=tuple(s for s in (*spans, *fine) if s.label in ENTITY_LABELS))


def public_notes(model: str, data: Path, part: str) -> Iterator[Note]:
    """Give the notes of public corpora that a bundled model may learn from."""
    if model == "entities-en":
        for note in read_notes(data / "en" / "maccrobat2020" / f"{part}.jsonl"):
            yield under_our_labels(note, {})
    if model == "diagnosis-en":
        yield from read_notes(data / "en" / "codiesp_en" / f"{part}.jsonl")


def synthetic_notes(lang: str, n_notes: int, seed: int, part: str) -> Iterator[Note]:
    """Make notes; a note without a diagnosis is a note annotated with none."""
    for record in make_notes(lang, n_notes, seed, part):
        note = from_record(record)
        yield replace(note, diagnoses=tuple(Diagnosis(d.code) for d in note.diagnoses or ()))
