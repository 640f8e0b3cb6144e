"""Reads the words of one date span: its dates, and where each of their parts is written.

A reading is all or nothing: words that are not fully understood, or name a day that no calendar has,
raise `ValueError`, and the caller hides them whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from clinlp.deid.dates.forms import (
    clock_after_date,
    day_forms,
    digit_forms,
    han_forms,
    han_words,
    month_forms,
    named_forms,
    plain,
    said_before,
    times,
    word_roles,
)
from clinlp.deid.dates.parts import (
    Field,
    Mention,
    Reading,
    fields_of,
    full_year,
    han_month,
    is_valid,
    of_day,
    of_month,
    of_name,
    of_year,
    plausible_year,
    with_day,
)
from clinlp.note import Lang

_LISTING = frozenset(("-", "~", ",", "/", "、", "&", "至", "到", "和", "及", "to", "and", "through", "or", ", and"))
_ORDERS = {"ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}  # where year, month and day stand


class Reader:
    """Reads from left to right; each reading method gives the position after what it took, or 0."""

    def __init__(self, words: str, *, lang: Lang, day_first: bool | None) -> None:
        self.text = plain(words)
        self.lang = lang
        self.day_first = are_day_first((words,), lang=lang) if day_first is None and len(words) > 15 else day_first
        self.mentions: list[Mention] = []
        self.weekdays: list[tuple[int, int]] = []
        self.after = 0  # where the last date ended
        self.is_said = False  # whether a time or a word such as yesterday was read

    def read(self) -> Reading:
        """Read the words.

        Raises:
            ValueError: They hold something that is not understood, or no date at all.
        """
        if han_words()[2].search(self.text):
            raise ValueError("of the lunar calendar")
        at = 0
        while at < len(self.text):
            if not self.text[at].isalnum():
                at += 1
                continue
            at = self._next(at)
            if not at:
                raise ValueError("not understood")
        if not (self.mentions or self.weekdays or self.is_said):
            raise ValueError("no date")
        return Reading(tuple(self.mentions), tuple(self.weekdays))

    def _next(self, at: int) -> int:
        """Take what starts here; the forms that hold more come first."""
        first = self.text[at]
        if first in "0123456789":
            if three := digit_forms()[0].match(self.text, at):
                return self._take(three, self._three(three))
            return self._time(at) or self._counted(at) or self._han(at) or self._day_first(at) or self._digits(at)
        if first.isascii():
            return self._time(at) or self._month_first(at) or self._named(at) or self._word(at)
        return self._time(at) or self._han(at) or self._named(at) or self._han_word(at)

    # --- beside dates --------------------------------------------------------------------------

    def _time(self, at: int) -> int:
        if self.text[at] in "tT" and not self.mentions:
            return 0
        match = times().match(self.text, at)
        if not match and self._is_after_date(at):
            match = clock_after_date().match(self.text, at)
        self.is_said = self.is_said or match is not None
        return match.end() if match else 0

    def _is_after_date(self, at: int) -> bool:
        """Say whether nothing but a blank stands between a day and here."""
        if not self.mentions or not self.after < at or self.text[self.after : at].strip(" tT"):
            return False
        return self.mentions[-1].unit == "day"

    def _is_range_without_year(self, at: int) -> bool:
        is_range = self.text[self.after : at].strip() == "-"
        return is_range and bool(self.mentions) and self.mentions[-1].year is None

    def _counted(self, at: int) -> int:
        match = said_before().match(self.text, at)
        self.is_said = self.is_said or match is not None
        return match.end() if match else 0

    def _word(self, at: int) -> int:
        if end := self._counted(at) or self._day_first(at):
            return end
        end = at + 1
        while end < len(self.text) and self.text[end].isascii() and self.text[end].isalpha():
            end += 1
        role = word_roles().get(self.text[at:end].lower())
        self.is_said = self.is_said or role == "relative"
        return end if role else 0

    def _han_word(self, at: int) -> int:
        if end := self._counted(at):
            return end
        relative, joins, _ = han_words()
        if match := relative.match(self.text, at):
            self.is_said = True
        else:
            match = joins.match(self.text, at)
        return match.end() if match else 0

    # --- dates ---------------------------------------------------------------------------------

    def _take(self, match: re.Match[str], *mentions: Mention) -> int:
        self.mentions += mentions
        self.after = match.end()
        return match.end()

    def _month_first(self, at: int) -> int:
        forms = month_forms()
        match = forms[0].match(self.text, at) or forms[1].match(self.text, at)
        if match:
            return self._take(match, *with_day(match))
        for form in forms[2:]:
            if match := form.match(self.text, at):
                return self._take(match, of_month(match))
        return 0

    def _day_first(self, at: int) -> int:
        day_month, year_month, day_only = day_forms()
        if match := day_month.match(self.text, at):
            return self._take(match, *with_day(match))
        if match := year_month.match(self.text, at):
            return self._take(match, *(with_day(match) if match["day"] else (of_month(match),)))
        if match := day_only.match(self.text, at):
            return self._take(match, of_day(match))
        return 0

    def _han(self, at: int) -> int:
        month, year_more, year, day = han_forms()
        if match := month.match(self.text, at):
            return self._take(match, han_month(match))
        if match := day.match(self.text, at):
            return self._take(match, of_day(match))
        if match := year_more.match(self.text, at):
            return self._take(match, of_name(match))
        if match := year.match(self.text, at):
            return self._take(match, Mention(fields_of(match, "year"), "year", full_year(match["year"]), 7, 2))
        return 0

    def _named(self, at: int) -> int:
        weekday, han_weekday, *named = named_forms()
        if match := weekday.match(self.text, at) or han_weekday.match(self.text, at):
            self.weekdays.append(match.span("day"))
            return match.end()
        for form in named:
            if match := form.match(self.text, at):
                return self._take(match, of_name(match))
        return 0

    def _digits(self, at: int) -> int:
        _, compact, two, decade, year, _ = digit_forms()
        if match := compact.match(self.text, at):
            return self._take(match, self._compact(match))
        match = two.match(self.text, at)
        if match and not len(match[1]) == len(match[3]) == 4:
            return self._take(match, self._two(match))
        if match := decade.match(self.text, at):
            value = full_year(match[1]) + 5
            return self._take(match, Mention((Field("decade", *match.span(1)),), "decade", value, 1, 1))
        if match := year.match(self.text, at):
            return self._take(match, of_year(match))
        return self._listed(at)

    def _listed(self, at: int) -> int:
        """Read a bare number: a day after a day, or a year after its apostrophe."""
        match = digit_forms()[5].match(self.text, at)
        if not match:
            return 0
        if self.text[at - 1 : at] == "'" and len(match[1]) == 2:
            field = Field("year", *match.span(1))
            return self._take(match, Mention((field,), "year", full_year(match[1]), 7, 2))
        gap = self.text[self.after : at].lower().strip()
        if gap in _LISTING and self.mentions and self.mentions[-1].has("day"):
            return self._take(match, Mention((Field("day", *match.span(1)),), "day", day=int(match[1])))
        return 0

    def _three(self, match: re.Match[str]) -> Mention:
        """Read 2021-12-03, 12/03/2021, 21.12.3: the first order in which the calendar has the day."""
        groups = (match[1], match[3], match[4])
        if len(groups[0]) > 2:
            orders = ["ymd"]
        elif len(groups[2]) < 3 and self.text[match.end() : match.end() + 1] == match[2].strip() != ".":
            raise ValueError("four numbers: 3/4/5/6")
        else:
            is_day_first = self.lang == "zh" if self.day_first is None else self.day_first
            orders = ["dmy", "mdy"] if is_day_first else ["mdy", "dmy"]
            if len(groups[0]) == 2:
                orders.insert(0 if self.lang == "zh" else 2, "ymd")
        spans = [match.span(group) for group in (1, 3, 4)]
        for order in orders:
            if mention := _in_order(groups, spans, order):
                return mention
        raise ValueError("no date")

    def _compact(self, match: re.Match[str]) -> Mention:
        """Read 20211203, or 12032021."""
        digits, start = match[1], match.start()
        for order, cuts in (("ymd", (0, 4, 6, 8)), ("mdy", (0, 2, 4, 8)), ("dmy", (0, 2, 4, 8))):
            groups = tuple(digits[low:high] for low, high in pairwise(cuts))
            year = groups[_ORDERS[order][0]]
            if year[:2] in ("18", "19", "20", "21"):
                spans = [(start + low, start + high) for low, high in pairwise(cuts)]
                if mention := _in_order(groups, spans, order):
                    return mention
        raise ValueError("no date")

    def _two(self, match: re.Match[str]) -> Mention:
        """Read 2021-12, 12/2021, 12/03 with or without a year after it, 3/98."""
        first, second = match[1], match[3]
        where = match.span(1), match.span(3)
        if 4 in (len(first), len(second)) and not match["year"]:
            if len(second) == 4 and self._is_range_without_year(match.start()):
                raise ValueError("a range of days or of months: 3/1-5/2021")
            year_at = int(len(second) == 4)
            year, month = (first, second)[year_at], (second, first)[year_at]
            if len(month) < 3 and 1 <= int(month) <= 12:
                places = Field("year", *where[year_at]), Field("month", *where[1 - year_at])
                return Mention(places, "month", plausible_year(year), int(month))
            raise ValueError("no month")
        if len(first) > 2 or len(second) > 2 or match["whole"]:
            raise ValueError("no date")
        if not match["year"] and len(second) == 2 and not 1 <= int(second) <= 31 and 1 <= int(first) <= 12:
            places = Field("month", *where[0]), Field("year", *where[1])
            return Mention(places, "month", full_year(second), int(first))
        value = full_year(match["year"]) if match["year"] else None
        orders = ((1, 0), (0, 1)) if self.day_first and self.lang == "en" else ((0, 1), (1, 0))
        for month_at, day_at in orders:
            numbers = int(first), int(second)
            if is_valid(value, numbers[month_at], numbers[day_at]):
                fields = (Field("month", *where[month_at]), Field("day", *where[day_at]), *fields_of(match, "year"))
                return Mention(fields, "day", value, numbers[month_at], numbers[day_at])
        raise ValueError("no date")


def are_day_first(spans: Iterable[str], *, lang: Lang) -> bool | None:
    """Say from all the dates of a note or patient whether days stand before months; None where nothing tells.

    Chinese writes 21/12/03 from year to day, so there only dates with a full year tell.
    """
    votes = 0
    for words in spans:
        for match in digit_forms()[0].finditer(plain(words)):
            if len(match[1]) < 3 and (lang == "en" or len(match[4]) == 4):
                first, second = int(match[1]), int(match[3])
                votes += (12 < first < 32 and second < 13) - (first < 13 and 12 < second < 32)
    return votes > 0 if votes else None


def _in_order(groups: Sequence[str], spans: Sequence[tuple[int, int]], order: str) -> Mention | None:
    """Read three numbers as year, month and day in one order; None where the calendar has no such day."""
    year_at, month_at, day_at = _ORDERS[order]
    year = groups[year_at]
    if len(year) not in (2, 4) or len(groups[month_at]) > 2 or len(groups[day_at]) > 2:
        return None
    if len(year) == 4 and int(year) < 1000:
        return None
    value, month, day = full_year(year), int(groups[month_at]), int(groups[day_at])
    if not is_valid(value, month, day):
        return None
    fields = (Field("year", *spans[year_at]), Field("month", *spans[month_at]), Field("day", *spans[day_at]))
    return Mention(fields, "day", value, month, day)
