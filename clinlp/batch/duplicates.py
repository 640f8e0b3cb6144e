"""Which records of a dump have an id that came before, found on disk: memory does not grow with the dump."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BUCKETS: Final = 64
_HELD: Final = 1 << 16  # entries in memory


class Ids:
    """Takes the ids of records in their order, then tells whose came before.

    Of an id only a digest of 8 bytes is kept, with the record's number, in files by the digest's first
    bits. Two ids share a digest once in about 37 million dumps of a million notes; the later of the two is then
    taken for a repeated one and goes to quarantine, which says so.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the files in a new folder."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        self._digests, self._numbers = array("Q"), array("Q")

    def add(self, note_id: str, number: int) -> None:
        """Take the id of the record of a number."""
        digest = blake2b(note_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self._digests.append(int.from_bytes(digest, "little"))
        self._numbers.append(number)
        if len(self._digests) >= _HELD:
            self._flush()

    def repeated(self) -> NDArray[np.uint64]:
        """The numbers of records whose id came before, ascending; the files are removed."""
        paths = sorted(self._folder.iterdir())
        if not paths:
            found = [_repeated(self._entries())]
        else:
            self._flush()
            paths = sorted(self._folder.iterdir())
            found = [_repeated(np.fromfile(path, np.uint64).reshape(-1, 2)) for path in paths]
        for path in paths:
            path.unlink()
        self._folder.rmdir()
        return np.sort(np.concatenate(found))

    def _entries(self) -> NDArray[np.uint64]:
        """The digests and numbers that are in memory, `(record, 2)`."""
        return np.stack([np.array(self._digests, np.uint64), np.array(self._numbers, np.uint64)], 1)

    def _flush(self) -> None:
        if not self._digests:
            return
        entries = self._entries()
        buckets = (entries[:, 0] >> np.uint64(64 - _BUCKETS.bit_length() + 1)).astype(np.int64)
        order = np.argsort(buckets, kind="stable")
        borders = np.searchsorted(buckets[order], np.arange(_BUCKETS + 1))
        for bucket in range(_BUCKETS):
            chosen = order[borders[bucket] : borders[bucket + 1]]
            if len(chosen):
                with (self._folder / f"{bucket:02}.ids").open("ab") as file:
                    file.write(np.ascontiguousarray(entries[chosen]).tobytes())
        self._digests, self._numbers = array("Q"), array("Q")


def _repeated(entries: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The numbers of all but the first record of each digest."""
    order = np.argsort(entries[:, 0], kind="stable")  # stable: the first record of an id stays the first
    digests = entries[order, 0]
    later: NDArray[np.uint64] = entries[order[1:][digests[1:] == digests[:-1]], 1]
    return later
