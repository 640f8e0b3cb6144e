"""Whether an English word that may be an everyday word is a name where it stands."""

from __future__ import annotations

import re
from functools import cache

from clinlp.deid.en.capitals import EPONYM, FIRST, LAST, STOP, WORD, kinds
from clinlp.deid.known.page import Page
from clinlp.deid.words import any_of, listed, word_set, words

_MONTHS = frozenset(("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"))


@cache
def common(word: str) -> bool:
    """Say whether the folded word is met in clinical English without being a name."""
    if word in listed("known_top_en"):
        return True
    bits = kinds().get(word, 0)
    return bool(bits & STOP) or (bool(bits & (WORD | EPONYM)) and word not in word_set("en", "common_last_names"))


@cache
def everyday() -> frozenset[str]:
    """Give all words that a misspelt name is not read from: everyday, medical, eponyms."""
    marked = (word for word, bits in kinds().items() if bits & (WORD | EPONYM | STOP))
    return listed("known_top_en") | listed("known_words_en") | frozenset(marked)


def is_listed_name(word: str) -> bool:
    """Say whether the folded word is a name in the lists, and no word, eponym or very common word."""
    return bool(kinds().get(word, 0) & (FIRST | LAST)) and not common(word)


def is_abbreviation(letters: str) -> bool:
    """Say whether the folded letters, in capitals, have a meaning in notes."""
    return letters in listed("known_abbreviations")


@cache
def _introduced() -> re.Pattern[str]:
    titles = "|".join(sorted({re.escape(title.lower()) for title in words("en", "titles")}))
    return re.compile(rf"(?:^|[^a-z])(?:{titles})(?:\. ?| )$")


@cache
def _field() -> re.Pattern[str]:
    names = any_of(re.escape(field) for field in words("en", "fields"))
    return re.compile(rf"(?:^|[^a-z]){names}\s*[:：=|\t]\s*$")


@cache
def _role() -> re.Pattern[str]:
    roles = any_of(re.escape(role) for role in words("en", "roles"))
    return re.compile(rf"(?:^|[^a-z])(?:{roles}|hi|hello|dear|told|asked|thanks?),? $")


@cache
def _acts() -> re.Pattern[str]:
    return re.compile(
        r" (?:is (?:an? |from |currently|feeling|aware|here)|has been|"
        r"was (?:seen|admitted|discharged|born|brought|found|referred|examined|called|told|asked|informed|contacted)|"
        r"(?:present|report|complain|request|return|continu|describ|live|agre|tolerat|verbaliz)(?:s|es|e?d)\b|"
        r"(?:denies|denied|states|stated|says|said|called|went|came|admits|underwent|understands|feels|felt|takes|took)\b)|"
        r",? (?:md|rn|np|phd|do|pa-c)\b|, (?:an? |age)?[0-9]"
    )


@cache
def _next() -> re.Pattern[str]:
    return re.compile(r"(?:['’]s?)?[ -]+(?:[a-z]+[ -])?([a-z]+)")


@cache
def _previous() -> re.Pattern[str]:
    return re.compile(r"([A-Za-z]+),? [\"“‘']?$")


def introduced(page: Page, start: int) -> bool:
    """Say whether a title or a field (`Mr.`, `Patient name:`) stands right before."""
    left = page.flat[max(0, start - 30) : start]
    return bool(_introduced().search(left) or _field().search(left))


def named(page: Page, start: int, end: int) -> bool:
    """Say whether a word that is an everyday word or an eponym is a name here, by its capital and its neighbours."""
    text, word = page.text, page.flat[start:end]
    if introduced(page, start):
        return True
    if not text[start].isupper() or is_thing(page, word, end):
        return False
    left = text[max(0, start - 30) : start]
    if _role().search(left.lower()):
        return True
    if end - start < 3 or kinds().get(word, 0) & STOP:
        return False
    acts = _acts().match(page.flat, end) and not (end - start < 4 and text[start:end].isupper())
    return bool(acts) or _is_listed(text, left, end) or _is_inner(text[start:end], left)


def _is_inner(word: str, left: str) -> bool:
    """Say whether the capital is a name's: after a small word, so that it does not open a sentence; not May 5."""
    previous, lower = _previous().search(left), word.lower()
    is_device = kinds().get(lower, 0) & EPONYM and lower not in word_set("en", "common_last_names")
    if is_device or word.isupper() or not previous or not previous[1].islower():
        return False
    return not (lower in _MONTHS and previous[1] in word_set("en", "before_month"))


def _is_listed(text: str, left: str, end: int) -> bool:
    """Say whether the word stands in a list of names: Malon, Mark, Kaylee."""
    previous, following = _previous().search(left), _following().match(text, end)
    return any(match and is_listed_name(match[1].lower()) and match[1].istitle() for match in (previous, following))


@cache
def _following() -> re.Pattern[str]:
    return re.compile(r"(?:,? and |, )([A-Z][a-z]+)")


def is_thing(page: Page, word: str, end: int) -> bool:
    """Say whether the word names a disease or a device (Parkinson's tremor, Foley catheter), or a month of a date."""
    if word in _MONTHS:
        return bool(re.match(r",? ?[0-9]|-[0-9]", page.flat[end : end + 3]))
    after = _next().match(page.flat, end)
    if not after or not kinds().get(word, 0) & EPONYM:
        return False
    return not word_set("en", "eponym_nouns").isdisjoint(re.findall("[a-z]+", after[0]))
