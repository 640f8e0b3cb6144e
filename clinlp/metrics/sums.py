"""Scores of many draws of notes at once, from sums of what each note counts.

Only counts that are not 0 are held, so that thousands of codes over many notes fit the memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clinlp.metrics.intervals import Floats
from clinlp.metrics.prf import NoteCounts, Prf

Indices = NDArray[np.intp]
KINDS: Final = ("precision", "recall", "f1")
MACRO: Final = "macro_f1"
_HELD: Final = 4_000_000  # numbers held at once


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of sums are: labels (gold, predicted, correct), then shares (above, below the line).

    Attributes:
        units: Number of the unit (a note, or all notes of a patient) that each note is drawn with.
        shown: Labels that have scores of their own; all have their part in the macro score.
    """

    labels: tuple[str, ...]
    shares: tuple[str, ...]
    units: Indices
    n_units: int
    shown: tuple[str, ...]

    @classmethod
    def of(cls, runs: Sequence[Sequence[NoteCounts]], groups: Sequence[tuple[str, str]], n_shown: int) -> Layout:
        """Lay out the labels of all runs over the same notes.

        Args:
            groups: What each note is drawn with.
            n_shown: Labels shown at most, those that gold has most of.
        """
        numbers: dict[tuple[str, str], int] = {}
        units = np.fromiter((numbers.setdefault(group, len(numbers)) for group in groups), np.intp, len(groups))
        totals: dict[str, int] = {}
        for run in runs:
            for note in run:
                for label, prf in note.labels.items():
                    totals[label] = totals.get(label, 0) + prf.n_gold
        shown = sorted(sorted(totals, key=lambda label: (-totals[label], label))[:n_shown])
        shares = tuple(dict.fromkeys(name for run in runs for note in run for name in note.shares))
        return cls(tuple(sorted(totals)), shares, units, len(numbers), tuple(shown))

    @property
    def n_columns(self) -> int:
        """How many sums a run has."""
        return 3 * len(self.labels) + 2 * len(self.shares)

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """The scores in order, each a kind and its label; all labels together have the label ``""``."""
        overall = tuple((name, "") for name in (*KINDS, MACRO, *self.shares))
        return overall + tuple((kind, label) for label in self.shown for kind in KINDS)

    def counts(self, notes: Sequence[NoteCounts]) -> Counts:
        """Gather what the notes of a run count."""
        at = {label: place for place, label in enumerate(self.labels)}
        n_labels, n_shares = len(self.labels), len(self.shares)
        found: list[tuple[int, int, float]] = []
        for unit, note in zip(self.units.tolist(), notes, strict=True):
            for label, prf in note.labels.items():
                for part, count in enumerate((prf.n_gold, prf.n_predicted, prf.n_correct)):
                    found.append((part * n_labels + at[label], unit, count))
            for place, name in enumerate(self.shares):
                for part, number in enumerate(note.shares.get(name, (0.0, 0.0))):
                    found.append((3 * n_labels + part * n_shares + place, unit, number))
        return Counts.of(np.array(found, np.float64).reshape(-1, 3), self.n_columns)

    def scores(self, sums: Floats) -> Floats:
        """Make scores of sums, in the order of `names`; NaN where there is nothing to count.

        Args:
            sums: `(draw, column)`.

        Returns:
            `(draw, score)`.
        """
        n_labels, n_shares = len(self.labels), len(self.shares)
        parts = (sums[:, part * n_labels : (part + 1) * n_labels] for part in range(3))
        n_gold, n_predicted, n_correct = parts
        above, below = sums[:, 3 * n_labels :][:, :n_shares], sums[:, 3 * n_labels + n_shares :]
        micro = _prf(*(part.sum(1, keepdims=True) for part in (n_gold, n_predicted, n_correct)))
        f1 = divide(2 * n_correct, n_gold + n_predicted)
        there = ~np.isnan(f1)
        macro = divide(np.where(there, f1, 0.0).sum(1, keepdims=True), there.sum(1, keepdims=True).astype(np.float64))
        shown = set(self.shown)
        own = [place for place, label in enumerate(self.labels) if label in shown]
        each = _prf(n_gold[:, own], n_predicted[:, own], n_correct[:, own])
        each = each.reshape(len(sums), 3, len(own)).transpose(0, 2, 1).reshape(len(sums), -1)
        return np.hstack([micro, macro, divide(above, below), each])

    def label_counts(self, sums: Floats) -> dict[str, Prf]:
        """Read the counts of the labels shown off one row of sums."""
        n_labels = len(self.labels)
        places = {label: at for at, label in enumerate(self.labels)}
        return {label: Prf(*(int(sums[part * n_labels + places[label]]) for part in range(3))) for label in self.shown}


@dataclass(frozen=True, slots=True)
class Counts:
    """What units add to the sums, where that is not 0: ordered by column."""

    columns: Indices
    units: Indices
    values: Floats
    n_columns: int

    @classmethod
    def of(cls, entries: Floats, n_columns: int) -> Counts:
        """Order `(entry, 3)` of column, unit and value; entries of the same place add up."""
        width = int(entries[:, 1].max(initial=0)) + 1
        places, where = np.unique(
            entries[:, 0].astype(np.intp) * width + entries[:, 1].astype(np.intp), return_inverse=True
        )
        values = np.bincount(where.reshape(-1), weights=entries[:, 2], minlength=len(places)).astype(np.float64)
        held = values != 0
        return cls(places[held] // width, places[held] % width, values[held], n_columns)

    def minus(self, other: Counts) -> Counts:
        """Give the difference of two runs."""
        both = [
            np.stack([each.columns, each.units, sign * each.values], axis=1)
            for each, sign in ((self, 1.0), (other, -1.0))
        ]
        return Counts.of(np.concatenate(both), self.n_columns)

    @property
    def total(self) -> Floats:
        """The sums over all units, each once: `(column,)`."""
        return np.bincount(self.columns, weights=self.values, minlength=self.n_columns).astype(np.float64)

    def at_once(self, n_units: int) -> int:
        """How many draws are summed at once."""
        return max(1, _HELD // max(1, n_units, self.n_columns, len(self.values)))

    def sums(self, times: Floats) -> Floats:
        """Add up what units count, each as often as it was drawn.

        Args:
            times: `(draw, unit)`.

        Returns:
            `(draw, column)`.
        """
        made = np.zeros((len(times), self.n_columns))
        if len(self.values):
            first = np.flatnonzero(np.diff(self.columns, prepend=-1))
            drawn = np.ascontiguousarray(times.T)[self.units] * self.values[:, None]  # (entry, draw)
            made[:, self.columns[first]] = np.add.reduceat(drawn, first, axis=0).T
        return made


def divide(above: Floats, below: Floats) -> Floats:
    """Divide; NaN where there is nothing to count."""
    made: Floats = np.full(above.shape, math.nan)
    return np.divide(above, below, out=made, where=below != 0)


def _prf(n_gold: Floats, n_predicted: Floats, n_correct: Floats) -> Floats:
    """Precision, recall and F1 of each column, side by side."""
    shares = (divide(n_correct, n_predicted), divide(n_correct, n_gold), divide(2 * n_correct, n_gold + n_predicted))
    return np.hstack(shares)
