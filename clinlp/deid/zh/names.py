"""Names of people in Chinese notes: fields, titles, roles, sex or age beside a name, and names in plain prose.

A surname alone proves nothing (高热, 白细胞, 于是), so each rule weighs the characters as a name
(`names_zh_score`) against what it asks for beside them. A name found once is found everywhere in the note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain

from clinlp.deid.categories import PhiLabel
from clinlp.deid.plain import original
from clinlp.deid.words import word_set
from clinlp.deid.zh.names_apart import find_apart
from clinlp.deid.zh.names_calls import find_called
from clinlp.deid.zh.names_fields import find_fields
from clinlp.deid.zh.names_peoples import find_peoples
from clinlp.deid.zh.names_prose import after_role, find_in_prose
from clinlp.deid.zh.names_score import HAN, everyday, is_han, looks, odds, titles
from clinlp.deid.zh.plain import plain_zh
from clinlp.deid.zh.tables import find_cells
from clinlp.spans import Span


def find(text: str) -> list[Span]:
    """Find the names of people in Chinese text."""
    text, places = plain_zh(text)
    spans = [
        *find_fields(text),
        *_titled(text),
        *find_in_prose(text),
        *_described(text),
        *_some(text),
        *find_cells(text),
        *find_called(text),
        *find_apart(text),
        *find_peoples(text),
    ]
    spans += _again(text, spans)
    return original(spans, places)


_RARE = -5  # a surname that is nearly always another word

# --- titles ------------------------------------------------------------------------------------


def _titled(text: str) -> Iterator[Span]:
    """Names before 主任医师 and its kind: 王建国主任医师, 张医生."""
    known = odds()
    for match in titles().finditer(text):
        at = match.start()
        size = _best_before(text, at, 2)
        if size:
            yield Span(at - size, at, PhiLabel.NAME.value, 0.85)
        elif at > 1 and text[at - 2 : at] in known.compound:
            yield Span(at - 2, at, PhiLabel.NAME.value, 0.75)
        elif at and known.surname.get(text[at - 1], -9) > _RARE and _stands_alone(text, at - 1):
            yield Span(at - 1, at, PhiLabel.NAME.value, 0.7)


def _best_before(text: str, at: int, least: int) -> int:
    """Give the length of the name that ends at `at`, 0 for none."""
    best, top = 0, least
    for size in (3, 2, 4):
        if size <= at and is_han(text, at - size):
            if text[at - size : at - size + 2] in ("谢谢", "谢啦", "谢了"):
                continue
            score = looks(text, at - size, size) - 5 * (text[at - size] in "由请经与和从向为")
            if score >= top and (_starts_name(text, at - size) or (score > 7 and not _in_word(text, at - size))):
                best, top = size, score + 1
    return best


def _in_word(text: str, at: int) -> bool:
    return at > 0 and text[at - 1 : at + 1] in everyday()


def _stands_alone(text: str, at: int) -> bool:
    """Say whether a surname before a title is no part of a word: 张医生, but not 责任护士."""
    if at and text[at - 1 : at + 1] in everyday():
        return False
    value, is_usual = odds().surname[text[at]], text[at] not in word_set("zh", "not_surnames")
    if not _starts_name(text, at):
        return is_usual and (text[at - 1] in "看呼报" or after_role(text, at))
    if value >= 3 and is_usual:
        return True
    if at == 0 or text[at - 1] in "由请经与和找" or not is_han(text, at - 1):
        return value >= -1 or (is_usual and text[at] not in "原那求望")
    return is_usual and ((value >= 0 and text[at - 1] in "科院室部的区诊") or after_role(text, at))


_BEFORE = frozenset(
    "院科室诊日午晨由请经与和及、，。；：:,;.()（）“”\"' \n\t\u3000/"
    "月将行|-—是为向对在到予让被叫给随找约从的生师士任授员属者人儿父母妻夫子女]】[【》《*#·!?！？~部所中心区楼层床"
)


def _starts_name(text: str, at: int) -> bool:
    """Say whether a name may start here: after a mark, a preposition, a role or a word."""
    if at == 0:
        return True
    before = text[at - 1]
    if text[at - 1 : at + 1] in everyday() and text[at - 2 : at] not in everyday():
        return False
    return before in _BEFORE or not "\u4e00" <= before <= "\u9fff" or text[max(0, at - 2) : at] in everyday()


# --- sex and age beside a name -----------------------------------------------------------------


@cache
def _describes() -> re.Pattern[str]:
    return re.compile(
        r"[男女0-9是系一患性年现生](?:(?<=[0-9])(?<![0-9][0-9])[0-9]{0,2}(?:周?岁|个?月龄|天龄)|(?<![0-9])(?:"
        r"(?<=[男女])(?=性|[，,。；;、\s）)/|0-9]|$|患|孩|婴)"
        r"|(?<=[是系])(?:一[名位个]|位|名|[0-9]{1,3}岁)|(?<=[，,、]一)[名位]|(?<=患)(?:者|儿)|"
        r"(?<=性)别|(?<=年)(?:龄|[0-9]{1,3}岁)|(?<=现)(?:年|居|住)|(?<=生)于))"
    )


@cache
def _people() -> re.Pattern[str]:
    return re.compile(r"族(?:(?<=[，,（( ].族)|(?<=[，,（( ]..族)|(?<=[，,（( ]...族)|(?<=[，,（( ]....族))")


def _described(text: str) -> Iterator[Span]:
    """Names before sex, age, people or 是一名: 张伟，男，45岁; 金玉顺，朝鲜族."""
    for match in chain(_describes().finditer(text), _people().finditer(text)):
        stop = start = match.start()
        if match[0] == "族":
            stop = start = max(text.rfind(mark, start - 5, start) for mark in "，,（( ")
        while stop and start - stop < 3 and text[stop - 1] in " \t，,、（(/|\u3000":
            stop -= 1
        if stop == match.start() and text[stop : stop + 1] not in "是系一男女现年":
            continue
        if not stop or not is_han(text, stop - 1):
            continue
        for size in (3, 2, 4):
            low = stop - size
            if low < 0 or looks(text, low, size) < -1:
                continue
            if (
                low == 0
                or not (is_han(text, low - 1) or text[low - 1].isdigit())
                or text[max(0, low - 2) : low] in ("患者", "病人", "患儿", "姓名")
            ):
                yield Span(low, stop, PhiLabel.NAME.value, 0.85)
                break


@cache
def _somebody() -> re.Pattern[str]:
    return re.compile(
        rf"[某×Ｘ○Xx*](?:(?<=[{HAN}]某)[某甲乙丙]{{0,2}}"
        r"(?![一医院地日年市省县处种些次时人科药天个月位段样项类部区镇乡村单公学工企小栋号路街楼店厂校班家])"
        r"|(?:(?<=[×Ｘ○])[×Ｘ○]?|(?<=X)X|(?<=x)x|(?<=\*)\*|(?<=[Xx*])(?=[，,、。；）)\s]))"
        r"(?!医院|[A-Za-z0-9×*Ｘ○院大市县省区一二三四五六七八九十]))"
    )


def _some(text: str) -> Iterator[Span]:
    """张某, 李某某, 王××."""
    known, weak = odds(), word_set("zh", "weak_surnames")
    for match in _somebody().finditer(text):
        low = match.start()
        if low >= 2 and text[low - 2 : low] in known.compound:
            yield Span(low - 2, match.end(), PhiLabel.NAME.value, 0.85)
        elif low and text[low - 1] in known.surname and text[low - 1] not in word_set("zh", "not_surnames"):
            is_mark = low == 1 or text[low - 2] in "\n：:" or text[max(0, low - 3) : low - 1] == "患者"
            if match[0][0] != "某" and text[low - 1] in weak and not is_mark:
                continue
            if is_mark or _starts_name(text, low - 1):
                yield Span(low - 1, match.end(), PhiLabel.NAME.value, 0.85)


# --- the same people again ---------------------------------------------------------------------


def _again(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The same names wherever else they stand."""
    names = {
        text[span.start : span.end] for span in spans if span.score is not None and span.score >= 0.7 and len(span) >= 2
    }
    names -= everyday()
    if not names:
        return
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=lambda name: (-len(name), name)))))
    for match in pattern.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.NAME.value, 0.7)
