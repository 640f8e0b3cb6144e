"""What of a note survives in the text that a de-identifier gave back, whatever it writes for what it took out.

The two texts are compared word by word (each Han character a word). What stands in an unchanged run
survives; what was replaced, masked or deleted was removed. Spaces, HTML escapes, full-width forms and
a change of case of the whole text are seen through and counted. A surrogate that shares words with
what it stands for lets these survive: score such a release with the spans of its own replacements,
which the notes of our releases hold.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from typing import Final, NamedTuple

from clinlp.metrics.diff import shared_runs
from clinlp.metrics.fragments import HIDDEN, MASKS, lost_parts
from clinlp.spans import Span

_HAN: Final = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_OPAQUE: Final = -1  # key of a replacement, which no word of the original has


_NEAR: Final = 3  # words between two differences that may have swapped words


class Gap(NamedTuple):
    """The characters `[start, end)` of the original gave way to `[to_start, to_end)` of the released text.

    Attributes:
        near: Where else the released text differs, a few words before and after.
    """

    start: int
    end: int
    to_start: int
    to_end: int
    near: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Alignment:
    """What was removed, and how the rest was changed without being removed.

    Attributes:
        removed: Disjoint and in order, without the spaces around them.
        gaps: Where the words differ; each lies between two words that are the same.
        released: The released text that `gaps` count in: unescaped, if it was escaped.
        visible: The same with every tag and every replacement that is known as one blanked out.
        n_kept: Characters in words of the original that survive.
        n_words: Characters in words of the original.
        n_spaces: Places between two surviving words where other spaces stand now.
        n_respelled: Surviving words with another case or width.
        n_escapes: HTML escapes that were read as what they stand for.
    """

    removed: tuple[Span, ...] = ()
    gaps: tuple[Gap, ...] = ()
    released: str = field(default="", repr=False)
    visible: str = field(default="", repr=False)
    n_kept: int = 0
    n_words: int = 0
    n_spaces: int = 0
    n_respelled: int = 0
    n_escapes: int = 0

    @property
    def kept_share(self) -> float:
        """Share of the original's characters, but spaces, that survive; near 0 if these are two different notes."""
        return self.n_kept / self.n_words if self.n_words else 1.0


def removed_spans(original: str, released: str) -> list[Span]:
    """Find what of the original does not survive in the released text; the label is `REMOVED`."""
    return list(align(original, released).removed)


def align(original: str, released: str, replaced: Sequence[Span] = ()) -> Alignment:
    """Compare a text with what became of it.

    Args:
        original: As it was.
        released: With tags, masks, surrogates or nothing in the place of what was removed.
        replaced: Spans of the released text that are known to be replacements; nothing in them survives.
    """
    n_escapes = 0
    if not replaced:
        n_escapes = len(_escape().findall(released)) - len(_escape().findall(original))
        released = unescape(released) if n_escapes > 0 else released
    if original == released:
        n_words = sum(not character.isspace() for character in original)
        return Alignment((), (), released, released, n_words, n_words, n_escapes=max(0, n_escapes))
    visible, opaque = _hide(original, released, replaced)
    words = _Words(fold=_is_recased(original, visible))
    before, after = words.of(original), words.of(visible, opaque)
    runs = shared_runs([word.key for word in before], [word.key for word in after])
    gaps = tuple(_gaps(before, after, runs, len(released)))
    removed: list[Span] = []
    for gap in gaps:
        old = original[gap.start : gap.end]
        shown = [visible[start:end].strip() for start, end in ((gap.to_start, gap.to_end), *gap.near)]
        removed += [Span(gap.start + start, gap.start + end, "REMOVED") for start, end in lost_parts(old, *shown)]
    n_words = sum(word.end - word.start for word in before)
    n_spaces, n_respelled = _changes(original, released, (before, after), runs)
    n_lost = sum(not character.isspace() for span in removed for character in original[span.start : span.end])
    return Alignment(
        tuple(removed), gaps, released, visible, n_words - n_lost, n_words, n_spaces, n_respelled, max(0, n_escapes)
    )


class _Word(NamedTuple):
    start: int
    end: int
    key: int


