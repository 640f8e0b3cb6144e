"""Dates in English notes, in all written forms; not durations, scores and frequencies."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import listed, word_set, words
from clinlp.spans import Span

# The first letter stands apart and case-blindness starts after it: so a pass only stops at these letters.
_MONTH = (
    r"[JFMASONDjfmasond](?<![A-Za-z][A-Za-z])(?i:(?<=j)an(?:uary|\.)?|(?<=f)eb(?:ruary|\.)?|"
    r"(?<=m)ar(?:ch|\.)?|(?<=a)pr(?:il|\.)?"
    r"|(?<=m)ay|(?<=j)une?|(?<=j)uly?|(?<=a)ug(?:ust|\.)?|(?<=s)ept?(?:ember|\.)?|(?<=o)ct"
    r"(?:ober|\.)?|(?<=n)ov(?:ember|\.)?"
    r"|(?<=d)ec(?:ember|\.)?)(?![A-Za-z])"
)
_ANY_MONTH = _MONTH.replace("(?<![A-Za-z][A-Za-z])", "")  # a day may touch it: 3Dec2021
_DAY = r"(?:3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?(?![0-9A-Za-z])"
_YEAR = r"(?:(?:19|20)[0-9]{2}|'[0-9]{2})(?![0-9])"
_TIME = r"(?:(?:,? (?:at )?|T|, )[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?: ?[AaPp]\.?[Mm]\b\.?|Z\b)?)?"
_D = r"[0-9](?<![0-9A-Za-z][0-9])"  # a digit that starts a number


@cache
def _numeric_dates() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(
            rf"{_D}[0-9]{{0,3}}([-/.])[0-9]{{1,2}}\1[0-9]{{2,4}}(?![0-9]|[/.][0-9]|%"
            rf"|-[0-9](?![0-9]?[-/.][0-9]{{1,2}}[-/.])){_TIME}"
        ),
        re.compile(
            rf"{_D}[0-9]?/(?:(?:19|20)[0-9]{{2}}|[0-3]?[0-9](?:-[0-9]{{1,2}}/[0-9]{{1,2}})?)(?![0-9/%a-zA-Z]|\.[0-9])"
        ),
        re.compile(rf"{_D}[0-9]{{3}}-[01][0-9](?![0-9-])"),
    )


@cache
def _compact() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{_D}[0-9]{{7}}(?![0-9A-Za-z])"),
        re.compile(rf"{_D}[0-9]? [0-9]{{1,2}} (?:19|20)[0-9]{{2}}(?![0-9A-Za-z])"),
    )


@cache
def _before_short_date() -> re.Pattern[str]:
    return re.compile(
        r"(?:\b(?:on|since|from|until|til|till|by|dated?|through|thru|before|after|DOS|DOB|DOA"
        r"|DOD|LMP|EDD|due|as of|last"
        r"|seen|admitted|discharged|performed|done|started|drawn|visit|appt|f/u|surgery|born|w/e)"
        r"|admit|adm|d/c|dc|dx|given|taken|collected|next|vax|vaccinated|expires?|exp|colonoscopy|prep|appointment|biopsy|bx|echo"
        r"|[CM]TA?|MRI|CXR|labs?|holter|monitor|z-?pak|[bu]?cx|cultures?|swab|x-?rays?|tte|tee|egd|ercp|pet|dexa|mammo(?:gram)?|e[ke]g|emg|labs?|scans?|ultrasound|cath|procedure|infusion|injection|transfusion|delivery|consult|eval|note|[a-z]+day,?|mon|tues?|wed|thurs?|fri|sat|sun"
        r"|date[a-z ]{0,12})[ :(]{1,3}$",
        re.IGNORECASE,
    )


@cache
def _before_score() -> re.Pattern[str]:
    return re.compile(
        r"(?:GCS|MMSE|MOCA|PHQ|GAD|EPDS|AUDIT|CIWA|NIHSS|HAM|BDI|SLUMS|cog|Braden|Morse|Norton|Berg|Tinetti|ESS|Epworth|FIM|WOMAC"
        r"|IPSS|IOP|memory|ACE"
        r"|scores?|scored|scales?|points?|pain|strength|grade|apgars?|ratio|rate|BP|vision|VA|O[DSU]|acuity|visual|cuff|needle|gauge"
        r"|sens|spec|LR|out|[EVM][1-6]|index|total|QIDS|UPDRS|Glasgow|coma|status|exam|question)"
        r"[-: =0-9]{0,6}(?:[\w-]+[ :]){0,2}\(?$",
        re.IGNORECASE,
    )


@cache
def _after_score() -> re.Pattern[str]:
    return re.compile(
        r"[ -]{1,2}(?:strength|power|motor|murmur|systolic|diastolic|pain|pulses?|on (?:the|a) "
        r"|scale|points?|slices|cores|doses|cycles|nodes|samples|cases|bottles|leads|beats|in (?:the )?(?:upper|lower"
        r"|right|left|all|bilat)|throughout|reflex|mm|cm|inch|of |bilateral|right|left|to |for )",
        re.IGNORECASE,
    )


def find_dates(text: str) -> Iterator[Span]:
    """Find the dates of an English text but for days that have names."""
    yield from month_dates(text)
    yield from _months_alone(text)
    yield from _month_years(text)
    yield from _foreign_months(text)
    yield from _compact_dates(text)
    full, short, year_month = _numeric_dates()
    for match in full.finditer(text):
        if _is_full(match[0], match[1]) or (match[1] == "." and _is_short(text, match)):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.95)
    reach = -9
    for match in short.finditer(text):
        month, _, rest = match[0].partition("/")
        if len(rest) == 4 and rest.isdigit():
            if 1 <= int(month) <= 12:
                yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.85)
        elif _is_month_day(text, match, month, rest) or (
            match.start() - reach < 6 and 0 < int(month) < 13 and _chain().fullmatch(text, reach, match.start())
        ):
            reach = match.end()
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in year_month.finditer(text):
        if match[0][:2] in ("19", "20") and 1 <= int(match[0][5:]) <= 12:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.7)
    if ".," in text or ".;" in text or ".)" in text:
        for match in _dotted().finditer(text):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in _nth().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.DATE.value, 0.6)


def _compact_dates(text: str) -> Iterator[Span]:
    """Dates without marks between their parts: 20240314, 03142024, and after a word for birth 1 1 1970."""
    compact, spaced = _compact()
    for match in compact.finditer(text):
        year_first, digits = match[0][:2] in ("19", "20"), match[0]
        month, day = (digits[4:6], digits[6:]) if year_first else (digits[:2], digits[2:4])
        if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 and (year_first or digits[4:6] in ("19", "20")):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in spaced.finditer(text):
        if _birth().search(text, max(0, match.start() - 20), match.start()):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.8)


@cache
def _birth() -> re.Pattern[str]:
    return re.compile(r"(?:\bborn|\bdob|\bD\.?O\.?B\.?|birth)[a-z ]{0,8}[:=(]? ?$", re.IGNORECASE)


def _is_short(text: str, match: re.Match[str]) -> bool:
    """Say whether `4.7.56` is a date: it is somebody's birth, or one number is a day and no month, as in 8.26.24."""
    first, second, year = (int(part) for part in re.split(r"[^0-9]", match[0], maxsplit=3)[:3])
    day, month = max(first, second), min(first, second)
    is_date = 0 < month < 13 and day < 32 and year < 100
    return is_date and (day > 12 or bool(_birth().search(text, max(0, match.start() - 20), match.start())))


