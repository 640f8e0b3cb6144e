"""Which file has which format, and the module that reads or writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Final, get_args

from clinlp.errors import DataError, UsageError
from clinlp.records import jsonl, tables
from clinlp.records.conll import looks_like_conll, read_conll, write_conll
from clinlp.records.files import COMPRESSIONS, broken_means_data_error, check_encoding, open_bytes
from clinlp.records.folders import read_texts, write_texts
from clinlp.records.options import Format, Read, ReadOptions, Tokenize, WriteOptions
from clinlp.records.rows import Memory, Rows, Sinks, to_notes

FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_ENDINGS: Final[dict[str, Format]] = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".csv",), "csv"),
    **dict.fromkeys((".tsv", ".tab"), "tsv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather"), "arrow"),
    **dict.fromkeys((".txt",), "txt"),
    **dict.fromkeys((".ann",), "brat"),
    **dict.fromkeys((".conll", ".bio", ".iob", ".iob2", ".bioes"), "conll"),
    **dict.fromkeys((".spacy",), "docbin"),
}
_PACKED: Final = frozenset(("jsonl", "csv", "tsv", "conll"))  # formats that may be .gz or .zst
_FOLDERS: Final = frozenset(("txt", "brat"))  # formats with one file a note
_BESIDE: Final = frozenset(("quarantine.jsonl", "manifest.json"))  # what the batch annotator puts beside its output


def open_records(path: Path, options: ReadOptions, lost: Counter[str]) -> Read:
    """Find the file or files and their format, and start to read.

    Raises:
        UsageError: Nothing is there, or its format cannot be told.
        DataError: The file is empty.
    """
    if not path.exists():
        raise UsageError(f"{path}: file or folder needed, got none")
    memory = Memory(lost, refuse_duplicates=options.duplicate_ids == "refuse")
    if path.is_dir():
        kind, paths = _in_folder(path, options.format)
        return _started(_read_all(kind, paths, options, memory))
    kind = _format_of_file(path, options)
    _check_content(path)
    return _started(_one_file(kind, path, options, memory))


def list_files(path: Path, options: ReadOptions) -> list[Path]:
    """The files that `read_records` reads for this path, in its order; of brat notes one file each.

    Raises:
        UsageError: Nothing is there, or its format cannot be told.
    """
    if path.is_dir():
        return _in_folder(path, options.format)[1]
    if not path.exists():
        raise UsageError(f"{path}: file or folder needed, got none")
    return [path]


def told_files(path: Path, options: ReadOptions) -> tuple[Format, list[Path]]:
    """The format of a file or folder, and the files that are read for it, in order; empty ones left out.

    Raises:
        UsageError: Nothing is there, or its format cannot be told.
        DataError: A file is empty.
    """
    if not path.exists():
        raise UsageError(f"{path}: file or folder needed, got none")
    if path.is_dir():
        kind, paths = _in_folder(path, options.format)
        return kind, paths if kind in _FOLDERS else [each for each in paths if each.stat().st_size]
    kind = _format_of_file(path, options)
    _check_content(path)
    return kind, [path]


def open_sink(path: Path, options: WriteOptions, lost: Counter[str], tokenize: Tokenize) -> Sinks:  # noqa: PLR0911
    """Open the target for writing; what its format cannot hold is counted in `lost`.

    Raises:
        UsageError: The format cannot be told from the name.
    """
    kind = _format_of_target(path, options.format)
    match kind:
        case "jsonl":
            return jsonl.write_jsonl(path)
        case "csv" | "tsv":
            return tables.write_csv(path, options, lost, "," if kind == "csv" else "\t")
        case "parquet" | "arrow":
            from clinlp.records.parquet import write_arrow

            return write_arrow(path, kind)
        case "txt":
            return write_texts(path, options, lost)
        case "brat":
            from clinlp.records.brat import write_brat

            return write_brat(path, options, lost)
        case "conll":
            return write_conll(path, options, lost, tokenize)
        case "docbin":
            from clinlp.records.docbin import write_docbin

            return write_docbin(path, tokenize)


def _started(records: Read) -> Read:
    """Read the first record now, so that a bad file is an error before anything is done with it."""
    return chain(list(islice(records, 1)), records)


def _rows(kind: Format, path: Path, options: ReadOptions, lost: Counter[str]) -> Rows:
    """Read one file that holds many records."""
    match kind:
        case "csv" | "tsv":
            return tables.read_csv(path, options)
        case "parquet" | "arrow":
            from clinlp.records.parquet import read_arrow

            return read_arrow(path, options, kind)
        case "conll":
            return read_conll(path, options)
        case "docbin":
            from clinlp.records.docbin import read_docbin

            return read_docbin(path, lost)
        case _:
            return jsonl.read_jsonl(path, options)


def _note_files(kind: Format, paths: list[Path], options: ReadOptions, lost: Counter[str]) -> Rows:
    """Read files that hold one note each."""
    if kind == "txt":
        return read_texts(paths, options)
    from clinlp.records.brat import read_brat

    return read_brat(paths, options, lost)


def _one_file(kind: Format, path: Path, options: ReadOptions, memory: Memory) -> Read:
    if kind in _FOLDERS:
        with open_bytes(path.with_suffix(".txt") if kind == "brat" else path) as file:
            check_encoding(file, path, options.encoding)
        rows = _note_files(kind, [path], options, memory.lost)
    else:
        rows = _rows(kind, path, options, memory.lost)
    return to_notes(rows, path, options, memory)


def _read_all(kind: Format, paths: list[Path], options: ReadOptions, memory: Memory) -> Read:
    """Read a folder's files, one after the other; empty parts of a dump hold no records."""
    if kind in _FOLDERS:
        rows = _note_files(kind, paths, options, memory.lost)
        for path, (number, row) in zip(paths, rows, strict=True):
            yield from to_notes([(number, row)], path, options, memory)
        return
    for path in paths:
        if path.stat().st_size:
            yield from to_notes(_rows(kind, path, options, memory.lost), path, options, memory)


