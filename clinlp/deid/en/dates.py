"""Dates in English notes, in all written forms; not durations, scores and frequencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.dates.age import OLD_YEARS
from clinlp.deid.en.months import CLOCK_BEHIND, START, find_months
from clinlp.deid.en.scores import is_month_day
from clinlp.spans import Span


@cache
def _numeric_dates() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(
            rf"{START}(?<![0-9]/[0-9])[0-9]{{0,3}}([-/.])[0-9]{{1,2}}\1[0-9]{{2,4}}(?![0-9]|[/.][0-9]|%| ?mm ?Hg"
            rf"|-[0-9](?![0-9]?[-/.][0-9]{{1,2}}[-/.])){CLOCK_BEHIND}"
        ),
        re.compile(
            rf"{START}[0-9]?/(?:(?:19|20)[0-9]{{2}}|[0-3]?[0-9](?:-[0-9]{{1,2}}/[0-9]{{1,2}})?)(?![0-9/%a-zA-Z]|\.[0-9])"
        ),
        re.compile(rf"{START}[0-9]{{3}}-[01][0-9](?![0-9-])"),
    )


@cache
def _compact() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{START}[0-9]{{7}}(?![0-9A-Za-z])"),
        re.compile(rf"{START}[0-9]? [0-9]{{1,2}} (?:19|20)[0-9]{{2}}(?![0-9A-Za-z])"),
    )


def find_dates(text: str) -> Iterator[Span]:
    """Find the dates of an English text but for days that have names."""
    yield from find_months(text)
    yield from _compact_dates(text)
    full, short, year_month = _numeric_dates()
    for match in full.finditer(text):
        if _is_full(match[0], match[1]) or (match[1] == "." and _is_short(text, match)):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.95)
    reach = -9
    for match in short.finditer(text):
        month, _, rest = match[0].partition("/")
        if len(rest) == 4 and rest.isdigit():
            if 1 <= int(month) <= 12 and int(rest) < 2048:  # from there on a titre: 1/2048
                yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.85)
        elif is_month_day(text, match, month, rest) or (
            match.start() - reach < 6 and 0 < int(month) < 13 and _chain().fullmatch(text, reach, match.start())
        ):
            reach = match.end()
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in year_month.finditer(text):
        if match[0][:2] in ("19", "20") and 1 <= int(match[0][5:]) <= 12:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.7)
    if ".," in text or ".;" in text or ".)" in text:
        for match in _dotted().finditer(text):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in _nth().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.DATE.value, 0.6)


def _compact_dates(text: str) -> Iterator[Span]:
    """Dates without marks between their parts: 20240314, 03142024, and after a word for birth 1 1 1970."""
    compact, spaced = _compact()
    for match in compact.finditer(text):
        year_first, digits = match[0][:2] in ("19", "20"), match[0]
        month, day = (digits[4:6], digits[6:]) if year_first else (digits[:2], digits[2:4])
        if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 and (year_first or digits[4:6] in ("19", "20")):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in spaced.finditer(text):
        if _birth().search(text, max(0, match.start() - 20), match.start()):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.8)
    for match in _old_year().finditer(text):
        if _birth().search(text, max(0, match.start() - 20), match.start()):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.75)


@cache
def _birth() -> re.Pattern[str]:
    return re.compile(r"(?:\bborn|\bdob|\bD\.?O\.?B\.?|birth)[a-z ]{0,8}[:=(]? ?$", re.IGNORECASE)


@cache
def _old_year() -> re.Pattern[str]:
    """A year alone that, where somebody was born in it, tells an age over 89."""
    return re.compile(rf"{OLD_YEARS}(?<![0-9A-Za-z/.-]....)(?![0-9]|[/.-][0-9])")


def _is_short(text: str, match: re.Match[str]) -> bool:
    """Say whether `4.7.56` is a date: it is somebody's birth, or one number is a day and no month, as in 8.26.24."""
    first, second, year = (int(part) for part in re.split(r"[^0-9]", match[0], maxsplit=3)[:3])
    day, month = max(first, second), min(first, second)
    is_date = 0 < month < 13 and day < 32 and year < 100
    return is_date and (day > 12 or bool(_birth().search(text, max(0, match.start() - 20), match.start())))


@cache
def _chain() -> re.Pattern[str]:
    return re.compile(r" ?(?:&|and|,|to|-|or|thru|through|until) ?")


@cache
def _dotted() -> re.Pattern[str]:
    """A day and a month with points after both: 24.05., 71 %."""
    return re.compile(rf"{START}[0-9]\.(?:0[1-9]|1[0-2])\.(?=[,;)])")


@cache
def _nth() -> re.Pattern[str]:
    return re.compile(r"on the ((?:3[01]|[12][0-9]|[1-9])(?:st|nd|rd|th))(?=[.,;\n)]| at | and | of this| of last|$)")


def _is_full(date: str, separator: str) -> bool:
    parts = re.split(r"[^0-9]", date, maxsplit=3)
    first, second, third = parts[0], parts[1], parts[2]
    one, two, three = int(first), int(second), int(third[:4])
    if len(first) == 4:
        return 1800 <= one <= 2199 and 1 <= two <= 12 and 1 <= three <= 31 and len(third) <= 2
    if len(first) == 3 or len(third) == 3:
        return False
    if separator == "." and (len(third) != 4 and not (len(first) == len(second) == 2)):
        return False
    if len(third) == 4 and not 1800 <= three <= 2199:
        return False
    return (1 <= one <= 12 and 1 <= two <= 31) or (1 <= one <= 31 and 1 <= two <= 12)
