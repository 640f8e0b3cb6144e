"""Names of people in English notes: titles, degrees, fields, and listed names with their context.

A listed name alone proves little (May, Will, Foley), so each rule asks for a second sign: a title, a
degree, a field, a role, a second listed name. A name found once is then found everywhere in the note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.capitals_en import EPONYM, FIRST, LAST, STOP, TITLE, WEAK, WORD, Capitals, kinds
from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, word_set, words
from clinlp.spans import Span

_MAX_PARTS = 5


def find(text: str) -> list[Span]:
    """Find the names of people in English text."""
    return _Names(text).find()


class _Names(Capitals):
    """The rules over the capitalised words of one text."""

    def find(self) -> list[Span]:
        spans = [
            *self.fields(),
            *self.degrees(),
            *self.lower_titles(),
            *self.lower_roles(),
            *self.closings(),
            *self.introduced(),
        ]
        spans += self.running()
        spans += self.again(spans)
        return spans

    # --- strong signs -------------------------------------------------------------------------

    def fields(self) -> Iterator[Span]:
        """Names after `Attending:` and its kind, in capitals or not."""
        text, known = self.text, word_set("en", "fields")
        at = text.find(":")
        while at >= 0:
            key = _key(text, at)
            if key is not None and _is_field(key, known):
                yield from self.values(at + 1)
            at = text.find(":", at + 1)

    def values(self, position: int) -> Iterator[Span]:
        """The names of a field's value: one, or a list."""
        text = self.text
        for _ in range(_MAX_PARTS):
            lead = _lead().match(text, position)
            position = lead.end() if lead else position
            at = self.at(position)
            if at == len(self.starts) or self.starts[at] != position:
                lower = _lower_name().match(text, position)
                if (
                    lower
                    and lower[1] not in word_set("en", "not_field_names")
                    and not kinds().get(lower[1], 0) & (STOP | WORD)
                ) and all(kinds().get(part, 0) & (FIRST | LAST) for part in lower[0].split()):
                    yield Span(lower.start(), lower.end(), PhiLabel.NAME.value, 0.75)
                return
            if not self.can_start(at):
                return
            stop = self.run(at, strong=True)
            last, comma = self.comma_first(at, stop)
            if comma:
                stop = last
            if stop - at == 1 and not self.is_single(at, stop):
                return
            yield self.span(at, stop, 0.9)
            more = _more().match(text, self.ends[stop - 1])
            if not more:
                return
            position = more.end()

    def can_start(self, at: int) -> bool:
        bits = self.bits[at]
        if bits & (STOP | TITLE) or self.word(at).lower() in word_set("en", "not_field_names"):
            return False
        if bits & WORD and not bits & FIRST and not (self.follows(at + 1) and self.bits[at + 1] & (FIRST | LAST)):
            return bool(bits & LAST) and self.comma_first(at, at + 1)[1]
        return True

    def is_single(self, at: int, stop: int) -> bool:
        """Say whether one word after a field is a name: listed, or all there is on the line."""
        bits = self.bits[at]
        if bits & (FIRST | LAST) and not bits & WORD:
            return True
        after = self.text[self.ends[stop - 1] : self.ends[stop - 1] + 2].lstrip(" ")
        return (
            not bits & (WORD | EPONYM)
            and after[:1] in ("", "\n", ",", ".", ";")
            and self.ends[at] - self.starts[at] > 2
            and not self.is_upper(at)
        )

    def comma_first(self, at: int, stop: int) -> tuple[int, bool]:
        """Read `Last, First M.`: the index after it, and whether it is one."""
        if stop >= len(self.starts) or self.text[self.ends[stop - 1] : self.starts[stop]] not in (", ", ","):
            return stop, False
        bits = self.bits[stop]
        if not bits & FIRST or bits & STOP or not (self.bits[at] & LAST or not self.bits[at]):
            return stop, False
        return self.run(stop, strong=False, limit=3), True

    def degrees(self) -> Iterator[Span]:
        """Names before `, MD` and its kind."""
        for match in _degree().finditer(self.text):
            at = self.at(match.start()) - 1
            if at < 0 or not _before_degree().fullmatch(self.text, self.ends[at], match.start()):
                continue
            stop = at + 1
            weak = match[0].replace(".", "") in word_set("en", "weak_degrees")
            if not self.is_part(at, strong=not weak) or (self.is_upper(at) and self.bits[at] & WORD):
                continue
            while (
                at > 0
                and stop - at < 4
                and self.follows(at)
                and self.is_part(at - 1, strong=not weak)
                and self.is_upper(at - 1) == self.is_upper(stop - 1)
            ):
                at -= 1
            while at > 0 and self.ends[at - 1] - self.starts[at - 1] == 1 and self.follows(at) and stop - at < 4:
                at -= 1
            listed_parts = sum(1 for i in range(at, stop) if self.bits[i] & (FIRST | LAST))
            if listed_parts == 0 and (weak or stop - at < 2):
                continue
            if stop - at == 1 and (weak or self.bits[at] & (WORD | EPONYM)):
                continue
            yield self.span(at, stop, 0.9)

    def is_listed_on(self, at: int) -> bool:
        """Say whether the word goes on with a list of names: `Drs. Ahmed and Kapoor`."""
        more = _more().match(self.text, self.ends[at - 1])
        return more is not None and more.end() == self.starts[at] and self.is_part(at, strong=True)

    def lower_titles(self) -> Iterator[Span]:
        """Names after a title in small letters: dr. patel, ms. anna Lind."""
        known = kinds()
        for match in _lower_title().finditer(self.text):
            if known.get(match[1].lower(), 0) & STOP:
                continue
            last = match[2]
            is_pair = last and known.get(match[1].lower(), 0) & FIRST and not known.get(last.lower(), 0) & (WORD | STOP)
            yield Span(match.start(1), match.end(2) if is_pair else match.end(1), PhiLabel.NAME.value, 0.8)

    def introduced(self) -> Iterator[Span]:
        """Names after `my name is`, `maiden name is`, `I'm`, `this is`."""
        for match in _introduction().finditer(self.text):
            lead = _lead().match(self.text, match.end())
            at = self.at(lead.end() if lead else match.end())
            if at == len(self.starts) or self.starts[at] != (lead.end() if lead else match.end()):
                continue
            if self.bits[at] & (STOP | TITLE):
                continue
            stop = self.run(at, strong=True, limit=3)
            is_said = "name" in match[0] or "call" in match[0]
            if is_said or (self.bits[at] & (FIRST | LAST) and not self.bits[at] & (WORD | EPONYM)):
                yield self.span(at, stop, 0.75)

    def lower_roles(self) -> Iterator[Span]:
        """Listed names in small letters after `pt`, `wife` and their kind: pt john smith."""
        known = kinds()
        for match in _lower_role().finditer(self.text):
            first, last = known.get(match[1], 0), known.get(match[2] or "", 0)
            is_pair = first & FIRST and last & LAST and not (first | last) & STOP and not (first & WORD and last & WORD)
            if is_pair and (not last & WORD or match[2] in word_set("en", "common_last_names")):
                yield Span(match.start(1), match.end(2), PhiLabel.NAME.value, 0.75)
            elif first & FIRST and not first & (WORD | EPONYM | STOP):
                yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.6)

    def closings(self) -> Iterator[Span]:
        """Who signs a letter: `Sincerely,` and the capitalised words after it."""
        for match in _closing().finditer(self.text):
            at = self.at(match.end())
            if at < len(self.starts) and self.starts[at] == match.end() and not self.bits[at] & (STOP | TITLE):
                yield self.span(at, self.run(at, strong=True), 0.75)

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
                stop, score = self.in_role(at)
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
        if nxt >= len(self.starts) or self.text[self.ends[at] : self.starts[nxt]] not in (" ", ". ", ".", ".  ", "  "):
            return None
        weak = bool(self.bits[at] & WEAK)
        if weak and self.text[self.ends[at] : self.starts[nxt]] != " ":
            return None
        bits = self.bits[nxt]
        if bits & STOP or self.word(nxt) == "I":
            return None
        if weak and (not bits & (FIRST | LAST) or bits & WORD):
            return None
        stop = self.run(nxt, strong=not weak)
        return nxt, stop, 0.6 if weak else 0.95

    def first_then(self, at: int) -> tuple[int, float]:
        """A listed first name with what follows it; alone only if it is no word and no eponym."""
        bits, nxt = self.bits[at], at + 1
        if self.follows(nxt) and self.text[self.ends[at]] != ".":
            score = self.pair(at, nxt)
            if score:
                return self.run(at, strong=False), score
        if self.is_upper(at):
            return at, 0.0
        last, is_comma = self.comma_first(at, nxt)
        if is_comma and bits & LAST and not bits & WORD:
            return last, 0.7
        is_tied = "-" in (
            self.text[self.ends[at] : self.ends[at] + 1],
            self.text[self.starts[at] - 1 : self.starts[at]],
        )
        is_short = self.ends[at] - self.starts[at] < 3
        if is_tied or is_short or bits & (WORD | EPONYM) or self.is_eponym(at) or self.is_thing(at):
            return at, 0.0
        return nxt, 0.55

    def pair(self, at: int, nxt: int) -> float:
        """Score a listed first name with the word after it, 0 for no name."""
        bits, other = self.bits[at], self.bits[nxt]
        if self.ends[nxt] - self.starts[nxt] == 1:
            is_middle = self.follows(nxt + 1) and self.bits[nxt + 1] & LAST and not self.bits[nxt + 1] & STOP
            return 0.85 if is_middle else 0.0
        is_listed = bool(other & (LAST | FIRST)) and not other & (STOP | TITLE)
        if self.is_upper(at):
            is_name = is_listed and not (bits | other) & WORD and self.is_upper(nxt)
            return 0.75 if is_name and not self.is_heading(at) else 0.0
        is_noun = self.word(nxt).lower() in word_set("en", "eponym_nouns")
        if is_noun or self.is_eponym(nxt) or (bits & WORD and other & WORD) or (bits & EPONYM and other & EPONYM):
            return 0.0
        if is_listed:
            return 0.7 if bits & WORD else 0.85
        return 0.0 if other or bits & (WORD | EPONYM) or self.is_upper(nxt) else 0.7

    def in_role(self, at: int) -> tuple[int, float]:
        """Any capitalised words after `patient`, `her husband`, `named`: two, or one that is listed."""
        start = self.starts[at]
        if start < 4 or self.is_upper(at) or self.ends[at] - start < 2:
            return at, 0.0
        text = self.text
        role_end = start - 1
        if text[role_end] == " " and text[role_end - 1] == ",":
            role_end -= 1
        elif text[role_end] != " " or not text[role_end - 1].isalpha():
            return at, 0.0
        low = role_end
        while low and role_end - low < 17 and text[low - 1].isalpha():
            low -= 1
        if text[low:role_end].lower() not in word_set("en", "roles"):
            return at, 0.0
        bits = self.bits[at]
        stop = self.run(at, strong=True, limit=3)
        if stop - at > 1 and not bits & WORD and not self.is_eponym(stop - 1):
            return stop, 0.75
        if bits & (FIRST | LAST) and not bits & (WORD | EPONYM) and not self.is_eponym(at):
            return at + 1, 0.65
        return at, 0.0

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
        ):
            return last, 0.8 if not self.is_upper(at) else 0.65
        if self.is_upper(at) or bits & (WORD | EPONYM):
            return at, 0.0
        if not self.is_thing(at) and _verb().match(self.text, self.ends[at]) and self.ends[at] - self.starts[at] > 3:
            return at + 1, 0.55
        return at, 0.0

    # --- the same people again ----------------------------------------------------------------

    def again(self, spans: list[Span]) -> Iterator[Span]:
        """Parts of names found on a good sign, wherever else they stand in capitals."""
        parts: set[str] = set()
        for span in spans:
            if span.score is not None and span.score >= 0.7:
                at = self.at(span.start)
                while at < len(self.starts) and self.starts[at] < span.end:
                    word = self.word(at)
                    bits = self.bits[at]
                    if len(word) > 2 and not bits & (STOP | TITLE | WORD | EPONYM):
                        parts.add(word.lower())
                    at += 1
        if not parts:
            return
        for at, start in enumerate(self.starts):
            if self.text[start : self.ends[at]].lower() in parts and not self.is_eponym(at):
                yield Span(start, self.ends[at], PhiLabel.NAME.value, 0.6)


