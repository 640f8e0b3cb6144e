"""Evidence for a code: the words that its attention rests on.

Attention shows where the model looked, which is not always why it decided; it is cheap, and given
for every predicted code.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clinlp.spans import Span, in_order

LABEL = "EVIDENCE"


def attended_spans(
    attention: NDArray[np.float32],
    offsets: NDArray[np.int32],
    text: str,
    *,
    most: int = 3,
    share: float = 0.25,
    label: str = LABEL,
    worded: NDArray[np.bool_] | None = None,
) -> tuple[Span, ...]:
    """Give the stretches of text that hold the most attention.

    Pieces with at least `share` of the greatest weight are joined where they touch or only white
    space and hyphens part them; a stretch scores the attention that it holds.

    Args:
        attention: `(piece,)`, sums to 1 over the note.
        offsets: `(piece, 2)`, characters.
        most: Number of stretches at most.
        worded: `(piece,)`, what `worded_pieces` gives, where it is known already.
    """
    if worded is None:
        worded = worded_pieces(offsets, text)
    weights = np.where(worded, attention, 0.0)  # a comma explains nothing to a reader
    if not len(weights) or weights.max() <= 0:
        return ()
    stretches: list[list[float]] = []  # start, end, weight
    for at in np.flatnonzero(weights >= share * weights.max()).tolist():
        start, end = offsets[at].tolist()
        if stretches and not text[int(stretches[-1][1]) : start].strip(" -"):
            stretches[-1][1] = end
            stretches[-1][2] += float(weights[at])
        else:
            stretches.append([start, end, float(weights[at])])
    stretches.sort(key=lambda stretch: (-stretch[2], stretch[0]))
    return in_order(Span(int(start), int(end), label, min(1.0, weight)) for start, end, weight in stretches[:most])


def attended(rows: Iterable[NDArray[np.float32]], offsets: NDArray[np.int32], text: str) -> list[tuple[Span, ...]]:
    """Do the same for several codes of one note.

    Args:
        rows: `(piece,)` of each code.
    """
    worded = worded_pieces(offsets, text)
    return [attended_spans(row, offsets, text, worded=worded) for row in rows]


def worded_pieces(offsets: NDArray[np.int32], text: str) -> NDArray[np.bool_]:
    """Say which pieces begin with a letter or a digit."""
    return np.array([text[start].isalnum() for start in offsets[:, 0].tolist()], bool)
