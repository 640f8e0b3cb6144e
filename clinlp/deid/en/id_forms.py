"""Numbers in English notes told by their form, and where a number with blanks and slashes begins and ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import FIRST, LAST, PLAIN, STOP, kinds
from clinlp.spans import Span


def heads(item: str) -> Iterator[str]:
    """Give the up to three small letters that a word, which is an expression, can begin with."""
    if item.startswith("(?:"):
        inner, _, rest = item[3:].partition(")")
        for branch in inner.split("|"):
            yield from heads(branch)
        if rest.startswith("?"):
            yield from heads(rest[1:])
        return
    letters = _literal().match(item)
    if letters:
        yield letters[0][:3].lower()


@cache
def _literal() -> re.Pattern[str]:
    return re.compile("(?:[A-Za-z](?![?]))+")


def slashed(text: str, low: int) -> int:
    """Give where a number begins whose first parts are letters: S/24/1881, PALS/2025/0093."""
    if low < 2 or text[low - 1] != "/" or not text[low - 2].isupper():
        return low
    head = _head().search(text, max(0, low - 12), low)
    return head.start() if head else low


@cache
def _head() -> re.Pattern[str]:
    return re.compile(r"(?<![A-Za-z0-9/])(?:[A-Z]{1,5}/){1,2}$")


def is_short(text: str, window: str, high: int) -> bool:
    """Say whether one digit may be a number that was given out: bed 2, bay 4, or the first of many groups."""
    return bool(_before_one().search(window)) and not _unit().match(text, high)


@cache
def _before_one() -> re.Pattern[str]:
    return re.compile(
        r"(?<![A-Za-z])(?:bed|room|bay|cot|chair|iso|hall|cubicle|isolette|stall|[a-z]{0,2}icu|hdu|pcu|cvu"
        r"|vitale|nir|script number|(?:plates?|rego?|registration|tag)(?: [A-Z]{1,3})?)[ :#]*$",
        re.IGNORECASE,
    )


def is_amount(text: str, high: int) -> bool:
    """Say whether what follows makes a number one of time or a share: emergency room 30 min later, 100 %."""
    return bool(_amount().match(text, high))


@cache
def _amount() -> re.Pattern[str]:
    return re.compile(r"[^\S\n]?(?:%|min(?:ute)?s?\b|hours?\b|days?\b|bpm\b|[o°º]C\b|[cm]m\b)")


def spaced(text: str, low: int, high: int, kind: PhiLabel) -> tuple[int, int]:
    """Take the groups of letters and digits around a number: plate P 417 KD 76, NIR 2 62 05 75 116 004 38."""
    before, after, digits = _around()
    if kind is PhiLabel.VEHICLE:
        if high - low > 7:
            return low, high
        lead = before.search(text, max(0, low - 10), low)
        tail = after.match(text, high)
        return lead.start() if lead else low, tail.end() if tail else high
    tail = digits.match(text, high)
    if low > 2 and text[low - 1] == " " and text[low - 2].isupper() and not text[low - 3].isalnum():
        low -= 2
    return low, tail.end() if tail else high


@cache
def _around() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"(?<![A-Za-z0-9])(?:(?!VIN|REG|TAG|PLATE)[A-Z]{1,4}[ -]){1,2}$"),
        re.compile(r"(?:[ -](?:[A-Z]{1,3}|[0-9]{1,5}|[0-9]{1,4}[A-Z]{1,2}|[A-Z]{1,2}[0-9]{1,4})(?![A-Za-z0-9])){1,2}"),
        re.compile(r"(?:[ -][0-9]{2,5}(?![0-9A-Za-z]|/[0-9]|[.,][0-9]| ?(?:mg|mm|cm|kg|y))){1,6}"),
    )


def by_form(text: str, low: int, high: int, window: str) -> Span | None:
    """Find what the form of a number gives away, or `no.` and `#` right before it."""
    token = text[low:high]
    if len(token) == 4 and _plate().match(text, low):
        return Span(low, high + 4, PhiLabel.VEHICLE.value, 0.7)
    for pattern, label in _forms():
        if pattern.fullmatch(token):
            is_measured = label is PhiLabel.BED and _unit().match(text, high)
            return None if is_measured else Span(low, high, label.value, 0.75 if label is PhiLabel.PHONE else 0.6)
    if len(token) < 3 and token.isdigit():
        ward = _ward().search(window, max(0, len(window) - 16))
        is_bed = ward is not None and not _unit().match(text, high)
        return Span(low - len(ward[1] or ""), high, PhiLabel.BED.value, 0.6) if ward and is_bed else None
    return _after_no(text, low, high, window)


@cache
def _forms() -> tuple[tuple[re.Pattern[str], PhiLabel], ...]:
    return (
        (_extension(), PhiLabel.PHONE),
        (_bed(), PhiLabel.BED),
        (_card(), PhiLabel.ID_CARD),
        (_accession(), PhiLabel.ID),
    )


def _after_no(text: str, low: int, high: int, window: str) -> Span | None:
    """Find a number right after `no.`, `#` and their kind, whatever the word before: cause no. 2023-CI-118."""
    is_near = window.rstrip("#.: ([ABCDEFGHIJKLMNOPQRSTUVWXYZ").lower().endswith(_NUMBERS) or "#" in window[-5:]
    said = _numbered().search(window) if is_near else None
    if said is None or _kinds_of_things().search(window) or _unit().match(text, high):
        return None
    n_digits = sum(map(str.isdigit, text[low:high]))
    if n_digits <= (2 if said[0][0] in "nN" or high - low > n_digits else 4):
        return None
    end = _groups_after().match(text, high)
    return Span(low - len(said[1]), end.end() if end else high, PhiLabel.ID.value, 0.6)


_NUMBERS = ("no", "nr", "number", "ref", "code", " is")


@cache
def _extension() -> re.Pattern[str]:
    return re.compile(r"x[0-9]-?[0-9]{3,4}|p[0-9]{4}")


@cache
def _bed() -> re.Pattern[str]:
    return re.compile(
        r"[1-9][0-9]?[NSEW]-[0-9]{1,3}[A-Z]?|[1-9][A-D]-[0-9]{2}|[NSEW][0-9]{1,2}-[0-9]{2,3}"
        r"|(?:[A-Z]{0,2}ICU|CCU|PCU|CVU|OBS|PACU)-[0-9]{1,2}"
    )


@cache
def _unit() -> re.Pattern[str]:
    return re.compile(
        r"(?:[^\S\n]?(?:mg|mcg|g|kg|ml|mL|cc|mm|cm|m|days?|d|h|hrs?|hours?|min(?:ute)?s?|weeks?|wks?|months?|years?|x|%|/|times"
        r"|patients?|beds?|nights?|bpm|beats|breaths|to [0-9]|[-–][0-9])(?![A-Za-z])|\.[0-9] ?[o°º]C\b)"
    )


@cache
def _plate() -> re.Pattern[str]:
    """A British number plate; not a marker of cells with its result (CD20 POS)."""
    return re.compile(
        r"(?!C[DK]|CA)[A-HJ-PR-Y]{2}(?:[0-2][0-9]|[5-7][0-9]) (?!POS|NEG|DIM|LOW)[A-HJ-PR-Z]{3}(?![A-Za-z0-9])"
    )


@cache
def _accession() -> re.Pattern[str]:
    """How laboratories and registers number: S-24-06612, H24/19022, 24-S-40092, UNTH/23/10884, SCR-0041."""
    return re.compile(
        r"[A-Z]{1,3}-?[0-9]{2}[-/][0-9]{4,6}(?:-[A-Z0-9])?|[0-9]{2}-[A-Z]{1,2}-[0-9]{4,6}|[A-Z]{2,4}-0[0-9]{3,}"
        r"|[0-9]{2}-[0-9]{2}-[0-9]{3}|(?:[A-Z]{1,5}/){1,2}[0-9]{2,5}(?:/[0-9]{2,6})+|(?:[A-Z]{2,5}/){2}[0-9]{3,6}"
    )


@cache
def _card() -> re.Pattern[str]:
    """The identity number of Singapore."""
    return re.compile(r"[STFGM][0-9]{7}[A-Z]")


@cache
def _ward() -> re.Pattern[str]:
    return re.compile(
        r"(?<![A-Za-z])(?:[CMSTNP]V?ICU |ICU |CCU |HDU |PCU |CVU |OBS |Iso |Hall |(?<=bed )([A-Z][a-z]{2,9} ))$"
    )


@cache
def _numbered() -> re.Pattern[str]:
    return re.compile(
        r"(?:(?<![A-Za-z])(?:[Nn]o\.|[Nn]r\.?|[Nn]umber|(?:our|your|lab) ref|[Rr]ef(?=:)|NO\."
        r"|(?:[Cc]lient|[Dd]onor|[Uu]nit) code)"
        r"|(?<![A-Za-z0-9 ])#|(?<=[A-Za-z])#|(?<=[a-z] )#)"
        r"(?: is|:)?[ #(\[]{0,2}([A-Z]{1,3} |)$"
    )


@cache
def _kinds_of_things() -> re.Pattern[str]:
    """Words whose numbers say what and not who: model no. 12345, image #1452."""
    return re.compile(
        r"(?:model|part|size|page|type|catalog(?:ue)?|lead|image|images|phone|slice|series|criteri(?:on|a)|table|figure"
        r"|gauge|suture|grade)s? ?(?:no\.|number|#)[: #]*$",
        re.IGNORECASE,
    )


