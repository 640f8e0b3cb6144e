"""Entities of notes, found by a tagger in batches across notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.errors import UsageError
from clinlp.inference.device import Precision, autocast, place
from clinlp.inference.windows import over_windows
from clinlp.models.store import find_model, load_model
from clinlp.models.tagger import Tagger
from clinlp.note import Note
from clinlp.spans import Span
from clinlp.tagging.scheme import decode_tags


class EntityPredictor:
    """Finds entities; a note longer than a window is read in several, each piece where it is most central."""

    def __init__(
        self, tagger: Tagger, reader: PieceReader, *, precision: Precision = "fp32", batch_pieces: int = 8192
    ) -> None:
        """Use a tagger where it is.

        Args:
            batch_pieces: Pieces of a batch, padding included.
        """
        self.tagger, self.reader, self.precision, self.batch_pieces = tagger, reader, precision, batch_pieces
        self.labels = tagger.config.labels
        self.device = next(tagger.parameters()).device

    @classmethod
    def load(
        cls, model: str | Path, *, device: str | None = None, precision: Precision = "auto", batch_pieces: int = 8192
    ) -> EntityPredictor:
        """Load a model folder or a bundled model.

        Args:
            device: `cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.

        Raises:
            UsageError: There is no such model, or it predicts something else.
        """
        folder = find_model(model)
        tagger = load_model(folder)
        if not isinstance(tagger, Tagger) or tagger.config.task != "entities":
            raise UsageError(f"{model}: a model of entities needed, got one of {tagger.config.task}")
        place(tagger, device)
        return cls(tagger, read_pieces(folder), precision=precision, batch_pieces=batch_pieces)

    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Replace the entities of every note, in order; texts stay as they are."""
        found = self.find([note.text for note in notes])
        return [replace(note, entities=tuple(spans)) for note, spans in zip(notes, found, strict=True)]

    @torch.inference_mode()
    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the entities of every text, with their probabilities."""
        read = [self.reader(text) for text in texts]
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        shape = self.tagger.config.encoder
        answers = over_windows(
            [read[at] for at in filled], (shape.max_pieces, shape.overlap), self._predict, self.batch_pieces
        )
        found: list[list[Span]] = [[] for _ in texts]
        for at, (tags, scores) in zip(filled, answers, strict=True):
            found[at] = decode_tags(tags, read[at].offsets, self.labels, scores)
        return found

    def _predict(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The best tag of every piece and its probability."""
        with autocast(self.device, self.precision, self.tagger.config.encoder.kind):
            best, probable = self.tagger.predict(pieces.to(self.device), mask.to(self.device))
        return best, probable.float()
