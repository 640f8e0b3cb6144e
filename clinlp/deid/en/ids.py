"""Record, account, licence and device numbers in English notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.id_forms import by_form, heads, is_amount, is_short, slashed, spaced
from clinlp.deid.patterns import is_genetic, is_luhn
from clinlp.deid.words import words
from clinlp.spans import Span


@cache
def code_systems() -> re.Pattern[str]:
    """Code systems, whose numbers say what and not who."""
    return re.compile(
        r"(?:SNOMED(?: CT)?|LOINC|RxNorm|RXCUI|NDC|CPT|ICD(?:-?(?:9|10))?(?:-CM)?|HCPCS|OMIM|PMID)"
        r"(?: reference)?[ :#]{1,3}$"
    )


_KEYS = (
    ("card_words", PhiLabel.ID_CARD),
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


@cache
def _heads() -> frozenset[str]:
    """Give how the words of all kinds begin, in up to three small letters."""
    return frozenset(head for key, _ in _KEYS for item in words("en", key) for head in heads(item) if head[1:])


@cache
def _id() -> tuple[re.Pattern[str], list[tuple[re.Pattern[str], PhiLabel]]]:
    link = (
        r"[\s:#*.=(\[-]*(?:(?:is|was|of|number|num|no|nr|id|ids|code|card"
        r"|ending(?: in)?|ends?(?: in| with)?|on file)\b[\s:#*.=(\[-]*){0,3}"
        r"(?:[A-Za-z]{0,4}[-#]?|(?-i:(?<![A-Za-z/])[A-Z]{1,4}) )$"
    )
    kinds = [
        (
            re.compile(
                r"(?<![A-Za-z])(?<!(?<![A-Za-z]{3})/)(?<!mEq/)(?<!mol/)(?<![bqt]\.)"
                rf"(?:{'|'.join(words('en', key))}){link}",
                re.IGNORECASE,
            ),
            label,
        )
        for key, label in _KEYS
    ]
    return (
        re.compile(r"[0-9](?<![0-9][0-9])[0-9A-Za-z]*(?:[-/._][0-9A-Za-z]+)*"),
        kinds,
    )


def find_ids(text: str) -> Iterator[Span]:
    """Find numbers that were given to a person or a thing, by the words before them or by their form."""
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
        low = slashed(text, low)
        reach = high
        n_digits = sum(map(str.isdigit, text[low:high]))
        window = text[max(0, low - 40) : low]
        if n_digits < 2 and high - low < 4 and not is_short(text, window, high):
            continue
        if text[low:high].startswith("NCT") or (_is_theatre(window) and n_digits < 3):
            continue
        if _fraction().fullmatch(text, low, high) or _measure().match(text, match.start()):
            continue
        if code_systems().search(window) or is_genetic(text[low:high], window):
            continue
        tagged = _tagged().match(text, low, match.start()) if n_digits > 4 else None
        if tagged:
            size = len(match[0].partition(".")[0])
            yield Span(match.start(), match.start() + size, PhiLabel.MRN.value, 0.85)
            continue
        found = _kind(window, kinds)
        if found is not None:
            low, high = _extent(text, low, high, found)
            reach, n_digits = high, sum(map(str.isdigit, text[low:high]))
        span = _given(text, low, high, found, n_digits) or (
            by_form(text, low, high, window) if found is None or n_digits < 3 else None
        )
        if span is None and high - low >= 6 and n_digits >= 3 and _is_code(text[low:high], n_digits):
            span = Span(low, high, PhiLabel.ID.value, 0.55)
        if span is not None:
            reach = max(reach, span.end)
            yield span


def _given(text: str, low: int, high: int, kind: PhiLabel | None, n_digits: int) -> Span | None:
    """Make a span of a number that the word before it names."""
    if kind is None or (kind is not PhiLabel.BED and (n_digits < 3 or not _is_given(text[low:high], kind))):
        return None
    if kind in _SMALL and n_digits < 4 and is_amount(text, high):
        return None
    is_npi = kind is PhiLabel.LICENSE and is_provider(text[low:high])
    return Span(low, high, kind.value, 0.97 if is_npi else 0.9)


def _extent(text: str, low: int, high: int, kind: PhiLabel) -> tuple[int, int]:
    """Give where a number of a kind begins and ends, with its groups."""
    return spaced(text, low, high, kind) if kind in _SPACED else _widened(text, low, high)


_SMALL = frozenset((PhiLabel.BED, PhiLabel.HEALTH_PLAN))
_SPACED = frozenset((PhiLabel.ID_CARD, PhiLabel.VEHICLE))


def _is_given(token: str, kind: PhiLabel) -> bool:
    """Say whether a number is long enough for its kind, or has the letters of a plate."""
    if kind is PhiLabel.ID_CARD:
        return len(token) > 6
    if token.upper().startswith("CA-125"):  # after "check"
        return False
    return kind is not PhiLabel.VEHICLE or any(map(str.isalpha, token)) or (len(token) > 4 and token.isdigit())


def is_provider(number: str) -> bool:
    """Check a National Provider Identifier by its last digit (45 CFR 162.406: Luhn over 80840 and the number)."""
    return len(number) == 10 and number.isdigit() and number[0] in "12" and is_luhn("80840" + number)


def find_spoken(text: str) -> Iterator[Span]:
    """Find numbers that are said digit by digit: six six oh two four."""
    low = text.lower()
    if any(word in low for word in (" oh ", "zero", " dash ", "double ")):
        for match in _spoken().finditer(low if len(low) == len(text) else text):
            yield Span(match.start(), match.end(), PhiLabel.ID.value, 0.7)


@cache
def _spoken() -> re.Pattern[str]:
    digit = "(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|dash)"
    return re.compile(rf"(?<![a-z-]){digit}(?:[ ,-]{{1,2}}{digit}){{4,}}(?![a-z-])")


def _is_theatre(window: str) -> bool:
    """Say whether the room is one of work, whose number tells nothing of a person: operating room #2."""
    return (
        window.rstrip(" #")
        .lower()
        .endswith(("operating room", "exam room", "procedure room", "trauma room", "or room"))
    )


