"""Names of people in Chinese notes: fields, titles, roles and sex or age beside a listed surname.

A surname alone proves nothing (高热, 白细胞, 于是), so each rule asks for a sign beside it, and the rest
of the name for characters that given names hold. A name found once is found everywhere in the note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, listed, word_set, words
from clinlp.spans import Span

_HAN = "\u4e00-\u9fff"
_MARKS = " \t，,、；;（(/·。：:\u3000"


@cache
def _surnames() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Give the surnames: all of one character, those that are no common word, those of two."""
    all_names = listed("zh_surnames")
    one = frozenset(name for name in all_names if len(name) == 1)
    sure = one - word_set("zh", "not_surnames")
    return one, sure, frozenset(name for name in all_names if len(name) == 2)


@cache
def _given() -> frozenset[str]:
    return frozenset(words("zh", "given")[0])


def find(text: str) -> list[Span]:
    """Find the names of people in Chinese text."""
    spans = [*_fields(text), *_titled(text), *_after_role(text), *_described(text), *_some(text)]
    spans += _again(text, spans)
    return spans


def length(text: str, at: int, *, strict: bool, common: bool = True) -> int:
    """Give the number of characters of the name that starts at `at`, 0 for none.

    Args:
        strict: Ask for characters that given names hold, not only for those that they may.
        common: Leave out surnames that are everyday words; those of a field may be any.
    """
    one, sure, two = _surnames()
    size = 2 if text[at : at + 2] in two else 1 if text[at : at + 1] in (sure if common else one) else 0
    if not size or text[at : at + 2] in word_set("zh", "not_names"):
        return 0
    given, never = _given(), word_set("zh", "not_given")
    stop = at + size
    most = at + size + 2
    while stop < most and stop < len(text) and "\u4e00" <= text[stop] <= "\u9fff":
        char = text[stop]
        if char in never and char not in given:
            break
        if char not in given and strict:
            break
        if char in never and _is_word_ahead(text, stop):
            break
        stop += 1
    return stop - at if stop > at + size else 0


@cache
def _ahead() -> re.Pattern[str]:
    return re.compile(any_of({*words("zh", "name_right"), *words("zh", "name_verbs")}))


def _is_word_ahead(text: str, at: int) -> bool:
    return bool(_ahead().match(text, at))


# --- fields ------------------------------------------------------------------------------------


@cache
def _field() -> tuple[re.Pattern[str], frozenset[str], re.Pattern[str]]:
    foreign = rf"[{_HAN}]{{1,6}}(?:[·•．][{_HAN}]{{1,6}}){{1,3}}"
    return (
        re.compile(r"[:：]"),
        word_set("zh", "name_fields"),
        re.compile(rf"{foreign}|[A-Z][a-zA-Z]+(?: [A-Z][a-zA-Z.]*){{0,3}}"),
    )


def _fields(text: str) -> Iterator[Span]:
    """Names after 姓名： and its kind: one, or a list."""
    colon, known, foreign = _field()
    for match in colon.finditer(text):
        if _names_field(text, match.start(), known):
            yield from _values(text, match.end(), foreign, 0.95)
    for match in _blank_field().finditer(text):
        yield from _values(text, match.end(), foreign, 0.85)


def _names_field(text: str, colon: int, known: frozenset[str]) -> bool:
    window = text[max(0, colon - 14) : colon]
    line = re.split(r"[\n，。；,;|]", window)[-1]
    key = re.sub(r"[\s\u3000]|[（(][^（()）]*[）)]$", "", line)
    return any(key[-size:] in known for size in range(min(len(key), 9), 1, -1))


@cache
def _blank_field() -> re.Pattern[str]:
    """Fields of a table: the word, then blanks."""
    return re.compile(r"[姓联签记主术][名系字录刀者](?:人|者)?(?:姓名)?[ \t\u3000|]+(?=[\u4e00-\u9fff])")


