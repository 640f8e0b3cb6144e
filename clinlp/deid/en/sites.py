"""Hospitals, shops, employers and places in English notes by the small words before them: at, from, works for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import CITY, EPONYM, FIRST, LAST, PLAIN, STOP, TITLE, Capitals, kinds
from clinlp.deid.words import word_set
from clinlp.spans import Span

_BEFORE = frozenset(("at", "from", "to", "by", "via", "@", "for", "with", "near", "outside", "in", "of", "w/"))
_SITE = frozenset(("at", "from", "to", "by", "via", "@", "of", "with"))
_WORK = frozenset(("at", "for", "with", "from", "by", "w/", "of", "@"))
_NEAR = frozenset(("near", "outside"))


def find_sites(caps: Capitals) -> Iterator[Span]:
    """Find hospitals, employers and places by a preposition before them."""
    text, reach = caps.text, 0
    for at, start in enumerate(caps.starts):
        if start < max(reach, 4) or text[start - 1] != " ":
            continue
        before = text[max(0, start - 44) : start].split(" ")[:-1]
        word = before.pop() if before else ""
        if word in ("the", "a", "an"):
            word = before.pop() if before else ""
        if word not in _BEFORE:
            continue
        span = _site(caps, at, word) or _work(caps, at, word, before) or _place(caps, at, word)
        if span:
            reach = span.end
            yield span


@cache
def _run() -> re.Pattern[str]:
    word = r"[A-ZÀ-ÞĀ-Ž][\w'’-]*(?:\.(?=[A-Z] ))?"
    return re.compile(rf"{word}(?: (?:(?:of(?: the)?|and|&|de|la|del|du|des|na) )?{word}){{0,4}}")


_UNIT = re.compile(
    r" (?:Unit|Facility|Association|Class|Department|Room|Floor|[Ss]core|[Uu]nit|[Cc]lassification)(?![a-z])"
)


def _is_name(word: str) -> bool:
    """Say whether the word is a name, a city or unknown, and no word of dictionaries."""
    bits = kinds().get(word.removesuffix("'s").removesuffix("’s").lower(), 0)
    return not bits & (STOP | TITLE) and (not bits or bool(bits & (FIRST | LAST | CITY)))


def _site(caps: Capitals, at: int, before: str) -> Span | None:
    """A hospital, practice, shop or insurer by how its name ends: at Pinewell Surgery, from Lone Star Heart."""
    if before not in _SITE or caps.bits[at] & TITLE:
        return None
    start = caps.starts[at]
    match = _run().match(caps.text, start)
    parts = match[0].split(" ") if match else []
    if parts and before != "of" and parts[0].removesuffix("'s") in word_set("en", "shop_names"):
        return Span(start, start + len(parts[0]), PhiLabel.HOSPITAL.value, 0.6)
    tails, weak = word_set("en", "site_tails"), word_set("en", "site_departments")
    generic = word_set("en", "hospital_generic")
    for size in range(len(parts), 1, -1):
        tail = parts[size - 1]
        if tail not in tails and tail not in weak:
            continue
        named = [part for part in parts[: size - 1] if part.lower() not in generic and part not in tails]
        if not named or (before in ("of", "with", "to", "by") and not any(map(_is_name, named))):
            continue
        if tail in weak and not any(map(_is_name, named)):
            continue
        if parts[0].isupper() and len(parts[0]) < 4 and not any(map(_is_name, named[1:])):
            continue
        end = start + len(" ".join(parts[:size]))
        if _UNIT.match(caps.text, end):
            continue
        if any(kinds().get(part.lower(), 0) & EPONYM for part in named) and tail in weak:
            continue
        return Span(start, end, PhiLabel.HOSPITAL.value, 0.7)
    return None


def _work(caps: Capitals, at: int, before: str, words: list[str]) -> Span | None:
    """Who employs or teaches somebody: works at Sunline Freight, a driver for Greyway."""
    if before not in _WORK or not words or caps.bits[at] & (STOP | TITLE):
        return None
    said = [word.lower().strip(",;(") for word in words[-3:]]
    kind = "work_words" if before in ("at", "for", "@", "w/") else "parish_words" if before == "of" else "job_words"
    cues = word_set("en", kind)
    if not any(word in cues for word in said) or any(word[-1:] in ".:;" for word in words[-2:]):
        return None
    match = _run().match(caps.text, caps.starts[at])
    if match is None or len(match[0]) < 3 or match[0] in word_set("en", "countries") or match[0] in _MONTHS:
        return None
    return Span(match.start(), match.end(), PhiLabel.ORG.value, 0.65)


_MONTHS = frozenset(
    (
        *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
        *("November", "December", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    )
)


def _place(caps: Capitals, at: int, before: str) -> Span | None:
    """A place that no list has, after `near` and `outside`: near Cold Hollow."""
    if before not in _NEAR or caps.is_upper(at) or caps.bits[at] & (STOP | TITLE | EPONYM):
        return None
    match = _run().match(caps.text, caps.starts[at])
    if match is None or (caps.bits[at] & PLAIN and " " not in match[0]) or caps.is_eponym(at):
        return None
    return Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.6)
