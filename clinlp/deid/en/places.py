"""Hospitals, cities and employers in English notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.plain import original, plain
from clinlp.deid.words import any_of, word_set, words
from clinlp.spans import Span

_WORD = r"[A-ZÀ-Þ][\w'’.&-]*"


def find(text: str) -> list[Span]:
    """Find hospitals, cities and employers in English text."""
    shown, places = plain(text)
    return original([*_hospitals(shown), *_cities(shown), *_employers(shown)], places)


@cache
def _anchors() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    heads = {re.escape(head) for head in (*words("en", "hospital_words"), *words("en", "hospital_tails"))}
    return (
        re.compile(any_of(heads, guard=r"(?<![\w-].)") + r"(?![\w-])"),
        re.compile(rf"(?:(?:{_WORD}|of|the|and|&) ){{1,8}}$"),
        re.compile(rf" (?:of|at|in|for) (?:the )?(?:{_WORD})(?: (?:{_WORD}|of)){{0,3}}"),
    )


@cache
def _saint() -> re.Pattern[str]:
    """`at St. Luke's`, `from Mercy General`: hospitals without the word."""
    preposition = "[abtf](?<![A-Za-z].)(?:t|y|o|rom) (?:the )?"
    return re.compile(
        rf"{preposition}((?:[A-Z][a-z]+ )?(?:St\.?|Saint) [A-Z][a-z]+(?:['’]s)?(?! (?:valve|Medical|wort))"
        r"|[A-Z][a-z]+ (?:[A-Z][a-z]+ )?(?:General|Memorial|Regional|Methodist|Presbyterian"
        r"|Baptist|Lutheran|VA)(?![\w-]))"
    )


@cache
def _famous() -> re.Pattern[str]:
    return re.compile(any_of(words("en", "famous_hospitals"), guard=r"(?<!\w.)") + r"(?!\w)")


@cache
def _scored() -> re.Pattern[str]:
    return re.compile(rf" (?:[A-Za-z-]+ ){{0,2}}(?:{'|'.join(words('en', 'score_nouns'))}|diet|trial)(?![A-Za-z])")


def _hospitals(text: str) -> Iterator[Span]:
    anchor, before, after = _anchors()
    for match in anchor.finditer(text):
        if _scored().match(text, match.end()):
            continue  # the Mayo Clinic risk score
        tail = after.match(text, match.end())
        is_of = tail is not None and " of " in tail[0]
        end = tail.end() if tail is not None and is_of else match.end()
        size = 0 if match[0].isupper() else _name_size(text[max(0, match.start() - 80) : match.start()], before)
        if size:
            yield Span(match.start() - size, _cut(text, match.start(), end), PhiLabel.HOSPITAL.value, 0.85)
        elif is_of and match[0] in ("Hospital", "Clinic", "Infirmary"):
            yield Span(match.start(), _cut(text, match.start(), end), PhiLabel.HOSPITAL.value, 0.7)
    for match in _saint().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.HOSPITAL.value, 0.7)
    for match in _famous().finditer(text):
        if _scored().match(text, match.end()):
            continue
        yield Span(match.start(), match.end(), PhiLabel.HOSPITAL.value, 0.8)


def _name_size(window: str, before: re.Pattern[str]) -> int:
    """Count the characters right before `Hospital` that name it; 0 where they say only what kind it is."""
    window = window[max(window.rfind(mark) for mark in ("\n", ":", ";", ", ", "(")) + 1 :]
    window = window.rpartition(" and the ")[2]
    found = before.search(window)
    name = found[0].split() if found else []
    generic, places = word_set("en", "hospital_generic"), word_set("en", "hospital_place_words")
    while name and name[0].lower() in generic and name[0] not in places:
        del name[0]
    for place, word in enumerate(name):  # a sentence that ends within
        if word.endswith(".") and len(word) > 4:
            name = name[place + 1 :]
            break
    if not any(word.lower() not in generic or word in places for word in name):
        return 0
    return len(" ".join(name)) + 1


def _cut(text: str, start: int, end: int) -> int:
    while end > start + 1 and text[end - 1] in ".,;:'’-& ":
        end -= 1
    return end


@cache
def _city() -> tuple[re.Pattern[str], ...]:
    states = "|".join(words("en", "states"))
    code = r"(?:,? [0-9]{5}(?:-[0-9]{4})?(?![0-9]))?"
    return (
        re.compile(rf", ({states})(?![\w.]){code}"),
        re.compile(r"(?:[A-Z][a-zA-Z'’-]+|(?:St|Mt|Ft)\.)(?: (?:[A-Z][a-zA-Z'’-]+|of|de|la|del)){0,3}$"),
        re.compile(r"[ifton](?<!\w.)(?:n|rom|o|ear|f) ([A-Z][a-z'’-]{2,}(?: [A-Z][a-z'’-]+){0,2})(?![\w])"),
    )


def _cities(text: str) -> Iterator[Span]:
    state, before, placed = _city()
    for match in state.finditer(text):
        low = max(0, match.start() - 40)
        found = before.search(text, low, match.start())
        if not found or found[0].split()[-1].lower() in word_set("en", "not_cities"):
            continue
        has_code = match.end() > match.end(1)
        if len(match[1]) > 2 or has_code or _lived(text, found.start()):
            yield Span(found.start(), match.end(), PhiLabel.LOCATION.value, 0.9 if has_code else 0.7)
    for match in placed.finditer(text):
        name = match[1]
        if _lived(text, match.start(1)) and not _stays(name):
            yield Span(match.start(1), match.end(1), PhiLabel.LOCATION.value, 0.6)


def _lived(text: str, at: int) -> bool:
    """Say whether the words before speak of where somebody lives or comes from: `lives in`, `moved from`."""
    parts = text[max(0, at - 32) : at].lower().split()
    if parts[-1:] == ["of"] and parts[-2:-1] and parts[-2] not in _OF:
        return False  # home medications of
    return len(parts) > 1 and parts[-1] in _AT and any(part in word_set("en", "live_words") for part in parts[-4:-1])


_OF = frozenset(("city", "town", "village", "suburb", "outside", "outskirts", "native", "resident", "county", "part"))
_AT = frozenset(("in", "to", "from", "near", "of", "at", "outside"))


def _stays(name: str) -> bool:
    """Say whether Safe Harbor lets a place stay: a state, a country."""
    return (
        name in word_set("en", "states")
        or name in word_set("en", "countries")
        or name.lower() in word_set("en", "not_cities")
    )


@cache
def _employer() -> tuple[re.Pattern[str], re.Pattern[str]]:
    listed = any_of(map(re.escape, words("en", "org_tails")), guard="(?<= .)")
    return (
        re.compile(rf"{listed}(?![\w-])(?: of [A-Z][a-z]+(?: [A-Z][a-z]+)?)?"),
        re.compile(r"(?:[A-Z][\w'’.&-]* (?:(?:&|and|of) )?){1,5}$"),
    )


def _employers(text: str) -> Iterator[Span]:
    tail, before = _employer()
    for match in tail.finditer(text):
        found = before.search(text, max(0, match.start() - 60), match.start())
        if found and found[0].split()[0].lower() not in word_set("en", "not_orgs") and not found[0].isupper():
            verb = _at_school().match(found[0])
            yield Span(found.start() + (verb.end() if verb else 0), match.end(), PhiLabel.ORG.value, 0.7)


@cache
def _at_school() -> re.Pattern[str]:
    """The verb of a note without a subject."""
    return re.compile("(?:Attend(?:s|ed|ing)|Enrolled|Teache[sr]|Stud(?:ies|ent)|Works?|Worked|Employer) (?=.)")
