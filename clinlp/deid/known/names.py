"""The ways to write a person's name in Latin letters, and how each is told from an accident."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from clinlp.deid.known.context import common, introduced, is_thing, named
from clinlp.deid.known.page import HIDDEN, Form, Hit, Page, fold, is_letter, squeeze
from clinlp.deid.words import listed, word_set, words

Token = tuple[str, ...]
"""A part of a name as its atoms: `O'Brien` is `("o", "brien")`, `Smith-Jones` is `("smith", "jones")`."""


@dataclass(frozen=True, slots=True, repr=False)
class Name:
    """A name taken apart: given names first to last, surnames with their particles, and what else they are called."""

    given: tuple[Token, ...]
    last: tuple[Token, ...]
    called: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[Token, ...]:
        """All parts in their order."""
        return self.given + self.last


class Written(NamedTuple):
    """How a key was put together.

    Attributes:
        cuts: Where in the key a new part begins: any mark or blank may stand there.
        letters: Places of initials in the key.
        score: Of a hit.
        is_common: All its parts are everyday words.
        needs_mark: The initial stands last and needs its point.
    """

    cuts: frozenset[int]
    letters: frozenset[int] = frozenset()
    score: float = 1.0
    is_common: bool = False
    needs_mark: bool = False


@cache
def _affixes() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Titles, degrees and what else follows a name, and the degrees that are names in small letters (Ma, Do)."""
    weak = frozenset(degree.lower() for degree in words("en", "weak_degrees"))
    degrees = {degree.replace(".", "").lower() for degree in words("en", "degrees")} | {"jr", "sr", "ii", "iii", "iv"}
    return frozenset(title.lower() for title in words("en", "titles")), frozenset(degrees) - weak, weak


def _without_affixes(value: str) -> list[str]:
    """Give the words of a name without titles before it and degrees after it."""
    titles, degrees, weak = _affixes()
    left = value.replace(HIDDEN, "").split()
    is_upper = value.isupper()

    def plain(word: str) -> str:
        return fold(word).replace(".", "").strip(",")

    while len(left) > 1 and plain(left[0]) in titles and (len(left) > 2 or plain(left[0]) not in _weak_titles()):
        left.pop(0)
    while left and (plain(left[-1]) in degrees or (plain(left[-1]) in weak and left[-1].isupper() and not is_upper)):
        left.pop()
    return left


@cache
def _weak_titles() -> frozenset[str]:
    return frozenset(title.lower() for title in words("en", "weak_titles"))


@cache
def _nicknames() -> dict[str, tuple[str, ...]]:
    """Name -> what else its bearer may be called: Bill, Will and Liam for William; William and Willy for Bill."""
    known: dict[str, dict[str, None]] = {}
    for line in sorted(listed("known_nicknames")):
        group = line.split(",")
        for name in group:
            known.setdefault(name, {}).update(dict.fromkeys(other for other in group if other != name))
    return {name: tuple(others) for name, others in known.items()}


def parse(value: str) -> Name | None:
    """Take a name apart, or give None where nothing of it is a word; titles, degrees and `Jr.` are left out."""
    called = tuple(squeeze(nick) for nick in re.findall(r"[(\"“']\s*([^()\"“”']{2,20})\s*[)\"”']", value))
    called = tuple(nick for nick in called if nick not in word_set("en", "roles"))
    value = re.sub(r"^[\w ]{2,20}:", " ", value)  # Wife: Ellen Lind
    value = re.sub(r"\([^()]*\)|[\"“][^\"“”]*[\"”]|(?<= )'[^']*'(?= )", " ", value)
    sides = [side for side in (_tokens(part) for part in re.split(r"[,，]", value)) if side]
    if not sides:
        return None
    if len(sides) > 1:
        return Name(tuple(sides[1]), tuple(sides[0]), called)
    tokens = sides[0]
    first_last = len(tokens) - 1
    while first_last > 1 and all(atom in word_set("en", "name_particles") for atom in tokens[first_last - 1]):
        first_last -= 1
    return Name(tuple(tokens[:first_last]), tuple(tokens[first_last:]), called)


