"""Parquet and Arrow files: typed columns, spans and codes as lists of structs, read and written in batches."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, Literal
from uuid import UUID

from clinlp.errors import DataError, UsageError
from clinlp.note import Note
from clinlp.records.canonical import to_record
from clinlp.records.files import BUFFER, broken_means_data_error, has_surrogate, new_file
from clinlp.records.jsonl import dumps
from clinlp.records.layout import ROLES, missing_columns
from clinlp.records.options import ReadOptions, Record
from clinlp.records.rows import Broken, Rows, Sink
from clinlp.records.tables import nested_cells, own_columns

_ROWS: Final = 512  # in a batch
_CHARACTERS: Final = 1 << 23  # in a batch: long notes make shorter batches
_OURS: Final = b"clinlp"  # schema metadata of our own files: there, null means absent


def read_arrow(
    path: Path, options: ReadOptions, kind: Literal["parquet", "arrow"], rows: tuple[int, int] | None = None
) -> Rows:
    """Every row with its number, batch by batch.

    Args:
        rows: Of a Parquet file, the first row to be read and the first that is not, from 0; else all.

    Raises:
        DataError: Not such a file, or it lacks the columns that are needed.
    """
    import pyarrow as pa

    with broken_means_data_error(path):
        try:
            schema, batches = _parquet(path, rows) if kind == "parquet" else _ipc(path)
            ours = _OURS in (schema.metadata or {})
            for name, role in missing_columns(tuple(schema.names), options):
                option = f"--{role.removesuffix('_id').replace('note', 'id')}-column"
                raise UsageError(f'{path}: no column "{name}" among {len(schema)}; name the {role} with {option}')
            records = (record for batch in batches for record in batch_records(batch, ours=ours))
            yield from enumerate(records, 1 + (rows[0] if rows else 0))
        except pa.ArrowException as error:
            raise DataError(f"{path}: {kind} data needed, got {type(error).__name__}") from None


def batch_records(batch: Any, *, ours: bool = False) -> Iterator[Record | Broken]:
    """The rows of a batch as records; in one that is `ours`, null means absent."""
    for row in _rows(batch):
        yield row if isinstance(row, Broken) else _record(row, ours=ours)


@contextmanager
def write_arrow(path: Path, kind: Literal["parquet", "arrow"]) -> Iterator[Sink]:
    """Open a sink for typed columns; the fields' columns and types are those of the first batch."""
    with new_file(path) as file:
        sink = _ArrowSink(file, kind)
        yield sink
        sink.close()


class _ArrowSink:
    def __init__(self, file: IO[bytes], kind: Literal["parquet", "arrow"]) -> None:
        self._file, self._kind = file, kind
        self._notes: list[Note] = []
        self._n_characters = 0
        self._columns: dict[str, type] = {}
        self._writer: Any = None

    def write(self, note: Note) -> None:
        dumps(to_record(note), f"note {note.note_id}")  # refuses here what would break a whole batch
        self._notes.append(note)
        self._n_characters += len(note.text)
        if len(self._notes) >= _ROWS or self._n_characters >= _CHARACTERS:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the file's end."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._writer is None:
            self._columns = _field_columns(self._notes)
            schema = _schema(self._columns)
            if self._kind == "parquet":
                import pyarrow.parquet as pq

                self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
            else:
                self._writer = pa.ipc.new_file(self._file, schema)
            self._schema = schema
        rows = [self._row(note) for note in self._notes]
        self._notes, self._n_characters = [], 0
        self._writer.write_batch(pa.RecordBatch.from_pylist(rows, self._schema))

    def _row(self, note: Note) -> Record:
        row = to_record(note)
        row["time"] = note.time
        rest = dict(note.fields)
        own = own_columns(note)
        del row["fields"]
        for key, kind in self._columns.items():
            if key in own and _fits(own[key], kind):
                row[key] = rest.pop(key)
        if rest:
            row["fields"] = dumps(rest, f"note {note.note_id}").decode()
        return row


