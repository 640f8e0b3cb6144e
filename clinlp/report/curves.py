"""The points of ROC, precision-recall and threshold curves, from what was predicted alone.

What was not predicted has a score of 0 and need not be held, so that thousands of codes cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clinlp.metrics.calibration import Floats
from clinlp.metrics.pairing import pair_notes
from clinlp.note import Note

_POINTS: Final = 400  # of a drawn curve


@dataclass(frozen=True, slots=True)
class Ranked:
    """Predicted items with their scores, and how many items there are that are right and that are not.

    Attributes:
        scores: `(item,)`.
        right: `(item,)`.
        n_gold: Items that are right, predicted or not.
        n_other: Items that are not right, predicted or not.
    """

    scores: Floats
    right: NDArray[np.bool_]
    n_gold: int
    n_other: int = 0

    def steps(self) -> tuple[Floats, Floats, Floats]:
        """Give each score that occurs, falling, with the hits and the misses that it and all above it make."""
        order = np.argsort(-self.scores, kind="stable")
        ranked, hits = self.scores[order], np.cumsum(self.right[order])
        ends = np.flatnonzero(np.append(np.diff(ranked) < 0, True)) if len(ranked) else np.empty(0, np.intp)
        n_right = hits[ends].astype(np.float64)
        return ranked[ends], n_right, ends + 1.0 - n_right


@dataclass(frozen=True, slots=True)
class Line:
    """A curve to draw, and the area under it."""

    x: Floats
    y: Floats
    area: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """Precision, recall and F1 of what has at least each threshold, rising."""

    thresholds: Floats
    precision: Floats
    recall: Floats
    f1: Floats


def roc(ranked: Ranked) -> Line | None:
    """Give the share of right items over the share of others, from the highest score down; None with one kind alone."""
    if not ranked.n_gold or not ranked.n_other:
        return None
    _, hits, misses = ranked.steps()
    x = np.concatenate([[0.0], misses / ranked.n_other, [1.0]])
    y = np.concatenate([[0.0], hits / ranked.n_gold, [1.0]])
    return Line(*_thinned(x, y), float(np.trapezoid(y, x)))


def precision_recall(ranked: Ranked) -> Line | None:
    """Give precision over recall; None without any right item. The area is average precision.

    Source: Davis & Goadrich (2006), The Relationship between Precision-Recall and ROC Curves, ICML: points are
    joined by steps, for a straight line would promise too much.
    """
    if not ranked.n_gold:
        return None
    _, hits, misses = ranked.steps()
    n_all = ranked.n_gold + ranked.n_other
    if ranked.n_other and (not len(hits) or hits[-1] + misses[-1] < n_all):  # what was not predicted comes last
        hits, misses = np.append(hits, float(ranked.n_gold)), np.append(misses, float(ranked.n_other))
    recall = np.concatenate([[0.0], hits / ranked.n_gold])
    precision = hits / (hits + misses)
    precision = np.concatenate([precision[:1], precision])
    return Line(*_thinned(recall, precision), float((np.diff(recall) * precision[1:]).sum()))


def sweep(ranked: Ranked) -> Sweep | None:
    """Give precision, recall and F1 over the threshold; None without any score."""
    if not len(ranked.scores) or not ranked.n_gold:
        return None
    scores, hits, misses = (each[::-1] for each in ranked.steps())
    keep = _spread(scores)
    scores, hits, found = scores[keep], hits[keep], (hits + misses)[keep]
    return Sweep(scores, hits / found, hits / ranked.n_gold, 2 * hits / (found + ranked.n_gold))


def ranked_codes(gold: Iterable[Note], predicted: Iterable[Note]) -> tuple[Ranked, dict[str, Ranked]]:
    """Gather the codes of all notes together, and each code of gold apart, the commonest first.

    An item is a pair of a note and a code that gold or predicted notes have; a code without a score is certain.
    """
    scores: dict[str, list[float]] = {}
    right: dict[str, list[bool]] = {}
    n_gold: Counter[str] = Counter()
    n_notes = 0
    for note, other in pair_notes(gold, predicted, same_text=False):
        if note.diagnoses is None:
            continue
        n_notes += 1
        wanted = {diagnosis.code for diagnosis in note.diagnoses}
        n_gold.update(wanted)
        found: dict[str, float] = {}
        for diagnosis in other.diagnoses or ():
            score = 1.0 if diagnosis.score is None else diagnosis.score
            found[diagnosis.code] = max(score, found.get(diagnosis.code, 0.0))
        for code, score in found.items():
            scores.setdefault(code, []).append(score)
            right.setdefault(code, []).append(code in wanted)
    n_pairs = n_notes * len(n_gold.keys() | scores.keys())
    every = Ranked(*_arrays(scores.values(), right.values()), n_gold.total(), n_pairs - n_gold.total())
    each = {
        code: Ranked(*_arrays([scores.get(code, [])], [right.get(code, [])]), n, n_notes - n)
        for code, n in sorted(n_gold.items(), key=lambda pair: (-pair[1], pair[0]))
    }
    return every, each


def _arrays(scores: Iterable[Sequence[float]], right: Iterable[Sequence[bool]]) -> tuple[Floats, NDArray[np.bool_]]:
    return (
        np.array([score for part in scores for score in part], np.float64),
        np.array([hit for part in right for hit in part], bool),
    )


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Leave out points of a curve that nobody sees: those nearest to one another along it."""
    along = np.cumsum(np.abs(np.diff(x, prepend=x[:1])) + np.abs(np.diff(y, prepend=y[:1])))
    keep = _spread(along)
    return x[keep], y[keep]


def _spread(values: Floats) -> NDArray[np.intp]:
    """Choose rising values that lie about evenly between the first and the last, both among them."""
    if len(values) <= _POINTS:
        return np.arange(len(values))
    wanted = np.linspace(values[0], values[-1], _POINTS)
    return np.unique(np.append(np.searchsorted(values, wanted).clip(0, len(values) - 1), [0, len(values) - 1]))
