"""How much each piece counts in the loss of a linear head."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from clinlp.errors import UsageError
from clinlp.models.losses import PieceLoss, balanced
from clinlp.tagging.scheme import Tags
from clinlp.training.config import EntitiesConfig

_OUTSIDE = "O"
_POWERS = {None: 0.0, "sqrt": 0.5, "inverse": 1.0}


def piece_loss(config: EntitiesConfig, labels: Sequence[str], tags: Iterable[Tags]) -> PieceLoss:
    """Make the loss that a config asks for.

    The four tags of a label count alike: weights are for labels that are rare, not for mentions that
    are short.

    Args:
        tags: The gold tags of each training window.

    Raises:
        UsageError: A weight is of a label that is not learned, or is no number above 0.
    """
    if config.class_weights is None and not config.label_weights:
        return PieceLoss(focal=config.focal or 0.0)
    counts = np.zeros(1 + len(labels), np.int64)
    for each in tags:
        counts += np.bincount((each + 3) // 4, minlength=len(counts))  # tag ids: 0 is O, label k owns 1 + 4k ... 4 + 4k
    factors = _factors(config.label_weights, labels)
    weights = balanced(counts.tolist(), _POWERS[config.class_weights], factors)
    return PieceLoss(torch.cat([weights[:1], weights[1:].repeat_interleave(4)]), config.focal or 0.0)


def _factors(given: Sequence[str], labels: Sequence[str]) -> list[float]:
    """Read `LABEL=NUMBER`; give the factor of O and of each label."""
    if _OUTSIDE in labels:
        raise UsageError(f"label_weights, class_weights: labels other than {_OUTSIDE} needed, got a label of that name")
    factors = dict.fromkeys((_OUTSIDE, *labels), 1.0)
    for item in given:
        label, _, number = item.rpartition("=")
        if label not in factors:
            raise UsageError(f"label_weights: one of {', '.join(factors)} needed, got {label or item!r}")
        try:
            factors[label] = float(number)
        except ValueError:
            factors[label] = math.nan
        if not 0 < factors[label] < math.inf:
            raise UsageError(f"label_weights: {label}=NUMBER with a number above 0 needed, got {item!r}")
    return list(factors.values())
