"""Keyed choices for one patient, and the word lists that surrogates are drawn from."""

from __future__ import annotations

import hmac
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TypeVar

T = TypeVar("T")

COMMON = "ABCDFGHJKLMNPRSTW"
"""First letters with names enough in every list; an initial becomes another of these."""


class Draw:
    """Answers questions about one patient by HMAC-SHA256: the same question, the same answer, anywhere.

    Attributes:
        salt: How many earlier answers to these questions were refused.
        days: The patient's date shift.
    """

    __slots__ = ("_key", "_letters", "_patient", "days", "salt")

    def __init__(self, key: bytes, patient: str, days: int, salt: int = 0) -> None:
        self._key = key
        self._patient = f"{len(patient)}:{patient}"  # the length first: no two patients share a message
        self._letters: dict[str, str] = {}
        self.days = days
        self.salt = salt

    def salted(self, salt: int) -> Draw:
        """Give the same patient's other answers, for when the first were refused."""
        draw = Draw(self._key, "", self.days, salt)
        draw._patient = self._patient
        return draw

    def number(self, purpose: str, value: str) -> int:
        """Give 256 bits that only this key, patient, purpose, value and salt give."""
        message = f"{self._patient}{purpose}:{self.salt}:{value}"
        return int.from_bytes(hmac.digest(self._key, message.encode("utf-8", "surrogatepass"), "sha256"), "big")

    def pick(self, pool: Sequence[T], purpose: str, value: str, *, but: object = None) -> T:
        """Choose one of a pool; never `but`, unless it is the only one."""
        at = self.number(purpose, value) % len(pool)
        return pool[at] if pool[at] != but else pool[(at + 1) % len(pool)]

    def letter(self, letter: str) -> str:
        """Give another letter, upper case: a cycle through the common letters, the rare ones sent into it.

        Names and initials share it, so that "J. Smith" agrees with "John Smith".
        """
        if not self._letters:
            cycle, number = list(COMMON), self.number("letters", "")
            for last in range(len(cycle) - 1, 0, -1):  # Fisher-Yates
                number, at = divmod(number, last + 1)
                cycle[at], cycle[last] = cycle[last], cycle[at]
            self._letters = dict(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        if letter not in self._letters:
            self._letters[letter] = self.pick(COMMON, "letter", letter)
        return self._letters[letter]


def plain(words: str) -> str:
    """Give the words as values are compared: NFKC, case-folded, single blanks, no invisible characters."""
    if words.isascii():
        return " ".join(words.lower().split())
    folded = unicodedata.normalize("NFKC", words).casefold()
    if not folded.isprintable():
        folded = "".join(one for one in folded if unicodedata.category(one) != "Cf")
    return " ".join(folded.split())


def like(model: str, words: str) -> str:
    """Write words in the case of a model: all capitals, all small, or as they are."""
    if model.isupper() and (len(model) > 1 or len(words) == 1):
        return words.upper()
    return words.lower() if model.islower() else words


@cache
def _lists() -> dict[str, str]:
    data = (resources.files("clinlp.deid") / "data" / "surrogates.toml").read_text(encoding="utf-8")
    return tomllib.loads(data)


@cache
def pool(name: str) -> tuple[str, ...]:
    """Give one list of `data/surrogates.toml`, sorted; a `;` allows blanks inside an item."""
    text = _lists()[name]
    items = text.split(";") if ";" in text else text.split()
    return tuple(sorted({item.strip() for item in items if item.strip()}))


@cache
def folded(name: str) -> frozenset[str]:
    """Give one list of `data/surrogates.toml` as a set, case-folded."""
    return frozenset(item.casefold() for item in pool(name))


@cache
def characters(name: str) -> tuple[str, ...]:
    """Give the characters of one list of `data/surrogates.toml`, sorted."""
    return tuple(sorted({one for one in _lists()[name] if not one.isspace()}))


@cache
def longest_first(name: str) -> str:
    """Write one list as an alternative of an expression, the longer first."""
    import re

    return "|".join(re.escape(item) for item in sorted(pool(name), key=lambda item: (-len(item), item)))
