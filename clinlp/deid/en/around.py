"""What the English words around a tagger's find say it is: a score, a clock time, a code, an eponym; no identifier."""

from __future__ import annotations

import re
from functools import cache
from string import ascii_uppercase
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import EPONYM, FIRST, LAST, PLAIN, kinds
from clinlp.deid.en.figures import is_cut, is_figure
from clinlp.deid.en.months import date_words
from clinlp.deid.words import listed, word_set, words
from clinlp.spans import Span

_BACK = 26  # characters before a find that are read
_PLACES = frozenset((PhiLabel.LOCATION, PhiLabel.HOSPITAL, PhiLabel.ORG))
_NAMED = _PLACES | {PhiLabel.NAME}


def is_other(text: str, span: Span) -> bool:
    """Say whether a find, by its words and by those beside it, is known to identify nobody."""
    start, end = span.start, span.end
    while start < end and text[start] in " .,;:()[]\n":
        start += 1
    while start < end and text[end - 1] in " .,;:()[]\n":
        end -= 1
    said, label = text[start:end], span.label
    if not said or (len(said) < 3 and label != PhiLabel.BED and is_cut(text, start, end)):
        return True
    if label in _NAMED and (_is_country(said, label) or (said[0].isupper() and _in_phrase(text, start, end))):
        return True
    if any(map(str.isdigit, said)):
        return said.isascii() and is_figure(text, start, end, label)
    if label == PhiLabel.NAME:
        is_thing = (
            _is_eponym(said, text[end : end + 40]) or _is_compound(text, start, end) or _is_trial(text, start, end)
        )
        is_likely = span.score is None or span.score >= _LIKELY
        return is_thing or (not is_likely and (_is_rather_eponym(said) or _is_letter(text, start, end)))
    if span.label in _PLACES:
        return _is_no_place(text, start, end, span.label)
    return span.label == PhiLabel.DATE and (_is_no_day(said) or _is_verb(text, start, end))


def _is_letter(text: str, start: int, end: int) -> bool:
    """Say whether it is one letter that is no initial: b. 1971, 100 yo M."""
    said = text[start:end]
    return len(said) == 1 and (
        said.islower() or (said in "MF" and bool(_age_before().search(text, max(0, start - 8), start)))
    )


@cache
def _age_before() -> re.Pattern[str]:
    return re.compile(r"[0-9] ?(?:y|yo|y/o|yrs?|mo|wks?)? ?$")


def _is_rather_eponym(said: str) -> bool:
    """Say whether one word is better known from diseases and signs than as a name: Graves, Gradenigo."""
    word = said.lower().removesuffix("'s").removesuffix("’s")
    bits = kinds().get(word, 0)
    return said[0].isupper() and bool(bits & EPONYM) and not bits & FIRST and word not in _common_surnames()


@cache
def _common_surnames() -> frozenset[str]:
    return word_set("en", "common_last_names")


_LIKELY: Final = 0.8  # from here on a tagger's word stands against a list of eponyms


def _is_eponym(said: str, after: str) -> bool:
    """Say whether a disease, a sign or a score is called by the words: Jones criteria, Stevens-Johnson, Clark IV."""
    parts = said.split()
    grade = _grade().fullmatch(parts[-1]) if len(parts) > 1 else None
    held = [_bits(part) for part in (parts[:-1] if grade else parts)]
    are_eponyms = all(bits & EPONYM for bits in held)
    if are_eponyms and (grade or (len(parts) == 1 and "-" in said)):
        return True
    noun = _noun().match(after)
    if not noun or grade or len(parts) > 2:
        return False
    if are_eponyms:
        return noun[2].lower() in word_set("en", "eponym_nouns")
    return len(parts) == 1 and not noun[1] and noun[2].lower() in _CRITERIA


def _in_phrase(text: str, start: int, end: int) -> bool:
    """Say whether a find is part of what is called by a name or a place: Boston Scientific, St. John's wort."""
    low = max(0, start - _BACK)
    return any(low + m.start() <= start and end <= low + m.end() for m in _phrase().finditer(text[low : end + _BACK]))


def _is_country(said: str, label: str) -> bool:
    """Say whether it is a country or a province, and no name of people; `rural Kenya` too."""
    first, _, rest = said.partition(" ")
    name = rest if rest and first.islower() and kinds().get(first, 0) & PLAIN else said
    if name in word_set("en", "states") and name != said:
        return True
    is_person = label == PhiLabel.NAME and kinds().get(name.lower(), 0) & (FIRST | LAST)
    return name in word_set("en", "countries") and not is_person


@cache
def _phrase() -> re.Pattern[str]:
    countries = [name for name in words("en", "countries") if " " in name]
    return re.compile(rf"(?<!\w)(?:{'|'.join((*words('en', 'standing_phrases'), *countries))})(?!\w)")


