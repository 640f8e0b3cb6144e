"""Sections as spans over their bodies, named by canonical names, from headings in all their spellings.

A heading stands before a colon, alone on its line, or in 【】, at the start of a line or after the end of
a sentence. Under headings of a higher rank (capitals, or lines of their own) the others are sub-headings:
their sections lie inside the section above them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from clinlp.spans import Span, in_order
from clinlp.text.rules import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clinlp.note import Lang
    from clinlp.text.rules.schema import Rules

_MAX_HEADING = 60
_TOP, _SUB = 0, 1
_SPACES = " \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_TRIM_END = f"{_SPACES},，"  # a stray comma is a line break that an export lost
_TRIM = f"{_TRIM_END}:：*#"


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    end: int  # the body begins here or after white space
    label: str
    rank: int


class SectionFinder:
    """The headings of one set of rules."""

    def __init__(self, rules: Rules) -> None:
        """Prepare the headings for look-up."""
        self._labels: dict[str, str] = {}
        for label, headings in rules.sections.items():
            for heading in headings:
                self._labels[_plain(heading)] = label

    def __call__(self, text: str) -> tuple[Span, ...]:
        """Find the sections; an empty one has no span."""
        headings = _ranked(_nested(text, list(self._headings(text))))
        ends = _ends(headings, len(text))
        spans = []
        above = ""  # the label of the section that sub-headings lie in
        for i, heading in enumerate(headings):
            if heading.rank == _TOP:
                above = heading.label
            elif heading.label in ("", above):
                continue
            start, end = _trimmed(text, heading.end, ends[i])
            if start < end:
                spans.append(Span(start, end, heading.label))
        return in_order(spans)

    def _headings(self, text: str) -> Iterator[_Heading]:
        reach = 0  # a heading holds no colon, bracket or line break, so it begins after the last one
        for match in _candidate().finditer(text):
            at = match.start()
            if reach < at:
                begin = max(reach, at - _MAX_HEADING)
                colon = match[0] in (":", "：")
                heading = self._before_colon(text, begin, match) if colon else self._own_line(text, begin, match)
                if heading is not None:
                    yield heading
            reach = match.end()

    def _before_colon(self, text: str, begin: int, match: re.Match[str]) -> _Heading | None:
        """Read the heading that a colon closes: all since the last border, or the last word of it."""
        at = match.start()
        before = _border().split(text[begin:at])[-1]
        if len(before) == at - begin and begin and text[begin - 1] not in "\n\r:：】":
            return None  # no border is near
        start = _marker_end(text, at - len(before), at)
        words = text[start:at].strip()
        label = self._label(words)
        if label is None and words and words[-1] >= "\u2e80":  # "精神可 体格检查："
            start, words = at - len(before.split()[-1]), before.split()[-1]
            label = self._label(words)
        if not words or words[0].islower():
            return None
        if label is None:  # "HEENT:" ends a sub-section, whatever it is
            opens = (
                words[0].isascii()
                and words[0].isalpha()
                and text[max(0, start - 3) : start].rstrip(" ,\t")[-1:] in ".\n\r"
            )
            return _Heading(start, match.end(), "", _SUB) if opens else None
        first = _before_marker(text, start)
        alone = _rest_is_blank().match(text, match.end()) and (not first or text[first - 1] in "\n\r")
        return _Heading(first, match.end(), label, _TOP if alone or words.isupper() else _SUB)

    def _own_line(self, text: str, begin: int, match: re.Match[str]) -> _Heading | None:
        """Read a heading that has the line, or a pair of brackets, to itself."""
        at = match.start()
        if match[0] == "】":
            start = text.rfind("【", begin, at)
            label = self._label(text[start + 1 : at]) if start >= 0 else None
            return _Heading(start, match.end(), label, _TOP) if label else None
        if begin and text[begin - 1] not in "\r\n":
            return None
        start = _marker_end(text, begin, at)
        words = text[start:at].strip()
        label = self._label(words) if words and not words[0].islower() else None
        return _Heading(begin, match.end(), label, _TOP) if label else None

    def _label(self, words: str) -> str | None:
        if len(words) < 2:
            return None
        plain = _plain(words)
        return self._labels.get(plain) or self._labels.get(_bracketed().sub("", plain)) or self._of_several(plain)

    def _of_several(self, plain: str) -> str | None:
        """The first label of a heading for several sections, PMH/FHX/SHX, each of which is known."""
        if "/" not in plain:
            return None
        labels = [self._labels.get(part) for part in plain.split("/")]
        return labels[0] if all(labels) else None


def find_sections(text: str, lang: Lang) -> tuple[Span, ...]:
    r"""Find the sections of a note: spans over the bodies, labelled with canonical names.

    A section reaches from its heading, which is left out, to the next, without the white space and
    stray commas around it.

    >>> text = "HPI: Cough for 2 days.\nALLERGIES:\nNone."
    >>> [(text[span.start : span.end], span.label) for span in find_sections(text, "en")]
    [('Cough for 2 days.', 'history_of_present_illness'), ('None.', 'allergies')]
    """
    return _finder(lang)(text)


@cache
def _finder(lang: Lang) -> SectionFinder:
    return SectionFinder(load_rules(lang))


@cache
def _candidate() -> re.Pattern[str]:
    return re.compile("[:：】\n\r]|\\Z")


@cache
def _border() -> re.Pattern[str]:
    """What a heading cannot hold."""
    return re.compile(r"[\n\r.!?;,。；，！？:：】]|[ \t\u3000]{3}")


_MARKER = (
    r"[-*#•●■◆【\[]++[ \t]*+|\(?(?:\d{1,2}|[A-Z]|[IVX]{1,4})[.)、．）][ \t]*"
    r"|[（(][一二三四五六七八九十\d]{1,3}[)）][ \t]*|[一二三四五六七八九十]{1,3}[、.．][ \t]*"
)


@cache
def _marker() -> re.Pattern[str]:
    return re.compile(f"[ \\t\\u3000]*(?:{_MARKER})*")


def _marker_end(text: str, start: int, end: int) -> int:
    """Step over white space and the markers of a list or of Markdown."""
    marker = _marker().match(text, start, end)
    return marker.end() if marker else start


@cache
def _marker_at_end() -> re.Pattern[str]:
    return re.compile(f"(?:^|(?<=[\\n\\r\\s.;,。；，]))(?:{_MARKER})+\\Z")


def _before_marker(text: str, start: int) -> int:
    """Step back over the marker of a list or of Markdown."""
    if not start or text[start - 1] in "\n\r:：":
        return start
    begin = max(0, start - 12)
    marker = _marker_at_end().search(text[begin:start])
    return begin + marker.start() if marker else start


@cache
def _rest_is_blank() -> re.Pattern[str]:
    return re.compile(r"[ \t\u3000*]*(?:[\n\r]|\Z)")


@cache
def _bracketed() -> re.Pattern[str]:
    return re.compile(r"[(（\[][^)）\]]*[)）\]]?")


def _plain(heading: str) -> str:
    """A heading without case and white space, which Chinese headings are padded with."""
    return "".join(heading.lower().split()).strip("*#_-—【】[]")


def _nested(text: str, headings: list[_Heading]) -> list[_Heading]:
    """Leave out a heading that only repeats the one right above it, and put vital signs under the exam."""
    kept: list[_Heading] = []
    for heading in headings:
        above = kept[-1] if kept and not text[kept[-1].end : heading.start].strip(_TRIM) else None
        if above is None:
            kept.append(heading)
        elif (above.label, heading.label) == ("physical_exam", "vital_signs"):
            kept.append(replace(heading, rank=_SUB))
        elif above.label != heading.label:
            kept.append(heading)
    return kept


def _ranked(headings: list[_Heading]) -> list[_Heading]:
    """Put all headings on one level unless at least two stand above the others."""
    if sum(heading.rank == _TOP for heading in headings) >= 2:
        return headings
    return [replace(heading, rank=_TOP) for heading in headings if heading.label]


def _ends(headings: list[_Heading], length: int) -> list[int]:
    """Where each section ends: at the next heading, or for a top one at the next top one."""
    ends = []
    following = following_top = length
    for heading in reversed(headings):
        ends.append(following_top if heading.rank == _TOP else following)
        following = heading.start
        if heading.rank == _TOP:
            following_top = heading.start
    return ends[::-1]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    body = text[start:end]
    start += len(body) - len(body.lstrip(_TRIM))
    return start, max(start, start + len(text[start:end].rstrip(_TRIM_END)))
