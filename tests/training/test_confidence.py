"""What a run does beside its weights: characters that its vocabulary lacks, scores that can be believed, thresholds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from clinlp import Note, Span, UsageError, read_notes, write_notes
from clinlp.cli import main
from clinlp.data.pieces import read_pieces
from clinlp.inference.entities import EntityPredictor
from clinlp.metrics.calibration import Outcomes, calibration_error, outcomes, tempered
from clinlp.models.store import load_model, read_config
from clinlp.training import confidence
from clinlp.training.config import EntitiesConfig, PhiConfig
from clinlp.training.finetune import finetune_entities
from clinlp.training.task import Epoch

SMALL = {"batch_pieces": 64, "hidden": 16, "learning_rate": 0.01, "head_learning_rate": 0.01, "dropout": 0.0}
TEXTS = {
    "en": ["Fever and cough for 3 days.", "No cough, but fever at 38℃.", "Cough. Fever? Denied ※ cough."],
    "zh": ["患者咳嗽3天，髌骨痛。", "髌骨旁咳嗽，予氟尿嘧啶。", "无咳嗽，髌下痛。"],
}
WORDS = {"en": ("Fever", "fever", "cough", "Cough"), "zh": ("咳嗽", "髌骨", "痛")}
LABELS = {"Fever": "SIGN", "fever": "SIGN", "痛": "SIGN"}
NEW = {"en": ["℃", "※"], "zh": ["髌", "骨", "嘧"]}


def notes_of(lang, n=12):
    """Notes whose every third span is missing: nobody can be sure of these."""
    notes = []
    for at in range(n):
        text = TEXTS[lang][at % 3]
        spans = [
            Span(start, start + len(word), LABELS.get(word, "SYMPTOM"))
            for word in WORDS[lang]
            for start in range(len(text))
            if text.startswith(word, start) and (start + at) % 3
        ]
        notes.append(Note(f"{lang}{at}", text, entities=tuple(spans), lang=lang))
    return notes


@pytest.fixture(scope="module", params=["en", "zh"])
def lang(request):
    return request.param


@pytest.fixture(scope="module")
def path(lang, tmp_path_factory):
    path = tmp_path_factory.mktemp(f"unsure-{lang}") / "notes.jsonl"
    write_notes(notes_of(lang), path)
    return path


def config(path, out, **options):
    return EntitiesConfig.load(None, train=(path,), dev=(path,), out=out, **SMALL | {"epochs": 4} | options)


def test_characters_that_the_vocabulary_lacks_get_rows(path, lang, tiny_bert, tmp_path):
    told = []
    best = finetune_entities(
        config(path, tmp_path / "run", encoder=str(tiny_bert), epochs=1, learning_rate=1e-9), tell=told.append
    )
    before = read_pieces(tiny_bert)
    lacking = before.lacks(note.text for note in read_notes(path))
    assert set(NEW[lang]) <= set(lacking)
    assert f"{len(lacking)} characters that the encoder did not know have pieces of their own" in told
    reader, held = read_pieces(best), load_model(best)
    assert reader.n_pieces == before.n_pieces + len(lacking) == held.config.encoder.model["vocab_size"]
    assert reader("".join(lacking)).features.ravel().tolist() == list(range(before.n_pieces, reader.n_pieces))
    rows = held.encoder.encoder.get_input_embeddings().weight
    old = AutoModel.from_pretrained(tiny_bert).get_input_embeddings().weight
    pieces = json.loads((tiny_bert / "tokenizer.json").read_text())["model"]["vocab"]
    single = [at for piece, at in pieces.items() if len(piece) == 1 and ("一" <= piece <= "龥") == (lang == "zh")]
    new = rows[before.n_pieces + lacking.index(NEW[lang][0])]
    torch.testing.assert_close(new, old[single].mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rows[: before.n_pieces], old, atol=1e-5, rtol=1e-4)  # nothing else moved
    # Any other reader of the folder's tokenizer.json knows the characters by the same ids.
    other = AutoTokenizer.from_pretrained(best, tokenizer_file=str(best / "tokenizer.json"))
    assert other.convert_tokens_to_ids(lacking) == list(range(before.n_pieces, reader.n_pieces))


def test_only_the_most_frequent_get_rows_and_none_if_none_are_asked_for(path, lang, tiny_bert, tmp_path):
    before = read_pieces(tiny_bert)
    for n in (0, 1):
        out = tmp_path / str(n)
        best = finetune_entities(config(path, out, encoder=str(tiny_bert), epochs=1, new_characters=n))
        assert read_pieces(best).n_pieces == before.n_pieces + n


class Killed(BaseException):
    """Stands for a signal: nothing in the library catches it."""


@pytest.mark.parametrize("encoder", ["lstm", "bert"])
def test_a_killed_run_goes_on_to_the_same_model(path, tiny_bert, tmp_path, encoder):
    options = {"epochs": 3, "tune_thresholds": True, "encoder": str(tiny_bert) if encoder == "bert" else "lstm"}
    whole = finetune_entities(config(path, tmp_path / "whole", **options))

    def kill(said):
        if isinstance(said, Epoch) and said.epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        finetune_entities(config(path, tmp_path / "killed", **options), tell=kill)
    assert read_config(tmp_path / "killed" / "best").temperature == 1.0
    for _ in range(2):  # a run that is done and is resumed stays as it is
        resumed = finetune_entities(config(path, tmp_path / "killed", **options), resume=True)
        for file in sorted(whole.iterdir()):
            assert (resumed / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.fixture(scope="module", params=["crf", "pointer"])
def learned(request, path, tmp_path_factory):
    told = []
    out = tmp_path_factory.mktemp("unsure") / "run"
    best = finetune_entities(config(path, out, head=request.param, epochs=20), tell=told.append)
    return best, told


@pytest.mark.parametrize(("temperature", "offset"), [(0.6, 0.0), (2.5, 0.0), (1.3, -2.0), (1.0, 1.5)])
def test_calibration_changes_scores_and_no_span(path, learned, temperature, offset):
    notes = list(read_notes(path))
    found = []
    for heat, more in ((1.0, 0.0), (temperature, offset)):
        predictor = EntityPredictor.load(learned[0], precision="fp32")
        predictor.tagger.config = predictor.tagger.config.model_copy(update={"temperature": heat, "offset": more})
        found.append(predictor(notes))
    one, other = found
    assert [note.entities for note in one] == [note.entities for note in other]  # scores are no part of equality
    cold, warm = (outcomes(notes, each).scores for each in found)
    assert warm == pytest.approx(tempered(cold, temperature, offset), abs=1e-4)
    assert not (warm == cold).all()


def test_a_run_says_how_far_scores_can_be_believed(path, learned):
    best, told = learned
    notes = list(read_notes(path))
    held = outcomes(notes, EntityPredictor.load(best, precision="fp32")(notes))
    scores = json.loads((best / "scores.json").read_text())
    held_config = read_config(best)
    assert (scores["temperature"], scores["offset"]) == (held_config.temperature, held_config.offset)
    assert scores["calibration_error"] == pytest.approx(calibration_error(held.scores, held.right), abs=1e-3)
    assert scores["calibration_error"] <= scores["calibration_error_before"]
    said = [news for news in told if isinstance(news, str) and news.startswith("confidence on dev")]
    assert len(said) == (len(held) >= confidence.ENOUGH)


def test_few_spans_are_not_calibrated_and_many_are():
    few = Outcomes(np.full(6, 0.99), np.array([True, False] * 3), ("A",) * 6, {"A": 6})
    many = Outcomes(np.full(40, 0.99), np.array([True, False] * 20), ("A",) * 40, {"A": 40})
    assert confidence._line(few) == (1.0, 0.0, pytest.approx(0.49))
    temperature, offset, error = confidence._line(many)
    assert error == pytest.approx(0.49)
    assert calibration_error(tempered(many.scores, temperature, offset), many.right) < 0.01


def test_a_label_keeps_spans_from_its_threshold_on(path, learned):
    notes = list(read_notes(path))
    predictor = EntityPredictor.load(learned[0], precision="fp32")
    held = predictor.tagger.config
    spans = [span for note in predictor(notes) for span in note.entities]
    least = sorted(span.score for span in spans if span.label == "SYMPTOM")[len(spans) // 4]
    predictor.tagger.config = held.model_copy(update={"thresholds": {"SYMPTOM": round(least + 1e-4, 4)}})
    kept = [span for note in predictor(notes) for span in note.entities]
    assert kept == [span for span in spans if span.label != "SYMPTOM" or span.score >= round(least + 1e-4, 4)]
    assert len(kept) < len(spans)


@pytest.mark.parametrize("head", ["crf", "pointer"])
def test_thresholds_are_chosen_for_f1_and_kept_if_they_raise_it(path, tmp_path, monkeypatch, head):
    monkeypatch.setattr(confidence, "ENOUGH", 3)
    told = []
    best = finetune_entities(
        config(path, tmp_path / "run", head=head, epochs=12, tune_thresholds=True), tell=told.append
    )
    scores, held = json.loads((best / "scores.json").read_text()), read_config(best)
    assert scores["f1_with_thresholds"] >= scores["f1"]
    assert bool(held.thresholds) == (scores["f1_with_thresholds"] > scores["f1"])
    assert ("thresholds" in told[-1]) == bool(held.thresholds)


def test_a_model_that_finds_nothing_is_not_calibrated(path, tmp_path):
    options = {"epochs": 1, "learning_rate": 1e-9, "head_learning_rate": 1e-9, "head": "pointer"}
    best = finetune_entities(config(path, tmp_path / "run", **options))
    found = EntityPredictor.load(best)(list(read_notes(path)))
    calibrated = "temperature" in json.loads((best / "scores.json").read_text())
    assert calibrated == any(note.entities for note in found)


def test_phi_has_no_thresholds_for_f1(path, tmp_path):
    with pytest.raises(UsageError, match="tune_thresholds"):
        PhiConfig.load(None, train=(path,), out=tmp_path, tune_thresholds=True)


def test_the_command_line_shows_how_far_scores_can_be_believed(path, learned, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(learned[0]), str(path), "--json", str(tmp_path / "scores.json")])
    assert ended.value.code == 0
    found = json.loads((tmp_path / "scores.json").read_text())["entities"]["calibration"]
    scores = json.loads((learned[0] / "scores.json").read_text())
    assert found["error"] == pytest.approx(scores["calibration_error"], abs=2e-3)
    assert found["error_before"] == pytest.approx(scores["calibration_error_before"], abs=2e-3)
    assert "expected calibration error" in capsys.readouterr().out


def test_weights_hold_no_trace_of_calibration(learned):
    assert not [name for name in load_file(learned[0] / "model.safetensors") if "temperature" in name]
