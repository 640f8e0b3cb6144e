"""The BIOES scheme: spans to tags and tags to spans.

Tag ids are laid out so that arithmetic replaces look-ups: 0 is O, and label `k` owns the four ids
`1 + 4k + (0: B, 1: I, 2: E, 3: S)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import AlignmentError
from clinlp.spans import Span, in_order

OUTSIDE = 0
_PREFIXES = "BIES"
_BEGIN, _INSIDE, _END, _SINGLE = range(4)

Tags = NDArray[np.int64]
Offsets = NDArray[np.int32]


def tag_names(labels: Sequence[str]) -> list[str]:
    """Name every tag id: O, then B-, I-, E- and S- of each label."""
    return ["O", *(f"{prefix}-{label}" for label in labels for prefix in _PREFIXES)]


def to_bioes(spans: Iterable[Span], offsets: Sequence[tuple[int, int]]) -> list[str]:
    """Write spans as one BIOES tag per token (Ratinov & Roth 2009, who call it BILOU).

    Args:
        offsets: `(start, end)` of each token in characters, ascending.

    Raises:
        AlignmentError: A span cuts a token or overlaps another span.
    """
    spans = in_order(spans)
    labels = sorted({span.label for span in spans})
    cells = np.asarray(offsets, dtype=np.int32).reshape(-1, 2)
    tags, n_cut = encode_tags(spans, cells, labels)
    if n_cut:
        raise AlignmentError(f"spans need to start and end at token borders, got {n_cut} of {len(spans)} that cut one")
    names = tag_names(labels)
    return [names[tag] for tag in tags]


def encode_tags(spans: Sequence[Span], offsets: Offsets, labels: Sequence[str]) -> tuple[Tags, int]:
    """Tag every piece; a span that cuts a piece is widened to it.

    Args:
        offsets: `(piece, 2)`, the characters of each piece, ascending and disjoint.

    Returns:
        Tags `(piece,)`, int64, and the number of spans that had to be widened.

    Raises:
        AlignmentError: Two spans share a piece, or a span holds no piece at all.
    """
    ids = {label: 1 + 4 * k for k, label in enumerate(labels)}
    tags = np.zeros(len(offsets), dtype=np.int64)
    n_cut = 0
    for span in spans:
        first = int(np.searchsorted(offsets[:, 1], span.start, side="right"))
        stop = int(np.searchsorted(offsets[:, 0], span.end, side="left"))
        if first >= stop:
            raise AlignmentError(f"span [{span.start}, {span.end}) needs a token under it, got none")
        if tags[first:stop].any():
            raise AlignmentError(f"span [{span.start}, {span.end}) shares a token with another span")
        n_cut += bool(offsets[first, 0] != span.start or offsets[stop - 1, 1] != span.end)
        base = ids[span.label]
        if stop - first == 1:
            tags[first] = base + _SINGLE
        else:
            tags[first:stop] = base + _INSIDE
            tags[first] = base + _BEGIN
            tags[stop - 1] = base + _END
    return tags, n_cut


def decode_tags(
    tags: Tags, offsets: Offsets, labels: Sequence[str], scores: NDArray[np.float32] | None = None
) -> list[Span]:
    """Read spans off tags; a broken sequence gives the spans that can still be read.

    A span ends where its label changes, at E or S, or before B or S.

    Args:
        tags: `(piece,)`.
        offsets: `(piece, 2)`.
        scores: `(piece,)`, probability of each tag; a span gets the least of its pieces'.
    """
    spans: list[Span] = []
    tagged = np.flatnonzero(tags)
    certain = None if scores is None else scores.tolist()
    first = previous = -1
    label = -1

    def close() -> None:
        if first >= 0:
            score = None if certain is None else min(1.0, max(0.0, min(certain[first : previous + 1])))
            spans.append(Span(int(offsets[first, 0]), int(offsets[previous, 1]), labels[label], score))

    for at, tag in zip(tagged.tolist(), tags[tagged].tolist(), strict=True):
        kind, part = divmod(tag - 1, 4)
        if first < 0 or part in (_BEGIN, _SINGLE) or kind != label or at != previous + 1:
            close()
            first, label = at, kind
        previous = at
        if part in (_END, _SINGLE):
            close()
            first = -1
    close()
    return spans