@cache
def _chain() -> re.Pattern[str]:
    return re.compile(r" ?(?:&|and|,|to|-|or|thru|through|until) ?")


@cache
def _dotted() -> re.Pattern[str]:
    """A day and a month with points after both: 24.05., 71 %."""
    return re.compile(rf"{_D}[0-9]\.(?:0[1-9]|1[0-2])\.(?=[,;)])")


@cache
def _nth() -> re.Pattern[str]:
    return re.compile(r"on the ((?:3[01]|[12][0-9]|[1-9])(?:st|nd|rd|th))(?=[.,;\n)]| at | and | of this| of last|$)")


def is_score(text: str, start: int, end: int) -> bool:
    """Say whether the words beside `8/10` speak of a score, a strength or a share, and none before it of a day."""
    before = text[max(0, start - 26) : start]
    if _before_short_date().search(before):
        return False
    if _is_strength(text, start, *(int(number) for number in text[start:end].split("/"))):
        return True
    if min(int(number) for number in text[start:end].split("/")) > 12:
        return True
    if text[start:end].endswith("/10") and _pain().search(text, max(0, start - 60), start):
        return True
    is_measure = _amount().match(text, end) or _after_score().match(text, end)
    return bool(is_measure or _score_at().search(before))


@cache
def _pain() -> re.Pattern[str]:
    """Pain as burning, 8/10."""
    return re.compile(r"\b(?:pain|itch|nausea|distress)\b[^.;0-9]*$", re.IGNORECASE)


