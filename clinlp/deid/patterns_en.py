"""Ages, telephone numbers, record numbers and street addresses in English notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.dates_en import find_dates
from clinlp.deid.patterns import leading
from clinlp.deid.words import words
from clinlp.spans import Span

_D = r"[0-9](?<![0-9A-Za-z][0-9])"  # a digit that starts a number


def find(text: str, *, all_ages: bool = False) -> list[Span]:
    """Find what numbers and months give away in English text."""
    return [*find_dates(text), *_ages(text, all_ages=all_ages), *_phones(text), *_ids(text), *_streets(text)]


@cache
def _age() -> tuple[re.Pattern[str], ...]:
    unit = r"[ -]{0,2}(?:years?|yrs?|y(?:/|\.)?o|yo|y)\b\.?(?:[ -]?(?:old|of age))?"
    return (
        re.compile(rf"{_D}[0-9]{{0,2}}(?![0-9])(?:{unit}|(?:'?s)\b|(?=[ -]?(?:[MF]|male|female)\b))"),
        re.compile(
            r"(?:ninet(?:y|ies)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?"
            r"|one hundred(?:[- ]and)?(?:[- ]\w+)?)[- ]years?(?:[- ]old)?"
        ),
        re.compile(r"[Aa]ge(?<![a-z].{3})d?(?: is| of|:| at \w+:)? ?([0-9]{1,3})(?![0-9]|[/.:-][0-9])"),
    )


def _ages(text: str, *, all_ages: bool) -> Iterator[Span]:
    digits, spelled, aged = _age()
    for match in digits.finditer(text):
        age = leading(match[0])
        is_decade = match[0].endswith("s") and not match[0].endswith(("rs", "ars"))
        if is_decade and not text[max(0, match.start() - 6) : match.start()].endswith(("his ", "her ", "their ")):
            continue
        if 89 < age < 126 or (all_ages and age < 126):
            tail = text[match.end() : match.end() + 6]
            if "old" not in match[0] and re.match(r" (?:ago|of|prior|later|follow|hist)", tail):
                continue
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.8)
    for match in spelled.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.7)
    for match in aged.finditer(text):
        if 89 < int(match[1]) < 126 or (all_ages and int(match[1]) < 126):
            yield Span(match.start(1), match.end(1), PhiLabel.AGE.value, 0.75)


@cache
def _phone() -> tuple[re.Pattern[str], ...]:
    extension = r"(?:,? ?(?:x|ext\.?|extension|Ext\.?) ?[0-9]{1,6}(?![0-9]))?"
    return (
        re.compile(
            r"[(+0-9](?<![0-9A-Za-z.-][(+0-9])(?:(?<=\+)[0-9]{1,3}[ .-]?\(?|"
            r"(?<=0)0?1?[ .-]?[0-9]?[ .-]?|(?<=1)[ .-]?\(?)?"
            rf"(?:(?<=[0-9])[0-9]{{2}}|[0-9]{{3}})[)]?[ .-]{{0,2}}[0-9]{{3}}[ .-][0-9]{{4}}"
            rf"(?![0-9]|[-/][0-9]){extension}"
        ),
        re.compile(rf"{_D}[0-9]{{2}}-[0-9]{{4}}(?![0-9-]){extension}"),
        re.compile(r"\+[0-9]{1,3}[ .-]?(?:\(0\))?(?:[ .()-]{0,2}[0-9]{1,5}){2,6}(?![0-9])"),
        re.compile(r"0(?<![0-9A-Za-z.,-]0)[0-9]{1,4}[ .-](?:[0-9]{2,4}[ .-]){1,4}[0-9]{2,4}(?![0-9])"),
        re.compile(r"\([0-9]{2,4}\)[ -]?[0-9]{2,4}(?:[ -][0-9]{2,4}){1,3}(?![0-9])" + extension),
        re.compile(rf"{_D}[0-9]{{9,12}}(?![0-9A-Za-z]){extension}"),
    )


@cache
def _said_phone() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    keys = "|".join(words("en", "phone_words"))
    return (
        re.compile(rf"\b(?:{keys})s?\b[^0-9\n]{{0,24}}$", re.IGNORECASE),
        re.compile(r"\bfax(?:ed)?\b[^0-9\n]{0,24}$", re.IGNORECASE),
        re.compile(r"[(+0-9](?<![0-9A-Za-z-][(+0-9])[0-9 ().x-]{2,22}[0-9](?![0-9A-Za-z/%])"),
    )


def _phones(text: str) -> Iterator[Span]:
    said, faxed, loose = _said_phone()
    ten, seven, *others, long = _phone()
    certain = [(ten, 0.9), (seven, 0.7), *((other, 0.75) for other in others), (long, 0.0)]
    for pattern, score in certain:
        for match in pattern.finditer(text):
            if match[0][0] == "+" and sum(map(str.isdigit, match[0])) < 7:
                continue  # a lens of +3.50
            window = text[max(0, match.start() - 36) : match.start()]
            if faxed.search(window):
                yield Span(match.start(), match.end(), PhiLabel.FAX.value, 0.95)
            elif said.search(window):
                yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.95)
            elif score:
                yield Span(match.start(), match.end(), PhiLabel.PHONE.value, score)
            elif sum(c.isdigit() for c in match[0]) == 10:
                yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.5)
    for match in loose.finditer(text):
        if sum(c.isdigit() for c in match[0]) < 4 or _decimal().fullmatch(match[0]):
            continue
        if said.search(text[max(0, match.start() - 36) : match.start()]):
            yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.8)


@cache
def _decimal() -> re.Pattern[str]:
    return re.compile(r"[0-9]+\.[0-9]+")


@cache
def _id() -> tuple[re.Pattern[str], list[tuple[re.Pattern[str], PhiLabel]]]:
    link = (
        r"[\s:#.=(\[-]*(?:(?:is|was|of|number|num|no|nr|id|ids|code|card"
        r"|ending in)\b[\s:#.=(\[-]*){0,3}[A-Za-z]{0,4}[-#]?$"
    )
    kinds = [
        (re.compile(rf"(?<![A-Za-z/])(?<![bqt]\.)(?:{'|'.join(words('en', key))}){link}", re.IGNORECASE), label)
        for key, label in (
            ("mrn_words", PhiLabel.MRN),
            ("ssn_words", PhiLabel.SSN),
            ("plan_words", PhiLabel.HEALTH_PLAN),
            ("license_words", PhiLabel.LICENSE),
            ("vehicle_words", PhiLabel.VEHICLE),
            ("device_words", PhiLabel.DEVICE),
            ("account_words", PhiLabel.ACCOUNT),
            ("bed_words", PhiLabel.BED),
            ("id_words", PhiLabel.ID),
        )
    ]
    return (
        re.compile(r"[0-9](?<![0-9][0-9])[0-9A-Za-z]*(?:[-/._][0-9A-Za-z]+)*"),
        kinds,
    )


def _ids(text: str) -> Iterator[Span]:
    number, kinds = _id()
    reach = 0
    for match in number.finditer(text):
        low, high = match.start(), match.end()
        if low < reach:
            continue
        while (
            low > reach
            and match.start() - low < 12
            and (text[low - 1].isalnum() or text[low - 1] == "-")
            and text[low - 1].isascii()
        ):
            low -= 1
        while text[low] == "-":
            low += 1
        reach = high
        n_digits = sum(map(str.isdigit, text[low:high]))
        window = text[max(0, low - 40) : low]
        if n_digits < 2 and high - low < 4 and not window.rstrip(" :#").lower().endswith(("bed", "room")):
            continue
        if _fraction().fullmatch(text, low, high) or _measure().match(text, match.start()):
            continue
        found = _kind(window, kinds)
        if found is PhiLabel.BED or (found is not None and n_digits >= 3):
            yield Span(low, high, found.value, 0.9)
        elif high - low >= 6 and n_digits >= 3 and _is_code(text[low:high], n_digits):
            yield Span(low, high, PhiLabel.ID.value, 0.55)
    for match in _login().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.SOCIAL.value, 0.85)


@cache
def _fraction() -> re.Pattern[str]:
    return re.compile(r"[0-9]{1,3}/[0-9]{1,3}")


@cache
def _measure() -> re.Pattern[str]:
    """A number with a unit: never given out, even after `report` or `visit`."""
    return re.compile(
        r"[0-9]+(?:[.,][0-9]+)?[ -]?(?:mg|mcg|ug|g|kg|ml|mL|cc|mm|cm|lbs?|pounds?|calories?|kcal|units?)(?![A-Za-z])"
    )


@cache
def _login() -> re.Pattern[str]:
    """A user name after its word, which must be told by a colon, `is` or a quote from running text."""
    return re.compile(
        r"[UuLlSsTtIiFf](?<![A-Za-z].)(?i:(?<=u)ser(?: ?name|id)|(?<=l)og(?:in|on)|"
        r"(?<=s)creen ?name|(?<=s)kype|(?<=t)witter"
        r"|(?<=t)elegram|(?<=t)iktok|(?<=i)nstagram|(?<=f)acebook)(?i: ?(?:id|name|handle"
        r"|account))?(?: is |: ?|=| ['\"])"
        r"([A-Za-z0-9_][A-Za-z0-9._-]{2,40}[A-Za-z0-9_])"
    )


def _kind(window: str, kinds: list[tuple[re.Pattern[str], PhiLabel]]) -> PhiLabel | None:
    """Say what the words right before a number call it."""
    tail = window.rstrip()
    if not tail or not (tail[-1] in ":#.=([-" or tail[-1].isalpha()):
        return None
    for pattern, label in kinds:
        if pattern.search(window):
            return label
    return None


def _is_code(token: str, n_digits: int) -> bool:
    """Tell a number that somebody gave out (many digits, perhaps behind capitals) from a measurement or a marker."""
    if n_digits == len(token):
        return n_digits >= 7
    return n_digits >= 5 and bool(_code().fullmatch(token))


@cache
def _code() -> re.Pattern[str]:
    return re.compile(r"[A-Z]{1,4}-?[0-9]{5,}|[A-Z]{2,4}-[0-9]{2,}-[0-9]{3,}")


@cache
def _street() -> tuple[re.Pattern[str], ...]:
    kinds = "|".join(words("en", "street_words"))
    unit = r"(?:,? ?(?:\n ?)?(?:Apt|Apartment|Suite|Ste|Unit|Room|Rm|Floor|Fl|#)\.? ?#?[0-9A-Za-z-]{1,6})?"
    states = "|".join(words("en", "states"))
    word = r"[A-Z0-9À-Þ][\w'’.-]*"
    place = rf"(?:,[ \n]{{1,2}}{word}(?: {word}){{0,2}}(?=[,.\n ]))?"
    return (
        re.compile(
            rf"{_D}[0-9]{{0,5}}[A-Za-z]?(?:-[0-9]+)?,? (?:(?:[NSEW]\.?|North|South|East"
            rf"|West) )?(?:{word} ){{1,4}}(?:{kinds})\b\.?{unit}{place}"
            rf"(?:,? (?:{states})(?![A-Za-z]))?(?:,? [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9]))?"
        ),
        re.compile(
            r"P\.? ?O\.? ?Box [0-9]{1,7}|(?:Apt|Apartment|Suite|Ste|Unit)\b\.? #?[0-9]{1,5}[A-Z]?\b", re.IGNORECASE
        ),
        re.compile(r"[0-9](?<=[A-Z] [0-9]|[a-z] [0-9]|, [0-9])[0-9]{4}(?:-[0-9]{4})?(?![0-9A-Za-z]|[-.,/][0-9])"),
        re.compile(rf"(?:{states})(?![A-Za-z])[,.]? *$"),
        re.compile(r"(?:zip|post(?:al)?)[ -]?(?:code)?[ :#is]{0,6}$", re.IGNORECASE),
    )


def _streets(text: str) -> Iterator[Span]:
    street, box, five, state, said = _street()
    for match in street.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.9)
    for match in box.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.8)
    for match in five.finditer(text):
        window = text[max(0, match.start() - 20) : match.start()]
        if state.search(window) or said.search(window):
            yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.85)
