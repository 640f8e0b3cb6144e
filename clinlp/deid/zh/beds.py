"""Beds in Chinese notes: 12床, 床号：7, 骨二-15, 三病区06床, ICU-03."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, words
from clinlp.spans import Span

_D = r"[0-9](?<![0-9.][0-9])"
_HAN = "\u4e00-\u9fff"


@cache
def _bed() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    wards = any_of(words("zh", "ward_short"))
    not_bed = "(?!旁|边|垫|头|上|位|单|下|栏|面|尾|日|/)"
    return (
        re.compile(rf"{_D}[0-9A-Za-z]{{0,3}}(?:[-—][0-9]{{1,3}})? ?号?床{not_bed}"),
        re.compile(
            r"床(?<![起卧临离]床)(?:号|位号|位)?[:：= \s]{0,3}([加+]?[0-9A-Za-z一二三四五六七八九十]"
            r"(?:[0-9A-Za-z-]{0,7}[0-9A-Za-z])?)(?:号?床|号(?![0-9A-Za-z]))?(?![0-9A-Za-z.])"
        ),
        re.compile(
            rf"[床机仓铺流](?:(?<=床)(?<![起卧临病].)(?:(?:号|位号|位)[:： ]{{0,2}}(?=[{_HAN}])|[:： ]?(?={wards}))"
            r"([^转至到改换为\W0-9A-Za-z]{1,5}?[A-Z]?[0-9]{0,2}[-—]?[0-9]{1,3}(?:-[甲乙丙丁0-9]{1,2})?"
            rf"(?:号?床)?)(?![0-9A-Za-z.%{_HAN}])"
            r"|[位仓][:： 是还]{0,2}([A-Z]?区?[0-9]{1,3}[号床仓]))"
        ),
    )


@cache
def _ward() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Give the searches for a bed that its ward leads in, and for the ward right before a number."""
    wards = any_of(words("zh", "ward_short"))
    units = "|".join(words("zh", "ward_units"))
    return (
        re.compile(
            rf"[-—](?:(?<=[{_HAN}]-)|(?<=[{_HAN}][0-9A-Z]-)|(?<=[{_HAN}][0-9][0-9]-))[A-Z]?[0-9]{{1,3}}"
            r"(?:-[甲乙丙丁0-9]{1,2})?床?(?![0-9A-Za-z.%‰℃°～~/岁年月日天次周个分秒倍级期型])"
        ),
        re.compile(
            rf"(?:{wards}[一二三四五六七八九十甲乙丙观A-Z]?[0-9]{{0,2}}|[一二三四五六七八九十]{{1,2}}病区|[东南西北]楼?[0-9]{{1,3}})$"
        ),
        re.compile(rf"(?:{units})[- ]?[A-Z]?[0-9]{{1,3}}(?:号?床|(?<=-..)|(?<=-...)|(?<=-.))(?![0-9A-Za-z.%/])"),
    )


def find_beds(text: str) -> Iterator[Span]:
    """Find beds: a number before 床 with its ward, a number after 床号, and what wards write for one."""
    number, field, named = _bed()
    dashed, ward, unit = _ward()
    for match in number.finditer(text):
        start = match.start() - (text[match.start() - 1 : match.start()] in ("加", "+") and match.start() > 0)
        if start:
            before = ward.search(text, max(0, start - 6), start)
            start = before.start() if before else start
        yield Span(start, match.end(), PhiLabel.BED.value, 0.8)
    for match in field.finditer(text):
        if match[0][1] in "号位:：= " and match[0][1] != match[1]:
            yield Span(match.start(1), match.end(), PhiLabel.BED.value, 0.85)
    for match in named.finditer(text):
        group = 1 if match[1] else 2
        yield Span(match.start(group), match.end(group), PhiLabel.BED.value, 0.8)
    for match in dashed.finditer(text):
        before = ward.search(text, max(0, match.start() - 6), match.start())
        if before:
            yield Span(before.start(), match.end(), PhiLabel.BED.value, 0.75)
    if "CU" in text or "NS-" in text:
        for match in unit.finditer(text):
            if not (match.start() and text[match.start() - 1].isascii() and text[match.start() - 1].isalnum()):
                yield Span(match.start(), match.end(), PhiLabel.BED.value, 0.75)
    yield from _rows(text)


@cache
def _row() -> re.Pattern[str]:
    """A ward and a number that open a line: a hand-over lists its patients so."""
    wards = any_of(words("zh", "ward_short"))
    return re.compile(rf"\n(?:[0-9]{{1,2}}[.、] ?)?({wards}[一二三四五六七八九十]?[0-9]{{1,3}})(?=[ \u3000，][{_HAN}])")


def _rows(text: str) -> Iterator[Span]:
    for match in _row().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.BED.value, 0.65)
