"""How Chinese names are read: Hanyu Pinyin without tones, in all readings of their characters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice, product
from typing import Final

from clinlp.deid.known.names import Name
from clinlp.deid.words import listed

_LONGEST: Final = 4
_MOST: Final = 8
"""Readings of a name: 乐行 has four, and few have more."""


def latin(surname: str, given: str) -> Iterator[tuple[Name, Name]]:
    """Write a Chinese name in Latin letters: Jianguo Wang, and with its syllables apart, Jian-Guo Wang.

    Longer names, those of Uyghurs and of foreigners, are no surname and given name and are left out.
    """
    if not given or len(surname + given) > _LONGEST:
        return
    for last, *called in islice(product(surname_readings(surname), *map(readings, given)), _MOST):
        yield Name((("".join(called),),), ((last,),)), Name(tuple((syllable,) for syllable in called), ((last,),))


def alike(first: str, second: str) -> bool:
    """Say whether two Chinese characters can be read alike, tones left out."""
    return not set(readings(first)).isdisjoint(readings(second))


@cache
def readings(character: str) -> tuple[str, ...]:
    """Give the readings of a character, the usual one first."""
    from pypinyin import Style, pinyin

    found = pinyin(character, style=Style.NORMAL, heteronym=True, errors="ignore")
    return tuple(dict.fromkeys(way for one in (found[0] if found else ()) for way in _spelled(one)))


def surname_readings(surname: str) -> tuple[str, ...]:
    """Give the readings of a surname, the usual one first: 单 is shan, 曾 zeng."""
    from pypinyin import Style, lazy_pinyin

    if surname in _surnames():
        return _surnames()[surname]
    return _spelled("".join(lazy_pinyin(surname, style=Style.NORMAL, errors="ignore")))


@cache
def _surnames() -> dict[str, tuple[str, ...]]:
    """Those that are read otherwise than their characters mostly are, or in two ways."""
    lines = (line.split(",") for line in listed("known_surname_readings"))
    return {surname: tuple(ways) for surname, *ways in lines}


def _spelled(reading: str) -> tuple[str, ...]:
    """Write ü as `v`, as `yu` (in passports) and as `u`."""
    return tuple(dict.fromkeys((reading, reading.replace("v", "yu"), reading.replace("v", "u"))))
