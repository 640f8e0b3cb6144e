"""Street addresses and postal codes in English notes, of the United States and abroad."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, words
from clinlp.spans import Span

_D = r"[0-9](?<![0-9A-Za-z][0-9])"  # a digit that starts a number


@cache
def _street() -> tuple[re.Pattern[str], ...]:
    kinds = "|".join(words("en", "street_words"))
    unit = r"(?:,? ?(?:\n ?)?(?:Apt|Apartment|Suite|Ste|Unit|Room|Rm|Floor|Fl|#)\.? ?#?[0-9A-Za-z-]{1,6})?"
    states = "|".join(words("en", "states"))
    word = r"[A-Z0-9À-Þ][\w'’.-]*"
    town = r"[A-ZÀ-Þ][\w'’-]+"
    place = rf"(?:,[ \n]{{1,2}}(?:St\. |Ft\. |Mt\. )?{town}(?: {town}){{0,2}}(?=[,.\n ]|$))?"
    return (
        re.compile(
            rf"{_D}[0-9]{{0,5}}[A-Za-z]?(?:-[0-9]+)?,? (?:(?:[NSEW]\.?|North|South|East"
            rf"|West) )?(?:{word} ){{1,4}}(?:{kinds})\b\.?(?:(?<=Road|oute| Hwy|hway) [0-9]{{1,4}})?"
            rf"{unit}{place}"
            rf"(?:,? (?:{states})(?![A-Za-z]))?(?:,? [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9]))?"
        ),
        re.compile(
            r"[PpAaSsUu](?<![A-Za-z].)(?i:(?<=p)\.? ?o\.? ?box [0-9]{1,7}"
            r"|(?:(?<=a)pt|(?<=a)partment|(?<=s)uite|(?<=s)te|(?<=u)nit)\b\.? #?[0-9]{1,5}[A-Z]?\b"
            r"(?! (?:days?|hours?|weeks?|months?|minutes)\b))"
        ),
        re.compile(r"[0-9](?<=[A-Z] [0-9]|[a-z] [0-9]|, [0-9])[0-9]{4}(?:-[0-9]{4})?(?![0-9A-Za-z]|[-.,/][0-9])"),
        re.compile(rf"(?:{states})(?![A-Za-z])[,.]? *$"),
        re.compile(r"(?:zip|post(?:al)?)[ -]?(?:code)?[ :#is]{0,6}$", re.IGNORECASE),
    )


@cache
def _abroad() -> tuple[re.Pattern[str], ...]:
    letter = r"[^\W\d_]"
    name = rf"[A-ZÀ-Þ]{letter}+(?:['’-]{letter}+)*"
    small = r"(?:de|du|des|del|della|dei|di|do|da|dos|das|la|las|los|le|les|el|the|d['’]|l['’])"
    code = r"(?:[A-Z]{1,2}-)?[0-9]{4,5}(?:-[0-9]{3})?(?: [A-Z]{2})?"
    town = rf"(?:,? {{1,2}}{code} {name}(?: {name})?|, {name}(?: {name})?)?"
    kinds = any_of(words("en", "street_words_first"), guard=r"(?<![^\W\d_].)")
    ends = "|".join(words("en", "street_endings"))
    return (
        # 12 rue des Lilas, 75011 Paris; Calle de Alcalá 45, 28014 Madrid; Via Garibaldi 7, Torino
        re.compile(
            rf"{kinds}\.? (?:{small} ?){{0,2}}{name}(?: (?:{small} )?{name}){{0,2}}"
            rf"(?P<number>,? (?:n[º°o.]+ ?)?[0-9]{{1,4}}[A-Za-z]?(?![0-9%./]))?(?P<town>{town})"
        ),
        # Hauptstraße 14, 10827 Berlin; Keizersgracht 220
        re.compile(
            rf"[A-ZÀ-Þ](?<![^\W\d_].){letter}*(?:{ends}|-(?:Stra(?:ß|ss)e|Weg|Platz|Allee))"
            rf" [0-9]{{1,4}}[A-Za-z]?(?![0-9%./])"
            rf"{town}"
        ),
        # on Pulaski Highway
        re.compile(
            rf"[oan](?<=[ (].)(?:(?<=o)n|(?<=a)t|(?<=n)ear|(?<=o)ff|(?<=a)long) ((?:[NSEW]\.? )?{name}(?: {name})? "
            r"(?:Street|Avenue|Ave|Road|Rd|Highway|Hwy|Boulevard|Blvd|Lane|Drive|Parkway|Turnpike))(?![A-Za-z])"
        ),
        # 213 Pilekrogen 53 Apt. 263; PSC 4665, Box 2778 APO AE 80338
        re.compile(
            rf"(?:[0-9](?<![0-9A-Za-z][0-9])[0-9]{{0,4}} )?"
            rf"{name}(?: {name}){{0,2}} [0-9]{{1,4}}[A-Za-z]?,?[ \n]{{1,2}}$"
        ),
        re.compile(
            r"[PUC](?:(?<=P)SC|(?<=U)nit|(?<=C)MR) [0-9]{2,5},? Box [0-9]{1,5}"
            r"(?:[, \n]{1,2}[AFD]PO(?: A[AEP])?(?: [0-9]{5}(?:-[0-9]{4})?)?)?"
        ),
        # NW1 6XE, K1A 0B1, D02 AF30 (but of HLA: A24 DR15)
        re.compile(
            r"[A-Z](?<![A-Za-z0-9].)(?:[A-Z]?[0-9][0-9A-Z]? [0-9][ABD-HJLNP-UW-Z]{2}|[0-9][A-Z] [0-9][A-Z][0-9]"
            r"|(?<=[AC-FHKNPRTV-Y])[0-9][0-9W] (?=[A-Z]{1,3}[0-9])(?!D[PQR][0-9])[0-9AC-FHKNPRTV-Y]{4})"
            r"(?![A-Za-z0-9])"
        ),
        # Cook County, Orleans Parish
        re.compile(
            r"[CPBT](?<=[a-z] .)(?:(?<=C)ounty|(?<=P)arish|(?<=B)orough|(?<=T)ownship)"
            r"(?! (?:Hospital|Medical|General|Health|Clinic))(?![A-Za-z])"
        ),
        re.compile(rf"(?:(?:{name}|St\.|Mt\.|Ft\.) ){{0,2}}{name}$"),
    )


@cache
def _apartment() -> re.Pattern[str]:
    return re.compile(r"[ASUF](?:(?<=A)pt|(?<=S)uite|(?<=U)nit|(?<=F)lat)\b")


@cache
def _house() -> re.Pattern[str]:
    return re.compile(r"[0-9]{1,4}(?: ?(?:bis|ter|[A-Za-z]))?,? $")


def _places_abroad(text: str) -> Iterator[Span]:
    first, last, way, flat, army, code, county, before = _abroad()
    for match in first.finditer(text):
        house = _house().search(text, max(0, match.start() - 9), match.start())
        if (
            house
            or match["number"]
            or (match["town"] and match["town"][-1:].isalpha() and any(map(str.isdigit, match["town"])))
        ):
            low = house.start() if house else match.start()
            yield Span(low, match.end(), PhiLabel.LOCATION.value, 0.85)
    for match in last.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.85)
    for match in way.finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.LOCATION.value, 0.7)
    for match in _apartment().finditer(text):
        found = flat.search(text, max(0, match.start() - 60), match.start())
        if found:
            yield Span(found.start(), match.start() - 1, PhiLabel.LOCATION.value, 0.75)
    for pattern in (army, code) if " Box " in text else (code,):
        yield from (Span(m.start(), m.end(), PhiLabel.LOCATION.value, 0.75) for m in pattern.finditer(text))
    for match in county.finditer(text):
        found = before.search(text, max(0, match.start() - 40), match.start() - 1)
        if found and found[0].split()[0] not in _NO_COUNTY:
            yield Span(found.start(), match.end(), PhiLabel.LOCATION.value, 0.75)


_NO_COUNTY = frozenset(("The", "This", "Our", "Other", "Same", "In", "From", "Local", "County", "Patient"))


def find_streets(text: str) -> Iterator[Span]:
    """Find street addresses, post office boxes and postal codes."""
    street, box, five, state, said = _street()
    for match in street.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.9)
    for match in box.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.8)
    for match in five.finditer(text):
        window = text[max(0, match.start() - 20) : match.start()]
        if state.search(window) or said.search(window):
            yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.85)
    yield from _places_abroad(text)
