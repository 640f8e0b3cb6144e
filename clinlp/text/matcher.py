"""Many phrases found in one pass over a text, whatever their number (Aho & Corasick 1975, via pyahocorasick)."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_NO_WORD = "\u2e80"  # from here on (Han, kana, hangul) scripts do not set words apart


class Matcher(Generic[T]):
    """Phrases, each with a value, that are looked for together.

    The automaton is built when it is first needed: about 0.1 s for 100,000 phrases. White space in a
    phrase matches any white space, line breaks included. A phrase given twice keeps its first value.

    >>> matcher = Matcher([("no", 1), ("no evidence of", 2), ("无", 3)])
    >>> matcher.find("No evidence of node. 无痛")
    [(0, 14, 2), (21, 22, 3)]
    """

    def __init__(self, phrases: Iterable[tuple[str, T]], *, ignore_case: bool = True, whole_words: bool = True) -> None:
        """Keep the phrases for later.

        Args:
            phrases: Phrase and value; empty phrases are ignored.
            ignore_case: Match capital and small letters alike.
            whole_words: Match a phrase that begins or ends in a letter or digit only where no further
                letter or digit follows on that side. Han characters have no such borders.
        """
        self._phrases: Iterable[tuple[str, T]] | None = phrases
        self._ignore_case = ignore_case
        self._whole_words = whole_words
        self._spaced = False  # whether any phrase holds white space
        self._automaton: Any = None  # stays None if there is no phrase

    def find(self, text: str) -> list[tuple[int, int, T]]:
        """Find the phrases as start, end and value: from left to right, the longest at each place, none overlapping."""
        found: list[tuple[int, int, T]] = []
        reach = 0
        for match in self.find_all(text):
            if match[0] >= reach:
                reach = match[1]
                found.append(match)
        return found

    def find_all(self, text: str) -> list[tuple[int, int, T]]:
        """Find the phrases as start, end and value, those that overlap too: by start, then the longer first."""
        if self._phrases is not None:
            self._build(self._phrases)
            self._phrases = None
        if self._automaton is None or not text:
            return []
        runs = list(_runs().finditer(text)) if self._spaced else []
        if runs:
            text = _runs().sub(" ", text)
        found = []
        last = len(text) - 1
        reach, in_order = 0, True
        for at, (length, opens, closes, value) in self._automaton.iter(self._fold(text)):
            start = at + 1 - length
            if opens and start and _in_word(text[start - 1]):
                continue
            if closes and at < last and _in_word(text[at + 1]):
                continue
            found.append((start, at + 1, value))
            in_order = in_order and start >= reach
            reach = at + 1
        if not in_order:
            found.sort(key=_place)
        return _spread(found, runs) if runs else found

    def _build(self, phrases: Iterable[tuple[str, T]]) -> None:
        import ahocorasick  # compiled: loaded only once something is looked for

        automaton = ahocorasick.Automaton()
        for phrase, value in phrases:
            key = self._fold(_runs().sub(" ", phrase))
            self._spaced = self._spaced or " " in key
            if key and key not in automaton:
                borders = (_in_word(key[0]), _in_word(key[-1])) if self._whole_words else (False, False)
                automaton.add_word(key, (len(key), *borders, value))
        if len(automaton):
            automaton.make_automaton()
            self._automaton = automaton

    def _fold(self, text: str) -> str:
        """Bring a text to the form in which it is compared, character for character."""
        text = text.replace("\n", " ").replace("\t", " ").replace("\xa0", " ")
        if not self._ignore_case:
            return text
        lower = text.lower()
        if len(lower) == len(text):
            return lower
        return "".join([low if len(low := c.lower()) == 1 else c for c in text])  # some capitals, as İ, have two


@cache
def _runs() -> re.Pattern[str]:
    return re.compile(r"\s{2,}")


def _spread(found: list[tuple[int, int, T]], runs: list[re.Match[str]]) -> list[tuple[int, int, T]]:
    """Move matches back to where they were before each run of white space became one space."""
    places, growths, growth = [], [], 0  # where in the squeezed text how much has been lost
    for run in runs:
        places.append(run.start() - growth + 1)
        growth += run.end() - run.start() - 1
        growths.append(growth)

    def back(at: int) -> int:
        before = bisect_right(places, at)
        return at + growths[before - 1] if before else at

    return [(back(start), back(end - 1) + 1, value) for start, end, value in found]


def _place(match: tuple[int, int, object]) -> tuple[int, int]:
    return match[0], -match[1]


def _in_word(character: str) -> bool:
    return character < _NO_WORD and character.isalnum()
