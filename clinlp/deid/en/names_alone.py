"""Names and cities that stand alone in English notes: beside an age and sex, in a short note, in a list of cities.

A note of a few lines (a query, a message) has no second mention to wait for: there a word that no
dictionary knows and that is written like a name is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.brands import is_brand
from clinlp.deid.en.capitals import CITY, EPONYM, FIRST, LAST, PLAIN, STOP, TITLE, WORD, Capitals
from clinlp.deid.words import listed, word_set, words
from clinlp.spans import Span

SHORT = 600
"""Characters of a note in which one sign is enough."""


def find_alone(caps: Capitals, taken: list[Span]) -> list[Span]:
    """Find single names and cities among the words that no other rule took."""
    free = bytearray(b"\x01" * len(caps.starts))
    for span in taken:
        at = caps.at(span.start)
        while at < len(caps.starts) and caps.starts[at] < span.end:
            free[at] = 0
            at += 1
    spans = [*_beside_ages(caps)]
    spans += _cities(caps, free)
    if len(caps.text) <= SHORT:
        spans += _short(caps, free)
    return spans


# --- beside an age and sex --------------------------------------------------------------------


@cache
def _age() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    unit = r"[ -]?(?:years?[ -]old|y\.?/?o\.?|yr?s?\.?(?: ?old)?)"
    sex = r"(?:[ -]?(?:male|female|man|woman|boy|girl|gentleman|lady)|[ -]?[MFmf](?![A-Za-z'’]))"
    return (
        re.compile(rf"[0-9](?<![0-9A-Za-z./][0-9])[0-9]{{0,2}}(?:{unit}(?![A-Za-z]){sex}?|{sex})"),
        re.compile(r",? $|,? [(]$"),
        re.compile(r"(?:,| named| called|:)? "),
    )


def _beside_ages(caps: Capitals) -> Iterator[Span]:
    """Names right before or after `67F`, `48yo M`, `72 y/o`."""
    age, before, after = _age()
    text = caps.text
    for match in age.finditer(text):
        is_found = False
        gap = before.search(text, max(0, match.start() - 3), match.start())
        at = caps.at(match.start()) - 1
        if gap and at >= 0 and caps.ends[at] == gap.start() and _is_person(caps, at):
            first = at
            while first and at - first < 3 and caps.follows(first) and _is_part(caps, first - 1):
                first -= 1
            if first < at or not caps.bits[at] & WORD or gap[0][0] == ",":
                is_found = True
                yield caps.span(first, at + 1, 0.75)
        gap = after.match(text, match.end())
        at = caps.at(match.end())
        is_next = at < len(caps.starts) and gap and caps.starts[at] == gap.end() and not is_found
        if is_next and _is_person(caps, at):
            stop = caps.run(at, strong=False)
            tail = text[caps.ends[stop - 1] : caps.ends[stop - 1] + 1]
            if (stop - at > 1 or not caps.bits[at] & WORD or tail in ",;:") and not caps.is_eponym(stop - 1):
                yield caps.span(at, stop, 0.7)


def _is_person(caps: Capitals, at: int) -> bool:
    bits = caps.bits[at]
    if bits & (STOP | TITLE) or caps.is_class(at) or (caps.is_upper(at) and caps.ends[at] - caps.starts[at] < 4):
        return False
    return bool(bits & (FIRST | LAST)) or caps.is_unknown(at)


def _is_part(caps: Capitals, at: int) -> bool:
    if caps.is_upper(at) and caps.ends[at] - caps.starts[at] < 4:
        return False
    return not caps.bits[at] & (STOP | TITLE) and (
        caps.ends[at] - caps.starts[at] == 1 or bool(caps.bits[at] & (FIRST | LAST)) or caps.is_unknown(at)
    )


# --- short notes --------------------------------------------------------------------------------


@cache
def _measured() -> re.Pattern[str]:
    """What follows a drug or a virus, and no person."""
    return re.compile(
        r"[%-]|(?:['’]s)? (?:pos(?:itive)?|neg(?:ative)?|sign|test|titers?|serolog(?:y|ies)|trial|study|type|vs)"
        r"(?![A-Za-z])"
    )


def _short(caps: Capitals, free: bytearray) -> Iterator[Span]:
    """Words that are listed as names only, or unknown and written like names, with their neighbours."""
    n, at = len(caps.starts), 0
    while at < n:
        here, at = at, at + 1
        if not free[here] or caps.ends[here] - caps.starts[here] < 3:
            continue
        pair = _word_pair(caps, here)
        if pair:
            at = here + 2
            yield pair
            continue
        if not (caps.is_listed(here) or caps.is_unknown(here)) or caps.is_eponym(here) or caps.is_thing(here):
            continue
        stop = here + 1
        while stop < n and stop - here < 4 and free[stop] and caps.follows(stop) and _is_part(caps, stop):
            if (caps.is_upper(stop) and not caps.is_upper(here)) or (caps.bits[stop] & EPONYM and caps.is_class(stop)):
                break
            stop += 1
        while stop - here > 1 and caps.ends[stop - 1] - caps.starts[stop - 1] == 1:
            stop -= 1
        first = here
        while first and free[first - 1] and caps.follows(first) and _is_first(caps, first - 1):
            first -= 1
        if stop - first == 1 and not _is_alone(caps, here):
            continue
        if caps.is_upper(here) and not (stop - first > 1 and caps.is_listed(stop - 1)):
            continue
        at = stop
        if not caps.is_eponym(stop - 1) or stop - first > 1:
            yield caps.span(first, stop, 0.55)


@cache
def _frame() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"(?:[a-z]|w/|re:|[a-z][,:]) $"),
        re.compile(
            r"['’]s |,? \(?(?:is|was|has|had|seen|saw|passed|reports?|denies|presents?|needs|wants|here|came|calls"
            r"|called|re|admitted|with|w/|s/p|c/o|h/o|dob|mrn|DOB|MRN|DoB|born|from|age"
            r"|[0-9]{1,3} ?(?:y|[MFmf](?![a-z])))"
        ),
    )


_MONTHS = frozenset(("April", "May", "June", "August"))


def _word_pair(caps: Capitals, at: int) -> Span | None:
    """Two words that are a first and a last name too, where the words around speak of a person: Ruby Stone passed."""
    nxt = at + 1
    if not caps.bits[at] & FIRST or not caps.bits[at] & (WORD | EPONYM) or not caps.follows(nxt):
        return None
    is_month = caps.word(at) in _MONTHS
    if not caps.bits[nxt] & LAST or caps.bits[nxt] & (STOP | TITLE):
        return None
    if (caps.bits[at] & (STOP | TITLE) and not is_month) or caps.text[caps.ends[at]] == ".":
        return None
    if (
        caps.is_upper(at)
        or caps.is_upper(nxt)
        or caps.is_class(nxt)
        or min(len(caps.word(at)), len(caps.word(nxt))) < 3
    ):
        return None
    before, after = _frame()
    if after.match(caps.text, caps.ends[nxt]) or before.search(caps.text, max(0, caps.starts[at] - 4), caps.starts[at]):
        return caps.span(at, nxt + 1, 0.62)
    return None


def _is_first(caps: Capitals, at: int) -> bool:
    """Say whether the word before a name belongs to it: an initial, or a name that is a word too."""
    bits = caps.bits[at]
    if caps.ends[at] - caps.starts[at] == 1:
        return caps.text[caps.ends[at]] == "." or bool(bits & FIRST)
    return bool(bits & FIRST) and not bits & (STOP | TITLE | EPONYM) and not caps.is_upper(at)


def _is_alone(caps: Capitals, at: int) -> bool:
    low, high = caps.starts[at], caps.ends[at]
    if caps.is_upper(at) or caps.is_class(at) or _measured().match(caps.text, high):
        return False
    if caps.text[high : high + 1] == "/" and not (
        at + 1 < len(caps.starts) and caps.starts[at + 1] == high + 1 and caps.is_listed(at) and caps.is_listed(at + 1)
    ):
        return False
    if low and caps.text[low - 1] in ("-&+" if caps.is_listed(at) else "/-&+#("):
        return False
    if low and caps.text[low - 1] == "/" and not (at and caps.ends[at - 1] == low - 1 and caps.is_listed(at - 1)):
        return False
    return caps.is_listed(at) or (high - low > 3 and not is_brand(caps, at))


# --- cities ---------------------------------------------------------------------------------------


@cache
def _city_names() -> tuple[frozenset[str], frozenset[str]]:
    """Give the cities of several words, and their first words."""
    stays = {name.lower() for name in (*words("en", "countries"), *words("en", "states"))}
    many = {name for name in listed("en_cities") if " " in name} | {
        name.lower() for name in words("en", "cities") if " " in name
    }
    many -= stays | word_set("en", "not_city_names")
    return frozenset(many), frozenset(re.split("[ .']", name)[0] for name in many)


@cache
def _single_cities() -> frozenset[str]:
    stays = {name.lower() for name in (*words("en", "countries"), *words("en", "states"))}
    sure = {name.lower() for name in words("en", "cities") if " " not in name}
    return frozenset((sure | listed("en_cities")) - stays - word_set("en", "not_city_names"))


@cache
def _sure_cities() -> frozenset[str]:
    return frozenset(name.lower() for name in words("en", "cities"))


@cache
def _around() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    states = "|".join(words("en", "states"))
    small = "for |with |and |to |is |was |has |had |on |in |of "
    scores = "|".join(words("en", "score_nouns"))
    unsure = "|".join(words("en", "unsure_states"))
    nouns = "|".join(sorted(word_set("en", "eponym_nouns") | word_set("en", "not_after_city")))
    return (
        re.compile(
            rf"(?: County| county)?(?:(?:, {{0,2}}| {{1,2}}(?!(?:{unsure})(?! [0-9]{{5}})))(?:{states})(?![\w])"
            r"(?:\.(?= ?[a-z0-9]))?)?"
            r"(?:,? [0-9]{5}(?:-[0-9]{4})?(?![0-9]))?"
        ),
        re.compile(
            rf"/|-[A-Z]|(?:['’]s)? (?:(?:and|or|vs) [A-Z][a-z]+ (?:{scores})|(?i:{nouns})(?![A-Za-z])|(?:(?!{small})"
            rf"[A-Za-z-]+ ){{1,2}}(?i:{scores})(?![A-Za-z])|[IVX]+[A-Ca-c]?(?![A-Za-z])|[A-Z][0-9]?(?![A-Za-z.])"
            r"|[0-9](?![0-9]{4}|[0-9]* ?(?:d|w|mo|y|h)|[0-9]?/))"
        ),
        re.compile(
            r"(?:^|[ (])(?:in|from|near|to|of|at|outside|lives|visited|visiting|around|toward|towards|via|hometown:?"
            r"|city:?|resident,?|address:?|born|moved) $",
            re.IGNORECASE,
        ),
    )


def starts_city(caps: Capitals, at: int) -> bool:
    """Say whether the word begins the name of a city of two words: Ann Arbor."""
    return caps.follows(at + 1) and caps.text[caps.starts[at] : caps.ends[at + 1]].lower() in _city_names()[0]


def _cities(caps: Capitals, free: bytearray) -> Iterator[Span]:
    """Cities: of several words or known as nothing else anywhere; others with a state or after `in` and its kind."""
    text, n = caps.text, len(caps.starts)
    many, heads = _city_names()
    after, thing, before = _around()
    reach = 0
    for at in range(n):
        bits, low = caps.bits[at], caps.starts[at]
        word = caps.word(at)
        if low < reach or (not bits & CITY and word.lower() not in heads) or word[-1].isupper() > word[1:2].isupper():
            continue  # MoCA
        stop, is_sure = at, False
        for last in (at + 3, at + 2, at + 1):
            if last < n and caps.ends[last] - low < 40 and text[low : caps.ends[last]].lower() in many:
                stop, is_sure = last + 1, True
                break
        if stop == at:
            word = word.lower()
            if not bits & CITY or word not in _single_cities() or bits & STOP:
                continue
            stop = at + 1
            is_sure = not bits & (PLAIN | FIRST | LAST | EPONYM | WORD) or word in _sure_cities()
        tail = after.match(text, caps.ends[stop - 1])
        end = tail.end() if tail else caps.ends[stop - 1]
        if end == caps.ends[stop - 1] and (thing.match(text, end) or caps.is_upper(at)):
            free[at:stop] = bytes(stop - at)
            continue
        has_state = end > caps.ends[stop - 1]
        if is_sure and not has_state and text[low:end].lower() in listed("en_criteria_places"):
            is_sure = False  # Boston 2/2/3, within Milan
            if not before.search(text, max(0, low - 12), low):
                continue
        elif not is_sure and not has_state:
            if not free[at] or not before.search(text, max(0, low - 12), low) or bits & (EPONYM | WORD):
                continue
            if caps.follows(stop) and text[caps.ends[stop - 1]] != "," and caps.bits[stop] & (FIRST | LAST):
                continue
        reach = end
        yield Span(low, end, PhiLabel.LOCATION.value, 0.85 if has_state else 0.66 if is_sure else 0.56)
