"""What a diagnoser's run does after training: probabilities that can be believed, thresholds, and sets of codes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from clinlp import Diagnosis, Note, UsageError, read_notes, write_notes
from clinlp.cli import main
from clinlp.inference.decision import choice
from clinlp.inference.diagnosis import DiagnosisPredictor, load_ranker
from clinlp.metrics.calibration import calibration_error
from clinlp.metrics.diagnosis import score_diagnoses
from clinlp.models.store import read_config
from clinlp.training.beside import Beside
from clinlp.training.config import DiagnosisConfig
from clinlp.training.curves import learning_curve
from clinlp.training.finetune import finetune_diagnosis
from clinlp.training.folds import cross_validate
from clinlp.training.trust import FLOOR, grade, settle_codes

SIGNS = (("Cough", "咳嗽", "J18"), ("Thirst", "口渴", "E11"), ("Headache", "头痛", "I10"))


def ward(n, single=False):
    """Notes in both languages whose words say their codes, but not always; a rare code that no word tells."""
    numbers, notes = np.random.default_rng(5), []
    for at in range(n):
        held = numbers.random(3) < 0.45
        if single:
            held = np.arange(3) == numbers.integers(3)
        words = [sign[at % 2] for sign, there in zip(SIGNS, held, strict=True) if there]
        noisy = held ^ (numbers.random(3) < 0.15)
        codes = [sign[2] for sign, there in zip(SIGNS, noisy, strict=True) if there]
        if single:
            codes = [SIGNS[int(held.argmax())][2] if numbers.random() < 0.85 else "J18"]
        elif at % 15 == 0:
            codes.append("Z99")
        text = ("Seen today. " + ", ".join(words) if at % 2 == 0 else "今日就诊。" + "，".join(words)) + "."
        notes.append(Note(f"n{at}", text, patient_id=f"p{at}", diagnoses=tuple(map(Diagnosis, codes))))
    return notes


def run(folder, notes, **options):
    write_notes(notes, folder / "notes.jsonl")
    path = folder / "notes.jsonl"
    small = {"epochs": 6, "hidden": 12, "word_width": 12, "dropout": 0.0, "batch_pieces": 256}
    rates = {"learning_rate": 0.02, "head_learning_rate": 0.05}
    return DiagnosisConfig.load(None, train=(path,), dev=(path,), out=folder / "run", **small | rates | options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A diagnoser of several codes, its notes, and what its run said."""
    folder, told = tmp_path_factory.mktemp("trust"), []
    best = finetune_diagnosis(run(folder, ward(90)), tell=told.append)
    return best, list(read_notes(folder / "notes.jsonl")), told


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    best = finetune_diagnosis(run(folder, ward(90, single=True), single=True))
    return best, folder / "notes.jsonl"


def test_a_run_tunes_the_common_threshold_and_says_so(trained):
    best, notes, told = trained
    scores, config = json.loads((best / "scores.json").read_text()), read_config(best)
    assert scores["f1_with_thresholds"] >= scores["micro_f1"] - 1e-9
    assert [news for news in told if isinstance(news, str) and news.startswith("codes on dev")]
    predicted = DiagnosisPredictor.load(best, precision="fp32")(notes)
    found = score_diagnoses(notes, predicted, 0.0).micro  # what the predictor gives is what counts
    assert found.f1 == pytest.approx(scores["f1_with_thresholds"], abs=1e-6)
    assert (config.thresholds, config.top) == ({}, None)


def test_probabilities_are_nearer_to_what_is_right(trained):
    best, notes, _ = trained
    scores = json.loads((best / "scores.json").read_text())
    assert scores["calibration_error"] <= scores["calibration_error_before"]
    predictor = DiagnosisPredictor.load(best, precision="fp32")
    graded = grade(predictor.probabilities(notes), predictor.codes, notes)
    if scores["temperature"] == 1.0:
        seen = graded.probabilities >= FLOOR
        assert calibration_error(graded.probabilities[seen], graded.gold[seen]) == pytest.approx(
            scores["calibration_error"], abs=1e-4
        )
    n = [sum(each["n"] for each in scores[name]) for name in ("reliability_before", "reliability")]
    assert n[0] == n[1] > 100


