"""`clinlp compare`, and the intervals of `clinlp evaluate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from clinlp import Note, Span, write_notes
from clinlp.metrics.entities import score_entities

from .cli_cases import NAME, SENTINEL, Command

TEXTS = ("Takes metformin daily for diabetes.", "口服二甲双胍治疗糖尿病。")
MENTIONS = (
    (("metformin", "DRUG"), ("diabetes", "DISEASE")),
    (("二甲双胍", "DRUG"), ("糖尿病", "DISEASE")),
)


def notes(keep: int = 2, *, n_notes: int = 24, attribute: str = "entities") -> list[Note]:
    """English and Chinese notes of patients who have two each; every third note has the first `keep` spans alone."""
    made = []
    for at in range(n_notes):
        text = TEXTS[at % 2]
        spans = [Span(text.index(w), text.index(w) + len(w), label) for w, label in MENTIONS[at % 2]]
        given: Any = {attribute: tuple(spans if at % 3 else spans[:keep])}
        made.append(Note(f"n{at}", text, patient_id=f"p{at // 2}", **given))
    return made


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Gold, a run that misses eight diseases, and one that finds all, in three formats."""
    paths = tmp_path / "gold.jsonl", tmp_path / "a.parquet", tmp_path / "b"
    write_notes(notes(), paths[0])
    write_notes(notes(keep=1), paths[1])
    paths[2].mkdir()
    write_notes(reversed(notes()), paths[2] / "part.jsonl")
    return paths


