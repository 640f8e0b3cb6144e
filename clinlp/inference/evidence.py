"""Evidence for a code: the words that its attention rests on.

Attention shows where the model looked, which is not always why it decided; it is cheap, and given
for every predicted code.
"""

from __future__ import annotations

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
) -> tuple[Span, ...]:
    """Give the stretches of text that hold the most attention.

    Pieces with at least `share` of the greatest weight are joined where they touch or only white
    space and hyphens part them; a stretch scores the attention that it holds.

    Args:
        attention: `(piece,)`, sums to 1 over the note.
        offsets: `(piece, 2)`, characters.
        most: Number of stretches at most.
    """
    worded = np.array([text[start].isalnum() for start, _ in offsets.tolist()], bool)
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
