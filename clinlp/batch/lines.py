"""A released note as one line of JSON, with the offsets of its tokens and sentences."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any, Final

import orjson

from clinlp.note import Note
from clinlp.records import to_record
from clinlp.records.jsonl import dumps
from clinlp.text.language import detect_language
from clinlp.text.sentences import split_sentences
from clinlp.text.tokens import tokenize

OFFSETS: Final = ("tokens", "sentences")  # what an output record has beside a note


def to_output(note: Note, *, offsets: bool, seconds: MutableMapping[str, float]) -> dict[str, Any]:
    """Give a note as a record, with the offsets of tokens and sentences of its text."""
    record: dict[str, Any] = to_record(note)
    for name in OFFSETS:
        record["fields"].pop(name, None)  # of another run, over another text
    if offsets:
        began = time.perf_counter()
        record["tokens"] = tokenize(note.text)
        after_tokens = time.perf_counter()
        record["sentences"] = split_sentences(note.text, note.lang or detect_language(note.text))
        seconds["tokens"] += after_tokens - began
        seconds["sentences"] += time.perf_counter() - after_tokens
    return record


def to_line(note: Note, *, offsets: bool, seconds: MutableMapping[str, float]) -> bytes:
    """Write a note as one line of JSON.

    Raises:
        DataError: The note holds what JSON cannot.
    """
    record = to_output(note, offsets=offsets, seconds=seconds)
    began = time.perf_counter()
    line = dumps(record, f"note {note.note_id}", orjson.OPT_APPEND_NEWLINE)
    seconds["write"] += time.perf_counter() - began
    return line
