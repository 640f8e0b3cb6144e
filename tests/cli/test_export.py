"""`clinlp export`: what it shows, what it refuses, and its folder in `clinlp annotate` and `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .cli_cases import Command

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TEXTS = {
    "en": "Fever and cough for three days. No chest pain. Given ibuprofen 400 mg.",
    "zh": "患者发热、咳嗽三天，无胸痛，予布洛芬口服。",
}


def note(lang: str, path: Path) -> Path:
    path.write_text(json.dumps({"note_id": "a", "lang": lang, "text": TEXTS[lang]}) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("lang", TEXTS)
def test_a_bundled_model_as_onnx_answers_alike(lang: str, clinlp: Command, tmp_path: Path) -> None:
    dev = note(lang, tmp_path / "dev.jsonl")
    done = clinlp("export", f"entities-{lang}", "-o", tmp_path / "out", "--to", "onnx", "--dev", dev)
    assert done.code == 0, done.err
    assert "100.00 % of the answers are the same" in done.out
    assert "MB (as it was: " in done.out
    for model, folder in ((f"entities-{lang}", "plain"), (tmp_path / "out", "exported")):
        options = ("--entities", model, "--diagnosis", "off", "--deid", "off")
        assert clinlp("annotate", dev, "-o", tmp_path / folder, *options).code == 0
    plain, exported = (json.loads((tmp_path / each / "part-00000.jsonl").read_text()) for each in ("plain", "exported"))
    assert exported["entities"]
    drop = [[{**span, "score": None} for span in each["entities"]] for each in (plain, exported)]
    assert drop[0] == drop[1]
    manifest = json.loads((tmp_path / "exported" / "manifest.json").read_text())
    assert manifest["models"][str(tmp_path / "out")].keys() == {"sha256", "graph_sha256"}


def test_without_dev_notes_it_is_said_that_nothing_was_compared(clinlp: Command, tmp_path: Path) -> None:
    done = clinlp("export", "diagnosis-zh", "-o", tmp_path / "out", "--to", "int8")
    assert done.code == 0, done.err
    assert "answers not compared: name notes to compare on with --dev" in done.out


def test_a_comparison_that_says_nothing_exits_1_with_nothing_written(clinlp: Command, tmp_path: Path) -> None:
    dev = tmp_path / "dev.jsonl"
    dev.write_text('{"note_id": "a", "text": "。"}\n', "utf-8")
    done = clinlp("export", "entities-zh", "-o", tmp_path / "out", "--to", "int8", "--dev", dev)
    assert done.code == 1
    assert "finds something needed" in done.line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nowhere", "--to", "int8"), "nowhere: a model folder or one of"),
        (("entities-en", "--to", "pickle"), "Invalid value for '--to'"),
        (("entities-en", "--to", "int8", "--max-different", "0.1"), "--max-different: dev notes needed"),
        (("entities-en", "--to", "int8", "--dev", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], line: str, clinlp: Command, tmp_path: Path) -> None:
    done = clinlp("export", *arguments, "-o", tmp_path / "out")
    assert done.code == 2
    assert line in done.line
    assert not (tmp_path / "out").exists()