def _is_compound(text: str, start: int, end: int) -> bool:
    """Say whether a find is, or is part of, two names with a hyphen that an eponym is in: Parsonage-Turner."""
    low, high = start, end
    while low and (text[low - 1].isalpha() or text[low - 1] == "-"):
        low -= 1
    while high < len(text) and (text[high].isalpha() or text[high] == "-"):
        high += 1
    parts = text[low:high].strip("-").split("-")
    if len(parts) < 2 or not all(part[:1].isupper() and part[1:].islower() for part in parts):
        return False
    held = [kinds().get(part.lower(), 0) for part in parts]
    return any(bits & EPONYM for bits in held) and all(bits & EPONYM or not bits & (FIRST | LAST) for bits in held)


def is_standing(text: str, span: Span) -> bool:
    """Say whether a guess of the rules is part of what is called by a name, or a city that criteria are named after."""
    if span.label not in _NAMED or span.score is None or span.score >= _SURE or not text[span.start].isupper():
        return False
    said = text[span.start : span.end].lower()
    is_city = span.score < _TOLD and said in listed("en_criteria_places") and said not in listed("en_frequent_names")
    if span.label == PhiLabel.NAME and (is_city or _is_country(text[span.start : span.end], span.label)):
        return True
    return _in_phrase(text, span.start, span.end)


_SURE: Final = 0.9
_TOLD: Final = 0.65  # a role or a title says that a person is meant


def _is_trial(text: str, start: int, end: int) -> bool:
    """Say whether capitals in brackets or before `trial` are no listed name: (PROBAAT), MERINO trial."""
    said = text[start:end]
    if len(said) < 4 or not (said.isalpha() and said.isupper()) or kinds().get(said.lower(), 0) & (FIRST | LAST):
        return False
    in_brackets = (
        text[start - 1 : start] == "(" and text[end : end + 1] == ")" and text[start - 3 : start - 2].islower()
    )
    return in_brackets or bool(_trial().match(text, end))


@cache
def _trial() -> re.Pattern[str]:
    return re.compile(r" (?:trial|study|data|criteria|protocol|guideline)s?\b")


def _bits(word: str) -> int:
    """What is known of a word; of one with a hyphen, what is known of all its parts."""
    known = kinds()
    bits = known.get(word.lower())
    if bits is None and "-" in word:
        bits = -1
        for part in word.lower().split("-"):
            bits &= known.get(part, 0)
    return bits or 0


def _is_no_place(text: str, start: int, end: int, label: str) -> bool:
    """Say whether common words alone were taken for a place: in county jail, at church; or the code of a state."""
    said = text[start:end]
    if label == PhiLabel.LOCATION and (said in _states() or _is_thing(said)):
        return True
    if not said.islower() or _capital_before().search(text, max(0, start - _BACK), start):
        return False
    if _capital_after().match(text, end):
        return False
    known, parts = kinds(), said.split()
    is_road = len(parts) > 1 and any(part in _road_words() for part in parts)
    return not is_road and all(known.get(part, 0) & PLAIN or part in _SMALL for part in parts)


def _is_thing(said: str) -> bool:
    """Say whether one word is a drug, a device or a program, and no town."""
    word = said.lower()
    return word in listed("en_things") and word not in listed("en_cities") and not kinds()[word] & (FIRST | LAST)


def _is_no_day(said: str) -> bool:
    """Say whether one word was taken for a day that is a word of dictionaries or a thing, and no part of a date."""
    word = said.lower()
    is_known = bool(kinds().get(word, 0) & PLAIN) if said.islower() else word in listed("en_things")
    return is_known and word not in date_words()


def _is_verb(text: str, start: int, end: int) -> bool:
    """Say whether a sentence begins with the word and goes on as after a verb: May I, March her down the hall."""
    before = text[max(0, start - 3) : start].rstrip(' "')
    return (not before or before[-1] in ".!?:;\n") and bool(_month_as_verb().fullmatch(text, start, end + 9))


@cache
def _month_as_verb() -> re.Pattern[str]:
    return re.compile(r"(?:May|March) (?:I|we|you|he|she|they|it|her|him|them|be|need|have|resume)\b.*", re.DOTALL)


@cache
def _capital_before() -> re.Pattern[str]:
    return re.compile(r"[A-ZÀ-Þ0-9][^\s,.;:]*(?: (?:of|the|and|&))*[ ,&-]+$")


@cache
def _capital_after() -> re.Pattern[str]:
    return re.compile(r"[ ,&-]+(?:(?:of|the|and|at) )*[A-ZÀ-Þ0-9]")


_CRITERIA = frozenset(
    ("criteria", "classification", "syndrome", "protocol", "scale", "index", "criterion", "guideline")
)
_SMALL = frozenset(("of", "the", "at", "in", "and", "a", "by", "to"))


@cache
def _states() -> frozenset[str]:
    codes = "".join(f"{a}{b} " for a in ascii_uppercase for b in ascii_uppercase)
    return frozenset(re.findall(rf"\b(?:{'|'.join(words('en', 'states'))})\b", codes))


@cache
def _road_words() -> frozenset[str]:
    return frozenset(word.lower() for word in words("en", "street_words"))


@cache
def _grade() -> re.Pattern[str]:
    return re.compile("[IVX]{1,4}[a-cA-C]?|[A-F][0-9]?|[0-9][a-c]?")


@cache
def _noun() -> re.Pattern[str]:
    return re.compile(r"(['’]s?)?[ -]([A-Za-z]+)")
