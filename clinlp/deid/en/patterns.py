"""Telephone numbers in English notes, and all that the other pattern modules find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.ages import find_ages
from clinlp.deid.en.dates import find_dates
from clinlp.deid.en.days import find_days, with_weekdays
from clinlp.deid.en.id_forms import find_files
from clinlp.deid.en.ids import code_systems, find_ids, find_spoken
from clinlp.deid.en.logins import find_logins
from clinlp.deid.en.streets import find_streets
from clinlp.deid.phones import is_assigned
from clinlp.deid.plain import original, plain
from clinlp.deid.words import words
from clinlp.spans import Span

_D = r"[0-9](?<![0-9A-Za-z][0-9])"  # a digit that starts a number


def find(text: str, *, all_ages: bool = False) -> list[Span]:
    """Find what numbers and months give away in English text."""
    shown, places = plain(text)
    spans = [
        *with_weekdays(shown, find_dates(shown)),
        *find_days(shown),
        *find_ages(shown, all_ages=all_ages),
        *_phones(shown),
        *find_ids(shown),
        *find_logins(shown),
        *find_spoken(shown),
        *find_files(shown),
        *find_streets(shown),
    ]
    return original(spans, places)


@cache
def _phone() -> tuple[re.Pattern[str], ...]:
    extension = r"(?:,? ?(?:x|ext\.?|extension|Ext\.?) ?[0-9]{1,6}(?![0-9]))?"
    return (
        re.compile(
            r"[(+0-9](?<![0-9A-Za-z.-][(+0-9])(?:(?<=\+)[0-9]{1,3}[ .-]?\(?|"
            r"(?<=0)0?1?[ .-]?[0-9]?[ .-]?|(?<=1)[ .-]?\(?)?"
            rf"(?:(?<=[0-9])[0-9]{{2}}|[0-9]{{3}})[)/]?[ .-]{{0,2}}[0-9]{{3}}[ .-][0-9]{{4}}"
            rf"(?![0-9]|[-/][0-9]){extension}"
        ),
        re.compile(
            rf"{_D}[0-9]{{2}}-[0-9]{{4}}(?![0-9-]|/ ?mm| ?(?:(?:m[lLg]|[ck]?cal|mm[³23]?)(?![A-Za-z])|%)){extension}"
        ),
        re.compile(r"\+[0-9]{1,3}[ .-]?(?:\(0\))?(?:[ .()-]{0,2}[0-9]{1,5}){2,6}(?![0-9])"),
        re.compile(r"0(?<![0-9A-Za-z.,-]0)[0-9]{1,4}[ .-](?:[0-9]{2,4}[ .-]){1,4}[0-9]{2,4}(?![0-9])"),
        re.compile(r"\([0-9]{2,4}\)[ -]?[0-9]{2,4}(?:[ -][0-9]{2,4}){1,3}(?![0-9])" + extension),
        re.compile(rf"{_D}[0-9]{{9,12}}(?![0-9A-Za-z]){extension}"),
    )


@cache
def _said_phone() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    keys = "|".join(words("en", "phone_words"))
    return (
        re.compile(rf"\b(?:{keys})s?\b[^0-9\n]{{0,24}}$", re.IGNORECASE),
        re.compile(r"\bfax(?:ed)?\b[^0-9\n]{0,24}$", re.IGNORECASE),
        re.compile(r"[(+0-9](?<![0-9A-Za-z-][(+0-9])[0-9 ().x-]{2,22}[0-9](?![0-9A-Za-z/%]| ?[cm]m(?![a-z]))"),
    )


def _phones(text: str) -> Iterator[Span]:
    said, faxed, loose = _said_phone()
    ten, seven, *others, long = _phone()
    certain = [(ten, 0.9), (seven, 0.7), *((other, 0.75) for other in others), (long, 0.0)]
    for pattern, score in certain:
        for match in pattern.finditer(text):
            if match[0][0] == "+" and sum(map(str.isdigit, match[0])) < 7:
                continue  # a lens of +3.50
            low = match.start() + (match[0][0] == "(" and ")" not in match[0])
            window = text[max(0, low - 36) : low]
            if faxed.search(window):
                yield Span(low, match.end(), PhiLabel.FAX.value, 0.95)
            elif said.search(window):
                yield Span(low, match.end(), PhiLabel.PHONE.value, 0.95)
            elif code_systems().search(window) or (pattern is seven and _range().search(window)):
                continue
            elif score:
                yield Span(
                    low,
                    match.end(),
                    PhiLabel.PHONE.value,
                    0.89 if is_assigned(text[low : match.end()], "US") else score,
                )
            elif sum(c.isdigit() for c in match[0]) == 10:
                yield Span(low, match.end(), PhiLabel.PHONE.value, 0.5)
    for match in loose.finditer(text):
        if sum(c.isdigit() for c in match[0]) < 4 or _decimal().fullmatch(match[0]):
            continue
        window = text[max(0, match.start() - 36) : match.start()]
        if said.search(window) and not (_clock().fullmatch(match[0]) and _called().search(window)):
            yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.8)


@cache
def _range() -> re.Pattern[str]:
    """What stands before the values that are normal: pmol/L (298-2350), reference range 751-1560."""
    return re.compile(
        r"(?:\b(?:normal|reference) (?:range|values?)[: (]{1,3}|[A-Za-z]/ ?(?:[md]?[lL]|mm ?[3³]|kg|m2|min|day) ?\()$"
    )


@cache
def _decimal() -> re.Pattern[str]:
    return re.compile(r"[0-9]+\.[0-9]+")


@cache
def _clock() -> re.Pattern[str]:
    return re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9]")


@cache
def _called() -> re.Pattern[str]:
    """Words after which four digits are a time of day: called back 0415."""
    return re.compile(r"(?:called|paged|texted|contacted|call(?: ?back)?|home|work)[^0-9\n:]{0,24}$", re.IGNORECASE)
