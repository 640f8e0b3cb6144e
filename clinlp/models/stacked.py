"""A transformer's states and features of words, joined piece by piece and read by a bidirectional LSTM.

Source: Akbik et al. (2018), "Contextual string embeddings for sequence labeling" (stacked embeddings).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from clinlp.config import Config
from clinlp.models.form import Form
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.transformer import TransformerConfig, TransformerEncoder


class StackedConfig(Config):
    """The shapes of both; windows are the transformer's."""

    kind: Literal["stacked"] = "stacked"
    form: Form = "float"
    transformer: TransformerConfig
    words: LstmConfig

    @property
    def width(self) -> int:
        """Numbers of a hidden state."""
        return self.words.width

    @property
    def max_pieces(self) -> int:
        """Pieces of a window."""
        return self.transformer.max_pieces

    @property
    def overlap(self) -> int:
        """Pieces that two windows share."""
        return self.transformer.overlap


class StackedEncoder(nn.Module):
    """Reads feature 0 of a piece by the transformer, and the rest, which are of its word, by the LSTM.

    What a pretrained vocabulary lost (case, rare words cut to pieces) is there again, as are word vectors.
    """

    def __init__(self, config: StackedConfig, transformer: TransformerEncoder | None = None) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.transformer = TransformerEncoder(config.transformer) if transformer is None else transformer
        self.words = LstmEncoder(config.words)

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Encode every piece in the light of its whole window.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real; padding is at the end.

        Returns:
            Hidden states, `(window, piece, 2 * hidden)`.
        """
        states: Tensor = self.words(pieces[..., 1:], mask, self.transformer(pieces[..., :1], mask))
        return states

    def look_up(self, pieces: Tensor) -> Tensor:
        """Give the vector of every piece as it stands in the transformer's table, `(window, piece, embedding)`."""
        return self.transformer.look_up(pieces[..., :1])
