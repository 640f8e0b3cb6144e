"""CSV and TSV: a header, one record a row; spans, codes and typed fields as JSON in their cells."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

import orjson

from clinlp.errors import DataError, UsageError
from clinlp.note import Note
from clinlp.records.canonical import to_record
from clinlp.records.files import (
    broken_means_data_error,
    check_encoding,
    encode,
    has_surrogate,
    new_file,
    not_decodable,
    open_bytes,
)
from clinlp.records.jsonl import dumps
from clinlp.records.layout import RESERVED, ROLES, SPAN_SETS, missing_columns, record_id
from clinlp.records.options import ReadOptions, Record, WriteOptions
from clinlp.records.rows import Broken, Rows, Sink

_NESTED: Final = (*SPAN_SETS, "diagnoses", "codes")
_SPANS_ONLY: Final = ("entities", "phi")
_DELIMITERS: Final = ",\t;|"


class Table(NamedTuple):
    """How the rows of a table are read."""

    header: tuple[str, ...]
    delimiter: str


def read_csv(path: Path, options: ReadOptions) -> Rows:
    """Every row under the header, with the line on which it starts.

    Raises:
        DataError: Not a table with the columns that are needed, or not in this encoding.
    """
    with broken_means_data_error(path), open_bytes(path) as file:
        check_encoding(file, path, options.encoding, skip_lines=1)
        lines = io.TextIOWrapper(file, _with_mark(options), errors="surrogateescape", newline="")
        table, first = read_header(lines, path, options)
        yield from read_rows(lines, table, path, options, first)


class TextLines:
    """Decodes lines of bytes into the lines that a table is read from.

    Attributes:
        n_lines: Lines given so far.
        whole: Whether the last line of bytes was given to its end.
    """

    def __init__(self, lines: Iterable[bytes], options: ReadOptions, *, start: bool) -> None:
        """Read lines, the first of them that of a file if it is the `start`."""
        self._lines, self._rest, self._left = iter(lines), cast("Iterator[str]", iter(())), ""
        plain = "utf-8" if options.encoding == "utf-8-sig" else options.encoding
        self._encoding, self._next = (_with_mark(options) if start else plain), plain
        self.n_lines, self.whole = 0, True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.whole:
            text = next(self._lines).decode(self._encoding, "surrogateescape")
            self._encoding = self._next
            if "\r" not in text[:-2]:
                self.n_lines += 1
                return text
            self._rest = io.StringIO(text, newline="")
            self._left = next(self._rest)
        line, self._left = self._left, next(self._rest, "")
        self.n_lines, self.whole = self.n_lines + 1, not self._left
        return line


def read_header(lines: Iterator[str], path: Path, options: ReadOptions) -> tuple[Table, int]:
    """Take the header from the lines of a table: what it says, and the number of the line after it.

    Raises:
        DataError: It is none, or lacks the columns that are needed.
    """
    csv.field_size_limit(sys.maxsize)  # a note may be longer than the module's default of 131,072
    first = next(lines, "")
    delimiter = options.delimiter or _delimiter(first)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    return Table(_header(reader, path, options), delimiter), reader.line_num + 1


def read_rows(lines: Iterator[str], table: Table, path: Path, options: ReadOptions, first: int) -> Rows:
    """Every row of these lines, with the line on which it starts; lines are asked for one by one.

    Args:
        first: The number of the first of the lines.
    """
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(lines, delimiter=table.delimiter, strict=True)
    return _rows(reader, table.header, path, options, first)


def nested_cells(record: Record) -> Record:
    """Read the cells that hold JSON.

    Other text under `sections`, `diagnoses` or `codes`, words that hospitals use, is an ordinary field; under
    `entities` or `phi` it is a list that something broke.

    Raises:
        DataError: A cell starts like a JSON list or object and is none, or is no list where spans belong.
    """
    for name in _NESTED:
        value = record.get(name)
        if isinstance(value, str):
            if not value.strip():
                del record[name]
            elif value.lstrip().startswith("[") or name in _SPANS_ONLY:
                record[name] = _loads(value, name)
            else:
                _to_fields(record, name)
    fields = record.get("fields")
    if isinstance(fields, str):
        if fields.startswith("{"):
            record["fields"] = _loads(fields, "fields")
        elif fields:
            record["fields"] = {"fields": fields}
        else:
            del record["fields"]
    # the empty cell of a field whose typed value is in "fields"
    for key in [key for key in record.get("fields") or () if record.get(key) == "" and key not in RESERVED]:
        del record[key]
    return record


def own_columns(note: Note) -> dict[str, Any]:
    """The fields of a note that may be columns of their own beside the canonical ones."""
    return {
        key: value
        for key, value in note.fields.items()
        if isinstance(key, str) and key and key == key.strip() and key.lower() not in RESERVED
    }


@contextmanager
def write_csv(path: Path, options: WriteOptions, lost: Counter[str], delimiter: str) -> Iterator[Sink]:
    """Open a sink for a table; the columns are those of the first note."""
    with new_file(path) as file:
        sink = _CsvSink(file, options, lost, delimiter)
        yield sink
        if sink.columns is None:
            sink.start({})


class _CsvSink:
    """Strings under the first note's field names have their own columns; the rest goes to `fields`."""

    def __init__(self, file: IO[bytes], options: WriteOptions, lost: Counter[str], delimiter: str) -> None:
        self._file, self._encoding, self._lost = file, options.encoding, lost
        self._buffer = io.StringIO(newline="")
        # "\r\n" makes the module quote both characters; rows end with "\n" all the same
        self._csv = csv.writer(self._buffer, delimiter=delimiter, lineterminator="\r\n")
        self.columns: tuple[str, ...] | None = None

    def start(self, fields: dict[str, Any]) -> None:
        """Write the header."""
        columns = tuple(key for key, value in fields.items() if isinstance(value, str) and not has_surrogate(key))
        line = self._line((*ROLES, *SPAN_SETS, "diagnoses", *columns, "fields"), "header")
        self._file.write(b"\xef\xbb\xbf" + line if self._encoding == "utf-8-sig" else line)
        self.columns = columns

    def write(self, note: Note) -> None:
        what = f"note {note.note_id}"
        record, own = to_record(note), own_columns(note)
        columns = self.columns if self.columns is not None else tuple(k for k, v in own.items() if isinstance(v, str))
        strings = {key: own[key] for key in columns if isinstance(own.get(key), str)}
        rest = {key: value for key, value in note.fields.items() if key not in strings}
        row: list[str] = [record.get(name, "") for name in ROLES]
        row += [dumps(record[name], what).decode() if record[name] else "" for name in SPAN_SETS]
        row.append(dumps(record["diagnoses"], what).decode() if "diagnoses" in record else "")
        row += [strings.get(key, "") for key in columns]
        row.append(dumps(rest, what).decode() if rest else "")
        line = self._line(row, what)
        if self.columns is None:
            self.start(own)
        self._file.write(line)
        # an absent field comes back as an empty one
        self._lost["absent_fields"] += sum(key not in note.fields for key in columns)

    def _line(self, row: Sequence[str], what: str) -> bytes:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._csv.writerow(row)
        encoding = "utf-8" if self._encoding == "utf-8-sig" else self._encoding
        return encode(self._buffer.getvalue()[:-2] + "\n", encoding, what)


