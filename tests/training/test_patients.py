"""Diagnosers that read all notes of a patient: what history decides, bounded memory, and bad data."""

from __future__ import annotations

import json
import logging
import random
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from clinlp import DataError, Diagnosis, Note, read_notes, write_notes
from clinlp.data.patients import next_codes
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.models.store import load_model
from clinlp.training.beside import Beside
from clinlp.training.config import DiagnosisConfig
from clinlp.training.finetune import finetune_diagnosis
from clinlp.training.folds import cross_validate
from clinlp.training.task import Epoch

from .patient_cases import SMALL, agreement, codes, ward


def config(out, **options):
    return DiagnosisConfig.load(None, out=out, **SMALL | {"train": ("train.jsonl",), "epochs": 1} | options)


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    """A model of each visit's own codes, which only the visit before tells."""
    told = []
    run = config(tmp_path_factory.mktemp("same") / "run", patients="same", epochs=10, numbers=("age",))
    parts = [[replace(note, fields={"age": 50}) for note in ward(n, seed)] for n, seed in ((50, 1), (12, 2))]
    return finetune_diagnosis(run, parts=parts, tell=told.append), [str(news) for news in told]


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    """A model of the next visit's codes, which this note does not tell either: the one before does."""
    run = config(tmp_path_factory.mktemp("next") / "run", patients="next", epochs=10)
    return finetune_diagnosis(run, parts=(ward(50, 1, lag=2), ward(12, 2, lag=2)))


def test_what_only_history_tells_is_learned(same):
    test = ward(30, 3)
    assert agreement(test, DiagnosisPredictor.load(same[0])(test)) > 0.95
    assert any(said.startswith("50 patients with up to 6 notes; the codes of") for said in same[1])


def test_a_model_of_notes_cannot_learn_it(tmp_path):
    best = finetune_diagnosis(config(tmp_path / "run", epochs=1), parts=(ward(50, 1), ward(12, 2)))
    test = ward(30, 3)
    assert agreement(test, DiagnosisPredictor.load(best)(test)) < 0.7


@pytest.mark.slow
def test_the_next_visit_is_forecast_from_the_visits_before(forecast):
    test = ward(30, 3, lag=2)
    predictor = DiagnosisPredictor.load(forecast)
    assert predictor.ahead
    assert predictor.whole_patients
    assert agreement(next_codes(test), predictor(test)) > 0.95


def test_what_is_said_at_a_note_rests_on_nothing_later_and_on_no_order(same):
    predictor = DiagnosisPredictor.load(same[0], top=2)
    notes = sorted(ward(12, 4), key=lambda note: (note.patient_id, note.time))
    whole = {note.note_id: note for note in predictor(notes)}
    shuffled = random.Random(0).sample(notes, len(notes))  # noqa: S311
    assert [note.note_id for note in predictor(shuffled)] == [note.note_id for note in shuffled]
    for found in (predictor(shuffled), predictor(notes[:-1]), predictor(notes[:1])):
        for note in found:
            scores = {item.code: item.score for item in whole[note.note_id].diagnoses}
            assert {item.code: item.score for item in note.diagnoses} == pytest.approx(scores, abs=1e-5)


def test_evidence_is_in_the_note_itself(same):
    for note in DiagnosisPredictor.load(same[0], top=1)(ward(5, 5)):
        assert all(item.evidence for item in note.diagnoses)
        assert all(note.text[span.start : span.end].strip() for item in note.diagnoses for span in item.evidence)


def test_a_saved_model_needs_nothing_else(same, tmp_path):
    predictor = DiagnosisPredictor.load(same[0])
    predictor.save(tmp_path / "copy")
    held = json.loads((tmp_path / "copy" / "config.json").read_text())
    assert (held["model"], held["target"], held["fields"]["numbers"][0]["name"]) == ("patients", "same", "age")
    notes = ward(5, 6)
    assert DiagnosisPredictor.load(tmp_path / "copy")(notes) == predictor(notes)


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize(("target", "batch_pieces"), [("same", 64), ("next", 16)])  # 16: chunks are encoded twice
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, target, batch_pieces):
    options = {"patients": target, "epochs": 3, "checkpoint_steps": 2, "dropout": 0.2, "batch_pieces": batch_pieces}
    parts = (ward(8, 1), ward(4, 2))
    whole = finetune_diagnosis(config(tmp_path / "whole", **options), parts=parts)

    def kill(said):
        if isinstance(said, Epoch) and said.epoch == 2:
            raise Killed

    run = config(tmp_path / "killed", **options)
    with pytest.raises(Killed):
        finetune_diagnosis(run, parts=parts, tell=kill)
    resumed = finetune_diagnosis(run, parts=parts, resume=True)
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()


