"""Diagnosers that read structured fields beside the text."""

from __future__ import annotations

import json
import random

import pytest
import spacy
from spacy.tokens import Doc

from clinlp import DataError, Diagnosis, Note, write_notes
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.models.diagnoser import DiagnoserConfig
from clinlp.models.store import load_model
from clinlp.pipes.convert import note_to_doc
from clinlp.training.config import DiagnosisConfig
from clinlp.training.finetune import finetune_diagnosis

SMALL = {"encoder": "cnn", "channels": 8, "filter_widths": (3,), "word_width": 8, "dropout": 0.0, "baselines": False}
SMALL |= {"learning_rate": 1e-3}


def ward(n, seed):
    """The text says nothing of the codes; age, and sex with it, says all."""
    draw = random.Random(seed)  # noqa: S311
    made = []
    for at in range(n):
        age, sex = draw.choice([None, *range(20, 90)]), draw.choice(["F", "M", "女", "男"])
        old = age is not None and age > 60
        codes = [code for code, there in (("I10", old), ("N40", old and sex in "M男"), ("Z00", not old)) if there]
        text = draw.choice(("Seen today.", "今日就诊。"))
        made.append(Note(f"{seed}-{at}", text, fields={"age": age, "sex": sex}, diagnoses=tuple(map(Diagnosis, codes))))
    return made


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    write_notes(ward(300, 1), folder / "train.jsonl")
    write_notes(ward(60, 2), folder / "dev.jsonl")
    told = []
    config = DiagnosisConfig.load(
        None,
        train=(folder / "train.jsonl",),
        dev=(folder / "dev.jsonl",),
        out=folder / "run",
        epochs=8,
        batch_pieces=64,
        head_learning_rate=0.02,
        numbers=("age",),
        categories=("sex",),
        **SMALL,
    )
    return config, finetune_diagnosis(config, tell=told.append), [str(news) for news in told]


def codes(note):
    return sorted(item.code for item in note.diagnoses)


def test_what_the_text_does_not_say_is_read_from_the_fields(trained):
    _, best, told = trained
    test = ward(200, 3)
    found = DiagnosisPredictor.load(best)(test)
    assert sum(codes(one) == codes(other) for one, other in zip(test, found, strict=True)) >= 185
    assert any(said.startswith("field age: ") and "have no value" in said for said in told)


def test_a_note_without_fields_is_predicted_and_alike_in_company(trained):
    predictor = DiagnosisPredictor.load(trained[1])
    notes = [Note("bare", "Seen today."), *ward(5, 4)]
    assert codes(predictor(notes)[0]) == ["Z00"]  # as notes of unknown age have it
    assert predictor(notes) == [predictor([note])[0] for note in notes]


def test_the_folder_holds_all_that_reading_needs(trained):
    held = json.loads((trained[1] / "config.json").read_text())
    assert held["fields"]["numbers"][0]["name"] == "age"
    assert held["fields"]["categories"] == [{"name": "sex", "values": ["F", "M", "女", "男"]}]
    old = held["encoder"]
    assert DiagnoserConfig(encoder=old, codes=("A",)).fields is None  # folders of before have no fields


def test_a_value_that_cannot_be_read_fails_its_note_alone(trained):
    pipeline = Pipeline(PipelineConfig(deid="off", phi="off", entities="off", diagnosis=str(trained[1])))
    good = Note("good", "今日就诊。", fields={"age": "71", "sex": "男"})
    first, second = pipeline([Note("bad", "Seen today.", fields={"age": "seventy"}), good])
    assert first.note_id == "bad"
    assert "field age: a number, or nothing where it is missing, needed" in str(first)
    assert codes(second) == ["I10", "N40"]


def test_dev_with_what_cannot_be_read_is_refused_before_training(trained, tmp_path):
    bad = [Note("d0", "Seen today.", fields={"age": "old"}, diagnoses=(Diagnosis("I10"),))]
    run = trained[0].model_copy(update={"out": tmp_path / "run"})
    with pytest.raises(DataError, match="note d0: field age"):
        finetune_diagnosis(run, parts=(ward(20, 5), bad))
    assert not (tmp_path / "run").exists()


def test_spacy_docs_bring_fields_along(trained):
    nlp = spacy.blank("zh")
    nlp.add_pipe("clinlp_diagnosis", config={"model": str(trained[1])})
    note = Note("n", "今日就诊。", fields={"age": 80, "sex": "男"})
    doc = next(nlp.pipe([note_to_doc(note, nlp)]))
    assert {code for code, score in doc.cats.items() if score > 0.5} == {"I10", "N40"}
    Doc.set_extension("age", default=None)
    try:
        bare = nlp.make_doc("今日就诊。")
        bare._.age = 80
        assert "I10" in nlp(bare).cats
        assert "I10" not in nlp("今日就诊。").cats
    finally:
        Doc.remove_extension("age")


def test_evidence_is_weighed_with_the_fields_as_they_are(trained):
    pytest.importorskip("captum")
    from clinlp.inference.attribution import Explainer

    explainer = Explainer(DiagnosisPredictor.load(trained[1]))
    note = ward(1, 6)[0]
    [made] = explainer.explain(note.text, ["I10"], note.fields)
    assert made.change == pytest.approx(float(made.scores.sum() * made.scale), abs=1e-3)
    assert explainer([note])[0].note_id == note.note_id


def test_a_model_of_fields_is_exported_with_them(trained, tmp_path):
    from clinlp.inference.export import export_model

    config = trained[0].model_copy(update={"out": tmp_path / "run", "encoder": "lstm", "hidden": 8, "epochs": 1})
    best = finetune_diagnosis(config)
    export_model(best, tmp_path / "int8", "int8")
    test = ward(20, 7)
    one, other = (DiagnosisPredictor.load(each).probabilities(test) for each in (best, tmp_path / "int8"))
    assert one == pytest.approx(other, abs=0.02)
    assert load_model(tmp_path / "int8").config.fields.names == ("age", "sex")
