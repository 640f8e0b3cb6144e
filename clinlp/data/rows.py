"""One text as a model reads it, and the table from which texts are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
_CACHE_ROWS = 500_000  # pieces of distinct tokens remembered, then forgotten all at once: bounds memory


@dataclass(frozen=True, slots=True)
class Pieces:
    """One text as a model reads it."""

    features: Ints  # (piece, feature)
    offsets: Ints  # (piece, 2), characters, half-open

    def __len__(self) -> int:
        return len(self.offsets)


class Rows(dict[str, tuple[int, int]]):
    """Distinct token -> the rows `[first, first + n)` of a growing table that hold its pieces."""

    def __init__(self, spell: Callable[[str], tuple[Ints, Ints]], n_features: int) -> None:
        super().__init__()
        self.spell = spell
        self.features = np.zeros((1024, n_features), np.int32)
        self.offsets = np.zeros((1024, 2), np.int32)
        self.n_rows = 0

    def __missing__(self, token: str) -> tuple[int, int]:
        features, offsets = self.spell(token)
        first, stop = self.n_rows, self.n_rows + len(offsets)
        if stop > len(self.offsets):
            size = max(stop, 2 * len(self.offsets))
            self.features = np.resize(self.features, (size, self.features.shape[1]))
            self.offsets = np.resize(self.offsets, (size, 2))
        self.features[first:stop], self.offsets[first:stop] = features, offsets
        self.n_rows = stop
        self[token] = rows = (first, stop - first)
        return rows

    def read(self, tokens: list[str], starts: Ints) -> Pieces:
        """Put the pieces of all tokens in a row.

        Args:
            starts: `(token,)`, the character at which the offsets of each token's pieces count from 0.
        """
        if not tokens:
            return Pieces(self.features[:0].copy(), self.offsets[:0].copy())
        if self.n_rows > _CACHE_ROWS:
            self.clear()
            self.n_rows = 0
        numbers = chain.from_iterable(map(self.__getitem__, tokens))
        found = np.fromiter(numbers, np.int64, 2 * len(tokens)).reshape(-1, 2)
        firsts, counts = found[:, 0], found[:, 1]
        if counts.max() == 1:
            rows = firsts
        else:
            before = np.cumsum(counts) - counts
            rows = np.arange(counts.sum()) + np.repeat(firsts - before, counts)
            starts = np.repeat(starts, counts)
        return Pieces(self.features[rows], self.offsets[rows] + starts[:, None])
