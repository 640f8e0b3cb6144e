"""The files of a job, and how any stretch of their records is read on its own."""

from __future__ import annotations

import glob
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note
from clinlp.records.brat import read_brat
from clinlp.records.files import COMPRESSIONS, broken_means_data_error, check_encoding, open_bytes
from clinlp.records.folders import read_texts
from clinlp.records.formats import open_records, told_files
from clinlp.records.jsonl import check_lines, read_lines
from clinlp.records.options import Format, ReadOptions
from clinlp.records.parquet import read_arrow, row_groups
from clinlp.records.rows import Broken, Memory, to_notes
from clinlp.records.tables import Table, TextLines, read_header, read_rows

Row: TypeAlias = dict[str, Any] | Broken | Note | Failure
_BYTES: Final = ("jsonl", "csv", "tsv")  # cut at bytes of the text, unpacked
_FILES: Final = ("txt", "brat")  # cut at files
_PATTERN: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the input, or a folder with one file a note.

    Attributes:
        input: Which of the inputs it is of, from 0.
        names: The files of a folder with one file a note.
        size, modified: What the system says of the file; 0 for such a folder.
        header, delimiter: Of a table.
    """

    input: int
    path: str
    kind: Format
    names: tuple[str, ...] = ()
    size: int = 0
    modified: int = 0
    header: tuple[str, ...] = ()
    delimiter: str = ","

    @property
    def packed(self) -> bool:
        """Whether its text cannot be entered in the middle."""
        return self.kind in _BYTES and Path(self.path).suffix.lower() in COMPRESSIONS

    @property
    def cuts(self) -> bool:
        """Whether it can be read in stretches."""
        return self.kind in (*_BYTES, *_FILES, "parquet")

    def check(self) -> None:
        """See that the file is the one that the plan was made of.

        Raises:
            DataError: It is not.
        """
        if self.kind not in _FILES and (self.size, self.modified) != _stat(Path(self.path)):
            raise DataError(f"{self.path}: the file as it was when the job began needed, got a changed one")

    def file(self, number: int) -> str:
        """The name of the file that a record is in, the `number`-th of a folder with one file a note."""
        return self.names[number] if self.names else Path(self.path).name

    def part(self, start: int, end: int) -> dict[str, Any]:
        """Give what is needed to read a stretch, ready for JSON."""
        return asdict(self) | {"names": self.names[start:end]}

    @classmethod
    def of(cls, held: dict[str, Any]) -> Source:
        """Make one of what `part` or a plan gave."""
        return cls(**{**held, "names": tuple(held["names"]), "header": tuple(held["header"])})


class Place(NamedTuple):
    """Where a record ends: bytes, rows or files so far; the next line; bytes read so far; whether it may be cut."""

    end: int
    line: int
    n_bytes: int
    free: bool = True


def find_inputs(inputs: Sequence[Path]) -> list[Path]:
    """Replace patterns by the paths that fit them, in the order of their names.

    Raises:
        UsageError: There are no inputs, or nothing fits.
    """
    if not inputs:
        raise UsageError("input: a file or folder needed, got none")
    found: list[Path] = []
    for path in inputs:
        if path.exists() or not _PATTERN & set(str(path)):
            found.append(path)
            continue
        fitting = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  a pattern may be absolute
        if not fitting:
            raise UsageError(f"{path}: files that fit the pattern needed, got none")
        found += map(Path, fitting)
    return found


def find_sources(inputs: Sequence[Path], options: ReadOptions) -> list[Source]:
    """List the files of the inputs, in their order.

    Raises:
        UsageError: An input is not there, or its format cannot be told.
        DataError: A file is empty.
    """
    sources: list[Source] = []
    for number, path in enumerate(inputs):
        kind, files = told_files(path, options)
        if kind in _FILES:
            folder = path if path.is_dir() else path.parent
            sources.append(Source(number, str(folder), kind, tuple(file.name for file in files)))
            continue
        for file in files:
            size, modified = _stat(file)
            sources.append(Source(number, str(file), kind, (), size, modified))
    return sources


def read_table(source: Source, options: ReadOptions) -> Source:
    """Give the source with its header, if it is a table.

    Raises:
        DataError: It is none, or lacks the columns that are needed.
    """
    if source.kind not in ("csv", "tsv"):
        return source
    path = Path(source.path)
    with broken_means_data_error(path), open_bytes(path) as file:
        check_encoding(file, path, options.encoding, skip_lines=1)
        table, _ = read_header(TextLines(file, options, start=True), path, options)
    return Source.of(asdict(source) | {"header": table.header, "delimiter": table.delimiter})


def scan(source: Source, options: ReadOptions) -> Iterator[tuple[int, Row, Place]]:
    """Give every row of a source with its line, and where it ends.

    Raises:
        DataError: The source as a whole is broken, or breaks off; what came before it is good.
    """
    path = Path(source.path)
    if source.kind in _BYTES:
        with broken_means_data_error(path), open_bytes(path) as file:
            yield from _scan_text(source, file, options)
    elif source.kind in _FILES:
        yield from _scan_files(source, options)
    elif source.kind == "parquet":
        sizes = (n_bytes / max(1, n_rows) for n_rows, n_bytes in row_groups(path) for _ in range(n_rows))
        n_bytes = 0.0
        for (line, row), size in zip(read_arrow(path, options, "parquet"), sizes, strict=False):
            n_bytes += size
            yield line, row, Place(line, line + 1, int(n_bytes))
    else:
        for number, (line, note) in enumerate(open_records(path, _kept(options), Counter()), 1):
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
    if source.kind in _BYTES:
        opened = io.BytesIO(text) if text is not None else open_bytes(path)
        with broken_means_data_error(path), opened as file:
            if text is None:
                file.seek(start)
            lines = _Counted(file, end - start)
            yield from to_notes(_rows(source, lines, options, line), path, options, memory)
            if lines.n_bytes != end - start:
                raise DataError(f"{path}: {end - start:,} bytes needed from byte {start:,}, got {lines.n_bytes:,}")
    elif source.kind in _FILES:
        paths = [path / name for name in source.names]
        rows = read_texts(paths, options) if source.kind == "txt" else read_brat(paths, options, lost)
        for one, (number, row) in zip(paths, rows, strict=True):
            yield from to_notes([(start + number, row)], one, options, memory)
    elif source.kind == "parquet":
        yield from to_notes(read_arrow(path, options, "parquet", (start, end)), path, options, memory)
    else:
        yield from open_records(path, _kept(options), lost)


class Unpacked:
    """Gives stretches of packed files; those of one file are cheap in ascending order."""

    def __init__(self) -> None:
        self._path, self._at = "", 0
        self._file: io.BufferedReader | None = None

    def take(self, path: str, start: int, end: int) -> bytes:
        """Give the bytes of a stretch.

        Raises:
            DataError: The file is broken there.
        """
        with broken_means_data_error(Path(path)):
            if self._file is None or path != self._path or start < self._at:
                self.close()
                self._file, self._path, self._at = open_bytes(Path(path)), path, 0
            while self._at < start and (passed := len(self._file.read(min(1 << 20, start - self._at)))):
                self._at += passed
            data = self._file.read(end - start)
            self._at += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._file = None


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


def first_notes(path: Path, options: ReadOptions, n: int) -> list[Note]:
    """The good ones of the first `n` notes of an input."""
    read = open_records(path, _kept(options), Counter())
    return [note for _, note in islice(read, n) if isinstance(note, Note)]


def _kept(options: ReadOptions) -> ReadOptions:
    return options.model_copy(update={"duplicate_ids": "keep"})


def _stat(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return facts.st_size, facts.st_mtime_ns
