"""A tagger's answers for every piece of notes of any length, in batches of windows across notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.batches import by_length, pad
from clinlp.data.pieces import PieceReader, Pieces, read_pieces
from clinlp.errors import DataError, UsageError
from clinlp.inference.device import Precision, place
from clinlp.models.store import find_model, load_model
from clinlp.models.tagger import Tagger
from clinlp.tagging.windows import overlapping

Answers = tuple[NDArray[Any], ...]


class TaggerRunner:
    """Runs a tagger over texts; one that is longer than a window is read in several.

    Attributes:
        task: What a model must find to be run here.
    """

    task: ClassVar[str]

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
    ) -> Self:
        """Load a model folder or a bundled model.

        Args:
            device: `cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.

        Raises:
            UsageError: There is no such model, or it predicts something else.
        """
        folder = find_model(model)
        tagger = load_model(folder)
        if not isinstance(tagger, Tagger) or tagger.config.task != cls.task:
            raise UsageError(f"{model}: a model of {cls.task} needed, got one of {tagger.config.task}")
        place(tagger, device)
        return cls(tagger, read_pieces(folder), precision=precision, batch_pieces=batch_pieces)

    def run(
        self, texts: Sequence[str], predict: Callable[[Tensor, Tensor], Sequence[Tensor]]
    ) -> Iterator[tuple[int, Pieces, Answers]]:
        """Give the answers for each text that has pieces, with its place and its pieces.

        Args:
            predict: From pieces `(window, piece, feature)` and mask to tensors `(window, piece, ...)`.
        """
        read = [self.reader(text) for text in texts]
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        shape = self.tagger.config.encoder
        windowing = shape.max_pieces, shape.overlap
        answers = over_windows([read[at] for at in filled], windowing, predict, self.batch_pieces)
        for at, answer in zip(filled, answers, strict=True):
            yield at, read[at], answer


def over_windows(
    read: Sequence[Pieces],
    windowing: tuple[int, int],
    predict: Callable[[Tensor, Tensor], Sequence[Tensor]],
    batch_pieces: int,
) -> list[Answers]:
    """Give a model's answers for every piece of every note, each from the window where it is most central.

    Args:
        read: The pieces of each note, none of them empty.
        windowing: Pieces a window holds, and pieces that two windows share.
        predict: From pieces `(window, piece, feature)` and mask to tensors `(window, piece, ...)`.
        batch_pieces: Pieces of a batch, padding included.

    Returns:
        For each note one array `(piece, ...)` of each of the model's tensors.

    Raises:
        DataError: The answers do not cover a note's pieces.
    """
    windows = [(at, window) for at, pieces in enumerate(read) for window in overlapping(len(pieces), *windowing)]
    answers: list[list[Answers]] = [[] for _ in read]
    found: dict[int, Answers] = {}
    for group in by_length(np.array([len(window) for _, window in windows], np.int64), batch_pieces):
        items = group.tolist()
        chosen = [windows[item] for item in items]
        pieces, mask = pad([read[at].features[window.start : window.end] for at, window in chosen])
        rows = [tensor.cpu().numpy() for tensor in predict(pieces, mask)]
        for row, (item, (_, window)) in enumerate(zip(items, chosen, strict=True)):
            inside = slice(window.keep_start - window.start, window.keep_end - window.start)
            found[item] = tuple(each[row, inside] for each in rows)
    for item, (at, _) in enumerate(windows):
        answers[at].append(found[item])
    joined = [tuple(np.concatenate(parts) for parts in zip(*each, strict=True)) for each in answers]
    for pieces_of, arrays in zip(read, joined, strict=True):
        if any(len(array) != len(pieces_of) for array in arrays):
            raise DataError(f"windows need to cover {len(pieces_of)} pieces, got answers for another number")
    return joined