def test_two_runs_are_compared(clinlp: Command, runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    done = clinlp("compare", *runs, "--json", tmp_path / "compared.json", "--resamples", "300")
    assert (done.code, done.err) == (0, "")
    assert "24 notes of 12 patients; the runs differ in 8 patients; p from all 256 swaps" in done.out
    shown = " ".join(done.out.split())
    assert "entities, strict matches" in shown
    assert "F1 90.9" in shown
    assert f"all numbers: {tmp_path / 'compared.json'}" in done.out
    said = json.loads((tmp_path / "compared.json").read_text())["entities"]
    f1 = said["overall"]["f1"]
    assert f1["a"]["value"] == score_entities(notes(), notes(keep=1)).micro.f1
    assert f1["a"]["low"] < f1["a"]["value"] < f1["a"]["high"]
    assert f1["b"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert f1["difference"]["low"] > 0
    assert f1["p"] == 2 / 256
    assert said["labels"]["DISEASE"]["counts"]["a"]["n_correct"] == 16
    assert said["labels"]["DISEASE"]["f1"]["p_holm"] == 4 / 256
    assert said["sampling"] == {
        "level": 0.95,
        "n_resamples": 300,
        "seed": 0,
        "unit": "patients",
        "n_notes": 24,
        "n_units": 12,
        "n_units_differing": 8,
    }


def test_the_seed_decides_and_notes_may_be_drawn(
    clinlp: Command, runs: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    said = []
    for name, flags in (("one", ()), ("same", ()), ("other", ("--seed", "5")), ("notes", ("--unit", "notes"))):
        path = tmp_path / f"{name}.json"
        assert clinlp("compare", *runs, "--json", path, "--resamples", "200", *flags).code == 0
        said.append(json.loads(path.read_text())["entities"])
    assert said[0] == said[1] != said[2]
    assert said[3]["sampling"]["n_units"] == 24


def test_phi_and_codes_are_compared(clinlp: Command, tmp_path: Path) -> None:
    for name, keep in (("gold", 2), ("a", 1), ("b", 2)):
        write_notes(notes(keep, attribute="phi"), tmp_path / f"{name}.jsonl")
    done = clinlp("compare", *(tmp_path / f"{name}.jsonl" for name in ("gold", "a", "b")))
    assert (done.code, done.err) == (0, "")
    assert "clean notes" in done.out
    for name, codes in (("gold", ["E11.9", "I10"]), ("a", ["E11.9"]), ("b", ["I10", "J18"])):
        rows = [{"note_id": f"n{at}", "text": TEXTS[at % 2], "codes": codes} for at in range(6)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = clinlp("compare", *(tmp_path / f"{name}.jsonl" for name in ("gold", "a", "b")), "--show-labels", "2")
    assert done.code == 0
    assert "MAP" in done.out
    assert "labels without a row, part of all other scores: 1; --show-labels shows more" in done.line


def test_what_cannot_be_compared_is_said_in_one_line(
    clinlp: Command, runs: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    gold, a, _ = runs
    write_notes([Note("n0", NAME), *notes()[1:]], tmp_path / "other.jsonl")
    write_notes(notes()[1:], tmp_path / "fewer.jsonl")
    for given, code, line in (
        ((gold, a, tmp_path / "fewer.jsonl"), 1, "note n0: a predicted note needed for every gold one, got none"),
        ((gold, a, tmp_path / "other.jsonl"), 1, "note n0: the same text needed on both sides"),
        ((gold, a, a, "--level", "1.5"), 2, "level: Input should be less than 1"),
        ((gold, a, "rules"), 2, "rules: they find phi"),
    ):
        flags = ("--attribute", "entities") if given[2] == "rules" else ()
        done = clinlp("compare", *given, *flags)
        assert done.code == code
        assert line in done.line
        assert SENTINEL not in done.err


def test_evaluate_says_how_sure_it_is(clinlp: Command, runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    gold, a, _ = runs
    done = clinlp("evaluate", a, gold, "--json", tmp_path / "scores.json", "--resamples", "300", "--level", "0.9")
    assert (done.code, done.err) == (0, "")
    assert "F1 90 %" in done.out
    assert "intervals from 300 draws of 24 notes of 12 patients" in done.out
    strict = json.loads((tmp_path / "scores.json").read_text())["entities"]["strict"]
    found = strict["intervals"]["overall"]["f1"]
    assert found["value"] == strict["micro"]["f1"]
    assert found["low"] < found["value"] < found["high"]
    assert strict["intervals"]["labels"]["DRUG"]["f1"] == {"value": 1.0, "low": 1.0, "high": 1.0}


SMALL = ("--epochs", "1", "--hidden", "8", "--word-width", "8", "--dev-share", "0.3")


def test_folds_and_curves_are_shown(clinlp: Command, tmp_path: Path) -> None:
    write_notes(notes(), tmp_path / "notes.jsonl")
    given = ("train", "entities", "--train", tmp_path / "notes.jsonl", *SMALL)
    done = clinlp(*given, "-o", tmp_path / "cv", "--folds", "2")
    assert done.code == 0, done.err
    assert f"predictions of all folds: {tmp_path / 'cv' / 'predictions.jsonl'}" in done.out
    assert "pooled" in done.out
    assert "clinlp: fold 1 of 2: " in done.err
    done = clinlp("compare", tmp_path / "notes.jsonl", *[tmp_path / "cv" / "predictions.jsonl"] * 2)
    assert "the runs differ in 0 patients" in done.out
    done = clinlp(*given, "-o", tmp_path / "curve", "--learning-curve", "1.0")
    assert done.code == 0, done.err
    assert "learning curve, % on dev" in done.out
    assert clinlp(*given, "-o", tmp_path / "c", "--learning-curve", "a,b").line.endswith("got 'a,b'")
    done = clinlp(*given, "-o", tmp_path / "c", "--folds", "2", "--learning-curve", "1")
    assert done.line == "clinlp: train: one of --folds and --learning-curve needed, got both"


def test_a_search_shows_its_trials_and_its_file_is_taken(clinlp: Command, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    write_notes(notes(), tmp_path / "notes.jsonl")
    (tmp_path / "space.toml").write_text("dropout = {low = 0.1, high = 0.4}\n")
    given = ("search", "entities", "--train", tmp_path / "notes.jsonl", *SMALL, "--space", tmp_path / "space.toml")
    done = clinlp(*given, "-o", tmp_path / "out", "--trials", "1")
    assert done.code == 0, done.err
    assert "trial 1 of 1 (dropout 0." in done.err
    assert f"best options: {tmp_path / 'out' / 'best.toml'}" in done.out
    done = clinlp("train", "entities", "--config", tmp_path / "out" / "best.toml", "-o", tmp_path / "again")
    assert done.code == 0, done.err
    scores = [
        json.loads((folder / "best" / "scores.json").read_text())
        for folder in (tmp_path / "again", tmp_path / "out" / "trial-1")
    ]
    assert scores[0] == scores[1]
    (tmp_path / "space.toml").write_text("dropuot = [0.1]\n")
    done = clinlp(*given, "-o", tmp_path / "other")
    assert done.code == 2
    assert done.line.endswith("space.toml: unknown key 'dropuot'; did you mean 'dropout'?")


def test_a_search_without_optuna_names_the_extra(
    clinlp: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    write_notes(notes(), tmp_path / "notes.jsonl")
    (tmp_path / "space.toml").write_text("dropout = [0.1]\n")
    flags = ("--train", tmp_path / "notes.jsonl", "--space", tmp_path / "space.toml", "-o", tmp_path / "out")
    done = clinlp("search", "entities", *flags)
    assert done.code == 2
    assert done.line == "clinlp: optuna: needed here and not installed; pip install 'clinlp-emr[search]'"
