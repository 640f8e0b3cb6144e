"""How sure a score is: bootstrap intervals of ratios of sums, and exact bounds for rare events.

A score of a dump is a sum over notes divided by a sum over notes. The bootstrap draws notes (or
groups of notes, such as all of a patient) with replacement and takes the ratio again.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clinlp.errors import UsageError

Method: TypeAlias = Literal["percentile", "bca"]
Unit: TypeAlias = Literal["patients", "notes"]
Floats: TypeAlias = NDArray[np.float64]

_CHUNK: Final = 2_000_000  # draws held at once


class Sampling(NamedTuple):
    """How intervals are made: what is drawn, how often, and how sure they are."""

    level: float = 0.95
    n_resamples: int = 2000
    seed: int = 0
    unit: Unit = "patients"


class HasIds(Protocol):
    """The counts of one note, whatever they count."""

    @property
    def note_id(self) -> str:
        """Which note."""

    @property
    def patient_id(self) -> str | None:
        """Whose note."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share and the range that holds it at the level asked for; all NaN where there is nothing to count."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Give the three numbers for JSON, which has no NaN."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if math.isnan(number) else number for name, number in numbers.items()}


def interval(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
    method: Method = "percentile",
) -> Interval:
    """Give the bootstrap interval of `sum(numerators) / sum(denominators)`.

    Args:
        numerators: One number a note (or a group of notes, see `add_groups`).
        denominators: One number a note, in the same order.
    """
    columns = (np.asarray(each, dtype=np.float64).reshape(-1, 1) for each in (numerators, denominators))
    return intervals(*columns, level=level, n_resamples=n_resamples, seed=seed, method=method)[0]


def intervals(
    numerators: Floats,
    denominators: Floats,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
    method: Method = "percentile",
) -> list[Interval]:
    """Give the interval of each column's ratio; all columns share the same draws.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 13 and 14.

    Args:
        numerators: `(note, score)`.
        denominators: `(note, score)`.
        method: `percentile`, or `bca` (bias-corrected and accelerated, which moves the borders for skewed scores).
    """
    if numerators.shape != denominators.shape or numerators.ndim != 2:
        raise UsageError(f"interval needs two arrays of one shape, got {numerators.shape} and {denominators.shape}")
    if not 0.0 < level < 1.0 or n_resamples < 1:
        raise UsageError(f"interval needs 0 < level < 1 and a resample or more, got {level} and {n_resamples}")
    n_scores = numerators.shape[1]
    drawn = resample(np.hstack([numerators, denominators]), n_resamples=n_resamples, seed=seed)
    made = []
    for at in range(n_scores):
        value = _ratio(numerators[:, at].sum(keepdims=True), denominators[:, at].sum(keepdims=True))[0]
        shares = _ratio(drawn[:, at], drawn[:, n_scores + at])
        shares = shares[~np.isnan(shares)]
        if math.isnan(value) or not shares.size:
            made.append(Interval(float(value), math.nan, math.nan))
            continue
        tails = ((1 - level) / 2, (1 + level) / 2)
        if method == "bca":
            tails = _corrected(tails, float(value), shares, numerators[:, at], denominators[:, at])
        low, high = np.quantile(shares, tails)
        made.append(Interval(float(value), float(low), float(high)))
    return made


