"""The runs that two sequences share, in order: patience anchors on long stretches, Myers between them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

Run = tuple[int, int, int]

_SMALL: Final = 64  # longest side of a stretch that needs no anchors
_GRAMS: Final = (8, 4, 2)
_MAX_EDITS: Final = 256  # of one search by Myers, whose cost is their square


def shared_runs(before: Sequence[int], after: Sequence[int]) -> list[Run]:
    """List what two sequences share as `(start in before, start in after, length)`, ascending in both.

    Longest common subsequence where the sequences are short; on long ones n-grams that stand once in
    both are taken to belong together (Cohen's patience diff), which keeps the time linear in practice.

    Source: Myers (1986), An O(ND) Difference Algorithm, Algorithmica 1.
    """
    runs: list[Run] = []
    for x, y, length in sorted(_pieces(before, after)):
        if runs and (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]) == (x, y):
            runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + length)
        else:
            runs.append((x, y, length))
    return _joined(_joined(runs, before, after, right=True), before, after, right=False)


def _joined(runs: Sequence[Run], before: Sequence[int], after: Sequence[int], *, right: bool) -> list[Run]:
    """Move a run to its neighbour where the same items stand there too, and nothing came between in `after`.

    Of `a . b .` and `X .` the last point is meant, if what follows it is the same.
    """
    made: list[Run] = []
    for x, y, length in reversed(runs) if right else runs:
        if made:
            x_next, y_next, n = made[-1]
            at = x_next - length if right else x_next + n
            touches = y + length == y_next if right else y_next + n == y
            if touches and before[at : at + length] == after[y : y + length]:
                made[-1] = (at, y, n + length) if right else (x_next, y_next, n + length)
                continue
        made.append((x, y, length))
    return made[::-1] if right else made


def _pieces(before: Sequence[int], after: Sequence[int]) -> Iterator[Run]:
    """Give the runs in any order, in pieces."""
    pending = [(0, len(before), 0, len(after))]
    while pending:
        x, x_end, y, y_end = pending.pop()
        start = x
        while x < x_end and y < y_end and before[x] == after[y]:
            x, y = x + 1, y + 1
        if x > start:
            yield start, y - (x - start), x - start
        end = x_end
        while x < x_end and y < y_end and before[x_end - 1] == after[y_end - 1]:
            x_end, y_end = x_end - 1, y_end - 1
        if x_end < end:
            yield x_end, y_end, end - x_end
        if x == x_end or y == y_end:
            continue
        anchors = _anchors(before[x:x_end], after[y:y_end]) if max(x_end - x, y_end - y) > _SMALL else []
        if not anchors:
            for i, j in _common(before[x:x_end], after[y:y_end]):
                yield x + i, y + j, 1
            continue
        at = (x, y)
        for i, j in anchors:
            yield x + i, y + j, 1
            if (x + i, y + j) != at:
                pending.append((at[0], x + i, at[1], y + j))
            at = (x + i + 1, y + j + 1)
        pending.append((at[0], x_end, at[1], y_end))


def _anchors(before: Sequence[int], after: Sequence[int]) -> list[tuple[int, int]]:
    """Pair the n-grams that stand once in both; the longest ascending chain of pairs."""
    for n in _GRAMS:
        places = _once(after, n)
        pairs = [(at, places[gram]) for gram, at in _once(before, n).items() if gram in places]
        if pairs:
            return _ascending(pairs)
    return []


def _once(items: Sequence[int], n: int) -> dict[tuple[int, ...], int]:
    """Where each n-gram stands that stands once, in order."""
    places: dict[tuple[int, ...], int] = {}
    for at, gram in enumerate(zip(*(items[k:] for k in range(n)), strict=False)):
        places[gram] = -1 if gram in places else at
    return {gram: at for gram, at in places.items() if at >= 0}


def _ascending(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep the most pairs, ascending in the first already, that ascend in the second too."""
    tails: list[int] = []  # smallest last second of a chain of each length
    owners: list[int] = []
    before: list[int] = []
    for number, (_, y) in enumerate(pairs):
        at = bisect_left(tails, y)
        before.append(owners[at - 1] if at else -1)
        tails[at : at + 1] = [y]
        owners[at : at + 1] = [number]
    chain = []
    number = owners[-1] if owners else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]


def _common(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pair the items of a longest common subsequence, or of a long one where that costs too much."""
    shared = set(before) & set(after)  # no other can be paired, and each would cost an edit
    xs, ys = ([at for at, item in enumerate(side) if item in shared] for side in (before, after))
    a, b = [before[x] for x in xs], [after[y] for y in ys]
    i = j = 0
    while i < len(a) and j < len(b):
        trace, x, y = _search(a[i:], b[j:])
        for x_paired, y_paired in _back(trace, x, y):
            yield xs[i + x_paired], ys[j + y_paired]
        i, j = i + x, j + y


def _search(a: Sequence[int], b: Sequence[int]) -> tuple[list[dict[int, int]], int, int]:
    """Go from the start as far as `_MAX_EDITS` lead; give the furthest x of each diagonal before each edit."""
    n, m = len(a), len(b)
    furthest = {1: 0}
    trace = []
    ends: list[tuple[int, int, int]] = []  # x + y, x, y after the last edit
    for edits in range(min(n + m, _MAX_EDITS) + 1):
        trace.append(furthest.copy())
        ends.clear()
        for k in range(-edits, edits + 1, 2):
            x = furthest[k + 1] if _down(furthest, k, edits) else furthest[k - 1] + 1
            y = x - k
            while x < n and y < m and a[x] == b[y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x == n and y == m:
                return trace, x, y
            if x <= n and y <= m:
                ends.append((x + y, x, y))
    _, x, y = max(ends)
    return trace, x, y


def _down(furthest: dict[int, int], k: int, edits: int) -> bool:
    """Say whether diagonal `k` is reached from the one above, by an item of the second sequence."""
    return k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])


def _back(trace: Sequence[dict[int, int]], x: int, y: int) -> Iterator[tuple[int, int]]:
    """Follow the search back from where it ended and give what was paired."""
    for edits in range(len(trace) - 1, -1, -1):
        k = x - y
        before = k + 1 if _down(trace[edits], k, edits) else k - 1
        x_before = trace[edits][before]
        y_before = x_before - before
        while x > x_before and y > y_before:
            x, y = x - 1, y - 1
            yield x, y
        x, y = x_before, y_before
