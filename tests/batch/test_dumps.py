"""Real dumps, where they are at hand: to the end, every id once, every offset valid."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
from clinlp.records import from_record, read_records

from .batch_cases import lines, released


@pytest.mark.shared
@pytest.mark.parametrize(
    ("dump", "options"),
    [
        pytest.param("zh/tcm_tbosd/notes.jsonl", {"entities": "off", "diagnosis": "off"}, id="tbosd-rules"),
        pytest.param("zh/tcm_tbosd/notes.jsonl", {}, id="tbosd", marks=pytest.mark.slow),
        pytest.param("en/mtsamples/notes.csv", {}, id="mtsamples", marks=pytest.mark.slow),
    ],
)
def test_a_dump_runs_to_its_end(shared_data: Path, tmp_path: Path, dump: str, options: dict[str, Any]) -> None:
    path = shared_data / dump
    ids = [note.note_id for _, note in read_records(path)]
    annotate([path], tmp_path / "out", BatchConfig(**options))
    kept = released(tmp_path / "out")
    there = {record["note_id"] for record in kept}
    quarantine = tmp_path / "out" / "quarantine.jsonl"
    failed = lines(quarantine) if quarantine.exists() else []
    assert Counter(record["note_id"] for record in (*kept, *failed)) == Counter(ids)
    assert [record["note_id"] for record in kept] == [each for each in ids if each in there]
    for record in kept:
        size = len(record["text"])
        assert all(span.end <= size for _, span in from_record(record).spans())
        assert all(0 <= start < end <= size for start, end in (*record["tokens"], *record["sentences"]))
