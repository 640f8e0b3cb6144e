"""Names that a role announces in an odd form: set apart by blanks, cut by a line end, a surname alone, a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, word_set, words
from clinlp.deid.zh.names_prose import after_role, role_ends
from clinlp.deid.zh.names_score import HAN, everyday, follows, is_han, looks, never, odds
from clinlp.spans import Span

_BLANK = "[ \\u3000]"


def find_apart(text: str) -> Iterator[Span]:
    """Find names whose form is odd."""
    yield from _spaced(text)
    yield from _alone(text)
    yield from _after_sure(text)


@cache
def _gap() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Give the search for a blank or a line end after a surname, and for the given name from there."""
    known = odds()
    surnames = "".join(sorted(char for char, value in known.surname.items() if value >= -2))

    return (
        re.compile(rf"[ \u3000\n](?<=[{surnames}{''.join(sorted({name[1] for name in known.compound}))}].)"),
        re.compile(
            rf"(?:{_BLANK}{{1,4}}([{HAN}])(?:{_BLANK}{{1,4}}([{HAN}]))?|{_BLANK}{{1,4}}([{HAN}]{{2}})|\n([{HAN}]{{1,2}}))"
            rf"(?![{HAN}]{{0,3}}[：:])"
        ),
    )


def _spaced(text: str) -> Iterator[Span]:
    """张　伟, 司徒 文 杰, and 患者欧阳 with the given name on the next line."""
    gap, given = _gap()
    known, common = odds(), everyday()
    for match in gap.finditer(text):
        at = match.start()
        found = given.match(text, at)
        if not found:
            continue
        low = at - 2 if text[at - 2 : at] in known.compound else at - 1
        if text[low] not in known.surname and low == at - 1:
            continue
        is_role = after_role(text, low)
        if not is_role and (match[0] == "\n" or (low and is_han(text, low - 1))):
            continue
        name = text[low:at] + "".join(filter(None, found.groups()))
        is_whole = found[3] is None or low == at - 2
        if any(char in never() for char in name[1:]) or name[:2] in common - known.compound or not is_whole:
            continue
        stop = found.end()
        if is_han(text, stop) and not (follows().match(text, stop) or text[stop : stop + 2] in common):
            continue
        least = -2 if is_role else 2 if "\u3000" in found[0] or found[2] else 5
        if looks(name, 0, len(name)) >= least and name not in word_set("zh", "not_people"):
            yield Span(low, stop, PhiLabel.NAME.value, 0.75)


@cache
def _single() -> re.Pattern[str]:
    surnames = "".join(sorted(char for char, value in odds().surname.items() if value >= 0))
    return re.compile(rf"[，。、；;,（\n](?<=[{role_ends()}][{surnames}].)")


def _alone(text: str) -> Iterator[Span]:
    """A surname alone where a member of the staff is named: 护士祁, with a mark after it."""
    staff, known = words("zh", "name_staff"), word_set("zh", "not_surnames") | word_set("zh", "weak_surnames")
    for match in _single().finditer(text):
        at = match.start() - 1
        if (
            text[max(0, at - 4) : at].endswith(staff)
            and text[at] not in known
            and text[at - 1 : at + 1] not in everyday()
        ):
            yield Span(at, at + 1, PhiLabel.NAME.value, 0.65)


@cache
def _sure() -> re.Pattern[str]:
    keys = any_of((*words("zh", "name_left_sure"), *words("zh", "name_left_whole")))
    return re.compile(rf"{keys}[：: ]?([{HAN}]{{2,4}})(?=[，。、；,;（(）)\n\u3000]|$)")


def _after_sure(text: str) -> Iterator[Span]:
    """What stands after 签收人 up to a mark, though it is a word: 签收人秋菊."""
    middle, last = odds().middle, odds().last
    for match in _sure().finditer(text):
        word = match[1]
        if word in word_set("zh", "not_people") or any(char in never() for char in word[1:]):
            continue
        given = word[-2:]
        is_given = middle.get(given[0], -9) >= 0 and last.get(given[1], -9) >= 0
        if (len(word) == 2 and is_given) or looks(word, 0, len(word)) >= -2:
            yield Span(match.start(1), match.end(1), PhiLabel.NAME.value, 0.65)
