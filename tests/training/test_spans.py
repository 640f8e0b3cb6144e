"""Models of nested entities: learned by heart, saved, and used like any other."""

from __future__ import annotations

import json

import pytest
import spacy
import torch
from safetensors.torch import load_file

from clinlp import Note, Span, UsageError, read_notes, write_notes
from clinlp.cli import main
from clinlp.data.features import Loss
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.metrics.entities import score_entities
from clinlp.models.store import load_model, save_model
from clinlp.spans import flatten
from clinlp.training.config import EntitiesConfig, PhiConfig
from clinlp.training.finetune import finetune_entities

CASES = {
    "en": [
        (
            "Admitted with acute left ventricular failure; denies chest pain.",
            [
                ("acute left ventricular failure", "DISEASE"),
                ("left ventricular", "ANATOMY"),
                ("chest pain", "SYMPTOM"),
                ("chest", "ANATOMY"),
            ],
        ),
        (
            "Lung cancer screening by chest CT.",
            [
                ("Lung cancer screening", "TEST"),
                ("Lung cancer", "DISEASE"),
                ("Lung", "ANATOMY"),
                ("cancer screening by", "PROCEDURE"),  # crosses the first
                ("chest CT", "TEST"),
            ],
        ),
        ("Kidney stone, kidney biopsy.", [("Kidney stone", "DISEASE"), ("Kidney", "ANATOMY"), ("biopsy", "TEST")]),
        ("No complaints today.", []),
    ],
    "zh": [
        (
            "患者左侧胸痛，考虑急性心肌梗死。",
            [("左侧胸痛", "SYMPTOM"), ("胸", "ANATOMY"), ("急性心肌梗死", "DISEASE"), ("心肌", "ANATOMY")],
        ),
        (
            "行肺癌根治术，肺癌分期二期。",
            [("肺癌根治术", "PROCEDURE"), ("肺癌", "DISEASE"), ("肺", "ANATOMY"), ("癌分期", "TEST")],
        ),
        (
            "肾结石，行肾穿刺活检。",
            [("肾结石", "DISEASE"), ("肾", "ANATOMY"), ("肾穿刺活检", "PROCEDURE"), ("活检", "TEST")],
        ),
        ("无不适。", []),
    ],
}


def notes_of(lang):
    notes = []
    for at, (text, mentions) in enumerate(CASES[lang]):
        spans = tuple(Span(text.index(words), text.index(words) + len(words), label) for words, label in mentions)
        notes.append(Note(f"{lang}{at}", text, lang=lang, entities=spans))
    return notes


def config(path, out, **options):
    settings = {
        "epochs": 24,
        "batch_pieces": 64,
        "hidden": 32,
        "learning_rate": 0.01,
        "head_learning_rate": 0.01,
        "dropout": 0.0,
        "word_dropout": 0.0,
        "seed": 3,
    }
    return EntitiesConfig.load(None, train=(path,), dev=(path,), out=out, **settings | options)


@pytest.fixture(scope="module", params=["en", "zh"])
def lang(request):
    return request.param


@pytest.fixture(scope="module")
def nested(lang, tmp_path_factory):
    """Four notes with nested and crossing entities."""
    path = tmp_path_factory.mktemp(f"nested-{lang}") / "notes.jsonl"
    write_notes(notes_of(lang), path)
    return path


@pytest.fixture(scope="module")
def learned(nested, tmp_path_factory):
    """A model that knows them by heart, and what its run told."""
    told = []
    best = finetune_entities(
        config(nested, tmp_path_factory.mktemp("learned") / "run", head="pointer"), tell=told.append
    )
    return best, told


def test_a_pointer_learns_nested_notes_by_heart(nested, learned):
    best, told = learned
    notes = list(read_notes(nested))
    predicted = EntityPredictor.load(best, device="cpu")(notes)
    assert score_entities(notes, predicted).micro.f1 == 1.0
    assert all(0.5 <= span.score <= 1 for note in predicted for span in note.entities)
    assert isinstance(told[0], Loss)
    assert str(told[0]) == f"4 notes; {sum(len(note.entities) for note in notes)} spans"
    assert told[1].loss > told[-1].loss


def test_a_biaffine_scorer_learns_nested_notes_by_heart(nested, tmp_path):
    best = finetune_entities(config(nested, tmp_path / "run", head="biaffine"))
    notes = list(read_notes(nested))
    assert score_entities(notes, EntityPredictor.load(best, device="cpu")(notes)).micro.f1 == 1.0


