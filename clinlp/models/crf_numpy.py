"""A CRF's best path and marginals in numpy: what a CPU computes without gradients.

A step of a few windows is smaller than what it costs to call torch for it. Paths are those of `Crf`, to the last
tie; marginals are summed as scaled products in float64, where `Crf` sums logs in float32.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
_SCALED: Final = 8  # steps between two scalings: products of a step stay within float64 for far more


def best_paths(emissions: Floats, mask: NDArray[np.bool_], steps: Floats, starts: Floats, ends: Floats) -> Floats:
    """Find the best path of each window (Viterbi 1967).

    Which tag each tag was best reached from is looked up on the way back, for the tags of the path alone.

    Args:
        emissions: `(window, piece, tag)`.
        mask: `(window, piece)`, True where a piece is real; padding is at the end.
        steps: `(tag, tag)`, scores from row to column.
        starts: `(tag,)`.
        ends: `(tag,)`.

    Returns:
        Tags `(window, piece)`, int64; 0 where a piece is padding.
    """
    n_windows, n_pieces, _ = emissions.shape
    said = np.ascontiguousarray(emissions.transpose(1, 0, 2))
    real, whole = np.ascontiguousarray(mask.T), np.logical_and.reduce(mask).tolist()
    best = np.empty_like(said)  # score of the best path to each tag, its emission included
    best[0] = said[0] + starts
    onward = np.empty((len(steps), n_windows, len(steps)), said.dtype)  # the maximum over the first is the fastest
    apart = np.ascontiguousarray(steps[:, None])
    for piece in range(1, n_pieces):
        before, here = best[piece - 1], best[piece]
        np.add(before.T[:, :, None], apart, out=onward)
        np.maximum.reduce(onward, axis=0, out=here)
        here += said[piece]
        if not whole[piece]:
            np.copyto(here, before, where=~real[piece][:, None])
    tags = np.empty((n_pieces, n_windows), np.int64)
    tag = (best[-1] + ends).argmax(1)
    tags[-1] = tag
    came = np.ascontiguousarray(steps.T)
    for piece in range(n_pieces - 1, 0, -1):
        before = (best[piece - 1] + came[tag]).argmax(1)
        tag = before if whole[piece] else np.where(real[piece], before, tag)
        tags[piece - 1] = tag
    return tags.T * mask


def tag_marginals(
    emissions: Floats, mask: NDArray[np.bool_], steps: Floats, starts: Floats, ends: Floats
) -> NDArray[np.float32] | None:
    """Give the probability of every tag at every piece, forwards and backwards in the same steps.

    Args:
        emissions: `(window, piece, tag)`.
        mask: `(window, piece)`, True where a piece is real; padding is at the end.
        steps: `(tag, tag)`, scores from row to column.
        starts: `(tag,)`.
        ends: `(tag,)`.

    Returns:
        `(window, piece, tag)`; rows of padding hold no meaning. None if a window's scores are too far apart for
        products: their logs have to be summed.
    """
    n_windows, n_pieces, n_tags = emissions.shape
    with np.errstate(all="ignore"):  # what is no number is told at the end
        said = emissions.transpose(1, 0, 2).astype(np.float64)
        said -= said.max(2, keepdims=True)
        said = np.exp(said)
        last = np.exp(ends.astype(np.float64))
        ways = np.exp(np.stack([steps, steps.T]).astype(np.float64))
        outside = ~np.concatenate([mask.T[1:], np.zeros((1, n_windows), bool)])  # where nothing real follows
        some = np.logical_or.reduce(outside, axis=1).tolist()
        # What comes to each tag from before it, and from behind it: [0] at the piece of its number, [1] from the end.
        came = np.empty((n_pieces, 2, n_windows, n_tags))
        came[0, 0], came[0, 1] = np.exp(starts.astype(np.float64)), last
        held = np.empty((2, n_windows, n_tags))
        for piece in range(n_pieces):
            here, back = came[piece], n_pieces - 1 - piece
            if piece:
                np.matmul(held, ways, out=here)
                if some[back]:
                    here[1][outside[back]] = last
            np.multiply(here[0], said[piece], out=held[0])
            np.multiply(here[1], said[back], out=held[1])
            if piece % _SCALED == 0:
                held /= held.sum(2, keepdims=True)
        both = came[:, 0] * said
        both *= came[::-1, 1]
        sums = both.sum(2, keepdims=True)
        both /= sums
    if not (np.isfinite(sums[mask.T]).all() and (sums[mask.T] > 0).all()):
        return None
    return both.transpose(1, 0, 2).astype(np.float32)