@cache
def _beside() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"(?<![A-Za-z/])[A-Z]{1,4} $"),
        re.compile(r"(?: [0-9]{2,4}){1,4}(?: ?[0-9]?[A-EG-LN-Z])?(?![0-9A-Za-z./%-]| ?(?:[a-z]{1,3}\b|[MF]\b|[yY]))"),
        re.compile(r"(?<![0-9])[0-9]{1,4}$"),
    )


_ABBREVIATED = frozenset(("of", "no", "id", "ssn", "ss", "mrn", "mr", "dln", "hic", "hicn", "npi", "dea"))


@cache
def _said() -> frozenset[str]:
    """Give the plain words that announce a number, which are no part of it."""
    return frozenset(word.lower().rstrip("?") for key, _ in _KEYS for word in words("en", key)) | {
        *_ABBREVIATED,
    }


def _widened(text: str, low: int, high: int) -> tuple[int, int]:
    """Take the letters before a number and the groups after it: policy BCX 88291, MRN 338 291 04."""
    before, after, last = _beside()
    letters = before.search(text, max(0, low - 6), low)
    if letters and letters[0].strip().lower() in _said():
        letters = None
    groups = after.match(text, high) if last.search(text, low, high) else None
    return letters.start() if letters else low, groups.end() if groups else high


@cache
def _fraction() -> re.Pattern[str]:
    return re.compile(r"[0-9]{1,3}/[0-9]{1,3}")


@cache
def _measure() -> re.Pattern[str]:
    """A number with a unit: never given out, even after `report` or `visit`."""
    return re.compile(
        r"[0-9]+(?:[.,][0-9]+)?[ -]?"
        r"(?:mg|mcg|ug|g|kg|ml|mL|cc|mm|cm|lbs?|pounds?|calories?|kcal|units?|bpm|mm ?Hg)(?![A-Za-z])"
        r"|[0-9]+(?:\.[0-9]+)?(?:x[0-9]+(?:\.[0-9]+)?){1,2} ?[cm]m(?![A-Za-z])"
        r"|[34][0-9](?:\.[0-9] ?|(?= ?[o°º]))[o°º]?C(?![A-Za-z0-9])"
    )


@cache
def _tagged() -> re.Pattern[str]:
    """What stands before a number within one word of a file name: OkaforNgozi-MRN4471923."""
    return re.compile(r"[A-Za-z]+[-_](?:MRN|mrn|MR|PID|pid)-?$")


def _kind(window: str, kinds: list[tuple[re.Pattern[str], PhiLabel]]) -> PhiLabel | None:
    """Say what the words right before a number call it."""
    tail = window.rstrip()
    if not tail or not (tail[-1] in ":#*.=([-" or tail[-1].isalpha()):
        return None
    begun = _heads()
    if not any(mark in tail for mark in "#/") and not any(
        word[:3] in begun or word[:2] in begun for word in _letters().findall(tail[-30:].lower())
    ):
        return None
    for pattern, label in kinds:
        if pattern.search(window):
            return label
    return None


@cache
def _letters() -> re.Pattern[str]:
    return re.compile(r"[a-z]+")


def _is_code(token: str, n_digits: int) -> bool:
    """Tell a number that somebody gave out (many digits, perhaps behind capitals) from a measurement or a marker."""
    if n_digits == len(token):
        return n_digits >= 7
    return n_digits >= 5 and bool(_code().fullmatch(token))


@cache
def _code() -> re.Pattern[str]:
    return re.compile(r"[A-Z]{1,4}-?[0-9]{5,}|[A-Z]{2,4}-[0-9]{2,}-[0-9]{3,}")
