"""Dates in English notes whose month is a word, or that are a month and a year alone."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import word_set, words
from clinlp.spans import Span

# The first letter stands apart and case-blindness starts after it: so a pass only stops at these letters.
_MONTH = (
    r"[JFMASONDjfmasond](?<![A-Za-z][A-Za-z])(?i:(?<=j)an(?:uary|\.)?|(?<=f)eb(?:ruary|\.)?|"
    r"(?<=m)ar(?:ch|\.)?|(?<=a)pr(?:il|\.)?"
    r"|(?<=m)ay|(?<=j)une?|(?<=j)uly?|(?<=a)ug(?:ust|\.)?|(?<=s)ept?(?:ember|\.)?|(?<=o)ct"
    r"(?:ober|\.)?|(?<=n)ov(?:ember|\.)?"
    r"|(?<=d)ec(?:ember|\.)?)(?![A-Za-z])"
)
_ANY_MONTH = _MONTH.replace("(?<![A-Za-z][A-Za-z])", "")  # a day may touch it: 3Dec2021
_DAY = r"(?:3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?(?![0-9A-Za-z])"
_YEAR = r"(?:(?:19|20)[0-9]{2}|'[0-9]{2})(?![0-9])"
CLOCK_BEHIND: Final = (
    r"(?:(?:,? (?:at )?|T|, )[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?: ?[AaPp]\.?[Mm]\b\.?|Z\b)?)?"
)
START: Final = r"[0-9](?<![0-9A-Za-z][0-9])"  # a digit that starts a number


def find_months(text: str) -> Iterator[Span]:
    """Find dates whose month is a word, months alone, months with a year."""
    yield from month_dates(text)
    yield from _months_alone(text)
    yield from _month_years(text)
    yield from _foreign_months(text)


@cache
def date_words() -> frozenset[str]:
    """The words that dates and holidays are made of."""
    items = (*words("en", "holidays"), *words("en", "foreign_months"))
    return frozenset(word for item in items for word in re.split(r"\W+", item.lower())) | word_set("en", "date_words")


@cache
def _months() -> tuple[re.Pattern[str], ...]:
    year = rf"(?:[,/. -]{{0,2}}(?:of )?{_YEAR}|[-/ ]'?[0-9]{{2}}(?![0-9%]|[.:/][0-9]| ?(?:mg|ml|mm|cm|years?|y)))"
    return (
        # 3-Dec-21, 3rd of December, 03 DEC 2021
        re.compile(
            rf"{START}(?<![0-9]\.[0-9])(?:(?<=3)[01]|(?<=[012])[0-9])?(?:st|nd|rd|th)?(?: day)?(?: of)?"
            rf"(?:[ /.,-]{{0,2}}){_ANY_MONTH}{year}?{CLOCK_BEHIND}"
        ),
        # December 3rd, 2021; Dec. 3-5; Dec 2021
        re.compile(
            rf"{_MONTH}(?:[ ,./-]{{0,2}}(?:the )?{_DAY}(?: ?(?:-|to|and|&|through) ?{_DAY})?"
            rf"(?:,? ?{_YEAR})?|{year}){CLOCK_BEHIND}"
        ),
        re.compile(
            r"[JFASOND](?<![A-Za-z][A-Z])(?:anuary|ebruary|pril|une|uly|ugust|eptember|ctober"
            r"|ovember|ecember)(?![a-z])(?:'s)?"
            r"|Ma(?<![A-Za-z]Ma)(?:rch|y)(?![a-z])"
        ),
    )


def month_dates(text: str) -> Iterator[Span]:
    """Find dates whose month is a word, and that say more than the month: 3-Dec-21, Dec 3."""
    day_first, month_first, _ = _months()
    found = (match for match in day_first.finditer(text) if not match[0].isdigit())
    dates = [Span(match.start(), match.end(), PhiLabel.DATE.value, 0.9) for match in found]
    yield from dates
    ends = [span.end for span in dates]
    for match in month_first.finditer(text):
        at = bisect_right(ends, match.start())  # of the dates that begin with a day, the one that the month may be in
        is_inside = at < len(dates) and dates[at].start <= match.start() and match.end() <= dates[at].end
        is_apart = at < len(dates) and dates[at].start < match.start() and _amount_after().match(text, match.end())
        if not is_inside and not is_apart:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.9)


@cache
def _amount_after() -> re.Pattern[str]:
    """What makes a number after a month no day of it: 27 Feb, 8 d climb; 2 Nov, 23:48."""
    units = "d|days?|h|hrs?|hours?|wks?|weeks?|mo|months?|mg|ml|mL|doses?|pills?|tabs?|times"
    return re.compile(f" (?:{units})(?![A-Za-z])")


def _months_alone(text: str) -> Iterator[Span]:
    for match in _months()[2].finditer(text):
        before = text[max(0, match.start() - 14) : match.start()].lower().replace("-", " ").split()
        if match[0] in ("March", "May", "June", "April", "August") and (
            not before or before[-1] not in word_set("en", "before_month")
        ):
            continue
        part = _part_before().search(text, max(0, match.start() - 30), match.start())
        yield Span(part.start() if part else match.start(), match.end(), PhiLabel.DATE.value, 0.6)


@cache
def _part_before() -> re.Pattern[str]:
    """The first week of May."""
    return re.compile(
        r"\b(?:[Tt]he )?(?:first|second|third|last|1st|2nd|3rd|4th) (?:week(?:end)?|half|part) (?:of|in) $"
    )


@cache
def _month_year() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{START}[0-9]?/[0-9]{{2}}(?![0-9/%a-zA-Z]|[.-][0-9])"),
        re.compile(
            r"\b(?:in|since|from|around|until|dated|early|late|mid|surgery|(?:beginning|middle|end|start) of"
            r"|(?:dx|dx'd|diagnosed)(?: w/| with)?(?: [A-Za-z]+){0,2})"
            r"[ :(-]{1,2}$",
            re.IGNORECASE,
        ),
        re.compile(r"[ -]{1,2}(?:[a-z]+s\b|strength|in (?:the )?(?:upper|lower|right|left|all|bilat)|on (?:the|a) )"),
    )


def _month_years(text: str) -> Iterator[Span]:
    """Months written 07/06 or 3/98, where the words before speak of a time and none after of a score or a share."""
    month_year, before, after = _month_year()
    for match in month_year.finditer(text):
        month, _, year = match[0].partition("/")
        if not 1 <= int(month) <= 12 or not (month[0] == "0" or year[0] in "06789"):
            continue
        if before.search(text, max(0, match.start() - 24), match.start()) and not after.match(text, match.end()):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)


@cache
def _foreign_month() -> re.Pattern[str]:
    """A day and a month of other languages of Europe, or the month in Roman numbers: 3 octobre, 14-VIII-2024."""
    months = "|".join(sorted(words("en", "foreign_months"), key=len, reverse=True))
    year = r"(?:[ .,-]{1,2}(?:de |del )?(?:(?:19|20)[0-9]{2}|[0-9]{2})(?![0-9]))"
    return re.compile(
        rf"{START}[0-9]?(?:\.|er)?[ -](?:de )?(?i:{months})(?!\w){year}?"
        rf"|{START}[0-9]?([ ./-]{{1,2}})(?:I{{1,3}}|IV|VI{{0,3}}|IX|XI{{0,2}})\1(?:19|20)[0-9]{{2}}(?![0-9])"
    )


def _foreign_months(text: str) -> Iterator[Span]:
    for match in _foreign_month().finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.8)
