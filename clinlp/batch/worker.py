"""The work on a stream of records: chunks through the pipeline, notes to output lines.

Knows no output files and no processes, so the same code serves one machine and a cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from clinlp.batch.config import BatchConfig
from clinlp.errors import DataError, Failure
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.records import read_records, to_record
from clinlp.records.jsonl import dumps
from clinlp.text.language import detect_language
from clinlp.text.sentences import split_sentences
from clinlp.text.tokens import tokenize

OFFSETS: Final = ("tokens", "sentences")  # what an output record has beside a note


class Record(NamedTuple):
    """One record with the place that it came from."""

    source: str
    line: int
    note: Note | Failure


def read_all(inputs: Sequence[Path], config: BatchConfig) -> Iterator[Record]:
    """Every record of every input in order; an id that came before, in any input, is a failure.

    Of an id only a digest of 8 bytes is kept.
    """
    options = config.model_copy(update={"duplicate_ids": "keep"})
    seen: set[int] | None = set() if config.duplicate_ids == "refuse" else None
    for path in inputs:
        for line, note in read_records(path, options):
            if isinstance(note, Failure) or seen is None:
                yield Record(str(path), line, note)
                continue
            digest = blake2b(note.note_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            key = int.from_bytes(digest, "little")
            yield Record(str(path), line, _came_before(note, str(path), line) if key in seen else note)
            seen.add(key)


def chunks(
    records: Iterable[Record], config: BatchConfig, seconds: MutableMapping[str, float]
) -> Iterator[list[Record]]:
    """Group records by notes and characters; time spent on reading goes to `seconds["read"]`."""
    stream = iter(records)
    chunk: list[Record] = []
    n_characters = 0
    broken: DataError | None = None
    while True:
        began = time.perf_counter()
        try:
            record = next(stream, None)
        except DataError as error:  # the rest of the input is lost, what was read of it is not
            record, broken = None, error
        seconds["read"] = seconds.get("read", 0.0) + time.perf_counter() - began
        if record is None:
            break
        chunk.append(record)
        n_characters += len(record.note.text) if isinstance(record.note, Note) else 0
        if len(chunk) >= config.chunk_notes or n_characters >= config.chunk_characters:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk
    if broken is not None:
        raise broken


def annotate_chunk(pipeline: Pipeline, chunk: Sequence[Record]) -> list[Note | Failure]:
    """Give what became of each record, in order; a failure says where its record stood."""
    notes = iter(pipeline([record.note for record in chunk if isinstance(record.note, Note)]))
    return [_placed(record.note if isinstance(record.note, Failure) else next(notes), record) for record in chunk]


def to_line(note: Note, *, offsets: bool, seconds: MutableMapping[str, float]) -> bytes:
    """Write a note as one line of JSON, with the offsets of tokens and sentences of its text.

    Raises:
        DataError: The note holds what JSON cannot.
    """
    record: dict[str, Any] = to_record(note)
    for name in OFFSETS:
        record["fields"].pop(name, None)  # of another run, over another text
    began = time.perf_counter()
    if offsets:
        record["tokens"] = tokenize(note.text)
        after_tokens = time.perf_counter()
        record["sentences"] = split_sentences(note.text, note.lang or detect_language(note.text))
        seconds["tokens"] += after_tokens - began
        began = time.perf_counter()
        seconds["sentences"] += began - after_tokens
    line = dumps(record, f"note {note.note_id}", orjson.OPT_APPEND_NEWLINE)
    seconds["write"] += time.perf_counter() - began
    return line


def _came_before(note: Note, source: str, line: int) -> Failure:
    error = DataError(f"note_id {note.note_id} came before; ids need to be unique")
    return Failure.of(error, stage="read", note_id=note.note_id, source=source, line=line)


def _placed(result: Note | Failure, record: Record) -> Note | Failure:
    if isinstance(result, Note) or result.source:
        return result
    return replace(result, source=record.source, line=record.line)
