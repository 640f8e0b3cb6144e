"""The pipes that carry a model: the same answers as from Python, wherever and however the pipeline travels."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from clinlp.data.pieces import LexicalPieces
from clinlp.errors import UsageError
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.models.lstm import LstmConfig
from clinlp.models.store import list_bundled, save_model
from clinlp.models.tagger import Tagger, TaggerConfig
from clinlp.note import Diagnosis, Note
from clinlp.pipes import doc_to_note, note_to_doc
from clinlp.pipes.entities import EntitiesPipe

SETTINGS = {"device": "cpu"}
PROBES = {
    "en": ["No fever. He has severe chest pain.", "Mother had hypertension.", "", " \n", "Fine."],
    "zh": ["患者无发热，胸痛3天。", "母亲患高血压。", "", " \n", "好。"],
}


@pytest.fixture
def entities(nlp: Language, tagger_folder: Path) -> Language:
    nlp.add_pipe("clinlp_entities", config={"model": str(tagger_folder), **SETTINGS})
    return nlp


@pytest.fixture
def both(entities: Language, diagnoser_folder: Path) -> Language:
    entities.add_pipe("clinlp_diagnosis", config={"model": str(diagnoser_folder), **SETTINGS})
    return entities


def shown(doc: Doc) -> list[tuple[object, ...]]:
    """All that the pipes wrote."""
    spans = [
        (span.start_char, span.end_char, span.label_, span._.score, span._.context) for span in doc.spans["entities"]
    ]
    return [*spans, [(ent.start_char, ent.label_) for ent in doc.ents], doc.cats, doc._.diagnoses]


# the same as from Python


def test_the_pipe_finds_what_the_predictor_finds(entities: Language, lang: str, tagger_folder: Path) -> None:
    expected = EntityPredictor.load(tagger_folder, device="cpu").find(PROBES[lang])
    for doc, spans in zip(entities.pipe(PROBES[lang]), expected, strict=True):
        found = [(s.start_char, s.end_char, s.label_, s._.score) for s in doc.spans["entities"]]
        assert found == [(s.start, s.end, s.label, pytest.approx(s.score, abs=1e-5)) for s in spans]


def test_one_text_at_a_time_gives_the_same_as_a_batch(both: Language, lang: str) -> None:
    for doc in both.pipe(PROBES[lang], batch_size=3):
        alone = both(doc.text)
        assert [s[:3] for s in shown(doc)[:-3]] == [s[:3] for s in shown(alone)[:-3]]
        assert doc.cats == pytest.approx(alone.cats, abs=1e-5)


def test_the_diagnosis_pipe_says_what_the_predictor_says(both: Language, lang: str, diagnoser_folder: Path) -> None:
    text = PROBES[lang][0]
    doc = both(text)
    [note] = DiagnosisPredictor.load(diagnoser_folder, device="cpu")([Note("n", text)])
    assert note.diagnoses
    assert doc._.diagnoses == note.diagnoses
    assert doc.cats == pytest.approx({each.code: each.score for each in note.diagnoses}, abs=1e-5)
    assert all(each.evidence for each in doc._.diagnoses)


def test_top_asks_for_more_codes(nlp: Language, lang: str, diagnoser_folder: Path) -> None:
    nlp.add_pipe("clinlp_diagnosis", config={"model": str(diagnoser_folder), "top": 1, **SETTINGS})
    assert len(nlp(PROBES[lang][0]).cats) == 1


def test_entities_have_context(entities: Language, lang: str) -> None:
    denied, affirmed = entities(PROBES[lang][0]).ents
    assert (denied._.negated, denied._.experiencer) == (True, "patient")
    assert (affirmed._.negated, affirmed._.uncertain, affirmed._.historical) == (False, False, False)
    assert entities(PROBES[lang][1]).ents[0]._.experiencer == "family"


def test_context_may_be_left_out(nlp: Language, lang: str, tagger_folder: Path) -> None:
    nlp.add_pipe("clinlp_entities", config={"model": str(tagger_folder), "context": False, **SETTINGS})
    doc = nlp(PROBES[lang][0])
    [span, *_] = doc.spans["entities"]
    assert (span._.context, span._.negated) == (None, None)


def test_entities_of_others_stay_unless_told_otherwise(nlp: Language, lang: str, tagger_folder: Path) -> None:
    words = {"en": "severe", "zh": "胸"}[lang]
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "MINE", "pattern": words}])
    pipe = nlp.add_pipe("clinlp_entities", config={"model": str(tagger_folder), **SETTINGS})
    doc = nlp(PROBES[lang][0])
    assert [ent.label_ for ent in doc.ents] == ["SYMPTOM", "MINE"]
    assert [span.label_ for span in doc.spans["entities"]] == ["SYMPTOM", "SYMPTOM"]
    pipe.overwrite_ents = True
    assert [ent.label_ for ent in nlp(PROBES[lang][0]).ents] == ["SYMPTOM", "SYMPTOM"]


# offsets win


def test_entities_that_cut_tokens_are_narrowed_or_listed_and_counted(
    tagger_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = EntitiesPipe("e", "en", model=str(tagger_folder), device="cpu")
    text = "No fever. He has severe chest pain."
    [spans] = EntityPredictor.load(tagger_folder, device="cpu").find([text])
    assert [text[span.start : span.end] for span in spans] == ["fever", "severe chest pain"]
    words = ["No", "fever.", "He", "has", "severe", "chest", "pain."]
    doc = pipe(Doc(Vocab(), words=words, spaces=[True] * 6 + [False]))
    assert [span.text for span in doc.spans["entities"]] == ["severe chest"]
    assert [text[span.start : span.end] for span in doc._.left_out] == ["fever"]
    assert (pipe.n_narrowed, pipe.n_left_out) == (1, 1)
    assert len(caplog.messages) == 1
    assert "fever" not in caplog.text
    exact = doc_to_note(doc, note_id="n").entities
    assert [(span.start, span.end) for span in exact] == [(span.start, span.end) for span in spans]


# travels


def test_a_saved_pipeline_needs_neither_its_folder_nor_its_past(
    nlp: Language, lang: str, tagger_folder: Path, diagnoser_folder: Path, tmp_path: Path
) -> None:
    for task, folder in (("entities", tagger_folder), ("diagnosis", diagnoser_folder)):
        shutil.copytree(folder, tmp_path / task)
        nlp.add_pipe(f"clinlp_{task}", config={"model": str(tmp_path / task), **SETTINGS})
    expected = [(doc.to_json()["ents"], doc.cats) for doc in nlp.pipe(PROBES[lang])]
    nlp.to_disk(tmp_path / "saved")
    shutil.rmtree(tmp_path / "entities")
    shutil.rmtree(tmp_path / "diagnosis")
    code = (
        "import json, sys, spacy; nlp = spacy.load(sys.argv[1]);"
        "docs = nlp.pipe(json.loads(sys.argv[2]));"
        "json.dump([(doc.to_json()['ents'], doc.cats) for doc in docs], sys.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "saved"), json.dumps(PROBES[lang])],
        capture_output=True,
        text=True,
        check=True,
    )
    for (ents, cats), (expected_ents, expected_cats) in zip(json.loads(done.stdout), expected, strict=True):
        assert ents == expected_ents
        assert cats == pytest.approx(expected_cats, abs=1e-5)
    card = (tmp_path / "saved" / "clinlp_entities" / "README.md").read_text("utf-8")
    assert card == (tagger_folder / "README.md").read_text("utf-8")


def test_bytes_carry_the_model(nlp: Language, lang: str, tagger_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tagger_folder, tmp_path / "gone")
    nlp.add_pipe("clinlp_entities", config={"model": str(tmp_path / "gone"), **SETTINGS})
    saved, config = nlp.to_bytes(), nlp.config
    shutil.rmtree(tmp_path / "gone")
    other = spacy.blank(lang).from_config(config).from_bytes(saved)
    for text in PROBES[lang]:
        assert shown(other(text)) == shown(nlp(text))


def test_a_pickled_pipeline_carries_the_model(both: Language, lang: str) -> None:
    before = shown(both(PROBES[lang][0]))
    assert shown(pickle.loads(pickle.dumps(both))(PROBES[lang][0])) == before  # noqa: S301


def test_a_pipe_that_was_not_used_is_pickled_without_its_model(entities: Language, lang: str) -> None:
    other = pickle.loads(pickle.dumps(entities))  # noqa: S301
    assert shown(other(PROBES[lang][0])) == shown(entities(PROBES[lang][0]))


@pytest.mark.parametrize("used_before", [False, True])
def test_two_processes_give_what_one_gives(both: Language, lang: str, used_before: bool) -> None:
    texts = PROBES[lang] * 3
    if used_before:
        both(texts[0])  # the parent has computed before it forks
    found = [shown(doc) for doc in both.pipe(texts, n_process=2, batch_size=4)]
    assert found == [shown(doc) for doc in both.pipe(texts, batch_size=4)]


def test_a_docbin_keeps_what_the_pipes_wrote(both: Language, lang: str) -> None:
    docs = list(both.pipe(PROBES[lang]))
    packed = DocBin(store_user_data=True, docs=docs).to_bytes()
    for doc, again in zip(docs, DocBin().from_bytes(packed).get_docs(both.vocab), strict=True):
        assert shown(again)[:-2] == shown(doc)[:-2]
        assert again._.diagnoses == doc._.diagnoses


def test_the_config_holds_all_settings_as_json(entities: Language, tagger_folder: Path) -> None:
    held = json.loads(json.dumps(entities.config["components"]["clinlp_entities"]))
    assert held == {
        "factory": "clinlp_entities",
        "model": str(tagger_folder),
        "spans_key": "entities",
        "annotate_ents": True,
        "overwrite_ents": False,
        "context": True,
        "device": "cpu",
        "precision": "auto",
    }


def test_the_labels_are_known_once_the_model_is_loaded(both: Language) -> None:
    assert both.pipe_labels["clinlp_entities"] == []
    both.initialize()
    assert both.pipe_labels == {"clinlp_entities": ["DISEASE", "DRUG", "SYMPTOM"], "clinlp_diagnosis": ["I10", "J18.9"]}


def test_pipes_say_what_they_write(both: Language) -> None:
    found = both.analyze_pipes()
    assert "doc.spans" in found["summary"]["clinlp_entities"]["assigns"]
    assert "doc.cats" in found["summary"]["clinlp_diagnosis"]["assigns"]
    assert not any(found["problems"].values())


@pytest.mark.parametrize("task", ["entities", "diagnosis"])
def test_the_bundled_model_of_the_language_is_the_default(nlp: Language, lang: str, task: str, tmp_path: Path) -> None:
    if f"{task}-{lang}" not in list_bundled():
        pytest.skip("this model does not ship")
    pipe = nlp.add_pipe(f"clinlp_{task}", config=SETTINGS)
    [doc] = nlp.pipe(PROBES[lang][:1])
    assert pipe.model == f"{task}-{lang}"
    nlp.to_disk(tmp_path)
    other = spacy.load(tmp_path)(PROBES[lang][0])
    assert [(ent.start, ent.label_) for ent in other.ents] == [(ent.start, ent.label_) for ent in doc.ents]
    assert other.cats == pytest.approx(doc.cats, abs=1e-5)


# what is missing


def test_a_path_counts_from_where_the_pipe_was_made(
    nlp: Language, lang: str, tagger_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tagger_folder.parent)
    nlp.add_pipe("clinlp_entities", config={"model": tagger_folder.name, **SETTINGS})
    monkeypatch.chdir(tmp_path)
    assert nlp(PROBES[lang][0]).ents


def test_a_model_that_is_not_there_is_said_at_the_first_text(nlp: Language) -> None:
    nlp.add_pipe("clinlp_entities", config={"model": "no/such/model"})
    wanted = "clinlp_entities: no/such/model: a model folder or one of .* needed, got neither"
    with pytest.raises(UsageError, match=wanted):
        nlp("a")
    with pytest.raises(UsageError, match=wanted):
        list(nlp.pipe(["a"]))
    with pytest.raises(UsageError, match=wanted):
        nlp.initialize()


def test_a_missing_model_is_no_matter_for_the_error_handler_of_docs(nlp: Language) -> None:
    nlp.add_pipe("clinlp_entities", config={"model": "no/such/model"})
    nlp.set_error_handler(lambda *_: None)
    with pytest.raises(UsageError, match="got neither"):
        list(nlp.pipe(["a"]))


def test_a_model_of_another_task_is_refused(nlp: Language, diagnoser_folder: Path) -> None:
    nlp.add_pipe("clinlp_entities", config={"model": str(diagnoser_folder), **SETTINGS})
    with pytest.raises(UsageError, match="a model of entities needed, got one of diagnosis"):
        nlp("a")


@pytest.mark.parametrize("task", ["entities", "diagnosis"])
def test_a_language_without_a_bundled_model_needs_one_named(task: str, tagger_folder: Path) -> None:
    german = spacy.blank("de")
    with pytest.raises(UsageError, match=f"clinlp_{task}: a model needed in the config of a pipeline of language de"):
        german.add_pipe(f"clinlp_{task}")


def test_another_language_reads_each_text_by_its_script(tagger_folder: Path, own_tokens: dict[str, Any]) -> None:
    many = spacy.blank("xx", config=own_tokens)
    many.add_pipe("clinlp_entities", config={"model": str(tagger_folder), **SETTINGS})
    for lang in ("en", "zh"):
        assert many(PROBES[lang][0]).ents[0]._.negated


def test_a_trained_phi_tagger_travels_with_the_pipeline(tmp_path: Path) -> None:
    """The rules miss the name, the tagger finds it: after saving, from bytes, and in worker processes."""

    def found(doc: Doc) -> list[str]:
        return [span.text for span in doc.spans["phi"]]

    text = "zorblatt came."
    reader = LexicalPieces.build([text])
    tagger = Tagger(
        TaggerConfig(task="phi", encoder=LstmConfig(n_words=reader.n_words, hidden=8, word_width=8), labels=("NAME",))
    )
    with torch.no_grad():
        for weights in tagger.parameters():
            weights.zero_()
        tagger.emit.bias[4] = 50.0  # S-NAME at every piece
    save_model(tmp_path / "tagger", tagger)
    reader.save(tmp_path / "tagger")
    nlp = spacy.blank("en")
    nlp.add_pipe("clinlp_phi", config={"model": str(tmp_path / "tagger")})
    assert found(nlp(text)) == [text]
    nlp.to_disk(tmp_path / "saved")
    shutil.rmtree(tmp_path / "tagger")
    again = spacy.load(tmp_path / "saved")
    assert found(again(text)) == [text]
    assert [found(doc) for doc in again.pipe([text] * 3, n_process=2)] == [[text]] * 3
    other = spacy.blank("en")
    other.add_pipe("clinlp_phi", config={"model": "anything"})
    assert found(other.from_bytes(again.to_bytes())(text)) == [text]


def test_gold_codes_never_pass_for_predicted_ones(nlp: Language, lang: str, diagnoser_folder: Path) -> None:
    pipe = nlp.add_pipe("clinlp_diagnosis", config={"model": str(diagnoser_folder)})
    doc = note_to_doc(Note("n", PROBES[lang][0], diagnoses=(Diagnosis("Q00.0"),)), nlp)
    doc.cats["of another component"] = 0.3
    assert doc.cats["Q00.0"] == 1.0
    doc = pipe(doc)
    assert doc.cats.keys() == {each.code for each in doc._.diagnoses} | {"of another component"}
    assert "Q00.0" not in doc.cats