@cache
def _lead() -> re.Pattern[str]:
    return re.compile(r"[ \t]*(?:\n[ \t]*)?(?:(?:Drs?|Mr|Mrs|Ms|Miss|Mx|Prof|Professor|Doctor|Rev|Nurse)\b\.? ?){0,2}")


@cache
def _lower_name() -> re.Pattern[str]:
    return re.compile(r"([a-z][a-z'-]+)(?: [a-z]\.?)?(?: [a-z][a-z'-]+)?")


@cache
def _more() -> re.Pattern[str]:
    degree = r"(?:,? ?(?:M\.?D\.?|D\.?O\.?|R\.?N\.?|Ph\.?D\.?|PA-?C?|NP|CRNA|FNP|ARNP|DPM|DDS))*"
    return re.compile(rf"{degree}(?:, | and |; ?| ?/ ?| & )(?=[A-Z])")


@cache
def _degree() -> re.Pattern[str]:
    return re.compile(any_of(map(re.escape, words("en", "degrees")), guard="(?<=[ ,(].)") + r"(?![\w-])")


@cache
def _before_degree() -> re.Pattern[str]:
    return re.compile(r"(?:\.?,? {1,2}|\.? ?\(|,)(?:(?:Jr|Sr|II|III|IV)\.?,? )?(?:[A-Z][A-Za-z.]{1,5}, ?){0,2}")