def _with_mark(options: ReadOptions) -> str:
    """The encoding of a file's beginning, where a byte order mark may stand."""
    return "utf-8-sig" if options.encoding == "utf-8" else options.encoding


def _delimiter(header: str) -> str:
    """The sign that stands most often in the header; the comma if none does."""
    return max(_DELIMITERS, key=header.count)


def _header(reader: Iterator[list[str]], path: Path, options: ReadOptions) -> tuple[str, ...]:
    try:
        header = tuple(name.strip() for name in next(reader, []))
    except csv.Error:
        raise DataError(f"{path}: a header needed in the first line, got broken quotes") from None
    if any(map(has_surrogate, header)):
        raise not_decodable(path, options.encoding)
    if len(set(header)) < len(header):
        raise DataError(f"{path}: column names need to differ, got the same twice")
    for name, role in missing_columns(header, options):
        # the columns found are not named: without a header they would be text of the first note
        option = f"--{role.removesuffix('_id').replace('note', 'id')}-column"
        raise UsageError(f'{path}: no column "{name}" among {len(header)}; name the {role} with {option}')
    return header


def _rows(reader: Any, header: tuple[str, ...], path: Path, options: ReadOptions, first: int) -> Rows:
    while True:
        line = first + reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            last = first + reader.line_num - 1  # an open quote takes the rows after it along
            yield line, Broken(DataError("row has broken quotes" + (f" to line {last}" if last > line else "")))
            continue
        if not row:
            continue
        if len(row) != len(header):
            yield line, Broken(DataError(f"row needs {len(header)} cells, got {len(row)}"))
            continue
        record = dict(zip(header, row, strict=True))
        if any(map(has_surrogate, row)):
            reason = str(not_decodable(path, options.encoding)).removeprefix(f"{path}: ")
            note_id = record_id(record, options)
            yield line, Broken(DataError(f"row: {reason}"), None if note_id and has_surrogate(note_id) else note_id)
            continue
        try:
            yield line, nested_cells(record)
        except DataError as error:
            yield line, Broken(error, record_id(record, options))


def _loads(value: str, name: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise DataError(f'"{name}" needs JSON (broken at character {error.pos + 1})') from None


def _to_fields(record: Record, name: str) -> None:
    value = record.pop(name)
    fields = record.get("fields") or {}
    if isinstance(fields, str):
        fields = _loads(fields, "fields") if fields.startswith("{") else {"fields": fields}
    if name in fields:
        raise DataError(f'record has "{name}" twice: as a column and in "fields"')
    record["fields"] = fields | {name: value}
