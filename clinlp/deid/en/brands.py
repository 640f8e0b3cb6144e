"""Unknown capitalised words of English notes that are brands and things rather than names, by where they stand."""

from __future__ import annotations

import re
from functools import cache

from clinlp.deid.en.capitals import Capitals


@cache
def _sentence() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"(?:^|[a-z0-9)%\]][.?!]|\n) *$"),
        re.compile(
            r"[,;:\t|(\"”—/]|['’]s |,? \(?(?:is|was|has|had|says|said|here|needs|wants|called|came|did)(?![a-z])"
        ),
        re.compile(
            r"(?: (?:a|an|no|non|any|vs|per|mg|mL|start|started|takes|took|taking|use|used|using|with old)|[+]) $"
        ),
    )


def is_brand(caps: Capitals, at: int) -> bool:
    """Say whether an unknown word starts a sentence and nothing, or stands where drugs and things do."""
    low, high = caps.starts[at], caps.ends[at]
    start, after, thing = _sentence()
    before = caps.text[max(0, low - 10) : low]
    if thing.search(before):
        return True
    is_first = low == 0 or start.search(before) is not None
    return is_first and not after.match(caps.text, high) and not _abbreviated().search(before)


@cache
def _abbreviated() -> re.Pattern[str]:
    return re.compile(r"(?:^|[ (\"])[A-Z][a-z]{1,4}\. $")
