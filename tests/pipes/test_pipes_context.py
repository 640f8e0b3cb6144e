"""`clinlp_sections` and `clinlp_context`: the context of any component's entities, and how the pipes travel."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from clinlp.errors import UsageError
from clinlp.pipes import doc_to_note
from clinlp.spans import Context, Cue
from clinlp.spans import Span as NoteSpan
from clinlp.text.context import add_context
from clinlp.text.sections import find_sections

TEXTS = {
    "en": "HPI: He has no fever but chills.\nPAST MEDICAL HISTORY:\nAsthma.\nFAMILY HISTORY:\nGout.",
    "zh": "现病史：患者无发热，有寒战。\n既往史：\n哮喘。\n家族史：\n痛风。",
}
TERMS = {"en": ["fever", "chills", "asthma", "gout"], "zh": ["发热", "寒战", "哮喘", "痛风"]}
EXPECTED = [
    Context(negated=True),
    Context(),
    Context(historical=True),
    Context(experiencer="family"),
]
BODIES = {
    "en": [
        ("He has no fever but chills.", "history_of_present_illness"),
        ("Asthma.", "past_history"),
        ("Gout.", "family_history"),
    ],
    "zh": [
        ("患者无发热，有寒战。", "history_of_present_illness"),
        ("哮喘。", "past_history"),
        ("痛风。", "family_history"),
    ],
}


def with_terms(nlp: Language, lang: str) -> Language:
    """A pipeline with entities from spaCy's own ruler."""
    ruler: Any = nlp.add_pipe("entity_ruler")
    for term in TERMS[lang]:
        words = [term] if lang == "en" else list(term)
        ruler.add_patterns([{"label": "FINDING", "pattern": [{"LOWER": word} for word in words]}])
    return nlp


@pytest.fixture
def whole(nlp: Language, lang: str) -> Language:
    with_terms(nlp, lang)
    nlp.add_pipe("clinlp_sections")
    nlp.add_pipe("clinlp_context")
    return nlp


def shown(doc: Doc) -> list[Any]:
    ents = [(ent.text, ent.label_, ent._.context, ent._.cues, ent._.negated) for ent in doc.ents]
    return [doc.text, ents, [(span.text, span.label_) for span in doc.spans["sections"]]]


def test_entities_of_another_component_get_their_context(whole: Language, lang: str) -> None:
    doc = whole(TEXTS[lang])
    assert [ent._.context for ent in doc.ents] == EXPECTED
    assert [ent._.negated for ent in doc.ents] == [True, False, False, False]
    assert doc.ents[3]._.experiencer == "family"
    assert [doc.text[start:end] for start, end, _ in doc.ents[0]._.cues] == [{"en": "no", "zh": "无"}[lang]]
    assert [(span.text, span.label_) for span in doc.spans["sections"]] == BODIES[lang]


@pytest.mark.parametrize("tokenizer", [None, "own"])
def test_the_pipe_says_what_the_call_says(lang: str, tokenizer: str | None, own_tokens: dict[str, Any]) -> None:
    nlp = with_terms(spacy.blank(lang, config=own_tokens if tokenizer else {}), lang)
    nlp.add_pipe("clinlp_context")
    text = TEXTS[lang]
    spans = [
        NoteSpan(text.lower().index(term), text.lower().index(term) + len(term), "FINDING") for term in TERMS[lang]
    ]
    expected = add_context(text, spans, lang, find_sections(text, lang))
    found = doc_to_note(nlp(text), note_id="n").entities
    assert found == expected
    assert [span.context and span.context.cues for span in found] == [
        span.context and span.context.cues for span in expected
    ]


def test_sections_are_found_where_no_pipe_did_so(nlp: Language, lang: str) -> None:
    with_terms(nlp, lang).add_pipe("clinlp_context")
    doc = nlp(TEXTS[lang])
    assert [ent._.context for ent in doc.ents] == EXPECTED
    assert "sections" not in doc.spans


def test_sections_that_are_given_count(nlp: Language) -> None:
    nlp.add_pipe("clinlp_context")
    doc = nlp.make_doc("Seen today. Gout.")
    doc.ents = [Span(doc, 3, 4, "X")]
    doc.spans["sections"] = [Span(doc, 3, 5, "past_history")]
    nlp.get_pipe("clinlp_context")(doc)  # type: ignore[operator]
    assert doc.ents[0]._.historical


