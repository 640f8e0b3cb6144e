"""`clinlp evaluate` of codes: areas, categories and chapters, frequent and rare codes, groups of notes."""

from __future__ import annotations

import json

import pytest

from clinlp import Diagnosis, Note, write_notes


def test_codes_are_scored_by_view_band_and_group(clinlp, tmp_path):
    gold, found = [], []
    for at in range(24):
        codes = ("E11.9", "I10") if at % 2 else ("J18.9",)
        sure = 0.9 if at % 3 else 0.3
        fields = {"sex": "F" if at % 4 else "M"}
        gold.append(Note(f"n{at}", "诊断", fields=fields, diagnoses=tuple(map(Diagnosis, codes))))
        ranked = (*(Diagnosis(code, sure) for code in codes), Diagnosis("E11.2", 0.2))
        found.append(Note(f"n{at}", "诊断", diagnoses=ranked))
    train = [Note(f"t{at}", "x", diagnoses=(Diagnosis("I10"),)) for at in range(60)]
    for name, notes in (("gold", gold), ("found", found), ("train", train)):
        write_notes(notes, tmp_path / f"{name}.jsonl")
    files = [tmp_path / name for name in ("found.jsonl", "gold.jsonl", "scores.json", "train.jsonl")]
    done = clinlp("evaluate", *files[:2], "--json", files[2], "--train", files[3], "--by", "sex", "--resamples", "100")
    assert done.code == 0, done.err
    scores = json.loads(files[2].read_text())["diagnoses"]
    assert scores["areas"]["macro_roc"]["value"] == pytest.approx(1.0)
    assert scores["categories"]["codes"]["E11"]["n_gold"] == 12
    assert scores["chapters"]["codes"]["X J00-J99 respiration"]["n_gold"] == 12
    assert list(scores["bands"]) == ["head, 1 codes", "unseen, 2 codes"]
    assert {name: group["n_notes"] for name, group in scores["groups"].items()} == {"F": 18, "M": 6}
    assert scores["groups"]["M"]["overall"]["f1"]["low"] is not None
    assert all(words in done.out for words in ("macro PR AUC", "chapters of ICD-10", "by sex", "tail 5 or fewer"))


def test_the_output_of_a_job_counts_as_its_model_chose(clinlp, tmp_path):
    gold = [Note(f"n{at}", "诊断", diagnoses=(Diagnosis("J18"),)) for at in range(6)]
    out = tmp_path / "out"
    out.mkdir()
    found = [
        Note(note.note_id, note.text, diagnoses=(Diagnosis("J18", 0.3),) if at else None)
        for at, note in enumerate(gold)
    ]
    write_notes(gold, tmp_path / "gold.jsonl")
    write_notes(found, out / "part-00000.jsonl")
    scores = tmp_path / "scores.json"

    def f1(**config):
        (out / "manifest.json").write_text(json.dumps({"config": config}))
        done = clinlp("evaluate", out, tmp_path / "gold.jsonl", "--json", scores, "--resamples", "100")
        assert done.code == 0, done.err
        return json.loads(scores.read_text())["diagnoses"]["intervals"]["overall"]["f1"]["value"]

    assert f1(diagnosis="m", top=None) == pytest.approx(10 / 11)  # the note without an answer has no code
    assert f1(diagnosis="m", top=5) == 0.0  # a ranking: from 0.5 on
