"""A dump through a model of patients: however it is cut, all notes of a patient are read together."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
from clinlp.errors import UsageError
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.note import Note
from clinlp.records import read_notes, write_notes

from ..patient_model import patient_folder, ward

CUTS: list[dict[str, Any]] = [
    {},
    {"shard_bytes": 1},
    {"shard_bytes": 900, "chunk_notes": 1},
    {"chunk_notes": 3},
    pytest.param({"shard_bytes": 500, "workers": 2}, marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return patient_folder(tmp_path_factory.mktemp("patients"))


def config(model: Path, **options: Any) -> BatchConfig:
    off = {"deid": "off", "phi": "off", "entities": "off", "sections": False, "context": False, "tokens": False}
    return BatchConfig(**off | {"workers": 0, "diagnosis": str(model), "top": 3} | options)


def found(out: Path) -> dict[str, dict[str, float]]:
    lines = [json.loads(line) for part in sorted(out.glob("part-*")) for line in part.read_text("utf-8").splitlines()]
    return {line["note_id"]: {item["code"]: item["score"] for item in line["diagnoses"]} for line in lines}


def said(model: Path, notes: list[Note]) -> dict[str, Any]:
    predicted = DiagnosisPredictor.load(model, top=3)(notes)
    return {
        note.note_id: pytest.approx({item.code: item.score for item in note.diagnoses or ()}, abs=1e-5)
        for note in predicted
    }


@pytest.mark.parametrize(
    "options", CUTS, ids=lambda options: "-".join(f"{k}{v}" for k, v in options.items()) or "whole"
)
def test_no_cut_parts_a_patient(model: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    notes = ward(9)
    write_notes(notes, tmp_path / "dump.jsonl")
    summary = annotate([tmp_path / "dump.jsonl"], tmp_path / "out", config(model, **options))
    assert summary.n_failures == 0
    assert found(tmp_path / "out") == said(model, notes)
    parts = len(list((tmp_path / "out").glob("part-*")))
    assert parts == (9 if options.get("shard_bytes") == 1 else parts)
    assert (parts > 1) == ("shard_bytes" in options)


def test_notes_that_stand_apart_from_their_patients_others_go_to_quarantine(model: Path, tmp_path: Path) -> None:
    notes = ward(4)
    apart = [*notes[:2], *notes[4:], *notes[2:4]]  # the second half of a patient comes last
    write_notes(apart, tmp_path / "dump.jsonl")
    annotate([tmp_path / "dump.jsonl"], tmp_path / "out", config(model, shard_bytes=600))
    assert found(tmp_path / "out") == said(model, apart[:-2])
    refused = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert [each["note_id"] for each in refused] == ["0-2", "0-3"]
    assert all("sort by patient_id" in json.dumps(each) for each in refused)


def test_a_shuffled_dump_is_refused_rather_than_misread(model: Path, tmp_path: Path) -> None:
    notes = ward(6)
    random.Random(0).shuffle(notes)  # noqa: S311
    write_notes(notes, tmp_path / "dump.jsonl")
    annotate([tmp_path / "dump.jsonl"], tmp_path / "out", config(model, max_errors=1.0))
    kept = [note for note in notes if note.note_id in found(tmp_path / "out")]
    assert len(kept) < len(notes)
    assert found(tmp_path / "out") == said(model, kept)


def test_broken_records_inside_a_patient_part_nobody(model: Path, tmp_path: Path) -> None:
    notes = ward(3)
    path = tmp_path / "dump.jsonl"
    write_notes(notes, path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:1], "{\n", *lines[1:6], '{"note_id": "x", "text": 5}\n', *lines[6:]]), "utf-8")
    summary = annotate([path], tmp_path / "out", config(model, shard_bytes=1, chunk_notes=1))
    assert summary.n_failures == 2
    assert found(tmp_path / "out") == said(model, notes)


def test_a_patient_of_two_files_is_in_the_first(model: Path, tmp_path: Path) -> None:
    notes = ward(2)
    for name, part in (("a", notes[:6]), ("b", notes[6:])):
        write_notes(part, tmp_path / f"{name}.jsonl")
    summary = annotate([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path / "out", config(model))
    assert summary.n_failures == 2
    assert found(tmp_path / "out") == said(model, notes[:6])


def test_records_without_patients_are_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "dump.jsonl").write_text('{"note_id": "a", "text": "Fever.", "who": "p1"}\n')
    with pytest.raises(UsageError, match=r"dump.jsonl: a column of patients needed \(--patient-column\)"):
        annotate([tmp_path / "dump.jsonl"], tmp_path / "out", config(model))
    summary = annotate([tmp_path / "dump.jsonl"], tmp_path / "out", config(model, patient_column="who"))
    assert summary.n_notes == 1


def test_too_many_notes_of_a_patient_are_refused(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clinlp.batch import worker

    monkeypatch.setattr(worker, "MOST_NOTES", 3)
    notes = ward(2)
    write_notes(notes, tmp_path / "dump.jsonl")
    summary = annotate([tmp_path / "dump.jsonl"], tmp_path / "out", config(model))
    assert summary.n_failures == 2
    assert len(found(tmp_path / "out")) == 6
    assert len(list(read_notes(tmp_path / "dump.jsonl"))) == 8
