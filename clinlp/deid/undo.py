"""What a release took from a note, as plain data, and how to give it back."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final, TypeAlias

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.rewrite import Edit, rewrite
from clinlp.spans import Span

Taken: TypeAlias = dict[str, Any]
"""What was taken from one note, ready for JSON; it is PHI from end to end."""

Offsets: TypeAlias = tuple[int, int]

_OFFSETS: Final = ("tokens", "sentences")  # what annotated output has beside a note: offsets of the released text


def undo(original: Note, released: Note) -> list[Edit]:
    """The edits of the released text that give the original text back.

    With `rewrite` they carry what was found in a release (entities, missed PHI) to the original.
    A replacement that is the same as the original words needs no edit.

    Args:
        original: The note with the `phi` from which the release was made.
        released: What `deidentify` made of it, with one PHI span for each of the original's.

    Raises:
        DataError: The PHI spans do not pair, or do not account for every difference of the texts.
    """
    return _edits(original, released)[1]


def taken(original: Note, released: Note) -> Taken:
    """What the release took away or changed: words, ids, dates, columns, and borders that it moved.

    Raises:
        DataError: As `undo`: a note that cannot be given back is not sealed.
    """
    forward, back = _edits(original, released)
    held: Taken = {
        "note_id": original.note_id,
        "patient_id": original.patient_id,
        "lang": original.lang,
        "time": original.time.isoformat() if original.time is not None else None,
        "edits": [[edit.start, edit.end, edit.replacement] for edit in back],
        "fields": dict(original.fields),
        "kept": [name for name, value in original.fields.items() if _same(released.fields, name, value)],
    }
    if borders := _borders(original, released, forward):
        held["borders"] = borders
    return held


def give_back(released: Note, held: Mapping[str, Any]) -> Note:
    """The original note: its text, ids, dates and columns, with every span carried back.

    What was added to the release since (entities, codes, columns) comes along, and so does a change
    in a column that was released as it was.

    Args:
        held: From `taken`, for a release with this very text.
    """
    back = [Edit(start, end, words) for start, end, words in held["edits"]]
    fields = dict(held["fields"])
    kept = held["kept"]
    for name, value in released.fields.items():
        if (name in kept and _words(value) != _words(fields[name])) or (name not in fields and name not in _OFFSETS):
            fields[name] = value
    time = held["time"]
    note = replace(
        released,
        note_id=held["note_id"],
        patient_id=held["patient_id"],
        lang=held["lang"] or released.lang,
        time=date.fromisoformat(time) if time is not None else None,
        fields=fields,
    )
    return _put(note, back, held["borders"]) if "borders" in held else rewrite(note, back)


def _edits(original: Note, released: Note) -> tuple[list[Edit], list[Edit]]:
    """The edits there and back, proven on the texts.

    Where the words stayed the same nothing needs to be put back, but an edit may have been made, and
    have moved the borders of spans.
    """
    where = f"note {original.note_id}"
    if len(original.phi) != len(released.phi):
        raise DataError(
            f"{where}: a released PHI span for each of {len(original.phi)} needed to seal it, got {len(released.phi)}"
        )
    forward, back = [], []
    for was, is_now in zip(original.phi, released.phi, strict=True):
        words, replacement = original.text[was.start : was.end], released.text[is_now.start : is_now.end]
        forward.append(Edit(was.start, was.end, replacement))
        if words != replacement:
            back.append(Edit(is_now.start, is_now.end, words))
    there = rewrite(Note("there", original.text), forward).text
    if there != released.text or rewrite(Note("back", released.text), back).text != original.text:
        raise DataError(f"{where}: a release that differs in its PHI alone needed to seal it, got other differences")
    return forward, back


def _borders(original: Note, released: Note, forward: Sequence[Edit]) -> list[list[Any]]:
    """Where spans of the release came from whose borders fell inside an edit, and moved out to its border.

    One row for each kind, label and place in the release that has such a span: these four, and the
    borders in the original text of all spans that came there, in their order.
    """
    starts = [edit.start for edit in forward]

    def inside(at: int) -> bool:
        before = bisect_left(starts, at)
        return before > 0 and at < forward[before - 1].end

    cut = [inside(span.start) or inside(span.end) for _, span in original.spans()]
    if not any(cut):
        return []
    there = {(kind, span.label, span.start, span.end) for kind, span in released.spans()}
    changed = [edit for edit in forward if edit.replacement != original.text[edit.start : edit.end]]
    borders: dict[tuple[str, str, int, int], list[list[int]]] = {}
    needed = set()
    every = zip(original.spans(), _moved(original, changed)[1], _moved(original, forward)[1], cut, strict=True)
    for (kind, span), place, other, is_cut in every:
        # of a PHI span whose words stayed the same, the place alone tells whether it was edited
        key = (kind, span.label, *place)
        if key not in there:
            key = (kind, span.label, *other)
        borders.setdefault(key, []).append([span.start, span.end])
        if is_cut and key in there:
            needed.add(key)
    return [[*key, own] for key, own in borders.items() if key in needed]


def _moved(note: Note, edits: Sequence[Edit]) -> tuple[str, list[Offsets]]:
    """The text after the edits, and where each of `note.spans()` lies then, in their order."""
    numbered = tuple(Span(span.start, span.end, str(at)) for at, (_, span) in enumerate(note.spans()))
    after = rewrite(Note("numbered", note.text, entities=numbered), edits)
    places = {int(span.label): (span.start, span.end) for span in after.entities}
    return after.text, [places[at] for at in range(len(numbered))]


def _put(note: Note, back: Sequence[Edit], rows: Sequence[Sequence[Any]]) -> Note:
    """The note after the edits, with the borders that `_borders` kept."""
    text, places = _moved(note, back)
    borders = {(kind, label, start, end): list(own) for kind, label, start, end, own in rows}
    for at, (kind, span) in enumerate(note.spans()):
        own = borders.get((kind, span.label, span.start, span.end))
        if own:
            start, end = own.pop(0) if len(own) > 1 else own[0]
            places[at] = start, end
    found = iter(places)

    def put(spans: Sequence[Span]) -> tuple[Span, ...]:
        moved = []
        for span in spans:
            start, end = next(found)
            moved.append(replace(span, start=start, end=end))
        return tuple(moved)

    entities, phi, sections = put(note.entities), put(note.phi), put(note.sections)  # the order of `Note.spans`
    diagnoses = note.diagnoses
    if diagnoses is not None:
        diagnoses = tuple(replace(each, evidence=put(each.evidence)) for each in diagnoses)
    return replace(note, text=text, entities=entities, phi=phi, sections=sections, diagnoses=diagnoses)


def _same(fields: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in fields and type(fields[name]) is type(value) and bool(fields[name] == value)


def _words(value: Any) -> str:
    """A column's value as a CSV file on the way has it, for there a number and its digits are the same."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
