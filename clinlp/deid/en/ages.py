"""Ages in English notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import EPONYM, FIRST, LAST, STOP, kinds
from clinlp.deid.patterns import leading
from clinlp.spans import Span

_D = r"[0-9](?<![0-9A-Za-z][0-9])"  # a digit that starts a number


_ONES = "one|two|three|four|five|six|seven|eight|nine"
_NINETY = rf"(?:ninet(?:y|ies)(?:[- ](?:{_ONES}))?|(?:one|an?) hundred(?:[- ]and)?(?:[- ](?:{_ONES}|ten))?)"


@cache
def _age() -> tuple[re.Pattern[str], ...]:
    unit = r"[ -]{0,2}(?:(?i:years?|yrs?)|y(?:/|\.)?o|yo|y)\b\.?(?:[ -]?(?i:old|of age))?"
    return (
        re.compile(rf"{_D}[0-9]{{0,2}}(?![0-9])(?:{unit}|(?:'?s)\b|(?=[ -]?(?:[MF]|male|female)\b))"),
        re.compile(
            rf"{_NINETY}[- ]years?(?:[- ]old)?"
            rf"|(?:(?<=\bis )|(?<=\bwas )|(?<=['’]s )|(?<=\bturned )|(?<=\bturning )|(?<=\baged )|(?<=\bage )"
            r"|(?<=\bdied at )"
            rf"|(?<=[a-z], )|(?<=[a-z] \())(?:now |nearly )?{_NINETY}"
            r"(?=[,.;)?!\n]|$| (?:and|now|who|but|lives|with|on|next|in|by|this|last|today)\b)"
        ),
        re.compile(
            r"[Aad](?<![a-z].)(?:(?<=[Aa])(?:ge|GE)d?(?: is| of|:| at \w+:)? ?|(?<=d)ied (?:at|aged?)(?: age)? )"
            r"([0-9]{1,3})(?![0-9]|[/.:-][0-9]|%)"
        ),
        # she is 97 and dying; I'm 90 next May; turned 101
        re.compile(
            r"[IiSsHht](?<![A-Za-z].)(?:(?<=[Ii])(?:['’]m| am)|(?<=[Ss])he(?: is|['’]s)|(?<=[Hh])e(?: is|['’]s)"
            r"|(?<=t)urn(?:ed|s|ing)) (?:only |already |now |nearly |almost )?(9[0-9]|1[01][0-9])"
            r"(?=[,.;!?)]|\n| (?:and|but|next|now|this|in|on|with|who|years?)\b|$)"
        ),
    )


def find_ages(text: str, *, all_ages: bool) -> Iterator[Span]:
    """Find ages over 89, or all of them."""
    digits, spelled, aged, told = _age()
    for match in digits.finditer(text):
        age = leading(match[0])
        is_decade = match[0].endswith("s") and not match[0].endswith(("rs", "ars"))
        if is_decade and not _whose().search(text, max(0, match.start() - 16), match.start()):
            continue
        if 89 < age < 126 or (all_ages and age < 126):
            tail = text[match.end() : match.end() + 6]
            if "old" not in match[0] and re.match(r" (?:ago|of|prior|later|follow|hist)", tail):
                continue
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.8)
    for match in spelled.finditer(text) if "inet" in text or "undred" in text else ():
        yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.7)
    for match in _nineties().finditer(text) if "inet" in text or "INET" in text else ():
        if _whose().search(text, max(0, match.start() - 16), match.start()):
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.7)
    for match in aged.finditer(text):
        if 89 < int(match[1]) < 126 or (all_ages and int(match[1]) < 126):
            yield Span(match.start(1), match.end(1), PhiLabel.AGE.value, 0.75)
    for match in told.finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.AGE.value, 0.6)
    yield from _ages_beside_people(text)


@cache
def _whose() -> re.Pattern[str]:
    """Before a decade of life: in her late."""
    return re.compile(r"\b(?:his|her|their)(?: (?:early|mid|late))?[- ]$", re.IGNORECASE)


@cache
def _nineties() -> re.Pattern[str]:
    return re.compile(r"n(?<![A-Za-z]n)ineties\b", re.IGNORECASE)


@cache
def _old() -> tuple[re.Pattern[str], re.Pattern[str]]:
    people = (
        "patient|lady|gentleman|man|woman|mother|father|mom|mum|dad|grand(?:mother|father|ma|pa)|gran|nana?|aunt|uncle"
        "|husband|wife|widow(?:er)?|resident|nun|priest|veteran|farmer|teacher|nurse|dentist|doctor|neighbou?r|sister|brother"
    )
    return (
        re.compile(
            r"9(?<= .)[0-9](?=[,;)]|[.!?](?:\s|$)|\n|$"
            r"| (?:and|who|at|from|with|on|in|lives|living|but|now|w/)(?![a-z]))"
            r"|1(?<= .)[01][0-9](?=[,;)])"
        ),
        re.compile(
            rf"(?:\b({people})|([A-Z]\.)|([A-Z][\w'’-]+))(?:,(?: now)?| is| was| at| turned)(?: only| now| nearly)? $"
        ),
    )


def _ages_beside_people(text: str) -> Iterator[Span]:
    """A bare number after somebody: Edna Voss, 94, lives alone; Mrs. Nguyen is 92 and."""
    number, somebody = _old()
    for match in number.finditer(text):
        before = somebody.search(text, max(0, match.start() - 40), match.start())
        if before is None:
            continue
        bits = kinds().get(before[3].lower(), 0) if before[3] else LAST
        if bits & (FIRST | LAST) and not bits & (STOP | EPONYM) and before[3] not in _MEASURED:
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.6)


_MEASURED = frozenset(
    ("Sat", "Sats", "Temp", "Pulse", "Rate", "Glucose", "Score", "Weight", "Height", "Peak", "Max", "Min")
)
