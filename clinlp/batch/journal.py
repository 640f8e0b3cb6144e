"""What was finished, so that it is never done twice and never lost: one line a shard, added and never changed.

A line is written after its part has its name, and is on the disk before the next thing happens. A job
that is killed between the two does the shard again: the part is then replaced by the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from clinlp.batch.output import JOURNAL, cannot_write
from clinlp.errors import UsageError
from clinlp.records.files import lock


class Journal:
    """The finished shards of a job; one process at a time may hold it.

    Attributes:
        done: Where the line of each finished shard stands.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal of a job, new or old; what a kill left of a last line is cut off.

        Raises:
            UsageError: Another job holds it, or it cannot be written.
        """
        self._path = folder / JOURNAL
        self.done: dict[int, int] = {}
        self._retries: dict[int, int] = {}
        with cannot_write(folder.parent):
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        if not lock(self._file):
            os.close(self._file)
            raise UsageError(f"{folder.parent}: a folder of its own needed, got one where another job is at work")
        self._size = self._read()
        os.ftruncate(self._file, self._size)

    def add(self, entry: dict[str, Any]) -> None:
        """Write a line and wait until it is on the disk.

        Raises:
            UsageError: The disk takes no more; what was written before stays good.
        """
        line = json.dumps(entry).encode() + b"\n"
        with cannot_write(self._path.parent.parent):
            try:
                os.lseek(self._file, self._size, os.SEEK_SET)
                left = memoryview(line)
                while left:
                    left = left[os.write(self._file, left) :]
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, self._size)
                raise
        self._note(entry, self._size)
        self._size += len(line)

    def entries(self) -> Iterator[dict[str, Any]]:
        """The last line of every shard, in the order of the shards, then those of retries."""
        with self._path.open("rb") as file:
            for _, place in (*sorted(self.done.items()), *sorted(self._retries.items())):
                file.seek(place)
                yield json.loads(file.readline())

    def forget(self, entry: Mapping[str, Any]) -> None:
        """Let what an entry speaks of be done again: its part is gone."""
        del (self._retries if entry.get("retry") else self.done)[entry["shard"]]

    def clear(self) -> None:
        """Forget all: the job begins anew."""
        os.ftruncate(self._file, 0)
        os.fsync(self._file)  # before there is a plan that its old lines would seem to be of
        self._size = 0
        self.done.clear()
        self._retries.clear()

    @property
    def next_number(self) -> int:
        """A number for a part that no other has."""
        return max((*self.done, *self._retries), default=-1) + 1

    def close(self) -> None:
        """Let another job hold the journal."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> int:
        """Find the lines; give where the last whole one ends."""
        size = 0
        with self._path.open("rb") as file:
            for line in file:
                try:
                    entry = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    entry = None
                if entry is None:
                    break
                self._note(entry, size)
                size += len(line)
        return size

    def _note(self, entry: dict[str, Any], place: int) -> None:
        (self._retries if entry.get("retry") else self.done)[entry["shard"]] = place
