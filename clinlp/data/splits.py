"""Splits that keep a patient on one side, decided by a hash so that they never move."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from clinlp.note import Note


def held_out(note: Note, share: float, seed: int = 0) -> bool:
    """Say whether a note belongs to the held-out part.

    All notes of a patient fall on the same side; a note without a patient counts by its own id.
    The order of the notes and the size of the set play no part.

    Args:
        share: Expected share of patients held out, 0 to 1.
    """
    key = f"{seed}:{note.patient_id or note.note_id}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def split(notes: Iterable[Note], share: float, seed: int = 0) -> tuple[list[Note], list[Note]]:
    """Part notes into those kept for training and those held out."""
    train: list[Note] = []
    dev: list[Note] = []
    for note in notes:
        (dev if held_out(note, share, seed) else train).append(note)
    return train, dev
