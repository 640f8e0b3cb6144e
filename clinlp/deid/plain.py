"""The text that rules read: without hidden characters and broken words, with the way back to its offsets.

Only for matching: spans always point into the text as it came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from clinlp.spans import Span

_MARKS = "\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\u0300-\u036f"


@cache
def _marked() -> re.Pattern[str]:
    return re.compile(f"[{_MARKS}]")


@cache
def _hidden() -> re.Pattern[str]:
    """Soft hyphens, zero-width and direction marks, combining accents, and word breaks at a line's end."""
    return re.compile(rf"[{_MARKS}]+|(?<=[A-Za-z])-\n(?=[a-z])|(?<=[0-9]-)\n(?=[0-9])")


_BLANKS = dict.fromkeys((160, *range(8192, 8203), 8239, 8287, 12288), " ")
_BLANKS |= {0x2010: "-", 0x2011: "-"}


@cache
def _odd() -> re.Pattern[str]:
    return re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000\u2010\u2011]")


def plain(text: str) -> tuple[str, Sequence[int] | None]:
    """Give the text without hidden characters, and the place of each of its characters in `text`.

    Blanks and hyphens of other widths become the common ones. The places are None where nothing
    was taken out, which is nearly always: then the offsets are the same.
    """
    if not text.isascii() and _odd().search(text):
        text = text.translate(_BLANKS)
    if "-\n" not in text and (text.isascii() or not _marked().search(text)):
        return text, None
    kept: list[str] = []
    places: list[int] = []
    at = 0
    for match in _hidden().finditer(text):
        kept.append(text[at : match.start()])
        places.extend(range(at, match.start()))
        at = match.end()
    kept.append(text[at:])
    places.extend(range(at, len(text)))
    return "".join(kept), places


def original(spans: list[Span], places: Sequence[int] | None) -> list[Span]:
    """Move spans of a plain text back to the text that it was made from."""
    if places is None:
        return spans
    return [replace(span, start=places[span.start], end=places[span.end - 1] + 1) for span in spans]
