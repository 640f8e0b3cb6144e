"""The two sides of a score, note by note."""

from __future__ import annotations

from collections.abc import Iterable

from clinlp.errors import DataError
from clinlp.note import Note


def pair_notes(gold: Iterable[Note], predicted: Iterable[Note], *, same_text: bool = True) -> list[tuple[Note, Note]]:
    """Pair every gold note with the predicted note of its id, in the order of gold.

    Args:
        gold: Notes as they should be.
        predicted: The same notes as they came out, in any order.
        same_text: Whether offsets will be compared, so that both sides need the same text.

    Raises:
        DataError: A note is missing, extra or there twice, or the two texts differ; names its id.
    """
    golds, found = _by_id(gold, "gold"), _by_id(predicted, "predicted")
    for note_id in golds:
        if note_id not in found:
            raise DataError(f"note {note_id}: a predicted note needed for every gold one, got none")
    for note_id in found:
        if note_id not in golds:
            raise DataError(f"note {note_id}: a gold note needed for every predicted one, got none")
    pairs = [(note, found[note_id]) for note_id, note in golds.items()]
    if same_text:
        for note, other in pairs:
            if note.text != other.text:
                raise DataError(
                    f"note {note.note_id}: the same text needed on both sides, "
                    f"got {len(note.text)} gold and {len(other.text)} predicted characters that differ"
                )
    return pairs


def _by_id(notes: Iterable[Note], side: str) -> dict[str, Note]:
    found: dict[str, Note] = {}
    for note in notes:
        if note.note_id in found:
            raise DataError(f"note {note.note_id}: one {side} note of an id needed, got two")
        found[note.note_id] = note
    return found