def test_groups_of_spans_get_a_context_and_keep_the_rest(nlp: Language, lang: str) -> None:
    pipe: Any = nlp.add_pipe("clinlp_context", config={"spans_keys": ["found", "more"]})
    doc = nlp.make_doc(TEXTS[lang])
    doc.ents = [Span(doc, 0, 1, "X")]
    doc.spans["found"] = [Span(doc, 0, 1, "A"), Span(doc, 0, 1, "B")]
    doc.spans["other"] = [Span(doc, 2, 3, "C")]
    doc.user_data["mine"] = 1
    before = [token.text for token in doc]
    pipe(doc)
    assert [span._.context for span in (*doc.ents, *doc.spans["found"])] == [Context()] * 3
    assert doc.spans["other"][0]._.context is None
    assert ([token.text for token in doc], doc.user_data["mine"]) == (before, 1)


def test_an_entity_keeps_its_score_and_its_exact_borders() -> None:
    from clinlp.pipes.convert import set_spans

    nlp = spacy.blank("en")
    pipe: Any = nlp.add_pipe("clinlp_context")
    doc = nlp.make_doc("No x/fever.")
    set_spans(doc, "entities", [NoteSpan(3, 10, "X", 0.75)], "contract")
    pipe(doc)
    [span] = doc.spans["entities"]
    assert (span._.score, span._.negated, span._.cues) == (0.75, True, (Cue(0, 2, "negated"),))


def test_pipes_come_back_from_disk_bytes_and_a_pickle(whole: Language, lang: str, tmp_path: Path) -> None:
    expected = shown(whole(TEXTS[lang]))
    whole.to_disk(tmp_path)
    from_bytes = spacy.blank(lang).from_config(whole.config).from_bytes(whole.to_bytes())
    for other in (spacy.load(tmp_path), from_bytes, pickle.loads(pickle.dumps(whole))):  # noqa: S301
        assert shown(other(TEXTS[lang])) == expected


def test_two_processes_and_batches_say_the_same(whole: Language, lang: str) -> None:
    texts = [TEXTS[lang], "", "无 no"] * 3
    expected = [shown(whole(text)) for text in texts]
    assert [shown(doc) for doc in whole.pipe(texts, n_process=2, batch_size=4)] == expected
    assert [shown(doc) for doc in whole.pipe(texts, batch_size=2)] == expected


def test_a_docbin_holds_what_was_found(whole: Language, lang: str) -> None:
    doc = whole(TEXTS[lang])
    held = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    [back] = DocBin().from_bytes(held).get_docs(spacy.blank(lang).vocab)
    assert shown(back) == shown(doc)


RULES = 'section_names = ["wounds"]\n[context.negated]\nbefore = ["nary a"]\n[sections]\nwounds = ["dressings"]\n'


def test_rules_of_ones_own_travel_with_the_pipeline(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(RULES, "utf-8")
    nlp = with_terms(spacy.blank("en"), "en")
    nlp.add_pipe("clinlp_sections", config={"rules": str(path)})
    nlp.add_pipe("clinlp_context", config={"rules": str(path)})
    text = "DRESSINGS:\nNary a fever. No chills."
    expected = shown(nlp(text))
    assert [context.negated for _, _, context, _, _ in expected[1]] == [True, True]
    assert expected[2] == [("Nary a fever. No chills.", "wounds")]
    nlp.to_disk(tmp_path / "saved")
    data, config = nlp.to_bytes(), nlp.config
    copied = pickle.loads(pickle.dumps(nlp))  # noqa: S301
    assert shown(copied(text)) == expected
    assert [shown(doc) for doc in nlp.pipe([text] * 2, n_process=2, batch_size=1)] == [expected] * 2
    config["components"]["clinlp_sections"]["rules"] = config["components"]["clinlp_context"]["rules"] = None
    assert shown(spacy.blank("en").from_config(config).from_bytes(data)(text)) == expected
    overrides = {"components.clinlp_sections.rules": None, "components.clinlp_context.rules": None}
    path.unlink()
    assert shown(spacy.load(tmp_path / "saved", config=overrides)(text)) == expected
    assert shown(spacy.load(tmp_path / "saved")(text)) == expected  # the file that the config names is gone


@pytest.mark.parametrize("pipe", ["clinlp_sections", "clinlp_context"])
def test_broken_rules_are_refused_when_the_pipe_is_made_and_missing_ones_at_the_first_text(
    pipe: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    nlp = spacy.blank("en")
    nlp.add_pipe(pipe, config={"rules": str(path)})
    with pytest.raises(UsageError, match="rule file needed, got none"):
        nlp("No fever.")
    path.write_text("x = 1", "utf-8")
    with pytest.raises(UsageError, match=":1: unknown key 'x'"):
        spacy.blank("en").add_pipe(pipe, config={"rules": str(path)})


def test_a_pipeline_of_another_language_is_told_note_by_note() -> None:
    nlp = spacy.blank("de")
    nlp.add_pipe("clinlp_context")
    doc = nlp.make_doc("患者 无 发热")
    doc.ents = [Span(doc, 2, 3, "X")]
    nlp.get_pipe("clinlp_context")(doc)  # type: ignore[operator]
    assert doc.ents[0]._.negated
