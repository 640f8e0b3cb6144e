"""Thresholds for detectors, chosen on notes with gold PHI, with a stated bound on what still leaks.

Sources: Angelopoulos, Bates, Fisch, Lei & Schuster (2022), Conformal Risk Control, arXiv 2208.02814,
for the bound on the expectation; Bates, Angelopoulos, Lei, Malik & Jordan (2021), Distribution-Free,
Risk-Controlling Prediction Sets, arXiv 2101.02703, for the one that holds with a confidence, with the
Hoeffding-Bentkus bound of its section 3.1.2.

What is promised holds for notes that come from where the calibration notes came from, and no others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from clinlp.deid.detect import THRESHOLD
from clinlp.errors import DataError, UsageError
from clinlp.note import Note
from clinlp.spans import Span

Risk = Literal["characters", "notes"]
Floats = NDArray[np.float64]

GRID: Final = np.round(np.arange(1.0, 0.0, -0.01), 2)
"""The factors tried, from strict to lenient: each threshold is its label's base times the factor."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """At which factor each gold character of a note is found, and each other character removed.

    Attributes:
        gold: `(character,)`, the largest factor at which it is still found; 0 if at none, inf if always.
        other: `(character,)`, the same for the characters that are no PHI.
    """

    gold: Floats
    other: Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds and what they promise.

    Attributes:
        thresholds: Of each label, the least score that is removed.
        factor: What the base thresholds were multiplied by.
        bound: What the risk stays below, as promised.
        observed: The risk on the calibration notes.
        over_redaction: Share of their other characters that is removed.
        n_notes: Calibration notes.
        confidence: With which the bound holds; None: it holds on average over calibration sets.
    """

    thresholds: Mapping[str, float]
    factor: float
    risk: Risk
    alpha: float
    bound: float
    observed: float
    over_redaction: float
    n_notes: int
    confidence: float | None


def coverage(gold: Note, candidates: Sequence[Span], base: Mapping[str, float]) -> Coverage:
    """Say for each character at which factor the candidates cover it.

    Args:
        gold: Its `phi` is what must be found.
        candidates: All that detectors found in its text, however improbable.
    """
    factors = np.zeros(len(gold.text))
    for span in candidates:
        factor = math.inf if span.score is None else span.score / max(1e-9, base.get(span.label, THRESHOLD))
        part = factors[span.start : span.end]
        np.maximum(part, factor, out=part)
    wanted = np.zeros(len(gold.text), bool)
    for span in gold.phi:
        wanted[span.start : span.end] = True
    ignored = wanted.copy()
    for start, end, *_ in gold.fields.get("phi_ignore") or ():
        ignored[start:end] = True
    return Coverage(factors[wanted], factors[~ignored])


def base_thresholds(
    notes: Sequence[Note], candidates: Sequence[Sequence[Span]], recall: float = 0.99
) -> dict[str, float]:
    """Choose for each label the highest threshold at which the wanted share of its characters is found.

    A gold character counts as found under any label: what matters is that it is removed. A label
    without gold characters keeps `THRESHOLD`.
    """
    best: dict[str, list[Floats]] = {}
    for note, spans in zip(notes, candidates, strict=True):
        scores = np.zeros(len(note.text))
        for span in spans:
            part = scores[span.start : span.end]
            np.maximum(part, 1.0 if span.score is None else span.score, out=part)
        for span in note.phi:
            best.setdefault(span.label, []).append(scores[span.start : span.end])
    chosen = {}
    for label, parts in sorted(best.items()):
        scores = np.sort(np.concatenate(parts))[::-1]
        needed = scores[min(len(scores), math.ceil(recall * len(scores))) - 1]
        chosen[label] = float(min(THRESHOLD, max(needed, GRID[-1])))
    return chosen


def calibrate(
    notes: Sequence[Note],
    candidates: Sequence[Sequence[Span]],
    base: Mapping[str, float],
    *,
    alpha: float,
    risk: Risk = "characters",
    confidence: float | None = None,
) -> Calibration:
    """Choose the largest factor whose risk stays at or below `alpha`.

    The risk of a note is the share of its PHI characters that leaks (`characters`), or whether any
    leaks (`notes`); a note without PHI has none.

    Args:
        notes: Calibration notes with gold `phi`; not those on which `base` was chosen.
        candidates: Of each note, all that detectors found.
        confidence: Let the bound hold with this probability over calibration sets, not on average.

    Raises:
        UsageError: `alpha` or `confidence` is no share.
        DataError: The notes are too few to promise it, or too much leaks at every threshold.
    """
    require_notes(len(notes), alpha, confidence)
    covered = [coverage(note, spans, base) for note, spans in zip(notes, candidates, strict=True)]
    losses = np.stack([_losses(each.gold, risk) for each in covered])  # (note, factor)
    observed = losses.mean(0)
    bounds = np.array([upper_bound(value, len(notes), confidence) for value in observed])
    # From strict to lenient; the first factor from which the bound holds for all more lenient ones.
    fits = np.logical_and.accumulate((bounds <= alpha)[::-1])[::-1]
    if not fits.any():
        raise DataError(
            f"calibrate: a risk of {alpha:g} needed, got a bound of {bounds[-1]:.4f} at the lowest threshold; "
            "no detector gives a candidate for the rest"
        )
    at = int(np.flatnonzero(fits)[0])
    factor = float(GRID[at])
    labels = {span.label for spans in candidates for span in spans} | base.keys()
    other = sum(len(each.other) for each in covered)
    removed = sum(int((each.other >= factor).sum()) for each in covered)
    return Calibration(
        thresholds={label: round(base.get(label, THRESHOLD) * factor, 6) for label in sorted(labels)},
        factor=factor,
        risk=risk,
        alpha=alpha,
        bound=float(bounds[at]),
        observed=float(observed[at]),
        over_redaction=removed / other if other else 0.0,
        n_notes=len(notes),
        confidence=confidence,
    )


