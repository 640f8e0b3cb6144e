"""Strong signs of a name in English notes: fields, titles in small letters, degrees, closings."""

from __future__ import annotations

from collections.abc import Iterator

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en import name_forms as forms
from clinlp.deid.en.capitals import EPONYM, FIRST, LAST, STOP, TITLE, WORD, Capitals, kinds
from clinlp.deid.words import word_set
from clinlp.spans import Span

_MAX_PARTS = 5


class Signs(Capitals):
    """The capitalised words of one text with the rules that need no listed name."""

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
            lead = forms.lead().match(text, position)
            position = lead.end() if lead else position
            at = self.at(position)
            if at == len(self.starts) or self.starts[at] != position:
                lower = forms.lower_name().match(text, position)
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
            more = forms.more().match(text, self.ends[stop - 1])
            if not more:
                return
            position = more.end()

    def can_start(self, at: int) -> bool:
        """Say whether a name may start with the word."""
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
        if (
            self.ends[stop] - self.starts[stop] == 2
            and not self.is_upper(stop)
            and forms.figure().match(self.text, self.ends[stop])
        ):
            return stop, False  # Trevor, Li 1.4
        if not bits & FIRST or bits & STOP or not (self.bits[at] & LAST or not self.bits[at]):
            return stop, False
        return self.run(stop, strong=False, limit=3), True

    def degrees(self) -> Iterator[Span]:
        """Names before `, MD` and its kind."""
        for match in forms.degree().finditer(self.text):
            at = self.at(match.start()) - 1
            if at < 0 or not forms.before_degree().fullmatch(self.text, self.ends[at], match.start()):
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
            while at > 0 and self.is_letters(at - 1) and self.follows(at) and stop - at < 4:
                at -= 1
            listed_parts = sum(1 for i in range(at, stop) if self.bits[i] & (FIRST | LAST))
            is_told = not weak and self.text[self.ends[stop - 1] : self.ends[stop - 1] + 2] == ", "  # Larsen, RN
            if self.word(stop - 1).lower() in ("eye", "eyes"):
                continue  # Right Eye (OD)
            if listed_parts == 0 and (weak or stop - at < 2) and not (is_told and self.is_unknown(at)):
                continue
            if stop - at == 1 and (weak or self.bits[at] & (WORD | EPONYM)) and not (is_told and self.bits[at] & LAST):
                continue
            yield self.span(at, stop, 0.9)

    def upper_role(self, at: int) -> tuple[int, float]:
        """A listed name in capitals after a role in capitals: WIFE YVONNE, PT MARCUS DELACROIX."""
        start, text = self.starts[at], self.text
        if start < 3 or text[start - 1] != " " or self.ends[at] - start < 4 or not self.bits[at] & (FIRST | LAST):
            return at, 0.0
        role = text[max(0, start - 18) : start - 1].split(" ")[-1].rpartition("\n")[2]
        if not role.isupper() or role.lower() not in word_set("en", "roles") or self.is_heading(at):
            return at, 0.0
        stop = self.run(at, strong=False, limit=3)
        if self.is_listed(at) or (stop - at > 1 and self.is_listed(stop - 1) and self.bits[at] & FIRST):
            return stop, 0.7
        return at, 0.0

    def longer(self, span: Span) -> Span:
        """Take the words beside a name that no list has and that are written like names: Chiamaka Adebayo-Finch."""
        at = self.at(span.start)
        if at == len(self.starts) or self.starts[at] != span.start or self.is_upper(at):
            return span
        low, high = span.start, span.end
        if at and self.text[low - 1] == " " and self.ends[at - 1] == low - 1 and self.is_unknown(at - 1):
            low = self.starts[at - 1]
        stop = self.at(high)
        if (
            stop < len(self.starts)
            and self.starts[stop] == high + 1
            and self.text[high] == " "
            and (self.is_unknown(stop) or (self.is_listed(stop) and "-" in self.word(stop)))
            and not self.is_class(stop)
        ):
            high = self.ends[stop]
        return span if high - low == len(span) else Span(low, high, span.label, span.score)

    def is_letters(self, at: int) -> bool:
        """Say whether the word is one initial, or two written together: JM Keller."""
        size = self.ends[at] - self.starts[at]
        return size == 1 or (size == 2 and self.is_upper(at) and not self.bits[at] & (STOP | TITLE))

    def is_listed_on(self, at: int) -> bool:
        """Say whether the word goes on with a list of names: `Drs. Ahmed and Kapoor`."""
        more = forms.more().match(self.text, self.ends[at - 1])
        return more is not None and more.end() == self.starts[at] and self.is_part(at, strong=True)

    def lower_titles(self) -> Iterator[Span]:
        """Names after a title in small letters: dr. patel, ms. anna Lind."""
        known = kinds()
        for match in forms.lower_title().finditer(self.text):
            if known.get(match[1].lower(), 0) & STOP:
                continue
            last = match[2]
            is_pair = last and known.get(match[1].lower(), 0) & FIRST and not known.get(last.lower(), 0) & (WORD | STOP)
            yield Span(match.start(1), match.end(2) if is_pair else match.end(1), PhiLabel.NAME.value, 0.8)

    def introduced(self) -> Iterator[Span]:
        """Names after `my name is`, `maiden name is`, `I'm`, `this is`."""
        for match in forms.introduction().finditer(self.text):
            lead = forms.lead().match(self.text, match.end())
            at = self.at(lead.end() if lead else match.end())
            if at == len(self.starts) or self.starts[at] != (lead.end() if lead else match.end()):
                continue
            if self.bits[at] & (STOP | TITLE):
                continue
            stop = self.run(at, strong=True, limit=3)
            is_said = match[0][0] in "HD" or any(word in match[0] for word in ("name", "call", "goes"))
            if match[0][0] in "HD" and not self.bits[at] & (FIRST | LAST):
                continue
            if is_said or (self.bits[at] & (FIRST | LAST) and not self.bits[at] & (WORD | EPONYM)):
                yield self.span(at, stop, 0.75)

    def lower_roles(self) -> Iterator[Span]:
        """Listed names in small letters after `pt`, `wife` and their kind: pt john smith."""
        known = kinds()
        for match in forms.lower_role().finditer(self.text):
            first, last = known.get(match[1], 0), known.get(match[2] or "", 0)
            is_pair = first & FIRST and last & LAST and not (first | last) & STOP and not (first & WORD and last & WORD)
            if is_pair and (not last & WORD or match[2] in word_set("en", "common_last_names")):
                yield Span(match.start(1), match.end(2), PhiLabel.NAME.value, 0.75)
            elif first & FIRST and not first & (WORD | EPONYM | STOP):
                yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.6)

    def initials(self) -> Iterator[Span]:
        """Letters after the word `initials`."""
        for match in forms.initials().finditer(self.text):
            yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.8)

    def titled_initials(self) -> Iterator[Span]:
        """An initial between a title and a surname, whatever the surname: Dr. A. Hoffmann, DR. J. DAY."""
        for match in forms.titled_initial().finditer(self.text):
            yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.95)

    def closings(self) -> Iterator[Span]:
        """Who signs a letter: `Sincerely,` and the capitalised words after it."""
        for match in forms.closing().finditer(self.text):
            at = self.at(match.end())
            if at < len(self.starts) and self.starts[at] == match.end() and not self.bits[at] & (STOP | TITLE):
                yield self.span(at, self.run(at, strong=True), 0.75)

    # --- what only looks like a name ----------------------------------------------------------

    def is_other(self, span: Span) -> bool:
        """Say whether a word taken for a name is a brand or a people: Humira®, a 55-year-old Philippine woman."""
        if span.label != PhiLabel.NAME or (span.score or 0.0) > 0.75:
            return False
        if self.text[span.end : span.end + 1] in ("®", "™"):
            return True
        at = self.at(span.start)
        is_surname = at < len(self.starts) and bool(self.bits[at] & LAST)
        is_aged = self.text.startswith("old ", max(0, span.start - 4))
        return is_aged and not is_surname and bool(forms.person().match(self.text, span.end))

    def is_no_title(self, at: int, nxt: int) -> bool:
        """Say whether it is a road before a heading, or a finding: 12 Elm Dr. / Lungs: clear; mild MR. Later."""
        is_named = self.bits[nxt] & (FIRST | LAST) and not self.bits[nxt] & WORD
        if not is_named and not self.is_upper(nxt) and self.is_finding(at):
            return True
        return (
            "\n" in self.text[self.ends[at] : self.starts[nxt]]
            and self.text[self.ends[nxt] : self.ends[nxt] + 1] == ":"
        )

    def is_finding(self, at: int) -> bool:
        """Say whether it is a finding in a sentence, or the last stage of a tumour: severe MR, pT3-N0, MX."""
        if self.word(at) == "MX":
            return bool(forms.staged().search(self.text, max(0, self.starts[at] - 8), self.starts[at]))
        return self.word(at) in ("MR", "MS") and self.is_within(at)

    def is_within(self, at: int) -> bool:
        """Say whether a word in small letters stands before, so that the capital is no sentence's."""
        low = self.starts[at]
        return low > 1 and self.text[low - 1] == " " and self.text[low - 2].islower()

    def is_listing(self, at: int) -> bool:
        """Say whether it is a list of laboratory tests: ALT, AST."""
        return self.is_upper(at) and {self.word(at), self.word(at + 1)} <= _TESTS


_TESTS = frozenset(("ALT", "AST", "ALP", "GGT", "LDH", "CRP", "ESR", "BUN", "TSH", "PSA", "INR"))


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
