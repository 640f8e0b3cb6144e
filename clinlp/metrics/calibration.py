"""How far spans can be believed: how often those of a score are right, and the line of log-odds that makes both agree.

What is calibrated is the score of a found span, for that is what a user reads and filters by. Most
pieces lie outside any span and are plainly so: a temperature that fits pieces says little about spans.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import UsageError
from clinlp.metrics.entities import Attribute
from clinlp.metrics.pairing import pair_notes
from clinlp.note import Note

Floats = NDArray[np.float64]
N_BINS: Final = 15  # as in the source of `calibration_error`
COLDEST: Final = 0.5
HOTTEST: Final = 10.0  # from few spans no more is believed
_FARTHEST: Final = 15.0  # an offset that turns any score into any other
_EDGE: Final = 1e-6  # a log-odds beyond this probability's is rounding
_TINY: Final = 1e-30

Curve = Sequence[tuple[float, float]]
"""A probability before calibration and after it, rising; between two the line is straight."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Found spans: how probable each was said to be, and whether it is right (same borders, same label)."""

    scores: Floats
    right: NDArray[np.bool_]
    labels: tuple[str, ...]
    n_gold: Mapping[str, int]  # gold spans of each label

    def __len__(self) -> int:
        return len(self.scores)


def outcomes(gold: Iterable[Note], predicted: Iterable[Note], attribute: Attribute = "entities") -> Outcomes:
    """Say of each found span that has a score whether it is right; spans of the same borders and label are one.

    Raises:
        DataError: A note is missing, extra or there twice, or its two texts differ.
    """
    scores: list[float] = []
    right: list[bool] = []
    labels: list[str] = []
    n_gold: defaultdict[str, int] = defaultdict(int)
    for note, other in pair_notes(gold, predicted):
        wanted = {(span.start, span.end, span.label) for span in getattr(note, attribute)}
        for _, _, label in wanted:
            n_gold[label] += 1
        found: dict[tuple[int, int, str], float] = {}
        for span in getattr(other, attribute):
            if span.score is not None:
                found.setdefault((span.start, span.end, span.label), span.score)
        scores.extend(found.values())
        right.extend(place in wanted for place in found)
        labels.extend(label for _, _, label in found)
    return Outcomes(np.array(scores, np.float64), np.array(right, bool), tuple(labels), dict(n_gold))


def calibration_error(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Give the mean distance of score and share of right ones, over bins of equal width; NaN without any score.

    Source: Guo et al. (2017), arXiv 1706.04599, equation 3.
    """
    if not len(scores):
        return math.nan
    return sum(each.n * abs(each.score - each.right) for each in reliability(scores, right)) / len(scores)


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores of one range: how many, their mean, and the share of them that is right."""

    low: float
    high: float
    n: int
    score: float
    right: float


def reliability(scores: Floats, right: NDArray[np.bool_]) -> list[Bin]:
    """Give the bins of a reliability diagram that hold a score; all of equal width."""
    at = np.minimum((scores * N_BINS).astype(np.int64), N_BINS - 1)
    n, total, hits = (np.bincount(at, weights=each, minlength=N_BINS) for each in (None, scores, right))
    return [
        Bin(each / N_BINS, (each + 1) / N_BINS, int(n[each]), float(total[each] / n[each]), float(hits[each] / n[each]))
        for each in np.flatnonzero(n).tolist()
    ]


def tempered(scores: Floats, temperature: float, offset: float = 0.0, *, least: float = _EDGE) -> Floats:
    """Divide log-odds by a temperature and add an offset; the order of the scores stays.

    A temperature above 1 moves scores towards 0.5, one below 1 away from it; an offset below 0 lowers all.

    Args:
        least: Smaller scores are alike.
    """
    if temperature == 1.0 and not offset:
        return scores
    held = np.clip(scores, least, 1 - _EDGE)
    return np.asarray(1 / (1 + np.exp(-np.log(held / (1 - held)) / temperature - offset)), np.float64)


def softened(probabilities: Floats, temperature: float) -> Floats:
    """Divide the logits of a softmax by a temperature: `(note, code)`, each row's order and its sum of 1 stay."""
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities, _TINY)) / temperature
    warm = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(warm / warm.sum(-1, keepdims=True), np.float64)


def read_off(scores: Floats, curve: Curve) -> Floats:
    """Give the calibrated probability of each score; the scores themselves if there is no curve."""
    if not curve:
        return scores
    before, after = np.array(curve, np.float64).T
    return np.asarray(np.interp(scores, before, after), np.float64)


