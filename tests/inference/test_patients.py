"""Models of patients in use: the predictor, the pipeline, spaCy and the command line say one and the same."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from clinlp import DataError, UsageError, write_notes
from clinlp.cli import main
from clinlp.data.titles import write_titles
from clinlp.errors import Failure
from clinlp.inference.attribution import Explainer
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.export import export_model
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.inference.promise import promise_sets
from clinlp.pipes.convert import note_to_doc

from ..patient_model import CODES, patient_folder, ward


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return patient_folder(tmp_path_factory.mktemp("patients"))


@pytest.fixture(scope="module")
def predictor(folder):
    return DiagnosisPredictor.load(folder, top=3)


def scores(note):
    return pytest.approx({item.code: item.score for item in note.diagnoses}, abs=1e-5)


def plain(note):
    return {item.code: item.score for item in note.diagnoses}


def config(folder, **options):
    return PipelineConfig(deid="off", phi="off", entities="off", diagnosis=str(folder), top=3, **options)


def test_history_changes_what_is_said(predictor):
    notes = ward()
    whole, alone = predictor(notes), [predictor([note])[0] for note in notes]
    assert plain(whole[0]) == scores(alone[0])
    assert plain(whole[1]) != scores(alone[1])


@pytest.mark.parametrize("budget", [1, 20, 10_000])
def test_batches_of_any_size_say_the_same(predictor, budget):
    notes = ward()
    whole, before = predictor(notes), predictor.ranker.batch_pieces
    predictor.ranker.batch_pieces = budget
    try:
        assert all(plain(one) == scores(other) for one, other in zip(predictor(notes), whole, strict=True))
    finally:
        predictor.ranker.batch_pieces = before


def test_the_pipeline_gives_both_languages_of_a_patient_to_the_model_as_one(folder, predictor):
    notes = ward()
    pipeline = Pipeline(config(folder))
    assert pipeline.whole_patients
    for found, expected in zip(pipeline(notes), predictor(notes), strict=True):
        assert plain(found) == scores(expected)


def test_a_note_that_fails_takes_no_history_from_the_others(folder, predictor):
    notes = ward()
    bad = replace(notes[1], fields={"age": "old"})
    found = Pipeline(config(folder))([notes[0], bad, *notes[2:]])
    assert isinstance(found[1], Failure)
    expected = predictor([notes[0], *notes[2:]])
    assert all(plain(one) == scores(other) for one, other in zip([found[0], *found[2:]], expected, strict=True))


@pytest.fixture
def nlp(folder):
    made = spacy.blank("en")
    made.add_pipe("clinlp_diagnosis", config={"model": str(folder), "top": 3})
    return made


def as_doc(note, nlp):
    return note_to_doc(replace(note, diagnoses=None), nlp)


def cats(doc):
    return pytest.approx(doc.cats, abs=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_spacy_keeps_the_docs_of_a_patient_in_one_batch(nlp, predictor, batch_size):
    notes = ward()
    docs = list(nlp.pipe([as_doc(note, nlp) for note in notes], batch_size=batch_size))
    assert all(plain(note) == cats(doc) for note, doc in zip(predictor(notes), docs, strict=True))


def test_spacy_docs_of_a_patient_that_stand_apart_are_refused(nlp, predictor):
    notes = ward()
    docs = [as_doc(note, nlp) for note in [*notes, notes[0], notes[-1]]]
    with pytest.raises(DataError, match="Docs of a patient need to stand together for this model"):
        list(nlp.pipe(docs))
    seen = []
    nlp.set_error_handler(lambda name, pipe, docs, error: seen.append((len(docs), type(error))))
    found = list(nlp.pipe([as_doc(note, nlp) for note in [*notes[:-1], notes[0], notes[-1]]]))
    assert seen == [(1, DataError)]
    assert all(plain(note) == cats(doc) for note, doc in zip(predictor(notes), found, strict=True))


def test_a_spacy_doc_that_fails_takes_no_history_from_the_others(nlp, predictor):
    notes = ward()
    seen = []
    nlp.set_error_handler(lambda name, pipe, docs, error: seen.append(str(error)))
    mixed = [notes[0], replace(notes[1], fields={"age": "old"}), *notes[2:]]
    found = list(nlp.pipe([as_doc(note, nlp) for note in mixed]))
    [said] = seen
    assert "field age: a number" in said
    assert all(plain(note) == cats(doc) for note, doc in zip(predictor([notes[0], *notes[2:]]), found, strict=True))


def test_spacy_takes_patient_and_time_from_extensions(nlp, predictor):
    for name in ("patient_id", "time"):
        Doc.set_extension(name, default=None)
    try:
        docs = []
        notes = [replace(note, fields={}) for note in ward(2)]
        for note in notes:
            doc = nlp.make_doc(note.text)
            doc._.patient_id, doc._.time = note.patient_id, note.time
            docs.append(doc)
        found = list(nlp.pipe(docs))
        assert all(plain(note) == cats(doc) for note, doc in zip(predictor(notes), found, strict=True))
    finally:
        for name in ("patient_id", "time"):
            Doc.remove_extension(name)


def test_worker_processes_of_spacy_are_refused(nlp):
    docs = [as_doc(note, nlp) for note in ward()]
    nlp.get_pipe("clinlp_diagnosis").prepare()
    with pytest.raises(Exception, match="n_process=1 needed for a model that reads patients"):
        list(nlp.pipe(docs, n_process=2, batch_size=4))


def test_one_note_is_predicted_with_the_patients_others_of_its_file(folder, predictor, tmp_path, capsys):
    notes = ward()
    write_notes([*notes[2:], *notes[:2]], tmp_path / "notes.jsonl")
    with pytest.raises(SystemExit):
        main(["predict", str(tmp_path / "notes.jsonl"), "--id", "1-2", "--model", str(folder), "--top", "3", "--json"])
    found = json.loads(capsys.readouterr().out)
    expected = plain(predictor(notes)[6])
    assert {item["code"]: item["score"] for item in found["diagnoses"]} == pytest.approx(expected, abs=1e-5)
    with pytest.raises(SystemExit):
        main(["predict", "--text", "Fever.", "--model", str(folder), "--field", "age=70"])
    assert "one note alone" in capsys.readouterr().err


def test_forecasts_are_held_against_the_next_visit(tmp_path, capsys):
    ahead = patient_folder(tmp_path / "ahead", "next")
    same = patient_folder(tmp_path / "same")
    write_notes(ward(), tmp_path / "gold.jsonl")
    gold, scored = str(tmp_path / "gold.jsonl"), tmp_path / "scores.json"
    with pytest.raises(SystemExit):
        main(["evaluate", str(ahead), gold, "--json", str(scored), "--resamples", "100"])
    held = json.loads(scored.read_text())["diagnoses"]
    assert (held["n_notes"], held["n_not_annotated"]) == (15, 5)  # of five patients, the last notes have no next visit
    with pytest.raises(SystemExit) as ended:
        main(["compare", gold, str(ahead), str(same), "--resamples", "100"])
    assert ended.value.code == 2
    assert "two models of the same visit needed, got one that forecasts the next" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["same", "next"])
def test_sets_are_promised_of_notes_as_they_are_read(tmp_path, target):
    folder = patient_folder(tmp_path / "model", target)
    notes = ward(40)
    blank = [replace(note, diagnoses=None) if note.note_id.endswith("-1") else note for note in notes]
    made = promise_sets(folder, blank, alpha=0.4)
    n_known = 40 * (3 if target == "same" else 2)
    assert made.sets.n_notes + made.n_silent == n_known
    assert len(made.sizes) == made.sets.n_notes
    given = DiagnosisPredictor.load(folder).give_sets()(blank)
    rows = [at for at, note in enumerate(blank) if note.note_id[-1] in ("023" if target == "same" else "12")]
    rows = [at for at in rows if given[at].diagnoses is not None]
    sizes = {at: int(size) for at, size in zip(rows, made.sizes, strict=True)}
    assert len(sizes) > 0.9 * n_known  # all but those who begin with a note without words
    assert {at: len(given[at].diagnoses) for at in sizes} == sizes


def test_what_a_model_of_patients_cannot_do_is_said(folder, predictor, tmp_path):
    pytest.importorskip("captum")
    with pytest.raises(UsageError, match="a network with label attention needed for gradients, got patients"):
        Explainer(predictor)
    with pytest.raises(UsageError, match="a network needed to export, got a model of the kind patients"):
        export_model(folder, tmp_path / "int8", "int8")


def test_a_field_of_another_kind_is_refused_by_its_note(predictor):
    bad = replace(ward()[0], fields={"sex": ["F"]})
    with pytest.raises(DataError, match="note 0-0: field sex: a word or a number"):
        predictor([bad])


def test_bf16_says_about_the_same(folder, predictor):
    half = DiagnosisPredictor.load(folder, precision="bf16").probabilities(ward())
    assert half == pytest.approx(predictor.probabilities(ward()), abs=0.05)


def test_far_dates_and_large_values_do_no_harm(predictor):
    first, second, *_ = ward()
    far = [replace(first, time=date(1, 1, 1), fields={"age": 1e30}), replace(second, time=date(9999, 12, 31))]
    assert all(np.isfinite(item.score) for note in predictor(far) for item in note.diagnoses)
    assert {item.code for note in predictor(far) for item in note.diagnoses} == set(CODES)


def test_names_of_codes_are_loaded_and_saved_with_the_model(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "named")
    titles = {CODES[0]: ("Type 2 diabetes", "2型糖尿病")}
    write_titles(tmp_path / "named", titles)
    held = DiagnosisPredictor.load(tmp_path / "named")
    assert held.titles == titles
    held.save(tmp_path / "saved")
    assert DiagnosisPredictor.load(tmp_path / "saved").titles == titles
