"""Ranks codes by a network with label attention; a long note is read in windows that the attention joins."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from clinlp.data.batches import by_length, join
from clinlp.data.fields import missing_fields, read_fields
from clinlp.data.pieces import PieceReader
from clinlp.data.rows import Pieces
from clinlp.inference.device import Precision, autocast, settle, usual_batch
from clinlp.inference.evidence import attended
from clinlp.inference.ranking import Ranker, Scored
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.label_attention import LabelAttention
from clinlp.models.patients import PatientDiagnoser
from clinlp.note import Note
from clinlp.spans import Span
from clinlp.tagging.windows import overlapping

_log = logging.getLogger(__name__)


class NetworkRanker(Ranker):
    """What rankers of notes and of patients share: pieces, columns, and where and how precisely to compute.

    Attributes:
        speaks: Whether what is odd about notes is said, once; not so in training, which says it of all at the start.
    """

    model: Diagnoser | PatientDiagnoser
    speaks = True
    _told_of_fields = False

    def __init__(
        self,
        model: Diagnoser | PatientDiagnoser,
        reader: PieceReader,
        *,
        precision: Precision = "fp32",
        batch_pieces: int | None = None,
    ) -> None:
        """Use a network where it is.

        Args:
            batch_pieces: Pieces of a batch, padding included; else what suits the device.
        """
        super().__init__(model)
        self.reader = reader
        self.precision = settle(model, precision)
        self.device = next(model.parameters()).device
        self.batch_pieces = batch_pieces or usual_batch(self.device)
        self.columns = () if model.config.fields is None else model.config.fields.names

    def fields(self, notes: Sequence[Note]) -> torch.Tensor | None:
        """Give the columns that the model reads beside the text, `(note, column)`; None if it reads none.

        Raises:
            DataError: A value cannot be read.
        """
        config = self.model.config.fields
        if config is not None and self.speaks and not self._told_of_fields:
            for remark in missing_fields(config.names, notes):
                _log.warning("%s (said once)", remark)
                self._told_of_fields = True
        return None if config is None else torch.from_numpy(read_fields(config, notes))

    def save_reader(self, folder: Path) -> None:
        """Write the reader of pieces."""
        self.reader.save(folder)


class NoteRanker(NetworkRanker):
    """Ranks the codes of each note by itself."""

    model: Diagnoser

    def scored(self, notes: Sequence[Note], *, evidence: bool = True) -> Iterator[Scored]:  # noqa: ARG002  it comes with them
        """Give every code's probability in each note that has words, in any order."""
        read = [self.reader(note.text) for note in notes]
        encoder = self.model.config.encoder
        fields = self.fields(notes)
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        for group in by_length(np.array([len(read[at]) for at in filled], np.int64), self.batch_pieces):
            chosen = [filled[item] for item in group.tolist()]
            batch = join(
                [(read[at].features, overlapping(len(read[at]), encoder.max_pieces, encoder.overlap)) for at in chosen]
            )
            with torch.inference_mode(), autocast(self.device, self.precision, encoder.kind):
                found, keys = self.model.rank(
                    batch.pieces.to(self.device),
                    batch.mask.to(self.device),
                    batch.places.to(self.device),
                    None if fields is None else fields[chosen].to(self.device),
                )
            probabilities = found.float().cpu().numpy()
            for row, at in enumerate(chosen):
                explain = partial(_attended, self.model.attention, keys[row], read[at], notes[at].text)
                yield Scored(at, probabilities[row], explain)


def _attended(
    attention: LabelAttention, keys: torch.Tensor, pieces: Pieces, text: str, codes: Sequence[int]
) -> list[tuple[Span, ...]]:
    """Say where the codes of one note looked."""
    chosen = torch.tensor(codes, dtype=torch.int64, device=keys.device)
    with torch.inference_mode():
        rows = attention.looks(keys[: len(pieces)], chosen).cpu().numpy()
    return attended(rows, pieces.offsets, text)
