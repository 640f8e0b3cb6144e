"""A moving average of the weights, which often scores better than the weights themselves.

Source: Polyak & Juditsky (1992); Tarvainen & Valpola (2017), arXiv 1703.01780, for the exponential kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """The average of the weights that learn; the others are the same in every step."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start from the weights as they are.

        Args:
            decay: How much of the average stays at a step; less in the first steps, so that it forgets the start.
        """
        self.decay = decay
        self.learning = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.values = {name: weight.detach().clone() for name, weight in self.learning.items()}

    @torch.no_grad()
    def update(self, n_steps: int) -> None:
        """Move the average towards the weights after so many steps."""
        decay = min(self.decay, (1 + n_steps) / (10 + n_steps))
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        move(list(self.values.values()), [weight.detach() for weight in self.learning.values()], None)

    @torch.no_grad()
    def load(self, values: dict[str, Tensor]) -> None:
        """Take over an average.

        Raises:
            ValueError: It is one of other weights.
        """
        if {name: value.shape for name, value in values.items()} != {n: v.shape for n, v in self.values.items()}:
            raise ValueError("an average of these weights needed, got one of others")
        for name, value in values.items():
            self.values[name].copy_(value)

    @contextmanager
    @torch.no_grad()
    def shown(self) -> Iterator[None]:
        """Let the model have the averaged weights for as long as the context lasts."""
        kept = {name: weight.detach().clone() for name, weight in self.learning.items()}
        try:
            for name, weight in self.learning.items():
                weight.copy_(self.values[name])
            yield
        finally:
            for name, weight in self.learning.items():
                weight.copy_(kept[name])
