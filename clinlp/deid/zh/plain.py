"""The text that the Chinese rules read: simplified characters, nothing hidden, with the way back to its offsets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from clinlp.deid.plain import plain
from clinlp.deid.words import listed


@cache
def _simple() -> dict[int, str]:
    return {ord(pair[0]): pair[1] for pair in listed("zh_traditional")}


@cache
def _odd() -> re.Pattern[str]:
    """What a text needs to be rewritten for: hidden marks, odd blanks and hyphens, traditional characters."""
    hidden = (
        "\u00a0\u00ad\u034f\u180e\u2000-\u2011\u202a-\u202f\u205f-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\u0300-\u036f"
    )
    return re.compile(f"[{hidden}{''.join(map(chr, sorted(_simple())))}]")


@lru_cache(maxsize=1)  # names and places read the same text, one after the other
def plain_zh(text: str) -> tuple[str, Sequence[int] | None]:
    """Give the text as `plain` does, in simplified characters; the text itself where nothing is to be done."""
    found = _odd().search(text)
    if found is None:
        return text, None
    if found[0] < "\u2e80":
        text, places = plain(text)
        return text.translate(_simple()), places
    text = text.translate(_simple())
    return plain(text)
