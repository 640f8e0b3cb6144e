"""Entities that the input brings are kept as they are, with the context that the text gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinlp.errors import UsageError
from clinlp.inference.config import PipelineConfig
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.spans import Context, Span

GIVEN = {
    "en": Note(
        "n",
        "Mr. Li denies fever. PMH: asthma. Cough noted.",
        lang="en",
        entities=(
            Span(14, 19, "MY_FINDING", 0.25),
            Span(26, 32, "MY_FINDING"),
            Span(34, 39, "MY_FINDING", None, Context(negated=True)),
        ),
    ),
    "zh": Note(
        "n",
        "患者无发热。既往史：哮喘。咳嗽3天。",
        lang="zh",
        entities=(Span(3, 5, "所见", 0.25), Span(10, 12, "所见"), Span(13, 15, "所见", None, Context(negated=True))),
    ),
}


def run(note: Note, **options: object) -> Note:
    config = PipelineConfig.load(None, phi="off", diagnosis="off", keep_entities=True, **options)
    pipeline = Pipeline(config)
    assert not pipeline.uses_models
    [found] = pipeline([note])
    assert isinstance(found, Note)
    return found


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("deid", ["off", "tag"])
def test_given_entities_get_a_context_and_stay_otherwise_as_they_are(lang: str, deid: str) -> None:
    given = GIVEN[lang]
    found = run(given, deid=deid)
    contexts = [Context(negated=True), Context(historical=True), Context(negated=True)]
    assert [span.context for span in found.entities] == contexts
    assert [(span.label, span.score) for span in found.entities] == [
        (span.label, span.score) for span in given.entities
    ]
    words = [given.text[span.start : span.end] for span in given.entities]
    assert [found.text[span.start : span.end] for span in found.entities] == words
    assert found.entities[0].context is not None
    [cue] = found.entities[0].context.cues
    assert found.text[cue.start : cue.end] in ("denies", "无")


def test_a_file_of_rules_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text('[context]\npseudo = ["denies"]\n[sections]\nlabs = ["pmh"]', "utf-8")
    found = run(GIVEN["en"], deid="off", rules=path)
    assert found.entities[0].context == Context()
    assert [span.label for span in found.sections] == ["labs"]


def test_broken_rules_are_said_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text("\nplan = 3", "utf-8")
    with pytest.raises(UsageError, match=r"ours\.toml:2: unknown key 'plan'"):
        Pipeline(PipelineConfig(phi="off", rules=path))


def test_a_model_beside_kept_entities_is_refused() -> None:
    with pytest.raises(UsageError, match="keep_entities: the records' entities or those of a model needed, got both"):
        PipelineConfig.load(None, keep_entities=True, entities="models/ours")