def test_a_transformer_with_a_pointer_learns_four_notes_by_heart(four_notes, tiny_bert, tmp_path):
    options = {"encoder": str(tiny_bert), "learning_rate": 3e-3}
    best = finetune_entities(config(four_notes, tmp_path / "run", head="pointer", **options))
    notes = list(read_notes(four_notes))
    predictor = EntityPredictor.load(best, device="cpu", precision="fp32")
    assert predictor.tagger.config.flat  # as its notes were
    assert score_entities(notes, predictor(notes)).micro.f1 == 1.0


def test_a_saved_model_gives_the_same_spans_and_scores(nested, learned, tmp_path):
    best, _ = learned
    held, reader = load_model(best), EntityPredictor.load(best).reader
    save_model(tmp_path / "again", held)
    reader.save(tmp_path / "again")
    texts = [note.text for note in read_notes(nested)]
    one, other = EntityPredictor(held, reader).find(texts), EntityPredictor.load(tmp_path / "again").find(texts)
    assert [[(span, span.score) for span in spans] for spans in one] == [
        [(span, span.score) for span in spans] for spans in other
    ]
    assert load_model(tmp_path / "again").config == held.config
    weights = [load_file(folder / "model.safetensors") for folder in (best, tmp_path / "again")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_spacy_holds_all_spans_and_shows_the_longest(nested, learned, lang, tmp_path):
    nlp = spacy.blank(lang, config={"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}})
    nlp.add_pipe("clinlp_entities", config={"model": str(learned[0]), "device": "cpu"})
    nlp.to_disk(tmp_path / "nlp")
    again = spacy.load(tmp_path / "nlp")
    for note in read_notes(nested):
        for pipeline in (nlp, again):
            doc = pipeline(note.text)
            spans = doc.spans["entities"]
            assert {(s.start_char, s.end_char, s.label_) for s in spans} == {
                (s.start, s.end, s.label) for s in note.entities
            }
            assert all(s._.score >= 0.5 and s._.context is not None for s in spans)
            shown = [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
            assert shown == [(s.start, s.end, s.label) for s in flatten(note.entities)]


def test_the_pipeline_carries_nested_entities_into_released_text(nested, learned, lang):
    notes = list(read_notes(nested))
    wanted = [note.entities for note in notes]
    config_of = PipelineConfig(entities=str(learned[0]), diagnosis="off", device="cpu")
    bare = [Note(note.note_id, note.text, lang=note.lang) for note in notes]
    found = Pipeline(config_of)(bare)
    assert [{(s.start, s.end, s.label) for s in note.entities} for note in found] == [
        {(s.start, s.end, s.label) for s in spans} for spans in wanted
    ]


def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_the_command_line_annotates_and_evaluates_with_such_a_model(nested, learned, tmp_path):
    assert command("evaluate", learned[0], nested, "--json", tmp_path / "scores.json") == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["entities"]["strict"]["micro"]["f1"] == 1.0
    bare = tmp_path / "bare.jsonl"
    notes = list(read_notes(nested))
    write_notes([Note(note.note_id, note.text) for note in notes], bare)
    options = ["--entities", learned[0], "--diagnosis", "off", "--deid", "off", "--device", "cpu"]
    assert command("annotate", bare, "--out", tmp_path / "out", *options) == 0
    assert (
        command("evaluate", tmp_path / "out", nested, "--attribute", "entities", "--json", tmp_path / "two.json") == 0
    )
    assert json.loads((tmp_path / "two.json").read_text())["entities"] == scores["entities"]


def test_the_command_line_trains_such_a_model(nested, tmp_path):
    options = ["--epochs", "1", "--hidden", "16", "--max-width", "5"]
    out = tmp_path / "run"
    assert (
        command("train", "entities", "--train", nested, "--dev", nested, "-o", out, "--head", "pointer", *options) == 0
    )
    held = load_model(out / "best").config
    assert (held.head, held.max_width) == ("pointer", 5)


def test_a_tagger_of_phi_tags_pieces(nested, tmp_path):
    with pytest.raises(UsageError, match="head: Input should be 'crf' or 'linear'"):
        PhiConfig.load(None, train=(nested,), out=tmp_path / "run", head="pointer")
    assert command("train", "phi", "--train", nested, "-o", tmp_path / "run", "--head", "pointer") == 2
