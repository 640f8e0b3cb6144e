"""The last look at a text before it is released: by other means than the detectors, and fail closed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Span

MIN_CHARACTERS: Final = 4
"""Shorter strings, such as an age, are found again by chance: nobody is known by them alone."""

_FILLER = "\x00"
_MAY_STAY: Final = (PhiLabel.DATE, PhiLabel.AGE)


def check_release(original: Note, released: Note) -> None:
    """Refuse a released note in which PHI may be left.

    Two looks, both independent of the detectors: no string of the original's `phi` may stand
    anywhere in the released text, and what is left beside the replacements is searched with a few
    plain patterns for numbers, addresses and dates that nothing but PHI looks like. The id goes out with
    the text, so the strings of `phi` may not stand in it either: ids are often names of files.

    Args:
        original: With the `phi` that was replaced.
        released: What `deidentify` made of it, with `phi` over the replacements.

    Raises:
        DataError: Something is left; the error says what kind and where, never the words.
    """
    for span in survivors(original, released):
        raise DataError(
            f"note {original.note_id}: a text without its PHI needed, got {span.label} again at "
            f"[{span.start}, {span.end}) of the released text"
        )
    for label in _in_id(original, released):
        raise DataError(
            f"note {original.note_id}: an id without the note's PHI needed, for it is released too, got {label} in it; "
            "give the note another id, or its file another name"
        )
    for span in sweep(released.text, released.phi):
        raise DataError(
            f"note {original.note_id}: a text without PHI needed, got what looks like {span.label} at "
            f"[{span.start}, {span.end}) of the released text"
        )


def survivors(original: Note, released: Note) -> Iterator[Span]:
    """Find the strings of the original's PHI in a released text, as words of their own.

    Surrogates leave some ages and words such as "yesterday" as they are, for these tell nothing: what
    stands unchanged in its own place as a date or an age is no survivor.
    """
    kept = {
        original.text[old.start : old.end]
        for old, new in zip(original.phi, released.phi, strict=False)
        if old.label in _MAY_STAY and original.text[old.start : old.end] == released.text[new.start : new.end]
    }
    for words, label in phi_strings(original).items():
        if words in kept:
            continue
        for start in occurrences(words, released.text):
            yield Span(start, start + len(words), label)


def _in_id(original: Note, released: Note) -> Iterator[str]:
    """The labels of the original's PHI that stands in the released id; there a Han name of two is no chance."""
    name = released.note_id.casefold()
    for span in original.phi:
        words = original.text[span.start : span.end]
        long = len(words) >= MIN_CHARACTERS or (span.label == PhiLabel.NAME and _han_name().fullmatch(words))
        if long and not _tagged().fullmatch(words):
            yield from (span.label for _ in occurrences(words.casefold(), name))


def phi_strings(note: Note) -> dict[str, str]:
    """The distinct strings of a note's PHI that are long enough to know somebody by, with their labels."""
    found: dict[str, str] = {}
    for span in note.phi:
        words = note.text[span.start : span.end]
        if len(words) >= MIN_CHARACTERS and not _tagged().fullmatch(words):
            found.setdefault(words, span.label)
    return found


def occurrences(words: str, text: str) -> Iterator[int]:
    """Find where words stand in a text; not inside a longer Latin word or number."""
    at = text.find(words)
    while at >= 0:
        end = at + len(words)
        if not (_joined(text[at - 1 : at], words[0]) or _joined(words[-1], text[end : end + 1])):
            yield at
        at = text.find(words, at + 1)


def _joined(left: str, right: str) -> bool:
    """Whether two neighbours belong to one Latin word or one number."""
    return bool(left and right) and (left.isalnum() and right.isalnum()) and max(left, right) < "\u2e80"


def sweep(text: str, replaced: Sequence[Span]) -> Iterator[Span]:
    """Find what only PHI looks like outside the replacements: numbers of fixed form, addresses, whole dates.

    Reads the text with full-width characters made narrow and invisible ones taken out, so that a
    disguise that blinds a detector does not blind this look too.
    """
    if not _hint().search(text):
        return
    narrow, places = _plain(text, replaced)
    for pattern, label in _patterns():
        for match in pattern.finditer(narrow):
            yield Span(places[match.start()], places[match.end() - 1] + 1, label.value)


