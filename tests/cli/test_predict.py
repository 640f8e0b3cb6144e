"""`clinlp predict` and `clinlp evidence`: one note on one's own screen, and whether its evidence can be trusted."""

from __future__ import annotations

import io
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clinlp import write_notes
from clinlp.data.pieces import LexicalPieces
from clinlp.data.titles import write_titles
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.lstm import LstmConfig
from clinlp.models.store import save_model
from clinlp.records import from_record

from ..patient_model import patient_folder, ward
from .cli_cases import SENTINEL, Command

ENGLISH = f"{SENTINEL} has had fever and a cough for three days."
CHINESE = "患者发热、咳嗽3天，考虑肺炎。"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(2)
    reader = LexicalPieces.build([ENGLISH, CHINESE] * 3)
    shape = LstmConfig(n_words=reader.n_words, n_characters=reader.n_characters, hidden=6, word_width=6)
    save_model(folder, Diagnoser(DiagnoserConfig(encoder=shape, codes=("A00.1", "B00", "C00"))).eval())
    reader.save(folder)
    return folder


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "notes.jsonl"
    marked = [{"code": "B00", "evidence": [[ENGLISH.index("fever"), ENGLISH.index("fever") + 5, "EVIDENCE"]]}]
    rows = [
        {"note_id": "bad", "text": 7},
        {"note_id": "en", "text": ENGLISH, "diagnoses": marked},
        {"note_id": "zh", "text": CHINESE, "codes": ["A00.1"]},
        {"note_id": "empty", "text": " "},
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(("text", "name"), [(ENGLISH, "diagnosis-en"), (CHINESE, "diagnosis-zh")])
def test_a_note_is_diagnosed_by_the_bundled_model_of_its_language(clinlp: Command, text: str, name: str) -> None:
    done = clinlp("predict", "--text", text, "--top", "3")
    assert done.code == 0
    assert f"diagnoses by {name}" in done.out
    rows = [line for line in done.out.splitlines() if line.count(" %") >= 2]  # a probability, and words
    assert len(rows) == 3
    assert "cough" in done.out or "咳" in done.out


def test_all_ways_in_show_the_same(
    clinlp: Command, model: Path, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ending in ("", ".txt"):
        (tmp_path / f"note{ending}").write_text(CHINESE, "utf-8")
    first = clinlp("predict", "--text", CHINESE, "--model", model)
    there = set(tmp_path.rglob("*"))
    assert first == clinlp("predict", tmp_path / "note.txt", "--model", model)
    assert first == clinlp("predict", tmp_path / "note", "--model", model)
    assert first == clinlp("predict", records, "--id", "zh", "--model", model)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CHINESE.encode())))
    assert first == clinlp("predict", "-", "--model", model)
    assert set(tmp_path.rglob("*")) == there  # nothing is written anywhere


@pytest.mark.parametrize("method", ["off", "attention", "gradients", "shapley", "lime"])
def test_the_canonical_form_holds_ranked_codes_and_evidence(clinlp: Command, model: Path, method: str) -> None:
    if method not in ("off", "attention"):
        pytest.importorskip("captum")
    for text in (ENGLISH, CHINESE):
        done = clinlp("predict", "--text", text, "--model", model, "--evidence", method, "--json")
        assert (done.code, done.err) == (0, "")
        note = from_record(json.loads(done.out))
        assert note.text == text
        assert note.diagnoses is not None
        scores = [each.score or 0.0 for each in note.diagnoses]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert any(each.evidence for each in note.diagnoses) == (method != "off")


