"""Rows of a source from end to end, with the places where they end, and the notes of any stretch between two."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from clinlp.batch.sources import BYTES, FILES, Source, kept
from clinlp.errors import DataError, Failure
from clinlp.note import Note
from clinlp.records.brat import read_brat
from clinlp.records.files import broken_means_data_error, check_encoding, open_bytes
from clinlp.records.folders import read_texts
from clinlp.records.formats import open_records
from clinlp.records.jsonl import check_lines, read_lines
from clinlp.records.options import ReadOptions
from clinlp.records.parquet import read_arrow, row_groups
from clinlp.records.rows import Broken, Memory, to_notes
from clinlp.records.tables import Table, TextLines, read_header, read_rows

Row: TypeAlias = dict[str, Any] | Broken | Note | Failure


class Place(NamedTuple):
    """Where a record ends: bytes, rows or files so far; the next line; bytes read so far; whether it may be cut."""

    end: int
    line: int
    n_bytes: int
    free: bool = True


def scan(source: Source, options: ReadOptions) -> Iterator[tuple[int, Row, Place]]:
    """Give every row of a source with its line, and where it ends.

    Raises:
        DataError: The source as a whole is broken, or breaks off; what came before it is good.
    """
    path = Path(source.path)
    if source.kind in BYTES:
        with broken_means_data_error(path), open_bytes(path) as file:
            yield from _scan_text(source, file, options)
    elif source.kind in FILES:
        yield from _scan_files(source, options)
    elif source.kind == "parquet":
        sizes = (n_bytes / max(1, n_rows) for n_rows, n_bytes in row_groups(path) for _ in range(n_rows))
        n_bytes = 0.0
        for (line, row), size in zip(read_arrow(path, options, "parquet"), sizes, strict=False):
            n_bytes += size
            yield line, row, Place(line, line + 1, int(n_bytes))
    else:
        for number, (line, note) in enumerate(open_records(path, kept(options), Counter()), 1):
            yield line, note, Place(number, line + 1, 0, free=False)


def read_stretch(
    source: Source, stretch: tuple[int, int, int], options: ReadOptions, lost: Counter[str], text: bytes | None = None
) -> Iterator[tuple[int, Note | Failure]]:
    """Read the records of a stretch, as `read_records` would read them.

    Args:
        stretch: Its start and end, and its first line.
        text: The bytes of the stretch, where its source is packed.

    Raises:
        DataError: The source has changed, or cannot be read.
    """
    start, end, line = stretch
    path = Path(source.path)
    memory = Memory(lost, refuse_duplicates=False)
    source.check()
    if source.kind in BYTES:
        opened = io.BytesIO(text) if text is not None else open_bytes(path)
        with broken_means_data_error(path), opened as file:
            if text is None:
                file.seek(start)
            lines = _Counted(file, end - start)
            yield from to_notes(_rows(source, lines, options, line), path, options, memory)
            if lines.n_bytes != end - start:
                raise DataError(f"{path}: {end - start:,} bytes needed from byte {start:,}, got {lines.n_bytes:,}")
    elif source.kind in FILES:
        paths = [path / name for name in source.names]
        rows = read_texts(paths, options) if source.kind == "txt" else read_brat(paths, options, lost)
        for one, (number, row) in zip(paths, rows, strict=True):
            yield from to_notes([(start + number, row)], one, options, memory)
    elif source.kind == "parquet":
        yield from to_notes(read_arrow(path, options, "parquet", (start, end)), path, options, memory)
    else:
        yield from open_records(path, kept(options), lost)


class _Counted:
    """Lines of a file, counted."""

    def __init__(self, file: Iterable[bytes], limit: int | None = None) -> None:
        self._lines, self._limit = iter(file), limit
        self.n_bytes = self.n_lines = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._limit is not None and self.n_bytes >= self._limit:
            raise StopIteration
        line = next(self._lines)
        self.n_bytes += len(line)
        self.n_lines += 1
        return line


def _scan_text(source: Source, file: io.BufferedReader, options: ReadOptions) -> Iterator[tuple[int, Row, Place]]:
    path, lines = Path(source.path), _Counted(file)
    if source.kind == "jsonl":
        check_encoding(file, path, options.encoding)
        check_lines(file, path)
        for line, row in read_lines(lines, path, options):
            yield line, row, Place(lines.n_bytes, lines.n_lines + 1, lines.n_bytes)
        return
    text = TextLines(lines, options, start=True)
    table, first = read_header(text, path, options)
    for line, row in read_rows(text, table, path, options, first):
        yield line, row, Place(lines.n_bytes, text.n_lines + 1, lines.n_bytes, text.whole)


def _rows(source: Source, lines: Iterable[bytes], options: ReadOptions, line: int) -> Iterator[tuple[int, Any]]:
    path = Path(source.path)
    if source.kind == "jsonl":
        return read_lines(lines, path, options, line)
    text = TextLines(lines, options, start=line == 1)
    if line == 1:
        table, line = read_header(text, path, options)
    else:
        table = Table(source.header, source.delimiter)
    return read_rows(text, table, path, options, line)


def _scan_files(source: Source, options: ReadOptions) -> Iterator[tuple[int, Row, Place]]:
    folder, n_bytes, at = Path(source.path), 0, 0
    while names := source.names[at : at + 256]:
        paths = [folder / name for name in names]
        rows = read_texts(paths, options) if source.kind == "txt" else read_brat(paths, options, Counter())
        for number, row in rows:
            n_bytes += len(row["text"]) if isinstance(row, dict) else 0
            yield at + number, row, Place(at + number, at + number + 1, n_bytes)
        at += len(names)
