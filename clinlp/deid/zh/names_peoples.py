"""Names from other languages in Chinese characters: with a dot, of the minorities, of Japan and Vietnam."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, words
from clinlp.deid.zh.names_prose import after_role, role_ends
from clinlp.deid.zh.names_score import HAN, everyday, follows, is_han, odds
from clinlp.spans import Span


def find_peoples(text: str) -> Iterator[Span]:
    """Find names that follow no Chinese surname."""
    yield from _dotted(text)
    yield from _of_syllables(text)
    yield from _after_roles(text)
    yield from _of_house(text)


@cache
def _dot() -> re.Pattern[str]:
    return re.compile(rf"[·•](?<=[{HAN}].)[{HAN}]{{1,8}}(?:[·•][{HAN}]{{1,6}})?")


def _dotted(text: str) -> Iterator[Span]:
    """Names written in Chinese with a dot: 艾瑞克·司徒华."""
    stops = frozenset(words("zh", "foreign_stops")[0])
    for match in _dot().finditer(text):
        low, stop = match.start(), match.end()
        while low and match.start() - low < 6 and is_han(text, low - 1) and text[low - 1] not in stops:
            low -= 1
        known = _one_or_more().match(text, match.start() + 1)  # 阿不都拉 has characters that end other names
        for at in range(known.end() if known else match.start() + 1, match.end()):
            if text[at] in stops or follows().match(text, at):
                stop = at
                break
        if low < match.start() and stop > match.start() + 1:
            yield Span(low, stop, PhiLabel.NAME.value, 0.7)


@cache
def _syllables() -> tuple[re.Pattern[str], re.Pattern[str]]:
    marks = words("zh", "name_syllable_marks")[0]
    return re.compile(f"[{marks}]"), re.compile(rf"{any_of(words('zh', 'name_syllables'))}{{2,4}}")


@cache
def _one_or_more() -> re.Pattern[str]:
    return re.compile(rf"{any_of(words('zh', 'name_syllables'))}{{1,4}}")


@cache
def _house() -> tuple[re.Pattern[str], re.Pattern[str]]:
    marks, surnames, given = (words("zh", key) for key in ("house_marks", "manchu_surnames", "hui_given"))
    return (
        re.compile(f"[{marks[0]}]"),  # every such word has one of these: rarer than what the words begin with
        re.compile(rf"(?P<house>{any_of(surnames)})[{HAN}]{{1,2}}|{any_of(given)}"),
    )


def _of_house(text: str) -> Iterator[Span]:
    """Names that begin with a surname of the Manchu, or hold a given name of the Hui after any surname."""
    mark, search = _house()
    reach = 0
    for at in mark.finditer(text):
        match = search.search(text, max(reach, at.start() - 4), at.start() + 8)
        if match is None:
            continue
        start, stop = match.span()
        if not match["house"]:
            if start <= reach or text[start - 1] not in odds().surname:
                continue
            start -= 1
        while stop - start > 2 and not _ends(text, stop):
            stop -= 1
        if stop - start > 2:
            reach = stop
            yield Span(start, stop, PhiLabel.NAME.value, 0.75)


def _of_syllables(text: str) -> Iterator[Span]:
    """Names of Tibetan, Mongolian and Turkic people without a dot: 尼玛扎西, 阿依古丽."""
    mark, name = _syllables()
    reach = 0
    for match in mark.finditer(text):
        for low in range(max(reach, match.start() - 6), match.start() + 1):
            found = name.match(text, low)
            if found and found.end() > match.start():
                reach = found.end()
                yield Span(low, reach, PhiLabel.NAME.value, 0.7)
                break


@cache
def _transcribed() -> tuple[tuple[re.Pattern[str], ...], re.Pattern[str], re.Pattern[str]]:
    """Give the searches for names that are no Chinese ones, for one syllable alone, and for who is described."""
    chars, first = words("zh", "name_transcribed")
    guard = f"(?<![{HAN}].)|(?<=[{role_ends()}].)"
    vietnamese = "".join(words("zh", "vietnamese_surnames"))
    return (
        (
            re.compile(rf"[{first}](?=[{chars}])(?:{guard})[{chars}]{{1,8}}"),
            re.compile(rf"氏(?<=[{vietnamese}].)[{HAN}]{{1,2}}"),
            re.compile(any_of(words("zh", "japanese_surnames"), guard=f"(?:{guard})") + f"[{HAN}]{{1,3}}"),
        ),
        re.compile(f"{any_of(words('zh', 'name_syllables'))}"),
        re.compile(rf"[，,、（( ]{{0,2}}(?:[男女](?![{HAN}])|女性|男性|[{HAN}]{{1,5}}族|[日越韩朝]籍)"),
    )


def _after_roles(text: str) -> Iterator[Span]:
    """The same names where a role or the sex says that they are one, even a short one: 家属达瓦."""
    names, syllable, described = _transcribed()
    for name in names:
        for match in name.finditer(text):
            at, stop = match.start() - (match[0][0] == "氏"), match.end()
            is_sure = after_role(text, at)
            if not is_sure and at and is_han(text, at - 1):
                continue
            while stop - at > 1 and not _ends(text, stop):
                stop -= 1
            if stop - at < 2 or text[at:stop] in everyday():
                continue
            is_sure = is_sure and (stop - at > 2 or bool(syllable.match(text, at)) or text[at] not in odds().surname)
            if is_sure or described.match(text, stop):
                yield Span(at, stop, PhiLabel.NAME.value, 0.75)


def _ends(text: str, stop: int) -> bool:
    """Say whether a name may end at `stop`: at a mark, or before what follows names."""
    return not is_han(text, stop) or bool(follows().match(text, stop))