@cache
def _after_day() -> re.Pattern[str]:
    """What only a day is followed by: 2/10 through 2/14, 1/7 noon."""
    return re.compile(r" ?(?:through|thru|until) [0-9]{1,2}/[0-9]| (?:noon|midnight|overnight)(?![a-z])")


def _is_strength(text: str, start: int, first: int, second: int) -> bool:
    """Say whether the two numbers are of a drug of two parts, which stands before: Suboxone 16/4."""
    before = _thing_before().search(text, max(0, start - 26), start)
    if before is None or not first > 12 >= second:
        return False
    word = before[1].lower()
    return word in listed("en_things") or (word in word_set("en", "things") and word not in date_words())


@cache
def _thing_before() -> re.Pattern[str]:
    return re.compile("(?<![A-Za-z])([A-Z][a-z]{3,}) $")


@cache
def date_words() -> frozenset[str]:
    """The words that dates and holidays are made of."""
    items = (*words("en", "holidays"), *words("en", "foreign_months"))
    return frozenset(word for item in items for word in re.split(r"\W+", item.lower())) | word_set("en", "date_words")


@cache
def _score_at() -> re.Pattern[str]:
    """A score right before: pain 8/10, GCS 14/15, MMSE: 27/30."""
    return re.compile(_before_score().pattern.rpartition("[-: =0-9]")[0] + r"[-: =]{1,3}\(?$", re.IGNORECASE)


@cache
def _amount() -> re.Pattern[str]:
    return re.compile(
        r" ?(?:tab(?:let)?s?|cups?|dose|strip|ppd|packs?|pint|cap(?:sule)?s?|amp|vial|inch|way|MMSE|ROS)\b"
    )


def _is_month_day(text: str, match: re.Match[str], month: str, rest: str) -> bool:
    day = rest.partition("-")[0]
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31) and not (1 <= int(day) <= 12 < int(month) <= 31):
        return False
    if "-" in rest:
        return True
    if _after_score().match(text, match.end()) or _is_strength(text, match.start(), int(month), int(day)):
        return False
    window = text[max(0, match.start() - 26) : match.start()]
    if _before_short_date().search(window) or _after_day().match(text, match.end()):
        return True
    # Scores and strengths are out of 12 or less, or say what they are: 4/29 alone is a day.
    is_alone = text[match.end() : match.end() + 2] in ("", ". ", ", ", "; ", ": ", ") ", "),", ").", ");") or (
        text[match.end() : match.end() + 1] in ("", "\n", ")")
    )
    return max(int(month), int(day)) > 12 and is_alone and not _before_score().search(window)


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
    year = rf"(?:[,/. -]{{0,2}}(?:of )?{_YEAR}|[-/ ]'?[0-9]{{2}}(?![0-9%]|[.:/][0-9]| ?(?:mg|ml|mm|cm|years?|y)))"
    return (
        # 3-Dec-21, 3rd of December, 03 DEC 2021
        re.compile(
            rf"{_D}(?:(?<=3)[01]|(?<=[012])[0-9])?(?:st|nd|rd|th)?(?: day)?(?: of)?"
            rf"(?:[ /.,-]{{0,2}}){_ANY_MONTH}{year}?{_TIME}"
        ),
        # December 3rd, 2021; Dec. 3-5; Dec 2021
        re.compile(
            rf"{_MONTH}(?:[ ,./-]{{0,2}}(?:the )?{_DAY}(?: ?(?:-|to|and|&|through) ?{_DAY})?"
            rf"(?:,? ?{_YEAR})?|{year}){_TIME}"
        ),
        re.compile(
            r"[JFASOND](?<![A-Za-z][A-Z])(?:anuary|ebruary|pril|une|uly|ugust|eptember|ctober"
            r"|ovember|ecember)(?![a-z])(?:'s)?"
            r"|Ma(?<![A-Za-z]Ma)(?:rch|y)(?![a-z])"
        ),
    )


