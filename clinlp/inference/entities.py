"""Entities of notes, found by a tagger in batches across notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from clinlp.data.batches import by_length, pad
from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.errors import UsageError
from clinlp.inference.device import Precision, autocast, place
from clinlp.models.store import find_model, load_model
from clinlp.models.tagger import Tagger
from clinlp.note import Note
from clinlp.spans import Span
from clinlp.tagging.scheme import decode_tags
from clinlp.tagging.windows import overlapping


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
        if not isinstance(tagger, Tagger):
            raise UsageError(f"{model}: a model of entities needed, got one of diagnoses")
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
        encoder = self.tagger.config.encoder
        tags = [np.zeros(len(pieces), np.int64) for pieces in read]
        scores = [np.zeros(len(pieces), np.float32) for pieces in read]
        windows = [
            (at, window)
            for at, pieces in enumerate(read)
            for window in overlapping(len(pieces), encoder.max_pieces, encoder.overlap)
        ]
        for group in by_length(np.array([len(window) for _, window in windows], np.int64), self.batch_pieces):
            chosen = [windows[item] for item in group.tolist()]
            pieces, mask = pad([read[at].features[window.start : window.end] for at, window in chosen])
            with autocast(self.device, self.precision, encoder.kind):
                best, probable = self.tagger.predict(pieces.to(self.device), mask.to(self.device))
            best_rows, probable_rows = best.cpu().numpy(), probable.float().cpu().numpy()
            for row, (at, window) in enumerate(chosen):
                kept = slice(window.keep_start, window.keep_end)
                inside = slice(window.keep_start - window.start, window.keep_end - window.start)
                tags[at][kept] = best_rows[row, inside]
                scores[at][kept] = probable_rows[row, inside]
        return [decode_tags(tags[at], pieces.offsets, self.labels, scores[at]) for at, pieces in enumerate(read)]