def _values(text: str, at: int, foreign: re.Pattern[str], score: float) -> Iterator[Span]:
    if text[at : at + 1] == "\n":  # the value stands on the next line
        at += 1
    for _ in range(8):
        while at < len(text) and text[at] in " \t\u3000":
            at += 1
        other = foreign.match(text, at)
        if other:
            yield Span(at, other.end(), PhiLabel.NAME.value, score)
            stop = other.end()
        else:
            size = _value_length(text, at)
            if not size:
                return
            yield Span(at, at + size, PhiLabel.NAME.value, score)
            stop = at + size
        title = _right().match(text, stop)
        stop = title.end() if title else stop
        while stop < len(text) and text[stop] in " \t\u3000":
            stop += 1
        if text[stop : stop + 1] not in ("、", "/", "，", ",", "；", ";", "及", "和"):
            return
        if text[stop] in "，,；;" and not (
            _value_length(text, stop + 1) and _ends_name(text, stop + 1 + _value_length(text, stop + 1))
        ):
            return
        at = stop + 1


def _value_length(text: str, at: int) -> int:
    """Give the length of a name that fills a field: two to four characters up to a mark, or what looks like a name."""
    stop = at
    while stop < len(text) and stop - at < 6 and "\u4e00" <= text[stop] <= "\u9fff":
        stop += 1
    one, _, two = _surnames()
    word = text[at:stop]
    if 2 <= len(word) <= 4 and (word[0] in one or word[:2] in two):
        title = _right().search(word)
        if title and title.end() == len(word):
            return title.start() or 0
        is_word = word[:2] in word_set("zh", "not_names") or any(char in _never() for char in word[1:])
        if not is_word and (len(word) < 4 or word[:2] in two):
            return len(word)
    return length(text, at, strict=False, common=False)


@cache
def _never() -> frozenset[str]:
    return word_set("zh", "not_given") - _given()


def _ends_name(text: str, at: int) -> bool:
    return at >= len(text) or not "\u4e00" <= text[at] <= "\u9fff" or bool(_right().match(text, at))


# --- titles and roles --------------------------------------------------------------------------


@cache
def _right() -> re.Pattern[str]:
    return re.compile(any_of(words("zh", "name_right")))


def _titled(text: str) -> Iterator[Span]:
    """Names before 主任医师 and its kind: 王建国主任医师, 张医生."""
    _, sure, two = _surnames()
    for match in _right().finditer(text):
        at = match.start()
        for size in (3, 2, 4):
            low = at - size
            if low >= 0 and length(text, low, strict=True) >= size and _starts_name(text, low):
                yield Span(low, at, PhiLabel.NAME.value, 0.85)
                break
        else:
            if at and text[at - 1] in sure and _stands_alone(text, at - 1):
                yield Span(at - 1, at, PhiLabel.NAME.value, 0.7)
            elif at > 1 and text[at - 2 : at] in two:
                yield Span(at - 2, at, PhiLabel.NAME.value, 0.75)
    for match in _elder().finditer(text):
        if text[match.start()] in sure:
            yield Span(match.start(), match.start() + 1, PhiLabel.NAME.value, 0.65)
    yield from _foreign(text)


def _stands_alone(text: str, at: int) -> bool:
    """Say whether a surname before a title is no part of a word: 张医生, but not 责任护士."""
    if not _starts_name(text, at) or text[at : at + 2] in word_set("zh", "not_names"):
        return False
    if text[at] not in word_set("zh", "weak_surnames"):
        return True
    return at == 0 or text[at - 1] in "由请经与和找" or not "\u4e00" <= text[at - 1] <= "\u9fff"


@cache
def _dotted() -> re.Pattern[str]:
    return re.compile(rf"[·•](?<=[{_HAN}].)[{_HAN}]{{1,8}}(?:[·•][{_HAN}]{{1,6}})?")


def _foreign(text: str) -> Iterator[Span]:
    """Names written in Chinese with a dot: 艾瑞克·司徒华."""
    never = _never() | frozenset("由请经与和找是为")
    for match in _dotted().finditer(text):
        low, stop = match.start(), match.end()
        while low and match.start() - low < 6 and "\u4e00" <= text[low - 1] <= "\u9fff" and text[low - 1] not in never:
            low -= 1
        for at in range(match.start() + 1, match.end()):
            if text[at] in never or _is_word_ahead(text, at):
                stop = at
                break
        if low < match.start() and stop > match.start() + 1:
            yield Span(low, stop, PhiLabel.NAME.value, 0.7)


