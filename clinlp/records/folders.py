"""A folder of .txt files, one note each; and the names of files that belong to notes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.records.files import decode, encode_file, new_folder
from clinlp.records.options import ReadOptions, WriteOptions
from clinlp.records.rows import Broken, Rows, Sink, count_lost

_LONGEST = 200  # bytes; file systems take 255


def read_texts(paths: Sequence[Path], options: ReadOptions) -> Rows:
    """Every file as one note, counted from 1; the id is the file's name."""
    for number, path in enumerate(paths, 1):
        note_id = note_id_of(path)
        try:
            yield number, {"note_id": note_id, "text": read_text(path, options)}
        except DataError as error:
            yield number, Broken(error, note_id)


def read_text(path: Path, options: ReadOptions) -> str:
    """The text of one file, with its line ends as they are."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror})") from None
    return decode(data, Path(path.name), options.encoding)


def file_name(note_id: str) -> str:
    """A file name for an id, without ending; `note_id_of` gives the id back.

    Raises:
        DataError: The id is too long for a file name.
    """
    name = re.sub(r'^\.|[%/\\:*?"<>|\x00-\x1f\x7f]', lambda match: f"%{ord(match[0]):02X}", note_id)
    try:
        n_bytes = len(name.encode())
    except UnicodeEncodeError:
        raise DataError("note_id holds a lone surrogate, which no file name can hold") from None
    if n_bytes > _LONGEST:
        raise DataError(f"note_id needs at most {_LONGEST} bytes as a file name, got {n_bytes}")
    return name


def note_id_of(path: Path) -> str:
    """The id of the note in a file: its name without ending."""
    name = path.name.removesuffix(path.suffix)
    note_id = unquote(name)
    return note_id if note_id and "%" in name and file_name(note_id) == name else name


def new_note_file(folder: Path, note_id: str, ending: str) -> Path:
    """The path for a note's file.

    Raises:
        DataError: A note of this id was written before.
    """
    path = folder / (file_name(note_id) + ending)
    if path.exists():
        raise DataError(f"note {note_id}: a file of this name was written before; ids need to be unique")
    return path


@contextmanager
def write_texts(path: Path, options: WriteOptions, lost: Counter[str]) -> Iterator[Sink]:
    """Open a sink for a folder of .txt files; it holds ids and texts."""
    with new_folder(path) as folder:
        yield _TextSink(folder, options, lost)


class _TextSink:
    def __init__(self, folder: Path, options: WriteOptions, lost: Counter[str]) -> None:
        self._folder, self._options, self._lost = folder, options, lost

    def write(self, note: Note) -> None:
        path = new_note_file(self._folder, note.note_id, ".txt")
        path.write_bytes(encode_file(note.text, self._options.encoding, f"note {note.note_id}"))
        count_lost(note, (), self._lost)
