"""What an LSTM on a CPU remembers of words from one batch to the next (`clinlp.models.lstm_numpy`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_SHUT: Final = np.float32(-1e4)  # a gate's sum at which it lets nothing through
_HELD: Final = 1 << 22  # numbers that a model remembers of words: 16 MiB


class Memory:
    """What words, or pairs of them, add to the gates, from one batch to the next: most were in the notes before.

    It holds so many words at most, or those of one batch, and forgets them all at once. Tables are replaced, not
    changed where somebody may be reading.
    """

    def __init__(self, n_gates: int, *, shut: bool = True) -> None:
        """Begin with padding alone.

        Args:
            shut: Whether padding shuts the gates, or adds nothing.
        """
        self._n_gates, self._most, self._shut = n_gates, max(256, _HELD // (2 * n_gates)), shut
        self._lock = threading.Lock()
        self._rows: dict[Hashable, int] = {}
        self._n = 1
        self._table = self._empty(self._most // 8)

    def find(self, keys: Sequence[Hashable], compute: Callable[[list[int]], Floats]) -> tuple[Floats, Ints]:
        """Give a table `(way, row, gates)` and the rows of distinct words in it; row 0 is padding's.

        Args:
            keys: What tells each from all others.
            compute: Gives what those at some places add, `(way, place, gates)`.
        """
        with self._lock:
            missing = [at for at, key in enumerate(keys) if key not in self._rows]
            if self._n + len(missing) > self._most:
                missing = list(range(len(keys)))
                self._rows, self._n, self._table = {}, 1, self._empty(len(keys))
            if missing:
                end = self._n + len(missing)
                if end > self._table.shape[1]:
                    grown = np.empty((2, max(end, min(self._most, 2 * end)), self._n_gates), np.float32)
                    grown[:, : self._n] = self._table[:, : self._n]
                    self._table = grown
                self._table[:, self._n : end] = compute(missing)
                self._rows.update(zip([keys[at] for at in missing], range(self._n, end), strict=True))
                self._n = end
            return self._table, np.array([self._rows[key] for key in keys], np.int64)

    def _empty(self, room: int) -> Floats:
        """A table with padding alone, which leaves a state of zeros as it is, and gives zeros."""
        table = np.zeros((2, 1 + room, self._n_gates), np.float32)
        width = self._n_gates // 4
        if self._shut:
            table[:, 0, :width] = table[:, 0, 2 * width : 3 * width] = _SHUT
        return table
