"""The tagger of entities or of PHI: an encoder, a linear layer and a CRF over BIOES tags."""

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

    task: Literal["entities", "phi"] = "entities"  # which spans of a note it finds
    encoder: EncoderConfig
    head: Literal["crf", "linear"] = "crf"
    labels: tuple[str, ...]
    thresholds: dict[str, float] = Field(default_factory=dict)  # of PHI labels: how probable is found; else 0.5


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
        probabilities = self._marginals(emissions, mask)
        tags = probabilities.argmax(-1) * mask if self.crf is None else self.crf.viterbi(emissions, mask)
        return tags, probabilities.gather(2, tags[:, :, None])[:, :, 0]

    @torch.no_grad()
    def label_probabilities(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Say how probable it is that a piece belongs to a span of each label, whatever its part in it.

        Returns:
            `(window, piece, label)`; what is missing to 1 is the probability of no span.
        """
        probabilities = self._marginals(self.emissions(pieces, mask), mask)
        return probabilities[:, :, 1:].reshape(*mask.shape, len(self.config.labels), 4).sum(3)

    def _marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The probability of every tag at every piece, `(window, piece, tag)`."""
        if self.crf is not None:
            return self.crf.marginals(emissions, mask)
        return torch.softmax(emissions.float(), -1)


def build_encoder(config: LstmConfig | TransformerConfig) -> LstmEncoder | TransformerEncoder:
    """Make the encoder that a config describes, with fresh weights."""
    return LstmEncoder(config) if isinstance(config, LstmConfig) else TransformerEncoder(config)
