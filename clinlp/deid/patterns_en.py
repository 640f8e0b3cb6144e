"""Dates, ages, telephone numbers, record numbers and street addresses in English notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import words
from clinlp.spans import Span

# The first letter stands apart and case-blindness starts after it: so a pass only stops at these letters.
_MONTH = (
    r"[JFMASONDjfmasond](?<![A-Za-z][A-Za-z])(?i:(?<=j)an(?:uary|\.)?|(?<=f)eb(?:ruary|\.)?|(?<=m)ar(?:ch|\.)?|(?<=a)pr(?:il|\.)?"
    r"|(?<=m)ay|(?<=j)une?|(?<=j)uly?|(?<=a)ug(?:ust|\.)?|(?<=s)ept?(?:ember|\.)?|(?<=o)ct(?:ober|\.)?|(?<=n)ov(?:ember|\.)?"
    r"|(?<=d)ec(?:ember|\.)?)(?![A-Za-z])"
)
_MONTH_INNER = _MONTH.replace("(?<![A-Za-z][A-Za-z])", "")  # a day may touch it: 3Dec2021
_DAY = r"(?:3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?(?![0-9])"
_YEAR = r"(?:(?:19|20)[0-9]{2}|'[0-9]{2})(?![0-9])"
_TIME = r"(?:(?:,? (?:at )?|T|, )[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?: ?[AaPp]\.?[Mm]\b\.?|Z\b)?)?"
_D = r"[0-9](?<![0-9A-Za-z][0-9])"  # a digit that starts a number


def find(text: str, *, all_ages: bool = False) -> list[Span]:
    """Find what numbers and months give away in English text."""
    return [*_dates(text), *_ages(text, all_ages=all_ages), *_phones(text), *_ids(text), *_streets(text)]


@cache
def _numeric_dates() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(rf"{_D}[0-9]{{0,3}}([-/.])[0-9]{{1,2}}\1[0-9]{{2,4}}(?![0-9]|[-/.][0-9]){_TIME}"),
        re.compile(
            rf"{_D}[0-9]?/(?:(?:19|20)[0-9]{{2}}|[0-3]?[0-9](?:-[0-9]{{1,2}}/[0-9]{{1,2}})?)(?![0-9/%a-zA-Z]|\.[0-9])"
        ),
        re.compile(rf"{_D}[0-9]{{3}}-[01][0-9](?![0-9-])"),
        re.compile(rf"{_D}[0-9]{{7}}(?![0-9A-Za-z])"),
    )


@cache
def _before_short_date() -> re.Pattern[str]:
    return re.compile(
        r"(?:\b(?:on|since|from|until|til|till|by|dated?|through|thru|before|after|DOS|DOB|DOA|DOD|LMP|EDD|due|as of|last"
        r"|seen|admitted|discharged|performed|done|started|drawn|visit|appt|f/u|surgery|born|w/e)"
        r"|date[a-z ]{0,12})[ :(]{1,3}$",
        re.IGNORECASE,
    )


@cache
def _after_score() -> re.Pattern[str]:
    return re.compile(
        r"[ -]{1,2}(?:strength|power|motor|murmur|systolic|diastolic|pain|pulses?|on (?:the|a) |scale|points?|in (?:the )?(?:upper|lower"
        r"|right|left|all|bilat)|throughout|reflex|mm|cm|inch|of |bilateral|right|left|to |for )",
        re.IGNORECASE,
    )


def _dates(text: str) -> Iterator[Span]:
    full, short, year_month, compact = _numeric_dates()
    for match in full.finditer(text):
        if _is_full(match[0], match[1]):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.95)
    for match in short.finditer(text):
        month, _, rest = match[0].partition("/")
        if len(rest) == 4 and rest.isdigit():
            if 1 <= int(month) <= 12:
                yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.85)
        elif _is_month_day(text, match, month, rest):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in year_month.finditer(text):
        if match[0][:2] in ("19", "20") and 1 <= int(match[0][5:]) <= 12:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.7)
    for match in compact.finditer(text):
        if match[0][:2] in ("19", "20") and 1 <= int(match[0][4:6]) <= 12 and 1 <= int(match[0][6:]) <= 31:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    yield from _month_names(text)
    yield from _named_days(text)


def _is_month_day(text: str, match: re.Match[str], month: str, rest: str) -> bool:
    day = rest.partition("-")[0]
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return False
    if "-" in rest:
        return True
    window = text[max(0, match.start() - 22) : match.start()]
    if not _before_short_date().search(window):
        return False
    return not _after_score().match(text, match.end())


def _is_full(date: str, separator: str) -> bool:
    parts = re.split(r"[^0-9]", date, maxsplit=3)
    first, second, third = parts[0], parts[1], parts[2]
    one, two, three = int(first), int(second), int(third[:4])
    if len(first) == 4:
        return 1800 <= one <= 2199 and 1 <= two <= 12 and 1 <= three <= 31 and len(third) <= 2
    if len(first) == 3 or len(third) == 3:
        return False
    if separator == "." and (len(third) != 4 and not (len(first) == len(second) == 2)):
        return False
    if len(third) == 4 and not 1800 <= three <= 2199:
        return False
    return (1 <= one <= 12 and 1 <= two <= 31) or (1 <= one <= 31 and 1 <= two <= 12)


@cache
def _months() -> tuple[re.Pattern[str], ...]:
    year = rf"(?:,? ?(?:of )?{_YEAR}|[-/ ]'?[0-9]{{2}}(?![0-9%]|[.:/][0-9]| ?(?:mg|ml|mm|cm|years?|y)))"
    return (
        # 3-Dec-21, 3rd of December, 03 DEC 2021
        re.compile(
            rf"{_D}(?:(?<=3)[01]|(?<=[012])[0-9])?(?:st|nd|rd|th)?(?: day)?(?: of)?(?:[ /.,-]{{0,2}}){_MONTH_INNER}{year}?{_TIME}"
        ),
        # December 3rd, 2021; Dec. 3-5; Dec 2021
        re.compile(
            rf"{_MONTH}(?:[ ,./-]{{0,2}}(?:the )?{_DAY}(?: ?(?:-|to|and|&|through) ?{_DAY})?(?:,? ?{_YEAR})?|{year}){_TIME}"
        ),
        re.compile(
            r"[JFASOND](?<![A-Za-z][A-Z])(?:anuary|ebruary|pril|une|uly|ugust|eptember|ctober|ovember|ecember)(?![a-z])(?:'s)?"
            r"|Ma(?<![A-Za-z]Ma)(?:rch|y)(?![a-z])"
        ),
    )


def _month_names(text: str) -> Iterator[Span]:
    day_first, month_first, alone = _months()
    for match in day_first.finditer(text):
        if not match[0].isdigit():
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.9)
    for match in month_first.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.9)
    for match in alone.finditer(text):
        before = text[max(0, match.start() - 14) : match.start()].lower().split()
        if match[0] in ("March", "May", "June", "April", "August") and (not before or before[-1] not in _IN):
            continue
        yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)


_IN = frozenset("in since last this next until by of from early late mid during through before after and till".split())


@cache
def _days() -> re.Pattern[str]:
    return re.compile(
        r"[MTWFSNCEIHJ](?<![A-Za-z][A-Z])(?:(?:on|ues|ednes|hurs|ri|atur|un)day(?![a-z])"
        r"|hristmas(?: (?:Eve|Day))?|hanksgiving(?: Day)?|ew Year'?s?(?: (?:Eve|Day))|aster(?: Sunday)?(?= )|ndependence Day|alloween"
        r"|emorial Day|abor Day)"
    )


def _named_days(text: str) -> Iterator[Span]:
    for match in _days().finditer(text):
        before = text[max(0, match.start() - 12) : match.start()].lower().split()
        after = text[match.end() : match.end() + 6]
        is_list = re.match(r",? (?:and |or )?[MTWFS][a-z]+d", after) or re.match(r"s\b|/|-", after)
        if before and before[-1].strip("(,") in _ON and not is_list:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.55)


_ON = frozenset("on last this next until by since from before after at over around till of past day:".split())


@cache
def _age() -> tuple[re.Pattern[str], ...]:
    unit = r"[ -]{0,2}(?:years?|yrs?|y(?:/|\.)?o|yo|y)\b\.?(?:[ -]?(?:old|of age))?"
    return (
        re.compile(rf"{_D}[0-9]{{0,2}}(?![0-9])(?:{unit}|(?:'?s)\b|(?=[ -]?(?:[MF]|male|female)\b))"),
        re.compile(
            r"(?:ninet(?:y|ies)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|one hundred(?:[- ]and)?(?:[- ]\w+)?)[- ]years?(?:[- ]old)?"
        ),
        re.compile(r"[Aa]ge(?<![a-z].{3})d?(?: is| of|:| at \w+:)? ?([0-9]{1,3})(?![0-9]|[/.:-][0-9])"),
    )


def _ages(text: str, *, all_ages: bool) -> Iterator[Span]:
    digits, spelled, aged = _age()
    for match in digits.finditer(text):
        age = _leading(match[0])
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
            r"[(+0-9](?<![0-9A-Za-z.#-][(+0-9])(?:(?<=\+)[0-9]{1,3}[ .-]?\(?|(?<=0)0?1?[ .-]?[0-9]?[ .-]?|(?<=1)[ .-]?\(?)?"
            rf"(?:(?<=[0-9])[0-9]{{2}}|[0-9]{{3}})[)]?[ .-]{{0,2}}[0-9]{{3}}[ .-][0-9]{{4}}(?![0-9]|[-/][0-9]){extension}"
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
        re.compile(rf"[(+0-9](?<![0-9A-Za-z-][(+0-9])[0-9 ().x-]{{2,22}}[0-9](?![0-9A-Za-z/%])"),
    )


def _phones(text: str) -> Iterator[Span]:
    said, faxed, loose = _said_phone()
    ten, seven, *others, long = _phone()
    certain = [(ten, 0.9), (seven, 0.7), *((other, 0.75) for other in others), (long, 0.0)]
    for pattern, score in certain:
        for match in pattern.finditer(text):
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
        window = text[max(0, match.start() - 36) : match.start()]
        if said.search(window) and sum(c.isdigit() for c in match[0]) >= 4:
            yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.8)


@cache
def _id() -> tuple[re.Pattern[str], list[tuple[re.Pattern[str], PhiLabel]]]:
    link = r"[\s:#.=(\[-]*(?:(?:is|was|of|number|num|no|nr|id|ids|code|card|ending in)\b[\s:#.=(\[-]*){0,3}[A-Za-z]{0,4}[-#]?$"
    kinds = [
        (re.compile(rf"(?<![A-Za-z])(?:{'|'.join(words('en', key))}){link}", re.IGNORECASE), label)
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
        re.compile(rf"[0-9](?<![0-9][0-9])[0-9A-Za-z]*(?:[-/._][0-9A-Za-z]+)*"),
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
            and (text[low - 1].isalnum() or text[low - 1] in "-")
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
        found = _kind(window, kinds)
        if found is PhiLabel.BED or (found is not None and n_digits >= 3):
            yield Span(low, high, found.value, 0.9)
        elif high - low >= 6 and n_digits >= 3 and _is_code(text[low:high], n_digits):
            yield Span(low, high, PhiLabel.ID.value, 0.55)
    for match in _login().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.SOCIAL.value, 0.85)


@cache
def _login() -> re.Pattern[str]:
    """A user name after its word, which must be told by a colon, `is` or a quote from running text."""
    return re.compile(
        r"[UuLlSsTtIiFf](?<![A-Za-z].)(?i:(?<=u)ser(?: ?name|id)|(?<=l)og(?:in|on)|(?<=s)creen ?name|(?<=s)kype|(?<=t)witter"
        r"|(?<=t)elegram|(?<=t)iktok|(?<=i)nstagram|(?<=f)acebook)(?i: ?(?:id|name|handle|account))?(?: is |: ?|=| ['\"])"
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
    """Tell a number that somebody gave out (long digits, or letters in capitals with digits) from a measurement."""
    if n_digits == len(token):
        return n_digits >= 7
    return (
        n_digits >= 5
        and not any(map(str.islower, token))
        and token[0].isupper()
        and "/" not in token
        and "." not in token
    )


@cache
def _street() -> tuple[re.Pattern[str], ...]:
    kinds = "|".join(words("en", "street_words"))
    unit = r"(?:,? ?(?:\n ?)?(?:Apt|Apartment|Suite|Ste|Unit|Room|Rm|Floor|Fl|#)\.? ?#?[0-9A-Za-z-]{1,6})?"
    states = "|".join(words("en", "states"))
    word = r"[A-Z0-9À-Þ][\w'’.-]*"
    place = rf"(?:,[ \n]{{1,2}}{word}(?: {word}){{0,2}}(?=[,.\n ]))?"
    return (
        re.compile(
            rf"{_D}[0-9]{{0,5}}[A-Za-z]?(?:-[0-9]+)?,? (?:(?:[NSEW]\.?|North|South|East|West) )?(?:{word} ){{1,4}}(?:{kinds})\b\.?{unit}{place}"
            rf"(?:,? (?:{states})(?![A-Za-z]))?(?:,? [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9]))?"
        ),
        re.compile(
            r"P\.? ?O\.? ?Box [0-9]{1,7}|(?:Apt|Apartment|Suite|Ste|Unit)\b\.? #?[0-9]{1,5}[A-Z]?\b", re.IGNORECASE
        ),
        re.compile(rf"[0-9](?<=[A-Z] [0-9]|[a-z] [0-9]|, [0-9])[0-9]{{4}}(?:-[0-9]{{4}})?(?![0-9A-Za-z]|[-.,/][0-9])"),
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


def _leading(text: str) -> int:
    """Read the number that a text starts with."""
    size = 0
    while size < len(text) and text[size].isdigit():
        size += 1
    return int(text[:size])
