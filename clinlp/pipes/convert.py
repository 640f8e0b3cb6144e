"""Notes to spaCy Docs and back: spans in `doc.spans`, what spaCy has no place for in extensions.

| extension | value |
|---|---|
| `span._.score` | probability, or None |
| `span._.context` | `Context` with the offsets of its cues, or None where nobody looked |
| `span._.negated`, `.uncertain`, `.historical`, `.hypothetical` | bool, or None |
| `span._.cues` | the words that say so, as `(start, end, effect)` in characters, or None |
| `span._.experiencer` | `patient`, `family`, `other`, or None |
| `doc._.diagnoses` | `Diagnosis` values with their evidence, or None |
| `doc._.left_out` | spans that no whole token fits into, with their exact offsets |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan
from spacy.util import filter_spans

from clinlp.note import Diagnosis, Note
from clinlp.spans import Context, Span

if TYPE_CHECKING:
    from spacy.language import Language

_KEY: Final = "clinlp"  # of what only a note has, as JSON; `clinlp.records` keeps it in DocBins under the same key


def note_to_doc(note: Note, nlp: Language) -> Doc:
    """Give a Doc, cut into tokens by the pipeline's tokenizer, that holds all that the note holds.

    Entities are also `doc.ents`, the longest first where they overlap. Entities that cut a token are
    narrowed to whole tokens, PHI and sections widened; `doc_to_note` gives entities back as they were.
    """
    from clinlp.records.canonical import to_record
    from clinlp.records.jsonl import dumps
    from clinlp.records.layout import SPAN_SETS

    register_extensions()
    doc = nlp.make_doc(note.text)
    set_spans(doc, "entities", note.entities, "contract")
    set_spans(doc, "phi", note.phi, "expand")
    set_spans(doc, "sections", note.sections, "expand")
    add_ents(doc, doc.spans["entities"], overwrite=True)
    if note.diagnoses is not None:
        set_diagnoses(doc, note.diagnoses)
    held = to_record(replace(note, entities=(), phi=(), sections=(), diagnoses=None))
    record = {key: value for key, value in held.items() if key not in ("text", *SPAN_SETS)}
    doc.user_data[_KEY] = dumps(record, f"note {note.note_id}").decode()
    return doc


def doc_to_note(doc: Doc, *, note_id: str | None = None) -> Note:
    """Give the note that a Doc holds.

    Entities come from `doc.spans["entities"]`, or else from `doc.ents`; diagnoses from
    `doc._.diagnoses`, or else from `doc.cats`.

    Args:
        note_id: The id of a Doc that did not come from a note.

    Raises:
        DataError: There is no id.
    """
    from clinlp.records import marks
    from clinlp.records.canonical import from_record

    record: dict[str, Any] = json.loads(doc.user_data.get(_KEY) or "{}")
    record.setdefault("note_id", note_id)
    if doc.lang_ in ("en", "zh"):
        record.setdefault("lang", doc.lang_)
    known = from_record(record | {"text": doc.text}, note_id=note_id)
    entities = _read_spans(doc, "entities", known.entities)
    if "entities" in doc.spans:
        entities += marks.left_out(doc.user_data).get("entities", ())
    diagnoses = _diagnoses(doc)
    if diagnoses is None:
        diagnoses = known.diagnoses
    if diagnoses is None and doc.cats:
        diagnoses = tuple(Diagnosis(code, score) for code, score in doc.cats.items())
    phi, sections = _read_spans(doc, "phi", known.phi), _read_spans(doc, "sections", known.sections)
    return replace(known, entities=entities, phi=phi, sections=sections, diagnoses=diagnoses)


def record_of(doc: Doc, columns: Iterable[str] = ()) -> Note:
    """Give the note of a Doc without anything that was found in it: its text, patient, time and fields.

    What the note that the Doc came from knew counts first, then extensions of the Doc that have the name
    of a column, `doc._.age`, and `doc._.patient_id` and `doc._.time`.

    Args:
        columns: Fields that somebody needs.
    """
    from clinlp.records.canonical import from_record

    record: dict[str, Any] = json.loads(doc.user_data.get(_KEY) or "{}")
    record["text"] = doc.text
    for name in ("patient_id", "time"):
        if record.get(name) is None and Doc.has_extension(name):
            record[name] = doc._.get(name)
    held = record.get("fields") or {}
    lacking = [name for name in columns if name not in held and Doc.has_extension(name)]
    record["fields"] = held | {name: doc._.get(name) for name in lacking}
    return from_record(record, note_id="doc")


def register_extensions() -> None:
    """Make the extensions known to spaCy; every pipe does so, a program that only reads stored Docs must.

    A name that another package has registered is left to that package.
    """
    from clinlp.records import marks

    registered: list[tuple[type[Doc | DocSpan], str, Any]] = [
        (DocSpan, "score", _score),
        (DocSpan, "context", _context),
        *((DocSpan, field.name, partial(_of_context, field.name)) for field in fields(Context)),
        (Doc, "diagnoses", _diagnoses),
        (Doc, "left_out", _left_out),
    ]
    for owner, name, getter in registered:
        if not owner.has_extension(name):
            owner.set_extension(name, getter=getter)
    for owner in (Doc, DocSpan):
        if not owner.has_extension(marks.EXTENSION):
            owner.set_extension(marks.EXTENSION, default=None)


def set_spans(doc: Doc, key: str, spans: Iterable[Span], mode: Literal["expand", "contract"]) -> tuple[int, int]:
    """Write spans to `doc.spans[key]` as whole tokens; those that no whole token fits into to `doc._.left_out`.

    Args:
        mode: What becomes of a span that cuts a token: `expand` takes the whole token in, and forgets
            the narrower borders; `contract` leaves the token out, and keeps the exact borders.

    Returns:
        How many were widened or narrowed, and how many were left out.
    """
    from clinlp.records import marks

    made: dict[tuple[int, int, str], tuple[DocSpan, Span]] = {}
    left_out: list[Span] = []
    n_changed = 0
    for span in spans:
        found = doc.char_span(span.start, span.end, span.label, alignment_mode=mode)
        if found is None or not len(found):  # spaCy keeps a single space with the word before it
            left_out.append(span)
            continue
        borders = found.start_char, found.end_char, span.label
        n_changed += borders[:2] != (span.start, span.end)
        if borders not in made or (made[borders][1].score or 0.0) < (span.score or 0.0):  # two became one
            made[borders] = found, span
    for (start, end, _), (_, span) in made.items():
        marks.set_mark(doc.user_data, replace(span, start=start, end=end) if mode == "expand" else span, start, end)
    doc.spans[key] = [found for found, _ in made.values()]
    marks.set_left_out(doc.user_data, key, left_out)
    return n_changed, len(left_out)


def add_ents(doc: Doc, spans: Iterable[DocSpan], *, overwrite: bool) -> None:
    """Add spans to `doc.ents`, the longest first where they overlap.

    Args:
        overwrite: Forget the entities that are there; else they stay, and what overlaps them is left out.
    """
    given = () if overwrite else doc.ents
    taken = {at for ent in given for at in range(ent.start, ent.end)}
    free = [span for span in spans if taken.isdisjoint(range(span.start, span.end))]
    doc.set_ents([*given, *filter_spans(free)])


def set_diagnoses(doc: Doc, diagnoses: Sequence[Diagnosis]) -> None:
    """Write diagnoses to `doc.cats` and, with their evidence, to `doc._.diagnoses`, in place of those that were there.

    Other categories stay: they are another component's.
    """
    from clinlp.records import marks

    for each in marks.marked_diagnoses(doc.user_data) or ():  # gold codes would pass for predictions
        doc.cats.pop(each.code, None)
    doc.cats.update({each.code: 1.0 if each.score is None else float(each.score) for each in diagnoses})
    marks.set_diagnoses(doc.user_data, diagnoses)


def _read_spans(doc: Doc, name: str, known: Sequence[Span]) -> tuple[Span, ...]:
    """The spans of one set, each with its mark or with what the note that it came from knew."""
    from clinlp.records import marks

    of_note = {(span.start, span.end, span.label): span for span in known}
    held: Iterable[DocSpan] = doc.spans.get(name, doc.ents if name == "entities" else ())
    length = text_length(doc)
    spans = []
    for each in held:
        key = each.start_char, each.end_char, each.label_
        span = marks.marked_span(doc.user_data, *key) or of_note.get(key) or Span(*key)
        spans.append(_within(span if span.end <= length else replace(span, end=length), length))
    return tuple(spans)


def text_length(doc: Doc) -> int:
    """Count the characters of a Doc without making its text."""
    return doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0


def _within(span: Span, length: int) -> Span:
    """The span without cues that a copied Doc left behind."""
    context = span.context
    if context is None or all(cue.end <= length for cue in context.cues):
        return span
    return replace(span, context=replace(context, cues=tuple([cue for cue in context.cues if cue.end <= length])))


def _score(span: DocSpan) -> float | None:
    from clinlp.records import marks

    marked = marks.marked_span(span.doc.user_data, span.start_char, span.end_char, span.label_)
    return None if marked is None else marked.score


def _context(span: DocSpan) -> Context | None:
    from clinlp.records import marks

    marked = marks.marked_span(span.doc.user_data, span.start_char, span.end_char, span.label_)
    return None if marked is None else _within(marked, text_length(span.doc)).context


def _of_context(name: str, span: DocSpan) -> Any:
    return getattr(_context(span), name, None)


def _diagnoses(doc: Doc) -> tuple[Diagnosis, ...] | None:
    from clinlp.records import marks

    return marks.marked_diagnoses(doc.user_data)


def _left_out(doc: Doc) -> tuple[Span, ...]:
    from clinlp.records import marks

    return tuple(span for spans in marks.left_out(doc.user_data).values() for span in spans)
