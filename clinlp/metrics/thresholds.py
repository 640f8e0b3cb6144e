"""From which probability on codes count: one threshold for all, one for each with shrinkage, or the first k.

What is chosen is best on the notes it was chosen on, which is not what it will be on others: the fewer
notes have a code, the nearer its threshold stays to the common one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from clinlp.metrics.calibration import Floats, best_threshold
from clinlp.metrics.choice import Choice

Way = Literal["common", "per-code", "top-k", "fixed"]
Gold = NDArray[np.bool_]
ENOUGH: Final = 20
"""Gold codes without which nothing is tuned; and how many notes with a code weigh as much as the common threshold."""
_USUAL: Final = 0.5


def choose(probabilities: Floats, gold: Gold, codes: Sequence[str], way: Way, *, n_unknown: int = 0) -> Choice:
    """Choose thresholds, or k, for the highest F1 on notes with gold codes.

    `common`: the threshold of the highest micro F1. `per-code`: for a code with n notes the threshold t
    of its highest F1 moves towards the common one c, to (n t + m c) / (n + m) with m = 20. `top-k`: the k
    of the highest micro F1.

    Source: Yang (2001), A Study on Thresholding Strategies for Text Categorization, SIGIR (SCut for
    thresholds of codes, which overfit rare ones, and RCut for top-k); Cestnik (1990), Estimating
    Probabilities, ECAI (the m-estimate: a prior that weighs as much as m observations).

    Args:
        probabilities: `(note, code)`, calibrated.
        gold: `(note, code)`.
        n_unknown: Gold codes that the model does not know, all missed.
    """
    n_gold = int(gold.sum()) + n_unknown
    if way == "fixed" or n_gold < ENOUGH:
        return Choice()
    if way == "top-k":
        return Choice(top=_best_k(probabilities, gold, n_gold))
    flat, right = probabilities.ravel(), gold.ravel()
    common = round(best_threshold(flat, right, n_gold, _USUAL), 6)
    if way == "common":
        return Choice(common)
    own = {}
    for at in np.flatnonzero(gold.any(0)).tolist():
        n = int(gold[:, at].sum())
        best = best_threshold(probabilities[:, at], gold[:, at], n, common)
        if best != common:
            own[codes[at]] = round(shrunk(best, n, common), 6)
    return Choice(common, own)


def shrunk(best: float, n: int, common: float) -> float:
    """Move a code's own threshold towards the common one, the further the fewer notes have the code."""
    return (n * best + ENOUGH * common) / (n + ENOUGH)


def micro_f1(probabilities: Floats, gold: Gold, codes: Sequence[str], choice: Choice, *, n_unknown: int = 0) -> float:
    """Give micro F1 of what a choice predicts."""
    found = _found(probabilities, codes, choice)
    both = int(found.sum()) + int(gold.sum()) + n_unknown
    return 2 * int((found & gold).sum()) / both if both else 0.0


def macro_f1(probabilities: Floats, gold: Gold, codes: Sequence[str], choice: Choice, *, n_unknown: int = 0) -> float:
    """Give the mean F1 of the codes that gold or predicted notes have.

    Args:
        n_unknown: Codes of gold notes that the model does not know, all missed.
    """
    found = _found(probabilities, codes, choice)
    both = found.sum(0) + gold.sum(0)
    seen = both > 0
    n_codes = int(seen.sum()) + n_unknown
    return float((2 * (found & gold).sum(0)[seen] / both[seen]).sum()) / n_codes if n_codes else 0.0


def _found(probabilities: Floats, codes: Sequence[str], choice: Choice) -> Gold:
    """Say which codes a choice predicts, `(note, code)`."""
    if choice.top is None:
        least = np.array([choice.thresholds.get(code, choice.threshold) for code in codes])
        return probabilities >= least
    found = np.zeros(probabilities.shape, bool)
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, : choice.top]
    np.put_along_axis(found, ranked, values=True, axis=1)
    return found


def _best_k(probabilities: Floats, gold: Gold, n_gold: int) -> int:
    """Give the smallest k with the highest micro F1."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    hits = np.take_along_axis(gold, ranked, 1).sum(0).cumsum()
    n_found = len(gold) * np.arange(1, gold.shape[1] + 1)
    return int(np.argmax(2 * hits / (n_found + n_gold))) + 1
