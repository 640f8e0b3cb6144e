"""Read any dump, write any format, and count what was left out on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note
from clinlp.records.conll import words
from clinlp.records.formats import open_records, open_sink
from clinlp.records.options import Read, ReadOptions, Tokenize, WriteOptions, WriteReport

_READ: Final = ReadOptions()
_WRITE: Final = WriteOptions()
_SHOWN: Final = 10


def read_records(path: str | Path, options: ReadOptions = _READ, *, lost: Counter[str] | None = None) -> Read:
    """Each record of a dump with its line: a note, or a failure that says why it is none.

    Memory does not grow with the dump but for a hash of each id (and the whole of a DocBin).

    Args:
        path: A file; or a folder of .txt files, of brat pairs or of the files of one dump, which are
            read in the order of their names.
        lost: Counts what the notes cannot hold, such as brat's relations.

    Raises:
        UsageError: Nothing is there, or its format cannot be told, or a named column is missing.
        DataError: The file as a whole is broken: empty, or in another encoding.
    """
    return open_records(Path(path), options, Counter() if lost is None else lost)


def read_notes(path: str | Path, options: ReadOptions = _READ) -> Iterator[Note]:
    """Each note of a dump of which every record is expected to be good.

    Raises:
        DataError: At the first record that is not.
        UsageError: As `read_records`.
    """
    for _, note in read_records(path, options):
        if isinstance(note, Failure):
            raise DataError(f"{note.source}:{note.line}: {note.reason or note.error}")
        yield note


def write_notes(
    notes: Iterable[Note], path: str | Path, options: WriteOptions = _WRITE, *, tokenize: Tokenize = words
) -> WriteReport:
    """Write notes to one file (or, as .txt or brat, to one new folder) and say what was left out.

    The target gets its name when all is written; after an error it is as it was before.

    Args:
        tokenize: Gives the tokens of CoNLL and DocBin.

    Raises:
        UsageError: The format cannot be told, or the target cannot be written.
        DataError: A note cannot be written: a lone surrogate, an id twice in a folder.
    """
    lost: Counter[str] = Counter()
    n_notes = 0
    with open_sink(Path(path), options, lost, tokenize) as sink:
        for note in notes:
            sink.write(note)
            n_notes += 1
    return WriteReport(n_notes, _counts(lost))


def convert(
    source: str | Path,
    target: str | Path,
    read: ReadOptions = _READ,
    write: WriteOptions = _WRITE,
    *,
    tokenize: Tokenize = words,
) -> WriteReport:
    """Write all good records of one dump in another format; bad ones are counted, and the first are shown.

    Raises:
        UsageError: As `read_records` and `write_notes`; or the target is the source, whose bad records would be lost.
        DataError: As `read_records`.
    """
    if Path(source).exists() and Path(target).resolve() == Path(source).resolve():
        raise UsageError(f"{target}: an output beside the input needed, got the input itself")
    lost: Counter[str] = Counter()
    failures: list[Failure] = []
    n_notes = n_failures = 0
    records = read_records(source, read, lost=lost)
    with open_sink(Path(target), write, lost, tokenize) as sink:
        for line, record in records:
            result: Note | Failure = record
            if isinstance(result, Note):
                try:
                    sink.write(result)
                except DataError as error:
                    note_id = result.note_id
                    result = Failure.of(error, stage="write", note_id=note_id, source=str(source), line=line)
            if isinstance(result, Note):
                n_notes += 1
                continue
            n_failures += 1
            if len(failures) < _SHOWN:
                failures.append(result)
    return WriteReport(n_notes, _counts(lost), n_failures, tuple(failures))


def _counts(lost: Counter[str]) -> dict[str, int]:
    return {kind: n for kind, n in sorted(lost.items()) if n}
