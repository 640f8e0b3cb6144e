"""A trained tagger as a detector of protected health information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.deid.detect import THRESHOLD
from clinlp.errors import UsageError
from clinlp.inference.device import Precision, autocast, place
from clinlp.inference.windows import over_windows
from clinlp.models.store import find_model, load_model
from clinlp.models.tagger import Tagger
from clinlp.note import Note
from clinlp.spans import Span
from clinlp.tagging.scheme import Offsets

NEARLY: Final = 0.999  # of a threshold: a label that is left to the rules never reaches it
LEVELS: Final = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Probabilities at which spans are read off; a threshold between two acts like the higher one."""


class PhiTagger:
    """Gives the PHI of notes as candidates at every level of probability: a detector for `find_phi`.

    The candidates of a note nest: those with a score of at least t cover exactly the pieces that are
    PHI with a probability of the level at or above t. Lowering a threshold so can only remove more,
    which is what makes thresholds chosen by conformal risk control hold. Scores are stretched by the
    model's own thresholds: what it needs to be sure of a label comes to lie at `THRESHOLD`.
    """

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
    def load(cls, model: str | Path, *, device: str | None = None, precision: Precision = "auto") -> PhiTagger:
        """Load a model folder or a bundled model.

        Args:
            device: `cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.

        Raises:
            UsageError: There is no such model, or it finds something else.
        """
        folder = find_model(model)
        tagger = load_model(folder)
        if not isinstance(tagger, Tagger) or tagger.config.task != "phi":
            raise UsageError(f"{model}: a model of PHI needed (`clinlp train phi`), got one of {tagger.config.task}")
        place(tagger, device)
        return cls(tagger, read_pieces(folder), precision=precision)

    @torch.inference_mode()
    def __call__(self, notes: Sequence[Note]) -> list[list[Span]]:
        """Give the candidates of every note, in order."""
        read = [self.reader(note.text) for note in notes]
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        shape = self.tagger.config.encoder
        answers = over_windows(
            [read[at] for at in filled], (shape.max_pieces, shape.overlap), self._predict, self.batch_pieces
        )
        found: list[list[Span]] = [[] for _ in notes]
        for at, (best, probable) in zip(filled, answers, strict=True):
            spans = candidates(best, probable, read[at].offsets, self.labels)
            found[at] = [replace(span, score=self._scaled(span)) for span in spans]
        return found

    def _scaled(self, span: Span) -> float:
        """Stretch a probability so that the label's own threshold comes to lie where that of all is."""
        score, even = span.score or 0.0, self.tagger.config.thresholds.get(span.label, THRESHOLD)
        if score < even or even >= 1:
            return min(score / even, NEARLY) * THRESHOLD
        return THRESHOLD + (1 - THRESHOLD) * (score - even) / (1 - even)

    def _predict(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest label of every piece, and the probability that it is PHI of any label."""
        with autocast(self.device, self.precision, self.tagger.config.encoder.kind):
            labels = self.tagger.label_probabilities(pieces.to(self.device), mask.to(self.device)).float()
        return labels.argmax(2), labels.sum(2)


def candidates(
    best: NDArray[np.int64], probable: NDArray[np.float32], offsets: Offsets, labels: Sequence[str]
) -> list[Span]:
    """Read spans off at every level: runs of pieces of one label that are at least so probable.

    Args:
        best: `(piece,)`, the likeliest label of each.
        probable: `(piece,)`, how probable it is that the piece is PHI.
        offsets: `(piece, 2)`, characters.

    Returns:
        Each run once, with the highest level at which it is one as its score.
    """
    spans: dict[tuple[int, int], Span] = {}
    for level in LEVELS:
        inside = np.flatnonzero(probable >= level)
        if not len(inside):
            continue
        breaks = np.flatnonzero((np.diff(inside) > 1) | (np.diff(best[inside]) != 0)) + 1
        for run in np.split(inside, breaks):
            place_of = int(offsets[run[0], 0]), int(offsets[run[-1], 1])
            if place_of not in spans:
                spans[place_of] = Span(*place_of, labels[int(best[run[0]])], level)
    return list(spans.values())