@cache
def _lower_title() -> re.Pattern[str]:
    return re.compile(
        r"[dm](?<![A-Za-z][dm])(?:(?<=d)r|(?<=m)rs?|(?<=m)s)\.? "
        r"((?:(?<=\. )|(?<=dr ))[a-zA-Z]['a-z-]{2,})(?: ([a-zA-Z]['a-z-]{2,}))?(?![a-z])"
    )


@cache
def _introduction() -> re.Pattern[str]:
    return re.compile(
        r"[nItTgc](?<![A-Za-z].)(?:(?<=n)ame(?:'s| is|d)|(?<=I)(?:'m| am)|(?<=[tT])his is|"
        r"(?<=g)oes by|(?<=c)all(?:s|ed)? (?:me|him|her))"
        r" (?=[A-Z]|[dm][rs])"
    )


@cache
def _lower_role() -> re.Pattern[str]:
    roles = any_of(words("en", "close_roles"), guard="(?<![A-Za-z].)")
    return re.compile(rf"{roles}(?:,|:| is| named| called)? ([a-z]{{3,}})(?: ([a-z]{{3,}})(?![A-Za-z]))?(?![A-Za-z])")


@cache
def _closing() -> re.Pattern[str]:
    closings = any_of(words("en", "closings"), guard="(?<![A-Za-z].)")
    return re.compile(rf"{closings}[,.!]?\s{{1,4}}(?=[A-Z])")


@cache
def _verb() -> re.Pattern[str]:
    return re.compile(
        r" (?:is|was|has|had|reports?|reported|denie[sd]|states?|stated|presents?|presented"
        r"|called|complain(?:s|ed)|saw|says|said"
        r"|came|returns?|returned|lives|works|underwent|recommended|agreed|wants|will|would"
        r"|informed|notified|consulted) "
    )


def _key(text: str, colon: int) -> str | None:
    """Give the words before a colon, in lower case, back to the start of the phrase."""
    low = colon
    floor = max(0, colon - 34)
    while low > floor and (text[low - 1].isalpha() or text[low - 1] in " '’-#"):
        low -= 1
    key = text[low:colon].strip(" -").lower().replace("’", "'")
    return key or None


def _is_field(key: str, known: frozenset[str]) -> bool:
    """Say whether the phrase, or its last three, two or one words, names a field of a person."""
    parts = key.split()
    return any(" ".join(parts[-n:]) in known for n in (3, 2, 1) if n <= len(parts))
