"""Tables of other programs: a row for every row, with the annotations that the batch annotator gives."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinlp.batch import Annotator, BatchConfig, annotate, frames
from clinlp.batch.columns import to_row
from clinlp.errors import UsageError
from clinlp.note import Note

from .batch_cases import records, released

Dump = Callable[..., Path]
RULES: dict[str, Any] = {"phi": "off", "entities": "off", "diagnosis": "off"}


@pytest.mark.parametrize("arrow", [False, True])
def test_the_callable_fits_dataset_map(dump: Dump, tmp_path: Path, arrow: bool) -> None:
    datasets = pytest.importorskip("datasets")
    rows = records(10)
    rows[3]["text"] = None
    annotator = Annotator(BatchConfig(**RULES, chunk_notes=4))
    dataset = datasets.Dataset.from_list(rows)
    features = datasets.Features.from_arrow_schema(annotator.schema)
    given = dataset.with_format("arrow") if arrow else dataset
    made = given.map(annotator, batched=True, batch_size=7, remove_columns=dataset.column_names, features=features)
    found = list(made.with_format(None))
    annotate([dump(rows)], tmp_path / "out", BatchConfig(**RULES))
    wanted = {each["note_id"]: each for each in released(tmp_path / "out")}
    assert [row["note_id"] for row in found] == [f"n{at}" for at in range(10)]
    assert found[3]["failure"] == {"stage": "read", "error": "DataError", "reason": 'record has no "text"'}
    for row in found:
        if row["failure"] is None:
            held = wanted[row["note_id"]]
            assert row["text"] == held["text"]
            assert [(span["start"], span["end"], span["label"]) for span in row["phi"]] == [
                (span["start"], span["end"], span["label"]) for span in held["phi"]
            ]
            assert [[pair["start"], pair["end"]] for pair in row["tokens"]] == held["tokens"]


def test_one_bad_row_stops_no_other_and_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(note: Note, **_: object) -> dict[str, Any]:
        if note.text == "b":
            raise ValueError(note.text)
        return to_row(note, offsets=False, seconds=defaultdict(float))

    monkeypatch.setattr(frames, "to_row", broken)
    huge = [{"start": 0, "end": 1, "label": "A", "score": 10**400}]
    made = Annotator(BatchConfig(**RULES))(
        {"text": ["a", "b", "c"], "note_id": list("123"), "entities": [huge, None, None]}
    )
    assert made["text"] == [None, None, "c"]
    assert made["failure"][:2] == [
        {"stage": "read", "error": "OverflowError", "reason": ""},
        {"stage": "write", "error": "ValueError", "reason": ""},
    ]


def test_what_a_table_cannot_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="vault: a job of `clinlp annotate` needed"):
        Annotator(BatchConfig(**RULES, vault=tmp_path / "v"))


@pytest.mark.parametrize(
    "to", ["jsonl", "jsonl.gz", "jsonl.zst", "parquet", pytest.param("docbin", marks=pytest.mark.slow), "brat"]
)
def test_every_form_of_output_holds_the_same_notes(dump: Dump, tmp_path: Path, to: Any) -> None:
    from clinlp.records import ReadOptions, read_notes

    if to == "docbin":
        pytest.importorskip("spacy")
    config = BatchConfig(**RULES, shard_bytes=1500, to=to, keep_fields=("ward",))
    summary = annotate([dump(records(12))], tmp_path / "out", config)
    parts = sorted((tmp_path / "out").glob("part-*"))
    assert len(parts) == summary.n_parts == 2
    annotate([dump(records(12))], tmp_path / "lines", BatchConfig(**RULES, keep_fields=("ward",)))
    wanted = {each["note_id"]: each for each in released(tmp_path / "lines")}
    notes = [note for part in parts for note in read_notes(part, ReadOptions())]
    assert {note.note_id for note in notes} == wanted.keys()
    if to != "brat":
        assert [note.note_id for note in notes] == list(wanted)
    for note in notes:
        held = wanted[note.note_id]
        assert note.text == held["text"]
        assert [(span.start, span.end, span.label) for span in note.phi] == [
            (span["start"], span["end"], span["label"]) for span in held["phi"]
        ]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    assert [each["notes"] for each in manifest["parts"].values()] == [len(list(read_notes(part))) for part in parts]


def test_parquet_has_one_schema_of_typed_nested_columns(dump: Dump, tmp_path: Path, models: dict[str, Path]) -> None:
    import pyarrow.dataset
    import pyarrow.parquet as pq

    rows = [*records(9), {"note_id": "bare", "text": "ok"}]
    config = BatchConfig(phi="off", entities=str(models["entities"]), diagnosis="off", shard_bytes=1500, to="parquet")
    annotate([dump(rows)], tmp_path / "out", config)
    schemas = {str(pq.read_schema(path)) for path in (tmp_path / "out").glob("part-*")}
    assert len(schemas) == 1
    table = pyarrow.dataset.dataset(sorted((tmp_path / "out").glob("part-*.parquet"))).to_table()
    assert table.num_rows == 10
    entity = table.schema.field("entities").type.value_type
    assert [str(entity.field(name).type) for name in ("start", "label", "score")] == ["int64", "string", "double"]
    assert str(table.schema.field("tokens").type.value_type.field("end").type) == "int64"
    [word] = table.to_pylist()[9]["tokens"]
    assert word == {"start": 0, "end": 2}
