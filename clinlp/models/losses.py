"""The loss of a head that scores each piece by itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_TINY = 1e-8  # no power of 0, whose slope is infinite for a gamma below 1


class PieceLoss(nn.Module):
    """Cross entropy; rare tags may count more, and pieces that are easy already may count less.

    Source: Lin et al. (2017), arXiv 1708.02002, section 3.2, for the focal loss.
    """

    weights: Tensor | None

    def __init__(self, weights: Tensor | None = None, focal: float = 0.0) -> None:
        """Set how much each piece counts.

        Args:
            weights: `(tag,)`; None: all alike.
            focal: Gamma: a piece of probability p counts (1 - p) ** gamma; 0: all alike.
        """
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)  # needed in training alone
        self.focal = focal

    def forward(self, emissions: Tensor, tags: Tensor) -> Tensor:
        """Sum the loss over pieces.

        Args:
            emissions: `(piece, tag)`.
            tags: `(piece,)`, int64, gold.
        """
        emissions = emissions.float()
        if not self.focal:
            return nn.functional.cross_entropy(emissions, tags, self.weights, reduction="sum")
        surprise = nn.functional.cross_entropy(emissions, tags, reduction="none")
        # 1 - p from the surprise itself: exact where p is near 1
        losses = (-torch.expm1(-surprise)).clamp_min(_TINY) ** self.focal * surprise
        return (losses if self.weights is None else losses * self.weights[tags]).sum()


def balanced(counts: Sequence[int], power: float, factors: Sequence[float]) -> Tensor:
    """Weigh each class by its count to the power of `-power` and by its factor; the mean over all pieces is 1.

    A class that never occurs gets 1: no loss asks for it.

    Args:
        counts: Pieces of each class.
        factors: What each class counts besides.

    Returns:
        `(class,)`.
    """
    seen = torch.tensor(counts, dtype=torch.float64)
    weights = torch.where(seen > 0, seen.clamp_min(1.0) ** -power, 0.0) * torch.tensor(factors, dtype=torch.float64)
    weights *= seen.sum() / (weights * seen).sum().clamp_min(1e-300)
    return torch.where(seen > 0, weights, 1.0).float()
