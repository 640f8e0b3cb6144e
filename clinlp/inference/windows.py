"""A tagger's answers for every piece of notes of any length, in batches of windows across notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.batches import by_length, pad
from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.data.rows import Pieces
from clinlp.errors import DataError, UsageError
from clinlp.inference.device import Precision, place, settle, usual_batch
from clinlp.models.store import find_model, load_model
from clinlp.models.tagger import Tagger
from clinlp.tagging.cells import Cells, read_here
from clinlp.tagging.windows import Window, overlapping

Answers = tuple[NDArray[Any], ...]


class TaggerRunner:
    """Runs a tagger over texts; one that is longer than a window is read in several.

    Attributes:
        task: What a model must find to be run here.
    """

    task: ClassVar[str]

    def __init__(
        self, tagger: Tagger, reader: PieceReader, *, precision: Precision = "fp32", batch_pieces: int | None = None
    ) -> None:
        """Use a tagger where it is.

        Args:
            batch_pieces: Pieces of a batch, padding included; else what suits the device.
        """
        self.tagger, self.reader = tagger, reader
        self.precision = settle(tagger, precision)
        self.labels = tagger.config.labels
        self.device = next(tagger.parameters()).device
        self.batch_pieces = batch_pieces or usual_batch(self.device)

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        device: str | None = None,
        precision: Precision = "auto",
        batch_pieces: int | None = None,
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
        windowing = self.tagger.config.windowing
        answers = over_windows([read[at] for at in filled], windowing, predict, self.batch_pieces)
        for at, answer in zip(filled, answers, strict=True):
            yield at, read[at], answer

    def run_spans(
        self, texts: Sequence[str], find: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[int, Pieces, Cells, NDArray[np.float32]]]:
        """Give the spans found in each text that has pieces, with its place and its pieces.

        Args:
            find: From pieces `(window, piece, feature)` and mask to spans and their probabilities, as
                `Tagger.predict_spans` gives them.
        """
        read = [self.reader(text) for text in texts]
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        found = spans_over_windows([read[at] for at in filled], self.tagger.config.windowing, find, self.batch_pieces)
        for at, (cells, probable) in zip(filled, found, strict=True):
            yield at, read[at], cells, probable


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
    windows = _windows(read, windowing)
    answers: list[list[Answers]] = [[] for _ in read]
    found: dict[int, Answers] = {}

    def fetch(items: list[int], said: Sequence[Tensor]) -> None:
        rows = [tensor.cpu().numpy() for tensor in said]
        for row, item in enumerate(items):
            window = windows[item][1]
            inside = slice(window.keep_start - window.start, window.keep_end - window.start)
            found[item] = tuple(each[row, inside] for each in rows)

    waiting: tuple[list[int], Sequence[Tensor]] | None = None
    for items, pieces, mask in _batches(read, windows, batch_pieces):
        said = predict(pieces, mask)
        if waiting is not None:  # a GPU works on the next batch while the last one is read
            fetch(*waiting)
        waiting = items, said
    if waiting is not None:
        fetch(*waiting)
    for item, (at, _) in enumerate(windows):
        answers[at].append(found[item])
    joined = [tuple(np.concatenate(parts) for parts in zip(*each, strict=True)) for each in answers]
    for pieces_of, arrays in zip(read, joined, strict=True):
        if any(len(array) != len(pieces_of) for array in arrays):
            raise DataError(f"windows need to cover {len(pieces_of)} pieces, got answers for another number")
    return joined


def spans_over_windows(
    read: Sequence[Pieces],
    windowing: tuple[int, int],
    find: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    batch_pieces: int,
) -> list[tuple[Cells, NDArray[np.float32]]]:
    """Give the spans found in every note, each from the window where it is most central, and so once.

    Args:
        read: The pieces of each note, none of them empty.
        windowing: Pieces a window holds, and pieces that two windows share: a span of one more at most
            lies whole in a window.
        find: From pieces `(window, piece, feature)` and mask to window, label, start and reach of each
            span, `(span, 4)`, and the probabilities `(span,)`.
        batch_pieces: Pieces of a batch, padding included.

    Returns:
        Cells and probabilities of each note.
    """
    windows = _windows(read, windowing)
    notes, cells, probable = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.int64)], [np.zeros(0, np.float32)]
    for items, pieces, mask in _batches(read, windows, batch_pieces):
        spans, scores = (tensor.cpu().numpy() for tensor in find(pieces, mask))
        chosen = [
            (at, window.start, window.keep_start, window.keep_end) for at, window in map(windows.__getitem__, items)
        ]
        where = np.array(chosen, np.int64)[spans[:, 0]]
        firsts = where[:, 1] + spans[:, 2]
        here = np.stack([spans[:, 1], firsts, firsts + spans[:, 3] + 1], 1)
        kept = read_here(here, where[:, 2:])
        notes.append(where[kept, 0])
        cells.append(here[kept])
        probable.append(scores[kept])
    of_note, all_cells, all_probable = np.concatenate(notes), np.concatenate(cells), np.concatenate(probable)
    order = np.argsort(of_note, kind="stable")
    borders = np.searchsorted(of_note[order], np.arange(len(read) + 1)).tolist()
    each = [order[first:stop] for first, stop in pairwise(borders)]
    return [(all_cells[rows], all_probable[rows]) for rows in each]


def _windows(read: Sequence[Pieces], windowing: tuple[int, int]) -> list[tuple[int, Window]]:
    """The windows of all notes, each with the place of its note."""
    return [(at, window) for at, pieces in enumerate(read) for window in overlapping(len(pieces), *windowing)]


def _batches(
    read: Sequence[Pieces], windows: Sequence[tuple[int, Window]], batch_pieces: int
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Stack windows of like length: which they are, their pieces and the mask."""
    for group in by_length(np.array([len(window) for _, window in windows], np.int64), batch_pieces):
        chosen = [windows[item] for item in group.tolist()]
        pieces, mask = pad([read[at].features[window.start : window.end] for at, window in chosen])
        yield group.tolist(), pieces, mask