def _plain(text: str, replaced: Sequence[Span]) -> tuple[str, Sequence[int]]:
    """The text with replacements blotted out, and where each of its characters stood."""
    letters = list(text)
    for span in replaced:
        letters[span.start : span.end] = _FILLER * len(span)
    blotted = "".join(letters)
    if blotted.isascii():
        return blotted, range(len(blotted))
    if not _unseen().search(blotted):
        return blotted.translate(_narrow()), range(len(blotted))
    kept, places = [], []
    for at, letter in enumerate(blotted):
        if unicodedata.category(letter) == "Cf":
            continue
        narrow = unicodedata.normalize("NFKC", letter) if "\uff00" <= letter <= "\uffef" else letter
        kept.append(narrow if len(narrow) == 1 else letter)
        places.append(at)
    return "".join(kept), places


@lru_cache(maxsize=1)
def _unseen() -> re.Pattern[str]:
    """Characters that take no place: there are some in planes 0, 1 and 14."""
    numbers = (*range(0x20000), *range(0xE0000, 0xE1000))
    return re.compile(f"[{''.join(chr(at) for at in numbers if unicodedata.category(chr(at)) == 'Cf')}]")


@lru_cache(maxsize=1)
def _narrow() -> dict[int, str]:
    """Full-width characters made narrow, each to one."""
    narrow = {at: unicodedata.normalize("NFKC", chr(at)) for at in range(0xFF00, 0xFFF0)}
    return {at: letter for at, letter in narrow.items() if len(letter) == 1}


@lru_cache(maxsize=1)
def _tagged() -> re.Pattern[str]:
    return re.compile(r"\[[A-Z][A-Z_]*(?:-[0-9]+)?\]|[*\s]+")


@lru_cache(maxsize=1)
def _han_name() -> re.Pattern[str]:
    return re.compile(r"[\u4e00-\u9fff]{2,}")


@lru_cache(maxsize=1)
def _hint() -> re.Pattern[str]:
    """Any of the patterns has an @, a :// or two digits."""
    return re.compile(r"@|://|\d\d")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], PhiLabel], ...]:
    start, end = r"(?<![0-9A-Za-z.])", r"(?![0-9A-Za-z])"
    day, month, year = r"(?:0?[1-9]|[12][0-9]|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)[0-9]{2}"
    names = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    return (
        (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}"), PhiLabel.EMAIL),
        (re.compile(r"https?://[A-Za-z0-9]"), PhiLabel.URL),
        (re.compile(rf"{start}(?!000|666|9)[0-9]{{3}}-(?!00)[0-9]{{2}}-(?!0000)[0-9]{{4}}{end}"), PhiLabel.SSN),
        (re.compile(rf"{start}[1-9][0-9]{{5}}{year}(?:0[1-9]|1[0-2])[0-3][0-9]{{4}}[0-9Xx]{end}"), PhiLabel.ID_CARD),
        (re.compile(rf"{start}1[3-9][0-9]{{9}}{end}"), PhiLabel.PHONE),
        (re.compile(rf"\([2-9][0-9]{{2}}\) ?[2-9][0-9]{{2}}-[0-9]{{4}}{end}"), PhiLabel.PHONE),
        (re.compile(rf"{start}{year}年{month}月{day}日"), PhiLabel.DATE),
        (re.compile(rf"{start}{year}([-/]){month}\1{day}{end}"), PhiLabel.DATE),
        (re.compile(rf"{start}{month}/{day}/{year}{end}"), PhiLabel.DATE),
        (re.compile(rf"\b(?:{names})[a-z]*\.? {day}, ?{year}{end}", re.IGNORECASE), PhiLabel.DATE),
        (re.compile(rf"{start}{day} (?:{names})[a-z]* {year}{end}", re.IGNORECASE), PhiLabel.DATE),
    )
