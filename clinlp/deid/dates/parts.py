"""What the words of a date mean: numbers, names, and the parts of one date with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

from clinlp.deid.dates.forms import (
    HAN_DIGITS,
    HOLIDAYS,
    MONTHS,
    NTH_HOLIDAYS,
    SAID_MONTHS,
    SAID_YEARS,
    SEASONS,
    numbered,
)

Kind = Literal["year", "month", "day", "part", "season", "holiday", "said_year", "said_month", "decade"]
Unit = Literal["day", "part", "month", "season", "year", "decade"]


@dataclass(frozen=True, slots=True)
class Field:
    """Where one part of a date is written, in characters of the words."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """One date as written; None is what the words leave open. A `unit` above a day stands for its middle day.

    Attributes:
        said_year: How many years the words count from the note's own: 去年 is -1.
        said_month: The same for months.
        is_led: The month is written only after the next date: the 3 of "3-5 March".
    """

    fields: tuple[Field, ...]
    unit: Unit
    year: int | None = None
    month: int | None = None
    day: int = 15
    holiday: str | None = None
    said_year: int | None = None
    said_month: int | None = None
    is_led: bool = False

    def has(self, kind: Kind) -> bool:
        """Say whether a part is written."""
        return any(field.kind == kind for field in self.fields)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the words of a span say: dates in order, and weekdays as `(start, end)`."""

    mentions: tuple[Mention, ...]
    weekdays: tuple[tuple[int, int], ...]


def han_number(words: str) -> int:
    """Read 十二, 二十, 〇三 or 12.

    Raises:
        ValueError: They are no number under a hundred.
    """
    words = words.replace("零", "〇")
    if words.isascii():
        return int(words)
    tens, ten, ones = words.partition("十")
    if not ten:
        return int("".join(str(HAN_DIGITS.index(digit)) for digit in words))
    if len(tens) > 1 or len(ones) > 1:
        raise ValueError("no number")
    return (HAN_DIGITS.index(tens) if tens else 1) * 10 + (HAN_DIGITS.index(ones) if ones else 0)


def full_year(words: str) -> int:
    """Read a year; of two digits, 69 to 99 are of the last century."""
    year = han_number(words)
    if len(words) == 2:
        return year + (1900 if year >= 69 else 2000)
    if year < 1000:
        raise ValueError("no year")
    return year


def day_number(words: str) -> int:
    """Read 3, 3rd or third."""
    if words[0].isdigit():
        return int(words.rstrip("stndrhSTNDRH "))
    return numbered("en", "ordinals").index(words.lower().replace(" ", "-")) + 1


def month_number(words: str) -> int:
    """Read a month's name by its first three letters."""
    return [month[:3] for month in MONTHS].index(words[:3].lower()) + 1


