"""The policy of gold PHI: what stays in a text, where a span begins and ends, and what breaks it.

Notes of generators are put under the policy (`under_policy`); notes written by hand are held to it (`faults`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

from clinlp.deid.words import listed, word_set, words
from clinlp.note import Note
from clinlp.spans import Span

OLD: Final = 90
OWN_PLACES: Final = frozenset(("北京", "上海", "天津", "重庆"))  # a province and a town at once
_MONTH: Final = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    "|Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY: Final = "(?:Mon|Tues?|Wed(?:nes)?|Thur?s?|Fri|Sat(?:ur)?|Sun)(?:day)?"


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where gold breaks the policy: the rule and the characters, never the words."""

    note_id: str
    rule: str
    start: int
    end: int


def under_policy(note: Note) -> Note:
    """The note with the gold PHI that policy removes, unit words outside the spans."""
    kept = (piece for span in note.phi for piece in _numbers(note.text, span) if not stays(note.text, piece))
    return replace(note, phi=tuple(kept))


def stays(text: str, span: Span) -> bool:
    """Whether what a span marks identifies nobody by policy."""
    said = " ".join(text[span.start : span.end].split()).strip(" .,;:，。；：、")
    if span.label == "DEPARTMENT":
        return True
    if span.label == "AGE":
        return _is_young(said)
    if span.label == "DATE":
        return bool(_no_date().fullmatch(said))
    if span.label == "ORG":
        return said in word_set("zh", "nationwide")
    return span.label == "LOCATION" and _is_large(said)


def faults(note: Note) -> Iterator[Fault]:
    """What in a note's gold breaks the policy."""
    for span in note.phi:
        if stays(note.text, span):
            yield Fault(note.note_id, "stays", span.start, span.end)
        elif [*_numbers(note.text, span)] != [span]:
            yield Fault(note.note_id, "unit", span.start, span.end)
        elif span.label == "NAME" and (title := _title().match(note.text, span.start, span.end)):
            yield Fault(note.note_id, "title", *title.span())
        elif span.label == "DATE" and (word := _beside().search(note.text, max(0, span.start - 16), span.start)):
            yield Fault(note.note_id, "beside", *word.span())
        elif span.label == "LOCATION" and (beside := _state().match(note.text, span.end)):
            yield Fault(note.note_id, "state", *beside.span())
    covered = {at for span in note.phi for at in range(span.start, span.end)}
    for rule, form in _forms().items():
        for match in form.finditer(note.text):
            if covered.isdisjoint(range(*match.span())):
                yield Fault(note.note_id, rule, *match.span())
    yield from _said_again(note, covered)


def _said_again(note: Note, covered: set[int]) -> Iterator[Fault]:
    """Whole identifiers of the note that stand in it once more without a mark."""
    for words_ in {note.text[span.start : span.end] for span in note.phi if span.label in _NAMING}:
        if " " not in words_:  # one word may be a disease or a drug elsewhere
            continue
        for match in re.finditer(rf"(?<!\w){re.escape(words_)}(?!\w)", note.text):
            if covered.isdisjoint(range(*match.span())):
                yield Fault(note.note_id, "again", *match.span())


_NAMING: Final = frozenset(("NAME", "MRN", "ID", "SSN", "PHONE", "EMAIL", "LOCATION", "HOSPITAL", "ORG"))


def _numbers(text: str, span: Span) -> Iterator[Span]:
    """The span without the words that say what its numbers are: of `Bed 4, Room 12` the 4 and the 12."""
    unit = _units().get(span.label)
    if unit is None:
        yield span
        return
    marks = [match.span() for match in unit.finditer(text, span.start, span.end)]
    if span.label != "BED":  # an extension belongs to the number before it
        marks = [mark for mark in marks if mark[0] == span.start]
    for start, end in pairwise([span.start, *(at for mark in marks for at in mark), span.end]):
        if (start, end) not in marks and (core := text[start:end].strip(" ,;\n\u200b")):
            begin = text.index(core, start)
            yield replace(span, start=begin, end=begin + len(core))


