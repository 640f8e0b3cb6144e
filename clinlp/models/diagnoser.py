"""The diagnoser: an encoder over all windows of a note and one attention per code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clinlp.models.codes import CodesConfig
from clinlp.models.encoder import EncoderConfig, build_encoder
from clinlp.models.fields import FieldsConfig, FieldsEncoder
from clinlp.models.label_attention import LabelAttention
from clinlp.models.losses import AsymmetricLoss, CodeLoss


class DiagnoserConfig(CodesConfig):
    """All that is needed to build a diagnoser anew."""

    encoder: EncoderConfig
    name_width: int = 0  # numbers of the embedding of a code's name; 0: codes have no names
    fields: FieldsConfig | None = None  # columns that are read beside the text


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
        self.fields = None if config.fields is None else FieldsEncoder(config.fields)
        if config.fields is not None:
            self.beside = nn.Linear(config.fields.width, len(config.codes), bias=False)
            nn.init.zeros_(self.beside.weight)  # starts from the text alone
        # training may put another in its place
        self.code_loss: CodeLoss | AsymmetricLoss = CodeLoss(single=config.single)

    def logits(
        self, pieces: Tensor, mask: Tensor, places: Tensor, fields: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Score every code for every note.

        Args:
            pieces: `(window, piece, feature)`, int64; the windows of all notes.
            mask: `(window, piece)`, bool.
            places: `(note, piece)`, int64: where each piece of a note stands in the flattened
                windows; -1 is padding.
            fields: `(note, column)`, as `FieldsEncoder` takes them; of a model that reads fields.

        Returns:
            Logits `(note, code)` and attention `(note, code, piece)`.
        """
        logits, attention = self.attention(self._joined(pieces, mask, places), places >= 0)
        return self._with_fields(logits, fields), attention

    def forward(
        self, pieces: Tensor, mask: Tensor, places: Tensor, targets: Tensor, fields: Tensor | None = None
    ) -> Tensor:
        """Sum the loss over the batch's notes; the caller divides by how many there are.

        Args:
            targets: `(note, code)`, 1 where the note has the code.
        """
        logits = self.attention.score(self._joined(pieces, mask, places), places >= 0)
        loss: Tensor = self.code_loss(self._with_fields(logits, fields), targets)
        return loss

    @torch.no_grad()
    def predict(
        self, pieces: Tensor, mask: Tensor, places: Tensor, fields: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Give every code's probability and its attention.

        Returns:
            `(note, code)` and `(note, code, piece)`.
        """
        logits, attention = self.logits(pieces, mask, places, fields)
        probabilities = torch.softmax(logits, -1) if self.config.single else torch.sigmoid(logits)
        return probabilities, attention

    @torch.no_grad()
    def rank(self, pieces: Tensor, mask: Tensor, places: Tensor, fields: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give every code's probability, in memory that does not grow with the number of codes.

        Returns:
            `(note, code)`, and the keys `(note, piece, inner)` from which `attention.looks` says where a code looked.
        """
        hidden = self._joined(pieces, mask, places)
        keys = self.attention.keys(hidden)
        logits = self._with_fields(self.attention.score(hidden, places >= 0, keys), fields)
        probabilities = torch.softmax(logits, -1) if self.config.single else torch.sigmoid(logits)
        return probabilities, keys

    def _with_fields(self, logits: Tensor, fields: Tensor | None) -> Tensor:
        """Add what the fields say of each code: the rest of the dot product with the joined vector."""
        if self.fields is None:
            return logits
        if fields is None:
            raise ValueError("fields: values of the model's columns needed, got none")
        said: Tensor = self.beside(self.fields(fields))
        return logits + said.float()

    def _joined(self, pieces: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Encode windows and put the states of each note's pieces in a row, `(note, piece, hidden)`."""
        hidden: Tensor = self.encoder(pieces, mask).flatten(0, 1)
        return hidden[places.clamp_min(0)]