def test_words_cannot_steer_the_terminal(clinlp: Command, model: Path) -> None:
    done = clinlp("predict", "--text", "\x1b[2J[red]\x1b]0;x\x07", "--model", model)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "\x07" not in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "one of NOTE and --text needed, got neither"),
        (("FILE", "--text", "x"), 2, "one of NOTE and --text needed, got both"),
        (("--text", "x", "--id", "1"), 2, "--id: a file needed, got a text"),
        (("--text", "  "), 1, "note text: a text with words needed, got none"),
        (("nowhere.txt",), 2, "nowhere.txt: file or folder needed, got none"),
        (("FILE", "--id", "17"), 1, "a note of the id asked for needed, got none"),
        (("FILE", "--id", "bad"), 1, '"text" needs to be a string, got number'),
        (("FILE", "--id", "empty"), 1, "note empty: a text with words needed, got none"),
        (("FILE",), 1, '"text" needs to be a string, got number'),
        (("--text", ENGLISH, "--model", "nonsense"), 2, "nonsense: a model folder or one of"),
        (("--text", ENGLISH, "--model", "entities-en"), 2, "a model of diagnoses needed, got one of entities"),
        (("--text", ENGLISH, "--evidence", "tea"), 2, "tea"),
        (("--text", ENGLISH, "--top", "0"), 2, "Invalid value for '--top'"),
    ],
)
def test_what_is_wrong_is_one_line(
    clinlp: Command, records: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = clinlp("predict", *(records if each == "FILE" else each for each in arguments))
    assert done.code == code
    assert said in done.line
    assert SENTINEL not in done.err
    assert done.out == ""


def test_several_notes_need_an_id(clinlp: Command, good: Path) -> None:
    done = clinlp("predict", good)
    assert (done.code, done.line) == (2, f"clinlp: {good}: one note needed, got several; name one with --id")


def test_without_captum_the_extra_is_named(clinlp: Command, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = clinlp("predict", "--text", ENGLISH, "--model", model, "--evidence", "lime")
    assert done.code == 2
    assert "captum: needed here and not installed; pip install 'clinlp-emr[explain]'" in done.line


@pytest.mark.parametrize("method", ["attention", "gradients"])
def test_evidence_is_judged(clinlp: Command, model: Path, records: Path, tmp_path: Path, method: str) -> None:
    if method == "gradients":
        pytest.importorskip("captum")
    rows = records.read_text("utf-8").splitlines()[1:]
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(rows), "utf-8")
    done = clinlp("evidence", model, path, "--method", method, "--json", tmp_path / "trust.json", "--top", "2")
    assert done.code == 0
    assert f"faithfulness of {method}, 4 codes of 3 notes" in done.out
    assert "1 of 3 notes have fewer than two words" in done.err
    assert SENTINEL not in done.out + done.err
    held = json.loads((tmp_path / "trust.json").read_text("utf-8"))
    assert len(held["faithfulness"]["comprehensiveness"]) == 5
    assert (held["faithfulness"]["n"], held["n_short"], held["plausibility"]["n"]) == (4, 1, 1)


@pytest.mark.parametrize(("text", "name"), [(ENGLISH, "Salmonella infection"), (CHINESE, "沙门菌感染")])
def test_codes_have_their_names_in_the_language_of_the_note(
    clinlp: Command, model: Path, tmp_path: Path, text: str, name: str
) -> None:
    assert "name" not in clinlp("predict", "--text", text, "--model", str(model)).out
    shutil.copytree(model, tmp_path / "named")
    write_titles(tmp_path / "named", {"A00.1": ("Salmonella infection", "沙门菌感染"), "B00": ("\x1b[31mred",)})
    done = clinlp("predict", "--text", text, "--model", str(tmp_path / "named"), "--evidence", "off")
    [row] = [line for line in done.out.splitlines() if line.strip().startswith("A00.1")]
    assert name in row
    assert "\x1b[31m" not in done.out


def test_an_undated_note_is_read_after_those_before_it(clinlp: Command, tmp_path: Path) -> None:
    folder, path = patient_folder(tmp_path / "patients"), tmp_path / "undated.jsonl"
    notes = [replace(note, time=None, diagnoses=None) for note in ward(3)]
    write_notes(notes, path)
    expected = DiagnosisPredictor.load(folder, top=3)(notes)
    for wanted in expected:
        if not wanted.text:
            continue
        done = clinlp("predict", path, "--id", wanted.note_id, "--model", folder, "--top", "3", "--json")
        found = from_record(json.loads(done.out))
        assert [each.code for each in found.diagnoses] == [each.code for each in wanted.diagnoses]
        assert [each.score for each in found.diagnoses] == pytest.approx([d.score for d in wanted.diagnoses], abs=1e-5)


def test_a_field_that_the_model_does_not_read_is_refused(clinlp: Command, model: Path, tmp_path: Path) -> None:
    done = clinlp("predict", "--text", CHINESE, "--model", model, "--field", "age=50")
    assert (done.code, done.line) == (2, "clinlp: --field: a model of fields needed, got one of texts alone")
    folder = patient_folder(tmp_path / "patients")
    done = clinlp("predict", "--text", CHINESE, "--model", folder, "--field", "agee=50")
    assert (done.code, done.line) == (2, "clinlp: --field: one of age, sex needed, got 'agee'")


def test_a_note_without_words_stops_no_measure_of_evidence(
    clinlp: Command, model: Path, records: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in records.read_text("utf-8").splitlines()]
    rows = [rows[1], {"note_id": "wordless", "text": "", "codes": ["B00"]}]
    path = tmp_path / "some.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    done = clinlp("evidence", model, path, "--json", tmp_path / "evidence.json")
    assert done.code == 0, done.err
    assert (tmp_path / "evidence.json").is_file()
