"""Parts of words that survive in what was written in their place: masks with holes, cut words, moved words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MASKS: Final = frozenset("*•●■□▇█＊")
"""Filler that is hardly ever part of a surrogate."""

HIDDEN: Final = "\0"
"""Stands for each character that cannot be the original's."""

_FILLERS: Final = MASKS | frozenset("#_×＃＿")


def lost_parts(old: str, new: str, *elsewhere: str) -> list[tuple[int, int]]:
    """Give what is lost where `new` stands for `old`: all but what shows at the borders or through a mask.

    Args:
        elsewhere: What is new close by, where words may have gone.
    """
    masked = _masked(new)
    if len(old) == len(new) and any(m and a != b for a, b, m in zip(old, new, masked, strict=True)):
        kept = [a == b and a.isalnum() and not m for a, b, m in zip(old, new, masked, strict=True)]
    else:
        head = _shared_head(old, new)
        tail = _shared_head(old[head:][::-1], new[head:][::-1])
        kept = [at < head or at >= len(old) - tail for at in range(len(old))]
    kept = [k or moved for k, moved in zip(kept, _moved(old, " ".join((new, *elsewhere))), strict=True)]
    lost, at = [], 0
    while at < len(old):
        end = at + 1
        while end < len(old) and kept[end] == kept[at]:
            end += 1
        stripped = old[at:end].strip()
        if stripped and not kept[at]:
            start = at + old[at:end].index(stripped)
            lost.append((start, start + len(stripped)))
        at = end
    return lost


def _masked(text: str) -> list[bool]:
    """Mark filler; an x is one where another stands beside it."""
    flags = [character in _FILLERS for character in text]
    for match in _crosses().finditer(text):
        flags[match.start() : match.end()] = [True] * len(match.group())
    return flags


def _shared_head(old: str, new: str) -> int:
    """Count the first characters that survive of a word that was cut: `138****5678`, `[NAME]son`.

    What follows must be no letter, digit or space, or the likeness of two words would count.
    """
    n = 0
    while n < min(len(old), len(new)) and old[n] == new[n]:
        n += 1
    while n:
        n_letters = sum(map(str.isalnum, old[:n]))
        follows = new[n] if n < len(new) else ""
        if not n_letters or (
            not (follows.isalnum() and not _masked(new[n : n + 2])[0])
            and not follows.isspace()
            and (n_letters > 1 or follows == HIDDEN or follows in _FILLERS)
        ):
            return n
        n -= 1
    return 0


def _moved(old: str, shown: str) -> list[bool]:
    """Mark words of three characters or more that survive in another order."""
    flags = [False] * len(old)
    there = {match.group() for match in _long_word().finditer(shown)}
    if there:
        for match in _long_word().finditer(old):
            if match.group() in there:
                flags[match.start() : match.end()] = [True] * len(match.group())
    return flags


@lru_cache(maxsize=1)
def _crosses() -> re.Pattern[str]:
    return re.compile(r"[xX]{2,}")


@lru_cache(maxsize=1)
def _long_word() -> re.Pattern[str]:
    return re.compile(r"[^\W_\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]{3,}")
