"""What the words around two numbers with a slash say: 8/10 is a score, a strength, a share or a day."""

from __future__ import annotations

import re
from functools import cache

from clinlp.deid.en.months import date_words
from clinlp.deid.words import listed, word_set


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


def is_month_day(text: str, match: re.Match[str], month: str, rest: str) -> bool:
    """Say whether the two numbers are a month and a day, in either order."""
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
def _score_at() -> re.Pattern[str]:
    """A score right before: pain 8/10, GCS 14/15, MMSE: 27/30."""
    return re.compile(_before_score().pattern.rpartition("[-: =0-9]")[0] + r"[-: =]{1,3}\(?$", re.IGNORECASE)


@cache
def _amount() -> re.Pattern[str]:
    return re.compile(
        r" ?(?:tab(?:let)?s?|cups?|dose|strip|ppd|packs?|pint|cap(?:sule)?s?|amp|vial|inch|way|MMSE|ROS)\b"
    )
