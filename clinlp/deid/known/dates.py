"""The ways to write one date in English and Chinese, and a known age."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from clinlp.deid.known.page import Form, Hit, Page, fold, is_letter

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_NUMERALS = "零一二三四五六七八九"


class Fields(NamedTuple):
    """How a written date was put together.

    Attributes:
        cuts: Where in the key a new field begins.
        kind: "numeric": one separator, the same throughout; "worded": blanks and points may stand between;
            "solid": nothing stands between; "zh": blanks may.
        score: Of a hit.
        needs_birth: Counts only after words of birth.
    """

    cuts: frozenset[int]
    kind: str
    score: float
    needs_birth: bool = False


def read(value: Any) -> list[date]:
    """Give the dates that a value may mean: 03/12/1957 is two; none where it is no date."""
    if isinstance(value, datetime):
        return [value.date()]
    if isinstance(value, date):
        return [value]
    text = fold(str(value)).strip()
    found = []
    for year, month, day in _fields(text):
        try:
            found.append(date(year, month, day))
        except ValueError:
            continue
    return list(dict.fromkeys(found))


def _fields(text: str) -> Iterator[tuple[int, int, int]]:
    iso, numeric, solid, day_first, month_first = _spellings()
    if match := iso.match(text):
        yield int(match[1]), int(match[2]), int(match[3])
    elif match := numeric.match(text):
        year = _century(match[3])
        yield year, int(match[1]), int(match[2])
        yield year, int(match[2]), int(match[1])
    elif match := solid.fullmatch(text):
        yield int(match[1]), int(match[2]), int(match[3])
        digits = match[0]
        yield int(digits[4:8]), int(digits[:2]), int(digits[2:4])
    elif match := day_first.match(text):
        yield _century(match[3]), _month(match[2]), int(match[1])
    elif match := month_first.match(text):
        yield _century(match[3]), _month(match[1]), int(match[2])
    elif numbers := _from_numerals(text):
        yield numbers


@cache
def _spellings() -> tuple[re.Pattern[str], ...]:
    months = "|".join(month[:3] for month in _MONTHS)
    day, year = "([0-9]{1,2})(?:st|nd|rd|th)?", "([0-9]{4}|[0-9]{2})(?![0-9])"
    return (
        re.compile(r"([0-9]{4})\s*[-/.年\s]\s*([0-9]{1,2})\s*[-/.月\s]\s*([0-9]{1,2})(?![0-9])"),
        re.compile(r"([0-9]{1,2})\s*[-/.\s]\s*([0-9]{1,2})\s*[-/.\s]\s*([0-9]{4}|[0-9]{2})(?![0-9])"),
        re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{6}|\.0+)?"),
        re.compile(rf"{day}(?: of)?[\s\-/,.]*({months})[a-z]*[\s\-/,.']*{year}"),
        re.compile(rf"({months})[a-z]*[\s\-/,.]*{day}[\s\-/,.']+{year}"),
    )


def _month(name: str) -> int:
    return next(at for at, month in enumerate(_MONTHS, start=1) if month[:3] == name)


def _century(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year <= date.today().year % 100 else 1900)  # noqa: DTZ011 - only which century


def _from_numerals(text: str) -> tuple[int, int, int] | None:
    match = re.match(rf"([{_NUMERALS}]{{4}})年([十{_NUMERALS}]{{1,3}})月([十{_NUMERALS}]{{1,3}})日?", text)
    if not match:
        return None
    year = int("".join(str(_NUMERALS.index(digit)) for digit in match[1]))
    return year, _number(match[2]), _number(match[3])


def _number(numerals: str) -> int:
    tens, has_ten, ones = numerals.rpartition("十")
    return (_NUMERALS.index(tens[-1]) if tens else 1) * 10 * bool(has_ten) + (_NUMERALS.index(ones[-1]) if ones else 0)


def numerals(number: int) -> str:
    """Write a number below 100 in Chinese: 十二, 三十一."""
    tens, ones = divmod(number, 10)
    head = "" if not tens else "十" if tens == 1 else _NUMERALS[tens] + "十"
    return head + (_NUMERALS[ones] if ones or not tens else "")


def forms(day: date, label: str) -> Iterator[Form]:
    """Write a date in every way that is looked for."""
    for fields, kind, score, needs_birth in (*_numeric(day), *_worded(day), *_chinese(day)):
        key, cuts = "", set()
        for field in fields:
            cuts.add(len(key))
            key += field
        yield Form(key, date_at, label, Fields(frozenset(cuts), kind, score, needs_birth))


Spelling = tuple[tuple[str, ...], str, float, bool]


def _numeric(day: date) -> Iterator[Spelling]:
    year, short = f"{day.year:04}", f"{day.year % 100:02}"
    months = dict.fromkeys((f"{day.month:02}", str(day.month)))
    days = dict.fromkeys((f"{day.day:02}", str(day.day)))
    for m in months:
        for d in days:
            yield (year, m, d), "numeric", 1.0, False
            for y in (year, short):
                yield (m, d, y), "numeric", 1.0, False
                yield (d, m, y), "numeric", 1.0, False
            yield (short, m, d), "numeric", 0.8, True
            yield (m, d), "numeric", 0.6, True
            yield (d, m), "numeric", 0.6, True
        yield (m, year), "numeric", 0.8, False
        yield (year, m), "numeric", 0.8, False
    month, day_ = f"{day.month:02}", f"{day.day:02}"
    for fields in ((year, month, day_), (month, day_, year), (day_, month, year)):
        yield fields, "solid", 1.0, False
    for fields in ((short, month, day_), (month, day_, short), (day_, month, short)):
        yield fields, "solid", 0.8, True
    yield (year,), "solid", 0.6, True


def _worded(day: date) -> Iterator[Spelling]:
    year, short, name = f"{day.year:04}", f"{day.year % 100:02}", _MONTHS[day.month - 1]
    ending = "th" if day.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    days = dict.fromkeys((str(day.day), f"{day.day:02}", f"{day.day}{ending}"))
    for month in dict.fromkeys((name, name[:3], name[:4] if name[:4] == "sept" else name[:3])):
        for d in days:
            for y in (year, short):
                yield (d, month, y), "worded", 1.0, False
                yield (month, d, y), "worded", 1.0, False
                yield (d, "of", month, y), "worded", 1.0, False
            yield (year, month, d), "worded", 1.0, False
            yield (month, d), "worded", 0.8, False
            yield (d, month), "worded", 0.8, False
            yield (d, "of", month), "worded", 0.8, False
        yield (month, year), "worded", 0.8, False
        yield (month, "of", year), "worded", 0.8, False


def _chinese(day: date) -> Iterator[Spelling]:
    year, short = f"{day.year:04}", f"{day.year % 100:02}"
    months = dict.fromkeys((str(day.month), f"{day.month:02}", numerals(day.month)))
    days = dict.fromkeys((str(day.day), f"{day.day:02}", numerals(day.day)))
    years = (year, short, "".join(_NUMERALS[int(digit)] for digit in year))
    for m in months:
        for d in days:
            if (m in (str(day.month), f"{day.month:02}")) != (d in (str(day.day), f"{day.day:02}")):
                continue
            for tail in ("日", "号"):
                for y in years:
                    yield (y, "年", m, "月", d, tail), "zh", 1.0, False
                yield (m, "月", d, tail), "zh", 0.8, False
        for y in years:
            yield (y, "年", m, "月"), "zh", 0.8, False
    yield (year, "年"), "zh", 0.6, True


@cache
def _birth() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"(?:birth|born|b-?day|dob|d\.o\.b|出生|生日|生于|诞辰)[^0-9]{0,16}$"),
        re.compile(r"年?(?:出?生|born)"),
    )


def date_at(page: Page, start: int, end: int, label: str, data: Fields) -> Hit | None:
    """Check a written date: its separators and what stands on both sides."""
    low, high = page.borders(start, end)
    gaps = page.gaps(start, end)
    if any(at not in data.cuts for at, _ in gaps) or not _fits([gap for _, gap in gaps], data):
        return None
    if not _apart(page, low, high):
        return None
    if data.needs_birth:
        before, after = _birth()
        if not before.search(page.flat[max(0, low - 24) : low]) and not after.match(page.flat, high):
            return None
    elif data.kind == "numeric" and len(data.cuts) == 2 and page.after(high) in ("/", "-", "%"):
        return None
    clock = _clock().match(page.flat, high) if data.score == 1.0 else None
    return Hit(low, clock.end() if clock else high, label, data.score)


@cache
def _clock() -> re.Pattern[str]:
    return re.compile(r"(?:t|,? )[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?![0-9])")


def _fits(marks: list[str], data: Fields) -> bool:
    """Say whether the separators are those of the kind."""
    if data.kind == "numeric":
        return len(marks) == len(data.cuts) - 1 and _is_numeric(marks)
    if data.kind == "solid":
        return not marks
    return all(len(gap) <= 4 and not gap.strip(" \t\r\n,.-/'’\u3000") for gap in marks)


def _is_numeric(marks: list[str]) -> bool:
    kinds = {mark.strip() for mark in marks}
    return len(kinds) == 1 and kinds <= {"/", "-", ".", "", "\\", "_"} and all(len(mark) <= 3 for mark in marks)


def _apart(page: Page, low: int, high: int) -> bool:
    """Say whether no digit goes on with a number, and no letter with a month, on either side."""
    before, after, flat = page.before(low), page.after(high), page.flat
    for inner, outer in ((flat[low], before), (flat[high - 1], after)):
        if inner.isdecimal() and outer.isdecimal():
            return False
        if is_letter(inner) and outer and is_letter(outer):
            return False
        if inner in _NUMERALS and outer and outer in _NUMERALS + "十":
            return False
    if flat[low].isdecimal() and before and before in "./-" and low > 1 and flat[low - 2].isdecimal():
        inside = flat[low:high]
        if before != "-" or "-" in inside or inside.isdecimal():
            return False
    return not (after == "." and flat[high - 1].isdecimal() and flat[high + 1 : high + 2].isdecimal())


# --- ages ----------------------------------------------------------------------------------------


def age_forms(value: str, label: str) -> Iterator[Form]:
    """Write an age as it counts: with years, 岁 or `age` beside it."""
    match = re.search(r"[0-9]{1,3}", fold(value))
    if match:
        yield Form(str(int(match[0])), age_at, label, "岁" if "岁" in value else "")


@cache
def _years() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"(?:\bage[ds]?(?: of)?|\bturn(?:s|ed|ing)?|年龄)[\s:：]{0,3}$"),
        re.compile(r"[\s-]{0,2}(?:y(?:ears?|rs?)?[\s./-]{0,2}(?:old|o\b|/o)|y\b|yr|years?[\s-]of|yo\b|周?岁)"),
    )


def age_at(page: Page, start: int, end: int, label: str, unit: str) -> Hit | None:
    """Check an age."""
    low, high = page.borders(start, end)
    before, after = _years()
    if not _apart(page, low, high):
        return None
    if after.match(page.flat, high) or before.search(page.flat[max(0, low - 10) : low]):
        return Hit(low, high + len(unit) * page.flat.startswith(unit, high), label, 1.0)
    return None
