"""Releases as a privacy officer wants them: surrogates, known identifiers, the vault, and failing closed."""

from __future__ import annotations

import csv
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from clinlp import DataError, Failure, Note, Span, UsageError, read_notes, write_notes
from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
from clinlp.batch.plan import make_plan
from clinlp.batch.single import deidentify
from clinlp.batch.task import Piece, Task
from clinlp.batch.worker import Worker
from clinlp.deid.keys import new_key, read_key
from clinlp.deid.vault import reidentify
from clinlp.inference.pipeline import Pipeline, PipelineConfig

ROWS = [
    (
        "a1",
        "p1",
        "Jonathan Okafor",
        "Seen 03/12/2021: Jon Okafor, MRN 4471982. Okafor has had chest pain since 03/09/2021.",
    ),
    ("a2", "p1", "Jonathan Okafor", "Follow-up 4 Apr 2021. Mr. Okafor stable, no fever. mrn 4471982"),
    ("z1", "p2", "欧阳明月", "患者欧阳明月，女，61岁，住院号0023918，2021年3月5日因胸痛3天入院，电话13812345678。"),
    ("z2", "p2", "欧阳明月", "欧阳女士于2021年3月12日出院，无发热。"),
]
IDENTIFIERS = ("Okafor", "Jonathan", "4471982", "0023918", "13812345678", "欧阳", "明月", "03/12/2021", "2021年3月5日")


@pytest.fixture
def dump(tmp_path):
    path = tmp_path / "notes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("note_id", "patient_id", "patient_name", "text"), *ROWS])
    return path


@pytest.fixture
def key(tmp_path):
    new_key(tmp_path / "key")
    return tmp_path / "key"


def release(dump, out, key, **options):
    config = BatchConfig.load(None, deid="surrogate", key_file=key, known=("patient_name=NAME",), **options)
    deidentify([dump], out, config)
    return list(read_notes(out))


def test_nobody_is_left_and_notes_of_a_patient_agree(dump, tmp_path, key):
    a1, a2, z1, z2 = release(dump, tmp_path / "r.jsonl", key, keep_fields=("patient_id",))
    for row, line in zip(ROWS, (tmp_path / "r.jsonl").read_text("utf-8").splitlines(), strict=True):
        assert [words for words in IDENTIFIERS if words in row[3] and words in line] == []
    assert a1.patient_id == a2.patient_id != z1.patient_id == z2.patient_id
    assert a1.patient_id not in ("p1", "p2")

    def words(note, label):
        return [note.text[span.start : span.end] for span in note.phi if span.label == label]

    assert words(a1, "MRN") == words(a2, "MRN")
    assert words(a2, "NAME") == words(a1, "NAME")[-1:]
    assert words(z1, "NAME")[0].startswith(words(z2, "NAME")[0])


def test_the_order_of_the_dump_and_the_chunks_play_no_part(dump, tmp_path, key):
    forward = release(dump, tmp_path / "r.jsonl", key)
    dump.write_text("\n".join([dump.read_text("utf-8").split("\n")[0], *dump.read_text("utf-8").split("\n")[:0:-1]]))
    backward = release(dump, tmp_path / "b.jsonl", key, chunk_notes=1)
    assert sorted(forward, key=lambda n: n.note_id) == sorted(backward, key=lambda n: n.note_id)


def test_a_vault_gives_the_dump_back_and_holds_nothing_readable(dump, tmp_path, key):
    vault = tmp_path / "v.vault"
    released = release(dump, tmp_path / "r.jsonl", key, vault=vault)
    restored = list(reidentify(released, vault, read_key(key)))
    assert [(n.note_id, n.patient_id, n.fields["patient_name"], n.text) for n in restored] == ROWS
    held = vault.read_bytes()
    assert [words for words in IDENTIFIERS if words.encode() in held] == []
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600


def test_an_annotated_release_can_be_undone_too(dump, tmp_path, key):
    config = BatchConfig.load(
        None, deid="tag", key_file=key, vault=tmp_path / "v.vault", entities="off", diagnosis="off"
    )
    annotate([dump], tmp_path / "out", config)
    released = list(read_notes(tmp_path / "out" / "part-00000.jsonl"))
    assert [note.text for note in reidentify(released, tmp_path / "v.vault", read_key(key))] == [row[3] for row in ROWS]


