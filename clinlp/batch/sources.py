"""The files of a job: which there are, of what format, and what tells a changed one."""

from __future__ import annotations

import glob
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from clinlp.errors import DataError, UsageError
from clinlp.note import Note
from clinlp.records.files import COMPRESSIONS, broken_means_data_error, check_encoding, open_bytes
from clinlp.records.formats import open_records, told_files
from clinlp.records.options import Format, ReadOptions
from clinlp.records.tables import TextLines, read_header

BYTES: Final = ("jsonl", "csv", "tsv")  # cut at bytes of the text, unpacked
TABLES: Final = ("csv", "tsv", "parquet", "arrow")
FILES: Final = ("txt", "brat")  # cut at files
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
        return self.kind in BYTES and Path(self.path).suffix.lower() in COMPRESSIONS

    @property
    def cuts(self) -> bool:
        """Whether it can be read in stretches."""
        return self.kind in (*BYTES, *FILES, "parquet")

    def check(self) -> None:
        """See that the file is the one that the plan was made of.

        Raises:
            DataError: It is not.
        """
        if self.kind not in FILES and (self.size, self.modified) != _stat(Path(self.path)):
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
        if kind in FILES:
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


def first_notes(path: Path, options: ReadOptions, n: int) -> list[Note]:
    """The good ones of the first `n` notes of an input."""
    return list(some_notes(path, options, n))


def some_notes(path: Path, options: ReadOptions, n: int) -> Iterator[Note]:
    """Give the same as they are read."""
    read = open_records(path, kept(options), Counter())
    return (note for _, note in islice(read, n) if isinstance(note, Note))


def kept(options: ReadOptions) -> ReadOptions:
    """Options that keep repeated ids: the plan says which those are."""
    return options.model_copy(update={"duplicate_ids": "keep"})


def _stat(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return facts.st_size, facts.st_mtime_ns
