"""The written forms of dates: one compiled pattern each, matched where a date may start.

Patterns run on the plain text that `plain` gives: as long as the words, with one kind of digit,
blank, hyphen and colon, so that each form is written once.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Final

from clinlp.note import Lang

MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HAN_DIGITS: Final = "〇一二三四五六七八九"
HAN_WEEKDAYS: Final = "一二三四五六日"
SAID_YEARS: Final = {"前年": -2, "去年": -1, "今年": 0, "本年": 0, "明年": 1, "后年": 2}
SAID_MONTHS: Final = {"上": -1, "本": 0, "当": 0, "下": 1}
SEASONS: Final = {"spring": 4, "summer": 7, "fall": 10, "autumn": 10, "winter": 1, "春": 4, "夏": 7, "秋": 10, "冬": 1}
"""Season -> its middle month; winter is the one in which the year starts."""
HOLIDAYS: Final = {
    "christmas": (12, 25),
    "christmas day": (12, 25),
    "christmas eve": (12, 24),
    "new year": (1, 1),
    "new year's day": (1, 1),
    "new year's eve": (12, 31),
    "valentine's day": (2, 14),
    "st. patrick's day": (3, 17),
    "independence day": (7, 4),
    "halloween": (10, 31),
    "veterans day": (11, 11),
    "元旦": (1, 1),
    "情人节": (2, 14),
    "妇女节": (3, 8),
    "劳动节": (5, 1),
    "五一": (5, 1),
    "儿童节": (6, 1),
    "国庆": (10, 1),
    "平安夜": (12, 24),
    "圣诞": (12, 25),
}
"""Holiday -> its month and day. Those of the lunar calendar are left out: their dates take tables."""
NTH_HOLIDAYS: Final = {
    "thanksgiving": (11, 3, 4),
    "thanksgiving day": (11, 3, 4),
    "labor day": (9, 0, 1),
    "memorial day": (5, 0, -1),
    "martin luther king day": (1, 0, 3),
    "presidents day": (2, 0, 3),
    "母亲节": (5, 6, 2),
    "父亲节": (6, 6, 3),
}
"""Holiday -> month, weekday, and which of them in the month."""

_SAME: Final = {
    "0123456789": "０１２３４５６７８９",
    "-": "－‐‑‒–—―−",
    "/": "／⁄∕",
    ".": "．。",
    ":": "：",
    ",": "，",
    "~": "～〜",
    "(": "（",
    "'": "’‘´",
    "〇": "○◯",
    "号": "號",
    "周": "週",
    " ": "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B))),
}
FULL_WIDTH: Final = str.maketrans("0123456789", "０１２３４５６７８９")


@cache
def _plain() -> dict[int, int]:
    table: dict[int, int] = {}
    for same, others in _SAME.items():
        for at, other in enumerate(others):
            table[ord(other)] = ord(same[at] if len(same) > 1 else same)
    return table


def plain(words: str) -> str:
    """Give the words with one kind of digit, blank, hyphen and the like; as long as they are."""
    return words if words.isascii() and words.isprintable() else words.translate(_plain())


@cache
def invisible() -> re.Pattern[str]:
    """Find what has no width: it may stand inside a number."""
    return re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")


@cache
def _data() -> dict[str, dict[str, str]]:
    return tomllib.loads((resources.files("clinlp.deid") / "data" / "dates.toml").read_text("utf-8"))


@cache
def numbered(lang: Lang, key: str) -> tuple[str, ...]:
    """Give a list of `data/dates.toml` in the order of the file."""
    return tuple(_data()[lang][key].split())


@cache
def vocabulary(lang: Lang, key: str) -> tuple[str, ...]:
    """Give a list of `data/dates.toml`, the longest word first."""
    return tuple(sorted(set(numbered(lang, key)), key=lambda word: (-len(word), word)))


@cache
def word_roles() -> dict[str, str]:
    """Give each English word that may stand beside a date as `join` or `relative`."""
    roles = dict.fromkeys(vocabulary("en", "relative"), "relative")
    return roles | dict.fromkeys(vocabulary("en", "joins"), "join")


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])\.?"
)
_NUMBER_DAY = r"\d{1,2}(?! ?(?:st|nd|rd|th)[a-z])(?:(?:st|nd|rd|th)(?![a-z]))?(?!\d)"
_RANGE = r" ?(?:-|~|/|to|and|&|through|thru|or) ?"
_GAP = r"[ ,./-]{0,3}"
_SHORT = (
    rf"(?<!\d)\d\d(?![\d:]|\.\d| ?[ap]\.?m\b| ?h(?:rs?|ours?)?\b| ?(?:of )?{_MONTH.replace('P<month>', ':')}"
    r"| ?(?:,|and|&|to|-|~) ?\d)"
)
_YEAR = rf"(?:, ?| ?,? ?of |[-/. ]|\. |)(?P<year>(?:1[89]|2[01])\d\d(?![\d:])|(?<=['\-/. ,a-z]){_SHORT})"
_AFTER_YEAR = _YEAR.replace("(?P<year>", "'?(?P<year>")


@cache
def _nth() -> str:
    return "|".join(vocabulary("en", "ordinals")).replace("-", "[- ]")


def _day() -> str:
    return rf"{_NUMBER_DAY}|(?:{_nth()})(?![a-z])"


@cache
def month_forms() -> tuple[re.Pattern[str], ...]:
    """Give what starts with the name of a month: a day with or without a year, a year, the month alone."""
    return (
        _compile(rf"{_MONTH}(?P<sep>[-/.])(?P<day>\d{{1,2}})(?P=sep)'?(?P<year>\d{{4}}|\d\d)(?![\d:])"),
        _compile(
            rf"{_MONTH}{_GAP}(?:the )?(?P<day>{_day()})(?!:)(?:{_RANGE}(?:the )?(?P<to>{_day()})(?![/:]))?"
            rf"(?:{_AFTER_YEAR})?"
        ),
        _compile(rf"{_MONTH}(?:'s)?(?:, ?| ?,? ?of |[-/. ]|\. |)'?(?P<year>\d{{4}}(?!\d))"),
        _compile(rf"{_MONTH}(?:'s)?[-/. ]?'(?P<year>\d\d)(?!\d)"),
        _compile(rf"{_MONTH}(?:'s)?"),
    )


@cache
def day_forms() -> tuple[re.Pattern[str], ...]:
    """Give what starts with a day or year before the name of a month."""
    return (
        _compile(
            rf"(?P<day>{_day()})(?:{_RANGE}(?:the )?(?P<to>{_day()}))?(?: day)?[ ,./-]{{0,2}}(?:of )?{_MONTH}"
            rf"(?:{_AFTER_YEAR})?"
        ),
        _compile(rf"(?P<year>\d{{4}})[ ,./-]{{0,2}}{_MONTH}(?:[ ,./-]{{0,2}}(?P<day>{_day()}))?"),
        _compile(
            r"(?P<day>\d{1,2}(?:st|nd|rd|th)(?! (?:week|half|quarter|trimester))"
            rf"|(?<=the )(?:{_nth()})(?! [a-z]))(?![a-z\d])"
        ),
    )


@cache
def digit_forms() -> tuple[re.Pattern[str], ...]:
    """Give the forms of digits alone: three parts, compact, two parts, a decade, a year."""
    return (
        _compile(r"(\d{1,4})( ?[-/.] ?)(\d{1,2})\2 ?(\d{1,4})(?!\d)(?: ?[日号])?"),
        _compile(r"(\d{8})(?:t?(?:[01]\d|2[0-4])[0-5]\d(?:[0-5]\d(?:\.\d+)?)?z?)?(?![\da-z])"),
        _compile(
            r"(\d{1,4}) ?([-/.]) ?(\d{1,2}|\d{4})(?!\d)"
            r"(?: (?P<year>(?:19|20)\d\d)(?![\d:])| ?[日号]|(?P<whole> ?月份?))?"
        ),
        _compile(r"(\d{3}0|\d0)(?: ?年代|'?s(?![a-z]))"),
        _compile(r"(\d{6}|\d{4})(?!\d)"),
        _compile(r"(\d{1,2})(?!\d)"),
    )


_NUMBER = r"(?:\d{1,2}|[〇零一二三四五六七八九十]{1,3})"
_HAN_YEAR = r"(?:\d{4}|\d{2}|[〇零一二三四五六七八九]{4}|[〇零一二三四五六七八九]{2})"
_TO = r" ?[-~至到、及和,] ?"


@cache
def han_forms() -> tuple[re.Pattern[str], ...]:
    """Give the forms with 年, 月 and 日: a month, a year, a day."""
    said = "|".join(SAID_YEARS)
    day = rf"(?P<day>{_NUMBER}) ?(?:[日号]|(?=(?:{_TO}(?:{_NUMBER} ?月 ?)?{_NUMBER})+ ?[日号])"
    part = r"(?P<part>[上中下]旬|[初中底末](?![旬午]))"
    return (
        _compile(
            rf"(?:(?P<year>{_HAN_YEAR}) ?年 ?|(?P<said>{said}) ?)?"
            rf"(?P<month>{_NUMBER}) ?(?:月(?:份? ?{part}|份| ?{day}|$))?|(?={_TO}{_NUMBER} ?月))"
        ),
        _compile(
            rf"(?P<year>{_HAN_YEAR}) ?年 ?(?:(?P<season>[春夏秋冬])[季天]?|(?P<holiday>{_han_holidays()}))"
            rf"|(?P<season_>[春夏秋冬])[季天]|(?P<holiday_>{_han_holidays()})"
        ),
        _compile(rf"(?P<year>{_HAN_YEAR}) ?年(?!代)"),
        _compile(rf"(?:(?P<said>[上本当下]个?)月 ?)?{day})"),
    )


def _han_holidays() -> str:
    names = [name for name in (*HOLIDAYS, *NTH_HOLIDAYS) if not name.isascii()]
    return "|".join(f"{name}节?" for name in sorted(names, key=lambda name: (-len(name), name)))


@cache
def named_forms() -> tuple[re.Pattern[str], ...]:
    """Give weekdays of both languages, English holidays and seasons with a year or alone."""
    holidays = [name for name in (*HOLIDAYS, *NTH_HOLIDAYS) if name.isascii()]
    holiday = "|".join(sorted(holidays, key=len, reverse=True)).replace("'s", "'?s").replace("st.", "st[.]?")
    year = r"(?:,? (?:of )?'?(?P<year>\d{4}|(?<=')\d\d)(?!\d))?"
    return (
        _compile(
            r"(?P<day>mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?"
            r"|sun(?:day)?)(?:s(?![a-z])|(?![a-z]))"
        ),
        _compile(r"(?:星期|礼拜|周)(?P<day>[一二三四五六日天])"),
        _compile(rf"(?P<holiday>{holiday})(?![a-z]){year}"),
        _compile(rf"(?P<season>spring|summer|fall|autumn|winter)(?![a-z]){year}"),
    )


@cache
def times() -> re.Pattern[str]:
    """Find a time of day, which stays."""
    meridiem = r" ?[ap]\.?m\b\.?"
    hour = r"(?:[01]?\d|2[0-4])"
    return _compile(
        rf"t?{hour} ?: ?[0-5]\d(?: ?: ?[0-5]\d(?:[.,]\d+)?)?(?!\d)(?:{meridiem})?"
        r"(?: ?(?:z|utc|gmt|[ecmp][sd]t)\b| ?[+-]\d\d:?\d\d\b)?"
        rf"|(?:1[0-2]|0?[1-9]){meridiem}|{hour}[0-5]\d ?h(?:rs?|ours?)?\b"
        rf"|{hour} ?[时点](?: ?[0-5]?\d ?分?(?:\d\d? ?秒)?|半|整|钟)?(?!\d)"
        r"|[一二三四五六七八九十]{1,3}[时点](?:半|整|钟|[〇零一二三四五六七八九十]{1,3}分)?"
    )


@cache
def clock_after_date() -> re.Pattern[str]:
    """Find hours and minutes without a mark, as they stand after a whole date."""
    return _compile(r"(?:[01]\d|2[0-3])[0-5]\d(?!\d)")


@cache
def said_before() -> re.Pattern[str]:
    """Find a length of time counted from the note: it names no day."""
    count = "|".join(vocabulary("en", "counts"))
    return _compile(
        rf"(?:\d{{1,3}}|{count})[ -](?:day|week|month|year|hour)s? (?:ago|prior|later|earlier|before|after)(?![a-z])"
        r"|(?:\d{1,3}|[一二两三四五六七八九十数]{1,3})余?(?:天|周|星期|个月|小时)[余多]?(?:以|之)?[前后]"
    )


@cache
def han_words() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Give Chinese relative words, Chinese words beside a date, and signs of the lunar calendar."""
    return (
        re.compile(f"(?:{'|'.join(vocabulary('zh', 'relative'))})(?:(?<![周期拜])|(?![一二三四五六日天]))"),
        re.compile("|".join((*vocabulary("zh", "joins"), "[上下本这](?=个?(?:周|星期|礼拜))", "个(?=星期|礼拜)"))),
        re.compile(
            "[农阴]历|[正腊冬]月|闰|[廿卅]|初[一二三四五六七八九十]|春节|除夕|中秋|端午|元宵|清明|重阳|七夕|民国"
        ),
    )
