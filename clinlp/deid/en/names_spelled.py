"""Names that are spelled out letter by letter in English notes: T-E-O-D-O-R, "spelled k o w a l"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.spans import Span


def find_spelled(text: str) -> Iterator[Span]:
    """Find four or more letters one by one, where the note says that they spell, or has the name they spell."""
    for letters in _letters():
        for match in letters.finditer(text):
            low = match.start() - 1
            if low < 0 or not text[low].isalpha() or (low and (text[low - 1].isalnum() or text[low - 1] in "'’-")):
                low = match.start() + len(match[1])  # the gap stands before the first letter
            spelled = "".join(filter(str.isalpha, text[low : match.end()]))
            if len(spelled) > 3 and (_said().search(text, max(0, low - 30), low) or _holds_name(text, spelled)):
                yield Span(low, match.end(), PhiLabel.NAME.value, 0.8)


@cache
def _letters() -> tuple[re.Pattern[str], ...]:
    """Match from the gap before a letter on, which is quicker to look for than a letter."""
    one = "[A-Za-z]"
    return tuple(re.compile(rf"({gap}){one}{gap}{one}{gap}{one}(?:{gap}{one})*(?![\w'’])") for gap in ("-", " ", ", "))


@cache
def _said() -> re.Pattern[str]:
    return re.compile(r"(?i)\bspel(?:l(?:s|ed|ing)?|t)\b[^.;\n]*$")


def _holds_name(text: str, spelled: str) -> bool:
    """Say whether the word stands in the text as a name would: Teodor, but neither FAST nor cage."""
    name = spelled.capitalize()
    return name in text and bool(re.search(rf"(?<!\w){name}(?!\w)", text))
