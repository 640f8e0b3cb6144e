"""The ways to write a known number, address of a machine or other value that is copied, not reworded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, NamedTuple

from clinlp.deid.categories import PhiLabel
from clinlp.deid.known.context import common
from clinlp.deid.known.page import HIDDEN, Form, Hit, Page, fold, is_han, is_letter, squeeze

_FILLED: Final = 12
"""The most zeros that fill a number up on its left."""

_PHONES: Final = (PhiLabel.PHONE.value, PhiLabel.FAX.value)


class Tail(NamedTuple):
    """The score of a hit, and whether the words before must say that it is the end of a number."""

    score: float
    is_last: bool = False
    is_grouped: bool = False


def number_forms(value: str, label: str) -> Iterator[Form]:
    """Write a number: with any separators, without leading zeros, without the country, its last four digits."""
    key = squeeze(value)
    if not key or not any(character.isdecimal() for character in key):
        yield from literal_forms(value, label)
        return
    yield Form(key, number_at, label, Tail(1.0))
    bare = key.lstrip("0")
    if bare != key and len(bare) > 2:
        yield Form(bare, number_at, label, Tail(0.9))
    if label in _PHONES:
        for code in ("0086", "86", "001", "1"):
            if key.startswith(code) and len(key) - len(code) in (10, 11):
                yield Form(key[len(code) :], number_at, label, Tail(1.0))
                break
        if len(key) in (10, 11) and key.isdecimal():
            yield Form(key[-7:], number_at, label, Tail(0.8, is_grouped=True))
    digits = "".join(character for character in key if character.isdecimal())
    if len(digits) > 5 and key[-4:].isalnum():
        yield Form(key[-4:], number_at, label, Tail(0.8, is_last=True))


@cache
def _said() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(
            r"(?:\bend(?:s|ing)?(?: in| with)?|\blast (?:4|four)(?: digits?| numbers?)?(?: of [a-z ]{1,20})?|"
            r"\bxx+-?|\*\*+-?|尾号|尾数|末四位|后四位|后4位|末4位|最后四位)(?: (?:are|is))?[\s:：#是为-]{0,4}$"
        ),
        re.compile(
            r"(?:\bmrn?|\bno|\bnumber|\bid|#|\bnum|\bacct|\baccount|\bchart|\brecord|号|码|编号|卡)\s?[.:：#是为]{0,2}\s{0,3}$"
        ),
    )


def number_at(page: Page, start: int, end: int, label: str, tail: Tail) -> Hit | None:
    """Check a number: nothing but separators inside, no digit that goes on with it outside."""
    low, high = page.borders(start, end)
    flat = page.flat
    floor = max(0, low - _FILLED)
    while low > floor and flat[low - 1] == "0":
        low -= 1  # zeros that fill it up
    is_inside = _goes_on(flat[low], page.before(low)) or _goes_on(flat[high - 1], page.after(high))
    if is_inside or _is_decimal(page, low, high):
        return None
    left = flat[max(0, low - 40) : low].replace(HIDDEN, "")
    if not _holds(page.gaps(start, end), end - start, left, tail):
        return None
    return Hit(low - _country(left) if label in _PHONES and not tail.is_last else low, high, label, tail.score)


def _holds(gaps: list[tuple[int, str]], size: int, left: str, tail: Tail) -> bool:
    """Say whether the separators are those of a number, and what must stand before it does."""
    said, field = _said()
    if tail.is_last:
        return not gaps and bool(said.search(left))
    if tail.is_grouped:
        return [at for at, _ in gaps] == [3] and _separates(gaps)
    if size < 5 and not field.search(left):
        return False
    return not gaps or (_separates(gaps) and _is_grouping(gaps, size))


def _goes_on(inner: str, outer: str) -> bool:
    if not outer:
        return False
    return (inner.isdecimal() and outer.isdecimal()) or (is_letter(inner) and is_letter(outer))


def _is_decimal(page: Page, low: int, high: int) -> bool:
    flat = page.flat
    before = (
        low > 1 and flat[low - 1] == "." and flat[low - 2].isdecimal() and not flat[max(0, low - 3) : low - 2].isalpha()
    )
    return before or (flat[high : high + 1] == "." and flat[high + 1 : high + 2].isdecimal())


def _separates(gaps: Iterable[tuple[int, str]]) -> bool:
    return all(len(gap) <= 4 and not gap.strip(" \t\r\n-./()_·—–‐+#,\u3000\xa0") for _, gap in gaps)


def _is_grouping(gaps: list[tuple[int, str]], size: int) -> bool:
    """Say whether the gaps set groups apart, or set apart all digits in one way; and not a list of numbers."""
    marks = {gap for _, gap in gaps}
    if len(gaps) == size - 1:
        return len(marks) == 1 and size > 5 and not marks & {", ", ","}
    return len(gaps) <= max(1, size // 2) and not any("," in gap for gap in marks) and (size > 6 or " " not in marks)


@cache
def _codes() -> re.Pattern[str]:
    return re.compile(r"(?:\+|\b00)?\(?(?:86|1)\)?[\s.-]{0,2}$|(?<!\))\($")


def _country(left: str) -> int:
    match = _codes().search(left)
    return len(match[0]) if match and not left[: match.start()][-1:].isdecimal() else 0


@cache
def _masked() -> re.Pattern[str]:
    return re.compile(r"(?<![0-9])([0-9]{2,10})(?:-?[*xX×•●＊]){3,14}-?([0-9]{2,4}[0-9Xx]?)(?![0-9])")


def masked(page: Page, numbers: dict[str, str]) -> Iterator[Hit]:
    """Find numbers of which the middle is starred out: 138****1234.

    Args:
        numbers: Digits and letters of a known number -> label.
    """
    if not any(mark in page.text for mark in ("**", "xx", "XX", "××", "••", "●●", "＊＊")):
        return
    for match in _masked().finditer(page.flat):
        for number, label in numbers.items():
            shown = len(match[1]) + len(match[2])
            if len(number) > shown >= 5 and number.startswith(match[1]) and number.endswith(match[2]):
                yield Hit(match.start(), match.end(), label, 0.9)
                break


# --- values that are copied ----------------------------------------------------------------------


def literal_forms(value: str, label: str) -> Iterator[Form]:
    """Write a value as it stands; blanks, line ends and capitals may differ."""
    key = squeeze(value)
    if len(key) > 1:
        yield Form(key, literal_at, label, "".join(fold(value).replace(HIDDEN, "").split()))


def literal_at(page: Page, start: int, end: int, label: str, value: str) -> Hit | None:
    """Check a copied value with its marks: they must all be there, and no word goes on with it."""
    low, high = page.borders(start, end)
    head = 0
    while head < len(value) and not value[head].isalnum():
        head += 1
    foot = len(value)
    while foot > head and not value[foot - 1].isalnum():
        foot -= 1
    flat = page.flat
    if "".join(flat[low:high].replace(HIDDEN, "").split()) != value[head:foot]:
        return None
    if _goes_on(flat[low], page.before(low)) or _goes_on(flat[high - 1], page.after(high)):
        return None
    is_short = end - start < 4 or common(page.compact[start:end])
    if is_short and not is_han(flat[low]) and not page.text[low].isupper() and not flat[low].isdecimal():
        return None
    if head and flat[low - head : low] == value[:head]:
        low -= head
    if foot < len(value) and flat.startswith(value[foot:], high):
        high += len(value) - foot
    return Hit(low, high, label, 1.0)
