"""Spans as cells of a span scorer: a label, the first piece and the piece after the last. Nothing need be disjoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from clinlp.spans import Span
from clinlp.tagging.scheme import Offsets
from clinlp.tagging.windows import Window

Cells = NDArray[np.int64]
"""`(span, 3)`: label, first piece, piece after the last."""


def encode_cells(spans: Iterable[Span], offsets: Offsets, labels: Sequence[str]) -> tuple[Cells, int, int, int]:
    """Give the cell of every span, each once; a span that cuts a piece is widened to it.

    Args:
        offsets: `(piece, 2)`, the characters of each piece, ascending and disjoint.

    Returns:
        Cells, sorted; and the numbers of spans that were widened, that came to lie in the same cell as
        another and that hold no piece.
    """
    ids = {label: at for at, label in enumerate(labels)}
    given = list(spans)
    starts = np.array([span.start for span in given], np.int64)
    ends = np.array([span.end for span in given], np.int64)
    firsts = np.searchsorted(offsets[:, 1], starts, side="right")
    stops = np.searchsorted(offsets[:, 0], ends, side="left")
    cells = np.stack([np.array([ids[span.label] for span in given], np.int64), firsts, stops], 1)
    held = firsts < stops
    cells, starts, ends = cells[held], starts[held], ends[held]
    n_widened = int(((offsets[cells[:, 1], 0] != starts) | (offsets[cells[:, 2] - 1, 1] != ends)).sum())
    once = np.unique(cells, axis=0)
    return once, n_widened, len(cells) - len(once), len(given) - int(held.sum())


def decode_cells(
    cells: Cells, probabilities: NDArray[np.float32], offsets: Offsets, labels: Sequence[str]
) -> list[Span]:
    """Give the spans of the cells, with their probabilities as scores."""
    starts, ends = offsets[cells[:, 1], 0].tolist(), offsets[cells[:, 2] - 1, 1].tolist()
    scored = zip(cells[:, 0].tolist(), starts, ends, probabilities.tolist(), strict=True)
    return [Span(start, end, labels[label], score) for label, start, end, score in scored]


def broken_by_cut(cells: Cells, n_pieces: int) -> NDArray[np.int64]:
    """Count for each piece the spans that a cut before it would break, `(piece,)`."""
    steps = np.zeros(n_pieces + 1, np.int64)
    np.add.at(steps, cells[:, 1] + 1, 1)
    np.add.at(steps, cells[:, 2], -1)
    return steps[:n_pieces].cumsum()


def in_windows(cells: Cells, windows: Sequence[Window]) -> list[Cells]:
    """Give the cells that lie whole in each of windows that share nothing, counted from the window's start."""
    within = []
    for window in windows:
        inside = cells[(cells[:, 1] >= window.start) & (cells[:, 2] <= window.end)]
        within.append(inside - np.array([0, window.start, window.start]))
    return within


def read_here(cells: Cells, windows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which cells are read in the windows in which they were found: those whose middle piece is kept there.

    A span of at most `overlap + 1` pieces lies whole in the window that keeps its middle piece: it is
    read in exactly one window, the one in which it is most central.

    Args:
        cells: Counted from the note's start.
        windows: `(span, 2)`: `keep_start` and `keep_end` of each one's window.
    """
    middles = (cells[:, 1] + cells[:, 2] - 1) // 2
    return (windows[:, 0] <= middles) & (middles < windows[:, 1])


def most_probable(cells: Cells, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """Choose cells that share no piece, the most probable first; gives their places, ascending."""
    taken = np.zeros(int(cells[:, 2].max(initial=0)), bool)
    chosen = []
    for at in np.lexsort((cells[:, 1], -probabilities)).tolist():
        piece = slice(int(cells[at, 1]), int(cells[at, 2]))
        if not taken[piece].any():
            taken[piece] = True
            chosen.append(at)
    return np.array(sorted(chosen), np.int64)
