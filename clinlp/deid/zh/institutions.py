"""Hospitals, employers and schools in Chinese notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, listed, word_set, words
from clinlp.spans import Span

_HAN = "\u4e00-\u9fff"


@cache
def _hospital() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], frozenset[str]]:
    cuts = "|".join(sorted(words("zh", "hospital_cuts"), key=lambda w: (-len(w), w)))
    cuts += "|(?<!协)和(?=[^平谐睦县田林])"
    generic = word_set("zh", "hospital_generic")
    departments = "|".join(sorted(words("zh", "departments"), key=lambda w: (-len(w), w)))
    return (
        re.compile(any_of(words("zh", "hospital_words"))),
        re.compile(f"(?:{cuts})"),
        re.compile(
            rf"(?:（[{_HAN}]{{1,8}}(?:院区|分院|医院|院|部)）)?(?:[{_HAN}]{{1,4}}(?:院区|分院))?"
            rf"(?:{departments})?(?:[一二三四五六七八九十0-9]{{1,2}}(?:病区|区|科|病房))?"
        ),
        generic,
    )


def find_hospitals(text: str) -> Iterator[Span]:
    """Hospitals with the place and order that name them; 我院, 当地医院 and 外院 name none."""
    anchor, cuts, tail, generic = _hospital()
    for match in anchor.finditer(text):
        low = match.start()
        while (
            low
            and match.start() - low < 18
            and ("\u4e00" <= text[low - 1] <= "\u9fff" or text[low - 1] in "0123456789（）")
        ):
            low -= 1
        opened = text.rfind("（", low, match.start())
        if opened >= 0 and text.find("）", opened, match.start()) < 0:
            low = opened + 1
        start = low
        for cut in cuts.finditer(text, low, match.start()):
            if not _in_division(text, cut.start(), low):
                start = cut.end()
        if (
            match.start() > 2
            and text[match.start() - 1] in "镇乡"
            and text[match.start() - 3 : match.start()].isalnum()
            and text[match.start() - 2] not in "在于到至往去从由当是上了个的"
        ):  # 营前镇卫生院
            start = min(start, match.start() - 3 + (text[match.start() - 3] in "在于到至往去从由当"))
        elif text[match.start() - 2 : match.start()] == "街道":  # 安和街道卫生院
            start = min(start, max(low, match.start() - 4))
        lead = text[start : match.start()].lstrip("0123456789）")
        start = match.start() - len(lead)
        name = lead + match[0]
        head = re.sub("(?:人民|中心|附属|中医|总|中)?医院$|[^院]{2,5}$", "", name) if lead else ""
        if (
            not lead
            or lead in generic
            or head in generic
            or lead[:2] in ("某某", "当地", "外地")
            or (lead[0] in "某该本我外" and not _in_division(text, start, start))
            or "某" in lead[-2:]
            or (_few().match(lead) and not _in_division(text, start, start))
        ):
            continue
        more = tail.match(text, match.end())
        end = more.end() if more else match.end()
        yield Span(start, end, PhiLabel.HOSPITAL.value, 0.8)


@cache
def _short() -> re.Pattern[str]:
    """Hospitals under short names: 301医院, 浙大二院; 在协和, 外院（华西）, 同济会诊."""
    known = any_of(words("zh", "hospital_short"))
    return re.compile(
        f"(?!1[0-2]0)[1-9](?<![0-9.].)[0-9]{{2}}医院|[{_HAN}][大医]附?[一二三四五六七八九]院(?!区)"
        f"|(?:(?<=[在于到去转至往从自赴经])|(?<=外院[（(])){known}(?![路街道区县村镇市])"
        f"|{known}(?=就诊|会诊|住院|门诊|急诊|专家|[行做]?手术)"
    )


def find_short_hospitals(text: str) -> Iterator[Span]:
    """Hospitals that go by a number, or the short name that everybody knows them by."""
    for match in _short().finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.HOSPITAL.value, 0.8)


@cache
def _divisions() -> frozenset[str]:
    names = {name for kind in ("zh_provinces", "zh_cities", "zh_counties") for name in listed(kind)}
    return frozenset(names | {name[:-1] for name in names if len(name) > 2 and name[-1] in "省市县区"})


def _in_division(text: str, at: int, floor: int) -> bool:
    """Say whether the character at `at` is part of a division's name: 来 in 来宾, 和 in 共和."""
    known = _divisions()
    return any(
        text[low : low + size] in known for size in (2, 3, 4) for low in range(max(floor, at - size + 1), at + 1)
    )


@cache
def _few() -> re.Pattern[str]:
    return re.compile(
        r"[多几两一二三四数各][所家个]|[市县省区镇乡](?!立)[^市县省区]{0,4}$|当地|外地"
        r"|.*(?:当地|本地|外地|乡镇|一般|[二三]甲|级别|[这那]边|好多|附近|什么|哪家|昨天|今天|明天)$"
    )


def _opens_division(text: str, at: int, stop: int) -> bool:
    """Say whether a city or county with its last character starts at `at`: 开阳县."""
    known = _divisions()
    return any(
        text[at + size - 1] in "市县区州盟旗" and text[at : at + size] in known for size in (3, 4) if at + size <= stop
    )


# --- employers and schools ---------------------------------------------------------------------


@cache
def _employer() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(any_of(words("zh", "org_words"))),
        re.compile(f"(?:{'|'.join(sorted(words('zh', 'org_left'), key=lambda w: (-len(w), w)))})"),
        re.compile(any_of(words("zh", "org_right"))),
    )


def find_employers(text: str) -> Iterator[Span]:
    """Companies, schools and offices where somebody works or learns: 在南湖机械厂工作, 就职于某某公司."""
    anchor, left, right = _employer()
    for match in anchor.finditer(text):
        low = match.start()
        while low and match.start() - low < 22 and ("\u4e00" <= text[low - 1] <= "\u9fff" or text[low - 1] in "（）()"):
            low -= 1
        start, is_sure = _employer_start(text, low, match, left)
        person = _person_before().match(text, start, match.start())
        start = person.end() if person else start
        lead = text[start : match.start()]
        if (
            len(lead) > 1
            and (is_sure or right.match(text, match.end()))
            and text[start] not in "某该本我外当一两几他她它你咱这那哪不只"
        ):
            yield Span(start, match.end(), PhiLabel.ORG.value, 0.75)


@cache
def _person_before() -> re.Pattern[str]:
    """What is said of somebody before where they work: 岁的女性, 担任, 近期她与."""
    return re.compile(".*(?:岁的?|[男女]性的?|担任|现任|近期[他她]?与?|来自)")


def _employer_start(text: str, low: int, anchor: re.Match[str], left: re.Pattern[str]) -> tuple[int, bool]:
    """Give where an employer's name starts, and whether what stands before it or its own words are sign enough."""
    start, is_sure = low, False
    at = next((at for at in range(low, anchor.start() - 2) if _opens_division(text, at, anchor.start())), None)
    if at is not None:  # 移送开阳县公安局
        return at, True
    for found in left.finditer(text, max(0, low - 2), anchor.start()):
        start = found.end()
        is_sure = len(found[0]) > 1
        if is_sure:
            return start, True
    is_firm = (
        start == low
        and anchor[0] in ("公司", "集团", "厂")
        and text[anchor.end() : anchor.end() + 1] != "家"
        and anchor.start() - low >= 4
    )
    return start, is_firm or _in_division(text, start, start)
