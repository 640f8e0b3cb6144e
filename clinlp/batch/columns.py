"""Notes as typed nested columns: one schema for every part, ready for DuckDB, Spark and pandas."""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Self

from clinlp.batch.config import BatchConfig
from clinlp.batch.lines import OFFSETS, to_output
from clinlp.errors import Failure
from clinlp.note import Note
from clinlp.records.jsonl import dumps
from clinlp.records.parquet import note_fields


class Columns:
    """Writes notes to a Parquet file, a row group for each chunk of notes."""

    def __init__(self, file: IO[bytes], config: BatchConfig, seconds: MutableMapping[str, float]) -> None:
        import pyarrow.parquet as pq

        self._schema, self._offsets, self._seconds = schema(offsets=config.tokens), config.tokens, seconds
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, notes: Sequence[Note]) -> list[Note | Failure]:
        """Write the notes as a row group; give each back, or why it could not be written."""
        import pyarrow as pa

        rows: list[dict[str, Any]] = []
        results: list[Note | Failure] = []
        for note in notes:
            try:
                rows.append(to_row(note, offsets=self._offsets, seconds=self._seconds))
                results.append(note)
            except Exception as error:  # noqa: BLE001  one bad note never stops the others
                results.append(Failure.of(error, stage="write", note_id=note.note_id))
        if rows:
            with _timed(self._seconds):
                self._writer.write_batch(pa.RecordBatch.from_pylist(rows, self._schema))
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with _timed(self._seconds):
            self._writer.close()


def schema(*, offsets: bool, failure: bool = False) -> Any:
    """The columns of an annotated note; `fields` is JSON, for its keys are the dump's own.

    Args:
        failure: With a column that says of a note why there is nothing of it.
    """
    import pyarrow as pa

    fields, metadata = note_fields({}, nullable=failure)
    pair = pa.struct([pa.field("start", pa.int64(), nullable=False), pa.field("end", pa.int64(), nullable=False)])
    if offsets:
        fields = [*fields, *(pa.field(name, pa.list_(pair)) for name in OFFSETS)]
    if failure:
        kind = pa.struct([pa.field(name, pa.string()) for name in ("stage", "error", "reason")])
        fields = [*fields, pa.field("failure", kind)]
    return pa.schema(fields, metadata=metadata)


def to_row(note: Note, *, offsets: bool, seconds: MutableMapping[str, float]) -> dict[str, Any]:
    """Give a note as a row of these columns.

    Raises:
        DataError: It holds what columns cannot.
    """
    row = to_output(note, offsets=offsets, seconds=seconds)
    with _timed(seconds):
        what = f"note {note.note_id}"
        dumps(row, what)  # refuses here what would break a whole batch
        row["time"] = note.time
        row["fields"] = dumps(row["fields"], what).decode() if row["fields"] else None
        for name in OFFSETS if offsets else ():
            row[name] = [{"start": start, "end": end} for start, end in row[name]]
    return row


@contextmanager
def _timed(seconds: MutableMapping[str, float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds["write"] += time.perf_counter() - began
