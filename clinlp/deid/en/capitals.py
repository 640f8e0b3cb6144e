"""The capitalised words of an English text, and what the word lists know of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import listed, word_set, words
from clinlp.spans import Span

FIRST, LAST, TITLE, WORD, EPONYM, STOP, WEAK, PLAIN, CITY = 1, 2, 4, 8, 16, 32, 64, 128, 256
_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶŁĻŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽΑ-ΩА-Я"


def is_numeral(word: str) -> bool:
    """Say whether the word counts the bearers of a name: Prescott III."""
    return word in _NUMERALS


def is_shortened(word: str) -> bool:
    """Say whether the word is a given name cut short, whose point ends no sentence: Wm."""
    return word in _SHORTENED


@cache
def kinds() -> dict[str, int]:
    """Give what is known of each lower-case word: bits of first name, last name, title, word, eponym, stop.

    PLAIN words are those of dictionaries, classifications and drug lists; a PLAIN word that is a name
    too is a WORD: no name without a second sign.
    """
    known: dict[str, int] = dict.fromkeys(listed("en_words"), PLAIN)
    for names, bit in (
        (listed("en_surnames"), LAST),
        (word_set("en", "last_names"), LAST),
        (listed("en_first_names"), FIRST),
        (word_set("en", "first_names"), FIRST),
        (word_set("en", "ambiguous"), WORD),
        (word_set("en", "eponyms"), EPONYM),
        (listed("en_eponyms"), EPONYM),
        (word_set("en", "brand_names"), EPONYM),
        (word_set("en", "things"), PLAIN),
        (listed("en_things"), PLAIN),
        ((word.lower() for word in words("en", "countries")), PLAIN),
        ((word.lower() for word in words("en", "states") if word.isalpha() and len(word) > 2), PLAIN),
        (word_set("en", "name_stops"), STOP | WORD),
        ((title.lower() for title in words("en", "titles")), TITLE),
        ((title.lower() for title in words("en", "weak_titles")), WEAK),
        ((degree.lower() for degree in words("en", "degrees") if degree not in word_set("en", "weak_degrees")), STOP),
    ):
        for name in names:
            known[name] = known.get(name, 0) | bit
    for name, bits in known.items():
        if bits & PLAIN and bits & (FIRST | LAST):
            known[name] = bits | WORD
    for name in listed("en_cities"):
        if " " not in name:
            known[name] = known.get(name, 0) | CITY
    return known


@cache
def _word() -> re.Pattern[str]:
    letter = r"[^\W\d_\u4e00-\u9fff]"
    return re.compile(
        rf"[{_CAPITAL}](?<![^\W\u4e00-\u9fff].){letter}*"
        rf"(?:['’`][{_CAPITAL}]{letter}*)?(?:-(?:[{_CAPITAL}]{letter}*|[a-z]{{2,5}}(?![A-Za-z-])))*"
        rf"(?![^\W\u4e00-\u9fff]|@)"
    )


_SHORTENED = frozenset(("Wm", "Chas", "Geo", "Jas", "Thos", "Robt", "Jos", "Alex", "Benj"))
_NUMERALS = frozenset(("II", "III", "IV", "JR", "SR", "Jr", "Sr"))


@cache
def _tied() -> re.Pattern[str]:
    return re.compile("['’-]")


@cache
def _shape() -> re.Pattern[str]:
    """A word of 3 to 14 letters as names are written, without the endings of medical words."""
    end = "|".join(words("en", "medical_endings"))
    return re.compile(
        rf"(?!(?:{'|'.join(words('en', 'medical_heads'))}))"
        rf"(?:Ma?c|De|Di|La|Le|Van|Fitz|[DO]['’])?[{_CAPITAL}](?!\w*(?:{end})(?!\w))[^\W\d_A-Z]{{2,16}}"
        rf"(?:-[{_CAPITAL}][^\W\d_A-Z]{{2,13}})?"
    )


@cache
def _after_eponym() -> re.Pattern[str]:
    small = "for |with |and |to |is |was |has |had |on |in |of "
    return re.compile(rf"(?:['’]s?)?[ -]+(?:((?!{small})[A-Za-z][a-z]+)[ -])?([A-Za-z]+)")


@cache
def _grade() -> re.Pattern[str]:
    return re.compile(
        r" ?[+=<>]| [IVX]+[a-cA-C]?(?![A-Za-z])| [0-9]+(?:\.[0-9]+)?(?![0-9]| ?(?:y|[MFmf]\b|d|w|mo|h))"
        r"| [A-F][0-9]?(?![A-Za-z0-9.])| [Tt]ype [IVX0-9]+[a-cA-C]?(?! ?[dD])"
    )


def _hyphenated(word: str, known: dict[str, int]) -> int:
    """Give what is known of `smith-jones`: a name where each part is one, or of Korean syllables (ji-hoon)."""
    halves = word.split("-")
    if len(halves) == 2 and all(half in word_set("en", "korean_syllables") for half in halves):
        return FIRST
    parts = [known.get(part, 0) for part in halves if part not in word_set("en", "name_particles")] or [PLAIN]
    if all(part & FIRST and not part & (WORD | STOP) for part in parts):
        return FIRST | LAST
    if all(part & (FIRST | LAST) and not part & (WORD | EPONYM) for part in parts):
        return parts[0] & (FIRST | LAST) | LAST
    is_clean = any(part & LAST and not part & (WORD | EPONYM | PLAIN | STOP) for part in parts)
    if len(halves) == 2 and is_clean and all(part & LAST and not part & (EPONYM | STOP) for part in parts):
        return LAST | WORD  # Adebayo-Finch; alone it may be a score: Young-Burgess
    if any(part & EPONYM for part in parts):
        return EPONYM | (LAST if any((part & LAST and not part & EPONYM) or not part for part in parts) else 0)
    return PLAIN if any(part & (PLAIN | STOP) for part in parts) else 0


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
        if gap in (" ", "  "):
            return True
        if gap == "\n":  # a name that a line break cuts
            return self.is_listed(at - 1) and self.is_listed(at) and bool(self.bits[at] & LAST)
        if gap in (". ", ".", ".  "):
            is_initial = self.ends[at - 1] - self.starts[at - 1] == 1 or self.word(at - 1) in _SHORTENED
            return is_initial and (gap != ".  " or bool(self.bits[at] & LAST and not self.bits[at] & WORD))
        return (
            len(gap) < 12
            and gap[:1] == " "
            and gap[-1:] in " '’-"
            and all(part in word_set("en", "name_particles") for part in _tied().sub(" ", gap).split())
        )

    def is_listed(self, at: int) -> bool:
        """Say whether the word is a listed name and nothing else."""
        return bool(self.bits[at] & (FIRST | LAST)) and not self.bits[at] & (WORD | EPONYM | STOP | TITLE)

    def is_unknown(self, at: int) -> bool:
        """Say whether no list has the word and it has the shape of a name: Abdirahman, not Cystoscopy or NexGen."""
        return not self.bits[at] & ~CITY and bool(_shape().fullmatch(self.word(at))) and not self.is_plural(at)

    def is_plural(self, at: int) -> bool:
        """Say whether the word without its last letters is a word of dictionaries."""
        word = self.word(at).lower()
        known = kinds()
        return any(
            word.endswith(end) and known.get(word[: -len(end)], 0) & PLAIN for end in ("s", "es", "d", "ed", "al")
        )

    def is_upper(self, at: int) -> bool:
        """Say whether the word is all in capitals."""
        word = self.word(at)
        return len(word) > 1 and word.isupper()

    def is_part(self, at: int, *, strong: bool) -> bool:
        """Say whether the word can continue a name; after a strong sign any unlisted word can."""
        bits = self.bits[at]
        if self.ends[at] - self.starts[at] == 1 or self.word(at) in _NUMERALS:
            return self.word(at) in _NUMERALS or self.is_initial(at)
        if self.is_upper(at) and self.word(at).lower() in word_set("en", "name_particles"):
            return self.follows(at + 1) and bool(self.bits[at + 1] & (FIRST | LAST)) and self.is_upper(at + 1)
        if bits & (STOP | TITLE) or (bits & EPONYM and self.is_class(at)):
            return False
        if bits & (FIRST | LAST):
            return not bits & WORD or strong or bool(bits & LAST)
        if bits & (WORD | EPONYM | PLAIN):
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
            if self.is_upper(stop) != is_upper and not self.is_short(at, stop):
                break
            stop += 1
        while stop - at > 1 and self.ends[stop - 1] - self.starts[stop - 1] == 1 and self.bits_after(stop):
            stop -= 1
        return stop

    def is_short(self, at: int, stop: int) -> bool:
        """Say whether a word in the other case belongs to the name: JM Keller, Prescott III."""
        return self.word(stop) in _NUMERALS or (self.ends[at] - self.starts[at] == 2 and stop == at + 1)

    def bits_after(self, stop: int) -> bool:
        """Say whether a slash or a digit follows, so that the last letter is a measure: K 4.1, M/F."""
        end = self.ends[stop - 1]
        return self.text[end : end + 1] == "/" or self.text[end + 1 : end + 2].isdigit()

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

    def is_class(self, at: int) -> bool:
        """Say whether a number, a grade or a thing follows the word: Apgar 8, Stanford B, Wells score."""
        return bool(_grade().match(self.text, self.ends[at])) or self.is_eponym(at)

    def is_named_after(self, at: int) -> bool:
        """Say whether a syndrome or a score follows at once, which full names are given to: Charles Bonnet syndrome."""
        after = _after_eponym().match(self.text, self.ends[at])
        return after is not None and (after[1] or after[2]).lower() in word_set("en", "named_nouns")

    def is_eponym(self, at: int) -> bool:
        """Say whether a disease, sign, score or instrument follows the word, or another eponym tied to it."""
        after = _after_eponym().match(self.text, self.ends[at])
        if not after:
            return False
        noun = after[2].lower()
        if not after[1]:
            return noun in word_set("en", "eponym_nouns")
        if after[1][0].isupper() and kinds().get(after[1].lower(), 0) & EPONYM and not self.bits[at] & EPONYM:
            return False  # a person, and then a score: Montoya Wells score
        return noun in word_set("en", "eponym_nouns" if after[1][0].isupper() else "score_nouns") or (
            after[1].lower() in word_set("en", "eponym_nouns")
        )
