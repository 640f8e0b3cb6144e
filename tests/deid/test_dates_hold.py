"""What must hold for every date: the form is kept, the days between two dates are, and no text is an error."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.deid.dates import cap_age, shift_dates
from clinlp.note import Lang

NEAR = date(2021, 12, 20)
CASES = tomllib.loads((Path(__file__).parent.parent / "cases" / "dates.toml").read_text("utf-8"))
WORDS = [*CASES["en"], *CASES["zh"]]
MONTHS = ["January", "February", "March", "April", "May", "June"]
MONTHS += ["July", "August", "September", "October", "November", "December"]
HAN = "〇一二三四五六七八九"


def han(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens < 2 else HAN[tens]) + ("十" if tens else "") + (HAN[ones] if ones else "")


def nth(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


Form = tuple[Lang, bool | None, Callable[[date], str]]
FULL: list[Form] = [
    ("en", None, lambda d: d.strftime("%Y-%m-%d")),
    ("en", None, lambda d: d.strftime("%Y-%m-%dT08:05:00Z")),
    ("en", None, lambda d: d.strftime("%m/%d/%Y")),
    ("en", None, lambda d: d.strftime("%m-%d-%y")),
    ("en", True, lambda d: d.strftime("%d/%m/%Y")),
    ("en", True, lambda d: d.strftime("%d.%m.%y")),
    ("en", None, lambda d: d.strftime("%Y%m%d")),
    ("en", None, lambda d: d.strftime("%d-%b-%Y")),
    ("en", None, lambda d: d.strftime("%d%b%Y").upper()),
    ("en", None, lambda d: f"{MONTHS[d.month - 1]} {d.day}, {d.year}"),
    ("en", None, lambda d: f"{MONTHS[d.month - 1].upper()} {nth(d.day).upper()} {d.year}"),
    ("en", None, lambda d: f"the {nth(d.day)} of {MONTHS[d.month - 1]}, {d.year}"),
    ("en", None, lambda d: d.strftime("%A, %m/%d/%Y at 10:30")),
    ("zh", None, lambda d: f"{d.year}年{d.month}月{d.day}日"),
    ("zh", None, lambda d: d.strftime("%Y-%m-%d 10:30")),
    ("zh", None, lambda d: d.strftime("%Y.%m.%d")),
    ("zh", None, lambda d: d.strftime("%y/%m/%d")),
    ("zh", None, lambda d: "".join(HAN[int(c)] for c in str(d.year)) + f"年{han(d.month)}月{han(d.day)}日"),
    ("zh", None, lambda d: f"{d.year}年{d.month}月{d.day}日，星期{'一二三四五六日'[d.weekday()]}上午"),
]
PARTIAL: list[Form] = [
    ("en", None, lambda d: d.strftime("%m/%d")),
    ("en", None, lambda d: f"{MONTHS[d.month - 1]} {d.day}"),
    ("en", None, lambda d: f"{d.day} {MONTHS[d.month - 1]}"),
    ("zh", None, lambda d: f"{d.month}月{d.day}日"),
    ("zh", None, lambda d: f"{han(d.month)}月{han(d.day)}日"),
    ("zh", None, lambda d: d.strftime("%m-%d")),
]
DAYS = st.dates(date(1971, 1, 1), date(2066, 12, 31))
SHIFTS = st.integers(-365, 365)


@given(DAYS, SHIFTS, st.sampled_from(FULL))
def test_a_full_date_becomes_the_day_it_moved_to_in_the_same_form(day: date, days: int, form: Form) -> None:
    lang, day_first, write = form
    moved = shift_dates(write(day), days, lang=lang, day_first=day_first)
    assert moved == write(day + timedelta(days))
    assert shift_dates(moved, -days, lang=lang, day_first=day_first) == write(day)


@given(DAYS, st.integers(-270, 85), SHIFTS, st.sampled_from(PARTIAL))
def test_a_date_without_year_moves_as_the_one_near_the_note(near: date, away: int, days: int, form: Form) -> None:
    lang, day_first, write = form
    day = near + timedelta(away)
    if (day.month, day.day) == (2, 29):
        return
    assert shift_dates(write(day), days, lang=lang, near=near, day_first=day_first) == write(day + timedelta(days))


@given(st.dates(date(2001, 10, 1), date(2002, 9, 28)), st.integers(0, 200), SHIFTS, st.sampled_from(PARTIAL))
def test_intervals_hold_without_the_date_of_the_note(first: date, length: int, days: int, form: Form) -> None:
    last = min(first + timedelta(length), date(2002, 9, 28))
    lang, _, write = form
    step = timedelta(days)
    words, moved = f"{write(first)} - {write(last)}", f"{write(first + step)} - {write(last + step)}"
    assert shift_dates(words, days, lang=lang) == moved


@given(DAYS, st.integers(0, 27), SHIFTS)
def test_a_range_of_days_holds_over_the_end_of_a_month(first: date, length: int, days: int) -> None:
    last = first + timedelta(length)
    if last.month != first.month:
        return
    low, high = first + timedelta(days), last + timedelta(days)
    month, next_month = MONTHS[low.month - 1], MONTHS[high.month - 1]
    second = str(high.day) if low.month == high.month else f"{next_month} {high.day}"
    words = f"{MONTHS[first.month - 1]} {first.day}-{last.day}, {last.year}"
    assert shift_dates(words, days, lang="en") == f"{month} {low.day}-{second}, {high.year}"
    second = f"{high.day}日" if low.month == high.month else f"{high.month}月{high.day}日"
    words = f"{first.year}年{first.month}月{first.day}日至{last.day}日"
    assert shift_dates(words, days, lang="zh") == f"{low.year}年{low.month}月{low.day}日至{second}"


@given(st.sampled_from(WORDS), st.integers(-60, 60))
def test_all_but_numbers_and_names_is_kept(words: str, days: int) -> None:
    moved = shift_dates(words, days, lang="en" if words.isascii() else "zh", near=NEAR)
    if moved is None or re.search("Eve|Chr|Than|Mem|元旦|国庆|to|and|[至、-]", words):  # a month may come in between
        return
    parts = "[0-9０-９〇零○一二三四五六七八九十]+(st|nd|rd|th)?|[a-z-]+|[去今前本上下]"
    kept = re.compile(f"{parts}|[初中底旬春夏秋冬]|(?<=[期周拜])[日天]", re.IGNORECASE)
    assert re.sub(" +", " ", kept.sub("", moved)) == re.sub(" +", " ", kept.sub("", words))


SIGNS = "0123456789-/.,: 年月日号至周岁旬上Ⅳ²ßİſ\n\u200b"
PIECES = st.sampled_from([*WORDS, *SIGNS, "Jan", "ninety", "hundred", "一百", "last"])


@settings(max_examples=300)
@given(
    st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=6).map("".join)),
    st.one_of(SHIFTS, st.integers()),
    st.sampled_from(["en", "zh"]),
    st.one_of(st.none(), st.dates()),
    st.sampled_from([None, True, False]),
)
def test_no_text_is_an_error(words: str, days: int, lang: Lang, near: date | None, day_first: bool | None) -> None:
    assert isinstance(shift_dates(words, days, lang=lang, near=near, day_first=day_first), str | None)
    assert isinstance(cap_age(words, lang=lang), str | None)
