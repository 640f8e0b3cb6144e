"""A text cut at every border of its spans, so that nested and crossing spans can be drawn as nested boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from clinlp.spans import Span


@dataclass(frozen=True, slots=True)
class Mark:
    """A span to draw: which set it is from, and its lane; lane 0 is the innermost box."""

    kind: str
    span: Span
    lane: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters `[start, end)` with the same marks throughout, the outermost first."""

    start: int
    end: int
    marks: tuple[Mark, ...]


def lay_out(spans: Iterable[tuple[str, Span]]) -> list[Mark]:
    """Give spans that share a character different lanes, the outer span the higher one.

    O(n log n): one sweep, and one heap each for the lanes in use and the lanes that are free.
    """
    marks: list[Mark] = []
    group: list[tuple[str, Span, int]] = []  # spans that hang together, with their depth from outside
    used: list[tuple[int, int]] = []
    free: list[int] = []

    def close() -> None:
        deepest = max((depth for _, _, depth in group), default=0)
        marks.extend(Mark(kind, span, deepest - depth) for kind, span, depth in group)
        group.clear()

    for kind, span in sorted(spans, key=lambda pair: (pair[1].start, -pair[1].end, pair[0], pair[1].label)):
        while used and used[0][0] <= span.start:
            heappush(free, heappop(used)[1])
        if not used:
            close()
            free.clear()
        depth = heappop(free) if free else len(used)
        heappush(used, (span.end, depth))
        group.append((kind, span, depth))
    close()
    return marks


def segments(length: int, marks: Sequence[Mark], cuts: Iterable[int] = ()) -> Iterator[Segment]:
    """Cut `[0, length)` at every border of a mark and at the given places; every character is in one segment."""
    starts = sorted(marks, key=lambda mark: mark.span.start)
    borders = sorted({0, length, *cuts, *(at for mark in marks for at in (mark.span.start, mark.span.end))})
    active: list[Mark] = []
    n_begun = 0
    for start, end in pairwise(borders):
        active = [mark for mark in active if mark.span.end > start]
        while n_begun < len(starts) and starts[n_begun].span.start == start:
            active.append(starts[n_begun])
            n_begun += 1
        active.sort(key=lambda mark: -mark.lane)
        yield Segment(start, end, tuple(active))
