"""Dates in every written form, how a note tells their order, and the shift of a patient."""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from clinlp.deid.dates import are_day_first, shift_dates, shift_of
from clinlp.errors import UsageError
from clinlp.note import Lang

NEAR = date(2021, 12, 20)
CASES = tomllib.loads((Path(__file__).parent.parent / "cases" / "dates.toml").read_text("utf-8"))


@pytest.mark.parametrize(("lang", "words"), [(lang, words) for lang in ("en", "zh") for words in CASES[lang]])
def test_form(lang: Lang, words: str) -> None:
    assert shift_dates(words, 40, lang=lang, near=NEAR) == (CASES[lang][words] or None)


# --- how the note is read ----------------------------------------------------------------------


def test_a_note_tells_whether_its_days_stand_first() -> None:
    assert are_day_first(["03/04/2021", "25/04/2021"], lang="en") is True
    assert are_day_first(["03/04/2021", "04/25/2021"], lang="en") is False
    assert are_day_first(["03/04/2021", "2021-04-25", "2021年4月25日"], lang="en") is None
    assert are_day_first(["25/04/2021"], lang="zh") is True
    assert are_day_first(["21/12/03", "2021年4月25日"], lang="zh") is None
    assert shift_dates("03/04/2021", 1, lang="en") == "03/05/2021"
    assert shift_dates("03/04/2021", 1, lang="en", day_first=True) == "04/04/2021"
    assert shift_dates("03/04/2021", 1, lang="zh") == "04/04/2021"
    assert shift_dates("03/04/2021", 1, lang="zh", day_first=False) == "03/05/2021"


def test_one_date_of_a_span_tells_the_order_of_the_other() -> None:
    assert shift_dates("25/12/2021 - 03/01/2022", 1, lang="en") == "26/12/2021 - 04/01/2022"


def test_signs_without_width_do_not_hide_a_date() -> None:
    assert shift_dates("20\u200b21-12\u200e-03", 40, lang="en") == "2022-01-12"
    assert shift_dates("20\u200b21年\ufeff12月3日", 40, lang="zh") == "2022年1月12日"


# --- the shift ---------------------------------------------------------------------------------


def test_a_shift_is_keyed_and_repeats() -> None:
    assert shift_of(b"k", "p1") == shift_of(b"k", "p1")
    assert [shift_of(b"k", f"p{i}") for i in range(8)] != [shift_of(b"j", f"p{i}") for i in range(8)]
    assert shift_of(b"k", "患者甲") != shift_of(b"k", "患者乙")
    assert shift_of(b"k", "\ud800")  # a lone surrogate, as broken records hold


@pytest.mark.parametrize(("max_days", "keep_weekday", "step"), [(5, False, 1), (40, True, 7)])
def test_shifts_are_uniform_and_never_zero(max_days: int, keep_weekday: bool, step: int) -> None:
    drawn = Counter(shift_of(b"key", str(i), max_days=max_days, keep_weekday=keep_weekday) for i in range(5000))
    assert set(drawn) == {sign * step * i for i in range(1, 6) for sign in (-1, 1)}
    assert all(420 < count < 580 for count in drawn.values())


def test_weekdays_are_kept_on_request() -> None:
    days = shift_of(b"key", "p", keep_weekday=True)
    assert days % 7 == 0
    assert shift_dates("Monday", days, lang="en") == "Monday"
    assert shift_dates("星期天", days, lang="zh") == "星期天"


@pytest.mark.parametrize(
    ("key", "max_days", "keep_weekday", "message"),
    [
        (b"", 365, False, "key needs at least one byte"),
        (b"k", 0, False, "max_days needs at least 1, got 0"),
        (b"k", 6, True, "max_days needs at least 7, got 6"),
    ],
)
def test_a_shift_that_would_hide_nothing_is_an_error(
    key: bytes, max_days: int, keep_weekday: bool, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        shift_of(key, "p", max_days=max_days, keep_weekday=keep_weekday)
