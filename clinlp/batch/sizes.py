"""How far a dump reaches: an estimate for the progress bar, made without reading it all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clinlp.records import ReadOptions, list_files

_SAMPLE: Final = 1 << 20
_LINES: Final = frozenset((".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab"))
_COLUMNS: Final = frozenset((".parquet", ".pq"))


def last_line(path: Path, options: ReadOptions) -> float | None:
    """Guess the number that the last record of a dump will have; None where it cannot be told.

    Exact for Parquet and for folders with one file a note; from the mean length of the first lines
    for lines of text that are not packed.
    """
    try:
        if path.is_dir():
            files = list_files(path, options)
            return len(files) if files[0].suffix in (".txt", ".ann") else None
        if path.suffix.lower() in _COLUMNS:
            import pyarrow.parquet

            return int(pyarrow.parquet.ParquetFile(path).metadata.num_rows)
        if path.suffix.lower() not in _LINES:
            return None
        with path.open("rb") as file:
            sample = file.read(_SAMPLE)
        n_lines = sample.count(b"\n")
        return n_lines * path.stat().st_size / len(sample) if n_lines else 1.0
    except (OSError, ValueError):  # what is wrong with the file is for the reader to say
        return None
