"""Replaces the PHI of a note by tags, same-length filler or numbered placeholders."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal, get_args

from clinlp.errors import UsageError
from clinlp.note import Note
from clinlp.rewrite import Edit, rewrite
from clinlp.spans import Span

Mode = Literal["off", "tag", "mask", "placeholder"]


def deidentify(note: Note, mode: Mode = "tag") -> Note:
    """Give the note with every PHI span replaced; all span sets, `phi` included, cover the new text.

    `tag` writes `[NAME]`, `mask` writes `*` for each character but line breaks and so keeps every
    offset, `placeholder` writes `[NAME-1]`, where the same words (case and spacing aside) get the
    same number within the note. `off` leaves the note as it is. A span whose text already is a
    replacement stays, so a released note passes unchanged.

    Args:
        note: Its `phi` must be disjoint, as `find_phi` leaves it.

    Raises:
        UsageError: The mode is not known.
        DataError: Two PHI spans share a character.
    """
    if mode not in get_args(Mode):
        raise UsageError(f"mode needs one of {', '.join(get_args(Mode))}, got another value")
    if mode == "off":
        return note
    numbers: dict[tuple[str, str], int] = {}
    counts: dict[str, int] = {}
    edits = []
    for span in note.phi:
        words = note.text[span.start : span.end]
        if _replaced().fullmatch(words):
            continue
        if mode == "mask":
            replacement = _line().sub("*", words)
        elif mode == "placeholder":
            replacement = f"[{span.label}-{_number(span, words, numbers, counts)}]"
        else:
            replacement = f"[{span.label}]"
        edits.append(Edit(span.start, span.end, replacement))
    return rewrite(note, edits)


def _number(span: Span, words: str, numbers: dict[tuple[str, str], int], counts: dict[str, int]) -> int:
    """Number the values of one label from 1, in the order of the note."""
    value = " ".join(unicodedata.normalize("NFKC", words).casefold().split())
    key = span.label, value
    if key not in numbers:
        counts[span.label] = counts.get(span.label, 0) + 1
        numbers[key] = counts[span.label]
    return numbers[key]


@lru_cache(maxsize=1)
def _replaced() -> re.Pattern[str]:
    return re.compile(r"\[[A-Z][A-Z_]*(?:-[0-9]+)?\]|[*\r\n]+")


@lru_cache(maxsize=1)
def _line() -> re.Pattern[str]:
    return re.compile(r"[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
