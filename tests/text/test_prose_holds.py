"""Tokens, sentences, sections and context hold on any text: no exception, valid offsets, linear time.

CLINLP_CASES=100000 python -m pytest tests/text/test_prose_holds.py runs so many cases of each property.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinlp.note import Lang
from clinlp.spans import Span
from clinlp.text.context import add_context
from clinlp.text.sections import find_sections
from clinlp.text.sentences import split_sentences
from clinlp.text.tokens import tokenize

MANY = settings(
    max_examples=int(os.environ.get("CLINLP_CASES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PIECES = (
    *(
        "no ",
        "denies ",
        "without",
        "was ruled out",
        " cannot be excluded",
        "history of ",
        "PMH:",
        "mother ",
        "if ",
        "but ",
    ),
    *("fever", "chest pain", "Dr. ", "2.5mg", "10^9/L", "b.i.d.", "1. ", "- ", "(-)", "(+)", "?", ": no", "in 2010"),
    *(
        "无",
        "未见",
        "否认",
        "不除外",
        "待排",
        "考虑",
        "可能",
        "既往",
        "病史",
        "母亲",
        "如出现",
        "阴性",
        "（+）",
        "，",
        "、",
        "。",
        "；",
        "：",
    ),
    *("发热", "咳嗽", "主诉：", "家族史：", "【", "】", "１．", "（１）", "①", "％"),
    *(
        "\n",
        "\r\n",
        "\t",
        " ",
        "\u3000",
        "\xa0",
        "   ",
        "\x00",
        "\ud800",
        "😀",
        "e\u0301",
        "İ",
        "\u2028",
        "ﬁ",
        "ß",
        "½",
    ),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=()), max_size=8), max_size=40).map(
    "".join
)
PLACES = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 30)), max_size=8)
LANGS = st.sampled_from(["en", "zh"])


def ordered(text: str, offsets: list[tuple[int, int]]) -> str:
    """What ascending and disjoint offsets leave out."""
    at, left = 0, []
    for start, end in offsets:
        assert at <= start < end <= len(text)
        left.append(text[at:start])
        at = end
    return "".join([*left, text[at:]])


@MANY
@given(TEXTS)
def test_tokens_leave_out_white_space_alone(text: str) -> None:
    assert not ordered(text, tokenize(text)).strip()


@MANY
@given(TEXTS, LANGS)
def test_sentences_leave_out_white_space_alone_and_are_trimmed(text: str, lang: Lang) -> None:
    sentences = split_sentences(text, lang)
    assert not ordered(text, sentences).strip()
    assert all(text[start:end] == text[start:end].strip() for start, end in sentences)


@MANY
@given(TEXTS, LANGS)
def test_sections_are_spans_of_the_text_that_nest_or_lie_apart(text: str, lang: Lang) -> None:
    sections = find_sections(text, lang)
    for one in sections:
        assert text[one.start : one.end].strip()
        for other in sections:
            assert (
                other.end <= one.start
                or one.end <= other.start
                or (one.start - other.start) * (one.end - other.end) <= 0
            )


@MANY
@given(TEXTS, PLACES, LANGS)
def test_every_entity_gets_a_context_whose_cues_lie_in_the_text(
    text: str, places: list[tuple[int, int]], lang: Lang
) -> None:
    spans = [Span(at, min(at + n, len(text)), "X", 0.5) for at, n in places if at < len(text)]
    found = add_context(text, spans, lang, find_sections(text, lang))
    assert [(f.start, f.end, f.label, f.score) for f in found] == [(s.start, s.end, s.label, s.score) for s in spans]
    for span in found:
        assert span.context is not None
        assert all(0 <= cue.start < cue.end <= len(text) for cue in span.context.cues)


PARTS: dict[str, Callable[[str, Lang], object]] = {
    "tokens": lambda text, _: tokenize(text),
    "sentences": split_sentences,
    "sections": find_sections,
    "context": lambda text, lang: add_context(
        text, [Span(at, at + 3, "X") for at in range(0, len(text) - 3, 200)], lang, find_sections(text, lang)
    ),
}
UNITS = (
    "no ",
    " ",
    "([{",
    "无",
    "1.1.",
    "no:\n",
    "PLAN:\n",
    "denies:\n- ",
    "1. a 2. b ",
    "母亲",
    "无，",
    "\n",
    "no evidence ",
    "：",
    "，,",
    "-",
    "?",
    "\"'",
    "7",
    "no history of denies possible ",
    "无可能既往否认母亲",
    "既往史：\n",
)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("part", list(PARTS))
def test_time_is_linear_in_the_length(part: str, unit: str) -> None:
    run = PARTS[part]
    for lang in ("en", "zh"):
        run("no fever", lang)  # rules are read at the first call
        text = unit * (30_000 // len(unit))
        began = time.process_time()
        run(text, lang)
        assert time.process_time() - began < 2  # a quadratic pass takes minutes
