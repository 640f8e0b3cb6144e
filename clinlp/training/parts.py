"""The notes of a run: those to train on, and those to choose the best epoch on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from clinlp.data.batches import Indices
from clinlp.data.features import Loss
from clinlp.data.splits import split
from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.training.config import TrainConfig

if TYPE_CHECKING:
    from clinlp.training.beside import Beside
    from clinlp.training.task import Epoch

Tell: TypeAlias = "Callable[[Beside | Epoch | Loss | str], None]"
Parts: TypeAlias = tuple[Sequence[Note], Sequence[Note]]
"""The notes to train on, and those to choose the best epoch on."""


def read_parts(config: TrainConfig, tell: Tell | None = None) -> tuple[list[Note], list[Note]]:
    """Read the notes to train on and the notes to choose the best epoch on.

    Raises:
        DataError: Two dev notes have one id, so that what is found in them could not be told apart.
    """
    notes = [note for path in config.train for note in read_notes(path)]
    if config.dev:
        dev = [note for path in config.dev for note in read_notes(path)]
        if n_twice := len(dev) - len({note.note_id for note in dev}):
            raise DataError(f"dev: one note of an id needed, got {n_twice:,} whose id came before")
        return notes, dev
    say(tell, *unnamed_patients(notes))
    return hold_out(notes, config)


def hold_out(notes: Sequence[Note], config: TrainConfig) -> tuple[list[Note], list[Note]]:
    """Part notes by patient into those to train on and those to choose the best epoch on.

    Raises:
        DataError: One of the two parts is empty.
    """
    notes, dev = split(notes, config.dev_share, config.seed)
    if not notes or not dev:
        raise DataError("train: notes of several patients needed to hold a dev part out, got too few; give --dev")
    return notes, dev


def shared_notes(notes: Sequence[Note], dev: Sequence[Note]) -> list[str]:
    """Say what dev has in common with train: scores on it are too good, whatever is chosen by them."""
    texts, patients = {note.text for note in notes}, {note.patient_id for note in notes} - {None}
    n_texts = sum(note.text in texts for note in dev)
    n_patients = len({note.patient_id for note in dev} & patients)
    said = [f"{n_texts:,} of {len(dev):,} notes of dev are in train too, word for word"] if n_texts else []
    said += [f"{n_patients:,} patients of dev have notes in train too"] if n_patients else []
    return [f"dev: scores on it are too good: {'; '.join(said)}"] if said else []


def unnamed_patients(notes: Sequence[Note]) -> list[str]:
    """Say that notes cannot be parted by patient, for none names its own."""
    if any(note.patient_id is not None for note in notes):
        return []
    return ["no note has a patient_id: each counts as a patient of its own"]


def say(tell: Tell | None, *news: Loss | str) -> None:
    """Pass on what a run must say before it begins."""
    if tell is not None:
        for each in news:
            tell(each)


def note_ids(notes: Sequence[Note], places: Indices) -> Callable[[Indices], list[str]]:
    """Give what names the notes that windows are of; `places` has the note of each window."""
    return lambda items: [notes[int(places[item])].note_id for item in items.tolist()]
