"""A model's answer for every piece of notes of any length, in batches of windows across notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.batches import by_length, pad
from clinlp.data.pieces import Pieces
from clinlp.errors import DataError
from clinlp.tagging.windows import overlapping

Answers = tuple[NDArray[Any], ...]


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