def test_what_undoes_a_release_is_on_the_disk_before_it(dump, tmp_path, key, monkeypatch):
    vault, done = tmp_path / "v.vault", []
    fsync, rename = os.fsync, Path.replace

    def seen_fsync(file):
        if vault.exists() and os.path.sameopenfile(file, opened := os.open(vault, os.O_RDONLY)):
            done.append(f"{len(vault.read_bytes().splitlines())} lines")
            os.close(opened)
        fsync(file)

    def seen_rename(path, target):
        if "part-" in target.name or target.name == "r.jsonl":
            done.append(target.name)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_rename)
    config = BatchConfig(deid="tag", key_file=key, vault=vault, phi="off", entities="off", diagnosis="off")
    annotate([dump], tmp_path / "out", config)
    deidentify([dump], tmp_path / "r.jsonl", config)
    assert done == ["1 lines", "5 lines", "part-00000.jsonl", "9 lines", "r.jsonl"]


def test_what_a_lost_process_left_for_the_vault_is_thrown_away(dump, tmp_path, key):
    config = BatchConfig(deid="tag", key_file=key, vault=tmp_path / "v", phi="off", entities="off", diagnosis="off")
    plan = make_plan([dump], config, {}, tmp_path)
    [shard] = plan.shards
    task = Task(0, str(tmp_path / "part"), (Piece(plan.sources[0].part(0, 0), (shard.start, shard.end, shard.line)),))
    sealed = tmp_path / "part.vault"
    sealed.write_bytes(b'{"v":1,"note_id":"a1","nonce":"')
    Worker(config).run(task, lambda _: None)
    assert [json.loads(line)["note_id"] for line in sealed.read_bytes().splitlines()] == [row[0] for row in ROWS]


@pytest.mark.parametrize("given", [True, False])
def test_phi_that_records_mark_counts_unless_it_is_to_be_forgotten(tmp_path, given):
    """An audit of gold notes that were released with their own marks would find nothing wrong."""
    write_notes([Note("n", "zorblatt came.", phi=(Span(0, 8, "NAME"),))], tmp_path / "gold.jsonl")
    config = BatchConfig.load(None, given_phi=given, phi="off")  # a tagger might find it by itself
    summary = deidentify([tmp_path / "gold.jsonl"], tmp_path / "r.jsonl", config)
    [note] = read_notes(tmp_path / "r.jsonl")
    assert note.text == ("[NAME] came." if given else "zorblatt came.")
    assert summary.n_given == given


def test_nothing_reversible_is_written_without_a_vault(dump, tmp_path, key):
    release(dump, tmp_path / "r.jsonl", key)
    assert {path.name for path in tmp_path.iterdir()} <= {"notes.csv", "key", "r.jsonl", "r.quarantine.jsonl"}


def test_a_known_column_that_is_not_there_stops_the_job(dump, tmp_path, key):
    config = BatchConfig.load(None, known=("patient_nmae=NAME",))
    with pytest.raises(UsageError, match="a column 'patient_nmae' needed"):
        deidentify([dump], tmp_path / "r.jsonl", config)


@pytest.mark.parametrize("job", [annotate, deidentify])
def test_a_column_to_keep_that_is_not_there_stops_the_job(dump, tmp_path, job):
    config = BatchConfig(keep_fields=("patient_id", "wrad"), phi="off", entities="off", diagnosis="off")
    with pytest.raises(UsageError, match=r"notes\.csv: a column 'wrad' needed \(--keep-field\), got none in the first"):
        job([dump], tmp_path / "out.jsonl", config)
    assert not (tmp_path / "out.jsonl").exists()
    job([dump], tmp_path / "kept.jsonl", config.model_copy(update={"deid": "off"}))  # keeps all


