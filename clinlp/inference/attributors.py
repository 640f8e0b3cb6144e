"""Integrated gradients, Shapley values and LIME of a note's words, through captum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from clinlp.inference.gates import GatedNote

_KERNEL_WIDTH: Final = 0.25  # of LIME, in cosine distance, as its authors have it for text
_RIDGE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How much each method may compute.

    Attributes:
        n_steps: Of integrated gradients, along the path from a blank note.
        n_orders: Of Shapley sampling: orders in which words come in.
        n_samples: Of LIME: notes with words taken out.
        n_alone: Of Shapley and LIME: words that are asked one by one, those with the most of integrated
            gradients; all others share one score evenly.
        seed: Of orders and samples.
    """

    n_steps: int = 64
    n_orders: int = 16
    n_samples: int = 512
    n_alone: int = 48
    seed: int = 0


def integrated_gradients(note: GatedNote, n_steps: int, n_rows: int) -> Tensor:
    """Add up each word's slope on the straight way from the blank note.

    A gate scales the whole way of a word's embedding from blank, so its attribution is the sum of those
    of the embedding's numbers, over all pieces of the word.

    Source: Sundararajan, Taly & Yan (2017), arXiv 1703.01365.

    Returns:
        `(code, word)`.
    """
    from captum.attr import IntegratedGradients

    ask = IntegratedGradients(note)
    parts = []
    for codes in torch.split(torch.arange(len(note.codes), device=note.device), n_rows):
        gates = torch.ones(len(codes), note.n_words, device=note.device)
        parts.append(ask.attribute(gates, target=codes, n_steps=n_steps, internal_batch_size=max(n_rows, len(codes))))
    return torch.cat(parts).float()


def shapley_values(note: GatedNote, groups: Tensor, effort: Effort, n_rows: int) -> Tensor:
    """Give each word's mean effect when words come in one by one in random orders.

    Source: Castro, Gomez & Tejada (2009), Computers & Operations Research 36(5); Strumbelj & Kononenko (2010).

    Args:
        groups: `(word,)`, int64: words with one number come in together and share their effect evenly.

    Returns:
        `(code, word)`.
    """
    from captum.attr import ShapleyValueSampling

    effects: Tensor = ShapleyValueSampling(note).attribute(
        torch.ones(1, note.n_words, device=note.device),
        feature_mask=groups[None].to(note.device),
        n_samples=effort.n_orders,
        perturbations_per_eval=n_rows,
    )[0]
    return effects.float() / torch.bincount(groups)[groups].to(effects.device)


def lime(note: GatedNote, groups: Tensor, effort: Effort, n_rows: int) -> Tensor:
    """Fit a line to the log-odds of notes with random words taken out, the nearer to the note the more.

    Source: Ribeiro, Singh & Guestrin (2016), LIME, arXiv 1602.04938, section 3.

    Args:
        groups: `(word,)`, int64: words with one number go together and share their weight evenly.

    Returns:
        `(code, word)`.
    """
    from captum.attr import LimeBase

    n_groups = int(groups.max()) + 1
    samples = _taken_out(effort.n_samples, n_groups)
    with torch.no_grad():  # all codes at once: captum fits them one by one
        held = torch.cat([note(part[:, groups]).cpu() for part in torch.split(samples, n_rows)])
    index = {row.numpy().tobytes(): at for at, row in enumerate(samples)}
    parts = []
    for code in range(len(note.codes)):
        rows = iter(samples)
        fitted = LimeBase(
            lambda kept, code=code: held[[index[row.numpy().tobytes()] for row in kept], code],
            _Line(),
            lambda _whole, _kept, sample: _near(sample),
            lambda _whole, rows=rows: next(rows)[None],
            perturb_interpretable_space=True,
            from_interp_rep_transform=lambda sample, _whole: sample,
            to_interp_rep_transform=None,
        ).attribute(torch.ones(1, n_groups), n_samples=len(samples), perturbations_per_eval=64)
        parts.append(fitted)
    return torch.stack(parts)[:, groups] / torch.bincount(groups)[groups]


class _Line:
    """A weighted ridge regression, as captum asks for its line."""

    def __init__(self) -> None:
        self._slopes = torch.zeros(0)

    def fit(self, samples: Any) -> None:
        """Fit from batches of inputs `(sample, feature)`, outputs and weights `(sample,)`."""
        inputs, outputs, weights = (torch.cat(part).double() for part in zip(*samples, strict=True))
        shares = weights / weights.sum()
        inputs, outputs = inputs - shares @ inputs, outputs - shares @ outputs  # the intercept is not held small
        covered = inputs.T * weights
        held = covered @ inputs + _RIDGE * torch.eye(inputs.shape[1], dtype=torch.float64)
        self._slopes = torch.linalg.solve(held, covered @ outputs).float()

    def representation(self) -> Tensor:
        """The slopes, `(feature,)`."""
        return self._slopes


def groups_of(slopes: Tensor | None, n_words: int, n_alone: int) -> Tensor:
    """Number the words: those with the most alone, all others together as the last."""
    if slopes is None:
        return torch.arange(n_words)
    most = slopes.abs() / slopes.abs().sum(1, keepdim=True).clamp_min(1e-12)
    chosen = most.amax(0).cpu().argsort(descending=True, stable=True)[:n_alone].sort().values
    groups = torch.full((n_words,), n_alone)
    groups[chosen] = torch.arange(n_alone)
    return groups


def _taken_out(n_samples: int, n_groups: int) -> Tensor:
    """Draw which groups stay: the whole note first, then with 1 to all of them taken out, each number as often."""
    n_out = torch.randint(1, n_groups + 1, (n_samples, 1))
    ranks = torch.rand(n_samples, n_groups).argsort(1).argsort(1)
    samples = (ranks >= n_out).float()
    samples[0] = 1.0
    return samples


def _near(sample: Tensor) -> Tensor:
    """Weigh a sample by its cosine distance from the whole note."""
    distance = 1 - sample.mean(1).sqrt()
    return torch.exp(-(distance**2) / _KERNEL_WIDTH**2)
