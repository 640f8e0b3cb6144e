"""The entity tagger: an encoder, a linear layer and a CRF over BIOES tags."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from clinlp.config import Config
from clinlp.models.crf import Crf
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.transformer import TransformerConfig, TransformerEncoder

EncoderConfig = Annotated[LstmConfig | TransformerConfig, Field(discriminator="kind")]


class TaggerConfig(Config):
    """All that is needed to build a tagger anew."""

    task: Literal["entities"] = "entities"
    encoder: EncoderConfig
    head: Literal["crf", "linear"] = "crf"
    labels: tuple[str, ...]


class Tagger(nn.Module):
    """Pieces to emissions to tags."""

    def __init__(self, config: TaggerConfig, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder) if encoder is None else encoder
        self.emit = nn.Linear(int(self.encoder.width), 1 + 4 * len(config.labels))  # type: ignore[arg-type]
        self.crf = Crf(len(config.labels)) if config.head == "crf" else None

    def emissions(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Score every tag for every piece.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real.

        Returns:
            `(window, piece, tag)`.
        """
        scored: Tensor = self.emit(self.encoder(pieces, mask))
        return scored

    def forward(self, pieces: Tensor, mask: Tensor, tags: Tensor) -> Tensor:
        """Sum the loss over the batch's pieces; the caller divides by how many there are.

        Args:
            tags: `(window, piece)`, int64, gold.
        """
        emissions = self.emissions(pieces, mask)
        if self.crf is not None:
            return self.crf.negative_log_likelihood(emissions, tags, mask)
        return nn.functional.cross_entropy(emissions[mask].float(), tags[mask], reduction="sum")

    @torch.no_grad()
    def predict(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Choose the best tags and say how probable each is.

        Returns:
            Tags `(window, piece)`, int64, and their marginal probabilities, same shape.
        """
        emissions = self.emissions(pieces, mask)
        if self.crf is not None:
            tags = self.crf.viterbi(emissions, mask)
            probabilities = self.crf.marginals(emissions, mask)
        else:
            probabilities = torch.softmax(emissions.float(), -1)
            tags = probabilities.argmax(-1) * mask
        return tags, probabilities.gather(2, tags[:, :, None])[:, :, 0]


def build_encoder(config: LstmConfig | TransformerConfig) -> LstmEncoder | TransformerEncoder:
    """Make the encoder that a config describes, with fresh weights."""
    return LstmEncoder(config) if isinstance(config, LstmConfig) else TransformerEncoder(config)