@cache
def _elder() -> re.Pattern[str]:
    return re.compile(rf"[{_HAN}](?<=[由请经从。，、\n].)老(?=[诊认师治查云曰拟用处方亲，。])")


_BEFORE = frozenset(
    "院科室诊日午晨由请经与和及、，。；：:,;.()（）“”\"' \n\t\u3000/"
    "|-—是为向对在到予让被叫给随找约从的生师士任授员属者人儿父母妻夫子女]】[【》《*#·!?！？~"
)


def _starts_name(text: str, at: int) -> bool:
    """Say whether a name may start here: after a mark, a preposition or a role."""
    if at == 0:
        return True
    before = text[at - 1]
    return before in _BEFORE or not "\u4e00" <= before <= "\u9fff"


@cache
def _left() -> re.Pattern[str]:
    return re.compile(any_of(words("zh", "name_left")))


def _roles(text: str) -> Iterator[re.Match[str]]:
    """The roles, overlapping ones too: in 其女儿 the name follows 女儿, not 其女."""
    match = _left().search(text)
    while match:
        yield match
        match = _left().search(text, match.start() + 1)


def _after_role(text: str) -> Iterator[Span]:
    """Names after 患者, 联系人, 医生 in running text."""
    weak = word_set("zh", "name_left_weak")
    for match in _roles(text):
        at = match.end()
        while at < len(text) and at - match.end() < 2 and text[at] in ' \u3000“"（(为是系叫':
            at += 1
        size = length(text, at, strict=True)
        if not size:
            continue
        stop = at + size
        ends = _ends_name(text, stop) or _is_word_ahead(text, stop) or text[stop] in _never()
        is_weak = text[at] in word_set("zh", "weak_surnames")
        if match[0] in weak:
            if not (_right().match(text, stop) or (ends and size > 2 and not is_weak)):
                continue
        elif is_weak and not ends:
            continue
        yield Span(at, stop, PhiLabel.NAME.value, 0.6 if match[0] in weak or (is_weak and not ends) else 0.75)


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
            if low < 0 or length(text, low, strict=False) != size:
                continue
            if (
                low == 0
                or text[low - 1] in '\n\r 。，,；;：:、（(“"\t\u3000|*#>】]/'
                or text[max(0, low - 2) : low] in ("患者", "病人", "患儿", "姓名")
            ):
                yield Span(low, stop, PhiLabel.NAME.value, 0.85)
                break


@cache
def _somebody() -> re.Pattern[str]:
    return re.compile(
        r"某(?<=[\u4e00-\u9fff].)[某甲乙丙]{0,2}"
        r"(?![医院地日年市省县处种些次时人科药天个月位段样项类部区镇乡村单公学工企])"
        r"|(?:[×Ｘ○]{1,2}|XX|xx|\*\*)(?!医院|[A-Za-z0-9×*Ｘ○院大市县省区一二三四五六七八九十])"
    )


def _some(text: str) -> Iterator[Span]:
    """张某, 李某某, 王××."""
    _, sure, two = _surnames()
    for match in _somebody().finditer(text):
        low = match.start()
        if low >= 2 and text[low - 2 : low] in two:
            yield Span(low - 2, match.end(), PhiLabel.NAME.value, 0.85)
        elif match[0][0] != "某" and text[low - 1 : low] in word_set("zh", "weak_surnames"):
            continue
        elif low >= 1 and text[low - 1] in sure and (_stands_alone(text, low - 1) or text[low - 3 : low - 1] == "患者"):
            yield Span(low - 1, match.end(), PhiLabel.NAME.value, 0.85)


# --- the same people again ---------------------------------------------------------------------


def _again(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The same names wherever else they stand."""
    names = {
        text[span.start : span.end] for span in spans if span.score is not None and span.score >= 0.7 and len(span) >= 2
    }
    if not names:
        return
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=lambda name: (-len(name), name)))))
    for match in pattern.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.NAME.value, 0.7)