@pytest.mark.parametrize(("way", "calibration"), [("per-code", "isotonic"), ("top-k", "none"), ("fixed", "none")])
def test_every_way_is_kept_in_the_config_and_used(trained, way, calibration):
    best, notes, _ = trained
    before = (best / "model.safetensors").read_bytes()
    for _ in range(2):  # doing it again changes nothing
        made = settle_codes(best, notes, thresholds=way, calibration=calibration)
        held = (best / "config.json").read_text()
    config = read_config(best)
    assert json.loads(held) == config.model_dump(mode="json", exclude={"codes"})
    assert bool(config.curve) == (calibration == "isotonic")
    assert (config.top is not None) == (way == "top-k")
    predicted = DiagnosisPredictor.load(best, precision="fp32")(notes)
    assert score_diagnoses(notes, predicted, 0.0).micro.f1 == pytest.approx(made.f1, abs=1e-6)
    if way == "fixed":
        assert made.f1 == made.f1_before
        assert (config.threshold, config.temperature) == (0.5, 1.0)
    assert (best / "model.safetensors").read_bytes() == before


def test_a_single_code_has_no_threshold(single, tmp_path):
    config = read_config(single[0])
    assert (config.threshold, config.thresholds, config.top) == (0.5, {}, None)
    with pytest.raises(UsageError, match="several codes a note needed for per-code, got single"):
        run(tmp_path, ward(4), single=True, thresholds="per-code")


def test_few_codes_leave_a_model_as_it_was_trained(tmp_path):
    told = []
    config = read_config(finetune_diagnosis(run(tmp_path, ward(6), epochs=1), tell=told.append))
    assert (config.threshold, config.temperature, config.curve, config.sets) == (0.5, 1.0, (), None)
    assert not [news for news in told if isinstance(news, str) and news.startswith("codes on dev")]


def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_sets_are_calibrated_annotated_and_abstained_from(single, tmp_path, capsys):
    best, path = single
    model, out = tmp_path / "sets", tmp_path / "out"
    assert command("calibrate-codes", best, path, "-o", model, "--alpha", "0.05", "--max-set", "1") == 0
    said = capsys.readouterr().out
    assert "of notes have a code that is missed, on average" in said
    assert read_config(model).sets.bound <= 0.05
    assert read_config(best).sets is None
    options = ("--deid", "off", "--entities", "off", "--phi", "off", "--diagnosis", model, "--device", "cpu")
    assert command("annotate", path, "-o", out, *options, "--sets") == 0
    gold = list(read_notes(path))
    found = list(read_notes(out / "part-00000.jsonl"))
    inside = [
        note.diagnoses[0].code in {d.code for d in other.diagnoses} for note, other in zip(gold, found, strict=True)
    ]
    assert np.mean(inside) >= 0.95
    large = sum(len(note.diagnoses) > 1 for note in found)
    assert command("annotate", path, "-o", tmp_path / "out1", *options, "--max-set", "1") == 0
    few = list(read_notes(tmp_path / "out1" / "part-00000.jsonl"))
    assert sum(note.diagnoses is None for note in few) == large > 0


def test_what_no_sets_can_be_promised_for_is_said(single, trained, tmp_path, capsys):
    best, path = single
    write_notes(list(read_notes(path))[:8], tmp_path / "few.jsonl")
    assert command("calibrate-codes", best, tmp_path / "few.jsonl") == 1
    assert "9 notes with codes or more needed to promise 0.1, got 8" in capsys.readouterr().err
    assert command("calibrate-codes", trained[0], path, "--method", "aps") == 2
    assert "method share needed for its codes, got aps" in capsys.readouterr().err
    assert command("calibrate-codes", "diagnosis-en", path) == 2
    assert "a folder for the calibrated copy needed (-o)" in capsys.readouterr().err


# what stands beside a network


@pytest.mark.parametrize("name", ["tfidf", "dictionary", "ensemble"])
def test_models_beside_a_network_have_thresholds_and_calibration_too(trained, name):
    folder = trained[0].parent / name
    scores, config = json.loads((folder / "scores.json").read_text()), read_config(folder)
    assert scores["f1_with_thresholds"] >= scores["micro_f1"]
    assert scores["calibration_error"] <= scores["calibration_error_before"]
    assert (config.threshold != 0.5) == (scores["f1_with_thresholds"] > scores["micro_f1"]) or config.temperature != 1.0
    assert "F1 by thresholds that these notes chose" in (folder / "README.md").read_text("utf-8")


def test_the_table_of_models_shows_what_thresholds_bring(trained):
    best, notes, told = trained
    rows = {news.name: news.scores for news in told if isinstance(news, Beside)}
    found = score_diagnoses(notes, DiagnosisPredictor.load(best.parent / "tfidf")(notes), 0.0)
    assert rows["tfidf"]["micro_f1"] == pytest.approx(found.micro.f1, abs=1e-6)
    assert rows["tfidf"]["macro_f1"] == pytest.approx(found.macro_f1, abs=1e-6)
    held = json.loads((best / "scores.json").read_text())
    assert rows["network"]["micro_f1"] >= held["micro_f1"]


