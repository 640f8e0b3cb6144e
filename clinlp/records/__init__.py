"""Records in and out: JSON Lines, tables, Parquet, text folders, brat, CoNLL and DocBin, all as notes."""

from __future__ import annotations

from clinlp.records.canonical import from_record, to_record
from clinlp.records.convert import convert, read_notes, read_records, write_notes
from clinlp.records.formats import FORMATS, list_files
from clinlp.records.options import Format, ReadOptions, WriteOptions, WriteReport

__all__ = [
    "FORMATS",
    "Format",
    "ReadOptions",
    "WriteOptions",
    "WriteReport",
    "convert",
    "from_record",
    "list_files",
    "read_notes",
    "read_records",
    "to_record",
    "write_notes",
]
