"""Replace parts of a note's text and carry every span along.

The only way in which text changes: spans stay valid because they move with the edits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Cue, Span


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `replacement` in the place of the characters `[start, end)`.

    Neither side is empty, so no span over the edit can vanish.
    """

    start: int
    end: int
    replacement: str = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise DataError(f"edit needs 0 <= start < end, got [{self.start}, {self.end})")
        if not self.replacement:
            raise DataError(f"edit [{self.start}, {self.end}) needs a replacement, got an empty one")


def carry(span: Span, edits: Sequence[Edit]) -> Span:
    """Move one span and its cues; an edge that fell inside an edit moves out to the edit's border.

    Args:
        edits: Ascending and disjoint.
    """
    return _Carrier(edits)(span)


def rewrite(note: Note, edits: Sequence[Edit]) -> Note:
    """Apply all edits at once; entities, PHI, sections and evidence come along.

    Args:
        edits: In any order, disjoint.

    Raises:
        DataError: Two edits share a character, or one ends after the text.
    """
    if not edits:
        return note
    edits = sorted(edits, key=lambda edit: edit.start)
    try:
        carrier = _Carrier(edits)
    except DataError as error:
        raise DataError(f"note {note.note_id}: {error}") from None
    if edits[-1].end > len(note.text):
        raise DataError(f"note {note.note_id}: an edit ends after character {len(note.text)}")
    pieces: list[str] = []
    at = 0
    for edit in edits:
        pieces += (note.text[at : edit.start], edit.replacement)
        at = edit.end
    pieces.append(note.text[at:])
    diagnoses = note.diagnoses
    if diagnoses is not None:
        diagnoses = tuple(replace(d, evidence=tuple(map(carrier, d.evidence))) for d in diagnoses)
    return replace(
        note,
        text="".join(pieces),
        entities=tuple(map(carrier, note.entities)),
        phi=tuple(map(carrier, note.phi)),
        sections=tuple(map(carrier, note.sections)),
        diagnoses=diagnoses,
    )


class _Carrier:
    """Moves spans over one list of edits in logarithmic time each."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self.starts = [edit.start for edit in edits]
        self.ends = [edit.end for edit in edits]
        for end, start in zip(self.ends, self.starts[1:], strict=False):
            if start < end:
                raise DataError(f"edits need to be ascending and disjoint, got one that starts at {start} before {end}")
        growths = (len(edit.replacement) - (edit.end - edit.start) for edit in edits)
        self.shifts = [0, *accumulate(growths)]  # shifts[i]: growth of the first i edits

    def __call__(self, span: Span) -> Span:
        start, end = self.move(span.start, span.end)
        context = span.context
        if context is not None and context.cues:
            context = replace(context, cues=tuple([Cue(*self.move(*cue[:2]), cue.effect) for cue in context.cues]))
        return Span(start, end, span.label, span.score, context)

    def move(self, start: int, end: int) -> tuple[int, int]:
        """Move one range."""
        before = bisect_right(self.ends, start)  # edits that end at or before the range
        upto = bisect_left(self.starts, end)  # edits that start before its end
        if before < len(self.starts):
            start = min(start, self.starts[before])
        if upto:
            end = max(end, self.ends[upto - 1])
        return start + self.shifts[before], end + self.shifts[upto]
