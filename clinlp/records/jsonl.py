"""JSON Lines: one canonical record a line, plain or packed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.records.canonical import to_record
from clinlp.records.files import broken_means_data_error, check_encoding, new_file, not_decodable, open_bytes
from clinlp.records.layout import record_id
from clinlp.records.options import ReadOptions, Record
from clinlp.records.rows import Broken, Rows, Sink

_BOM = b"\xef\xbb\xbf"
_INEXACT = 2.0**64  # orjson reads longer whole numbers as floats


def read_jsonl(path: Path, options: ReadOptions) -> Rows:
    """Every line that is not blank, with its number.

    Raises:
        DataError: The file as a whole is not JSON Lines in this encoding.
    """
    with broken_means_data_error(path), open_bytes(path) as file:
        check_encoding(file, path, options.encoding)
        check_lines(file, path)
        yield from read_lines(file, path, options)


def read_lines(lines: Iterable[bytes], path: Path, options: ReadOptions, first: int = 1) -> Rows:
    """Every one of these lines that is not blank, with its number; they are asked for one by one.

    Args:
        path: The file that they are of, for errors.
        first: The number of the first of them.
    """
    plain = options.encoding in ("utf-8", "utf-8-sig")
    for number, line in enumerate(lines, first):
        if number == 1 and line.startswith(_BOM):
            line = line[3:]  # noqa: PLW2901
        try:
            data = line if plain else line.decode(options.encoding)
            yield number, _only_exact(orjson.loads(data), data)
        except (orjson.JSONDecodeError, UnicodeDecodeError, DataError, RecursionError) as error:
            if line.strip():
                yield number, _explain(line, error, path, options)


def dumps(record: Record, what: str, option: int = 0) -> bytes:
    """Write one record as JSON bytes.

    Raises:
        DataError: Something in it cannot be JSON; the message starts with `what`.
    """
    try:
        return orjson.dumps(record, option=option)
    except TypeError as error:
        # orjson's messages name types and limits, never values
        reason = str(error)
        if "surrogate" in reason:
            reason = "a string holds a lone surrogate, which UTF-8 cannot hold"
        raise DataError(f"{what}: {reason}") from None


@contextmanager
def write_jsonl(path: Path) -> Iterator[Sink]:
    """Open a sink for JSON Lines; it holds everything."""
    with new_file(path) as file:
        yield _JsonlSink(file)


class _JsonlSink:
    def __init__(self, file: IO[bytes]) -> None:
        self._write = file.write

    def write(self, note: Note) -> None:
        self._write(dumps(to_record(note), f"note {note.note_id}", orjson.OPT_APPEND_NEWLINE))


def check_lines(file: io.BufferedReader, path: Path) -> None:
    """Look at how a file begins: other JSON is one error, not thousands.

    Raises:
        DataError: It is a list, or a record over several lines.
    """
    with broken_means_data_error(path):
        head = file.peek(64)[:64]
    if head.removeprefix(_BOM).lstrip().startswith(b"["):
        raise DataError(f"{path}: JSON Lines needed (one record a line), got a JSON list")
    if head.removeprefix(_BOM).split() == [b"{"] or head.removeprefix(_BOM).startswith((b"{\n", b"{\r\n")):
        raise DataError(f"{path}: JSON Lines needed (one record a line), got a record over several lines")


def _only_exact(record: Any, line: bytes | str) -> Any:
    """Refuse whole numbers that no longer are what the line says: an id of 20 digits, say."""
    if isinstance(record, dict) and is_inexact(record):
        check_exact(record, json.loads(line))
    return record


def check_exact(read: Any, exact: Any) -> None:
    """Refuse what was read of a record where `exact`, its JSON read by `json`, has other whole numbers."""
    if not _same(read, exact):
        raise DataError("record has a whole number beyond 64 bits; write it as a string")


def is_inexact(value: Any) -> bool:
    """Say whether a number is so large that it may not be what was written."""
    if isinstance(value, float):
        return abs(value) >= _INEXACT
    if isinstance(value, dict):
        for key, each in value.items():  # a plain loop: this runs for every record
            if type(each) in _NESTED and key not in _TYPED and is_inexact(each):
                return True
    elif isinstance(value, list):
        for each in value:
            if type(each) in _NESTED and is_inexact(each):
                return True
    return False


_NESTED = (float, dict, list)
_TYPED = frozenset(("entities", "phi", "sections", "diagnoses", "codes"))  # their numbers are checked anyway


def _same(read: Any, exact: Any) -> bool:
    if isinstance(exact, dict):
        return all(_same(read[key], value) for key, value in exact.items())
    if isinstance(exact, list):
        return all(_same(*pair) for pair in zip(read, exact, strict=True))
    return not (isinstance(exact, int) and isinstance(read, float))


def _explain(line: bytes, error: Exception, path: Path, options: ReadOptions) -> Broken:
    """Say why a line is no record, in words that hold nothing of it."""
    if isinstance(error, DataError):
        return Broken(error, record_id(json.loads(line.decode(options.encoding)), options))
    if isinstance(error, RecursionError):
        return Broken(DataError("record is too deeply nested"))
    try:
        text = line.decode(options.encoding)
    except UnicodeDecodeError:
        reason = str(not_decodable(path, options.encoding)).removeprefix(f"{path}: ")
        return Broken(DataError(f"record: {reason}"))
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        where = error.pos + 1 if isinstance(error, orjson.JSONDecodeError) else 1
        return Broken(DataError(f"record is not JSON (broken at character {where})"))
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        known = record_id(record, options)
        known = known if known is None or known.isprintable() else None
        return Broken(DataError("a string holds a lone surrogate, which UTF-8 cannot hold"), known)
    except RecursionError:
        pass
    return Broken(DataError("record is not JSON (NaN, Infinity or too deeply nested)"), record_id(record, options))
