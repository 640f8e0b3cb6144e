"""Surrogates of Chinese names in Latin letters, where the record tells the characters.

王建国 and Jianguo Wang are one person: what stands for the second is how the surrogate of the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.known.columns import column_value, values, whole_names
from clinlp.deid.known.names_zh import Given, clean, parse, sides
from clinlp.deid.known.page import HIDDEN, fold
from clinlp.deid.known.readings import readings, surname_readings
from clinlp.deid.surrogates.draw import Draw, like
from clinlp.deid.surrogates.names_zh import write_han
from clinlp.note import Note

_LONGEST: Final = 4  # characters of a surname and given name; longer ones are transcribed


def chinese_names(note: Note, columns: Sequence[str]) -> tuple[Given, ...]:
    """Give the names in Chinese characters that stand in columns of a note's record, each once."""
    told = {column: list(values(column_value(note, column), PhiLabel.NAME)) for column in columns}
    names = [str(value) for several in told.values() for value in several] + list(whole_names(told))
    found = (parse(clean(name)) for value in names for name in sides(fold(value).replace(HIDDEN, ""), value)[0])
    return tuple(dict.fromkeys(name for name in found if name.given and len(name.surname + name.given) <= _LONGEST))


def write_spelled(words: str, draw: Draw, names: Sequence[Given]) -> str | None:
    """Give the reading of the surrogate of the one of the names that the words spell; none where they spell none.

    The words may be the whole name or a part of it, in any order, its syllables apart or not, or initials. None is
    given, too, where a word would be read as it was.
    """
    tokens = _latin().findall(words)
    letters = "".join(tokens)
    if not tokens or _han().search(words):
        return None
    for name in names:
        spelled, initials = _spellings(name, write_han(name.surname + name.given, draw) or "")
        new = [_written(token, spelled, initials) for token in tokens]
        is_told = any(token.lower() in spelled for token in tokens) or (letters in initials and len(letters) > 1)
        is_same = any(len(one) > 1 and one.lower() == was.lower() for one, was in zip(new, tokens, strict=True))
        if is_told and all(new) and not is_same:
            pieces = _latin().split(words)
            return "".join(piece + one for piece, one in zip(pieces, (*new, ""), strict=True))
    return None


def _written(token: str, spelled: Mapping[str, str], initials: Mapping[str, str]) -> str:
    if token.lower() in spelled:
        return like(token, spelled[token.lower()].capitalize())
    return initials.get(token, "")


def _spellings(name: Given, new: str) -> tuple[dict[str, str], dict[str, str]]:
    """Say what each reading of a name, and each row of its initials, becomes by the name that stands for it."""
    size = len(name.surname)
    syllables = [readings(one)[:1] for one in new[size:]]
    if len(new) != size + len(name.given) or not all(syllables) or not all(map(readings, name.given)):
        return {}, {}
    called, last = [ways[0] for ways in syllables], surname_readings(new[:size])[0]
    spelled: dict[str, str] = {}
    initials: dict[str, str] = {}
    for surname, *given in product(surname_readings(name.surname), *map(readings, name.given)):
        spelled.setdefault("".join(given), "".join(called))
        spelled.setdefault(surname, last)
        for way, became in zip(given, called, strict=True):
            spelled.setdefault(way, became)
        for letters, became in zip(_rows(surname, given), _rows(last, called), strict=True):
            initials.setdefault(letters, became)
        if size > 1:  # OYZY of 欧阳志远
            old, made = (_heads(each) for each in (name.surname, new[:size]))
            for letters, became in zip(_rows(old, given, old), _rows(made, called, made), strict=True):
                initials.setdefault(letters, became)
    return spelled, initials


def _heads(characters: str) -> str:
    """Give the first letter of each character as it is read."""
    return "".join(readings(one)[0][0].upper() for one in characters)


def _rows(surname: str, given: Sequence[str], heads: str = "") -> Iterator[str]:
    """Initials as people write them: WJG, JGW, JG, and each alone.

    Args:
        heads: Those of the surname, if not its first letter alone.
    """
    last, first = heads or surname[0].upper(), "".join(way[0].upper() for way in given)
    yield from (last + first, first + last, first, *first, last)


@cache
def _latin() -> re.Pattern[str]:
    return re.compile("[A-Za-z]+")


@cache
def _han() -> re.Pattern[str]:
    return re.compile("[\u3400-\u9fff]")
