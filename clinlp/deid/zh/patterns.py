"""Ages, telephone numbers, record numbers and plates in Chinese notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.patterns import leading
from clinlp.deid.phones import is_assigned
from clinlp.deid.plain import original
from clinlp.deid.zh.beds import find_beds
from clinlp.deid.zh.calls import find_spelled
from clinlp.deid.zh.dates import find_dates
from clinlp.deid.zh.ids import find_ids
from clinlp.deid.zh.plain import plain_zh
from clinlp.spans import Span

_D = r"[0-9](?<![0-9.][0-9])"


def find(text: str, *, all_ages: bool = False) -> list[Span]:
    """Find what numbers and dates give away in Chinese text."""
    text, places = plain_zh(text)
    spans = [
        *find_dates(text),
        *_ages(text, all_ages=all_ages),
        *_phones(text),
        *find_spelled(text),
        *find_ids(text),
        *_hidden_numbers(text),
        *find_beds(text),
        *_plates(text),
    ]
    return original(spans, places)


# --- ages --------------------------------------------------------------------------------------


@cache
def _age() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(rf"{_D}[0-9]{{0,2}} ?(?:周?岁|[+]?岁)(?:[0-9]{{1,2}}个月)?"),
        re.compile(
            r"[九百](?<![〇零一二三四五六七八九十百].)(?:十|零)?[一二三四五六七八九]?十?[一二三四五六七八九]?周?岁"
        ),
        re.compile(r"年龄[:：\s]{0,3}([0-9]{1,3})(?![0-9.岁])"),
        re.compile(
            r"[岁龄年寿爹娘爷奶妈爸](?<=虚岁|年龄|今年|高龄|享年|现年|俺[爹娘]|我[爹娘爷奶妈爸])[都已快有是：: ]{0,3}"
            r"(9[0-9]|1[01][0-9]|九十[一二三四五六七八九]?|一百零?[一二三四五六七八九]?)(?![0-9.%/年月日天余多度次个十])"
        ),
    )


def _ages(text: str, *, all_ages: bool) -> Iterator[Span]:
    digits, spelled, field, bare = _age()
    for match in digits.finditer(text):
        age = leading(match[0])
        if 89 < age < 130 or (all_ages and age < 130):
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.85)
    for match in spelled.finditer(text):
        if match[0][1] in "十岁零":
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.7)
    for match in bare.finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.AGE.value, 0.7)
    for match in field.finditer(text):
        if 89 < int(match[1]) < 130 or all_ages:
            yield Span(match.start(1), match.end(1), PhiLabel.AGE.value, 0.75)


# --- telephones --------------------------------------------------------------------------------


@cache
def _phone() -> tuple[tuple[re.Pattern[str], float], ...]:
    turn = r"(?: ?(?:转|-|—|分机|ext\.?)[ :：号]{0,2}[0-9]{1,6}(?![0-9]))?"
    return (
        (re.compile(r"1(?<![0-9A-Za-z]1)[3-9][0-9]([ -]?)[0-9]{4}\1[0-9]{4}(?![0-9])"), 0.9),
        (re.compile(r"\+86[ -]?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])"), 0.95),
        (re.compile(r"86(?<![0-9A-Za-z]86)[ -]?1[3-9][0-9]([ -]?)[0-9]{4}\1[0-9]{4}(?![0-9])"), 0.9),
        (re.compile(r"1(?<![0-9A-Za-z]1)[3-9][0-9]{2}[ -][0-9]{3}[ -][0-9]{4}(?![0-9])"), 0.85),
        (
            re.compile(
                rf"[(（+0](?<![0-9A-Za-z.][(（+0])(?:(?<=0)|(?<=[(（])0|"
                rf"(?<=\+)86[ -]?)[1-9][0-9]{{1,2}}[)）]?[ -]{{0,2}}[2-8][0-9]{{2,3}}[ -]?[0-9]{{4}}(?![0-9]){turn}"
            ),
            0.85,
        ),
        (re.compile(rf"[48](?<![0-9A-Za-z-][48])00[ -]?[0-9]{{3,4}}[ -]?[0-9]{{3,4}}(?![0-9]){turn}"), 0.75),
        (re.compile(rf"[2-8](?<![0-9A-Za-z.-].)[0-9]{{2,3}}-[0-9]{{4}}(?![0-9]){turn}"), 0.55),
    )


@cache
def _abroad() -> re.Pattern[str]:
    """Numbers of other countries and regions: +852 9123 4567, 00853-6612-3456, 0912-345-678."""
    return re.compile(
        r"(?:\+|00(?<![0-9A-Za-z.-]00))(?!86[ -]?1)[1-9][0-9]{0,2}(?:[ -]?\(?[0-9]{1,5}\)?){2,6}(?![0-9])"
        r"|09(?<![0-9A-Za-z.-]09)[0-9]{2}([ -])[0-9]{3}\1[0-9]{3}(?![0-9-])"
    )


@cache
def _page() -> re.Pattern[str]:
    """What stands before the pages of a reference: 13（4）：213-2132."""
    return re.compile("[0-9）)] ?[:：∶] ?$")


@cache
def _amounts() -> re.Pattern[str]:
    """From a year to another, or from an amount to another: 2017-2019年, 2000-3000元."""
    return re.compile(
        r"(?:19|20)[0-9]{2}-(?:19|20)[0-9]{2}(?![0-9])"
        r"|[0-9]{3,4}-[0-9]{4} ?(?:[元年步块米克万]|毫升|大卡|千卡|(?:ml|kcal|mg)(?![a-z]))",
        re.IGNORECASE,
    )


def _phones(text: str) -> Iterator[Span]:
    for pattern, score in _phone():
        for match in pattern.finditer(text):
            window = text[max(0, match.start() - 6) : match.start()]
            if score < 0.6 and (_page().search(window) or _amounts().match(text, match.start())):
                continue
            label = PhiLabel.FAX if "传真" in window or "fax" in window.lower() else PhiLabel.PHONE
            yield Span(match.start(), match.end(), label.value, score)
    for match in _abroad().finditer(text):
        number = re.sub("^00", "+", match[0])
        if is_assigned(number, "TW"):  # the one region whose mobile numbers are written without a country code
            yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.85)


@cache
def _hidden_number() -> tuple[tuple[re.Pattern[str], PhiLabel], ...]:
    """Identity cards with blanks or stars, which are no run of digits, and telephones with stars."""
    return (
        (
            re.compile(
                r"[1-9](?<![0-9A-Za-z].)[0-9]{5}([ -]{1,2})(?:1[89]|20)[0-9]{2}[ -]{0,2}[0-9]{2}[ -]{0,2}[0-9]{2}"
                r"[ -]{1,2}[0-9]{3}[ -]?[0-9Xx](?![0-9A-Za-z])"
            ),
            PhiLabel.ID_CARD,
        ),
        (re.compile(r"[*＊](?<=[0-9].)[*＊xX]{3,13}[0-9Xx]{2,6}(?![0-9A-Za-z])"), PhiLabel.ID),
    )


def _hidden_numbers(text: str) -> Iterator[Span]:
    (card, label), (stars, _) = _hidden_number()
    for match in card.finditer(text):
        yield Span(match.start(), match.end(), label.value, 0.9)
    if "*" not in text and "＊" not in text:
        return
    for match in stars.finditer(text):
        low = match.start()
        while low and match.start() - low < 8 and text[low - 1].isdigit():
            low -= 1
        lead = text[low : match.start()]
        if 2 <= len(lead) <= 6 and match.end() - low >= 10:
            is_phone = lead[0] == "1" and len(lead) == 3 and match.end() - low <= 12
            kind = PhiLabel.PHONE if is_phone else PhiLabel.ID_CARD
            yield Span(low, match.end(), kind.value, 0.8)


@cache
def _plate() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]"
            r"[·• .-]?[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])"
        ),
        re.compile(r"[EGDSPHMT](?<![A-Za-z0-9].)[A-Z]?[0-9]{7,8}(?![A-Za-z0-9])"),
    )


def _plates(text: str) -> Iterator[Span]:
    plate, passport = _plate()
    for match in plate.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.VEHICLE.value, 0.9)
    for match in passport.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LICENSE.value, 0.7)