def _losses(gold: Floats, risk: Risk) -> Floats:
    """The loss of one note at every factor of the grid, `(factor,)`."""
    if not len(gold):
        return np.zeros(len(GRID))
    found = np.searchsorted(np.sort(gold), GRID, side="left")  # characters found only at a lower factor
    leaked = found / len(gold)
    return leaked if risk == "characters" else (leaked > 0).astype(np.float64)


def upper_bound(observed: float, n: int, confidence: float | None) -> float:
    """Bound the risk, given the mean of n losses between 0 and 1.

    Without a confidence, the bound of conformal risk control on the expectation,
    (n * observed + 1) / (n + 1); with one, the Hoeffding-Bentkus upper confidence bound.
    """
    if confidence is None:
        return (n * observed + 1) / (n + 1)
    low, high = observed, 1.0
    for _ in range(60):  # the p-value falls as the risk rises: halve
        middle = (low + high) / 2
        low, high = (middle, high) if _p_value(observed, middle, n) > 1 - confidence else (low, middle)
    return high


def _p_value(observed: float, risk: float, n: int) -> float:
    """How probable so low a mean is where the risk is `risk`: the better of Hoeffding's and Bentkus's bounds."""
    if observed >= risk:
        return 1.0
    divergence = (1 - observed) * math.log((1 - observed) / (1 - risk)) if risk < 1 else math.inf
    if observed > 0:
        divergence += observed * math.log(observed / risk)
    return min(math.exp(-n * divergence), math.e * _binomial(math.ceil(n * observed - 1e-9), n, risk))


def _binomial(k: int, n: int, p: float) -> float:
    """P(X <= k) for X binomial with n draws of probability p, summed in logs."""
    if p >= 1:
        return 1.0 if k >= n else 0.0
    at = np.arange(k + 1)
    choose = math.lgamma(n + 1) - np.array([math.lgamma(i + 1) + math.lgamma(n - i + 1) for i in at.tolist()])
    return float(min(1.0, np.exp(choose + at * math.log(p) + (n - at) * math.log1p(-p)).sum()))


def require_notes(n: int, alpha: float, confidence: float | None) -> None:
    """Refuse calibration notes that are too few to promise a risk of `alpha`.

    Raises:
        UsageError: `alpha` or `confidence` is no share.
        DataError: The notes are too few.
    """
    if not 0 < alpha < 1 or not (confidence is None or 0 < confidence < 1):
        raise UsageError("calibrate: alpha and confidence between 0 and 1 needed, got others")
    need = least_notes(alpha, confidence)
    if n < need:
        raise DataError(
            f"calibrate: {need:,} notes or more needed to promise {alpha:g}"
            f"{'' if confidence is None else f' with confidence {confidence:g}'}, got {n:,}; about half of the gold "
            "notes count here, the others set the threshold of each label"
        )


def least_notes(alpha: float, confidence: float | None) -> int:
    """The fewest calibration notes with which a risk of `alpha` can be promised, if nothing leaks in them."""
    if confidence is None:
        return math.ceil(1 / alpha - 1 - 1e-9)
    return math.ceil(math.log(1 - confidence) / math.log(1 - alpha) - 1e-9)


def write_thresholds(calibration: Calibration, path: Path) -> None:
    """Write thresholds with what they promise as JSON."""
    path.write_text(json.dumps(asdict(calibration), indent=1) + "\n", "utf-8")


def read_thresholds(path: Path) -> dict[str, float]:
    """Read what `write_thresholds` wrote.

    Raises:
        UsageError: There is no such file, or it holds something else.
    """
    try:
        held = json.loads(path.read_text("utf-8"))["thresholds"]
        thresholds = {str(label): float(value) for label, value in held.items()}
    except OSError as error:
        raise UsageError(f"{path}: a file of `clinlp calibrate` needed, got {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path}: a file of `clinlp calibrate` needed, got something else") from None
    if not all(0 <= value <= 1 for value in thresholds.values()):
        raise UsageError(f"{path}: thresholds from 0 to 1 needed, got others")
    return thresholds