def gradients(model, batch, most_pieces):
    model.most_pieces = most_pieces
    model.zero_grad()
    torch.manual_seed(0)
    model(**batch).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def test_chunks_that_are_encoded_twice_give_the_gradient_of_all_notes(same):
    """What bounds the memory changes nothing: with dropout on, the masks are drawn again alike."""
    from clinlp.data.patients import Cohort, patients_of

    predictor = DiagnosisPredictor.load(same[0])
    model = predictor.ranker.model.train()
    notes = ward(6, 7)
    cohort = Cohort([predictor.ranker.reader(note.text).features for note in notes], patients_of(notes), (64, 16))
    cohort = replace(cohort, fields=predictor.ranker.fields(notes))
    items = list(range(len(cohort.patients)))
    chunks, order = cohort.chunks(items, 20)
    assert len(chunks) > 3
    chosen = cohort.heard()
    batch = {"chunks": chunks, "targets": torch.ones(len(notes), 2), **cohort.steps(items, order, chosen)}
    kept, again = gradients(model, batch, 10**6), gradients(model, batch, 1)
    assert kept.keys() == again.keys()
    assert all(torch.allclose(kept[name], again[name], atol=1e-6) for name in kept)


def test_a_patient_with_500_notes_trains_and_predicts_within_bounds(tmp_path, monkeypatch):
    """No more pieces are encoded at once than a batch may have, and no note is left out."""
    from clinlp.models.cnn import CnnEncoder

    [few] = [ward(1, seed) for seed in (1,)]
    text = few[0].text
    giant = [Note(f"g{at}", text * 3, "giant", diagnoses=(Diagnosis("I10" if at % 2 else "E11"),)) for at in range(500)]
    seen = []
    kept = CnnEncoder.forward

    def watched(self, pieces, mask):
        seen.append(mask.numel())
        return kept(self, pieces, mask)

    monkeypatch.setattr(CnnEncoder, "forward", watched)
    told = []
    options = {"patients": "same", "batch_pieces": 512}
    best = finetune_diagnosis(config(tmp_path / "run", **options), parts=([*giant, *ward(5, 2)], few), tell=told.append)
    assert max(seen) <= 512
    assert any("6 patients with up to 500 notes" in str(news) for news in told)
    assert sum("have no time" in str(news) for news in told) == 1
    seen.clear()
    predictor = DiagnosisPredictor.load(best, top=1)
    predictor.ranker.batch_pieces = 512
    assert all(note.diagnoses for note in predictor(giant))
    assert max(seen) <= 512


def test_missing_dates_fall_back_to_the_order_given_which_is_said_once(same, caplog):
    notes = sorted(ward(20, 8), key=lambda note: (note.patient_id, note.time))
    bare = [replace(note, time=None) for note in notes]
    predictor = DiagnosisPredictor.load(same[0])
    with caplog.at_level(logging.WARNING):
        found = predictor(bare)
        predictor(bare)
    assert predictor.ranker.n_undated == 40
    [record] = [each for each in caplog.records if "no time" in each.message]
    assert f"20 patients with {len(bare)} notes, of which some have no time: they are read" in record.message
    assert agreement(bare, found) > 0.8  # the gaps are not known, the order is


def test_notes_without_words_or_codes_are_history(same):
    predictor = DiagnosisPredictor.load(same[0])
    first, second, *_ = sorted((note for note in ward(9, 9) if note.patient_id == "9p1"), key=lambda note: note.time)
    wordless = replace(second, text=" \n", diagnoses=None)
    assert codes(predictor([wordless, first])[0]) == codes(second)
    [alone] = predictor([wordless])
    assert alone.diagnoses == ()  # neither it nor its history says anything


def test_bad_data_is_read_or_refused_in_one_line(tmp_path):
    blank = [Note(f"b{at}", "", "blank", diagnoses=(Diagnosis("E11"),)) for at in range(3)]
    none = [replace(note, diagnoses=None) for note in ward(4, 10)]
    bare = [replace(note, diagnoses=()) for note in ward(4, 11)]  # of one code a note, these teach nothing
    told = []
    parts = ([*blank, *none, *bare, *ward(6, 12)], [*none, *ward(6, 13)])
    best = finetune_diagnosis(config(tmp_path / "run", patients="same"), parts=parts, tell=told.append)
    said = [str(news) for news in told]
    assert any(
        "9 patients have no note with codes and words and were left out; 3 notes hold no word" in each for each in said
    )
    assert all(note.diagnoses is not None for note in DiagnosisPredictor.load(best, top=1)(ward(3, 14)))
    with pytest.raises(DataError, match="dev: notes with diagnoses of a next visit needed, got none"):
        finetune_diagnosis(config(tmp_path / "x", patients="next"), parts=(ward(6, 12), [ward(1, 13)[0]]))
    with pytest.raises(DataError, match=r"train\.jsonl: notes with diagnoses needed, got none"):
        finetune_diagnosis(config(tmp_path / "y", patients="same"), parts=(none, ward(6, 13)))
    nameless = [replace(note, patient_id=None) for note in ward(6, 12)]
    with pytest.raises(DataError, match="train: notes with a patient_id needed to read patients, got none"):
        finetune_diagnosis(config(tmp_path / "z", patients="same"), parts=(nameless, ward(6, 13)))


