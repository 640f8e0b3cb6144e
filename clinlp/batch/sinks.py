"""Where the notes of a job go: lines of JSON in parts, or one file of any format."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping, Sequence
from typing import Protocol

from clinlp.batch.config import BatchConfig
from clinlp.batch.output import Parts
from clinlp.batch.worker import to_line
from clinlp.errors import DataError, Failure
from clinlp.note import Note


class Output(Protocol):
    """Where notes go."""

    def write(self, notes: Sequence[Note]) -> list[Note | Failure]:
        """Write what can be written, and say what became of each note."""


class Lines:
    """Notes to JSON lines with token offsets, in parts."""

    def __init__(self, parts: Parts, config: BatchConfig, seconds: MutableMapping[str, float]) -> None:
        self._parts, self._offsets, self._seconds = parts, config.tokens, seconds

    def write(self, notes: Sequence[Note]) -> list[Note | Failure]:
        """Write each note as a line; give it back, or why it could not be written."""
        lines: list[bytes] = []
        results: list[Note | Failure] = []
        for note in notes:
            try:
                lines.append(to_line(note, offsets=self._offsets, seconds=self._seconds))
                results.append(note)
            except Exception as error:  # noqa: BLE001  one bad note never stops the others
                results.append(Failure.of(error, stage="write", note_id=note.note_id))
        began = time.perf_counter()
        self._parts.write(lines)
        self._seconds["write"] += time.perf_counter() - began
        return results


class Sink:
    """Notes to one file of any format."""

    def __init__(self, write: Callable[[Note], None], seconds: MutableMapping[str, float]) -> None:
        self._write, self._seconds = write, seconds

    def write(self, notes: Sequence[Note]) -> list[Note | Failure]:
        """Write each note; give it back, or why the format refused it."""
        results: list[Note | Failure] = []
        began = time.perf_counter()
        for note in notes:
            try:
                self._write(note)
                results.append(note)
            except DataError as error:  # a sink that refuses a note so has left no trace of it
                results.append(Failure.of(error, stage="write", note_id=note.note_id))
        self._seconds["write"] += time.perf_counter() - began
        return results
