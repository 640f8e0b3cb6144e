"""What the English words around a number that a tagger found say it is: a score, a clock time, an amount, a code."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.ids import code_systems
from clinlp.deid.en.scores import is_score

_BACK = 26  # characters before a find that are read


def is_cut(text: str, start: int, end: int) -> bool:
    """Say whether a find is a part of a short token of letters and digits: T2, 4th; long ones may be numbers."""
    left, right = start, end
    while left and start - left < _SHORT and text[left - 1].isascii() and text[left - 1].isalnum():
        left -= 1
    while right < len(text) and right - end < _SHORT and text[right].isascii() and text[right].isalnum():
        right += 1
    return end - start < right - left < _SHORT


_SHORT: Final = 5


def is_figure(text: str, start: int, end: int, label: str) -> bool:
    """Say whether a number is a score, a clock time, an age, a code of a code system or of a gene's variant."""
    said, before = text[start:end], text[max(0, start - _BACK) : start]
    if label == PhiLabel.DATE and _fraction().fullmatch(said):
        return is_score(text, start, end)
    if _is_counted(text, start, label) or _gases().fullmatch(said):
        return True
    if _clock().fullmatch(said):
        return bool(_before_clock().search(before))
    if said.isdigit() and len(said) < 3:
        return not _is_day(text, start, end) if label == PhiLabel.DATE else bool(_after_age().match(text, end))
    if label != PhiLabel.DATE and (code_systems().search(before) or _is_billed(text, start, end, label)):
        return True
    left, right = start, end
    while left and start - left < 4 and text[left - 1].isascii() and text[left - 1].isalpha():
        left -= 1
    while right < len(text) and right - end < 4 and text[right].isascii() and text[right].isalpha():
        right += 1
    return bool(_code().fullmatch(text, left, right))


def _is_counted(text: str, start: int, label: str) -> bool:
    """Say whether a unit follows a number that was taken for a place, or another noun an ordinal."""
    if label == PhiLabel.DATE:
        return bool(_rank().match(text, start))
    return label in _MEASURED and bool(_amount().match(text, start))


def _is_billed(text: str, start: int, end: int, label: str) -> bool:
    """Say whether a number is a code of five digits for what is billed, of which the words around speak: 99417."""
    if label == PhiLabel.LOCATION or not _procedure().fullmatch(text, start, end):
        return False
    return bool(_billing().search(text, max(0, start - _AROUND), end + _AROUND))


@cache
def _procedure() -> re.Pattern[str]:
    return re.compile("[0-9A-Z][0-9]{4}")


@cache
def _billing() -> re.Pattern[str]:
    return re.compile(r"\b(?:CPT|HCPCS|RVUs?|[Bb]undled|[Bb]ill(?:able|ed|ing)?|[Cc]od(?:ed?|es|ing|er))\b")


_AROUND: Final = 90  # characters on both sides in which billing is spoken of


@cache
def _fraction() -> re.Pattern[str]:
    return re.compile("[0-9]{1,2}/[0-9]{1,2}")


@cache
def _clock() -> re.Pattern[str]:
    return re.compile("(?:[01][0-9]|2[0-3])[0-5][0-9](?: ?h(?:rs?)?)?")


@cache
def _before_clock() -> re.Pattern[str]:
    return re.compile(
        r"(?:\b(?:at|since|until|till|by|eta|from|around|called|lkw|approx|about) |@ ?)~?$", re.IGNORECASE
    )


_MEASURED = frozenset((PhiLabel.BED, PhiLabel.LOCATION))


@cache
def _amount() -> re.Pattern[str]:
    """A number with its unit: 24h, 40 mi, 5050 m."""
    units = "h|hrs?|hours?|min|mins|m|mi|miles?|km|ft|mo|wks?|weeks?|days?|d|mg|mcg|mL|ml|kg|cm|mm|%|bpm"
    return re.compile(rf"[0-9]{{1,4}} ?(?:{units})(?![A-Za-z0-9/])")


@cache
def _rank() -> re.Pattern[str]:
    """An ordinal of something else than a month: 50th centile, 4th dose, 8th of 9."""
    nouns = (
        "(?:per)?centile|dose|grade|cycle|line|trimester|degree|digit|toe|finger|rib|metatarsal|ray|attempt|visit|time"
    )
    return re.compile(rf"[0-9]{{1,2}}(?:st|nd|rd|th) (?:{nouns}|(?:to|of) [0-9])")


@cache
def _after_age() -> re.Pattern[str]:
    return re.compile(r" ?(?:[MFmf]\b|y/?o\b|yrs?\b|years?\b|mo\b|wk?s?\b|weeks?\b)")


def _is_day(text: str, start: int, end: int) -> bool:
    """Say whether a bare number stands beside what makes it a day: a weekday, a month, another day, an article."""
    before, after = _beside_day()
    return bool(before.search(text, max(0, start - _BACK), start) or after.match(text, end))


@cache
def _beside_day() -> tuple[re.Pattern[str], re.Pattern[str]]:
    weekday = "(?:mon|tues?|wed(?:ne)?s?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
    month = (
        "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
        r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
    )
    return (
        re.compile(
            rf"(?<![a-z])(?:{weekday}|{month}|the|el|le|den|am),? \Z|[0-9] ?(?:[-–/&.,+]|to|and|or) ?\Z", re.IGNORECASE
        ),
        re.compile(
            rf" (?:of )?(?:{month}|inst)(?![a-z])| ?[-–/&.+] ?[0-9]|(?:, ?| (?:to|and|or) )[0-9]{{1,2}} ?{month}",
            re.IGNORECASE,
        ),
    )


@cache
def _code() -> re.Pattern[str]:
    """A trial, an entry of a database, an exchange in a protein or a gene."""
    acid = "[ACDEFGHIKLMNPQRSTVWY]"
    return re.compile(
        rf"NCT[0-9]{{8}}|rs[0-9]{{4,}}|(?:p\.)?{acid}[0-9]{{2,4}}(?:{acid}|del|fs|dup)|[0-9]{{2,5}}_[0-9]{{2,5}}(?:del|dup|ins)"
    )


@cache
def _gases() -> re.Pattern[str]:
    """Blood gases: 7.12/28/88/9."""
    return re.compile(r"[67]\.[0-9]{1,2}(?:/[0-9]{1,3}(?:\.[0-9])?){2,4}")
