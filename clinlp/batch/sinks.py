"""Where the notes of a part go: lines of JSON, typed columns, a DocBin, a folder of brat files."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final, Protocol

from clinlp.batch.config import BatchConfig, Target
from clinlp.batch.lines import to_line
from clinlp.batch.output import cannot_write, digest, remove, sync
from clinlp.errors import DataError, Failure
from clinlp.note import Note
from clinlp.records import WriteOptions
from clinlp.records.files import BUFFER
from clinlp.records.formats import open_sink
from clinlp.text.tokens import tokenize

ENDINGS: Final[dict[Target, str]] = {
    "jsonl": ".jsonl",
    "jsonl.gz": ".jsonl.gz",
    "jsonl.zst": ".jsonl.zst",
    "parquet": ".parquet",
    "docbin": ".spacy",
    "brat": "",
}
Seconds = MutableMapping[str, float]


class Output(Protocol):
    """Where notes go."""

    def write(self, notes: Sequence[Note]) -> list[Note | Failure]:
        """Write what can be written, and say what became of each note."""


class Lines:
    """Notes to JSON lines with token offsets."""

    def __init__(self, file: IO[bytes], config: BatchConfig, seconds: Seconds) -> None:
        self._file, self._offsets, self._seconds = file, config.tokens, seconds

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
        self._file.write(b"".join(lines))
        self._seconds["write"] += time.perf_counter() - began
        return results


class Sink:
    """Notes to one file or folder of any format."""

    def __init__(self, write: Callable[[Note], None], seconds: Seconds) -> None:
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


@contextmanager
def open_part(path: Path, config: BatchConfig, lost: Counter[str], seconds: Seconds) -> Iterator[Output]:
    """Open a part for writing; when the context is left it is whole and on the disk.

    Raises:
        UsageError: The disk takes no more, say.
    """
    with cannot_write(path):
        remove(path)
        if config.to in ("docbin", "brat"):
            kind: Any = config.to
            with open_sink(path, WriteOptions(format=kind), lost, tokenize) as sink:
                yield Sink(sink.write, seconds)
        else:
            with path.open("xb", buffering=BUFFER) as plain, _packed(plain, config.to) as file:
                if config.to == "parquet":
                    from clinlp.batch.columns import Columns

                    with Columns(file, config, seconds) as columns:
                        yield columns
                else:
                    yield Lines(file, config, seconds)
        began = time.perf_counter()
        for each in (*path.iterdir(), path) if path.is_dir() else (path,):
            sync(each)
        seconds["write"] += time.perf_counter() - began


def facts_of(path: Path) -> dict[str, Any]:
    """Size and checksum of a part; of a folder, those of its files under their names."""
    if not path.is_dir():
        return {"bytes": path.stat().st_size, "sha256": digest(path)}
    whole, n_bytes = sha256(), 0
    for each in sorted(path.iterdir()):
        data = each.read_bytes()
        n_bytes += len(data)
        whole.update(f"{each.name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return {"bytes": n_bytes, "sha256": whole.hexdigest()}


def n_bytes(path: Path) -> int | None:
    """Bytes of a part; None where there is none."""
    if path.is_dir():
        return sum(each.stat().st_size for each in path.iterdir())
    return path.stat().st_size if path.exists() else None


@contextmanager
def _packed(plain: IO[bytes], to: Target) -> Iterator[IO[bytes]]:
    """Pack what is written, always into the same bytes: no name and no time in the header."""
    if to == "jsonl.gz":
        with gzip.GzipFile("", "wb", 6, plain, mtime=0) as packed:
            yield packed  # type: ignore[misc]
    elif to == "jsonl.zst":
        import zstandard

        with zstandard.ZstdCompressor(level=3).stream_writer(plain, closefd=False) as stream:
            yield stream
    else:
        yield plain
