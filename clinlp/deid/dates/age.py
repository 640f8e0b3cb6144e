"""Caps ages over 89, which HIPAA counts among identifiers, in the words in which they are written."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from clinlp.deid.dates.forms import HAN_DIGITS, invisible, numbered, plain, vocabulary
from clinlp.note import Lang

OLDEST = 150
"""A number above it is no age."""
OLD_YEARS: Final = "1(?:8[0-9]{2}|9(?:[0-2][0-9]|3[0-6]))"
"""Years of which every age is over 89 by now, as an expression: Safe Harbor counts them among identifiers."""

_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DECADES: Final = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")


def cap_age(words: str, *, lang: Lang) -> str | None:  # noqa: ARG001  (both languages are read in either)
    """Give the words of an AGE span with each age over 89 as 90+; None where they cannot be read.

    93 y/o -> 90+ y/o, 93岁 -> 90+岁, ninety-three-year-old -> 90+-year-old, 九十三岁 -> 90+岁. Months
    and days after a capped age go: 93岁5个月 -> 90+岁. An age of 89 or less stays as it is.

    Args:
        lang: The language of the note; a note of either may hold ages of the other.
    """
    words = invisible().sub("", words)
    text = plain(words)
    pieces: list[str] = []
    done = 0
    is_read = False
    for match in _ages().finditer(text):
        age = _age(match)
        if not _is_known(text[done : match.start()]) or age is None or (age > OLDEST and not match["small"]):
            return None
        is_read = True
        old = words[match.start() : match.end()]
        pieces += (words[done : match.start()], old if age < 90 or match["small"] else _capped(old, match))
        done = match.end()
    if not is_read or not _is_known(text[done:]):
        return None
    return "".join((*pieces, words[done:]))


def tells_age(words: str) -> bool:
    """Say whether the year of a date is one that only somebody over 89 was born in; 1930 after a year is a time."""
    words = plain(invisible().sub("", words)).translate(_FROM_HAN)
    old, later = _years()
    return bool(old.search(words)) and not later.search(words)


_FROM_HAN: Final = str.maketrans("〇零一二三四五六七八九", "00123456789")


@cache
def _years() -> tuple[re.Pattern[str], re.Pattern[str]]:
    later = r"(?<![0-9])(?:19(?:3[7-9]|[4-9][0-9])|20[0-9]{2})(?![0-9])|[0-9][/.-][0-9]{1,2}[/.-][0-9]{2}(?![0-9])"
    return re.compile(rf"(?<![0-9]){OLD_YEARS}(?![0-9])"), re.compile(later)


def _capped(old: str, match: re.Match[str]) -> str:
    """Write 90+ for a number and its sign, and leave out the months after it."""
    wide = "０" <= old[0] <= "９"
    unit = match["unit"] or ("岁" if match["decade_zh"] else "-year-old" if match["person"] else "")
    return ("９０＋" if wide else "90+") + unit


@cache
def _ages() -> re.Pattern[str]:
    ones = "|".join(vocabulary("en", "numbers"))
    spelled = (
        rf"(?:(?:a|one) hundred(?:[ -]and)?(?:[ -](?:(?:{'|'.join(_TENS)})(?:[ -](?:{ones}))?|{ones}))?"
        rf"|(?:{'|'.join(_TENS)})(?:[ -](?:{ones}))?|{ones})"
    )
    small = (
        r"[ -]?(?:months?|mos?|weeks?|wks?|days?|hours?|hrs?|minutes?|个月|月龄|月|周(?!岁)|星期|天|日龄|日|小时|分钟)"
    )
    months = (
        r"(?:,? ?(?:and )?\d{1,2}[ -]?(?:months?|mos?|m|weeks?|days?)(?![a-z])"
        r"|零?\d{1,2}个?月|零?[一二三四五六七八九十]{1,2}个月|半)"
    )
    return re.compile(
        rf"(?:(?P<decade>{'|'.join(_DECADES)})|(?P<person>nonagenarians?|centenarians?|octogenarians?|septuagenarians?)"
        rf"|(?P<decade_zh>[一二三四五六七八九]旬)"
        rf"|(?P<number>\d{{1,3}})(?:\.\d+)?(?!\d)|(?P<spelled>{spelled})(?![a-z])|(?P<han>[〇零一二两三四五六七八九十百]{{1,6}}))"
        rf"(?:'?s(?![a-z])|\+|余|多)?(?P<small>{small}(?![a-z]))?"
        rf"(?:(?P<unit>[ -]?(?:years?|yrs?|y/?o|y|周?岁)(?![a-z])){months})?",
        re.IGNORECASE | re.ASCII,
    )


def _age(match: re.Match[str]) -> int | None:
    """Read one age in years, or in its smaller unit."""
    if match["number"]:
        return int(match["number"])
    if match["decade"]:
        return 10 * (_DECADES.index(match["decade"].lower()) + 2)
    if match["person"]:
        return {"n": 90, "c": 100, "o": 80, "s": 70}[match["person"][0].lower()]
    if match["decade_zh"]:
        return 10 * HAN_DIGITS.index(match["decade_zh"][0])
    return _spelled(match["spelled"]) if match["spelled"] else _han(match["han"])


def _spelled(words: str) -> int:
    total = 0
    ones = numbered("en", "numbers")
    for word in re.split("[ -]", words.lower()):
        if word == "hundred":
            total = 100
        elif word in _TENS:
            total += 10 * (_TENS.index(word) + 2)
        elif word in ones and not (word == "one" and "hundred" in words.lower() and not total):
            total += ones.index(word)
    return total


def _han(words: str) -> int | None:
    """Read 九十三, 一百零二, 九三; None if they are no number."""
    match = re.fullmatch(
        r"(?:(?P<hundreds>[一二两])?(?P<hundred>百)零?)?(?:(?P<tens>[一二三四五六七八九])?(?P<ten>十))?(?P<ones>[零〇一二三四五六七八九])?",
        words,
    )
    if match:
        ones = HAN_DIGITS.index((match["ones"] or "〇").replace("零", "〇"))
        if match["hundred"] and ones and words[-2] == "百":  # 一百二 is 120
            ones *= 10
        hundreds = {"一": 1, None: 1}.get(match["hundreds"], 2) if match["hundred"] else 0
        tens = (HAN_DIGITS.index(match["tens"]) if match["tens"] else 1) if match["ten"] else 0
        return 100 * hundreds + 10 * tens + ones
    if len(words) == 2 and not set(words) & set("十百两"):
        return 10 * HAN_DIGITS.index(words[0].replace("零", "〇")) + HAN_DIGITS.index(words[1].replace("零", "〇"))
    return None


@cache
def _known() -> tuple[re.Pattern[str], frozenset[str]]:
    english, chinese = vocabulary("en", "ages"), vocabulary("zh", "ages")
    return re.compile(rf"[a-z]+|{'|'.join(chinese)}|[^\W\d_]", re.IGNORECASE), frozenset((*english, *chinese))


def _is_known(text: str) -> bool:
    """Say whether the words beside the ages are of the kind that stands there, and hold no other number."""
    if any(sign.isnumeric() for sign in text):
        return False
    words, known = _known()
    return all(match[0].lower() in known for match in words.finditer(text))
