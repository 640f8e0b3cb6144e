"""A text folded for comparison, with the way back to its own characters; and what is looked for in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from clinlp.deid.words import listed

HIDDEN = "\u200b"
"""What every character without a look of its own is folded to: zero-width marks, accents that stand apart."""

_LATIN = dict(zip("øØđĐłŁßæÆœŒıðÐþÞħĦ", "ooddllsaaooiddtthh", strict=True))
_NUMERALS = {"〇": "零", "○": "零"}


class Hit(NamedTuple):
    """A place where a known value stands. `is_weak` counts only beside another hit of its label."""

    start: int
    end: int
    label: str
    score: float
    is_weak: bool = False


class Form(NamedTuple):
    """One way to write a value: its letters and digits alone, and what tells a hit from an accident.

    Attributes:
        key: Folded, only letters and digits.
        check: Reads the page from `start` to `end` of `Page.compact`, with the form's `data`.
    """

    key: str
    check: Callable[[Page, int, int, str, Any], Hit | None]
    label: str
    data: Any = None


class _Fold(dict[int, str]):
    """Character -> one character of the same meaning; filled as characters come."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = folded = _fold(character)
        return folded


def _fold(character: str) -> str:
    if character in _NUMERALS or character in _LATIN:
        return _NUMERALS.get(character) or _LATIN[character]
    if unicodedata.category(character) in ("Cf", "Mn", "Me", "Mc"):
        return HIDDEN
    parts = [part for part in unicodedata.normalize("NFKD", character) if unicodedata.category(part) != "Mn"]
    plain = parts[0] if len(parts) == 1 else character
    lower = plain.lower()
    return lower if len(lower) == 1 else plain


@cache
def _table() -> _Fold:
    table = _Fold()
    for pair in listed("known_variants"):
        simple, other = pair[0], pair[1]
        table[ord(other)] = simple
    return table


@cache
def _kept() -> re.Pattern[str]:
    return re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Give the text small, narrow, without accents and in simplified characters, each in its place."""
    return text.lower() if text.isascii() else text.translate(_table())


def squeeze(text: str) -> str:
    """Give the letters and digits of the folded text."""
    return "".join(_kept().findall(fold(text)))


class Page:
    """One text, folded: `flat` has a character for each of the text, `compact` its letters and digits alone."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.flat = fold(text)
        self.compact = "".join(_kept().findall(self.flat))
        self._places: list[int] = []

    @property
    def places(self) -> list[int]:
        """Where each character of `compact` stands in the text."""
        if not self._places:
            places = self._places
            for run in _kept().finditer(self.flat):
                places.extend(range(run.start(), run.end()))
        return self._places

    def borders(self, start: int, end: int) -> tuple[int, int]:
        """Give the characters of the text that `compact[start:end]` spans."""
        return self.places[start], self.places[end - 1] + 1

    def gaps(self, start: int, end: int) -> list[tuple[int, str]]:
        """What stands between the characters of `compact[start:end]`: the place in the key, and the visible gap."""
        places, flat = self.places, self.flat
        if places[end - 1] - places[start] == end - 1 - start:
            return []
        found = []
        for at in range(start + 1, end):
            low, high = places[at - 1] + 1, places[at]
            if low < high:
                gap = flat[low:high].replace(HIDDEN, "")
                if gap:
                    found.append((at - start, gap))
        return found

    def before(self, at: int) -> str:
        """Give the visible character before `at`, folded; empty at the start of the text."""
        at -= 1
        while at >= 0 and self.flat[at] == HIDDEN:
            at -= 1
        return self.flat[at] if at >= 0 else ""

    def after(self, at: int) -> str:
        """Give the visible character from `at` on, folded; empty at the end of the text."""
        flat = self.flat
        while at < len(flat) and flat[at] == HIDDEN:
            at += 1
        return flat[at] if at < len(flat) else ""


def is_letter(character: str) -> bool:
    """Say whether the character belongs to a word of a script that sets words apart."""
    return character.isalpha() and character < "\u2e80"


def is_han(character: str) -> bool:
    """Say whether the character is a Chinese one."""
    return "\u3400" <= character <= "\u9fff" or character == "々"


def automaton_of(forms: Iterable[Form]) -> Any:
    """Build what finds all forms in one pass (Aho & Corasick 1975); None where there is no form."""
    import ahocorasick  # compiled: loaded only once something is looked for

    by_key: dict[str, list[Form]] = {}
    for form in forms:
        by_key.setdefault(form.key, []).append(form)
    if not by_key:
        return None
    automaton = ahocorasick.Automaton()
    for key, same in by_key.items():
        automaton.add_word(key, (len(key), same))
    automaton.make_automaton()
    return automaton


def search(page: Page, automaton: Any) -> Iterator[Hit]:
    """Find every form in one pass over the page."""
    if not page.compact:
        return
    for last, (length, same) in automaton.iter(page.compact):
        for form in same:
            hit = form.check(page, last + 1 - length, last + 1, form.label, form.data)
            if hit is not None:
                yield hit