def month_dates(text: str) -> Iterator[Span]:
    """Find dates whose month is a word, and that say more than the month: 3-Dec-21, Dec 3."""
    day_first, month_first, _ = _months()
    found = (match for match in day_first.finditer(text) if not match[0].isdigit())
    dates = [Span(match.start(), match.end(), PhiLabel.DATE.value, 0.9) for match in found]
    yield from dates
    ends = [span.end for span in dates]
    for match in month_first.finditer(text):
        at = bisect_right(ends, match.start())  # of the dates that begin with a day, the one that the month may be in
        is_inside = at < len(dates) and dates[at].start <= match.start() and match.end() <= dates[at].end
        is_apart = at < len(dates) and dates[at].start < match.start() and _amount_after().match(text, match.end())
        if not is_inside and not is_apart:
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.9)


@cache
def _amount_after() -> re.Pattern[str]:
    """What makes a number after a month no day of it: 27 Feb, 8 d climb; 2 Nov, 23:48."""
    units = "d|days?|h|hrs?|hours?|wks?|weeks?|mo|months?|mg|ml|mL|doses?|pills?|tabs?|times"
    return re.compile(f" (?:{units})(?![A-Za-z])")


def _months_alone(text: str) -> Iterator[Span]:
    for match in _months()[2].finditer(text):
        before = text[max(0, match.start() - 14) : match.start()].lower().replace("-", " ").split()
        if match[0] in ("March", "May", "June", "April", "August") and (
            not before or before[-1] not in word_set("en", "before_month")
        ):
            continue
        part = _part_before().search(text, max(0, match.start() - 30), match.start())
        yield Span(part.start() if part else match.start(), match.end(), PhiLabel.DATE.value, 0.6)


@cache
def _part_before() -> re.Pattern[str]:
    """The first week of May."""
    return re.compile(
        r"\b(?:[Tt]he )?(?:first|second|third|last|1st|2nd|3rd|4th) (?:week(?:end)?|half|part) (?:of|in) $"
    )


@cache
def _month_year() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{_D}[0-9]?/[0-9]{{2}}(?![0-9/%a-zA-Z]|[.-][0-9])"),
        re.compile(
            r"\b(?:in|since|from|around|until|dated|early|late|mid|surgery|(?:beginning|middle|end|start) of"
            r"|(?:dx|dx'd|diagnosed)(?: w/| with)?(?: [A-Za-z]+){0,2})"
            r"[ :(-]{1,2}$",
            re.IGNORECASE,
        ),
        re.compile(r"[ -]{1,2}(?:[a-z]+s\b|strength|in (?:the )?(?:upper|lower|right|left|all|bilat)|on (?:the|a) )"),
    )


def _month_years(text: str) -> Iterator[Span]:
    """Months written 07/06 or 3/98, where the words before speak of a time and none after of a score or a share."""
    month_year, before, after = _month_year()
    for match in month_year.finditer(text):
        month, _, year = match[0].partition("/")
        if not 1 <= int(month) <= 12 or not (month[0] == "0" or year[0] in "06789"):
            continue
        if before.search(text, max(0, match.start() - 24), match.start()) and not after.match(text, match.end()):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)


@cache
def _foreign_month() -> re.Pattern[str]:
    """A day and a month of other languages of Europe, or the month in Roman numbers: 3 octobre, 14-VIII-2024."""
    months = "|".join(sorted(words("en", "foreign_months"), key=len, reverse=True))
    year = r"(?:[ .,-]{1,2}(?:de |del )?(?:(?:19|20)[0-9]{2}|[0-9]{2})(?![0-9]))"
    return re.compile(
        rf"{_D}[0-9]?(?:\.|er)?[ -](?:de )?(?i:{months})(?!\w){year}?"
        rf"|{_D}[0-9]?([ ./-]{{1,2}})(?:I{{1,3}}|IV|VI{{0,3}}|IX|XI{{0,2}})\1(?:19|20)[0-9]{{2}}(?![0-9])"
    )


def _foreign_months(text: str) -> Iterator[Span]:
    for match in _foreign_month().finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.8)
