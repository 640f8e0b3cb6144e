"""The losses of heads that score each piece, or each code, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

_TINY = 1e-8  # no power of 0, whose slope is infinite for a gamma below 1
_GAMMA: Final = 4.0  # these two as Ridnik et al. chose them
_MARGIN: Final = 0.05
_BETA: Final = 0.999  # one of the four that Cui et al. tried, that for classes of up to a thousand notes


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


def possible_tags(tags: Tensor, unmarked: Tensor) -> Tensor:
    """Say which tags each piece may have: its own, and outside of spans every tag of a label that was not annotated.

    Args:
        tags: `(window, piece)`, int64, gold; 0 is O and each label has four (`clinlp.tagging.scheme`).
        unmarked: `(window, label)`, True for labels that the window may hold without a tag.

    Returns:
        `(window, piece, tag)`, bool.
    """
    own = nn.functional.one_hot(tags, 1 + 4 * unmarked.shape[1]).bool()
    open_tags = nn.functional.pad(unmarked.repeat_interleave(4, 1), (1, 0))
    return own | ((tags == 0)[:, :, None] & open_tags[:, None])


def partial_loss(emissions: Tensor, possible: Tensor) -> Tensor:
    """Sum over pieces the negative log of the probability that a piece has one of its possible tags.

    Args:
        emissions: `(piece, tag)`.
        possible: `(piece, tag)`, bool.
    """
    emissions = emissions.float()
    within = emissions.masked_fill(~possible, -torch.inf)
    return (torch.logsumexp(emissions, 1) - torch.logsumexp(within, 1)).sum()


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


class CodeLoss(nn.Module):
    """Cross entropy of codes: of each by itself, or of one a note; a code may count more than another."""

    weights: Tensor | None

    def __init__(self, weights: Tensor | None = None, *, single: bool = False) -> None:
        """Set how much each code counts.

        Args:
            weights: `(code,)`; None: all alike.
            single: Each note has exactly one code.
        """
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)  # needed in training alone
        self.single = single

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Sum the loss over notes and codes, in float32.

        Args:
            logits: `(note, code)`.
            targets: `(note, code)`, 1 where the note has the code.
        """
        logits = logits.float()
        if not self.single:
            return nn.functional.binary_cross_entropy_with_logits(logits, targets, self.weights, reduction="sum")
        gold = targets.argmax(1)
        losses = nn.functional.cross_entropy(logits, gold, reduction="none")
        return (losses if self.weights is None else losses * self.weights[gold]).sum()


class AsymmetricLoss(nn.Module):
    """Cross entropy of each code by itself, in which codes that a note has not count little once they are improbable.

    Source: Ridnik et al. (2021), arXiv 2009.14119, equations 4 to 7: for a code of probability p,
    `-(1 - p)^gamma_positive log p` where the note has it and `-q^gamma_negative log(1 - q)` with
    `q = max(p - margin, 0)` where not.
    """

    def __init__(self, gamma_negative: float = _GAMMA, gamma_positive: float = 0.0, margin: float = _MARGIN) -> None:
        super().__init__()
        if min(gamma_negative, gamma_positive) < 0 or not 0 <= margin < 1:
            raise ValueError(
                "an asymmetric loss needs gammas of 0 or more and 0 <= margin < 1, "
                f"got {gamma_negative}, {gamma_positive} and {margin}"
            )
        self.gamma_negative, self.gamma_positive, self.margin = gamma_negative, gamma_positive, margin

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Sum the loss over notes and codes, in float32.

        Args:
            logits: `(note, code)`.
            targets: `(note, code)`, 1 where the note has the code.
        """
        logits = logits.float()
        missed = torch.sigmoid(-logits)  # 1 - p, exact where p is near 1
        has = nn.functional.softplus(-logits)
        if self.gamma_positive:
            has = has * missed.clamp_min(_TINY) ** self.gamma_positive
        # log(1 - q) is a logarithm of `margin` at least; only without a margin could it be that of 0
        lacks = -(missed + self.margin).clamp_max(1.0).log() if self.margin else nn.functional.softplus(logits)
        if self.gamma_negative:
            lacks = lacks * (torch.sigmoid(logits) - self.margin).clamp_min(_TINY) ** self.gamma_negative
        return torch.where(targets > 0, has, lacks).sum()


def class_balanced(counts: Sequence[int], beta: float = _BETA) -> Tensor:
    """Weigh each code by the inverse of its effective number of notes, `(1 - beta) / (1 - beta^n)`.

    Source: Cui et al. (2019), arXiv 1901.05555, equations 2 and 4. As there, the weights of the codes add up to
    how many they are; a code that no note has gets 1, and no part in that.

    Args:
        counts: Notes that have each code.
        beta: 0: all codes alike; towards 1: by the inverse of their notes.

    Returns:
        `(code,)`.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"class-balanced weights need 0 <= beta < 1, got {beta}")
    seen = torch.tensor(counts, dtype=torch.float64)
    weights = (1 - beta) / (1 - beta ** seen.clamp_min(1.0))
    has_notes = seen > 0
    weights *= has_notes.sum() / weights[has_notes].sum().clamp_min(1e-300)
    return torch.where(has_notes, weights, 1.0).float()
