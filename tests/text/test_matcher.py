from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.text.matcher import Matcher

WORDS = st.text("abAB 无痛性\n", max_size=4)


def brute_force(phrases: list[str], text: str) -> list[tuple[int, int]]:
    found, at = [], 0
    while at < len(text):
        here = [p for p in phrases if p and text.lower().startswith(p.lower(), at)]
        longest = max(map(len, here), default=0)
        if longest:
            found.append((at, at + longest))
        at += longest or 1
    return found


@given(st.lists(st.text("abAB无痛", max_size=4), max_size=6), st.text("abAB无痛", max_size=30))
def test_leftmost_longest_as_brute_force_finds_it(phrases: list[str], text: str) -> None:
    matcher = Matcher(((p, p) for p in phrases), whole_words=False)
    assert [match[:2] for match in matcher.find(text)] == brute_force(phrases, text)


@given(st.lists(st.text(max_size=4), max_size=4), st.text(st.characters(exclude_categories=()), max_size=40))
def test_matches_are_in_order_and_apart(phrases: list[str], text: str) -> None:
    reach = 0
    for start, end, phrase in Matcher((p, p) for p in phrases).find(text):
        assert reach <= start < end <= len(text)
        assert end - start == len(phrase)
        reach = end


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("no", "nodule and no", 1),
        ("no", "NO.", 1),
        ("no", "患者no发热", 1),
        ("no evidence", "no\nevidence", 1),
        ("s/p", "(s/p)", 1),
        ("+", "a+b", 1),
        ("无", "有无发热", 1),
        ("ivy", "İVY", 0),
        ("ivy", "İ, IVY", 1),
        ("", "anything", 0),
    ],
)
def test_word_borders_and_case(phrase: str, text: str, found: int) -> None:
    assert len(Matcher([(phrase, None)]).find(text)) == found


def test_white_space_of_any_length_is_white_space() -> None:
    text = " x  no \r\n   evidence\t of\n\n\n  nodes  no evidence"
    found = Matcher([("no evidence of", 1), ("no  evidence", 2), ("nodes", 3)]).find(text)
    assert [(text[start:end].split(), value) for start, end, value in found] == [
        (["no", "evidence", "of"], 1),
        (["nodes"], 3),
        (["no", "evidence"], 2),
    ]
    assert not any(text[start].isspace() or text[end - 1].isspace() for start, end, _ in found)


def test_case_counts_if_asked() -> None:
    assert Matcher([("May", 1)], ignore_case=False).find("may May") == [(4, 7, 1)]


def test_a_shorter_phrase_matches_where_the_longer_breaks_a_word() -> None:
    assert Matcher([("no", 1), ("no x", 2)]).find("no xray") == [(0, 2, 1)]


def test_no_phrases_find_nothing() -> None:
    assert Matcher[int]([]).find("text") == []


def test_phrases_are_read_only_when_needed() -> None:
    def phrases() -> object:
        raise RuntimeError("read too early")
        yield "a", 1

    matcher = Matcher(phrases())
    with pytest.raises(RuntimeError, match="read too early"):
        matcher.find("a")


@pytest.mark.parametrize("unit", ["no ", "a", "无", "((("])
def test_time_is_linear_in_the_length(unit: str) -> None:
    matcher = Matcher([("a" * n, n) for n in range(1, 6)] + [("no no no", 0), ("无无", 0), ("无", 0), ("no", 0)])
    began = time.process_time()
    matcher.find(unit * (100_000 // len(unit)))
    assert time.process_time() - began < 3
