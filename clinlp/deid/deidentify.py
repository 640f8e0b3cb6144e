"""Replaces the PHI of a note by tags, same-length filler, numbered placeholders or surrogates."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from clinlp.errors import UsageError
from clinlp.note import Note
from clinlp.rewrite import Edit, rewrite
from clinlp.spans import Span

if TYPE_CHECKING:  # loads what surrogates are made of
    from clinlp.deid.surrogates import Surrogates

Mode = Literal["off", "tag", "mask", "placeholder", "surrogate"]


def deidentify(note: Note, mode: Mode = "tag", *, surrogates: Surrogates | None = None) -> Note:
    """Give the note with every PHI span replaced; all span sets, `phi` included, cover the new text.

    `tag` writes `[NAME]`, `mask` writes `*` for each character but line breaks and so keeps every
    offset, `placeholder` writes `[NAME-1]`, where the same words (case and spacing aside) get the
    same number within the note, `surrogate` writes realistic words that agree in all notes of a
    patient. `off` leaves the note as it is. A span whose text already is a tag, a placeholder or
    filler stays, so such a released note passes unchanged. Only the text changes: `patient_id`, `time`
    and `fields` are the caller's (`Surrogates.patient_id` and `Surrogates.days` say what they become).

    Args:
        note: Its `phi` must be disjoint, as `find_phi` leaves it. For surrogates it needs the
            `patient_id` it came with.
        surrogates: The key of the mode `surrogate`, and how it moves dates.

    Raises:
        UsageError: The mode is not known, or is `surrogate` and there are none.
        DataError: Two PHI spans share a character.
    """
    if mode not in get_args(Mode):
        raise UsageError(f"mode needs one of {', '.join(get_args(Mode))}, got another value")
    if mode == "off":
        return note
    if mode == "surrogate":
        if surrogates is None:
            raise UsageError("mode surrogate needs surrogates with a key, got none")
        return _with_surrogates(note, surrogates)
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


def _with_surrogates(note: Note, surrogates: Surrogates) -> Note:
    edits = []
    for span, replacement in zip(note.phi, surrogates.replacements(note), strict=True):
        words = note.text[span.start : span.end]
        if words != replacement and not _replaced().fullmatch(words):
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


def is_replaced(words: str) -> bool:
    """Whether words are a tag, a placeholder or filler, as a release has them."""
    return _replaced().fullmatch(words) is not None


@lru_cache(maxsize=1)
def _replaced() -> re.Pattern[str]:
    return re.compile(r"\[[A-Z][A-Z_]*(?:-[0-9]+)?\]|[*\r\n]+")


@lru_cache(maxsize=1)
def _line() -> re.Pattern[str]:
    return re.compile(r"[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
