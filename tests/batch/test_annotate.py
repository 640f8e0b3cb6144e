"""The batch annotator: order, completeness, offsets, parity, parts, quarantine, manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
from clinlp.batch.output import digest
from clinlp.batch.single import deidentify
from clinlp.errors import DataError, Failure, UsageError
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.note import Note
from clinlp.records import ReadOptions, from_record, read_notes, read_records
from clinlp.text.sentences import split_sentences
from clinlp.text.tokens import tokenize

from .batch_cases import EN, ZH, lines, records, released

Dump = Callable[..., Path]
RULES = {"phi": "off", "entities": "off", "diagnosis": "off"}


def test_every_record_lands_once_and_in_order(dump: Dump, tmp_path: Path) -> None:
    rows: list[Any] = records(50)
    rows[7] = b'{"note_id": "broken", "text": '
    rows[20] = rows[3]
    rows[31] = {"note_id": "no-text"}
    summary = annotate([dump(rows)], tmp_path / "out", BatchConfig(**RULES, chunk_notes=8, shard_bytes=2000))
    kept = [record["note_id"] for record in released(tmp_path / "out")]
    assert kept == [f"n{at}" for at in range(50) if at not in (7, 20, 31)]
    bad = lines(tmp_path / "out" / "quarantine.jsonl")
    assert [(each["note_id"], each["line"], each["stage"]) for each in bad] == [
        ("dump-8", 8, "read"),
        ("n3", 21, "read"),
        ("no-text", 32, "read"),
    ]
    assert (summary.n_records, summary.n_notes, summary.n_failures) == (50, 47, 3)


def test_a_record_of_any_depth_stops_no_other(dump: Dump, tmp_path: Path) -> None:
    deep = [
        b'{"text": "a", "deep": ' + b"[" * depth + end + b"]" * depth + b"}"
        for depth in range(900, 1030, 2)
        for end in (b"", b"NaN")
    ]
    path = dump([{"text": "first"}, *deep, {"text": "last"}])
    read = [note for _, note in read_records(path)]
    assert len(read) == len(deep) + 2
    assert all(isinstance(note, (Note, Failure)) for note in read)
    assert [note.text for note in (read[0], read[-1])] == ["first", "last"]


def test_parts_are_cut_by_the_input_and_no_temporary_file_stays(dump: Dump, tmp_path: Path) -> None:
    path = dump([{"note_id": f"n{at:02}", "text": "x" * 70} for at in range(25)])  # 103 bytes each
    annotate([path], tmp_path / "out", BatchConfig(**RULES, chunk_notes=7, shard_bytes=1000))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".clinlp",
        "manifest.json",
        "part-00000.jsonl",
        "part-00001.jsonl",
        "part-00002.jsonl",
    ]
    assert [len(lines(path)) for path in sorted((tmp_path / "out").glob("part-*"))] == [10, 10, 5]
    assert sorted(path.name for path in (tmp_path / "out" / ".clinlp").iterdir()) == [
        "duplicates.u64",
        "journal.jsonl",
        "plan.json",
    ]


@pytest.mark.parametrize("deid", ["tag", "mask", "placeholder", "off"])
def test_all_offsets_are_valid_in_the_released_text(
    dump: Dump, tmp_path: Path, models: dict[str, Path], deid: str
) -> None:
    config = BatchConfig(deid=deid, entities=str(models["entities"]), diagnosis=str(models["diagnosis"]), top=2)
    annotate([dump(records(12))], tmp_path / "out", config)
    kinds = set()
    for record in released(tmp_path / "out"):
        text = record["text"]
        note = from_record(record)
        assert record["tokens"] == [list(pair) for pair in tokenize(text)]
        assert record["sentences"] == [list(pair) for pair in split_sentences(text, record["lang"])]
        for kind, span in note.spans():
            kinds.add(kind)
            assert 0 <= span.start < span.end <= len(text)
            if kind == "phi" and deid == "tag":
                assert text[span.start : span.end] == f"[{span.label}]"
    assert kinds >= {"phi", "entities", "evidence"}


def test_the_batch_gives_what_the_python_call_gives(dump: Dump, tmp_path: Path, models: dict[str, Path]) -> None:
    path = dump(records(30))
    given: dict[str, Any] = {name: str(folder) for name, folder in models.items()}
    annotate([path], tmp_path / "out", BatchConfig(**given, chunk_notes=7, keep_fields=("ward",)))
    called = Pipeline(PipelineConfig(**given, keep_fields=("ward",)))(list(read_notes(path)))
    batch = [from_record(record) for record in released(tmp_path / "out")]
    for one, other in zip(batch, called, strict=True):
        assert isinstance(other, Note)
        held = {name: value for name, value in one.fields.items() if name not in ("tokens", "sentences")}
        assert held == dict(other.fields)
        assert (one.text, one.entities, one.phi, one.sections) == (
            other.text,
            other.entities,
            other.phi,
            other.sections,
        )
        assert one.diagnoses == other.diagnoses
        assert [span.score for span in one.entities] == pytest.approx([span.score for span in other.entities], abs=1e-5)


def test_columns_are_left_out_unless_named(dump: Dump, tmp_path: Path) -> None:
    path = dump(records(3))
    summary = annotate([path], tmp_path / "a", BatchConfig(**RULES))
    assert summary.left_out == {"ward": 3, "patient_id": 3}
    assert "7b" not in (tmp_path / "a" / "part-00000.jsonl").read_text("utf-8")
    annotate([path], tmp_path / "b", BatchConfig(**RULES, keep_fields=("ward",)))
    assert released(tmp_path / "b")[0]["fields"] == {"ward": "7b"}
    assert "patient_id" not in released(tmp_path / "b")[0]
    annotate([path], tmp_path / "c", BatchConfig(**RULES, keep_fields=("*",)))
    assert released(tmp_path / "c")[0]["patient_id"] == "p0"


def test_off_keeps_the_text_and_marks_phi_over_it(dump: Dump, tmp_path: Path) -> None:
    annotate([dump(records(2))], tmp_path / "out", BatchConfig(**RULES, deid="off"))
    english, chinese = released(tmp_path / "out")
    assert (english["text"], chinese["text"]) == (EN, ZH)
    assert "Jane Doe" in {EN[span["start"] : span["end"]] for span in english["phi"]}
    assert "王小明" in {ZH[span["start"] : span["end"]] for span in chinese["phi"]}


def test_offsets_may_be_left_out_and_stale_ones_are(dump: Dump, tmp_path: Path) -> None:
    rows = [record | {"tokens": [[0, 1]]} for record in records(1)]
    annotate([dump(rows)], tmp_path / "out", BatchConfig(**RULES, deid="off", tokens=False))
    [record] = released(tmp_path / "out")
    assert not {"tokens", "sentences"} & (record.keys() | record["fields"].keys())


def test_ids_are_unique_across_inputs(dump: Dump, tmp_path: Path) -> None:
    paths = [dump(records(3), "a.jsonl"), dump(records(4), "b.jsonl")]
    annotate(paths, tmp_path / "out", BatchConfig(**RULES))
    assert [record["note_id"] for record in released(tmp_path / "out")] == ["n0", "n1", "n2", "n3"]
    bad = lines(tmp_path / "out" / "quarantine.jsonl")
    assert [(Path(each["source"]).name, each["line"]) for each in bad] == [
        ("b.jsonl", 1),
        ("b.jsonl", 2),
        ("b.jsonl", 3),
    ]


def test_the_manifest_says_what_made_the_output(dump: Dump, tmp_path: Path, models: dict[str, Path]) -> None:
    config = BatchConfig(phi="off", entities=str(models["entities"]), diagnosis="off")
    annotate([dump(records(5))], tmp_path / "out", config)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    assert manifest["models"] == {str(models["entities"]): {"sha256": digest(models["entities"] / "model.safetensors")}}
    assert manifest["complete"] is True
    assert manifest["counts"]["notes"] == 5
    assert manifest["config"]["deid"] == "tag"
    assert {"read", "phi", "entities", "context", "release", "tokens", "write"} <= manifest["seconds_by_stage"].keys()


def test_a_full_folder_is_refused_and_overwriting_spares_other_files(dump: Dump, tmp_path: Path) -> None:
    path, out = dump(records(5)), tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("kept")
    with pytest.raises(UsageError, match="a new or empty folder needed, got one with files in it"):
        annotate([path], out, BatchConfig(**RULES))
    annotate([path], out, BatchConfig(**RULES, shard_bytes=100), overwrite=True)
    annotate([path], out, BatchConfig(**RULES), overwrite=True)
    assert sorted(each.name for each in out.iterdir()) == [".clinlp", "manifest.json", "mine.txt", "part-00000.jsonl"]


def test_the_input_is_never_overwritten(dump: Dump, tmp_path: Path) -> None:
    annotate([dump(records(2))], tmp_path / "out", BatchConfig(**RULES))
    part = tmp_path / "out" / "part-00000.jsonl"
    with pytest.raises(UsageError, match="an output folder beside the input needed"):
        annotate([part], tmp_path / "out", BatchConfig(**RULES), overwrite=True)
    with pytest.raises(UsageError, match="an output beside the input needed"):
        deidentify([part], part, overwrite=True)
    assert len(lines(part)) == 2


def test_nothing_is_written_when_nothing_can_start(dump: Dump, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="model folder"):
        annotate([dump(records(2))], tmp_path / "out", BatchConfig(entities=str(tmp_path)))
    assert not (tmp_path / "out").exists()


def test_what_was_done_is_kept_when_an_input_breaks_off(dump: Dump, tmp_path: Path) -> None:
    import gzip
    import random

    noise = random.Random(1)  # noqa: S311
    rows = [{"note_id": f"n{at}", "text": "".join(noise.choices("abcdefghij ", k=2000))} for at in range(800)]
    packed = gzip.compress(dump(rows).read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) * 3 // 4])
    with pytest.raises(DataError, match="cut off or damaged"):
        annotate([tmp_path / "cut.jsonl.gz"], tmp_path / "out", BatchConfig(**RULES, sections=False, chunk_notes=100))
    kept = [record["note_id"] for record in released(tmp_path / "out")]
    assert len(kept) >= 300
    assert kept == [f"n{at}" for at in range(len(kept))]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["complete"] is False


def test_a_stage_that_fails_on_one_note_stops_no_other(
    dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(pipeline: Pipeline, note: Note) -> Note:
        if note.text == ZH:
            raise RuntimeError(note.text)  # a message that quotes the note must not come out
        return note

    monkeypatch.setattr(Pipeline, "_add_sections", fail)
    annotate([dump(records(8))], tmp_path / "out", BatchConfig(**RULES))
    assert [record["note_id"] for record in released(tmp_path / "out")] == ["n0", "n2", "n3", "n4", "n6", "n7"]
    [first, second] = lines(tmp_path / "out" / "quarantine.jsonl")
    assert first == {
        "note_id": "n1",
        "source": "dump.jsonl",
        "input": 1,
        "line": 2,
        "stage": "sections",
        "error": "RuntimeError",
        "reason": "",
    }
    assert second["note_id"] == "n5"


@pytest.mark.parametrize("name", ["released.jsonl", "released.csv", "released.parquet", "released.jsonl.zst"])
def test_deidentify_writes_any_format(dump: Dump, tmp_path: Path, name: str) -> None:
    rows: list[Any] = records(6)
    rows[2] = b"{"
    summary = deidentify([dump(rows)], tmp_path / name, BatchConfig(deid="placeholder"))
    notes = list(read_notes(tmp_path / name, ReadOptions()))
    assert [note.note_id for note in notes] == ["n0", "n1", "n3", "n4", "n5"]
    assert "Dr. [NAME-1] on [DATE-1]" in notes[0].text
    assert "姓名：[NAME-1]" in notes[1].text
    assert not any(note.fields or note.patient_id for note in notes)
    assert summary.quarantine == tmp_path / "released.quarantine.jsonl"
    assert lines(tmp_path / "released.quarantine.jsonl")[0]["line"] == 3
