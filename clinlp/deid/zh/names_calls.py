"""People as they are called in Chinese notes: 小李, 老周, 阿芳, 王大爷, 刘姐, 姓何, 李老."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, word_set, words
from clinlp.deid.zh.names_prose import after_role
from clinlp.deid.zh.names_score import HAN, everyday, is_han, never, odds
from clinlp.spans import Span

_BORDER = "由请经让与和及跟给叫找是同从对向被的将约有称"  # before a name, by one character


def find_called(text: str) -> Iterator[Span]:
    """Find the people that a note calls by a short form."""
    known = odds()
    for match in _called().finditer(text):
        if match[1] in known.surname or match[1] in known.compound:
            yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.7)
    for match in _pet().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.7)
    for match in _elder().finditer(text):
        low = match.start() - 1
        if known.surname.get(text[low], -9) >= 0 and text[low : low + 2] not in everyday():
            yield Span(low, low + 1, PhiLabel.NAME.value, 0.65)
    yield from _nicknamed(text)
    yield from _kin(text)


@cache
def _called() -> re.Pattern[str]:
    return re.compile(rf"姓(?!名)([{HAN}]{{1,2}})(?=[，。,、；）)\s]|$)")


@cache
def _pet() -> re.Pattern[str]:
    """A pet name after its word, or a given name after its surname: 乳名豆豆, 小名叫毛毛, 姓王，名芳."""
    return re.compile(
        rf"(?:[乳小奶]名(?:叫|为|是)?[“\"]?|姓(?!名)[{HAN}]{{1,2}}[，,]名(?:叫|为|是)?)(?!不详|未[知取定]|暂[无缺]|[叫为是])"
        rf"((?:([{HAN}])\2|[{HAN}]{{1,2}}(?=[，。,、；;）)”\"\s]|$)))"
    )


@cache
def _elder() -> re.Pattern[str]:
    return re.compile(rf"老(?<=[由请经从。，、\n \u3000][{HAN}].)(?=[诊认师治查云曰拟用处方亲，。前手批意])")


@cache
def _nick() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Give the search for 小, 老 and 阿 before what may be a name, and for what may follow it."""
    known = odds()
    surnames = "".join(sorted(char for char, value in known.surname.items() if value >= 0))
    given = {char for table in (known.middle, known.last) for char, value in table.items() if value >= 1}
    return (
        re.compile(rf"[小老](?=[{surnames}])|阿(?=[{''.join(sorted(given - never()))}])"),
        re.compile(any_of({*words("zh", "name_verbs"), *words("zh", "nick_verbs")})),
    )


def _nicknamed(text: str) -> Iterator[Span]:
    """小李, 老王, 阿芳: between a border, a role or a bed, and a mark or a verb."""
    nick, verbs = _nick()
    surname, barred = odds().surname, word_set("zh", "not_nicks")
    for match in nick.finditer(text):
        at, stop = match.start(), match.end() + 1
        word = text[at:stop]
        if word in barred:
            continue
        is_said = bool(verbs.match(text, stop))
        if not is_said and is_han(text, stop):
            continue
        is_role = after_role(text, at)
        if at and is_han(text, at - 1) and text[at - 1] not in _BORDER and not is_role:
            continue
        if match[0] == "阿":
            is_sure = is_role or is_said or (at > 0 and text[at - 1] in _BORDER + '“"（(')
        else:
            least = (0 if is_role else 1) if is_said else 0 if is_role else 2
            is_sure = surname.get(word[1], -9) >= least and (is_role or is_said or word not in everyday())
        if is_sure:
            yield Span(at, stop, PhiLabel.NAME.value, 0.7 if is_role and is_said else 0.65)


@cache
def _relative() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Give the search for 大爷 and its kind after a surname, and for what may follow the short ones."""
    surnames = "".join(sorted(char for char, value in odds().surname.items() if value > -3))
    after = any_of({*words("zh", "name_verbs"), *words("zh", "nick_verbs")})
    return (
        re.compile(any_of((*words("zh", "name_kin"), *words("zh", "name_kin_short")[0]), guard=f"(?<=[{surnames}].)")),
        re.compile(rf"[，。、；：,;:！!？?（）()\s/”\"]|$|{after}"),
    )


def _kin(text: str) -> Iterator[Span]:
    """The surname in 王大爷, 刘姐, 肖工; a border or a role stands before it."""
    kin, border = _relative()
    known, barred = odds().surname, word_set("zh", "not_surnames")
    for match in kin.finditer(text):
        at = match.start() - 1
        if text[at : at + 2] in everyday() or text[at] in barred:
            continue
        is_role = after_role(text, at)
        is_free = not at or not is_han(text, at - 1) or is_role
        least = 1 if len(match[0]) == 1 else 0
        if at and text[at - 1 : at + 1] in everyday():
            continue
        if is_free or (text[at - 1] in _BORDER and known[text[at]] >= least + 1):
            if known[text[at]] < least and not is_role:
                continue
            if len(match[0]) > 1 or border.match(text, match.end()):
                yield Span(at, at + 1, PhiLabel.NAME.value, 0.65)
