from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import UsageError
from clinlp.spans import Context, Span
from clinlp.text.context import add_context
from clinlp.text.rules import EFFECTS, load_rules
from clinlp.text.rules.schema import Rules
from clinlp.text.sections import find_sections


def contexts(marked: str, lang: str) -> list[Context]:
    """The context of each [entity] that brackets mark in a sentence."""
    text, spans, start = "", [], 0
    for part in re.split(r"[\[\]]", marked):
        if start % 2:
            spans.append(Span(len(text), len(text) + len(part), "X"))
        text, start = text + part, start + 1
    found = add_context(text, spans, lang, find_sections(text, lang))
    assert found == tuple(Span(s.start, s.end, "X", None, f.context) for s, f in zip(spans, found, strict=True))
    return [span.context or Context() for span in found]


def flags(context: Context) -> str:
    """The letters of what holds: n(egated), u(ncertain), h(istorical), p(ossible later), f(amily), o(ther)."""
    values = (context.negated, context.uncertain, context.historical, context.hypothetical)
    who = {"patient": "", "family": "f", "other": "o"}[context.experiencer]
    return "".join(letter for letter, value in zip("nuhp", values, strict=True) if value) + who


CASES = Path(__file__).parents[1] / "cases"


def cases(lang: str) -> list[tuple[str, str, list[str]]]:
    """Sentences with [entities] and, for each, the letters of what holds; with `?`, either is right."""
    lines = (CASES / f"context_{lang}.jsonl").read_text("utf-8").splitlines()
    return [(lang, case["text"], case["context"]) for case in map(json.loads, lines)]


@pytest.mark.parametrize(("lang", "marked", "expected"), [*cases("en"), *cases("zh")])
def test_what_a_sentence_says_of_its_entities(lang: str, marked: str, expected: list[str]) -> None:
    found = [set(flags(context)) for context in contexts(marked, lang)]
    either = [set(re.findall(r"(\w)\?", letters)) for letters in expected]
    needed = [set(re.sub(r"\w\?", "", letters)) for letters in expected]
    assert [letters - may for letters, may in zip(found, either, strict=True)] == needed


def test_a_sentence_end_ends_every_cue() -> None:
    assert [flags(c) for c in contexts("No [fever]. [Cough] today.", "en")] == ["n", ""]
    assert [flags(c) for c in contexts("无[发热]。[咳嗽]。", "zh")] == ["n", ""]


def test_cues_inside_an_entity_are_none() -> None:
    assert [flags(c) for c in contexts("[non-small cell cancer] with [no-reflow phenomenon]", "en")] == ["", ""]


def test_an_entity_over_a_sentence_border_is_read() -> None:
    assert flags(contexts("No [pain. Fever].", "en")[0]) == "n"


@pytest.mark.parametrize(
    ("text", "word", "lang", "expected"),
    [
        ("FAMILY HISTORY:\nDiabetes.", "Diabetes", "en", "f"),
        ("PAST MEDICAL HISTORY:\n1. Gout.\n2. Asthma.", "Asthma", "en", "h"),
        ("家族史：\n糖尿病。", "糖尿病", "zh", "f"),
        ("既往史：\n高血压。糖尿病。", "糖尿病", "zh", "h"),
    ],
)
def test_the_section_speaks_for_entities_without_a_cue(text: str, word: str, lang: str, expected: str) -> None:
    span = Span(text.index(word), text.index(word) + len(word), "X")
    found = add_context(text, [span], lang, find_sections(text, lang))[0].context
    assert found is not None
    assert flags(found) == expected


PIECES = "no |denies |无|未见|，|. |。|\n|fever|但|ruled out|\x00|\ud800"
ANY = st.text(st.characters(exclude_categories=()), max_size=60)
NOTES = st.lists(st.sampled_from(PIECES.split("|")), max_size=20).map("".join)
PLACES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=6)


@given(ANY | NOTES, PLACES, st.sampled_from(["en", "zh"]))
def test_any_spans_of_any_text_get_a_context_and_keep_the_rest(
    text: str, places: list[tuple[int, int]], lang: str
) -> None:
    spans = [Span(at, min(at + n, len(text)), "X", 0.5) for at, n in places if at < len(text)]
    found = add_context(text, spans, lang)
    assert [(f.start, f.end, f.label, f.score) for f in found] == [(s.start, s.end, s.label, s.score) for s in spans]
    assert all(f.context is not None for f in found)


@pytest.mark.parametrize("unit", ["no ", " ", "(", "无", "1.1.", "母亲", "no fever ruled out "])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_time_is_linear_in_the_length(unit: str, lang: str) -> None:
    text = unit * (100_000 // len(unit))
    spans = [Span(at, at + 3, "X") for at in range(0, len(text) - 3, len(text) // 500)]
    add_context("warm", [Span(0, 4, "X")], lang)  # the rules are read at the first call
    began = time.process_time()
    add_context(text, spans, lang)
    assert time.process_time() - began < 3  # a quadratic pass takes minutes


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_rules_of_both_languages_have_every_effect(lang: str) -> None:
    rules = load_rules(lang)
    for effect in EFFECTS:
        cues = rules.context.cues(effect)
        assert cues.before or cues.before_in_clause
        assert cues.ends or effect == "uncertain"
    assert "past_history" in rules.sections


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            '[context]\npseudo = ["no x"]\n[context.negated]\nbefore = ["no x"]',
            "pseudo phrases cannot be cues, got 'no x'",
        ),
        ('[context.negated]\nbefore = ["no", "no"]', "each phrase needed once, got 'no' 2 times"),
        ('[context.negated]\nbefore = [""]', "phrases needed, got an empty one"),
        ("[contexts]", "unknown key 'contexts'; did you mean 'context'?"),
        ('[sections]\nplan = ["a"]\nlabs = ["a"]', "each heading needs one section, got 'a' in plan and labs"),
        ('[sections]\nplans = ["a"]', "sections.plans"),
        ("context = 3", "context"),
        ("[context", "TOML needed"),
    ],
)
def test_broken_rules_say_what_is_wrong(toml: str, message: str, tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(toml, "utf-8")
    with pytest.raises(UsageError) as caught:
        Rules.load(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
