"""Splits that keep a patient on one side: by a hash, so that they never move, or balanced into folds."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from clinlp.errors import UsageError
from clinlp.note import Note


def split(notes: Iterable[Note], share: float, seed: int = 0) -> tuple[list[Note], list[Note]]:
    """Part notes into those kept for training and those held out.

    All notes of a patient fall on the same side; a note without a patient counts by its own id. The
    order of the notes and the size of the set play no part.

    Where chance would leave a part without a patient, as it may with a handful of them, the one whose hash is
    nearest to the border goes there.

    Args:
        share: Expected share of patients held out, 0 to 1.
    """
    given = list(notes)
    places = {patient: _hash(f"{seed}:{patient}") for patient in {_patient(note) for note in given}}
    apart = {patient for patient, place in places.items() if place < share * 2**64}
    if len(places) > 1 and 0 < share < 1:
        if not apart:
            apart = {min(places, key=places.__getitem__)}
        elif len(apart) == len(places):
            apart.remove(max(places, key=places.__getitem__))
    parts: tuple[list[Note], list[Note]] = ([], [])
    for note in given:
        parts[_patient(note) in apart].append(note)
    return parts


def deal(
    notes: Sequence[Note], n_folds: int, seed: int = 0, labels: Callable[[Note], Iterable[str]] = lambda _: ()
) -> list[int]:
    """Deal patients into folds alike in size and in labels, and give the fold of each note, from 0.

    Patients come by falling number of notes, those of equal number in an order that the seed and
    their ids decide; each goes where its labels are scarcest so far, among the folds that it does not
    make too large. The order of the notes plays no part.

    Args:
        labels: What should be spread evenly: the labels of a note's spans, or its codes.

    Raises:
        UsageError: There are fewer patients than folds.
    """
    patients: defaultdict[str, list[Note]] = defaultdict(list)
    for note in notes:
        patients[_patient(note)].append(note)
    if len(patients) < n_folds:
        raise UsageError(f"folds: at most as many as patients needed ({len(patients):,}), got {n_folds}")
    wanted = {
        patient: Counter(label for note in theirs for label in labels(note)) for patient, theirs in patients.items()
    }
    totals = sum(wanted.values(), Counter[str]())
    full = math.ceil(len(notes) / n_folds)
    sizes = [0] * n_folds
    held = [Counter[str]() for _ in range(n_folds)]
    fold_of: dict[str, int] = {}
    for patient in sorted(patients, key=lambda each: (-len(patients[each]), _hash(f"fold:{seed}:{each}"))):
        n, counts = len(patients[patient]), wanted[patient]
        room = [fold for fold in range(n_folds) if sizes[fold] + n <= full] or [sizes.index(min(sizes))]

        def crowding(fold: int, counts: Counter[str] = counts) -> tuple[float, int]:
            there = held[fold]  # the growth of the folds' chi-square: a rare label weighs as much as a common one
            return sum(n * there[label] / totals[label] for label, n in counts.items()), sizes[fold]

        fold = min(room, key=crowding)
        fold_of[patient] = fold
        sizes[fold] += n
        held[fold].update(counts)
    return [fold_of[_patient(note)] for note in notes]


def nested(notes: Sequence[Note], shares: Sequence[float], seed: int = 0) -> list[list[Note]]:
    """Give growing parts of the notes, each with all notes of so large a share of the patients.

    The patients of a smaller part are among those of a larger one. A part has one patient at least.
    """
    patients = sorted({_patient(note) for note in notes}, key=lambda each: (_hash(f"nested:{seed}:{each}"), each))
    rank = {patient: at for at, patient in enumerate(patients)}
    sizes = (max(1, round(share * len(patients))) for share in shares)
    return [[note for note in notes if rank[_patient(note)] < size] for size in sizes]


def count_patients(notes: Iterable[Note]) -> int:
    """Count patients; a note without one counts as one."""
    return len({_patient(note) for note in notes})


def _patient(note: Note) -> str:
    return note.patient_id or note.note_id


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
