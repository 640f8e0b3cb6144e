"""`clinlp report`: what is made of notes, of a run, and of gold and predicted notes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clinlp import Diagnosis, Note, Span, write_notes

from .cli_cases import Command

TEXTS = {"en": "Fever and cough.", "zh": "患者发热伴咳嗽。"}


def save(tmp_path: Path) -> tuple[Path, Path]:
    gold = [
        Note(f"{lang}{at}", text, lang=lang, entities=(Span(0, 2, "SYMPTOM"),), diagnoses=(Diagnosis("I10"),))  # type: ignore[arg-type]
        for lang, text in TEXTS.items()
        for at in range(3)
    ]
    found = [
        replace(note, entities=note.entities[: at % 2], diagnoses=(Diagnosis("I10", 0.7),))
        for at, note in enumerate(gold)
    ]
    files = tmp_path / "gold.jsonl", tmp_path / "found.jsonl"
    for file, notes in zip(files, (gold, found), strict=True):
        write_notes(notes, file)
    return files


def test_notes_become_a_page(clinlp: Command, tmp_path: Path) -> None:
    gold, _ = save(tmp_path)
    done = clinlp("report", gold, "-o", tmp_path / "pages" / "notes.html")
    assert (done.code, done.err) == (0, "")
    page = (tmp_path / "pages" / "notes.html").read_text("utf-8")
    assert all(word in page for word in ("gold.jsonl", "zh2", "en0"))


def test_notes_become_the_report_of_a_corpus(clinlp: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    gold, _ = save(tmp_path)
    done = clinlp("report", gold, "-o", tmp_path / "out", "--by", "lang")
    assert (done.code, done.err) == (0, "")
    numbers = json.loads((tmp_path / "out" / "scores.json").read_text("utf-8"))
    assert numbers["groups"] == {"en": 3, "zh": 3}
    assert not (tmp_path / "out" / "errors.jsonl").exists()


def test_gold_and_predicted_become_a_folder(clinlp: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    gold, found = save(tmp_path)
    done = clinlp("report", gold, found, "-o", tmp_path / "out", "--by", "lang", "--resamples", "100")
    assert (done.code, done.err) == (0, "")
    numbers = json.loads((tmp_path / "out" / "scores.json").read_text("utf-8"))
    assert numbers["entities"]["groups"].keys() == {"en", "zh"}
    assert numbers["diagnoses"]["map"] == 1.0
    assert [line.rpartition("/")[2] for line in done.out.split()] == [
        "index.html",
        "scores.json",
        "errors.jsonl",
        "figures",
    ]
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "cough" not in page
    assert "咳嗽" not in page


def test_a_run_becomes_a_folder(clinlp: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text('{"epoch": 1, "loss": 0.5, "scores": {"f1": 0.4}, "best": true}\n')
    done = clinlp("report", tmp_path / "run", "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "out" / "figures" / "epochs.png").is_file()


def test_what_is_asked_for_the_wrong_way(clinlp: Command, tmp_path: Path) -> None:
    gold, found = save(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text('{"epoch": 1, "loss": 0.5}\n')
    cases = (
        ((gold, found, "-o", "x.html"), "x.html: a folder needed"),
        ((tmp_path / "run", found, "-o", "x"), "a run's folder needs no PREDICTED"),
        ((tmp_path / "none.jsonl", "-o", "x.html"), "none.jsonl"),
    )
    for arguments, words in cases:
        done = clinlp("report", *arguments)
        assert done.code == 2
        assert words in done.err
        assert done.err.count("\n") == 1
