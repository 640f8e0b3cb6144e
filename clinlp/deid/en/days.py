"""Days that have names in English notes: holidays, weekdays, and weekdays before a date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, word_set, words
from clinlp.spans import Span


def with_weekdays(text: str, dates: Iterable[Span]) -> Iterator[Span]:
    """Give the dates with the weekday before them, if one is there: Tues 5/6, Friday the 3rd of May."""
    for span in dates:
        before = _weekday_before().search(text, max(0, span.start - 16), span.start)
        yield replace(span, start=before.start()) if before else span


@cache
def _weekday_before() -> re.Pattern[str]:
    weekday = "(?:mon|tue|tues|wed|weds|thu|thur|thurs|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
    return re.compile(rf"\b{weekday}\b[.,]{{0,2}} {{0,2}}\(?(?:the )?$", re.IGNORECASE)


def find_days(text: str) -> Iterator[Span]:
    """Find holidays, and weekdays of a week that is said: `next Monday`; one alone is no date."""
    for match in _holiday().finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.7)
    for match in _weekday_nth().finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.7)
    for match in _day().finditer(text):
        before = text[max(0, match.start() - 12) : match.start()].lower().split()
        after = text[match.end() : match.end() + 6]
        is_list = re.match(r",? (?:and |or )?[MTWFS][a-z]+d", after) or re.match(r"s\b|/|-", after)
        known = _WHICH if match[0].endswith("day") else word_set("en", "before_day")
        if before and before[-1].strip("(,") in known and not is_list:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.55)


_WHICH = frozenset(("next", "last", "this"))


@cache
def _holiday() -> re.Pattern[str]:
    names = any_of(map(re.escape, words("en", "holidays")), guard=r"(?<!\w.)")
    return re.compile(rf"{names}(?!\w)(?:,? (?:19|20)[0-9]{{2}}(?![0-9]))?")


@cache
def _weekday_nth() -> re.Pattern[str]:
    """Saturday the 14th, Tues 4th."""
    return re.compile(
        r"[MTWFSmtwfs](?<![A-Za-z].)(?i:(?<=m)on|(?<=t)ues?|(?<=w)ed(?:nes)?|(?<=t)hu(?:rs?)?|(?<=f)ri|(?<=s)at(?:ur)?|(?<=s)un)"
        r"(?i:day)?\.?,? (?:the )?(?:3[01]|[12][0-9]|[1-9])(?:st|nd|rd|th)(?![0-9A-Za-z])"
    )


@cache
def _day() -> re.Pattern[str]:
    return re.compile(
        r"[MTWFSCEH](?<![A-Za-z][A-Z])(?:(?:on|ues|ednes|hurs|ri|atur|un)day(?![a-z])|hristmas|aster(?= )|alloween)"
    )
