"""Moves the dates of a patient by one secret number of days, and caps ages over 89.

Every date keeps its form; the days between two dates of one patient stay the same in all notes. A date
without day stands for the middle of its month or year, so that it moves with the others by the
nearest month or year. What cannot be read in full is not guessed at: the caller writes a tag there.
"""

from __future__ import annotations

import calendar
import hmac
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from clinlp.deid.dates.age import cap_age
from clinlp.deid.dates.forms import invisible
from clinlp.deid.dates.parts import Mention, holiday_in
from clinlp.deid.dates.read import Reader, are_day_first
from clinlp.deid.dates.write import Writer
from clinlp.errors import UsageError
from clinlp.note import Lang

__all__ = ["are_day_first", "cap_age", "shift_dates", "shift_of"]

REFERENCE: Final = date(2002, 7, 1)
"""Stands for the note's date where there is none: over a year from any 29 February, so that all intervals hold."""
_AHEAD: Final = timedelta(90)


def shift_of(key: bytes, patient: str, *, max_days: int = 365, keep_weekday: bool = False) -> int:
    """Give the days by which all dates of a patient move: the same for the same key, unknown without it.

    Args:
        key: A secret of at least one byte.
        patient: What identifies the patient in the dump.
        max_days: The farthest move; each from -max_days to max_days but 0 is as likely as another.
        keep_weekday: Move by whole weeks, so that a Monday stays one.

    Raises:
        UsageError: The key is empty, or no shift other than 0 is within max_days.
    """
    step = 7 if keep_weekday else 1
    count = max_days // step
    if not key:
        raise UsageError("shift_of: key needs at least one byte, got none")
    if count < 1:
        raise UsageError(f"shift_of: max_days needs at least {step}, got {max_days}")
    digest = hmac.digest(key, b"clinlp date shift\0" + patient.encode("utf-8", "surrogatepass"), "sha256")
    drawn = int.from_bytes(digest, "big") % (2 * count)
    return step * (drawn - count if drawn < count else drawn - count + 1)


def shift_dates(
    words: str, days: int, *, lang: Lang, near: date | None = None, day_first: bool | None = None
) -> str | None:
    """Give the words with every date moved by `days` and everything else kept; None where they cannot be read.

    A weekday moves by `days % 7`, a season to the season of its moved middle, a month or year alone
    to that of its moved middle day. A holiday becomes the day it moved to (its name would tell the
    true day), or None if the lunar calendar sets it. Words that point from the note's day (yesterday,
    昨天) and times stay.

    Args:
        words: The text of one DATE span.
        near: The note's date: gives partial dates what they leave out.
        day_first: How to read 03/04/2021; None: month first in English, day first in Chinese, and the
            other order where the calendar has no such day. See `are_day_first`.
    """
    words = invisible().sub("", words)
    near = near or REFERENCE
    try:
        reading = Reader(words, lang=lang, day_first=day_first).read()
        step = timedelta(days)
        moved = [day + step for day in _resolve(reading.mentions, near)]
        needs_near = any(m.said_year is not None or m.said_month is not None for m in reading.mentions)
        return Writer(words, reading, moved, near + step if needs_near else near).write(days)
    except (ValueError, OverflowError):  # no such day, no such year, or not understood
        return None


def _resolve(mentions: Sequence[Mention], near: date) -> list[date]:
    """Give each mention its day; one without year or month takes them from its neighbours, then from the note."""
    found: list[date | None] = [_own_day(mention, near) for mention in mentions]
    for at, mention in enumerate(mentions):
        if found[at] is not None:
            continue
        if at and (before := found[at - 1]) is not None:
            start, _ = _period(mentions[at - 1], before)
            found[at] = min(day for day in _candidates(mention, start) if _period(mention, day)[1] >= start)
            continue
        later = next((i for i in range(at + 1, len(mentions)) if found[i] is not None), None)
        following = found[later] if later is not None else None
        if later is not None and following is not None:
            _, end = _period(mentions[later], following)
            found[at] = max(day for day in _candidates(mention, end) if _period(mention, day)[0] <= end)
        else:
            found[at] = _nearest(mention, near)
    return [day for day in found if day is not None]


def _own_day(mention: Mention, near: date) -> date | None:
    year = mention.year
    if mention.said_month is not None:
        months = near.year * 12 + near.month - 1 + mention.said_month
        return date(months // 12, months % 12 + 1, mention.day)
    if mention.said_year is not None:
        year = near.year + mention.said_year
    if year is None:
        return None
    if mention.holiday:
        return holiday_in(mention.holiday, year)
    return date(year, mention.month or 0, mention.day)


def _candidates(mention: Mention, around: date) -> list[date]:
    """Give the days that a partial date may mean, in order; many years only for 29 February."""
    days: list[date] = []
    if mention.month is None and not mention.holiday:
        for months in range(around.year * 12 + around.month - 3, around.year * 12 + around.month + 2):
            year, month = divmod(months, 12)
            if mention.day <= calendar.monthrange(year, month + 1)[1]:
                days.append(date(year, month + 1, mention.day))
        return days
    reach = 8 if (mention.month, mention.day) == (2, 29) else 1
    for year in range(max(1, around.year - reach), min(9999, around.year + reach) + 1):
        try:
            days.append(
                holiday_in(mention.holiday, year) if mention.holiday else date(year, mention.month or 0, mention.day)
            )
        except ValueError:
            continue
    return days


def _nearest(mention: Mention, near: date) -> date:
    """Choose what the note means: of a month the last that is not far ahead, of a day alone the nearest."""
    days = _candidates(mention, near)
    if mention.month is None and not mention.holiday:
        return min(days, key=lambda day: (abs(day - near), day))
    return max(day for day in days if day - near <= _AHEAD)


def _period(mention: Mention, day: date) -> tuple[date, date]:
    """Give the first and last day that a mention can mean."""
    if mention.unit in ("day", "part"):
        return day, day
    if mention.unit == "month":
        return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
    if mention.unit == "season":
        return day - timedelta(45), day + timedelta(45)
    return day.replace(month=1, day=1), day.replace(month=12, day=31)
