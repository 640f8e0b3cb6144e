"""What a training run says of its notes, and what it refuses, before anybody believes its scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinlp import DataError, Diagnosis, Note, UsageError, write_notes
from clinlp.inference.promise import promise_sets
from clinlp.records import read_notes
from clinlp.training.config import DiagnosisConfig
from clinlp.training.finetune import finetune_diagnosis

TEXTS = {"J18": "Cough and fever: pneumonia.", "E11": "血糖升高，糖尿病。", "I10": "High blood pressure."}


def notes_of(first: int, n: int, codes: bool = True) -> list[Note]:
    """Notes of patients of their own, one code each."""
    kinds = list(TEXTS)
    return [
        Note(
            f"n{at}",
            f"{TEXTS[kinds[at % 3]]} Visit {at}.",
            f"p{at}",
            diagnoses=(Diagnosis(kinds[at % 3]),) if codes else None,
        )
        for at in range(first, first + n)
    ]


def config(folder: Path, train: list[Note], dev: list[Note], name: str = "run", **options: object) -> DiagnosisConfig:
    for part, notes in (("train", train), ("dev", dev)):
        write_notes(notes, folder / f"{name}-{part}.jsonl")
    paths = {"train": (folder / f"{name}-train.jsonl",), "dev": (folder / f"{name}-dev.jsonl",), "out": folder / name}
    return DiagnosisConfig.load(None, **paths, epochs=1, hidden=8, word_width=8, **options)


def said(made: DiagnosisConfig) -> list[str]:
    told: list[object] = []
    finetune_diagnosis(made, tell=told.append)
    return [each for each in told if isinstance(each, str)]


def test_notes_that_dev_shares_with_train_are_said(tmp_path: Path) -> None:
    train = notes_of(0, 30)
    lines = said(config(tmp_path, train, train[:6], baselines=False))
    assert any("6 of 6 notes of dev are in train too, word for word; 6 patients" in line for line in lines)
    assert not any(
        "in train too" in line for line in said(config(tmp_path, train, notes_of(50, 6), "other", baselines=False))
    )


def test_two_dev_notes_of_one_id_are_refused_before_any_work(tmp_path: Path) -> None:
    dev = notes_of(50, 3)
    with pytest.raises(DataError, match="dev: one note of an id needed, got 1 whose id came before"):
        write_notes(dev[:1], tmp_path / "again.jsonl")
        made = config(tmp_path, notes_of(0, 30), dev)
        finetune_diagnosis(made.model_copy(update={"dev": (*made.dev, tmp_path / "again.jsonl")}))
    assert not (tmp_path / "run").exists()


def test_notes_that_nobody_annotated_are_counted(tmp_path: Path) -> None:
    train, dev = [*notes_of(0, 30), *notes_of(30, 10, codes=False)], [*notes_of(50, 6), *notes_of(60, 2, codes=False)]
    lines = said(config(tmp_path, train, dev, baselines=False))
    assert "train: 10 of 40 notes have no diagnoses and were left out" in lines
    assert "dev: 2 of 8 notes have no diagnoses and were left out" in lines
    assert any("no threshold is tuned, and no probability calibrated" in line for line in lines)


def test_a_model_that_learned_from_other_notes_is_not_joined(tmp_path: Path) -> None:
    train, dev = notes_of(0, 30), notes_of(50, 6)
    leaky = finetune_diagnosis(config(tmp_path, [*train, *dev], dev, "leaky", baselines=False))
    with pytest.raises(UsageError, match="the train notes of this run needed, got others"):
        finetune_diagnosis(config(tmp_path, train, dev, join=(leaky,)))
    honest = finetune_diagnosis(config(tmp_path, train, dev, "honest", baselines=False))
    finetune_diagnosis(config(tmp_path, train, dev, "joined", join=(honest,)))


def test_a_resumed_run_keeps_the_sets_that_were_promised(tmp_path: Path) -> None:
    made = config(tmp_path, notes_of(0, 60), notes_of(100, 30), baselines=False)
    best = finetune_diagnosis(made)
    wordless = [Note(f"w{at}", "", diagnoses=(Diagnosis("J18"),)) for at in range(5)]
    promised = promise_sets(best, [*notes_of(200, 60), *wordless], alpha=0.5)
    assert promised.n_silent == 5
    assert promised.sets.n_notes == 60
    sets = json.loads((best / "config.json").read_text())["sets"]
    assert sets
    finetune_diagnosis(made, resume=True)
    assert json.loads((best / "config.json").read_text())["sets"] == sets
    assert list(read_notes(made.train[0]))