def resample(columns: Floats, *, n_resamples: int = 2000, seed: int = 0) -> Floats:
    """Draw rows with replacement, as many as there are, and add them up: `(resample, column)`.

    The draws depend on the seed and the number of rows alone, so two calls over the same notes are paired.

    Args:
        columns: `(note, column)`.
    """
    n_notes = len(columns)
    if not n_notes:
        return np.zeros((n_resamples, columns.shape[1]))
    drawn = draws(n_notes, n_resamples=n_resamples, seed=seed, at_once=_CHUNK // n_notes)
    return np.concatenate([times @ columns for times in drawn])


def draws(n_rows: int, *, n_resamples: int, seed: int, at_once: int) -> Iterator[Floats]:
    """Draw rows with replacement and give how often each came, so many resamples at a time: `(resample, row)`."""
    numbers = np.random.default_rng(seed)
    for start in range(0, n_resamples, max(1, at_once)):
        n = min(max(1, at_once), n_resamples - start)
        drawn = numbers.integers(n_rows, size=(n, n_rows))
        drawn += np.arange(n)[:, None] * n_rows
        yield np.bincount(drawn.ravel(), minlength=n * n_rows).reshape(n, n_rows).astype(np.float64)


def draw_units(notes: Sequence[HasIds], unit: Unit) -> tuple[list[tuple[str, str]], Unit]:
    """Give what each note is drawn with, and what that is: notes, where no note has a patient.

    Notes of one patient are alike, so they are drawn together; a note without a patient stands alone.
    """
    if not any(note.patient_id for note in notes):
        unit = "notes"
    by_patient = unit == "patients"
    return [
        ("patient", note.patient_id) if by_patient and note.patient_id else ("note", note.note_id) for note in notes
    ], unit


def add_groups(columns: Floats, groups: Sequence[Hashable]) -> Floats:
    """Add up the rows of each group, in the order in which groups first come: `(group, column)`.

    Args:
        columns: `(note, column)`.
        groups: The group of each note.
    """
    numbers: dict[Hashable, int] = {}
    at = np.fromiter((numbers.setdefault(group, len(numbers)) for group in groups), np.intp, len(groups))
    sums = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(sums, at, columns)
    return sums


def upper_bound(n_events: int, n_trials: int, *, level: float = 0.95) -> float:
    """Give the largest rate of an event that still fits how seldom it was seen, one-sided.

    For no event in `n` trials this is `1 - (1 - level) ** (1 / n)`, about `3 / n` at 95 %.

    Source: Clopper & Pearson (1934), Biometrika 26(4).
    """
    if not 0 <= n_events <= n_trials or not 0.0 < level < 1.0:
        raise UsageError(f"bound needs 0 <= events <= trials and 0 < level < 1, got {n_events}, {n_trials}, {level}")
    if n_events == n_trials:
        return 1.0
    if n_events == 0:
        return 1.0 - math.pow(1.0 - level, 1.0 / n_trials)
    counts = np.arange(1, n_events + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((n_trials - counts + 1) / counts))])  # log of n over k
    counts = np.arange(n_events + 1)
    low, high = n_events / n_trials, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        tail = np.exp(ways + counts * math.log(rate) + (n_trials - counts) * math.log1p(-rate)).sum()
        low, high = (rate, high) if tail > 1.0 - level else (low, rate)
        if high - low < 1e-12:
            break
    return high


def _ratio(numerators: Floats, denominators: Floats) -> Floats:
    """Divide; NaN where there is nothing to count."""
    ratios: Floats = np.full(len(numerators), math.nan)
    return np.divide(numerators, denominators, out=ratios, where=denominators != 0)


def _corrected(
    tails: tuple[float, float], value: float, shares: Floats, numerators: Floats, denominators: Floats
) -> tuple[float, float]:
    """Move the two tails for bias and skew; a score that never varies keeps them."""
    below = (float((shares < value).mean()) + float((shares <= value).mean())) / 2
    left_out = _ratio(numerators.sum() - numerators, denominators.sum() - denominators)
    left_out = left_out[~np.isnan(left_out)]
    if not 0.0 < below < 1.0 or not left_out.size:
        return tails
    away = left_out.mean() - left_out
    spread = float((away**2).sum()) ** 1.5
    skew = float((away**3).sum()) / (6 * spread) if spread else 0.0
    normal = NormalDist()
    bias = normal.inv_cdf(below)

    def moved(tail: float) -> float:
        z = bias + normal.inv_cdf(tail)
        return normal.cdf(bias + z / (1 - skew * z))

    return moved(tails[0]), moved(tails[1])