@cache
def _groups_after() -> re.Pattern[str]:
    return re.compile(r"(?: [0-9]{2,4}(?![0-9A-Za-z/.-])){1,4}(?: ?[A-Z](?![A-Za-z0-9]))?")


def find_files(text: str) -> Iterator[Span]:
    """Find the names of picture and video files that hold a name or an unknown word: akerblom_T1_014.dcm."""
    known = kinds()
    for match in _picture().finditer(text):
        low, floor = match.start(), max(0, match.start() - 80)
        while low > floor and (text[low - 1].isalnum() or text[low - 1] in "_-.+~"):
            low -= 1
        for part in _part().findall(text, low, match.start()):
            bits = known.get(part.lower(), 0)
            if (bits & (FIRST | LAST) and not bits & (STOP | PLAIN)) or (not bits and part not in _CAMERA):
                yield Span(low, match.end(), PhiLabel.PHOTO.value, 0.9)
                break


_CAMERA = frozenset(("DCIM", "Screenshot", "screenshot", "Scan", "scan", "JPEG", "HEIC", "fundus"))


@cache
def _part() -> re.Pattern[str]:
    return re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}")


@cache
def _picture() -> re.Pattern[str]:
    kinds = "jpe?g|png|heic|dcm|tiff?|mp4|mov|avi|bmp|gif"
    return re.compile(rf"\.(?:{kinds}|{kinds.upper()})(?![A-Za-z0-9])")