def row_groups(path: Path) -> list[tuple[int, int]]:
    """Rows and bytes of each row group of a Parquet file.

    Raises:
        DataError: It is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with broken_means_data_error(path):
        try:
            metadata = pq.ParquetFile(path).metadata
        except pa.ArrowException as error:
            raise DataError(f"{path}: parquet data needed, got {type(error).__name__}") from None
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return [(group.num_rows, group.total_byte_size) for group in groups]


def _parquet(path: Path, rows: tuple[int, int] | None) -> tuple[Any, Iterator[Any]]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)  # pages as they are needed, never a whole column
    if rows is None:
        return file.schema_arrow, file.iter_batches(batch_size=_ROWS, use_threads=False)
    return file.schema_arrow, _some_rows(file, *rows)


def _some_rows(file: Any, start: int, stop: int) -> Iterator[Any]:
    """Batches of the rows from `start` to before `stop`, of the row groups that hold some of them alone."""
    groups: list[int] = []
    first = at = 0
    for number in range(file.metadata.num_row_groups):
        after = at + file.metadata.row_group(number).num_rows
        if after > start and at < stop:
            first = at if not groups else first
            groups.append(number)
        at = after
    at = first
    for batch in file.iter_batches(batch_size=_ROWS, use_threads=False, row_groups=groups) if groups else ():
        after = at + batch.num_rows
        if after > start:
            cut = max(0, start - at)
            yield batch.slice(cut, min(after, stop) - at - cut)
        if after >= stop:
            return
        at = after


def _ipc(path: Path) -> tuple[Any, Iterator[Any]]:
    """Both forms of Arrow files: the one with an index (feather), and the stream."""
    import pyarrow as pa

    source = pa.memory_map(str(path))
    try:
        file = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, iter(stream)
    return file.schema, (file.get_batch(number) for number in range(file.num_record_batches))


def _rows(batch: Any) -> Iterator[Record | Broken]:
    for start in range(0, batch.num_rows, _ROWS):
        part = batch.slice(start, _ROWS)
        try:
            yield from part.to_pylist()
        except (ValueError, OverflowError):
            for at in range(part.num_rows):
                try:
                    yield from part.slice(at, 1).to_pylist()
                except UnicodeDecodeError:
                    yield Broken(DataError("row holds a string that is not UTF-8"))
                except (ValueError, OverflowError):  # a date beyond the year 9999, say
                    yield Broken(DataError("row holds a number or date that Python cannot hold"))


def _record(row: Record, *, ours: bool) -> Record | Broken:
    kept = ROLES if ours else row.keys()  # an empty role keeps a field of a like name from playing it
    try:
        held = {key: value for key, value in row.items() if value is not None or key in kept}
        return nested_cells({key: value if key in ROLES else _plain(value) for key, value in held.items()})
    except DataError as error:
        return Broken(error)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; NaN is how tables say that nothing is there."""
    if value is None or isinstance(value, str | bool | int | float):
        return None if isinstance(value, float) and math.isnan(value) else value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _as_string(value)


def _as_string(value: Any) -> str:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal | dt.timedelta | UUID):
        return str(value)
    raise DataError(f"field of a type that JSON can hold needed, got {type(value).__name__}")


def note_fields(columns: dict[str, type], *, nullable: bool = False) -> tuple[list[Any], dict[bytes, bytes]]:
    """The typed columns of notes with these columns of their own, and the metadata that marks a file as ours.

    Args:
        nullable: Whether a row may be without a note.
    """
    import pyarrow as pa

    flags = [pa.field(name, pa.bool_()) for name in ("negated", "uncertain", "historical", "hypothetical")]
    cue = pa.struct(
        [
            pa.field("start", pa.int64(), nullable=False),
            pa.field("end", pa.int64(), nullable=False),
            pa.field("effect", pa.string(), nullable=False),
        ]
    )
    context = pa.struct([*flags, pa.field("experiencer", pa.string()), pa.field("cues", pa.list_(cue))])
    score = pa.field("score", pa.float64())
    span = pa.struct(
        [
            pa.field("start", pa.int64(), nullable=False),
            pa.field("end", pa.int64(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            score,
            pa.field("context", context),
        ]
    )
    diagnosis = pa.struct(
        [pa.field("code", pa.string(), nullable=False), score, pa.field("evidence", pa.list_(span))],
    )
    fields = [
        pa.field("note_id", pa.string(), nullable=nullable),
        pa.field("text", pa.string(), nullable=nullable),
        pa.field("patient_id", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("time", pa.date32()),
        pa.field("entities", pa.list_(span)),
        pa.field("phi", pa.list_(span)),
        pa.field("sections", pa.list_(span)),
        pa.field("diagnoses", pa.list_(diagnosis)),
        *(pa.field(name, getattr(pa, _ALIASES[kind])()) for name, kind in columns.items()),
        pa.field("fields", pa.string()),
    ]
    return fields, {_OURS: b"1"}


def _schema(columns: dict[str, type]) -> Any:
    import pyarrow as pa

    fields, metadata = note_fields(columns)
    return pa.schema(fields, metadata=metadata)


_ALIASES: Final = {str: "string", int: "int64", float: "float64", bool: "bool_"}


def _field_columns(notes: list[Note]) -> dict[str, type]:
    """The fields that have one simple type in all these notes, which then types their column."""
    kinds: dict[str, set[type]] = {}
    for note in notes:
        for key, value in own_columns(note).items():
            kinds.setdefault(key, set()).add(type(value))
    return {
        key: next(iter(found))
        for key, found in kinds.items()
        if len(found) == 1 and found <= _ALIASES.keys() and not has_surrogate(key)
    }


def _fits(value: Any, kind: type) -> bool:
    return type(value) is kind and not (isinstance(value, int) and not -(2**63) <= value < 2**63)
