"""The tokenizer, the sentences and the PHI of a pipeline, and what happens to a Doc that fails."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from clinlp.deid import default_detectors, find_phi
from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.pipes.base import NotePipe
from clinlp.pipes.prose import ClinicalTokenizer
from clinlp.text.sentences import split_sentences
from clinlp.text.tokens import tokenize

SPACY = spacy.blank("en")
TOKENIZER = ClinicalTokenizer(SPACY.vocab)
PHI_TEXTS = {
    "en": "Seen by Dr. Jane Doe on 03/12/2021, phone 555-123-4567.",
    "zh": "患者张伟，联系电话13812345678，于2021年3月12日入院。",
}
SENTENCES = {
    "en": "  No fever.  He has chest pain.\n\n1. ECG\n2. Troponin ",
    "zh": "患者无发热。  胸痛3天！\n\n查体：心率80次/分。",
}

# tokens


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_doc_has_the_text_exactly(text: str) -> None:
    assert TOKENIZER(text).text == text


@given(st.text(st.sampled_from("a1. \n\t\u3000患，")))
def test_tokens_are_the_clinical_ones(text: str) -> None:
    doc = TOKENIZER(text)
    assert [(token.idx, token.idx + len(token)) for token in doc if not token.is_space] == tokenize(text)


@given(st.text(st.sampled_from("kq \n\t\u3000")))
def test_white_space_is_cut_as_spacy_cuts_it(text: str) -> None:
    assert [token.text_with_ws for token in TOKENIZER(text)] == [token.text_with_ws for token in SPACY.make_doc(text)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a b", ["a ", "b"]),
        ("a  b", ["a ", " ", "b"]),
        ("a \n b ", ["a ", "\n ", "b "]),
        (" a", [" ", "a"]),
        ("a\nb", ["a", "\n", "b"]),
        ("血压120/80mmHg", ["血", "压", "120/80", "mmHg"]),
        ("", []),
    ],
)
def test_white_space_belongs_where_spacy_puts_it(text: str, tokens: list[str]) -> None:
    assert [token.text_with_ws for token in TOKENIZER(text)] == tokens


def test_half_of_a_surrogate_pair_is_refused_without_quoting_the_text() -> None:
    with pytest.raises(DataError, match="text without lone surrogates needed") as caught:
        TOKENIZER("Zebediah\ud800")
    assert caught.value.__context__ is None


# sentences


def test_sentences_begin_where_the_splitter_says(nlp: Language, lang: Any) -> None:
    nlp.add_pipe("clinlp_sentences")
    doc = nlp(SENTENCES[lang])
    found = [sent.text.strip() for sent in doc.sents]
    assert found == [doc.text[start:end] for start, end in split_sentences(doc.text, lang)]
    assert "".join(sent.text_with_ws for sent in doc.sents) == doc.text
    assert all(token.is_sent_start is not None for token in doc)


@given(st.text(st.sampled_from("aB1. \n，。患；")), st.sampled_from(["en", "zh"]))
def test_every_text_has_sentences(text: str, lang: str) -> None:
    doc = SPLITTERS[lang](text)
    assert "".join(sent.text_with_ws for sent in doc.sents) == text


@pytest.fixture(scope="module", autouse=True)
def splitters(own_tokens: dict[str, Any]) -> None:
    for lang in ("en", "zh"):
        SPLITTERS[lang] = spacy.blank(lang, config=own_tokens)
        SPLITTERS[lang].add_pipe("clinlp_sentences")


SPLITTERS: dict[str, Language] = {}


def test_sentences_fit_other_tokenizers(lang: str) -> None:
    nlp = spacy.blank(lang)
    nlp.add_pipe("clinlp_sentences")
    assert len(list(nlp(SENTENCES[lang]).sents)) >= 3


def test_a_parsed_doc_is_refused() -> None:
    pipe = spacy.blank("en").add_pipe("clinlp_sentences")
    doc = Doc(Vocab(), words=["No", "fever"], heads=[1, 1], deps=["det", "ROOT"])
    with pytest.raises(DataError, match="put the pipe before the parser"):
        pipe(doc)


# PHI


def test_the_phi_pipe_finds_what_the_rules_find(nlp: Language, lang: str) -> None:
    nlp.add_pipe("clinlp_phi", config={"model": "off"})
    doc = nlp(PHI_TEXTS[lang])
    [note] = find_phi([Note("n", doc.text)], default_detectors())
    assert len(note.phi) >= 3
    found = [(span.start_char, span.end_char, span.label_, span._.score) for span in doc.spans["phi"]]
    assert found == [(span.start, span.end, span.label, span.score) for span in note.phi]
    assert not doc.ents


def test_phi_may_become_entities(nlp: Language, lang: str) -> None:
    nlp.add_pipe("clinlp_phi", config={"annotate_ents": True, "spans_key": "hidden"})
    doc = nlp(PHI_TEXTS[lang])
    assert [(ent.text, ent.label_) for ent in doc.ents] == [(span.text, span.label_) for span in doc.spans["hidden"]]


def test_phi_that_cuts_a_token_takes_it_in() -> None:
    pipe = spacy.blank("en").add_pipe("clinlp_phi")
    text = "Phone:555-123-4567/home"
    doc = pipe(Doc(Vocab(), words=["Phone:555", "-", "123-4567/home"], spaces=[False] * 3))
    [span] = doc.spans["phi"]
    assert span.text == text


def test_all_ages_can_be_asked_for() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("clinlp_phi", config={"all_ages": True})
    doc = nlp("A 54-year-old man.")
    assert [span.label_ for span in doc.spans["phi"]] == ["AGE"]


# travels


@pytest.fixture
def rules(nlp: Language) -> Language:
    nlp.add_pipe("clinlp_sentences")
    nlp.add_pipe("clinlp_phi", config={"annotate_ents": True})
    return nlp


def shown(doc: Doc) -> list[Any]:
    spans = [(span.text, span.label_, span._.score) for span in doc.spans["phi"]]
    return [doc.text, [token.text for token in doc], [sent.text for sent in doc.sents], spans]


def test_rules_come_back_from_disk_bytes_and_a_pickle(rules: Language, lang: str, tmp_path: Path) -> None:
    rules.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    from_bytes = spacy.blank(lang).from_config(rules.config).from_bytes(rules.to_bytes())
    unpickled = pickle.loads(pickle.dumps(rules))  # noqa: S301
    for other in (loaded, from_bytes, unpickled):
        assert isinstance(other.tokenizer, ClinicalTokenizer)
        assert shown(other(PHI_TEXTS[lang])) == shown(rules(PHI_TEXTS[lang]))


def test_two_processes_apply_the_rules(rules: Language, lang: str) -> None:
    texts = [PHI_TEXTS[lang], SENTENCES[lang], ""] * 4
    found = [shown(doc) for doc in rules.pipe(texts, n_process=2, batch_size=5)]
    assert found == [shown(rules(text)) for text in texts]


# a Doc that fails

PATIENT = "Zebediah Quill"


class _Failing(NotePipe):
    """Fails on some texts, with an error that quotes them, as foreign code may."""

    def predict(self, notes: Any) -> Any:
        for note in notes:
            if PATIENT in note.text:
                raise RuntimeError(note.text)
        return notes

    def set_annotations(self, doc: Doc, note: Note) -> None:
        doc.cats["seen"] = 1.0


@Language.factory("failing")
def make_failing(nlp: Language, name: str) -> _Failing:
    return _Failing(name, nlp.lang)


@pytest.mark.parametrize("n_process", [1, 2])
def test_one_bad_doc_goes_to_the_error_handler_and_stops_no_other(nlp: Language, n_process: int) -> None:
    nlp.add_pipe("failing")
    nlp.set_error_handler(lambda *_: None)
    docs = list(nlp.pipe(["one", f"two {PATIENT}", "three"], n_process=n_process))
    assert [(doc.text, doc.cats) for doc in docs] == [("one", {"seen": 1.0}), ("three", {"seen": 1.0})]


def test_the_error_handler_gets_the_doc_and_no_words_of_it(nlp: Language) -> None:
    pipe = nlp.add_pipe("failing", name="mine")
    calls: list[Any] = []
    nlp.set_error_handler(lambda *given: calls.append(given))
    list(nlp.pipe(["one", PATIENT]))
    [(name, proc, [doc], error)] = calls
    assert (name, proc, doc.text) == ("mine", pipe, PATIENT)
    assert str(error) == "mine: a Doc that can be annotated needed, got RuntimeError"


@pytest.mark.parametrize("how", ["call", "pipe", "processes"])
def test_no_error_quotes_the_text(nlp: Language, how: str) -> None:
    import traceback

    nlp.add_pipe("failing")
    with pytest.raises(ValueError, match="got RuntimeError") as caught:
        if how == "call":
            nlp(PATIENT)
        else:
            list(nlp.pipe([PATIENT], n_process=2 if how == "processes" else 1))
    assert PATIENT not in "".join(traceback.format_exception(caught.value))
