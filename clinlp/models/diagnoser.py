"""The diagnoser: an encoder over all windows of a note and one attention per code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clinlp.models.codes import CodesConfig
from clinlp.models.encoder import EncoderConfig, build_encoder
from clinlp.models.label_attention import LabelAttention
from clinlp.models.losses import AsymmetricLoss, CodeLoss


class DiagnoserConfig(CodesConfig):
    """All that is needed to build a diagnoser anew."""

    encoder: EncoderConfig
    name_width: int = 0  # numbers of the embedding of a code's name; 0: codes have no names


class Diagnoser(nn.Module):
    """Windows of notes to a probability per code, with the pieces that each code looked at.

    Source: Huang, Tsai & Chen (2022), PLM-ICD, for reading a long note in windows that label
    attention then joins.
    """

    def __init__(self, config: DiagnoserConfig, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder) if encoder is None else encoder
        width = int(self.encoder.width)  # type: ignore[arg-type]
        self.attention = LabelAttention(width, len(config.codes), name_width=config.name_width)
        # training may put another in its place
        self.code_loss: CodeLoss | AsymmetricLoss = CodeLoss(single=config.single)

    def logits(self, pieces: Tensor, mask: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Score every code for every note.

        Args:
            pieces: `(window, piece, feature)`, int64; the windows of all notes.
            mask: `(window, piece)`, bool.
            places: `(note, piece)`, int64: where each piece of a note stands in the flattened
                windows; -1 is padding.

        Returns:
            Logits `(note, code)` and attention `(note, code, piece)`.
        """
        logits, attention = self.attention(self._joined(pieces, mask, places), places >= 0)
        return logits, attention

    def forward(self, pieces: Tensor, mask: Tensor, places: Tensor, targets: Tensor) -> Tensor:
        """Sum the loss over the batch's notes; the caller divides by how many there are.

        Args:
            targets: `(note, code)`, 1 where the note has the code.
        """
        logits = self.attention.score(self._joined(pieces, mask, places), places >= 0)
        loss: Tensor = self.code_loss(logits, targets)
        return loss

    @torch.no_grad()
    def predict(self, pieces: Tensor, mask: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Give every code's probability and its attention.

        Returns:
            `(note, code)` and `(note, code, piece)`.
        """
        logits, attention = self.logits(pieces, mask, places)
        probabilities = torch.softmax(logits, -1) if self.config.single else torch.sigmoid(logits)
        return probabilities, attention

    def _joined(self, pieces: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Encode windows and put the states of each note's pieces in a row, `(note, piece, hidden)`."""
        hidden: Tensor = self.encoder(pieces, mask).flatten(0, 1)
        return hidden[places.clamp_min(0)]
