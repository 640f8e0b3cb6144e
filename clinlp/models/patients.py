"""The diagnoser of patients: all notes of a patient in order of time, for the codes of a visit or of the next.

What it costs: a table of hidden states of all notes of a patient would grow with the patient, so notes are
encoded in chunks of a bounded number of pieces. Of a chunk, only a vector and the logits of each note are
kept: `(note, hidden + code)`; what is needed for its gradient is computed again when that is asked for
(Chen et al. 2016, arXiv 1604.06174). A patient with 500 notes trains in the memory of one chunk, at the
price of encoding every chunk twice, and the gradient is that of all notes, none left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clinlp.models.diagnoser import DiagnoserConfig
from clinlp.models.encoder import build_encoder
from clinlp.models.fields import FieldsEncoder
from clinlp.models.label_attention import LabelAttention
from clinlp.models.losses import AsymmetricLoss, CodeLoss

N_GAP = 2
"""Numbers that say how long ago the note before was."""
_DROPOUT: Final = 0.2  # of the states over notes


class PatientConfig(DiagnoserConfig):
    """All that is needed to build a diagnoser of patients anew."""

    model: Literal["patients"] = "patients"
    history: int = 128  # units of the LSTM over notes


class PatientDiagnoser(nn.Module):
    """Reads the notes of a patient one after the other; what it says at a note rests on that and on earlier ones.

    Each note becomes a vector by attention over its pieces, which goes with its fields and the time since
    the note before through an LSTM from the first note to the last. A code's logit is what label attention
    sees of it in the note itself, and what the LSTM's state adds.

    Source: Choi et al. (2016), Doctor AI, arXiv 1511.05942, section 3, for the recurrent network over visits
    and their gaps, which forecasts the codes of the next; Yang et al. (2016), NAACL, section 2.2, for a text's
    vector by attention; Huang, Tsai & Chen (2022), PLM-ICD, for the codes of a note.
    """

    def __init__(self, config: PatientConfig, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder) if encoder is None else encoder
        width, n_codes = int(self.encoder.width), len(config.codes)  # type: ignore[arg-type]
        self.attention = LabelAttention(width, n_codes, name_width=config.name_width)
        self.pool = nn.Sequential(nn.Linear(width, config.history), nn.Tanh(), nn.Linear(config.history, 1, bias=False))
        self.fields = None if config.fields is None else FieldsEncoder(config.fields)
        beside = N_GAP + (0 if config.fields is None else config.fields.width)
        self.lstm = nn.LSTM(width + beside, config.history, batch_first=True)
        self.dropout = nn.Dropout(_DROPOUT)
        self.beside = nn.Linear(config.history, n_codes, bias=False)
        self.most_pieces = 16_384  # whose hidden states a step keeps; of more, chunks are encoded twice
        self.code_loss: CodeLoss | AsymmetricLoss = CodeLoss(single=config.single)

    def read(self, pieces: Tensor, mask: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Read notes by themselves.

        Args:
            pieces: `(window, piece, feature)`, int64; the windows of all notes.
            mask: `(window, piece)`, bool.
            places: `(note, piece)`, int64: where each piece of a note stands in the flattened windows; -1 is padding.

        Returns:
            Vectors `(note, hidden)` and what the note itself says of each code, `(note, code)`.
        """
        return self.of_hidden(self.hidden(pieces, mask, places), places >= 0)

    def of_hidden(self, hidden: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Give what `read` does, of states `(note, piece, hidden)` of which `real` says which are no padding."""
        scores = self.pool(hidden).float().squeeze(2).masked_fill(~real, torch.finfo(torch.float32).min)
        vectors = (torch.softmax(scores, 1)[:, :, None].to(hidden.dtype) * hidden).sum(1)
        return vectors, self.attention.score(hidden, real)

    def hidden(self, pieces: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Encode windows and put the states of each note's pieces in a row, `(note, piece, hidden)`."""
        states: Tensor = self.encoder(pieces, mask).flatten(0, 1)
        return states[places.clamp_min(0)]

    def join(
        self, read: tuple[Tensor, Tensor], rows: Tensor, gaps: Tensor, chosen: Tensor, fields: Tensor | None = None
    ) -> Tensor:
        """Score the codes at the chosen notes of patients.

        Args:
            read: What `read` gives of all notes that have words.
            rows: `(patient, step)`, int64: the row of each note there; -1 where a note has no words, and as padding,
                which is at the end.
            gaps: `(patient, step, 2)`.
            chosen: `(patient, step)`, bool.
            fields: `(patient, step, column)`, of a model that reads fields.

        Returns:
            `(chosen note, code)`, one patient after the other, in order of time.
        """
        vectors, logits = read
        # The last row stands for notes without words: the place -1 finds it.
        vectors = torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])])
        logits = torch.cat([logits, self.attention.bias[None].to(logits.dtype)])
        given = [vectors[rows], gaps.to(vectors.dtype)]
        if self.fields is not None:
            if fields is None:
                raise ValueError("fields: values of the model's columns needed, got none")
            given.append(self.fields(fields.flatten(0, 1)).unflatten(0, fields.shape[:2]).to(vectors.dtype))
        states, _ = self.lstm(torch.cat(given, 2))
        said: Tensor = self.beside(self.dropout(states[chosen]))
        return logits[rows[chosen]] + said.float()

    def forward(
        self,
        chunks: Sequence[Mapping[str, Tensor]],
        targets: Tensor,
        rows: Tensor,
        gaps: Tensor,
        chosen: Tensor,
        fields: Tensor | None = None,
    ) -> Tensor:
        """Sum the loss over the chosen notes.

        Args:
            chunks: What `read` takes, in parts; `rows` counts through all of them.
            targets: `(chosen note, code)`, 1 where its visit, or the next, has the code.
        """
        if len(chunks) == 1 or sum(each["places"].numel() for each in chunks) <= self.most_pieces:
            parts = [self.read(**each) for each in chunks]
        else:
            parts = [
                checkpoint(self.read, each["pieces"], each["mask"], each["places"], use_reentrant=False)
                for each in chunks
            ]
        vectors, logits = (torch.cat(each) for each in zip(*parts, strict=True))
        loss: Tensor = self.code_loss(self.join((vectors, logits), rows, gaps, chosen, fields), targets)
        return loss

    def probabilities(self, logits: Tensor) -> Tensor:
        """Turn the scores of codes to probabilities, `(note, code)`."""
        return torch.softmax(logits, -1) if self.config.single else torch.sigmoid(logits)