@cache
def _units() -> dict[str, re.Pattern[str]]:
    """By label, words before a number that are no part of it."""
    ends = r"(?:[:.#]|\s|\u200b)+(?=#?[0-9]|[A-Za-z]{0,4}-?[0-9])"
    known = {
        "BED": "bed|room|rm|bay",
        "DEVICE": "s/?n|serial no|lot|ref",
        "PHONE": "ext|extension|pager",
        "LICENSE": "dl|npi",
        "BIOMETRIC": "voiceprint id",
    }
    return {label: re.compile(rf"(?i:(?<![\w'-])(?:{unit}){ends})") for label, unit in known.items()}


def _is_young(said: str) -> bool:
    said = unicodedata.normalize("NFKC", re.sub(r"\s", "", said))
    numbers = re.findall("[0-9]+", said)
    if numbers:
        return all(int(number) < OLD for number in numbers)
    return not re.search("九十|百|(?i:ninet|hundred|centen|nonagen)", said)


@cache
def _no_date() -> re.Pattern[str]:
    """A year, a weekday, a clock time."""
    year = "(?:(?:19|20)[0-9]{2}|['’][0-9]{2}|[一二][〇零一二三四五六七八九]{3})年?"
    return re.compile(
        rf"{year}|(?i:{_DAY})s?|(?:星期|周|礼拜)[一二三四五六日天]|[0-2]?[0-9][:：][0-5][0-9](?:[:：][0-5][0-9])?"
    )


@cache
def _large() -> frozenset[str]:
    """Countries, states, provinces."""
    names = [name.casefold() for name in (*words("en", "countries"), *words("en", "states"), *_MORE) if name.isascii()]
    return frozenset([*names, *(_short(name) for name in listed("zh_provinces"))])


_MORE: Final = (
    *("England", "Scotland", "Wales", "Northern Ireland", "Puerto Rico", "Guam", "Dominican Republic", "Ivory Coast"),
    *("Ontario", "Quebec", "Alberta", "Manitoba", "Saskatchewan", "British Columbia", "Nova Scotia", "Queensland"),
    *("New South Wales", "Tasmania"),
)


def _short(name: str) -> str:
    return re.sub("(?:维吾尔|壮族|回族)?自治区$|省$", "", name.casefold())


def _is_large(said: str) -> bool:
    short = _short(said)
    return short in _large() and short not in OWN_PLACES


@cache
def _title() -> re.Pattern[str]:
    return re.compile(r"(?:Dr|Mr|Mrs|Ms|Prof|Sr\.|Sra)\.?\s")


@cache
def _beside() -> re.Pattern[str]:
    """What belongs to the date after it."""
    return re.compile(rf"(?<!\w)(?i:(?:{_DAY}),? (?:the )?|mid-)$")


@cache
def _state() -> re.Pattern[str]:
    """A state after its town."""
    names = "|".join(re.escape(name) for name in words("en", "states") if len(name) > 3)
    return re.compile(rf", (?:{names})\b")


@cache
def _forms() -> dict[str, re.Pattern[str]]:
    """What is PHI by its form alone, wherever it stands."""
    return {
        "date": re.compile(
            r"(?<![\w./-])(?:[0-3]?[0-9]([/.-])[0-3]?[0-9]\1(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9])"
            rf"(?![\w/-])|\b[0-3]?[0-9] {_MONTH} (?:19|20)[0-9]{{2}}\b|\b{_MONTH}\.? [0-3]?[0-9], (?:19|20)[0-9]{{2}}\b"
            "|(?:19|20)[0-9]{2}年[0-9]{1,2}月(?:[0-9]{1,2}[日号])?"
        ),
        "email": re.compile(r"[\w.+-]+@[\w-]+\.[\w.]*[a-z]"),
        "room": re.compile(r"(?<!\w)(?:[Bb]ed|BED|[Rr]oom|ROOM|[Rr]m|RM) [0-9]+[A-Za-z0-9-]*(?!\w|\.[0-9]|[ °]+C\b)"),
        "phone": re.compile(r"(?<![\w-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}(?![\w-])"),
    }