def holiday_in(name: str, year: int) -> date:
    """Give the day of a holiday in a year."""
    if name in HOLIDAYS:
        return date(year, *HOLIDAYS[name])
    month, weekday, nth = NTH_HOLIDAYS[name]
    if nth > 0:
        first = date(year, month, 1)
        return first + timedelta((weekday - first.weekday()) % 7 + 7 * (nth - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(1)
    return last - timedelta((last.weekday() - weekday) % 7)


def part_day(words: str) -> int:
    """Give the middle day of a part of a month: 上旬, 中, 底."""
    return {"上": 5, "中": 15, "下": 25, "初": 3}.get(words[0], 28)


def is_valid(year: int | None, month: int, day: int) -> bool:
    """Say whether the calendar has the day; without a year, whether any year has it."""
    if not 1 <= month <= 12:
        return False
    try:
        date(2000 if year is None else year, month, day)
    except ValueError:
        return False
    return True


def fields_of(match: re.Match[str], *kinds: Kind) -> tuple[Field, ...]:
    """Give a field for each group that was found; the groups are named after their kinds."""
    groups = match.groupdict()
    return tuple(Field(kind, *match.span(kind)) for kind in kinds if groups.get(kind))


def with_day(match: re.Match[str]) -> tuple[Mention, ...]:
    """Read a month's name with one or two days, and a year if there is one."""
    groups = match.groupdict()
    month = month_number(match["month"])
    year = full_year(match["year"]) if match["year"] else None
    day = day_number(match["day"])
    is_month_first = match.start("month") < match.start("day")
    if not groups.get("to"):
        if day > 31 and is_month_first and year is None and len(match["day"]) == 2:  # March 98
            where = Field("year", *match.span("day"))
            return (Mention((*fields_of(match, "month"), where), "month", full_year(match["day"]), month),)
        return (Mention(fields_of(match, "year", "month", "day"), "day", year, month, day),)
    last = day_number(match["to"])
    if last < day:
        raise ValueError("no range")
    second = Field("day", *match.span("to"))
    if is_month_first:
        return (
            Mention(fields_of(match, "month", "day"), "day", year, month, day),
            Mention((second, *fields_of(match, "year")), "day", year, month, last),
        )
    return (
        Mention(fields_of(match, "day"), "day", year, month, day, is_led=True),
        Mention((second, *fields_of(match, "month", "year")), "day", year, month, last),
    )


def of_month(match: re.Match[str]) -> Mention:
    """Read a month's name, and a year if there is one."""
    year = match.groupdict().get("year")
    return Mention(
        fields_of(match, "month", "year"), "month", full_year(year) if year else None, month_number(match["month"])
    )


def of_day(match: re.Match[str]) -> Mention:
    """Read a day whose month is not written; 上月5日 says it."""
    said = match.groupdict().get("said")
    fields = fields_of(match, "day")
    if said:
        fields += (Field("said_month", *match.span("said")),)
    words = match["day"]
    day = day_number(words) if words[-1].isascii() else han_number(words)
    return Mention(fields, "day", day=day, said_month=SAID_MONTHS[said[0]] if said else None)


def han_month(match: re.Match[str]) -> Mention:
    """Read 3月 with what stands around it: a year, a day, a part of the month."""
    fields = fields_of(match, "year", "month", "day", "part")
    if match["said"]:
        fields += (Field("said_year", *match.span("said")),)
    year = full_year(match["year"]) if match["year"] else None
    said = SAID_YEARS[match["said"]] if match["said"] else None
    month = han_number(match["month"])
    if match["day"]:
        return Mention(fields, "day", year, month, han_number(match["day"]), said_year=said)
    if match["part"]:
        return Mention(fields, "part", year, month, part_day(match["part"]), said_year=said)
    return Mention(fields, "month", year, month, said_year=said)


def of_year(match: re.Match[str]) -> Mention:
    """Read a year alone, or 202103."""
    words = match[1]
    if len(words) == 6:
        start = match.start()
        fields = (Field("year", start, start + 4), Field("month", start + 4, start + 6))
        return Mention(fields, "month", plausible_year(words[:4]), int(words[4:]))
    return Mention((Field("year", *match.span(1)),), "year", plausible_year(words), 7, 2)


def plausible_year(words: str) -> int:
    """Read a year that stands without any mark of one.

    Raises:
        ValueError: It is not from 1500 to 2199.
    """
    year = int(words)
    if not 1500 <= year < 2200:
        raise ValueError("no year")
    return year


def of_name(match: re.Match[str]) -> Mention:
    """Read a season or a holiday, and a year if there is one."""
    groups = match.groupdict()
    year = full_year(groups["year"]) if groups["year"] else None
    fields = fields_of(match, "year")
    for group in ("season", "season_"):
        if season := groups.get(group):
            fields += (Field("season", *match.span(group)),)
            return Mention(fields, "season", year, SEASONS[season.lower()])
    group = "holiday" if groups.get("holiday") else "holiday_"
    fields += (Field("holiday", *match.span(group)),)
    return Mention(fields, "day", year, holiday=_holiday(match[group]))


def _holiday(words: str) -> str:
    name = _letters(words)
    return _holiday_names().get(name) or _holiday_names()[name.removesuffix("节")]


@cache
def _holiday_names() -> dict[str, str]:
    return {_letters(name): name for name in (*HOLIDAYS, *NTH_HOLIDAYS)}


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalpha())
