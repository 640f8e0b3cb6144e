"""Names that a field announces: 姓名：, 医师签名：, the cell after it in a table, and lists of names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, word_set, words
from clinlp.deid.zh.names_score import HAN, everyday, is_han, looks, measure, never, odds, titles
from clinlp.spans import Span

_BLANKS = " \t\u3000"
_JOINS = frozenset("、/，,；;及和")
_SPEAKERS = frozenset({"患者", "医生", "病人", "医师", "护士"})


@cache
def _keys() -> tuple[re.Pattern[str], frozenset[str], frozenset[int]]:
    ends = "".join(
        sorted({word[-1] for key in ("name_fields", "name_fields_weak") for word in words("zh", key)} | {*"人者员"})
    )
    return (
        re.compile(rf"[:：=](?<=[{ends} \t\u3000）)\]*].)"),
        word_set("zh", "name_fields"),
        frozenset(len(word) for word in words("zh", "name_fields")),
    )


@cache
def _foreign() -> re.Pattern[str]:
    """Names in letters, or in Chinese with a dot."""
    return re.compile(
        rf"[{HAN}]{{1,8}}(?:[·•．][{HAN}]{{1,8}}){{1,3}}"
        r"|[A-Z][a-zA-Z'’-]+(?:[ ,][ ]?[A-Z][a-zA-Z.'’-]*){0,3}"
    )


def find_fields(text: str) -> Iterator[Span]:
    """Find the names after 姓名： and its kind: one, or a list."""
    colon, known, sizes = _keys()
    weak = word_set("zh", "name_fields_weak")
    for match in colon.finditer(text):
        key = _key(text, match.start())
        if key and any(key[-size:] in known for size in sizes):
            yield from _values(
                text, match.end(), is_chat=key in _SPEAKERS and (key[0] in "患病" or _is_chat(text, match.end()))
            )
        elif key and (key[-2:] in weak or (len(key) > 2 and key[-1] in "人者员")):
            yield from _whole(text, match.end())
    for match in _cell().finditer(text):
        yield from _values(text, match.end(), is_chat=False)


@cache
def _turn() -> re.Pattern[str]:
    return re.compile("(?:患者|医[生师]|病人|护士)[:：]")


def _is_chat(text: str, at: int) -> bool:
    """Say whether 医生： at the end of which `at` stands opens a turn of a talk: further turns, or a long line."""
    if len(_turn().findall(text)) > 1:
        return True
    size = 0
    while size < 6 and is_han(text, at + size):
        size += 1
    return size > 4


def _whole(text: str, at: int) -> Iterator[Span]:
    """The value of a field that may hold other things too, where all of it is a likely name."""
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    stop = at
    while stop - at < 5 and is_han(text, stop):
        stop += 1
    word = text[at:stop]
    if (
        2 <= len(word) <= 4
        and word not in word_set("zh", "not_people")
        and _fills(word)
        and looks(word, 0, len(word)) >= 0
    ):
        yield Span(at, stop, PhiLabel.NAME.value, 0.8)


@cache
def _not_key() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(r"[^\n，。；,;|\t]{0,16}$"), re.compile(r"[\s\u3000*#]|[（(][^（()）]*[）)]$")


def _key(text: str, colon: int) -> str:
    """Give what stands before a colon, without blanks and brackets: 患者 姓 名（签字）."""
    if text[colon - 1 : colon].isalnum() and text[colon - 1] < "\u4e00":
        return ""
    line, noise = _not_key()
    found = line.search(text, max(0, colon - 16), colon)
    return noise.sub("", found[0]) if found else ""


@cache
def _cell() -> re.Pattern[str]:
    """Fields of a table: the word, then blanks or a bar."""
    heads = sorted(
        (word for word in words("zh", "name_fields") if len(word) > 2 or word in ("姓名", "签名", "签字")),
        key=lambda word: (-len(word), word),
    )
    return re.compile(rf"{any_of(heads)}(?:[ \t\u3000]*\||[ \t\u3000])[ \t\u3000]*(?=[{HAN}A-Z])")


def _values(text: str, at: int, *, is_chat: bool) -> Iterator[Span]:
    score = 0.7 if is_chat else 0.95
    while text[at : at + 1] in ("*", "_") and text[at : at + 1]:
        at += 1
    for _ in range(10):
        while at < len(text) and text[at] in _BLANKS:
            at += 1
        if text[at : at + 1] == "\n" and not is_chat:  # the value stands on the next line
            at += 1
        stop = _value(text, at, is_chat=is_chat)
        if stop <= at:
            return
        yield Span(at, stop, PhiLabel.NAME.value, score)
        at = next_name(text, stop)
        if not at:
            return


def next_name(text: str, stop: int) -> int:
    """Give where the next name of a list may start: after 、 or a title and 、; 0 if the list ends."""
    title = titles().match(text, stop)
    at = title.end() if title else stop
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    if text[at : at + 1] not in _JOINS or not text[at : at + 1]:
        return 0
    is_weak = text[at] in "，,；;和及"
    at += 1
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    if at < len(text) and text[at].isascii() and _foreign().match(text, at):
        return at if not is_weak else 0
    size, _ = measure(text, at, 3 if is_weak else 0)
    if not size or (is_weak and is_han(text, at + size) and not titles().match(text, at + size)):
        return 0
    return at


@cache
def _spaced() -> re.Pattern[str]:
    """A name of two characters set apart, 张　伟, and one that a line break cuts."""
    return re.compile(
        rf"[{HAN}](?:[ \u3000]{{1,4}}[{HAN}]){{1,2}}(?![{HAN}：:])|[{HAN}]{{1,2}}\n[{HAN}]{{1,2}}(?![{HAN}：:])"
    )


@cache
def _ended() -> re.Pattern[str]:
    """What follows a surname that fills a field alone."""
    return re.compile(r"[ \u3000]*(?:[\n，,。、；;/（(]|$|[0-9]{2,4}[-./年])")


@cache
def _some() -> re.Pattern[str]:
    """A name that is half hidden: 张某某, 李××."""
    return re.compile(rf"[{HAN}]{{1,2}}(?:某[某甲乙丙]{{0,2}}|[×XxＸ○*＊]{{1,3}}|[甲乙丙丁](?![{HAN}]))(?![{HAN}])")


def _value(text: str, at: int, *, is_chat: bool) -> int:
    """Give where the name that fills a field ends; `at` if there is none."""
    other = _foreign().match(text, at)
    if other and not (is_chat and other[0].isascii() and " " not in other[0]):
        return other.end() if " " in other[0] or not _is_code(text, other.end()) else at
    if is_chat:
        return at if text[at : at + 2] in everyday() else at + measure(text, at, 5)[0]
    return _filling(text, at)


def _filling(text: str, at: int) -> int:
    """Give where the Chinese name at `at` of a field ends; `at` if there is none."""
    stop = at
    while stop - at < 7 and is_han(text, stop):
        stop += 1
    word = text[at:stop]
    whole = _some().match(text, at) or (_spaced().match(text, at) if word in odds().surname else None)
    if whole:
        return whole.end()
    if len(word) == 1 and odds().surname.get(word, -9) > -3 and _ended().match(text, stop):
        return stop
    if word in word_set("zh", "not_people") or word[:2] in ("本人", "患者", "家属", "不详"):
        return at
    title = titles().search(word, 1)
    if title and title.end() == len(word):
        return at + title.start()
    return stop if _fills(word) else at + measure(text, at, -6)[0]


def _fills(word: str) -> bool:
    """Say whether all of a field's value is a name: by its surname, or because it is no word."""
    known = odds()
    surname = known.surname.get(word[:1], -9)
    if 2 <= len(word) <= 3 and surname >= 0 and word not in everyday():
        return True
    if not 2 <= len(word) <= 4 or any(char in never() for char in word[1:]):
        return False
    if surname > -9 or word[:2] in known.compound:
        return len(word) < 4 or word[:2] in known.compound or looks(word, 0, 2) < -3
    return word[:2] not in everyday() and word[-2:] not in everyday()


def _is_code(text: str, stop: int) -> bool:
    return stop < len(text) and text[stop].isdigit()