@pytest.mark.parametrize("single", [pytest.param(False, marks=pytest.mark.slow), True])
def test_one_code_in_all_notes_is_learned(tmp_path, single):
    everywhere = [[replace(note, diagnoses=(Diagnosis("Z00"),)) for note in ward(6, seed)] for seed in (15, 16)]
    best = finetune_diagnosis(config(tmp_path / "run", patients="next", single=single, epochs=3), parts=everywhere)
    assert {tuple(codes(note)) for note in DiagnosisPredictor.load(best)(ward(3, 17))} == {("Z00",)}


@pytest.mark.parametrize("kind", ["lstm", "bert"])
def test_other_encoders_read_patients_too(tmp_path, tiny_bert, kind):
    options = {"encoder": "lstm", "hidden": 8} if kind == "lstm" else {"encoder": str(tiny_bert)}
    run = config(tmp_path / "run", patients="same", loss="balanced", **options)
    best = finetune_diagnosis(run, parts=(ward(6, 18), ward(6, 19)))
    assert load_model(best).config.encoder.kind == ("lstm" if kind == "lstm" else "transformer")
    assert all(torch.isfinite(tensor).all() for tensor in load_file(best / "model.safetensors").values())
    write_notes(DiagnosisPredictor.load(best)(ward(2, 20)), tmp_path / "found.jsonl")


@pytest.mark.parametrize("target", [pytest.param("same", marks=pytest.mark.slow), "next"])
def test_baselines_and_an_ensemble_stand_beside_a_model_of_patients(tmp_path, target):
    parts = (ward(12, 21), ward(12, 22))
    told = []
    finetune_diagnosis(config(tmp_path / "run", patients=target, baselines=True), parts=parts, tell=told.append)
    assert [news.name for news in told if isinstance(news, Beside)] == ["network", "tfidf", "dictionary", "ensemble"]
    ensemble = DiagnosisPredictor.load(tmp_path / "run" / "ensemble", top=2)
    assert ensemble.whole_patients
    models = [DiagnosisPredictor.load(tmp_path / "run" / name) for name in ("best", "tfidf", "dictionary", "ensemble")]
    assert [model.ahead for model in models] == [target == "next"] * 4
    test = ward(80, 23)  # more notes than an ensemble scores at once
    whole = {note.note_id: note.diagnoses for note in ensemble(test)}
    few = ensemble([note for note in test if note.patient_id in ("23p7", "23p50")])
    for note in few:
        scores = {item.code: item.score for item in whole[note.note_id]}
        assert {item.code: item.score for item in note.diagnoses} == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize("target", [pytest.param("same", marks=pytest.mark.slow), "next"])
def test_folds_score_every_note_that_is_annotated(tmp_path, target):
    file = tmp_path / "ward.jsonl"
    write_notes(ward(8, 24), file)
    made = cross_validate(config(tmp_path / "run", patients=target, train=(file,), dev=(file,)), 2)
    notes = list(read_notes(file))
    gold = next_codes(notes) if target == "next" else notes
    assert [note.note_id for note in read_notes(made.predictions)] == [note.note_id for note in notes]
    assert made.pooled.n_notes == sum(note.diagnoses is not None for note in gold)


def test_where_a_note_has_a_single_code_notes_without_one_teach_no_model(tmp_path):
    """Neither the network nor what stands beside it takes them for notes of the first code."""
    notes = [replace(note, text="Nothing at all. 无。", diagnoses=()) for note in ward(8, 25)]
    learned = ward(8, 26)
    for name, train in (("with", [*learned, *notes]), ("without", learned)):
        run = config(tmp_path / name, baselines=True)
        finetune_diagnosis(run, parts=(train, ward(6, 27)))
    one, other = (load_file(tmp_path / name / "tfidf" / "model.safetensors") for name in ("with", "without"))
    assert all(torch.equal(one[name], other[name]) for name in other)