def fit_curve(scores: Floats, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """Give the rising curve nearest to what is right, as a table that needs no other package to be read.

    Source: Zadrozny & Elkan (2002), Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates, KDD, section 3.2 (isotonic regression, by pool adjacent violators).

    Raises:
        UsageError: There is no score.
    """
    if not len(scores):
        raise UsageError("calibration: scores needed to fit it, got none")
    from sklearn.isotonic import IsotonicRegression

    made = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, right.astype(np.float64))
    knots = zip(made.X_thresholds_.tolist(), made.y_thresholds_.tolist(), strict=True)
    curve = {round(before, 9): round(after, 6) for before, after in knots}
    return tuple(({0.0: 0.0} | curve).items())  # what is less probable than all that was seen comes near to 0


def fit_temperature(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Give the temperature under which the scores tell best which spans are right, by log-likelihood.

    Platt's smoothed targets keep it finite where all spans are right or few are there.

    Source: Guo et al. (2017), arXiv 1706.04599, section 4.2; Platt (1999), Probabilistic Outputs for
    Support Vector Machines, section 2.2.

    Raises:
        UsageError: There is no span.
    """
    odds, targets = _odds(scores, right)

    def loss(heat: float) -> float:
        warm = odds * math.exp(-heat)
        return float((np.logaddexp(0, warm) - targets * warm).sum())

    return math.exp(_least(loss, math.log(COLDEST), math.log(HOTTEST)))


def fit_line(scores: Floats, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Give the temperature and the offset of log-odds under which the scores tell best which spans are right.

    A temperature alone cannot say that spans which a tagger is sure of are mostly wrong: it leaves every
    score on its side of 0.5.

    Source: Platt (1999), Probabilistic Outputs for Support Vector Machines, section 2.2.

    Raises:
        UsageError: There is no span.
    """
    from scipy.optimize import minimize

    odds, targets = _odds(scores, right)

    def loss(line: Floats) -> tuple[float, Floats]:
        warm = odds * line[0] + line[1]
        wrong = 1 / (1 + np.exp(-warm)) - targets
        slope = np.array([(wrong * odds).mean(), wrong.mean()])
        return float((np.logaddexp(0, warm) - targets * warm).mean()), slope

    bounds = ((1 / HOTTEST, 1 / COLDEST), (-_FARTHEST, _FARTHEST))
    made = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(1 / made.x[0]), float(made.x[1])


def _odds(scores: Floats, right: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Give log-odds, and Platt's targets.

    Raises:
        UsageError: There is no span.
    """
    if not len(scores):
        raise UsageError("temperature: found spans needed to fit it, got none")
    n_right = int(right.sum())
    targets = np.where(right, (n_right + 1) / (n_right + 2), 1 / (len(right) - n_right + 2))
    held = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.log(held / (1 - held)), targets


def fit_softmax_temperature(probabilities: Floats, gold: NDArray[np.intp]) -> float:
    """Give the temperature of a softmax under which the gold codes are most likely.

    Source: Guo et al. (2017), arXiv 1706.04599, section 4.2.

    Args:
        probabilities: `(note, code)`.
        gold: `(note,)`, the code of each note.

    Raises:
        UsageError: There is no note.
    """
    if not len(gold):
        raise UsageError("temperature: notes with a known code needed to fit it, got none")
    logits = np.log(np.maximum(probabilities, _TINY))
    logits -= logits.max(1, keepdims=True)
    right = logits[np.arange(len(gold)), gold]

    def loss(heat: float) -> float:
        cold = math.exp(-heat)
        return float((np.log(np.exp(logits * cold).sum(1)) - right * cold).sum())

    return math.exp(_least(loss, math.log(COLDEST), math.log(HOTTEST)))


def best_threshold(scores: Floats, right: NDArray[np.bool_], n_gold: int, usual: float) -> float:
    """Give the least score of a span for the highest F1; of thresholds alike the one nearest to the usual.

    It lies half-way between two scores, or is the usual one where that is as good.
    """
    if not len(scores) or not n_gold:
        return usual
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], right[order].cumsum()
    ends = np.flatnonzero(np.append(np.diff(ranked) < 0, True))  # equal scores stay or go together
    f1 = 2 * hits[ends] / (ends + 1 + n_gold)
    n_usual = int((scores >= usual).sum())
    now = 2 * int(hits[n_usual - 1]) / (n_usual + n_gold) if n_usual else 0.0
    if f1.max() <= now:
        return usual
    following = np.append(ranked[1:], 0.999 * ranked[-1])[ends]
    middles = (ranked[ends] + following) / 2
    best = middles[np.isclose(f1, f1.max(), rtol=0, atol=1e-12)]
    return float(best[np.argmin(np.abs(best - usual))])


def _least(function: Callable[[float], float], low: float, high: float, n_steps: int = 60) -> float:
    """Find the least value of a function with one valley, by golden section."""
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(n_steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = function(right)
    return (low + high) / 2
