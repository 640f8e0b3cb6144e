"""Writes moved dates into the words of a span: each part in the form it had."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from clinlp.deid.dates.forms import (
    FULL_WIDTH,
    HAN_DIGITS,
    HAN_WEEKDAYS,
    MONTHS,
    SAID_MONTHS,
    SAID_YEARS,
    WEEKDAYS,
    numbered,
    plain,
)
from clinlp.deid.dates.parts import Field, Mention, Reading

_Edit = tuple[int, int, str]


class Writer:
    """Holds the words, what was read in them, and the day that each date moved to."""

    def __init__(self, words: str, reading: Reading, moved: Sequence[date], near: date) -> None:
        self.words, self.reading, self.moved, self.near = words, reading, moved, near
        self.text = plain(words)
        self.is_padded = self._padding()

    def write(self, days: int) -> str:
        """Give the words with every date at its new day.

        Raises:
            ValueError: The new day has no form in these words: 去年 for a year long past.
        """
        edits = [self._weekday(start, end, days) for start, end in self.reading.weekdays]
        for at, mention in enumerate(self.reading.mentions):
            edits += [(field.start, field.end, self._part(at, field)) for field in mention.fields]
            edits += self._month_between(at)
        pieces: list[str] = []
        done = 0
        for start, end, new in sorted(edits):
            pieces += (self.words[done:start], new)
            done = end
        return "".join((*pieces, self.words[done:]))

    def _part(self, at: int, field: Field) -> str:
        """Write one part of a date."""
        old, new = self.text[field.start : field.end], self.moved[at]
        match field.kind:
            case "year":
                written = self._year(old, new.year + self._winter(at))
            case "month":
                written = self._month(field, new.month)
            case "day":
                written = self._day(field, new.day)
            case "part":
                written = _part_of_month(old, new.day)
            case "season":
                written = _season(old, new.month)
            case "holiday":
                written = self._holiday(field, new)
            case "decade":
                written = self._year(old, new.year // 10 * 10)
            case "said_year":
                written = _said(SAID_YEARS, new.year - self.near.year)
            case "said_month":
                months = (new.year - self.near.year) * 12 + new.month - self.near.month
                written = _said(SAID_MONTHS, months) + old[1:]
        return self._as_wide(field, written)

    def _month(self, field: Field, month: int) -> str:
        old = self.text[field.start : field.end]
        if not old[0].isascii() or old[0].isdigit():
            return self._number(field, month)
        name = MONTHS[month - 1]
        if self._is_short(field):
            name = "sept" if month == 9 and old.lower() == "sept" else name[:3]
        return _cased(name, old)

    def _holiday(self, field: Field, new: date) -> str:
        if not self.text[field.start].isascii():
            return f"{new.month}月{new.day}日"
        comma = "," if re.match(r" '?[0-9]", self.text[field.end :]) else ""
        return f"{MONTHS[new.month - 1].capitalize()} {new.day}{comma}"

    def _winter(self, at: int) -> int:
        mention = self.reading.mentions[at]
        return int(mention.unit == "season" and self.moved[at].month == 12)

    def _as_wide(self, field: Field, written: str) -> str:
        """Write digits and zeros with the signs that the words had."""
        old = self.words[field.start : field.end]
        if "０" <= old[0] <= "９":
            return written.translate(FULL_WIDTH)
        zero = next((sign for sign in old if sign in "零○◯"), "〇")
        return written if zero == "〇" else written.replace("〇", zero)

    @staticmethod
    def _year(old: str, year: int) -> str:
        digits = f"{year:04d}"[-len(old) :]
        if not 1000 <= year <= 9999:
            raise ValueError("year out of range")
        return digits if old.isascii() else "".join(HAN_DIGITS[int(digit)] for digit in digits)

    def _day(self, field: Field, day: int) -> str:
        old = self.text[field.start : field.end]
        if not old[0].isdigit() and old.isascii():
            return _cased(numbered("en", "ordinals")[day - 1].replace("-", "-" if " " not in old else " "), old)
        digits = old.rstrip("stndrhSTNDRH ")
        if digits == old:
            return self._number(field, day)
        suffix = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        number = f"{day:02d}" if digits[0] == "0" else str(day)
        return number + (suffix.upper() if old[-1].isupper() else suffix)

    def _number(self, field: Field, value: int) -> str:
        """Write a month or day in digits or Han numerals, with a zero where the words put one."""
        old = self.text[field.start : field.end]
        if not old.isascii():
            return _han_number(old, value)
        if old[0] == "0":
            return f"{value:02d}"
        if len(old) == 1:
            return str(value)
        padded = self.is_padded.get(field.kind, self.is_padded.get("any"))
        if padded is None:
            padded = self._is_tight(field)
        return f"{value:02d}" if padded else str(value)

    def _is_tight(self, field: Field) -> bool:
        """Say whether only a mark, or nothing, stands between the part and its neighbour in the date: 25-Dec, 25DEC."""
        mention = next(mention for mention in self.reading.mentions if field in mention.fields)
        for other in mention.fields:
            gap = self.text[min(field.end, other.end) : max(field.start, other.start)]
            is_bare = gap == "" and self.text[other.start].isascii()
            if other is not field and (is_bare or gap.strip() in ("-", "/", ".")):
                return True
        return False

    def _padding(self) -> dict[str, bool]:
        """Learn from the other numbers of the words whether 3 is written 03."""
        padded: dict[str, bool] = {}
        for mention in self.reading.mentions:
            for field in mention.fields:
                old = self.text[field.start : field.end]
                if field.kind in ("month", "day") and old.isdigit() and (len(old) == 1 or old[0] == "0"):
                    padded[field.kind] = padded["any"] = old[0] == "0"
        return padded

    def _is_short(self, field: Field) -> bool:
        """Say whether a month is abbreviated; May is where it stands like the short ones: 3-May-21."""
        old = self.text[field.start : field.end]
        if old.lower() != "may":
            return old.lower() not in MONTHS
        after = self.text[field.end : field.end + 1]
        before = self.text[max(0, field.start - 1) : field.start]
        return after == "." or (before + after).strip(" ,")[:1] in tuple("-/0123456789")

    def _month_between(self, at: int) -> list[_Edit]:
        """Write the month that two days no longer share: March 30-31 becomes March 31-April 1.

        Raises:
            ValueError: The words show no way to write a month beside this day.
        """
        mention = self.reading.mentions[at]
        if mention.unit != "day" or mention.has("month") or mention.has("holiday") or mention.said_month is not None:
            return []
        day, number = _field(mention, "day"), self.moved[at].month
        if mention.is_led:
            if number == self.moved[at + 1].month:
                return []
            named = self.reading.mentions[at + 1]
            last, month = _field(named, "day"), _field(named, "month")
            return [(day.end, day.end, self.words[last.end : month.start] + self._month(month, number))]
        before = self.reading.mentions[:at]
        if (
            not at
            or number == self.moved[at - 1].month
            or all(other.unit == "day" and not other.month for other in before)
        ):
            return []
        donor = next((other for other in reversed(before) if other.has("month") and other.has("day")), None)
        if donor is None or _field(donor, "day").start < _field(donor, "month").end:
            raise ValueError("the month of a day cannot be written")
        month, first = _field(donor, "month"), _field(donor, "day")
        name = self._as_wide(month, self._month(month, number))
        return [(day.start, day.start, name + self.words[month.end : first.start])]

    def _weekday(self, start: int, end: int, days: int) -> _Edit:
        old = self.text[start:end]
        if not old.isascii():
            names = HAN_WEEKDAYS.replace("日", old if old in "日天" else "日")
            return start, end, names[(names.index(old) + days) % 7]
        at = next(at for at, name in enumerate(WEEKDAYS) if name.startswith(old.lower()[:3]))
        name = WEEKDAYS[(at + days) % 7]
        if old.lower() != WEEKDAYS[at]:
            name = {"tuesday": "tues", "thursday": "thurs"}.get(name, name[:3]) if len(old) > 3 else name[:3]
        return start, end, _cased(name, old)


def _field(mention: Mention, kind: str) -> Field:
    return next(field for field in mention.fields if field.kind == kind)


def _cased(name: str, like: str) -> str:
    if like.isupper():
        return name.upper()
    return name[0].upper() + name[1:] if like[0].isupper() else name


def _han_number(old: str, value: int) -> str:
    if old[0] in "〇零" and value < 10:
        return "〇" + HAN_DIGITS[value]
    tens, ones = divmod(value, 10)
    return ("" if tens < 2 else HAN_DIGITS[tens]) + ("十" if tens else "") + (HAN_DIGITS[ones] if ones else "")


def _part_of_month(old: str, day: int) -> str:
    third = min(2, (day - 1) // 10)
    if len(old) == 2:
        return ("上旬", "中旬", "下旬")[third]
    return ("初", "中", "末" if old == "末" else "底")[third]


def _season(old: str, month: int) -> str:
    at = month % 12 // 3
    if not old.isascii():
        return "冬春夏秋"[at]
    return _cased(("winter", "spring", "summer", "autumn" if old.lower() == "autumn" else "fall")[at], old)


def _said(names: dict[str, int], count: int) -> str:
    for name, value in names.items():
        if value == count:
            return name
    raise ValueError("too far from the note's own")
