"""The stretches of a note in which a cue can reach an entity: sentences, and lists below a heading."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from clinlp.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clinlp.note import Lang
    from clinlp.spans import Span

_MAX_ITEM = 60  # characters of an item of a list that no sign marks
_COLONS = (":", "：")


class _Placed(Protocol):
    @property
    def span(self) -> Span: ...


P = TypeVar("P", bound=_Placed)


class Block(NamedTuple):
    """One sentence, or several that an entity joins, and the heading of the list that it is an item of."""

    start: int
    end: int
    heading: tuple[int, int] | None


class Blocks:
    """The blocks of one text."""

    def __init__(self, text: str, lang: Lang) -> None:
        self._text = text
        self._lang: Lang = lang

    def of(self, found: Sequence[P]) -> Iterator[tuple[Block, list[P]]]:
        """Group what is found by the block in which it lies.

        Args:
            found: By the start of their spans.
        """
        if not found:
            return
        sentences = split_sentences(self._text, self._lang)
        starts = [start for start, _ in sentences]
        headings = self._headings(sentences)
        start, end, heading = 0, -1, None
        members: list[P] = []
        for one in found:
            span = one.span
            if members and span.start < end:
                members.append(one)
            else:
                if members:
                    yield Block(start, end, heading), members
                at = bisect_right(starts, span.start) - 1
                outside = at < 0 or sentences[at][1] <= span.start  # white space between sentences
                start, end = (span.start, span.end) if outside else sentences[at]
                heading = headings.get(at)
                members = [one]
            while end < span.end:  # an entity that runs on into the next sentence joins the two
                after = bisect_right(starts, end)
                joined = after < len(starts) and starts[after] < span.end
                end = sentences[after][1] if joined else span.end
        yield Block(start, end, heading), members

    def _headings(self, sentences: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """The heading of each sentence that is an item of a list."""
        text = self._text
        if ":" not in text and "：" not in text:
            return {}
        headings: dict[int, tuple[int, int]] = {}
        heading: tuple[int, int] | None = None
        before = sentences[0]
        for at, sentence in enumerate(sentences[1:], 1):
            gap = text[before[1] : sentence[0]]
            if text[before[1] - 1] in _COLONS:
                heading = before
            elif _second().match(text, *sentence) and (first := _first().search(text, *before)):
                heading = before[0], first.start() + 1
            if heading is not None and not self._is_item(sentence, gap):
                heading = None
            if heading is not None:
                headings[at] = heading
            before = sentence
        return headings

    def _is_item(self, sentence: tuple[int, int], gap: str) -> bool:
        """Say whether a sentence is an item: it has a sign, or a short line to itself."""
        start, end = sentence
        if _sign().match(self._text, start, end):
            return True
        return "\n" in gap and gap.count("\n") == 1 and end - start <= _MAX_ITEM and self._text[end - 1] not in _COLONS


@cache
def _sign() -> re.Pattern[str]:
    """What marks an item of a list."""
    return re.compile(r"[-*+•·▪◦●○■□◆➢✓>–—①-⓿]|\(?(?:\d{1,2}|[A-Za-z])[.)、．）]|[（(]\d{1,2}[）)]")


@cache
def _first() -> re.Pattern[str]:
    """The first number of a list that goes on behind a colon."""
    return re.compile(r"[:：]\s{0,4}(?:[(（]?1[.、)）．]|①)")


@cache
def _second() -> re.Pattern[str]:
    return re.compile(r"[(（]?2[.、)）．]|②")