def _tokens(value: str) -> list[Token]:
    split = (tuple(re.findall(r"[^\W\d_]+", fold(word).replace(HIDDEN, ""))) for word in _without_affixes(value))
    return [atoms for atoms in split if atoms]


def forms(name: Name, label: str) -> Iterator[Form]:
    """Write the name in every way that is looked for."""
    yield from whole_forms(name, label)
    for word, score in parts(name).items():
        yield Form(word, part_at, label, score)


def whole_forms(name: Name, label: str) -> Iterator[Form]:
    """Write the name in every way in which several of its parts stand."""
    for tokens, score, mark in (*_full(name), *_short(name)):
        form = _written(tokens, score, label, needs_mark=mark)
        if form:
            yield form


def parts(name: Name) -> dict[str, float]:
    """Give the words that stand for the person when alone, with the score of each; nicknames score less."""
    found: dict[str, float] = {}
    for token in name.tokens:
        for word in ("".join(token), *(atom for atom in token if len(token) > 1 and len(atom) > 2)):
            is_particle = word in word_set("en", "name_particles") and token is not name.last[-1]
            if len(word) > 1 and not is_particle:
                found[word] = 1.0
    if len(name.last) > 1:
        found["".join(atom for token in name.last for atom in token)] = 1.0
    found.setdefault("".join(name.last[-1]) + "s", 0.8)  # the Marchettis
    for nick in _called(name):
        found.setdefault(nick, 0.8)
    return found


def _called(name: Name) -> Iterable[str]:
    first = "".join(name.given[0]) if name.given else "".join(name.last[0])
    return dict.fromkeys((*(nick for nick in name.called if len(nick) > 1), *_nicknames().get(first, ())))


def _full(name: Name) -> Iterator[tuple[tuple[Token, ...], float, bool]]:
    """Whole names in both orders, with and without the middle names."""
    given, last = name.given, name.last
    if len(last) > 1 or len(last[0]) > 1:
        yield last, 1.0, False
    if not given:
        return
    yield given + last, 1.0, False
    yield last + given, 1.0, False
    for first in given if len(given) > 1 else ():
        yield (first, *last), 1.0, False
        yield (*last, first), 1.0, False
    if len(given) == 1 and len(last) == 1 and len(last[0]) == 1:
        return
    for surname in {last[-1:], last[:1], *(((atom,),) for token in last for atom in token if len(token) > 1)}:
        if len("".join(surname[0])) > 2:
            yield (given[0], *surname), 1.0, False
            yield (*surname, given[0]), 1.0, False


def _short(name: Name) -> Iterator[tuple[tuple[Token, ...], float, bool]]:
    """Names with initials or nicknames."""
    given, last = name.given, name.last
    if not given:
        return
    first: Token = (given[0][0][0],)
    middle: tuple[Token, ...] = tuple((token[0][0],) for token in given[1:])
    if middle:
        yield (given[0], *middle, *last), 1.0, False
        yield (*last, given[0], *middle), 1.0, False
        yield (first, *middle, *last), 0.9, False
        yield (*last, first, *middle), 0.9, False
        yield (first, *given[1:], *last), 1.0, False
    yield (first, *last), 0.9, False
    yield (*last, first), 0.9, False
    yield (given[0], (last[-1][0][0],)), 0.8, True
    for nick in _called(name):
        yield ((nick,), *last), 0.9, False
        yield (*last, (nick,)), 0.9, False
        if middle:
            yield ((nick,), *middle, *last), 0.9, False


def _written(tokens: Iterable[Token], score: float, label: str, *, needs_mark: bool) -> Form | None:
    atoms = [atom for token in tokens for atom in token]
    key = "".join(atoms)
    if len(key) < 3 or len(atoms) < 2:
        return None
    cuts, letters, at = set(), set(), 0
    for atom in atoms:
        cuts.add(at)
        if len(atom) == 1:
            letters.add(at)
        at += len(atom)
    words_of = [atom for atom in atoms if len(atom) > 1]
    is_common = all(word in listed("known_top_en") for word in words_of)
    return Form(key, full_at, label, Written(frozenset(cuts), frozenset(letters), score, is_common, needs_mark))