class _Words:
    """Cuts texts into words and numbers them; words that differ in width alone have one number."""

    def __init__(self, *, fold: bool) -> None:
        self._fold = fold
        self._numbers: dict[str, int] = {}
        self._known: dict[str, int] = {}

    def of(self, text: str, opaque: Sequence[tuple[int, int]] = ()) -> list[_Word]:
        """Give the words in order; a replacement is one word that is like no other."""
        found: list[_Word] = []
        at = 0
        for start, end in (*opaque, (len(text), len(text))):
            matches = _word().finditer(text, at, start)
            found += [_Word(match.start(), match.end(), self._number(match.group())) for match in matches]
            if start < end:
                found.append(_Word(start, end, _OPAQUE))
            at = end
        return found

    def _number(self, word: str) -> int:
        number = self._known.get(word)
        if number is None:
            form = word if word.isascii() else unicodedata.normalize("NFKC", word)
            form = form.casefold() if self._fold else form
            number = self._known[word] = self._numbers.setdefault(form, len(self._numbers))
        return number


def _hide(original: str, released: str, replaced: Sequence[Span]) -> tuple[str, list[tuple[int, int]]]:
    """Blank out tags that the original does not hold, and what is known to be a replacement."""
    found = [(span.start, span.end) for span in replaced if MASKS.isdisjoint(released[span.start : span.end])]
    tags = {match.span(): match.group() for match in _tag().finditer(released)}
    new = {tag for tag in set(tags.values()) if tag not in original}
    found += [place for place, tag in tags.items() if tag in new]
    opaque: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if opaque and start < opaque[-1][1]:
            opaque[-1] = (opaque[-1][0], max(end, opaque[-1][1]))
        elif start < end:
            opaque.append((start, end))
    parts: list[str] = []
    at = 0
    for start, end in opaque:
        parts += (released[at:start], HIDDEN * (end - start))
        at = end
    return "".join((*parts, released[at:])), opaque


def _is_recased(original: str, visible: str) -> bool:
    """Say whether the released text has lost all upper or all lower case that the original has."""
    one_case = visible == visible.lower() or visible == visible.upper()
    return one_case and original not in (original.lower(), original.upper())


def _gaps(
    before: Sequence[_Word], after: Sequence[_Word], runs: Sequence[tuple[int, int, int]], to_size: int
) -> Iterator[Gap]:
    """Give the words of the original that were not found again, and the place of what stands for them."""
    differences: list[tuple[int, int, int, int]] = []
    x = y = 0
    for x_next, y_next, length in (*runs, (len(before), len(after), 0)):
        if x < x_next or y < y_next:
            differences.append((x, x_next, y, y_next))
        x, y = x_next + length, y_next + length
    places = [
        (after[y - 1].end if y else 0, after[y_end].start if y_end < len(after) else to_size)
        for *_, y, y_end in differences
    ]
    for at, (x, x_end, *_) in enumerate(differences):
        near = [places[n] for n in (at - 1, at + 1) if 0 <= n < len(places) and _is_near(differences, at, n)]
        if x < x_end:
            yield Gap(before[x].start, before[x_end - 1].end, *places[at], tuple(near))


def _is_near(differences: Sequence[tuple[int, int, int, int]], one: int, other: int) -> bool:
    first, second = sorted((one, other))
    return differences[second][0] - differences[first][1] <= _NEAR


def _changes(
    original: str,
    released: str,
    words: tuple[Sequence[_Word], Sequence[_Word]],
    runs: Sequence[tuple[int, int, int]],
) -> tuple[int, int]:
    """Count places with other spaces, and words with another case or width, in what survives."""
    before, after = words
    n_spaces = n_respelled = 0
    for x, y, length in runs:
        first, last = before[x], before[x + length - 1]
        to_first, to_last = after[y], after[y + length - 1]
        if original[first.start : last.end] == released[to_first.start : to_last.end]:
            continue
        for n in range(length):
            one, other = before[x + n], after[y + n]
            n_respelled += original[one.start : one.end] != released[other.start : other.end]
            if n + 1 < length:
                spaces = original[one.end : before[x + n + 1].start]
                n_spaces += spaces != released[other.end : after[y + n + 1].start]
    return n_spaces, n_respelled


@lru_cache(maxsize=1)
def _word() -> re.Pattern[str]:
    return re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+|\S")


@lru_cache(maxsize=1)
def _tag() -> re.Pattern[str]:
    """Match what stands in brackets as de-identifiers write it: `[NAME-1]`, `<PERSON>`, `[**Name 3**]`, `【姓名】`."""
    inside = r"\**[^\W_][\w \-:/#.'’]{0,40}?\**"
    return re.compile(rf"\[{inside}\]|<{inside}>|\{{\{{?{inside}\}}\}}?|【{inside}】|〈{inside}〉")


@lru_cache(maxsize=1)
def _escape() -> re.Pattern[str]:
    return re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