def test_a_column_to_keep_may_be_empty_or_rare_or_in_one_file_alone(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("note_id,text\na,no name\n")
    (tmp_path / "in" / "b.csv").write_text("note_id,text,ward\nb,no name,\n")
    rows = [{"note_id": f"c{n}", "text": "no name"} for n in range(600)] + [{"note_id": "d", "text": "", "bed": None}]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = BatchConfig(keep_fields=("bed", "ward", "time"), phi="off")
    deidentify([tmp_path / "in", tmp_path / "c.jsonl"], tmp_path / "r.jsonl", config)
    fields = [note.fields for note in read_notes(tmp_path / "r.jsonl") if note.fields]
    assert fields == [{"ward": ""}, {"bed": None}]


def test_a_vault_in_the_output_or_without_replacement_is_refused(dump, tmp_path, key):
    config = BatchConfig.load(None, key_file=key, vault=tmp_path / "out" / "v", entities="off", diagnosis="off")
    with pytest.raises(UsageError, match="apart from the output"):
        annotate([dump], tmp_path / "out", config)
    with pytest.raises(UsageError, match="a way to replace PHI needed"):
        Pipeline(PipelineConfig(deid="off", vault=tmp_path / "v", key_file=key))


def test_surrogates_need_a_key(monkeypatch):
    monkeypatch.delenv("CLINLP_KEY", raising=False)
    with pytest.raises(UsageError, match="clinlp key new"):
        Pipeline(PipelineConfig(deid="surrogate"))


@pytest.mark.parametrize("stage", ["find", "release"])
def test_a_note_that_fails_is_not_released(monkeypatch, stage):
    """Whatever goes wrong in finding or in the last look, the text goes nowhere."""
    pipeline = Pipeline(PipelineConfig(entities="off", diagnosis="off"))
    work = getattr(pipeline.deidentifier, stage)

    def fails(given):
        notes = given if stage == "find" else [given]
        if any("Okafor" in note.text for note in notes):
            raise DataError("broken")
        return work(given)

    monkeypatch.setattr(pipeline.deidentifier, stage, fails)
    results = pipeline([Note(row[0], row[3]) for row in ROWS])
    assert [isinstance(result, Failure) for result in results] == [True, True, False, False]
    assert "Okafor" not in json.dumps([str(result) for result in results])


def test_what_the_detectors_miss_the_sweep_holds_back(monkeypatch):
    pipeline = Pipeline(PipelineConfig(entities="off", diagnosis="off"))
    monkeypatch.setattr(
        pipeline.deidentifier, "find", lambda notes: [replace(n, phi=(Span(0, 4, "NAME"),)) for n in notes]
    )
    [failure] = pipeline([Note("n", "Jane called from (507) 555-0123.")])
    assert isinstance(failure, Failure)
    assert "looks like PHONE" in failure.reason


@pytest.mark.parametrize(
    "header", ["note_id,name,text\nz,Zorblatt Quux,pt zorblatt quux came\n", "note_id,姓名,text\nz,阿卜都,阿卜都来诊\n"]
)
def test_a_table_among_many_that_lacks_the_known_column_stops_the_job(tmp_path, header):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("note_id,patient_name,text\na,,no name\nb,Ada Okafor,ada okafor came\n")
    (tmp_path / "in" / "b.csv").write_text(header)
    config = BatchConfig(known=["patient_name"], phi="off", entities="off", diagnosis="off")
    for inputs in ([tmp_path / "in"], [tmp_path / "in" / "a.csv", tmp_path / "in" / "b.csv"]):
        with pytest.raises(
            UsageError, match=r"b\.csv: a column 'patient_name' needed \(--known\), as other inputs have"
        ):
            annotate(inputs, tmp_path / "out", config)
        assert not (tmp_path / "out").exists()


def test_keeping_all_columns_leaves_out_those_that_name_the_patient(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("note_id,patient_id,姓名,ward,text\na,p1,欧阳明月,7b,入院\n", "utf-8")
    config = BatchConfig(known=["姓名"], keep_fields=["*"], phi="off")
    summary = deidentify([path], tmp_path / "r.jsonl", config)
    [note] = read_notes(tmp_path / "r.jsonl")
    assert (note.fields, note.patient_id, summary.left_out) == ({"ward": "7b"}, "p1", {"姓名": 1})
    deidentify([path], tmp_path / "all.jsonl", config.model_copy(update={"keep_fields": ("*", "姓名")}))
    assert "欧阳明月" in (tmp_path / "all.jsonl").read_text("utf-8")