def _in_folder(folder: Path, given: Format | None) -> tuple[Format, list[Path]]:
    """The format of a folder and its files, sorted by name."""
    try:
        names = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({error.strerror})") from None
    found: dict[Format, list[Path]] = {}
    for path in names:
        kind = _by_name(path)
        beside = kind not in _FOLDERS and (path.name.startswith("_") or path.name in _BESIDE)
        if kind is not None and not beside and path.is_file():
            found.setdefault(kind, []).append(path)
    if "brat" in found and given in (None, "brat"):  # pairs: the text stands for both
        texts = {path.with_suffix("") for path in found.get("txt", ())}
        lonely = [path for path in found["brat"] if path.with_suffix("") not in texts]
        found["brat"] = sorted((*found.pop("txt", ()), *lonely))
    if given is not None:
        found = {given: found.get(given) or _of_any_name(names, given)}
    found = {kind: paths for kind, paths in found.items() if paths}
    if not found:
        raise UsageError(f"{folder}: files of {_known(given)} needed, got none")
    if len(found) > 1:
        raise UsageError(f"{folder}: files of one format needed, got {', '.join(sorted(found))}; choose with --format")
    return next(iter(found.items()))


def _of_any_name(paths: Iterable[Path], given: Format) -> list[Path]:
    """Files whose names do not tell their format; those that tell another one are not meant."""
    return [path for path in paths if path.is_file() and (_by_name(path) is None or given == "conll")]


def _by_name(path: Path) -> Format | None:
    """The format that a name tells; None if it tells none."""
    if path.suffix.lower() in COMPRESSIONS:
        inner = _ENDINGS.get(Path(path.stem).suffix.lower())
        return inner if inner in _PACKED else None
    return _ENDINGS.get(path.suffix.lower())


def _known(given: Format | None) -> str:
    return given or f"a known format ({', '.join(FORMATS)})"


def _check_content(path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"{path}: a file that can be read twice needed, got a device or a pipe; save it first")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: a file with records needed, got an empty one")


def _format_of_file(path: Path, options: ReadOptions) -> Format:
    kind = options.format or _by_name(path)
    if kind is None:
        raise UsageError(f"{path}: a name that tells the format needed, or --format {'|'.join(FORMATS)}")
    if kind == "txt" and options.format is None and path.with_suffix(".ann").exists():
        return "brat"
    if kind == "tsv" and options.format is None:
        with broken_means_data_error(path), open_bytes(path) as file:
            if looks_like_conll(file.peek(1 << 12)):
                return "conll"
    return kind


def _format_of_target(path: Path, given: Format | None) -> Format:
    kind = given or _by_name(path)
    if kind is None:
        raise UsageError(f"{path}: a name that tells the format needed, or --to {'|'.join(FORMATS)}")
    if kind in _FOLDERS and given is None:
        raise UsageError(f"{path}: {kind} has one file a note; name a folder and say --to {kind}")
    return kind
