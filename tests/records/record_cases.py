"""Notes for the tests of records: written by hand, and drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from hypothesis import strategies as st

from clinlp.note import Diagnosis, Note
from clinlp.spans import Context, Span

ENGLISH = Note(
    "en-1",
    "CC: chest pain.\nNo fever. Mr. Doe takes\naspirin 81 mg.",
    patient_id="p1",
    lang="en",
    time=date(2024, 1, 31),
    entities=(
        Span(4, 14, "SYMPTOM", 0.75, Context()),
        Span(4, 9, "ANATOMY"),
        Span(19, 24, "SYMPTOM", context=Context(negated=True)),
        Span(40, 47, "DRUG", context=Context(historical=True, experiencer="family")),
    ),
    phi=(Span(30, 33, "NAME", 0.5),),
    sections=(Span(4, 15, "chief_complaint"),),
    diagnoses=(Diagnosis("R07.9", 0.9, (Span(4, 14, "evidence"),)), Diagnosis("I20")),
    fields={"ward": "B2", "age": 64, "seen": True, "codes": ["a", None, 1.5], "sub": {"x": {}}},
)
CHINESE = Note(
    "中文-1",
    "主诉：胸痛3天。\n患者王某否认发热，服用阿司匹林😀100mg。\n",
    lang="zh",
    entities=(
        Span(3, 5, "SYMPTOM", context=Context(uncertain=True, hypothetical=True)),
        Span(15, 17, "SYMPTOM", 0.25, Context(negated=True)),
        Span(20, 24, "DRUG"),
    ),
    phi=(Span(11, 13, "NAME"),),
    diagnoses=(),
    fields={"科室": "心内科"},
)
PLAIN = Note("plain", "")
NOTES = (ENGLISH, CHINESE, PLAIN)

# NUL, combining characters, emoji, the byte order mark, every line end, what CSV and brat must quote
ALPHABET = st.one_of(
    st.sampled_from("aZ9 ,;\"'\t\n\r\x00\x0b\x1c\x85\u2028\ufeff\u0301é痛，。😀𠮷-_[]{}%/.\\"),
    st.characters(exclude_categories=["Cs"]),
)
TEXTS = st.text(ALPHABET, max_size=40)
NAMES = st.text(ALPHABET, min_size=1, max_size=12)
LABELS = st.sampled_from(["DISEASE", "DRUG", "疾病", "B-1", "a/b"])
SCORES = st.none() | st.floats(0, 1)
CONTEXTS = st.none() | st.builds(
    Context,
    negated=st.booleans(),
    uncertain=st.booleans(),
    historical=st.booleans(),
    hypothetical=st.booleans(),
    experiencer=st.sampled_from(["patient", "family", "other"]),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def spans(text: str, *, context: bool = False) -> st.SearchStrategy[tuple[Span, ...]]:
    """Spans over a text, nested and overlapping."""
    if not text:
        return st.just(())
    borders = st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True).map(sorted)
    one = st.builds(
        lambda border, label, score, context: Span(border[0], border[1], label, score, context),
        borders,
        LABELS,
        SCORES,
        CONTEXTS if context else st.none(),
    )
    return st.lists(one, max_size=4).map(tuple)


@st.composite
def notes(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Note:
    """Notes with everything that a note can have."""
    text = draw(TEXTS)
    diagnosis = st.builds(Diagnosis, NAMES, SCORES, spans(text))
    return Note(
        draw(NAMES),
        text,
        patient_id=draw(st.none() | NAMES),
        lang=draw(st.sampled_from([None, "en", "zh"])),
        time=draw(st.none() | st.dates()),
        entities=draw(spans(text, context=True)),
        phi=draw(spans(text)),
        sections=draw(spans(text)),
        diagnoses=draw(st.none() | st.lists(diagnosis, max_size=2, unique_by=lambda each: each.code).map(tuple)),
        fields=draw(st.dictionaries(NAMES, JSON, max_size=3)),
    )


def dumps() -> st.SearchStrategy[list[Note]]:
    """Dumps of a few notes with unique ids."""
    return st.lists(notes(), min_size=1, max_size=4, unique_by=lambda note: note.note_id)


def scores(note: Note) -> list[float | None]:
    """All scores of a note, which equality leaves out."""
    found = [span.score for _, span in note.spans()]
    return found + [each.score for each in note.diagnoses or ()]
