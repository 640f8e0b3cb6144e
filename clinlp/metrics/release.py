"""What a released note removed of a gold note's PHI, from its spans or from its text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clinlp.metrics.align import Alignment, Gap, align
from clinlp.note import Note
from clinlp.spans import Span

_UNITS: Final = frozenset("年月日号时点分秒岁")
_DIGITS: Final = frozenset("〇零一二三四五六七八九十廿卅○")


def removed_from(gold: Note, released: Note) -> tuple[list[Span], Alignment]:
    """Find what the text of a released note no longer says of a gold note.

    PHI spans of the released note, where its text differs from the gold note's, are taken to lie over
    replacements. On the safe side, a gold span whose words stand anywhere in what replaced it was not
    removed. On the other hand the spaces, marks and units (`年`) in a gold span that was replaced count
    as removed, for what was written in its place may hold them too.

    Returns:
        Spans of the gold note's text, and how the two texts compare.
    """
    if gold.text == released.text:
        return [], align(gold.text, released.text)
    found = align(gold.text, released.text, released.phi)
    gone = np.zeros(len(gold.text) + 1, np.bool_)
    for span in found.removed:
        gone[span.start : span.end] = True
    wanted = np.zeros_like(gone)
    for span in gold.phi:
        wanted[span.start : span.end] = True
        if not gone[span.start : span.end].any():
            continue
        if _still_there(gold.text[span.start : span.end], span, found):
            gone[span.start : span.end] = False
            continue
        _close(gold.text, span, gone)
    for gap in found.gaps:
        _keep_spaces(gold.text, gap, found, wanted, gone)
    edges = np.flatnonzero(np.diff(gone, prepend=False))
    return [Span(int(a), int(b), "REMOVED") for a, b in edges.reshape(-1, 2)], found


def _close(text: str, span: Span, gone: NDArray[np.bool_]) -> None:
    """Take what says nothing for removed where a neighbour in the span was."""
    empty = [not gone[at] and _says_nothing(text, at) for at in range(span.start, span.end)]
    at = span.start
    for is_empty, run in groupby(empty):
        end = at + len(list(run))
        if is_empty and ((at > span.start and gone[at - 1]) or (end < span.end and gone[end])):
            gone[at:end] = True
        at = end


def _keep_spaces(text: str, gap: Gap, found: Alignment, wanted: NDArray[np.bool_], gone: NDArray[np.bool_]) -> None:
    """Give back the spaces between replaced spans, if as many stand between their replacements."""
    spaces = [match.span() for match in _space().finditer(text, gap.start, gap.end)]
    between = [slice(*space) for space in spaces if not wanted[slice(*space)].any()]
    if between and len(_space().findall(found.visible[gap.to_start : gap.to_end].strip())) >= len(between):
        for space in between:
            gone[space] = False


def _still_there(words: str, span: Span, found: Alignment) -> bool:
    """Say whether the words of a gold span stand in what replaced it.

    Within a tag they must have four letters or more, for `[BED-1]` does not leak a bed 1.
    """
    first = bisect_right(found.gaps, span.start, key=lambda gap: gap.end)
    gaps = found.gaps[first : bisect_left(found.gaps, span.end, key=lambda gap: gap.start)]
    start, end = min(gap.to_start for gap in gaps), max(gap.to_end for gap in gaps)
    sought = _plain(words)
    if not any(map(str.isalnum, sought)):
        return False
    for place in ((start, end), *(near for gap in gaps for near in gap.near)):
        region = found.released[slice(*place)]
        if _stands_in(sought.casefold(), _plain(_any_tag().sub("\0", region)).casefold()):
            return True
        if sum(map(str.isalnum, sought)) >= 4 and _stands_in(sought, _plain(region)):
            return True
    return False


def _stands_in(sought: str, region: str) -> bool:
    """Find whole words; Han characters need no border."""
    at = region.find(sought)
    while at >= 0:
        end = at + len(sought)
        if not _joined(region[at - 1 : at], sought[0]) and not _joined(sought[-1], region[end : end + 1]):
            return True
        at = region.find(sought, at + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """Say whether two neighbours are letters or digits of one word."""
    return left.isalnum() and right.isalnum() and left.isascii() and right.isascii()


def _plain(text: str) -> str:
    return " ".join(text.split())


def _says_nothing(text: str, at: int) -> bool:
    """Say whether a character tells nothing by itself: a space, a mark, or the unit of a number."""
    character = text[at]
    if character in _UNITS and at:
        return text[at - 1].isdecimal() or text[at - 1] in _DIGITS or text[at - 1].isspace()
    return not character.isalnum()


@lru_cache(maxsize=1)
def _space() -> re.Pattern[str]:
    return re.compile(r"\s+")


@lru_cache(maxsize=1)
def _any_tag() -> re.Pattern[str]:
    return re.compile(r"[\[<{【][^\[\]<>{}【】\n]{1,48}[\]>}】]")
