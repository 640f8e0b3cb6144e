"""`clinlp train context`: what it learns, what it leaves to the rules, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clinlp.data.mentions import CLOSE, OPEN, effects_of, mention_notes, mentions
from clinlp.errors import DataError, UsageError
from clinlp.inference.config import PipelineConfig
from clinlp.inference.context import ContextPredictor
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Lang, Note
from clinlp.records import write_notes
from clinlp.spans import Context, Cue, Span
from clinlp.text.sections import find_sections
from clinlp.training.config import ContextConfig
from clinlp.training.context import finetune_context

SAID: dict[Lang, list[tuple[str, str, Context]]] = {
    "en": [("Zilch {} here.", "zed", Context(negated=True)), ("Truly {} here.", "zed", Context())],
    "zh": [("乌有{}矣。", "某症", Context(negated=True)), ("确有{}矣。", "某症", Context())],
}


def note_of(name: str, lang: Lang, form: str, word: str, context: Context | None) -> Note:
    at = form.index("{")
    return Note(name, form.replace("{}", word), lang=lang, entities=(Span(at, at + len(word), "X", None, context),))


def notes() -> list[Note]:
    return [
        note_of(f"{lang}-{at}-{number}", lang, *said)
        for lang, sentences in SAID.items()
        for at, said in enumerate(sentences)
        for number in range(4)
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    write_notes(notes(), folder / "notes.jsonl")
    config = ContextConfig(
        train=(folder / "notes.jsonl",),
        dev=(folder / "notes.jsonl",),
        out=folder / "run",
        epochs=12,
        hidden=16,
        word_width=16,
        learning_rate=0.02,
        head_learning_rate=0.02,
        word_dropout=0.0,
        batch_pieces=128,
    )
    return finetune_context(config)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_the_notes_show_is_learned_that_no_rule_knows(model: Path, lang: Lang) -> None:
    given = [note_of("n", lang, form, word, None) for form, word, _ in SAID[lang]]
    found = ContextPredictor.load(model, device="cpu")(given)
    assert [note.entities[0].context for note in found] == [context for _, _, context in SAID[lang]]
    assert [note.text for note in found] == [note.text for note in given]


def test_what_no_note_showed_the_rules_say_with_their_cues(model: Path) -> None:
    [found] = ContextPredictor.load(model, device="cpu")([note_of("n", "en", "Truly his mother had {}.", "zed", None)])
    context = found.entities[0].context
    assert context is not None
    assert (context.negated, context.experiencer) == (False, "family")
    assert context.cues == (Cue(10, 16, "experiencer"),)


def test_the_pipeline_takes_the_model(model: Path) -> None:
    config = PipelineConfig(phi="off", diagnosis="off", deid="off", keep_entities=True, context_model=str(model))
    pipeline = Pipeline(config)
    [found] = pipeline([note_of("n", "en", "Zilch {} here.", "zed", None)])
    assert isinstance(found, Note)
    assert found.entities[0].context == Context(negated=True)
    assert pipeline.models == (str(model),)
    assert pipeline.uses_models


def test_notes_without_contexts_are_refused(tmp_path: Path) -> None:
    bare = [replace(note, entities=()) for note in notes()]
    write_notes(bare, tmp_path / "bare.jsonl")
    config = ContextConfig(train=(tmp_path / "bare.jsonl",), dev=(tmp_path / "bare.jsonl",), out=tmp_path / "run")
    with pytest.raises(DataError, match="train: entities with a context that says something needed, got none"):
        finetune_context(config)


def test_a_model_of_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="diagnosis-en: a model of contexts needed, got one of codes such as"):
        ContextPredictor.load("diagnosis-en", device="cpu")
    with pytest.raises(UsageError, match="a model of diagnoses needed, got one of entities"):
        Pipeline(PipelineConfig(phi="off", context_model="entities-en"))


def test_each_entity_is_a_note_of_its_own() -> None:
    text = "PMH:\nGout. No fever,\nno rash."
    context = Context(negated=True, experiencer="family")
    spans = [Span(text.index(word), text.index(word) + len(word), "X", None, context) for word in ("Gout", "rash")]
    note = Note("n", text, patient_id="p", lang="en", entities=(*spans, Span(5, 7, "Y")))
    assert [one.text for one in mentions(note, "en", find_sections(text, "en"))] == [
        f"past history: PMH: {OPEN}Gout{CLOSE}.",
        f"past history: PMH: {OPEN}Go{CLOSE}ut.",
        f"past history: No fever,\nno {OPEN}rash{CLOSE}.",
    ]
    made = list(mention_notes([note]))
    assert [(each.note_id, each.patient_id) for each in made] == [("n#0", "p"), ("n#2", "p")]
    assert [item.code for item in made[0].diagnoses or ()] == ["negated", "family"]
    assert effects_of(Context(experiencer="other", historical=True)) == ("historical", "other")
