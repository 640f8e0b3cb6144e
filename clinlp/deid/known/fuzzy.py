"""Misspelt names, initials, and what stands between the parts of a name that were found."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

from clinlp.deid.known.context import common, everyday, is_abbreviation, is_listed_name
from clinlp.deid.known.names import Name
from clinlp.deid.known.page import Hit, Page
from clinlp.deid.words import listed, words

_NEAR = 60
"""Characters from a full name within which its bare initials mean the person."""


@cache
def _words() -> re.Pattern[str]:
    return re.compile(r"[^\W\d_\u2e80-\U0010ffff][^\W_\u2e80-\U0010ffff]*")


def distance(first: str, second: str, limit: int) -> int:
    """Count the edits between two words: letters put in, left out, changed, neighbours swapped.

    Source: optimal string alignment, Boytsov (2011), section 2.2.

    Args:
        limit: Any distance above is given as `limit + 1`.
    """
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    older: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        new = [i]
        for j, b in enumerate(second, start=1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            new.append(cost)
        if min(new) > limit:
            return limit + 1
        older, row = row, new
    return row[-1]


def misspelt(page: Page, parts: Mapping[str, str]) -> Iterator[Hit]:
    """Find words one edit from a part of 5 letters or more, two edits from one of 9 or more.

    A word of its own (everyday, medical, drug, eponym) is never a misspelling; another name is one
    only with a capital.

    Args:
        parts: Part of a name -> label.
    """
    long = {part: label for part, label in parts.items() if len(part) >= 5}
    if not long:
        return
    found: dict[str, str] = {}
    heads = {part[0] for part in long}
    tails = {part[-1] for part in long}
    for word in set(_words().findall(page.flat)):
        if len(word) < 4 or (word[0] not in heads and word[-1] not in tails and word.isalpha()) or word in parts:
            continue
        label = _misspells(word, long)
        if label:
            found[word] = label
    if not found:
        return
    for match in _words().finditer(page.flat):
        label = found.get(match[0])
        if label and (page.text[match.start()].isupper() or match[0] not in everyday()):
            low = match.start()
            low -= 2 * (page.text[max(0, low - 2) : low] in ("O'", "O’", "D'", "D’"))
            yield Hit(low, match.end(), label, 0.7)


_MISREAD: Final = str.maketrans("013589$", "olesbgs")


def _misspells(word: str, parts: Mapping[str, str]) -> str | None:
    """Give the label of the part that the word misspells, or that a scanner misread (Sm1th)."""
    if not word.isalpha():
        letters = word.translate(_MISREAD)
        return next((label for part, label in parts.items() if distance(part, letters, 1) <= 1), None)
    if word in everyday() and not is_listed_name(word):
        return None
    for part, label in parts.items():
        limit = 2 if len(part) >= 9 else 1
        if abs(len(part) - len(word)) > limit or (part[0] != word[0] and part[-1] != word[-1]):
            continue
        if word == part + "s" or distance(part, word, limit) <= limit:
            return label
    return None


def beside(page: Page, hits: Sequence[Hit], names: Iterable[tuple[Name, str]]) -> Iterator[Hit]:
    """Find short parts (3 or 4 letters) one edit off, right beside another part of the name: Jonh Smith."""
    short = {
        "".join(token): label
        for name, label in names
        for token in name.tokens
        if len("".join(token)) >= 3 and len(name.tokens) > 1
    }
    if not short:
        return
    for hit in hits:
        for low, high in (_word_before(page, hit.start), _word_after(page, hit.end)):
            word = page.flat[low:high]
            if len(word) < 3 or not page.text[low].isupper() or common(word) or word in short:
                continue
            for part, label in short.items():
                if label == hit.label and distance(part, word, 1) == 1:
                    yield Hit(low, high, label, 0.7)
                    break


def bridges(page: Page, hits: Sequence[Hit]) -> Iterator[Hit]:
    """Find the middle initials between two parts that were found: the `Q.` of John Q. Smith."""
    ordered = sorted(hits)
    for first, second in pairwise(ordered):
        if first.label == second.label and 2 < second.start - first.end < 8:
            gap = page.text[first.end : second.start]
            if re.fullmatch(r",? (?:[A-Z]\.? ?){1,2}", gap):
                yield Hit(first.end, second.start, first.label, 0.9)


def _word_before(page: Page, at: int) -> tuple[int, int]:
    high = at
    while high > 0 and at - high < 2 and page.flat[high - 1] in " ,":
        high -= 1
    low = high
    while low > 0 and page.flat[low - 1].isalpha() and high - low < 30:
        low -= 1
    return (low, high) if high < at else (at, at)


def _word_after(page: Page, at: int) -> tuple[int, int]:
    low = at
    while low < len(page.flat) and low - at < 2 and page.flat[low] in " ,":
        low += 1
    high = low
    while high < len(page.flat) and page.flat[high].isalpha() and high - low < 30:
        high += 1
    return (low, high) if low > at else (at, at)


# --- initials -----------------------------------------------------------------------------------


@cache
def _initials() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    titles = "|".join(re.escape(title) for title in words("en", "titles"))
    letter = r"[^\W\u3400-\u9fff]"  # Chinese characters may stand right beside
    return (
        re.compile(r"(?<![\w.])(?:[A-Z]\. ?-?){1,3}[A-Z]\.?(?!\w)"),
        re.compile(rf"(?<!{letter}|[.@-])[A-Z]{{2,4}}(?!{letter}|[@-])"),
        re.compile(
            rf"(?:\b(?:{titles})\.? |(?i:\binitials?\b\W{{1,6}}(?:are |is |of )?|\b(?:patient|pt)\.?,? )"
            r"|(?:缩写|首字母|简称)(?:为|是)?[:： ]{0,3})$"
        ),
    )


def initials(page: Page, names: Iterable[tuple[Name, str]], full: Sequence[Hit]) -> Iterator[Hit]:
    """Find `J.S.`, and `JS` after a title or a role or near the full name.

    Letters with a meaning of their own in notes (MS, PT) need a title, or stand in brackets right after the name.
    """
    known = {letters: label for name, label in names for letters in _letters(name)}
    if not known:
        return
    dotted, bare, before = _initials()
    for match in dotted.finditer(page.text):
        letters = re.sub(r"[^a-z]", "", match[0].lower())
        if letters in known and letters not in listed("known_dotted"):
            yield Hit(match.start(), match.end(), known[letters], 0.7)
    starts, ends = sorted(hit.start for hit in full), sorted(hit.end for hit in full)
    found = [match for match in bare.finditer(page.text) if match[0].lower() in known]
    meant = set()  # said to be the person once, so everywhere: "Ellen Lind (EL)"
    for match in found:
        at = match.start()
        last = ends[bisect_right(ends, at) - 1] if ends and ends[0] <= at else at
        opens = 0 < at - last <= 3 and not {"(", "（"}.isdisjoint(page.text[last:at])
        if opens or before.search(page.text[max(0, at - 24) : at]):
            meant.add(match[0].lower())
    for match in found:
        letters, at = match[0].lower(), match.start()
        if letters in meant:
            yield Hit(at, match.end(), known[letters], 0.8)
        elif not is_abbreviation(letters) and _is_near(at, starts, ends):
            yield Hit(at, match.end(), known[letters], 0.6)


def _is_near(at: int, starts: Sequence[int], ends: Sequence[int]) -> bool:
    """Say whether a full name begins or ends near."""
    behind, ahead = bisect_right(ends, at) - 1, bisect_right(starts, at)
    return (behind >= 0 and at - ends[behind] <= _NEAR) or (ahead < len(starts) and starts[ahead] - at <= _NEAR)


def _letters(name: Name) -> set[str]:
    if not name.given:
        return set()
    first, last = name.given[0][0][0], name.last[-1][0][0]
    middle = "".join(token[0][0] for token in name.given[1:])
    return {first + last, first + middle + last, last + first, last + first + middle}