@cache
def _glue() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"[\s,'’`\-‐–_/|\"“”()·•.]{1,8}"),  # between the parts of a name
        re.compile(r"-?[ \t]*\r?\n[ \t]*|-[ \t]{0,2}|['’`]"),  # inside a word that a line end cut
        re.compile(r"\.\s+"),  # after a whole word this is the end of a sentence
    )


def _holds(page: Page, start: int, end: int, cuts: frozenset[int], letters: frozenset[int]) -> bool:
    """Say whether all gaps in a hit are of the kind that may stand there."""
    gaps = page.gaps(start, end)
    if not gaps:
        return True
    glue, cut, sentence = _glue()
    n = end - start
    if n > 3 and len(gaps) == n - 1:  # S M I T H
        inner = {gap for at, gap in gaps if at not in cuts}
        return len(inner) <= 1 and all(len(gap) <= 3 and not gap.isalnum() for _, gap in gaps)
    broken = 0
    for at, gap in gaps:
        if at in cuts:
            if not glue.fullmatch(gap) or (at - 1 not in letters and sentence.match(gap)):
                return False
        else:
            broken += 1
            if broken > 1 or not 1 < at < n - 1 or not cut.fullmatch(gap):
                return False
    return True


def _alone(page: Page, low: int, high: int) -> bool:
    """Say whether no letter goes on with the word on either side."""
    before, after = page.before(low), page.after(high)
    return not (before and is_letter(before)) and not (after and is_letter(after))


def full_at(page: Page, start: int, end: int, label: str, data: Written) -> Hit | None:
    """Check a hit of several parts."""
    low, high = page.borders(start, end)
    if not _alone(page, low, high) or not _holds(page, start, end, data.cuts, data.letters):
        return None
    is_tied = high - low == end - start  # nothing between the parts
    if is_tied and (
        data.needs_mark or common(page.compact[start:end]) or (data.score < 1.0 and data.letters and end - start < 5)
    ):
        return None
    if not is_tied and data.score < 1.0 and not _is_capital(page, start, data.letters):
        return None
    if data.needs_mark and page.after(high) != ".":
        return None
    if data.is_common and not introduced(page, low):
        marks = page.text[low : high + 1]
        if not _is_capital(page, start, data.cuts) or (data.letters and "." not in marks and "," not in marks):
            return None
    return Hit(low, high + data.needs_mark, label, data.score)


def _is_capital(page: Page, start: int, places: frozenset[int]) -> bool:
    return all(page.text[page.places[start + at]].isupper() for at in places)


def part_at(page: Page, start: int, end: int, label: str, score: float) -> Hit | None:
    """Check a hit of one part of the name, or of a nickname; an everyday word counts beside another part too."""
    low, high = page.borders(start, end)
    if not _alone(page, low, high):
        return None
    text, size = page.text, end - start
    if high - low != size and page.gaps(start, end):
        is_cut = size > 3 and text[low].isupper() and _holds(page, start, end, frozenset((0,)), frozenset())
        return Hit(low, high, label, score * 0.9) if is_cut and not _is_two_words(page, start, end) else None
    word = page.compact[start:end]
    is_sure = size > 2 and not common(word) and not is_thing(page, word, high)
    if score < 1.0 and size < 5:
        is_sure = is_sure and text[low].isupper() and not text[low:high].isupper()
    if is_sure:
        return Hit(low, high, label, score)
    if named(page, low, high):
        return Hit(low, high, label, score * 0.9)
    return Hit(low, high, label, score * 0.9, is_weak=True) if size > 1 and text[low].isupper() else None


def _is_two_words(page: Page, start: int, end: int) -> bool:
    """Say whether a line end parts two words of their own: `will` and `iams` of williams are not."""
    if "\n" not in page.text[page.places[start] : page.places[end - 1]]:
        return False
    pieces = [squeeze(piece) for piece in page.text[page.places[start] : page.places[end - 1] + 1].split("\n")]
    return all(common(piece) or len(piece) < 2 for piece in pieces)
