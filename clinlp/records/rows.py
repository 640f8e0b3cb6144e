"""From rows, whatever they were read from, to notes and failures; and what a format has to leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from clinlp.errors import DataError, Failure
from clinlp.note import Note
from clinlp.records.canonical import from_record
from clinlp.records.files import stem
from clinlp.records.layout import SPAN_SETS, record_id
from clinlp.records.options import Read, ReadOptions, Record


class Broken(NamedTuple):
    """A row from which no record came, and why."""

    error: DataError
    note_id: str | None = None


Rows: TypeAlias = Iterator[tuple[int, Record | Broken]]


class Sink(Protocol):
    """Takes notes one by one. A note that is refused with a DataError has left no trace."""

    def write(self, note: Note) -> None:
        """Write one note."""


Sinks: TypeAlias = AbstractContextManager[Sink]
"""What a format's `write` gives: the target gets its name when the context is left without an error."""


def to_notes(rows: Iterable[tuple[int, Any]], path: Path, options: ReadOptions, memory: Memory) -> Read:
    """Make a note of every row, or a failure that says in one line why not."""
    source, prefix = str(path), stem(path)
    for line, row in rows:
        made = f"{prefix}-{line}"
        try:
            if isinstance(row, Broken):
                raise row.error
            note = from_record(row, note_id=made, options=options, lost=memory.lost)
            memory.check(note)
        except DataError as error:
            note_id = row.note_id if isinstance(row, Broken) else record_id(row, options)
            yield line, Failure.of(error, stage="read", note_id=note_id or made, source=source, line=line)
        else:
            yield line, note


class Memory:
    """What has to be known across the records and files of one dump.

    Of an id only its hash is kept, about 80 bytes a note: the one thing here that grows.
    """

    def __init__(self, lost: Counter[str], *, refuse_duplicates: bool) -> None:
        self.lost = lost
        self._seen: set[int] | None = set() if refuse_duplicates else None

    def check(self, note: Note) -> None:
        """Refuse an id that came before."""
        if self._seen is None:
            return
        if (key := hash(note.note_id)) in self._seen:
            raise DataError(f"note_id {note.note_id} came before; ids need to be unique")
        self._seen.add(key)


def count_lost(note: Note, held: Collection[str], lost: Counter[str]) -> None:
    """Count what of a note is not `held` by the target's format.

    Args:
        held: Of the note's attributes, and of "context" and "scores" of spans, those that are kept.
    """
    for name in ("patient_id", "lang", "time", "fields"):
        if name not in held and getattr(note, name):
            lost[name] += 1
    for name in (*SPAN_SETS, "diagnoses"):
        values = getattr(note, name) or ()
        if not values:
            continue
        if name not in held:
            lost[name] += len(values)
            continue
        if "scores" not in held:
            lost["scores"] += sum(value.score is not None for value in values)
        if "context" not in held and name != "diagnoses":
            lost["context"] += sum(span.context is not None for span in values)
        if "cues" not in held and "context" in held and name != "diagnoses":
            lost["cues"] += sum(len(span.context.cues) for span in values if span.context is not None)
