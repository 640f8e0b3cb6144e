"""Names of people in English notes: titles, degrees, fields, and listed names with their context.

A listed name alone proves little (May, Will, Foley), so each rule asks for a second sign: a title, a
degree, a field, a role, a second listed name. A name found once is then found everywhere in the note.
"""

from __future__ import annotations

from collections.abc import Iterator

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en import name_forms as forms
from clinlp.deid.en.capitals import CITY, EPONYM, FIRST, LAST, STOP, TITLE, WEAK, WORD, is_numeral, is_shortened
from clinlp.deid.en.gazetteer import find_institutions
from clinlp.deid.en.names_alone import find_alone, starts_city
from clinlp.deid.en.names_beside import find_beside
from clinlp.deid.en.names_lower import find_lower
from clinlp.deid.en.names_signs import Signs
from clinlp.deid.en.names_spelled import find_spelled
from clinlp.deid.en.sites import find_sites
from clinlp.deid.patterns import narrow
from clinlp.deid.plain import original, plain
from clinlp.deid.words import listed, word_set
from clinlp.spans import Span

_AFTER_TITLE = frozenset((" ", ". ", ".", ".  ", "  ", ".\n", "\n"))


def find(text: str) -> list[Span]:
    """Find the names of people and cities in English text."""
    shown, places = plain(narrow(text))
    return original(_Names(shown).find(), places)


