"""Names of people in Chinese notes: fields, titles, roles, sex or age beside a name, and names in plain prose.

A surname alone proves nothing (高热, 白细胞, 于是), so each rule weighs the characters as a name
(`names_zh_score`) against what it asks for beside them. A name found once is found everywhere in the note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.plain import original
from clinlp.deid.words import any_of, word_set, words
from clinlp.deid.zh.names_fields import find_fields
from clinlp.deid.zh.names_prose import find_in_prose
from clinlp.deid.zh.names_score import HAN, everyday, follows, is_han, looks, odds, titles
from clinlp.deid.zh.plain import plain_zh
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
        *_foreign(text),
        *_peoples(text),
    ]
    spans += _again(text, spans)
    return original(spans, places)


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
        elif at and known.surname.get(text[at - 1], -9) >= -1 and _stands_alone(text, at - 1):
            yield Span(at - 1, at, PhiLabel.NAME.value, 0.7)
    for match in _called().finditer(text):
        if match[1] in known.surname or match[1] in known.compound:
            yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.7)
    for match in _elder().finditer(text):
        low = match.start()
        if known.surname.get(text[low], -9) >= 0 and text[low : low + 2] not in everyday():
            yield Span(low, low + 1, PhiLabel.NAME.value, 0.65)
    for match in _nicknamed().finditer(text):
        is_said = _nick_verbs().match(text, match.end())
        if known.surname.get(match[0][1], -9) >= (1 if is_said else 2) and (is_said or match[0] not in everyday()):
            yield Span(match.start(), match.end(), PhiLabel.NAME.value, 0.65)


def _best_before(text: str, at: int, least: int) -> int:
    """Give the length of the name that ends at `at`, 0 for none."""
    best, top = 0, least
    for size in (3, 2, 4):
        if size <= at and is_han(text, at - size):
            score = looks(text, at - size, size) - 5 * (text[at - size] in "由请经与和从向为")
            if score >= top and (_starts_name(text, at - size) or (score > 7 and not _in_word(text, at - size))):
                best, top = size, score + 1
    return best


def _in_word(text: str, at: int) -> bool:
    return at > 0 and text[at - 1 : at + 1] in everyday()


def _stands_alone(text: str, at: int) -> bool:
    """Say whether a surname before a title is no part of a word: 张医生, but not 责任护士."""
    if not _starts_name(text, at) or (at > 0 and text[at - 1 : at + 1] in everyday()):
        return False
    if odds().surname.get(text[at], -9) >= 3 and text[at] not in word_set("zh", "not_surnames"):
        return True
    return at == 0 or text[at - 1] in "由请经与和找" or not is_han(text, at - 1)


@cache
def _called() -> re.Pattern[str]:
    return re.compile(rf"姓(?!名)([{HAN}]{{1,2}})(?=[，。,、；）)\s]|$)")


@cache
def _elder() -> re.Pattern[str]:
    return re.compile(rf"[{HAN}](?<=[由请经从。，、\n].)老(?=[诊认师治查云曰拟用处方亲，。前])")


@cache
def _nick_verbs() -> re.Pattern[str]:
    return re.compile(any_of(words("zh", "nick_verbs")))


@cache
def _nicknamed() -> re.Pattern[str]:
    """小李, 老王: between marks or a verb and a name's right border."""
    ahead = any_of({*words("zh", "name_verbs"), *words("zh", "nick_verbs")})
    return re.compile(rf"[小老阿](?<![^，。；、：:,;\n \t（(“请由让与和给叫找是同].)[{HAN}](?=[，。、；]|$|{ahead})")


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
        r"[男女0-9是系一患性年现生](?:(?<=[男女])(?=性|[，,。；;、\s）)/|0-9]|$|患|孩|婴)|"
        r"(?<![0-9][0-9])(?<=[0-9])[0-9]{0,2}(?:周?岁|个?月龄|天龄)"
        r"|(?<=[是系])(?:一[名位个]|位|名|[0-9]{1,3}岁)|(?<=[，,、]一)[名位]|(?<=患)(?:者|儿)|"
        r"(?<=性)别|(?<=年)(?:龄|[0-9]{1,3}岁)|(?<=现)(?:年|居|住)|(?<=生)于)"
    )


def _described(text: str) -> Iterator[Span]:
    """Names before sex, age or 是一名: 张伟，男，45岁."""
    for match in _describes().finditer(text):
        stop = match.start()
        while stop and match.start() - stop < 3 and text[stop - 1] in " \t，,、（(/|\u3000":
            stop -= 1
        if stop == match.start() and text[stop : stop + 1] not in "是系一男女现年":
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
        rf"某(?<=[{HAN}].)[某甲乙丙]{{0,2}}"
        r"(?![一医院地日年市省县处种些次时人科药天个月位段样项类部区镇乡村单公学工企小栋号路街楼店厂校班家])"
        r"|(?:[×Ｘ○]{1,2}|XX|xx|\*\*|[Xx*](?=[，,、。；）)\s]))(?!医院|[A-Za-z0-9×*Ｘ○院大市县省区一二三四五六七八九十])"
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


# --- names from other languages ----------------------------------------------------------------


@cache
def _dotted() -> re.Pattern[str]:
    return re.compile(rf"[·•](?<=[{HAN}].)[{HAN}]{{1,8}}(?:[·•][{HAN}]{{1,6}})?")


def _foreign(text: str) -> Iterator[Span]:
    """Names written in Chinese with a dot: 艾瑞克·司徒华."""
    stops = frozenset(words("zh", "foreign_stops")[0])
    for match in _dotted().finditer(text):
        low, stop = match.start(), match.end()
        while low and match.start() - low < 6 and is_han(text, low - 1) and text[low - 1] not in stops:
            low -= 1
        for at in range(match.start() + 1, match.end()):
            if text[at] in stops or follows().match(text, at):
                stop = at
                break
        if low < match.start() and stop > match.start() + 1:
            yield Span(low, stop, PhiLabel.NAME.value, 0.7)


@cache
def _syllables() -> tuple[re.Pattern[str], re.Pattern[str]]:
    marks = words("zh", "name_syllable_marks")[0]
    return re.compile(f"[{marks}]"), re.compile(rf"{any_of(words('zh', 'name_syllables'))}{{2,4}}")


def _peoples(text: str) -> Iterator[Span]:
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
