"""What a reader and a writer can be told, and what they report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import Field

from clinlp.config import Config
from clinlp.errors import Failure
from clinlp.note import Note

Format: TypeAlias = Literal["jsonl", "csv", "tsv", "parquet", "arrow", "txt", "brat", "conll", "docbin"]
Encoding: TypeAlias = Literal["utf-8", "utf-8-sig", "gb18030", "cp1252"]
Tokenize: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
"""Text -> `(start, end)` of each token in characters, ascending and disjoint."""

Record: TypeAlias = dict[str, Any]
Read: TypeAlias = Iterator[tuple[int, Note | Failure]]
"""Line (or row, or running number of the file in a folder), counted from 1, with what was read there."""


class ReadOptions(Config):
    """How to read a dump; every default is worked out from the file."""

    format: Format | None = Field(default=None, description="by default told by the name's ending")
    text_column: str | None = Field(default=None, description="by default text, note_text, note, content, ...")
    id_column: str | None = Field(
        default=None, description="by default note_id, id, ...; without one: file name and line"
    )
    patient_column: str | None = Field(default=None, description="by default patient_id, subject_id, ...")
    lang_column: str | None = Field(default=None, description="by default lang")
    time_column: str | None = Field(default=None, description="by default time, note_time, charttime, ...")
    encoding: Encoding = Field(default="utf-8", description="a UTF-8 byte order mark is handled by itself")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="by default told by the header")
    spans: Literal["entities", "phi"] = Field(
        default="entities", description="the set that spans of CoNLL and brat go into"
    )
    duplicate_ids: Literal["refuse", "keep"] = Field(
        default="refuse", description="what to do with an id that came before"
    )

    def columns(self) -> tuple[str | None, ...]:
        """The columns that were named, in the order of `canonical.ROLES`."""
        return (self.id_column, self.text_column, self.patient_column, self.lang_column, self.time_column)


class WriteOptions(Config):
    """How to write notes; every default is worked out from the target's name."""

    format: Format | None = Field(default=None, description="by default told by the name's ending")
    encoding: Encoding = Field(default="utf-8", description="of CSV, TSV, CoNLL, text and brat files")
    spans: Literal["entities", "phi", "sections"] = Field(
        default="entities", description="the one set that CoNLL holds"
    )


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What was written, and what was not.

    `lost` counts, by kind, what the source's or the target's format cannot hold: spans, codes, or
    notes that had the named column. `failures` are the first few of `n_failures` records that could
    not be read or written.
    """

    n_notes: int
    lost: dict[str, int] = field(default_factory=dict)
    n_failures: int = 0
    failures: tuple[Failure, ...] = ()
