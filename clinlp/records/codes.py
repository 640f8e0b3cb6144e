"""Tables of codes and their names: CSV, TSV or JSON Lines, in any language."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from clinlp.errors import DataError, UsageError
from clinlp.records.files import broken_means_data_error, decode, open_bytes, stem

CodeNames = dict[str, tuple[str, ...]]
"""Code -> its names, each once, in the order of the table."""

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_LINES: Final = (".jsonl", ".ndjson")


def read_codes(path: Path) -> CodeNames:
    """Read a table with a column `code` and, where codes have names, `name` or `name_...` (`name_en`, `name_zh`).

    A code may stand in several rows, with a name in each. In JSON Lines a name may be a list of names.

    Raises:
        UsageError: There is no such file, or it is of another kind.
        DataError: It has no column of codes, a row lacks its code, or it has no rows.
    """
    kind = path.name.removeprefix(stem(path)).split(".")[1:2]
    ending = f".{kind[0].lower()}" if kind else ""
    if ending not in (*_DELIMITERS, *_LINES):
        raise UsageError(f"{path}: a table of codes as .csv, .tsv or .jsonl needed, got {ending or 'no ending'}")
    with open_bytes(path) as file, broken_means_data_error(path):
        text = decode(file.read(), path, "utf-8")
    held: dict[str, dict[str, None]] = {}
    rows = _objects(text, path) if ending in _LINES else _cells(text, path, _DELIMITERS[ending])
    for line, row in rows:
        code = row.get("code")
        if not isinstance(code, str) or not code.strip():
            raise DataError(f"{path}:{line}: a code needed, got none")
        held.setdefault(code.strip(), {}).update(dict.fromkeys(_names(row)))
    if not held:
        raise DataError(f"{path}: codes needed, got none")
    return {code: tuple(names) for code, names in held.items()}


def _cells(text: str, path: Path, delimiter: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Give the rows of a table with the line on which each ends."""
    rows = io.StringIO(text, newline="")
    if delimiter == "," or '\t"' in text:
        reader = csv.reader(rows, delimiter=delimiter)
    else:  # a quote in a name is a character
        reader = csv.reader(rows, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if "code" not in header:
            raise DataError(f'{path}: a column "code" in the first line needed, got {len(header)} others')
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, dict(zip(header, row, strict=False))
    except csv.Error:
        raise DataError(f"{path}:{reader.line_num}: a row of cells needed, got broken quotes") from None


def _objects(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Give the objects of JSON Lines with their lines."""
    for line, row in enumerate(text.split("\n"), 1):
        if not row.strip():
            continue
        try:
            held = orjson.loads(row)
        except orjson.JSONDecodeError:
            held = None
        if not isinstance(held, dict):
            raise DataError(f'{path}:{line}: {{"code": ..., "name": ...}} needed, got something else')
        yield line, held


def _names(row: Mapping[str, Any]) -> Iterator[str]:
    """Give the names in a row."""
    for column, value in row.items():
        if column == "name" or column.startswith("name_"):
            for name in value if isinstance(value, list) else [value]:
                if isinstance(name, str) and name.strip():
                    yield name.strip()