def test_members_of_an_ensemble_speak_at_their_temperature_but_not_in_old_folders(trained, tmp_path):
    notes = trained[1][:6]
    folder = tmp_path / "ensemble"
    shutil.copytree(trained[0].parent / "ensemble", folder)
    file = folder / "network" / "config.json"
    network = json.loads(file.read_text())
    file.write_text(json.dumps(network | {"temperature": 2.0}))
    new = [scored.probabilities for scored in load_ranker(folder).scored(notes)]
    held = json.loads((folder / "config.json").read_text())
    assert held.pop("warmed") is True
    (folder / "config.json").write_text(json.dumps(held))
    old = [scored.probabilities for scored in load_ranker(folder).scored(notes)]
    file.write_text(json.dumps(network | {"temperature": 1.0}))
    same = [scored.probabilities for scored in load_ranker(folder).scored(notes)]
    np.testing.assert_array_equal(old, same)  # as they were trained, whatever their temperature
    assert np.abs(np.array(new) - np.array(old)).max() > 1e-4


@pytest.mark.parametrize("name", ["tfidf", "ensemble"])
def test_sets_are_promised_for_any_model(trained, single, name, tmp_path, capsys):
    for best, path in ((trained[0], trained[0].parent.parent / "notes.jsonl"), single):
        model = tmp_path / best.parent.parent.name
        assert command("calibrate-codes", best.parent / name, path, "-o", model, "--alpha", "0.2") == 0
        assert read_config(model).sets.bound <= 0.2
        found = DiagnosisPredictor.load(model).give_sets()(list(read_notes(path)))
        missed = [
            len({d.code for d in note.diagnoses} - {d.code for d in other.diagnoses}) / len(note.diagnoses)
            for note, other in zip(read_notes(path), found, strict=True)
            if note.diagnoses
        ]
        assert np.mean(missed) <= 0.2
    assert capsys.readouterr().err.count("the promise holds") == 2


@pytest.mark.parametrize("name", ["tfidf", "dictionary", "ensemble"])
def test_evidence_of_models_without_attention_is_refused_in_a_line(trained, name, capsys):
    notes = trained[0].parent.parent / "notes.jsonl"
    assert command("evidence", trained[0].parent / name, notes) == 2
    said = capsys.readouterr().err.strip()
    assert f"a network with label attention needed for attention, got {name}" in " ".join(said.split())


def test_dev_that_train_gave_is_said_to_be_in_sample(tmp_path):
    told = []
    made = run(tmp_path, ward(20), epochs=1, baselines=False).model_copy(update={"dev": (), "dev_share": 0.3})
    finetune_diagnosis(made, tell=told.append)
    assert [news for news in told if isinstance(news, str) and news.startswith("dev: held out of train")]


def test_folds_and_curves_count_what_each_model_chooses(tmp_path):
    made = run(tmp_path, ward(60), epochs=2)
    validated = cross_validate(made.model_copy(update={"out": tmp_path / "folds"}), 2)
    notes = {note.note_id: note for note in read_notes(tmp_path / "notes.jsonl")}
    found = list(read_notes(validated.predictions))
    n_predicted = n_correct = 0
    for at, fold in enumerate(validated.folds):
        predicted = list(read_notes(tmp_path / "folds" / f"fold-{at + 1}" / "predictions.jsonl"))
        gold = [notes[note.note_id] for note in predicted]
        chosen = choice(read_config(tmp_path / "folds" / f"fold-{at + 1}" / "best"))
        assert chosen.threshold != 0.5
        scores = score_diagnoses(gold, predicted, chosen)
        assert fold.scores["f1"] == pytest.approx(scores.micro.f1)
        n_predicted += scores.micro.n_predicted
        n_correct += scores.micro.n_correct
    assert validated.pooled.overall["precision"].value == pytest.approx(n_correct / n_predicted)
    assert len(found) == 60
    [point] = learning_curve(made.model_copy(update={"out": tmp_path / "curve"}), [1.0])
    best = tmp_path / "curve" / "share-1" / "best"
    gold = list(notes.values())
    wanted = score_diagnoses(gold, DiagnosisPredictor.load(best)(gold), 0.0).micro.f1
    assert point.scores.overall["f1"].value == pytest.approx(wanted, abs=1e-6)
