"""What the bundled models are trained on: synthetic notes, and public corpora whose licence lets weights ship."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from clinlp.deid import default_detectors, find_phi
from clinlp.labels import ENTITY_LABELS
from clinlp.note import Diagnosis, Note
from clinlp.records import from_record, read_notes
from clinlp.spans import Span
from corpora.generator import make_notes
from corpora.queries import phi_notes

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
    if model == "phi-en" and part == "train":  # records that hold next to no PHI: what the rules find there is it
        reports = read_notes(data / "en" / "maccrobat2020" / "train.jsonl")
        transcripts = islice(read_notes(data / "en" / "mtsamples" / "notes.jsonl"), 0, None, 4)
        yield from find_phi([*reports, *transcripts], default_detectors())


def synthetic_notes(model: str, n_notes: int, seed: int, part: str) -> Iterator[Note]:
    """Make notes; a note without a diagnosis is a note annotated with none. For PHI, two in three are dense."""
    task, _, lang = model.partition("-")
    if task == "phi":
        yield from phi_notes(lang, 2 * n_notes // 3, seed, part)
        n_notes //= 3
    for record in make_notes(lang, n_notes, seed, part):
        note = from_record(record)
        if task == "phi":
            note = replace(note, phi=tuple(span for span in note.phi if not _is_young(note, span)))
        yield replace(note, diagnoses=tuple(Diagnosis(d.code) for d in note.diagnoses or ()))


def _is_young(note: Note, span: Span) -> bool:
    """Whether a span is an age that identifies nobody: only those from 90 on do."""
    words = note.text[span.start : span.end]
    return span.label == "AGE" and not (
        any(int(number) > 89 for number in re.findall("[0-9]+", words)) or "九十" in words
    )
