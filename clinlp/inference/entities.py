"""Entities of notes, found by a tagger in batches across notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from clinlp.inference.device import autocast
from clinlp.inference.windows import TaggerRunner
from clinlp.note import Note
from clinlp.spans import Span
from clinlp.tagging.cells import decode_cells, most_probable
from clinlp.tagging.scheme import decode_tags


class EntityPredictor(TaggerRunner):
    """Finds entities; a note longer than a window is read in several, each piece or span where it is most central."""

    task = "entities"

    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Replace the entities of every note, in order; texts stay as they are."""
        found = self.find([note.text for note in notes])
        return [replace(note, entities=tuple(spans)) for note, spans in zip(notes, found, strict=True)]

    @torch.inference_mode()
    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the entities of every text, with their probabilities."""
        found: list[list[Span]] = [[] for _ in texts]
        if self.tagger.config.scores_spans:
            for at, pieces, cells, probable in self.run_spans(texts, self._predict_spans):
                kept = most_probable(cells, probable) if self.tagger.config.flat else slice(None)
                found[at] = decode_cells(cells[kept], probable[kept], pieces.offsets, self.labels)
            return found
        least = self.tagger.config.thresholds
        for at, pieces, (tags, scores) in self.run(texts, self._predict):
            spans = decode_tags(tags, pieces.offsets, self.labels, scores)
            found[at] = [span for span in spans if (span.score or 0.0) >= least.get(span.label, 0.0)]
        return found

    def _predict(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The best tag of every piece and its probability."""
        with autocast(self.device, self.precision, self.tagger.config.encoder.kind):
            best, probable = self.tagger.predict(pieces.to(self.device), mask.to(self.device))
        return best, probable.float()

    def _predict_spans(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The spans of every window and their probabilities."""
        with autocast(self.device, self.precision, self.tagger.config.encoder.kind):
            return self.tagger.predict_spans(pieces.to(self.device), mask.to(self.device))