class _Names(Signs):
    """The rules over the capitalised words of one text."""

    def find(self) -> list[Span]:
        spans = [
            *self.fields(),
            *self.degrees(),
            *self.lower_titles(),
            *self.lower_roles(),
            *self.closings(),
            *self.introduced(),
            *self.initials(),
            *self.titled_initials(),
            *self.running(),
        ]
        spans += [*find_lower(self.text, len(self.starts)), *find_spelled(self.text)]
        spans += [*find_beside(self), *find_sites(self), *find_institutions(self)]
        spans += find_alone(self, spans)
        spans += self.again(spans)
        spans += list(self.coordinated(spans))
        return [
            self.whole(self.longer(span) if span.label == PhiLabel.NAME else span)
            for span in spans
            if not self.is_other(span)
        ]

    def coordinated(self, spans: list[Span]) -> Iterator[Span]:
        """A listed name that `and` ties to a name that is found: Stanton and Smith."""
        text = self.text
        for span in spans:
            if span.label != PhiLabel.NAME:
                continue
            for gap in (" and ", " & "):
                if text.startswith(gap, span.end):
                    at = self.at(span.end + len(gap))
                    if at < len(self.starts) and self.starts[at] == span.end + len(gap) and self.is_beside(at):
                        yield self.span(at, at + 1, 0.5)
                low = span.start - len(gap)
                if low > 0 and text.startswith(gap, low):
                    at = self.at(low) - 1
                    if at >= 0 and self.ends[at] == low and self.is_beside(at):
                        yield self.span(at, at + 1, 0.5)

    def is_beside(self, at: int) -> bool:
        """Say whether the word can be a name where a name stands beside it."""
        bits = self.bits[at]
        is_name = bits & (FIRST | LAST) and not bits & (STOP | TITLE) and not self.is_upper(at)
        return bool(is_name) and not self.is_class(at) and self.ends[at] - self.starts[at] > 2

    def whole(self, span: Span) -> Span:
        """Let a name begin at the particles before it: van der Berg."""
        low = span.start
        if span.label == PhiLabel.NAME and low > 2 and self.text[low - 1] in " -'’":
            lead = forms.particles().search(self.text, max(0, low - 14), low)
            if lead:
                return Span(lead.start(), span.end, span.label, span.score)
        return span

    # --- listed names -------------------------------------------------------------------------

    def running(self) -> Iterator[Span]:
        """Names in running text."""
        at, n = 0, len(self.starts)
        while at < n:
            bits = self.bits[at]
            stop, score = at, 0.0
            if bits & TITLE:
                title = self.titled(at)
                if title:
                    yield self.span(*title)
                    is_plural = self.word(at) == "Drs"
                    at = title[1]
                    if is_plural and at < n and self.is_listed_on(at):
                        stop = self.run(at, strong=True)
                        yield self.span(at, stop, 0.9)
                        at = stop
                    continue
            elif bits & FIRST and not bits & STOP:
                stop, score = self.first_then(at)
            if not score and not bits & (STOP | TITLE):
                stop, score = self.upper_role(at) if self.is_upper(at) else self.in_role(at)
            if not score and not bits & (EPONYM | STOP | WORD):
                stop, score = self.with_marks(at)
            if not score and bits & LAST and not bits & STOP:
                stop, score = self.last_then(at)
            if score:
                yield self.span(at, stop, score)
                at = stop
            else:
                at += 1

    def titled(self, at: int) -> tuple[int, int, float] | None:
        """The name after a title, without it."""
        nxt = at + 1
        if nxt >= len(self.starts) or self.text[self.ends[at] : self.starts[nxt]] not in _AFTER_TITLE:
            return None
        if self.is_no_title(at, nxt):
            return None
        weak = bool(self.bits[at] & WEAK)
        if weak and self.text[self.ends[at] : self.starts[nxt]] != " ":
            return None
        bits = self.bits[nxt]
        is_acting = bool(forms.verb().match(self.text, self.ends[nxt]))
        if (bits & STOP and (weak or not is_acting or self.is_upper(nxt))) or self.word(nxt) == "I":
            return None
        if weak and (not bits & (FIRST | LAST) or (bits & WORD and not is_acting)):
            return None
        stop = self.run(nxt, strong=not weak)
        return nxt, stop, 0.6 if weak else 0.95

    def first_then(self, at: int) -> tuple[int, float]:
        """A listed first name with what follows it; alone only if it is no word and no eponym."""
        bits, nxt = self.bits[at], at + 1
        if self.follows(nxt) and (self.text[self.ends[at]] != "." or is_shortened(self.word(at))):
            score = self.pair(at, nxt)
            if score:
                return self.run(at, strong=False), score
        if self.is_upper(at) or starts_city(self, at):
            return at, 0.0
        last, is_comma = self.comma_first(at, nxt)
        if is_comma and bits & LAST and not bits & WORD:
            return last, 0.7
        is_tied = "-" in (
            self.text[self.ends[at] : self.ends[at] + 1],
            self.text[self.starts[at] - 1 : self.starts[at]],
        )
        is_short = self.ends[at] - self.starts[at] < 3
        if is_tied or is_short or bits & (WORD | EPONYM) or self.is_class(at) or self.is_thing(at):
            return at, 0.0
        if bits & CITY and self.word(at).lower() in listed("en_criteria_places"):
            return at, 0.0  # within Milan
        return nxt, 0.55

    def pair(self, at: int, nxt: int) -> float:
        """Score a listed first name with the word after it, 0 for no name."""
        if self.is_upper(nxt) and self.is_upper(at) and self.is_part(nxt, strong=False) and self.follows(nxt + 1):
            nxt += self.word(nxt).lower() in word_set("en", "name_particles")
        bits, other = self.bits[at], self.bits[nxt]
        if self.ends[nxt] - self.starts[nxt] == 1:
            is_middle = self.follows(nxt + 1) and (
                (self.bits[nxt + 1] & LAST and not self.bits[nxt + 1] & STOP) or self.is_unknown(nxt + 1)
            )
            return 0.85 if is_middle else 0.0
        is_listed = bool(other & (LAST | FIRST)) and not other & (STOP | TITLE)
        if (self.is_upper(nxt) and not self.is_upper(at)) or forms.stage().fullmatch(self.word(nxt)):
            return 0.0
        if self.is_upper(at):
            is_word = other & WORD and self.word(nxt).lower() not in word_set("en", "common_last_names")
            is_name = is_listed and not bits & WORD and not is_word and self.is_upper(nxt)
            return 0.75 if is_name and not self.is_heading(at) else 0.0
        is_noun = self.word(nxt).lower() in word_set("en", "eponym_nouns")
        is_noun = is_noun and not (other & LAST and self.is_listed(at) and bits & FIRST)  # Teresa Walker
        if (
            is_noun
            or (self.is_eponym(nxt) and (not other & LAST or self.is_named_after(nxt)))
            or (bits & WORD and other & WORD)
            or (bits & EPONYM and other & EPONYM)
        ):
            return 0.0
        if is_listed:
            return 0.7 if bits & WORD else 0.85
        return self.unlisted(at, nxt)

    def unlisted(self, at: int, nxt: int) -> float:
        """Score a listed first name with a word that no list has as a name."""
        bits, other = self.bits[at], self.bits[nxt]
        if self.is_unknown(nxt) and not self.is_class(nxt):  # Taylor Mathiassen; not Will Cystoscopy
            return 0.6 if not bits & WORD or self.is_within(at) else 0.0
        return 0.0 if other or bits & (WORD | EPONYM) or self.is_upper(nxt) else 0.7

    def in_role(self, at: int) -> tuple[int, float]:
        """Any capitalised words after `patient`, `her husband`, `named`: two, or one that is listed."""
        role = self.role_before(at)
        if role not in word_set("en", "roles"):
            return at, 0.0
        bits = self.bits[at]
        stop = self.run(at, strong=True, limit=3)
        is_full = bits & (FIRST | LAST) and self.bits[stop - 1] & LAST  # two words that are names too: pt Cash Hunter
        if stop - at > 1 and (not bits & WORD or is_full) and not self.is_eponym(stop - 1):
            return stop, 0.75
        if bits & (FIRST | LAST) and not bits & (WORD | EPONYM) and not self.is_eponym(at):
            return at + 1, 0.65
        is_kin = role in word_set("en", "close_roles") and bits & FIRST and not bits & (STOP | TITLE)
        is_end = self.text[self.ends[at] : self.ends[at] + 1] in (",", ".", ";", ")", "'", "")
        if is_kin and (is_end or forms.verb().match(self.text, self.ends[at])):
            return at + 1, 0.66  # wife Opal, daughter (Temperance), mom Calliope wants
        return at, 0.0

    def role_before(self, at: int) -> str:
        """Give the word before a capitalised one, in small letters; nothing where a mark but a comma is between."""
        start, text = self.starts[at], self.text
        if start < 3 or self.is_upper(at) or self.ends[at] - start < 2:
            return ""
        end = start - 1
        if (text[end] == " " and text[end - 1] == ",") or (text[end] == "(" and text[end - 1] == " "):
            end -= 1
        elif text[end] != " " or not text[end - 1].isalpha():
            return ""
        low = end
        while low and end - low < 17 and text[low - 1].isalpha():
            low -= 1
        return text[low:end].lower()

    def with_marks(self, at: int) -> tuple[int, float]:
        """A word with letters that English words lack (Živković), with its neighbours; eponyms are listed."""
        word = self.word(at)
        if word.isascii() or self.is_upper(at) or len(word) < 3 or self.is_eponym(at) or self.is_thing(at):
            return at, 0.0
        return self.run(at, strong=False), 0.6

    def last_then(self, at: int) -> tuple[int, float]:
        """A listed last name before its first name, before a verb of a person, or after an initial."""
        bits = self.bits[at]
        if self.ends[at] - self.starts[at] < 2:
            return at, 0.0
        last, is_comma = self.comma_first(at, at + 1)
        if (
            is_comma
            and not bits & (WORD | EPONYM)
            and not self.bits[at + 1] & WORD
            and self.is_upper(at) == self.is_upper(at + 1)
            and not self.is_listing(at)
        ):
            return last, 0.8 if not self.is_upper(at) else 0.65
        if self.is_upper(at) or bits & (WORD | EPONYM):
            return at, 0.0
        if (
            not self.is_thing(at)
            and forms.verb().match(self.text, self.ends[at])
            and self.ends[at] - self.starts[at] > 3
        ):
            return at + 1, 0.55
        return at, 0.0

    # --- the same people again ----------------------------------------------------------------

    def again(self, spans: list[Span]) -> Iterator[Span]:
        """Parts of names found on a good sign, wherever else they stand in capitals."""
        parts: set[str] = set()
        for span in spans:
            if span.score is not None and span.score >= 0.7 and span.label == PhiLabel.NAME:
                at = self.at(span.start)
                while at < len(self.starts) and self.starts[at] < span.end:
                    word = self.word(at)
                    bits = self.bits[at]
                    if len(word) > 2 and not is_numeral(word) and not bits & (STOP | TITLE | WORD | EPONYM):
                        parts.add(word.lower())
                    at += 1
        if not parts:
            return
        for at, start in enumerate(self.starts):
            if self.text[start : self.ends[at]].lower() in parts and not self.is_eponym(at):
                yield Span(start, self.ends[at], PhiLabel.NAME.value, 0.6)
