"""The windows in which a model reads a note that is longer than it can take at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces `[start, end)` of a note, of which `[keep_start, keep_end)` are read here.

    The kept ranges of a note's windows cover every piece exactly once.
    """

    start: int
    end: int
    keep_start: int
    keep_end: int

    def __len__(self) -> int:
        return self.end - self.start


def overlapping(n_pieces: int, max_pieces: int, overlap: int) -> list[Window]:
    """Cut a note into windows that share `overlap` pieces; each piece is kept where it is most central.

    Args:
        overlap: Pieces that two neighbours share, less than `max_pieces`.
    """
    if not 0 <= overlap < max_pieces:
        raise ValueError(f"windows need 0 <= overlap < max_pieces, got overlap {overlap} and max_pieces {max_pieces}")
    if n_pieces == 0:
        return []
    step = max_pieces - overlap
    starts = list(range(0, max(1, n_pieces - overlap), step))
    windows = []
    for start in starts:
        end = min(n_pieces, start + max_pieces)
        keep_start = 0 if start == 0 else start + overlap // 2
        keep_end = n_pieces if start == starts[-1] else start + step + overlap // 2
        windows.append(Window(start, end, keep_start, keep_end))
    return windows


def consecutive(
    n_pieces: int, max_pieces: int, borders: Sequence[int], closed: NDArray[np.bool_] | NDArray[np.int64]
) -> list[Window]:
    """Cut a note into windows that share nothing, at sentence borders where that is possible.

    For training: a cut falls inside a span only if every place of a window does, and then breaks the
    fewest.

    Args:
        borders: Pieces at which a sentence starts, ascending.
        closed: `(piece,)`, how many spans a cut before the piece would break, or whether it would.
    """
    wanted = np.zeros(n_pieces + 1, dtype=bool)
    wanted[np.asarray(borders, dtype=np.int64)] = True
    wanted[:n_pieces] &= closed == 0
    windows, start = [], 0
    while start < n_pieces:
        end = min(n_pieces, start + max_pieces)
        if end < n_pieces:
            end = _cut(start, end, wanted, closed)
        windows.append(Window(start, end, start, end))
        start = end
    return windows


def _cut(start: int, end: int, wanted: NDArray[np.bool_], closed: NDArray[np.bool_] | NDArray[np.int64]) -> int:
    """Move a cut back to the last sentence border of the window, else to the last place that breaks the least."""
    sentences = np.flatnonzero(wanted[start + 1 : end + 1])
    if len(sentences):
        return start + 1 + int(sentences[-1])
    broken = closed[start + 1 : end + 1]
    return start + 1 + int(np.flatnonzero(broken == broken.min())[-1])
