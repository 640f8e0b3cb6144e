"""Dates in Chinese notes, in all written forms; not durations, scores and frequencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.patterns import leading
from clinlp.spans import Span

_D = r"[0-9](?<![0-9.][0-9])"
_NUMERAL = "〇零一二三四五六七八九十"
_CLOCK = (
    r"(?:[ T]?(?:[早中晚上下]午?)?[0-2]?[0-9](?:[:：][0-5][0-9](?:[:：][0-5][0-9]"
    r"(?:\.[0-9]+)?)?|[时点](?:[0-5]?[0-9]分?|半)?(?:许|左右)?))?"
)
_NOT_LONG = r"(?![余前后来大龄个以内中份]|之|左右|[0-9])"


@cache
def _dated() -> tuple[tuple[re.Pattern[str], float], ...]:
    month, day = r"(?:1[0-2]|0?[1-9])", r"(?:3[01]|[12][0-9]|0?[1-9])"
    year = r"(?:18|19|20)[0-9]{2}"
    numerals = f"[{_NUMERAL}]"
    return (
        (
            re.compile(
                rf"{_D}(?:(?<=[12])[0-9]{{3}}|[0-9])? ?年 ?{month} ?月(?:份| ?{day} ?[日号])?"
                rf"(?: ?[-—~至到、] ?(?:{month} ?月)? ?{day} ?[日号])?{_CLOCK}"
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
                r"农(?<!务.)历(?:[0-9〇零一二三四五六七八九]{4}年)?"
                r"(?:闰)?[正冬腊0-9〇零一二三四五六七八九十]{1,3}月(?:初|廿)?[0-9廿〇零一二三四五六七八九十]{0,3}[日]?"
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


def find_dates(text: str) -> Iterator[Span]:
    """Find the dates of a Chinese text."""
    for pattern, score in _dated():
        for match in pattern.finditer(text):
            if score > 0.7 or match[0][:2] in ("19", "20") or "/" in match[0]:
                yield Span(match.start(), match.end(), PhiLabel.DATE.value, score)
    months, month_before, days, day_before, short, short_before = _loose_dates()
    for match in months.finditer(text):
        window = text[max(0, match.start() - 3) : match.start()]
        said = match[0][-1] in "旬底初末份" or month_before.search(window)
        if said and leading(match[0]) <= 12 and not window.endswith(("近", "约")):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in days.finditer(text):
        window = text[max(0, match.start() - 3) : match.start()]
        is_part = match[0][-1] in "晨午晚上间里"
        if 1 <= leading(match[0]) <= 31 and day_before.search(window) and (is_part or window[-1:] in "月于至自"):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.55)
    for match in short.finditer(text):
        month = leading(match[0])
        if 1 <= month <= 12 and short_before.search(text[max(0, match.start() - 5) : match.start()]):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
