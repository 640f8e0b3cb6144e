"""Batches of windows of like length, within a budget of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.rows import Ints
from clinlp.tagging.windows import Window

Indices = NDArray[np.int64]


def by_length(lengths: Indices, max_pieces: int) -> list[Indices]:
    """Group items of like length so that each group, padded, holds at most `max_pieces`.

    An item longer than the budget is a group of its own. The longest come first, so that a lack of
    memory shows at once.
    """
    order = np.argsort(-lengths, kind="stable")
    return _cut(order, lengths, max_pieces)


def shuffled(lengths: Indices, max_pieces: int, seed: Sequence[int]) -> list[Indices]:
    """Group as `by_length` does, in an order that the seed alone decides.

    Lengths are blurred by a tenth before sorting: groups differ from epoch to epoch and padding
    stays small.
    """
    generator = np.random.default_rng(seed)
    order = np.argsort(lengths * generator.uniform(0.95, 1.05, len(lengths)), kind="stable")
    groups = _cut(order, lengths, max_pieces)
    return [groups[at] for at in generator.permutation(len(groups))]


def _cut(order: Indices, lengths: Indices, max_pieces: int) -> list[Indices]:
    groups: list[Indices] = []
    first, longest = 0, 0
    for at, item in enumerate(order.tolist()):
        longest = max(longest, int(lengths[item]))
        if at > first and longest * (at - first + 1) > max_pieces:
            groups.append(order[first:at])
            first, longest = at, int(lengths[item])
    if len(order):
        groups.append(order[first:])
    return groups


def pad(windows: Sequence[Ints]) -> tuple[Tensor, Tensor]:
    """Stack windows to their longest.

    Args:
        windows: `(piece, feature)` each.

    Returns:
        Pieces `(window, piece, feature)`, int64, and mask `(window, piece)`, bool.
    """
    longest = max(len(window) for window in windows)
    pieces = np.zeros((len(windows), longest, windows[0].shape[1]), np.int64)
    mask = np.zeros((len(windows), longest), bool)
    for row, window in enumerate(windows):
        pieces[row, : len(window)] = window
        mask[row, : len(window)] = True
    return torch.from_numpy(pieces), torch.from_numpy(mask)


@dataclass(frozen=True, slots=True)
class NoteBatch:
    """All windows of several notes, and where each note's pieces stand in them."""

    pieces: Tensor  # (window, piece, feature), int64
    mask: Tensor  # (window, piece), bool
    places: Tensor  # (note, piece), int64, into the flattened windows; -1 is padding


def join(notes: Sequence[tuple[Ints, Sequence[Window]]]) -> NoteBatch:
    """Lay out the windows of whole notes.

    Args:
        notes: Features `(piece, feature)` and windows of each note; a note has at least one piece.
    """
    cut = [features[window.start : window.end] for features, windows in notes for window in windows]
    pieces, mask = pad(cut)
    width = mask.shape[1]
    places = np.full((len(notes), max(len(features) for features, _ in notes)), -1, np.int64)
    row = 0
    for at, (_, windows) in enumerate(notes):
        for window in windows:
            kept = np.arange(window.keep_start, window.keep_end)
            places[at, kept] = row * width + kept - window.start
            row += 1
    return NoteBatch(pieces, mask, torch.from_numpy(places))
