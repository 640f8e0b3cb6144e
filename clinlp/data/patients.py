"""The notes of a patient in order of time, and batches of whole patients."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.batches import by_length, join
from clinlp.data.rows import Ints
from clinlp.models.patients import N_GAP
from clinlp.note import Diagnosis, Note
from clinlp.tagging.windows import overlapping

_YEAR: Final = math.log1p(365)


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient's notes in order.

    Attributes:
        notes: Their places among all notes, the first note first.
        dated: Whether all have a time; if not, they are in the order in which they were given.
        gaps: `(note, 2)`: the logarithm of the days since the note before, 1 for a year; and whether it is not known.
    """

    notes: tuple[int, ...]
    dated: bool
    gaps: NDArray[np.float32]


def patients_of(notes: Sequence[Note]) -> list[Patient]:
    """Put the notes of each patient in order, the first patient first; a note without one is a patient of its own.

    Notes of a day stay in the order in which they were given, as do all notes of a patient of whom one has no time.
    """
    held: defaultdict[str, list[int]] = defaultdict(list)
    for at, note in enumerate(notes):
        held[f"p{note.patient_id}" if note.patient_id else f"n{at}"].append(at)
    return [_patient(notes, places) for places in held.values()]


def portions(notes: Sequence[Note], size: int, *, whole_patients: bool) -> Iterator[list[int]]:
    """Part notes, by their places, into portions of a size.

    Args:
        whole_patients: All notes of a patient in one, which may then be larger.
    """
    if not whole_patients:
        yield from (list(range(first, min(first + size, len(notes)))) for first in range(0, len(notes), size))
        return
    portion: list[int] = []
    for patient in patients_of(notes):
        portion += patient.notes
        if len(portion) >= size:
            yield portion
            portion = []
    if portion:
        yield portion


def undated(patients: Iterable[Patient]) -> str | None:
    """Say how many patients are read in the order in which their notes were given, for want of dates; None if none."""
    sizes = [len(patient.notes) for patient in patients if not patient.dated and len(patient.notes) > 1]
    if not sizes:
        return None
    return (
        f"{len(sizes):,} patients with {sum(sizes):,} notes, of which some have no time: they are read in the order "
        "in which they were given"
    )


def next_codes(notes: Sequence[Note]) -> list[Note]:
    """Give each note the codes of its patient's next visit, None where there is none or nobody annotated it.

    Notes of one day are one visit; without dates each note is one.
    """
    made = [replace(note, diagnoses=None) for note in notes]
    for patient in patients_of(notes):
        visits = [list(group) for _, group in groupby(patient.notes, _day(notes) if patient.dated else None)]
        for visit, following in pairwise(visits):
            given = [diagnoses for at in following if (diagnoses := notes[at].diagnoses) is not None]
            if given:
                codes = dict.fromkeys(diagnosis.code for diagnoses in given for diagnosis in diagnoses)
                for at in visit:
                    made[at] = replace(made[at], diagnoses=tuple(map(Diagnosis, codes)))
    return made


@dataclass(frozen=True, slots=True)
class Cohort:
    """Patients as a model reads them.

    Attributes:
        read: The features of each note, `(piece, feature)`.
        patients: Whose notes they are.
        windowing: Pieces a window holds, and pieces that two windows share.
        fields: `(note, column)`, if the model reads fields.
    """

    read: Sequence[Ints]
    patients: Sequence[Patient]
    windowing: tuple[int, int]
    fields: Tensor | None = None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pieces of each patient."""
        return np.array([sum(len(self.read[at]) for at in patient.notes) for patient in self.patients], np.int64)

    def chunks(self, items: Sequence[int], max_pieces: int) -> tuple[list[dict[str, Tensor]], list[int]]:
        """Lay out the notes of some patients that have words, those of like length together.

        Returns:
            What `PatientDiagnoser.read` takes, each of at most `max_pieces` pieces or of one note; and the notes in
            the order of their rows.
        """
        worded = [at for item in items for at in self.patients[item].notes if len(self.read[at])]
        chunks: list[dict[str, Tensor]] = []
        order: list[int] = []
        for group in by_length(np.array([len(self.read[at]) for at in worded], np.int64), max_pieces):
            places = [worded[each] for each in group.tolist()]
            batch = join([(self.read[at], overlapping(len(self.read[at]), *self.windowing)) for at in places])
            chunks.append({"pieces": batch.pieces, "mask": batch.mask, "places": batch.places})
            order += places
        return chunks, order

    def steps(self, items: Sequence[int], order: Sequence[int], chosen: NDArray[np.bool_]) -> dict[str, Tensor]:
        """Lay out when what is read, as `PatientDiagnoser.join` takes it.

        Args:
            order: The notes in the order of their rows.
            chosen: `(note,)`, of all notes: whose codes are asked for.
        """
        longest = max(len(self.patients[item].notes) for item in items)
        row_of = {at: row for row, at in enumerate(order)}
        shape = (len(items), longest)
        rows, picked = np.full(shape, -1, np.int64), np.zeros(shape, bool)
        gaps = np.zeros((*shape, N_GAP), np.float32)
        places = np.zeros(shape, np.int64)
        for row, item in enumerate(items):
            patient = self.patients[item]
            n = len(patient.notes)
            rows[row, :n] = [row_of.get(at, -1) for at in patient.notes]
            gaps[row, :n] = patient.gaps
            places[row, :n] = patient.notes
            picked[row, :n] = chosen[list(patient.notes)]
        laid = {"rows": torch.from_numpy(rows), "gaps": torch.from_numpy(gaps), "chosen": torch.from_numpy(picked)}
        return laid if self.fields is None else laid | {"fields": self.fields[torch.from_numpy(places)]}

    def heard(self) -> NDArray[np.bool_]:
        """Say of each note whether it, or one before it, has words: of all others there is nothing to be said."""
        found = np.zeros(len(self.read), bool)
        for patient in self.patients:
            found[list(patient.notes)] = np.logical_or.accumulate([len(self.read[at]) > 0 for at in patient.notes])
        return found


def _patient(notes: Sequence[Note], places: Sequence[int]) -> Patient:
    dated = all(notes[at].time is not None for at in places)
    ordered = sorted(places, key=_day(notes)) if dated else places
    gaps = np.tile(np.array([0.0, 1.0], np.float32), (len(ordered), 1))
    if dated:
        days = np.array([_day(notes)(at) for at in ordered])
        gaps[1:, 0], gaps[1:, 1] = np.log1p(np.diff(days)) / _YEAR, 0.0
    return Patient(tuple(ordered), dated, gaps)


def _day(notes: Sequence[Note]) -> Callable[[int], Any]:
    """Give what tells the day of a note by its place."""

    def day(at: int) -> int:
        time = notes[at].time
        return 0 if time is None else time.toordinal()

    return day
