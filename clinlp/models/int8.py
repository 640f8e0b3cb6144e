"""Weights of eight bits for a CPU: a quarter of the size, and products that take a third of bf16's time.

Built on `torch._int_mm`, the one int8 product that torch's own quantisation library stands on: the
modules and operators of `torch.ao.quantization` are deprecated and due to be deleted.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

_ROWS: Final = 256  # of pieces worked on at once: their numbers stay in the core's cache from step to step
_TINY: Final = 1e-12  # a row of zeros has a scale too
_TOP: Final = 127.0


class Int8Linear(nn.Module):
    """A linear layer of two inputs or more whose product is one of int8 numbers (W8A8, dynamic, symmetric).

    Weights are scaled by row of the output, inputs by piece as they come. So what a piece gets never
    depends on what else is in its batch, as it would with one scale for a whole input.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight, scale = _rounded(linear.weight)
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply; rounding has no gradient.

        Args:
            inputs: `(..., in)`.

        Returns:
            `(..., out)`, float32.
        """
        rows = inputs.reshape(-1, self.in_features)
        outputs = torch.empty(len(rows), self.out_features)
        weight, scale = self.weight.t(), self.scale / _TOP
        for first in range(0, len(rows), _ROWS):
            part = rows[first : first + _ROWS].float()
            top = part.abs().amax(1, keepdim=True).clamp_min_(_TINY)  # aminmax along rows is one number at a time
            whole = (part * (_TOP / top)).round_().to(torch.int8)
            out = outputs[first : first + _ROWS]
            out.copy_(torch._int_mm(whole, weight)).mul_(top)  # noqa: SLF001  its only name
            if self.bias is None:
                out.mul_(scale)
            else:
                torch.addcmul(self.bias, out, scale, out=out)
        return outputs.view(*inputs.shape[:-1], self.out_features)


class Int8Embedding(nn.Module):
    """A table of which each row is int8 with a scale of its own."""

    weight: Tensor
    scale: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        weight, scale = _rounded(embedding.weight)
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)

    def forward(self, rows: Tensor) -> Tensor:
        """Look rows up, `(...)` to `(..., width)`."""
        return self.weight[rows] * self.scale[rows][..., None]


def to_int8(module: nn.Module) -> None:
    """Put int8 layers in the place of the linear layers and tables inside a module.

    Recurrent and convolutional weights stay as they are: int8 steps of an LSTM are no faster than bf16
    ones and far less exact.
    """
    for name, child in list(module.named_children()):
        if type(child) is nn.Linear and child.in_features > 1:  # _int_mm is wrong about products of width 1
            setattr(module, name, Int8Linear(child))
        elif type(child) is nn.Embedding:
            setattr(module, name, Int8Embedding(child))
        else:
            to_int8(child)


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to whole numbers of up to 127; give them and the rows' scales."""
    weight = weight.detach().float()
    scale = weight.abs().amax(1).clamp_min(_TINY) / _TOP
    return (weight / scale[:, None]).round().to(torch.int8), scale
