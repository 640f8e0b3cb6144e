"""Areas under the ROC and the precision-recall curve of codes, with bootstrap intervals; confusions of single codes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import DataError
from clinlp.metrics.intervals import Floats, Interval, Sampling, draw_units, draws
from clinlp.metrics.pairing import pair_notes
from clinlp.metrics.prf import NoteCounts
from clinlp.note import Note

_HELD: Final = 4_000_000  # numbers held at once
_WORK: Final = 200_000_000  # pairs of note and code drawn at most: of more there are fewer draws
_LEAST: Final = 100  # draws


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas over all pairs of note and code (micro), and the mean of those of each code (macro).

    Attributes:
        n_codes: Codes with a macro part.
        n_one_class: Codes left out of it, which all notes have or none.
    """

    micro_roc: Interval
    micro_pr: Interval
    macro_roc: Interval
    macro_pr: Interval
    n_codes: int
    n_one_class: int
    n_resamples: int

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        named = {name: getattr(self, name).to_dict() for name in ("micro_roc", "micro_pr", "macro_roc", "macro_pr")}
        return named | {name: getattr(self, name) for name in ("n_codes", "n_one_class", "n_resamples")}


def score_areas(gold: Iterable[Note], predicted: Iterable[Note], sampling: Sampling | None = None) -> Areas:
    """Give the areas of all codes that gold or predicted notes have; a code that is not predicted scores 0.

    The area under the precision-recall curve is average precision, without interpolation; ties count
    together. Both are those of scikit-learn, but weighted by draws all at once.

    Raises:
        DataError: A note is missing, extra or there twice, or has no predicted diagnoses at all.
    """
    sampling = sampling or Sampling()
    pairs = [pair for pair in pair_notes(gold, predicted, same_text=False) if pair[0].diagnoses is not None]
    scores, right = _matrices(pairs)
    both: NDArray[np.bool_] = np.logical_and(right.any(0), ~right.all(0))
    one = np.ones((1, len(pairs)))
    value = _all_areas(scores, right, both, one)[0] if right.any() else np.full(4, math.nan)
    n = max(_LEAST, min(sampling.n_resamples, _WORK // max(1, scores.size)))
    units, _ = draw_units([NoteCounts(note.note_id, note.patient_id) for note, _ in pairs], sampling.unit)
    numbers = {unit: at for at, unit in enumerate(dict.fromkeys(units))}
    at = [numbers[unit] for unit in units]
    drawn = [np.empty((0, 4))]
    if right.any():
        at_once = max(1, _HELD // max(1, scores.size))
        chunks = draws(len(numbers), n_resamples=n, seed=sampling.seed, at_once=at_once)
        drawn.extend(_all_areas(scores, right, both, times[:, at]) for times in chunks)
    columns = np.concatenate(drawn).T
    made = [_interval(float(each), column, sampling.level) for each, column in zip(value, columns, strict=True)]
    return Areas(made[0], made[1], made[2], made[3], int(both.sum()), int((~both).sum()), n)


def areas(scores: Floats, right: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Give the area under the ROC curve and average precision under each row of weights; NaN with one class alone.

    Args:
        scores: `(item,)`.
        right: `(item,)`.
        weights: `(draw, item)`.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) < 0, True))
    held = weights[:, order]
    hits = np.cumsum(held * right[order], 1)[:, ends]
    found = np.cumsum(held, 1)[:, ends]
    new_hits = np.diff(hits, axis=1, prepend=0.0)
    new_misses = np.diff(found - hits, axis=1, prepend=0.0)
    n_right, n_wrong = hits[:, -1], found[:, -1] - hits[:, -1]
    precision = np.divide(hits, found, out=np.zeros_like(hits), where=found > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        roc = (new_misses * (hits - new_hits / 2)).sum(1) / (n_right * n_wrong)
        pr = np.where(n_wrong > 0, (new_hits * precision).sum(1) / n_right, math.nan)
    return roc, pr


def _all_areas(scores: Floats, right: NDArray[np.bool_], both: NDArray[np.bool_], weights: Floats) -> Floats:
    """Micro ROC, micro PR, macro ROC and macro PR under each row of weights, `(draw, 4)`."""
    micro = areas(scores.ravel(), right.ravel(), np.repeat(weights, scores.shape[1], axis=1))
    each = [areas(scores[:, code], right[:, code], weights) for code in np.flatnonzero(both).tolist()]
    macro = [_mean(np.array([pair[kind] for pair in each]), len(weights)) for kind in (0, 1)]
    return np.stack([*micro, *macro], axis=1)


def _mean(rows: Floats, n: int) -> Floats:
    """The mean over codes, `(draw,)`, of those that a draw leaves both classes."""
    made: Floats = np.full(n, math.nan)
    if not len(rows):
        return made
    there = ~np.isnan(rows)
    np.divide(np.where(there, rows, 0.0).sum(0), there.sum(0), out=made, where=there.any(0))
    return made


def _interval(value: float, drawn: Floats, level: float) -> Interval:
    drawn = drawn[~np.isnan(drawn)]
    if math.isnan(value) or not drawn.size:
        return Interval(value, math.nan, math.nan)
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return Interval(value, float(low), float(high))


def _matrices(pairs: list[tuple[Note, Note]]) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores and gold codes, `(note, code)`."""
    for _, other in pairs:
        if other.diagnoses is None:
            raise DataError(f"note {other.note_id}: predicted diagnoses needed, got none")
    at: dict[str, int] = {}
    for pair in pairs:
        for note in pair:
            for diagnosis in note.diagnoses or ():
                at.setdefault(diagnosis.code, len(at))
    scores, right = np.zeros((len(pairs), len(at))), np.zeros((len(pairs), len(at)), bool)
    for row, (note, other) in enumerate(pairs):
        right[row, [at[diagnosis.code] for diagnosis in note.diagnoses or ()]] = True
        for diagnosis in other.diagnoses or ():
            place = at[diagnosis.code]
            scores[row, place] = max(scores[row, place], 1.0 if diagnosis.score is None else diagnosis.score)
    return scores, right


def confusions(gold: Iterable[Note], predicted: Iterable[Note]) -> Counter[tuple[str, str]]:
    """Count the pairs of gold and predicted code of a confusion matrix; the first code of a ranking is predicted.

    A note without predicted codes has "" there; notes that have no single gold code are left out.
    """
    made: Counter[tuple[str, str]] = Counter()
    for note, other in pair_notes(gold, predicted, same_text=False):
        codes = {diagnosis.code for diagnosis in note.diagnoses or ()}
        if len(codes) == 1:
            first = max(other.diagnoses or (), key=lambda each: 1.0 if each.score is None else each.score, default=None)
            made[codes.pop(), first.code if first else ""] += 1
    return made
