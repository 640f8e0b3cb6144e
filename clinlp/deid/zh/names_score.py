"""How much a run of Chinese characters looks like a person's name: surname, given name, and what follows.

Each character has a log-odds (names against all text, in units of 2/3 nat) as a surname, as the first
and as the last character of a given name. A score is their sum, plus what the right border says, minus
what everyday words cost (高热, 白细胞, 安静).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from clinlp.deid.words import any_of, listed, word_set, words

HAN: Final = "\u4e00-\u9fff"
_COMPOUND = 7  # a surname of two characters is hardly ever anything else
_STEPS = {mark: value for value, mark in enumerate("abcdefghi0123456789", start=-9)}


class Odds(NamedTuple):
    """The log-odds of each character by its place in a name; surnames of two characters apart."""

    surname: dict[str, int]
    middle: dict[str, int]
    last: dict[str, int]
    compound: frozenset[str]


@cache
def odds() -> Odds:
    """Give the table of the data file, with the characters that this project knows from given names raised."""
    surname, middle, last = {}, {}, {}
    for line in listed("zh_name_scores"):
        char = line[0]
        if line[1] != ".":
            surname[char] = _STEPS[line[1]]
        middle[char], last[char] = _STEPS[line[2]], _STEPS[line[3]]
    for char in words("zh", "given")[0]:
        middle[char], last[char] = max(middle.get(char, 0), -1), max(last.get(char, 0), -1)
    compound = {name for name in listed("zh_surnames") if len(name) == 2} - {"第五"}
    return Odds(surname, middle, last, frozenset(compound | word_set("zh", "more_surnames")))


@cache
def everyday() -> frozenset[str]:
    """Give the words of two and three characters that are no names, surname characters first of all."""
    return listed("zh_words") | word_set("zh", "not_names")


@cache
def never() -> frozenset[str]:
    """Give the characters that given names practically never hold."""
    return word_set("zh", "not_given") - frozenset(words("zh", "given")[0])


@cache
def follows() -> re.Pattern[str]:
    """Give the search for titles and verbs that stand right after a name."""
    return re.compile(any_of({*words("zh", "name_right"), *words("zh", "name_verbs")}))


@cache
def _heads() -> tuple[frozenset[str], frozenset[str]]:
    """Give the first characters of titles, and of all that may follow a name: most places need no search."""
    heads = frozenset(word[0] for word in words("zh", "name_right"))
    return heads, heads | {word[0] for word in words("zh", "name_verbs")}


@cache
def cities() -> frozenset[str]:
    """Give the cities and provinces of two characters, as they are called: 昆明."""
    names = {name.rstrip("省市") for name in (*listed("zh_cities"), *listed("zh_provinces"))}
    return frozenset(name for name in names if len(name) == 2)


@cache
def titles() -> re.Pattern[str]:
    """Give the search for what stands right of a name: 主任医师, 先生."""
    return re.compile(any_of(words("zh", "name_right")))


def is_han(text: str, at: int) -> bool:
    """Say whether a Han character stands at `at`."""
    return at < len(text) and "\u4e00" <= text[at] <= "\u9fff"


def measure(text: str, at: int, least: int) -> tuple[int, int]:
    """Give length and score of the name that most likely starts at `at`; (0, 0) if none reaches `least`."""
    surname, middle, last, compound = odds()
    size = 2 if text[at : at + 2] in compound else 1
    base = _COMPOUND if size == 2 else surname.get(text[at : at + 1])
    first = at + size
    if base is None or not is_han(text, first) or text[first] in never() or _titled(text, first):
        return 0, 0
    if text[at] in "于由经从向和" and text[first : first + 2] in cities():  # 于昆明
        return 0, 0
    known = everyday()
    one, two = text[first], text[first + 1 : first + 2]
    if size == 1 and text[at : first + 1] in known:
        base -= 4
    best, top = 0, least
    score = base + last.get(one, 1) - 1 + _end(text, first + 1, known)
    if score >= top:
        best, top = size + 1, score
    if two and is_han(text, first + 1) and two not in never():
        score = base + middle.get(one, 1) + last.get(two, 1) + 1 + _end(text, first + 2, known)
        if size == 1 and text[at : first + 2] in known:
            score -= 8
        if score >= top:
            best, top = size + 2, score
    return (best, top) if best else (0, 0)


def _titled(text: str, at: int) -> bool:
    return text[at] in _heads()[0] and bool(titles().match(text, at))


def looks(text: str, at: int, size: int) -> int:
    """Give the score of the `size` characters from `at` as a name, whatever follows; -99 if they cannot be one."""
    surname, middle, last, compound = odds()
    word = text[at : at + size]
    lead = 2 if word[:2] in compound else 1
    base = _COMPOUND if lead == 2 else surname.get(word[:1], -99)
    given = word[lead:]
    if not 1 <= len(given) <= 2 or any(char in never() or not "\u4e00" <= char <= "\u9fff" for char in given):
        return -99
    score = base + last.get(given[-1], 1) + (middle.get(given[0], 1) + 1 if len(given) == 2 else -1)
    if lead == 1 and word[:2] in everyday():
        score -= 5
    if lead == 1 and size == 3 and word in everyday():
        score -= 8
    return score


def _end(text: str, stop: int, known: frozenset[str]) -> int:
    """Weigh the right border: a mark, a title or a verb, a word of its own, or the middle of a word."""
    if stop >= len(text):
        return 3
    char = text[stop]
    if not "\u4e00" <= char <= "\u9fff":
        return 1 if char.isalnum() or char == "-" else 3
    heads = _heads()[1]
    across = follows().match(text, stop - 1) if text[stop - 1] in heads else None
    crosses = -3 if (across and across.end() > stop) or text[stop - 1 : stop + 1] in known else 0
    if char in heads and follows().match(text, stop):
        return 4 + crosses
    if text[stop : stop + 2] in known:
        return 2 + crosses
    if char in "省市县区镇乡村路街州":
        return -5
    return (1 if char in never() else -1) + crosses
