"""Prediction sets of codes with a stated bound on what they miss.

For a model of a single code a set misses it or not (LAC or APS); for the others what is bounded is the
share of a note's codes that is missed. All three are one search: codes join the set from the most to the
least conforming, and the strictest level is taken whose bound is still below what was asked for.

Sources: Sadinle, Lei & Wasserman (2019), Least Ambiguous Set-Valued Classifiers with Bounded Error
Levels, arXiv 1609.00451 (LAC: the probability); Romano, Sesia & Candes (2020), Classification with Valid
and Adaptive Coverage, arXiv 2006.02544 (APS: the probability of all codes ranked before; not
randomised, so that a note always gets the same set); Angelopoulos, Bates, Fisch, Lei & Schuster (2022),
Conformal Risk Control, arXiv 2208.02814 (the share of missed codes, and the bound on average); for the
bound with a confidence see `clinlp.deid.conformal`.

What is promised holds for notes that come from where the calibration notes came from, and no others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clinlp.deid.conformal import least_notes, upper_bound
from clinlp.errors import DataError, UsageError
from clinlp.metrics.calibration import Floats
from clinlp.models.decision import SetMethod, SetsConfig

_HAIR: Final = 1e-5  # sums in another order give another last digit: a level is lowered by so much
_NEVER: Final = -1.0  # the conformity of a code that the model does not know


def conformity(probabilities: Floats, method: SetMethod) -> Floats:
    """Say of every code how early it joins its note's set, `(note, code)`, 0 to 1, the highest first.

    Args:
        probabilities: `(note, code)`, calibrated.
    """
    if method != "aps":
        return probabilities
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    held = np.take_along_axis(probabilities, ranked, 1)
    before = np.cumsum(held, 1) - held
    made = np.empty_like(probabilities)
    np.put_along_axis(made, ranked, 1.0 - np.minimum(before, 1.0), 1)
    return made


def members(probabilities: Floats, method: SetMethod, least: float) -> NDArray[np.bool_]:
    """Say which codes are in the set of each note, `(note, code)`; of a single code the first always is."""
    inside = conformity(probabilities, method) >= least
    if method != "share" and probabilities.shape[1]:
        inside[np.arange(len(inside)), probabilities.argmax(1)] = True
    return inside


def calibrate_sets(
    probabilities: Floats,
    gold: Sequence[Sequence[int]],
    method: SetMethod,
    *,
    alpha: float,
    confidence: float | None = None,
) -> SetsConfig:
    """Choose the strictest level at which no more than `alpha` is missed, as promised.

    A note without codes says nothing and is left out.

    Args:
        probabilities: `(note, code)`, calibrated.
        gold: Of each note, its codes by number; -1 is one that the model does not know.
        confidence: Let the bound hold with this probability over calibration sets, not on average.

    Raises:
        UsageError: `alpha` or `confidence` is no share.
        DataError: The notes are too few to promise it, or the model does not know too many of their codes.
    """
    if not 0 < alpha < 1 or not (confidence is None or 0 < confidence < 1):
        raise UsageError("calibrate-codes: alpha and confidence between 0 and 1 needed, got others")
    if method != "share" and any(len(codes) > 1 for codes in gold):
        raise DataError(f"calibrate-codes: notes of one code needed for {method}, got some of several")
    n_notes, need = sum(bool(len(codes)) for codes in gold), least_notes(alpha, confidence)
    if n_notes < need:
        sure = "" if confidence is None else f" with confidence {confidence:g}"
        raise DataError(
            f"calibrate-codes: {need:,} notes with codes or more needed to promise {alpha:g}{sure}, got {n_notes:,}"
        )
    levels, risks = _risks(conformity(probabilities, method), gold, n_notes)

    def bound(at: int) -> float:
        return upper_bound(float(risks[at]), n_notes, confidence)

    # Risks fall from the strictest level to the most lenient, and so do their bounds.
    at = bisect_left(range(len(levels)), True, key=lambda at: bound(at) <= alpha)
    if at == len(levels):
        n_unknown = sum(-1 in codes for codes in gold)
        raise DataError(
            f"calibrate-codes: a risk of {alpha:g} needed, got a bound of {bound(at - 1):.4f} with all codes in every "
            f"set; {n_unknown:,} of {n_notes:,} notes have codes that the model does not know"
        )
    return SetsConfig(
        method=method,
        least=float(levels[at] * (1 - _HAIR)),
        alpha=alpha,
        bound=bound(at),
        observed=float(risks[at]),
        n_notes=n_notes,
        confidence=confidence,
    )


def _risks(conforming: Floats, gold: Sequence[Sequence[int]], n_notes: int) -> tuple[Floats, Floats]:
    """Give every level at which a gold code joins, from strict to lenient, and what is missed there on average."""
    joins = [
        (float(row[code]) if code >= 0 else _NEVER, len(codes))
        for row, codes in zip(conforming, gold, strict=True)
        for code in codes
    ]
    at, sizes = np.array(joins, np.float64).reshape(-1, 2).T
    levels = np.unique(np.append(at[at >= 0], 0.0))[::-1]
    order = np.argsort(at)
    missed = np.concatenate([[0.0], np.cumsum(1 / sizes[order])])[np.searchsorted(at[order], levels, side="left")]
    return levels, np.minimum(1.0, missed / n_notes)
