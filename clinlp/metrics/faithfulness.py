"""Whether evidence is what a model decided by: what its probability does without it, and with it alone.

Source: DeYoung et al. (2020), ERASER, arXiv 1911.03429, section 4.2; the area is the mean over the
shares, as in their released code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clinlp.errors import DataError
from clinlp.metrics.prf import mean

SHARES: Final = (0.01, 0.05, 0.10, 0.20, 0.50)
"""Of a note's tokens, the most important first."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The probability of one code in one note, whole and in parts.

    Attributes:
        whole: In the note as it is.
        without: For each share, without the evidence's first tokens.
        alone: For each share, with nothing but them.
    """

    whole: float
    without: tuple[float, ...]
    alone: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Means over codes of notes.

    Attributes:
        comprehensiveness: For each share, how far the probability falls without the evidence: high is good.
        sufficiency: For each share, how far it falls with the evidence alone: low is good.
    """

    comprehensiveness: tuple[float, ...]
    sufficiency: tuple[float, ...]
    n: int
    shares: tuple[float, ...] = SHARES

    @property
    def comprehensiveness_area(self) -> float:
        """Mean comprehensiveness over the shares."""
        return mean(self.comprehensiveness)

    @property
    def sufficiency_area(self) -> float:
        """Mean sufficiency over the shares."""
        return mean(self.sufficiency)

    def to_dict(self) -> dict[str, object]:
        """All numbers, for JSON."""
        return {
            "n": self.n,
            "shares": list(self.shares),
            "comprehensiveness": list(self.comprehensiveness),
            "comprehensiveness_area": self.comprehensiveness_area,
            "sufficiency": list(self.sufficiency),
            "sufficiency_area": self.sufficiency_area,
        }


def score_faithfulness(erasures: Sequence[Erasure], shares: Sequence[float] = SHARES) -> Faithfulness:
    """Average what erasing did.

    Raises:
        DataError: An erasure has not one number for each share.
    """
    for each in erasures:
        if not len(each.without) == len(each.alone) == len(shares):
            raise DataError(f"erasure: {len(shares)} shares needed, got {len(each.without)} and {len(each.alone)}")
    places = range(len(shares))
    return Faithfulness(
        comprehensiveness=tuple(mean([each.whole - each.without[at] for each in erasures]) for at in places),
        sufficiency=tuple(mean([each.whole - each.alone[at] for each in erasures]) for at in places),
        n=len(erasures),
        shares=tuple(shares),
    )


def first_tokens(n_tokens: int, shares: Sequence[float] = SHARES) -> tuple[int, ...]:
    """Say how many tokens each share of a note is: rounded up, so at least one.

    >>> first_tokens(30)
    (1, 2, 3, 6, 15)
    """
    return tuple(math.ceil(round(share * n_tokens, 6)) for share in shares)
