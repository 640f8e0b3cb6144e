"""A multi-filter residual convolution over words.

Source: Li & Yu (2020), MultiResCNN, arXiv 1912.00862, sections 3.2 and 3.3; after Mullenbach et al.
(2018), CAML, arXiv 1802.05695, which is one filter width and no residual block (`layers` 0).
Left out: batch normalisation, which would let a piece's state hang on its batch and on padding.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from clinlp.models.lexical import LexicalConfig, LexicalEncoder


class CnnConfig(LexicalConfig):
    """The shape of a convolutional encoder."""

    kind: Literal["cnn"] = "cnn"
    form: Literal["float"] = "float"  # nothing computes its convolutions in eight bits
    filter_widths: tuple[int, ...] = Field((3, 5, 9), min_length=1)  # pieces that a filter sees at once
    channels: int = 128  # of each filter width
    layers: int = 1  # residual blocks of each filter width
    dropout: float = 0.2

    @model_validator(mode="after")
    def _centred(self) -> CnnConfig:
        if any(width < 1 or width % 2 == 0 for width in self.filter_widths):
            raise ValueError(f"filter_widths: odd numbers needed, got {list(self.filter_widths)}")
        return self

    @property
    def width(self) -> int:
        """Numbers of a hidden state."""
        return self.channels * len(self.filter_widths)


class CnnEncoder(LexicalEncoder):
    """Reads every piece with its neighbours, once for each filter width."""

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        self.config = config
        self.width = config.width
        self.filters = nn.ModuleList(
            _Filter(config.embedding_width, config.channels, width, config.layers) for width in config.filter_widths
        )

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Encode every piece in the light of its neighbours.

        A piece sees `reach` pieces to each side at most, so pieces further than that from a window's
        border have the states that they would have in one window over the whole note.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real; padding is at the end.

        Returns:
            Hidden states, `(window, piece, hidden)`; those of padding are zero.
        """
        inputs = self.dropout(self.embed(pieces, mask)).transpose(1, 2)
        real = mask[:, None, :]
        states = torch.cat([each(inputs, real) for each in self.filters], 1).transpose(1, 2)
        dropped: Tensor = self.dropout(states)
        return dropped


class _Filter(nn.Module):
    """One filter width: a convolution, then residual blocks, all `(window, channel, piece)`."""

    def __init__(self, width_in: int, channels: int, width: int, layers: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width_in, channels, width, padding=width // 2)
        self.blocks = nn.ModuleList(_Block(channels, width) for _ in range(layers))

    def forward(self, inputs: Tensor, real: Tensor) -> Tensor:
        # What a convolution makes of padding is put to zero before the next one reads it: past a
        # window's end there must be what there is past the end of a batch.
        states: Tensor = torch.tanh(self.first(inputs * real)) * real
        for block in self.blocks:
            states = block(states, real)
        return states


class _Block(nn.Module):
    """Two convolutions and a shortcut, which needs none of its own as in the paper: what goes in is as wide."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Conv1d(channels, channels, width, padding=width // 2)
        self.outer = nn.Conv1d(channels, channels, width, padding=width // 2)

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        turned = torch.tanh(self.inner(states)) * real
        return torch.tanh(states + self.outer(turned)) * real


def reach(filter_widths: tuple[int, ...], layers: int) -> int:
    """Count the pieces to each side that have a part in a piece's state."""
    return max(filter_widths) // 2 * (1 + 2 * layers)
