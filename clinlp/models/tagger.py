"""The tagger of entities or of PHI: an encoder, and a head that tags pieces (BIOES) or scores spans."""

from __future__ import annotations

from typing import Final, Literal, Self, TypeAlias

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from clinlp.config import Config
from clinlp.models.crf import Crf
from clinlp.models.encoder import EncoderConfig, build_encoder
from clinlp.models.losses import PieceLoss, partial_loss, possible_tags
from clinlp.models.span_scorer import BiaffineScorer, PointerScorer, find_spans, span_loss

Head: TypeAlias = Literal["crf", "linear", "pointer", "biaffine"]
SPAN_HEADS: Final = ("pointer", "biaffine")
"""Heads that score spans, which may nest and overlap; the others tag pieces."""


class TaggerConfig(Config):
    """All that is needed to build a tagger anew."""

    task: Literal["entities", "phi"] = "entities"  # which spans of a note it finds
    encoder: EncoderConfig
    head: Head = "crf"
    labels: tuple[str, ...]
    max_width: int = Field(0, ge=0)  # of a head that scores spans: pieces of the longest that it finds
    flat: bool = False  # of such a head: spans never share a piece, the most probable stay
    temperature: float = Field(1.0, gt=0)  # by which log-odds of entities are divided, so that scores can be believed
    offset: float = 0.0  # what is then added to them
    thresholds: dict[str, float] = Field(default_factory=dict)
    """How probable a span of a label must be. Else 0.5, before calibration for entities; for entities that are tagged,
    any that is the best."""
    doubts: dict[str, dict[str, float]] = Field(default_factory=dict)
    """For PHI, by language and label: the highest score of a rule's find that goes where this model sees nothing."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.scores_spans and self.task == "phi":
            raise ValueError(f"head: crf or linear needed for phi, got {self.head}")
        if self.scores_spans and not 0 < self.max_width <= self.encoder.max_pieces:
            raise ValueError(
                f"max_width: 1 to {self.encoder.max_pieces} (max_pieces) needed for {self.head}, got {self.max_width}"
            )
        return self

    @property
    def scores_spans(self) -> bool:
        """Whether the head scores spans instead of tagging pieces."""
        return self.head in SPAN_HEADS

    @property
    def windowing(self) -> tuple[int, int]:
        """Pieces that a window holds and pieces that two windows share: enough for any span that is scored."""
        return self.encoder.max_pieces, max(self.encoder.overlap, self.max_width - 1)


class Tagger(nn.Module):
    """Pieces to emissions to tags or spans.

    Attributes:
        emit: Scores tags; None in a model that scores spans.
        crf: Scores their order, if the head is a CRF.
        scorer: Scores spans; None in a model that tags pieces.
    """

    def __init__(self, config: TaggerConfig, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder) if encoder is None else encoder
        width, n_labels = int(self.encoder.width), len(config.labels)  # type: ignore[arg-type]
        self.emit = None if config.scores_spans else nn.Linear(width, 1 + 4 * n_labels)
        self.crf = Crf(n_labels) if config.head == "crf" else None
        self.scorer: PointerScorer | BiaffineScorer | None = None
        if config.scores_spans:
            scorer = PointerScorer if config.head == "pointer" else BiaffineScorer
            self.scorer = scorer(width, n_labels, config.max_width)
        self.piece_loss = PieceLoss()  # of a linear head; training may put another in its place

    def emissions(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Score every tag for every piece, or every label for every span.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real.

        Returns:
            `(window, piece, tag)`, or `(window, label, start, reach)` of a model that scores spans.
        """
        hidden = self.encoder(pieces, mask)
        scored: Tensor
        if self.emit is not None:
            scored = self.emit(hidden)
        elif self.scorer is not None:
            scored = self.scorer(hidden, mask)
        return scored

    def forward(self, pieces: Tensor, mask: Tensor, gold: Tensor, unmarked: Tensor | None = None) -> Tensor:
        """Sum the loss over the batch's pieces; the caller divides by how many there are.

        Args:
            gold: Tags `(window, piece)`, int64; or window, label, start and reach of each span,
                `(span, 4)`, int64, for a model that scores spans.
            unmarked: `(window, label)`, True for labels that a window may hold without a tag, for a model that tags.
        """
        emissions = self.emissions(pieces, mask)
        if self.scorer is not None:
            return span_loss(emissions, gold)
        if unmarked is not None and unmarked.any():
            possible = possible_tags(gold, unmarked)
            if self.crf is not None:
                return self.crf.partial_negative_log_likelihood(emissions, possible, mask)
            return partial_loss(emissions[mask], possible[mask])
        if self.crf is not None:
            return self.crf.negative_log_likelihood(emissions, gold, mask)
        loss: Tensor = self.piece_loss(emissions[mask], gold[mask])
        return loss

    @torch.no_grad()
    def predict(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Choose the best tags and say how probable each is.

        Returns:
            Tags `(window, piece)`, int64, and their marginal probabilities, calibrated, same shape.
        """
        emissions = self.emissions(pieces, mask)
        probabilities = self._marginals(emissions, mask)
        tags = probabilities.argmax(-1) * mask if self.crf is None else self.crf.viterbi(emissions, mask)
        return tags, self._calibrated(probabilities.gather(2, tags[:, :, None])[:, :, 0])

    @torch.no_grad()
    def predict_spans(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Find the spans that are as probable as their label needs, by a head that scores spans.

        Returns:
            Window, label, start and reach of each, `(span, 4)`, int64, and the calibrated probabilities `(span,)`.
        """
        given, heat, offset = self.config.thresholds, self.config.temperature, self.config.offset
        # Calibration keeps the order: the same spans are found by the threshold that becomes the one given.
        own = self._tempered(
            torch.tensor([given.get(label, 0.5) for label in self.config.labels]), 1 / heat, -offset * heat
        )
        thresholds = torch.where(torch.tensor([label in given for label in self.config.labels]), own, 0.5)
        spans, probable = find_spans(self.emissions(pieces, mask), thresholds)
        return spans, self._calibrated(probable)

    @torch.no_grad()
    def label_probabilities(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Say how probable it is that a piece belongs to a span of each label, whatever its part in it.

        Returns:
            `(window, piece, label)`; what is missing to 1 is the probability of no span.
        """
        probabilities = self._marginals(self.emissions(pieces, mask), mask)
        return probabilities[:, :, 1:].reshape(*mask.shape, len(self.config.labels), 4).sum(3)

    def _calibrated(self, probabilities: Tensor) -> Tensor:
        """Bring probabilities to what was right on dev."""
        return self._tempered(probabilities, self.config.temperature, self.config.offset)

    @staticmethod
    def _tempered(probabilities: Tensor, temperature: float, offset: float) -> Tensor:
        """Divide log-odds by a temperature and add an offset; the order of probabilities stays."""
        if temperature == 1.0 and not offset:
            return probabilities
        return torch.sigmoid(torch.logit(probabilities.float(), eps=1e-6) / temperature + offset)

    def _marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The probability of every tag at every piece, `(window, piece, tag)`."""
        if self.crf is not None:
            return self.crf.marginals(emissions, mask)
        return torch.softmax(emissions.float(), -1)
