"""Dates, ages, telephone numbers, record numbers and plates in Chinese notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import words
from clinlp.spans import Span

_D = r"[0-9](?<![0-9.][0-9])"
_NUMERAL = "〇零一二三四五六七八九十"
_CLOCK = r"(?:[ T]?(?:[早中晚上下]午?)?[0-2]?[0-9](?:[:：][0-5][0-9](?:[:：][0-5][0-9](?:\.[0-9]+)?)?|[时点](?:[0-5]?[0-9]分?|半)?(?:许|左右)?))?"
_NOT_LONG = r"(?![余前后来大龄个以内中份]|之|左右|[0-9])"


def find(text: str, *, all_ages: bool = False) -> list[Span]:
    """Find what numbers and dates give away in Chinese text."""
    return [*_dates(text), *_ages(text, all_ages=all_ages), *_phones(text), *_ids(text), *_beds(text), *_plates(text)]


# --- dates -------------------------------------------------------------------------------------


@cache
def _dated() -> tuple[tuple[re.Pattern[str], float], ...]:
    month, day = r"(?:1[0-2]|0?[1-9])", r"(?:3[01]|[12][0-9]|0?[1-9])"
    year = r"(?:18|19|20)[0-9]{2}"
    numerals = f"[{_NUMERAL}]"
    return (
        (
            re.compile(
                rf"{_D}(?:(?<=[12])[0-9]{{3}}|[0-9])? ?年 ?{month} ?月(?:份| ?{day} ?[日号])?(?: ?[-—~至到、] ?(?:{month} ?月)? ?{day} ?[日号])?{_CLOCK}"
            ),
            0.95,
        ),
        (
            re.compile(
                rf"{_D}[0-9]? ?月 ?{day} ?[日号](?:(?: ?[-—~至到、] ?)(?:{month} ?月)? ?{day} ?[日号])?{_CLOCK}"
            ),
            0.95,
        ),
        (re.compile(rf"{_D}[0-9]{{3}} ?([-./]) ?{month} ?\1 ?{day}(?![0-9]){_CLOCK}"), 0.95),
        (re.compile(rf"{_D}[0-9]{{3}}[-/.](?:1[0-2]|0[1-9])(?![0-9.%/-]|[a-zA-Z])"), 0.7),
        (
            re.compile(
                rf"{_D}[0-9]?/{month}/{year}(?![0-9]){_CLOCK}|{_D}[0-9]([-./]){month}\1(?:[0-3][0-9])(?![0-9]){_CLOCK}"
            ),
            0.7,
        ),
        (re.compile(rf"{_D}(?<=[12])[0-9]{{3}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9A-Za-z])"), 0.6),
        (
            re.compile(
                rf"{numerals}(?<!{numerals}.){numerals}{{1,3}}年{numerals}{{1,2}}月(?:份|{numerals}{{1,3}}[日号])?"
            ),
            0.95,
        ),
        (re.compile(rf"{numerals}(?<!{numerals}.){numerals}?月{numerals}{{1,3}}[日号]"), 0.9),
        (re.compile(rf"[正冬腊](?:月)(?:初[一二三四五六七八九十]|[廿{_NUMERAL}]{{1,3}})(?![0-9个余天])"), 0.8),
        (
            re.compile(
                r"农(?<!务.)历(?:[0-9〇零一二三四五六七八九]{4}年)?(?:闰)?[正冬腊0-9〇零一二三四五六七八九十]{1,3}月(?:初|廿)?[0-9廿〇零一二三四五六七八九十]{0,3}[日]?"
            ),
            0.85,
        ),
    )


@cache
def _loose_dates() -> tuple[re.Pattern[str], ...]:
    before = r"(?:今年|去年|前年|同年|本年|次年|当年|明年|于|自|至|到|从|在|[（(]|年)$"
    return (
        re.compile(rf"{_D}[0-9]?(?: ?[-~、至] ?[0-9]{{1,2}})?月(?:[上中下]旬|底|初|末|份)?{_NOT_LONG}"),
        re.compile(before),
        re.compile(
            rf"{_D}[0-9]?[日号](?:(?:凌晨|清晨|早晨|[上下中]午|晚上?|夜间|夜里)|(?![余前后内间龄为以线]|之|左右))"
        ),
        re.compile(r"(?:于|本月|当月|上月|次月|同月|至|自|[（(]|，|,|。|^)$"),
        re.compile(rf"{_D}[0-9]?[-./](?:3[01]|[12][0-9]|0?[1-9])(?![0-9.%/-]|[a-zA-Zμ个次天日月年度级分mg×*])"),
        re.compile(r"(?:日期[:：]?|时间[:：]?|于|自|自从|今日|昨日|入院|出院|截止|截至)[ （(]?$"),
    )


def _dates(text: str) -> Iterator[Span]:
    for pattern, score in _dated():
        for match in pattern.finditer(text):
            if score > 0.7 or match[0][:2] in ("19", "20") or "/" in match[0]:
                yield Span(match.start(), match.end(), PhiLabel.DATE.value, score)
    months, month_before, days, day_before, short, short_before = _loose_dates()
    for match in months.finditer(text):
        window = text[max(0, match.start() - 3) : match.start()]
        said = match[0][-1] in "旬底初末份" or month_before.search(window)
        if said and _leading(match[0]) <= 12 and not window.endswith(("近", "约")):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in days.finditer(text):
        window = text[max(0, match.start() - 3) : match.start()]
        is_part = match[0][-1] in "晨午晚上间里"
        if 1 <= _leading(match[0]) <= 31 and day_before.search(window) and (is_part or window[-1:] in "月于至自"):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.55)
    for match in short.finditer(text):
        month = _leading(match[0])
        if 1 <= month <= 12 and short_before.search(text[max(0, match.start() - 5) : match.start()]):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)


# --- ages --------------------------------------------------------------------------------------


@cache
def _age() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{_D}[0-9]{{0,2}} ?(?:周?岁|[+]?岁)(?:[0-9]{{1,2}}个月)?"),
        re.compile(
            r"[九百](?<![〇零一二三四五六七八九十百].)(?:十|零)?[一二三四五六七八九]?十?[一二三四五六七八九]?周?岁"
        ),
        re.compile(r"年龄[:：\s]{0,3}([0-9]{1,3})(?![0-9.岁])"),
    )


def _ages(text: str, *, all_ages: bool) -> Iterator[Span]:
    digits, spelled, field = _age()
    for match in digits.finditer(text):
        age = _leading(match[0])
        if 89 < age < 130 or (all_ages and age < 130):
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.85)
    for match in spelled.finditer(text):
        if match[0][1] in "十岁零":
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.7)
    for match in field.finditer(text):
        if 89 < int(match[1]) < 130 or all_ages:
            yield Span(match.start(1), match.end(1), PhiLabel.AGE.value, 0.75)


# --- telephones --------------------------------------------------------------------------------


@cache
def _phone() -> tuple[tuple[re.Pattern[str], float], ...]:
    turn = r"(?:(?:转|-|—|分机|ext\.?)[0-9]{1,6}(?![0-9]))?"
    return (
        (re.compile(r"1(?<![0-9A-Za-z]1)[3-9][0-9]([ -]?)[0-9]{4}\1[0-9]{4}(?![0-9])"), 0.9),
        (re.compile(r"\+86[ -]?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])"), 0.95),
        (re.compile(r"86(?<![0-9A-Za-z]86)[ -]?1[3-9][0-9]([ -]?)[0-9]{4}\1[0-9]{4}(?![0-9])"), 0.9),
        (re.compile(r"1(?<![0-9A-Za-z]1)[3-9][0-9]{2}[ -][0-9]{3}[ -][0-9]{4}(?![0-9])"), 0.85),
        (
            re.compile(
                rf"[(（+0](?<![0-9A-Za-z.][(（+0])(?:(?<=0)|(?<=[(（])0|(?<=\+)86[ -]?)[1-9][0-9]{{1,2}}[)）]?[ -]{{0,2}}[2-8][0-9]{{2,3}}[ -]?[0-9]{{4}}(?![0-9]){turn}"
            ),
            0.85,
        ),
        (re.compile(rf"[48](?<![0-9A-Za-z-][48])00[ -]?[0-9]{{3,4}}[ -]?[0-9]{{3,4}}(?![0-9]){turn}"), 0.75),
        (re.compile(rf"[2-8](?<![0-9A-Za-z.-].)[0-9]{{2,3}}-[0-9]{{4}}(?![0-9]){turn}"), 0.55),
    )


def _phones(text: str) -> Iterator[Span]:
    for pattern, score in _phone():
        for match in pattern.finditer(text):
            window = text[max(0, match.start() - 6) : match.start()]
            label = PhiLabel.FAX if "传真" in window or "fax" in window.lower() else PhiLabel.PHONE
            yield Span(match.start(), match.end(), label.value, score)


# --- numbers that their field names ------------------------------------------------------------

_FIELDS = (
    ("fax_words", PhiLabel.FAX, 4),
    ("phone_words", PhiLabel.PHONE, 4),
    ("id_card_words", PhiLabel.ID_CARD, 4),
    ("plan_words", PhiLabel.HEALTH_PLAN, 3),
    ("mrn_words", PhiLabel.MRN, 2),
    ("license_words", PhiLabel.LICENSE, 4),
    ("account_words", PhiLabel.ACCOUNT, 4),
    ("vehicle_words", PhiLabel.VEHICLE, 3),
    ("device_words", PhiLabel.DEVICE, 3),
    ("social_words", PhiLabel.SOCIAL, 4),
    ("id_words", PhiLabel.ID, 2),
)


@cache
def _id() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, tuple[PhiLabel, int]], int, re.Pattern[str]]:
    kinds = {word.replace("\\", ""): (label, least) for key, label, least in _FIELDS for word in words("zh", key)}
    return (
        re.compile(r"[0-9](?<![0-9][0-9])[0-9A-Za-z]*(?:[-/_—.*][0-9A-Za-z*]+)*"),
        re.compile(r"(?:号码|号|码|编号|账号|ID|为|是|也是|均为|同为|[:：（(\[【#＃“\"\s._=]|No\.?|NO\.?|no\.?)+$"),
        kinds,
        max(map(len, kinds)),
        re.compile(r"[A-Za-z](?<![0-9A-Za-z_@.].)[A-Za-z0-9_-]{3,24}(?![\w@.])"),
    )


def _ids(text: str) -> Iterator[Span]:
    number, link, kinds, longest, name = _id()
    reach = 0
    for match in number.finditer(text):
        low, high = match.start(), match.end()
        while (
            low > reach
            and match.start() - low < 20
            and text[low - 1].isascii()
            and (text[low - 1].isalnum() or text[low - 1] in "-_")
        ):
            low -= 1
        while low < match.start() and text[low] in "-_":
            low += 1
        reach = high
        n_digits = sum(map(str.isdigit, text[low:high]))
        found = _kind(text, low, link, kinds, longest)
        if found is not None and (n_digits >= found[1] or (n_digits and high - low >= 5)):
            yield Span(low, high, found[0].value, 0.9)
        elif n_digits >= 8 and text[low:high].isalnum():
            yield Span(low, high, PhiLabel.ID.value, 0.5)
    for match in _social().finditer(text):
        handle = name.match(text, match.end())
        if handle:
            yield Span(handle.start(), handle.end(), PhiLabel.SOCIAL.value, 0.85)


@cache
def _social() -> re.Pattern[str]:
    return re.compile(
        r"[微Qq抖小快钉用登昵网W](?:信(?:号|ID|账号)?|Q(?:号码?|群)?|q号?|音号?|红书号?|手号?|钉号?|户名|录名|称|名|eChat(?:ID)?)[为是:： \s（(]{1,3}(?=[A-Za-z])"
    )


def _kind(
    text: str, low: int, link: re.Pattern[str], kinds: dict[str, tuple[PhiLabel, int]], longest: int
) -> tuple[PhiLabel, int] | None:
    """Say what the characters right before a number call it, the longest word first."""
    window = text[max(0, low - 24) : low]
    if not window or window[-1] in "，。；、,;":
        return None
    bare = link.sub("", window)
    for end in (window.rstrip(' :：\t（(#“"为是'), bare):
        for size in range(min(longest, len(end)), 1, -1):
            found = kinds.get(end[-size:])
            if found is not None:
                return found
    return None


@cache
def _bed() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{_D}[0-9A-Za-z]{{0,3}}(?:[-—][0-9]{{1,3}})? ?号?床(?!旁|边|垫|头|上|位|单|下|栏|面|尾|日|/)"),
        re.compile(
            r"床(?:号|位号|位)?[:： \s]{0,3}([加+]?[0-9A-Za-z一二三四五六七八九十](?:[0-9A-Za-z-]{0,7}[0-9A-Za-z])?)(?:号?床)?(?![0-9A-Za-z.])"
        ),
    )


def _beds(text: str) -> Iterator[Span]:
    number, field = _bed()
    for match in number.finditer(text):
        start = match.start() - (text[match.start() - 1 : match.start()] in ("加", "+") and match.start() > 0)
        yield Span(start, match.end(), PhiLabel.BED.value, 0.8)
    for match in field.finditer(text):
        if match[0][1] in "号位:： " and match[0][1] != match[1]:
            yield Span(match.start(1), match.end(), PhiLabel.BED.value, 0.85)


@cache
def _plate() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·• .-]?[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])"
        ),
        re.compile(r"[EGDSPHMT](?<![A-Za-z0-9].)[A-Z]?[0-9]{7,8}(?![A-Za-z0-9])"),
    )


def _plates(text: str) -> Iterator[Span]:
    plate, passport = _plate()
    for match in plate.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.VEHICLE.value, 0.9)
    for match in passport.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LICENSE.value, 0.7)


def _leading(text: str) -> int:
    """Read the number that a text starts with."""
    size = 0
    while size < len(text) and text[size].isdigit():
        size += 1
    return int(text[:size])
