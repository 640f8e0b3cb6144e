"""The capitalised words of an English text, and what the word lists know of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import listed, word_set, words
from clinlp.spans import Span

FIRST, LAST, TITLE, WORD, EPONYM, STOP, WEAK = 1, 2, 4, 8, 16, 32, 64
_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶŁĻŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽΑ-ΩА-Я"


@cache
def kinds() -> dict[str, int]:
    """Give what is known of each lower-case word: bits of first name, last name, title, word, eponym, stop."""
    known: dict[str, int] = {}
    for names, bit in (
        (listed("en_surnames"), LAST),
        (listed("en_first_names"), FIRST),
        (word_set("en", "first_names"), FIRST),
        (word_set("en", "ambiguous"), WORD),
        (word_set("en", "eponyms"), EPONYM),
        (word_set("en", "name_stops"), STOP | WORD),
        ((title.lower() for title in words("en", "titles")), TITLE),
        ((title.lower() for title in words("en", "weak_titles")), WEAK),
        ((degree.lower() for degree in words("en", "degrees") if degree not in word_set("en", "weak_degrees")), STOP),
    ):
        for name in names:
            known[name] = known.get(name, 0) | bit
    return known


@cache
def _word() -> re.Pattern[str]:
    return re.compile(
        rf"[{_CAPITAL}](?<![^\W\u4e00-\u9fff].)[^\W\d_\u4e00-\u9fff]*"
        rf"(?:['’`][{_CAPITAL}][^\W\d_\u4e00-\u9fff]*)?(?:-[{_CAPITAL}][^\W\d_\u4e00-\u9fff]*)*(?![^\W\u4e00-\u9fff]|@)"
    )


@cache
def _after_eponym() -> re.Pattern[str]:
    return re.compile(r"(?:['’]s?)?[ -]+(?:[A-Z][a-z]+[ -])?([A-Za-z]+)")


def _hyphenated(word: str, known: dict[str, int]) -> int:
    """Give what is known of `smith-jones`: a name where each part is one."""
    parts = [known.get(part, 0) for part in word.split("-")]
    if all(part & (FIRST | LAST) and not part & (WORD | EPONYM) for part in parts):
        return parts[0] & (FIRST | LAST) | LAST
    return EPONYM if any(part & EPONYM for part in parts) else 0


class Capitals:
    """The capitalised words of one text, with what is known of each, and how they run on as names."""

    def __init__(self, text: str) -> None:
        self.text = text
        known = kinds()
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.bits: list[int] = []
        for match in _word().finditer(text):
            word = match[0]
            lower = word.lower()
            bits = known.get(lower)
            if bits is None:
                bits = _hyphenated(lower, known) if "-" in lower else 0
                if "'" in lower or "’" in lower:
                    bits |= LAST
            self.starts.append(match.start())
            self.ends.append(match.end())
            self.bits.append(bits)

    def word(self, at: int) -> str:
        """Give the word `at`."""
        return self.text[self.starts[at] : self.ends[at]]

    def follows(self, at: int) -> bool:
        """Say whether the word `at` stands right after the word before it, on the same line."""
        if not 0 < at < len(self.starts):
            return False
        gap = self.text[self.ends[at - 1] : self.starts[at]]
        if gap in (" ", "  ", "\u00a0"):
            return True
        if gap in (". ", ".", ".  "):
            is_initial = self.ends[at - 1] - self.starts[at - 1] == 1
            return is_initial and (gap != ".  " or bool(self.bits[at] & LAST and not self.bits[at] & WORD))
        return (
            len(gap) < 12
            and gap[:1] == " "
            and gap[-1:] in " '’"
            and all(part in word_set("en", "name_particles") for part in gap.replace("'", " ").split())
        )

    def is_upper(self, at: int) -> bool:
        """Say whether the word is all in capitals."""
        word = self.word(at)
        return len(word) > 1 and word.isupper()

    def is_part(self, at: int, *, strong: bool) -> bool:
        """Say whether the word can continue a name; after a strong sign any unlisted word can."""
        if self.ends[at] - self.starts[at] == 1:
            return self.is_initial(at)
        bits = self.bits[at]
        if bits & (STOP | TITLE):
            return False
        if bits & (FIRST | LAST):
            return not bits & WORD or strong or bool(bits & LAST)
        if bits & (WORD | EPONYM):
            return strong and bool(bits & EPONYM)
        return strong or not self.is_upper(at)

    def is_initial(self, at: int) -> bool:
        """Say whether one letter is an initial, and not the article or pronoun that starts a sentence."""
        if self.word(at) not in "AI" or self.text[self.ends[at] : self.ends[at] + 1] in (".", ","):
            return True
        return self.follows(at + 1) and bool(self.bits[at + 1] & LAST or self.word(at + 1) in word_set("en", "degrees"))

    def run(self, at: int, *, strong: bool, limit: int = 4) -> int:
        """Give the index after the last part of the name that starts at `at`."""
        stop = at + 1
        is_upper = self.is_upper(at)
        while stop - at < limit and self.follows(stop) and self.is_part(stop, strong=strong):
            if self.is_upper(stop) != is_upper and self.ends[stop] - self.starts[stop] > 3:
                break
            stop += 1
        return stop

    def span(self, at: int, stop: int, score: float) -> Span:
        """Make the words from `at` to before `stop` a name, with the point of a last initial."""
        end = self.ends[stop - 1]
        if end - self.starts[stop - 1] == 1 and self.text[end : end + 1] == "." and stop - at > 1:
            end += 1
        return Span(self.starts[at], end, PhiLabel.NAME.value, score)

    def at(self, position: int) -> int:
        """Give the index of the first word that starts at or after a position."""
        return bisect_left(self.starts, position)

    def is_heading(self, at: int) -> bool:
        """Say whether a word in capitals stands in a run of capitals that ends in a colon."""
        stop = at + 1
        while stop - at < 8 and self.follows(stop) and self.is_upper(stop):
            stop += 1
        return self.text[self.ends[stop - 1] : self.ends[stop - 1] + 1] == ":"

    def is_thing(self, at: int) -> bool:
        """Say whether an article or a shape before the word makes it an instrument: a curved Kelly."""
        low = self.starts[at]
        before = self.text[max(0, low - 14) : low].split(" ")
        return (
            len(before) > 1
            and not before[-1]
            and before[-2].lower().rpartition("-")[2] in word_set("en", "before_things")
        )

    def is_eponym(self, at: int) -> bool:
        """Say whether a disease, sign or instrument follows the word, or another eponym is tied to it."""
        after = _after_eponym().match(self.text, self.ends[at])
        return bool(after and after[1].lower() in word_set("en", "eponym_nouns"))
