"""Chinese words by a segmenter of the user's choice: offsets exact, all else as without one."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import MissingExtraError, UsageError
from clinlp.text import segment as module
from clinlp.text.segment import load_segmenter, segment
from clinlp.text.tokens import tokenize

TEXT = "患者BP 120/80mmHg，予阿司匹林100mg口服。"


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A jieba whose words are pairs of characters."""

    class Tokenizer:
        def lcut(self, run: str) -> list[str]:
            return [run[at : at + 2] for at in range(0, len(run), 2)]

    monkeypatch.setitem(sys.modules, "jieba", SimpleNamespace(Tokenizer=Tokenizer, setLogLevel=lambda level: None))
    load_segmenter.cache_clear()
    yield
    load_segmenter.cache_clear()


def test_runs_of_characters_become_words_and_the_rest_stays(pairs: None) -> None:
    words = [TEXT[start:end] for start, end in segment(TEXT, "jieba")]
    assert words == ["患者", "BP", "120/80", "mmHg", "，", "予阿", "司匹", "林", "100", "mg", "口服", "。"]


@given(st.text(st.sampled_from("患者无发热，BP 12.\n血压"), max_size=30))
def test_words_are_joined_tokens(text: str) -> None:
    module_cut = lambda run: [run[:3], run[3:]] if len(run) > 3 else [run]  # noqa: E731
    words = list(module._words(text, module_cut))
    borders = {at for token in tokenize(text) for at in token}
    assert {at for word in words for at in word} <= borders
    assert "".join(text[start:end] for start, end in words) == "".join(text[start:end] for start, end in tokenize(text))


def test_a_segmenter_that_changes_the_text_is_not_heard() -> None:
    assert list(module._words("患者无", lambda run: [run[:2]])) == tokenize("患者无")


def test_the_tokenizer_of_a_pipeline_segments(pairs: None) -> None:
    config = {"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1", "segmenter": "jieba"}}}
    nlp = spacy.blank("zh", config=config)
    doc = nlp(TEXT)
    assert doc.text == TEXT
    assert [token.text for token in doc][-3:] == ["mg", "口服", "。"]
    again = spacy.blank("zh").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert [token.text for token in again(TEXT)] == [token.text for token in doc]


@pytest.mark.parametrize("name", ["thulac", "pkuseg", "jieba:x", ""])
def test_an_unknown_segmenter_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="segmenter: jieba or pkuseg:FOLDER needed, got"):
        segment(TEXT, name)


@pytest.mark.parametrize(("package", "name"), [("jieba", "jieba"), ("spacy_pkuseg", "pkuseg:x")])
def test_a_segmenter_that_is_not_installed_names_the_extra(
    package: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    load_segmenter.cache_clear()
    with pytest.raises(MissingExtraError, match=r"clinlp-emr\[segment\]"):
        segment(TEXT, name)


def test_jieba_itself() -> None:
    pytest.importorskip("jieba")
    load_segmenter.cache_clear()
    words = [TEXT[start:end] for start, end in segment(TEXT, "jieba")]
    assert "患者" in words
    assert "".join(words) == "".join(TEXT.split())


def test_a_pkuseg_model_needs_to_be_there() -> None:
    pytest.importorskip("spacy_pkuseg")
    with pytest.raises(UsageError, match="the folder of a pkuseg model needed, got none"):
        segment(TEXT, "pkuseg:nowhere")
