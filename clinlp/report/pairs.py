"""Released notes beside their originals: what stood where something was replaced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Span, flatten

_SURE: Final = 3  # characters of a stretch between two replacements that is looked for by itself


def originals_of(released: Iterable[Note], originals: Iterable[Note]) -> dict[str, Note]:
    """Give the original of each released note by its id, with the spans that were replaced as its PHI.

    Raises:
        DataError: A released note has no original, or two.
    """
    held: dict[str, Note] = {}
    for note in originals:
        if note.note_id in held:
            raise DataError(f"original {note.note_id}: an id of its own needed, got it twice")
        held[note.note_id] = note
    found = {}
    for note in released:
        if note.note_id not in held:
            raise DataError(f"note {note.note_id}: an original of this id needed, got none")
        original = held[note.note_id]
        marks = replaced(original.text, note)
        found[note.note_id] = original if marks is None else replace(original, phi=marks)
    return found


def replaced(original: str, released: Note) -> tuple[Span, ...] | None:
    """Find what was replaced: the stretches of an original between those that a released text still has.

    Replacements that only a few characters part are one stretch, for those may be part of what was replaced.

    Returns:
        Spans in the original; None if the released text does not come of it by its PHI spans alone.
    """
    marks = list(flatten(released.phi))
    if len(original) == len(released.text):  # masks keep every place
        apart = [at for at, (one, other) in enumerate(zip(original, released.text, strict=True)) if one != other]
        covered = {at for span in marks for at in range(span.start, span.end)}
        if covered.issuperset(apart):
            return tuple(marks)
    stretches: list[Span] = []
    for span in marks:
        between = released.text[stretches[-1].end : span.start] if stretches else ""
        if stretches and len(between) < _SURE and "\n" not in between:
            stretches[-1] = replace(stretches[-1], end=span.end)
        else:
            stretches.append(span)
    borders = [0, *(edge for span in stretches for edge in (span.start, span.end)), len(released.text)]
    kept = [released.text[start:end] for start, end in zip(borders[::2], borders[1::2], strict=True)]
    if not stretches:
        return () if original == released.text else None
    at, stop = len(kept[0]), len(original) - len(kept[-1])
    if at >= stop or not original.startswith(kept[0]) or not original.endswith(kept[-1]):
        return None
    whole, found = (Span(at, stop, stretches[0].label),), []
    for number, span in enumerate(stretches, 1):
        end = stop if number == len(stretches) else original.find(kept[number], at + 1, stop)
        if end <= at:  # a stretch stands in what was replaced too, and was found there: mark more than that, not less
            return whole
        found.append(Span(at, end, span.label))
        at = end + len(kept[number])
    return tuple(found)
