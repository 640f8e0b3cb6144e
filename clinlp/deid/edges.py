"""What belongs to no identifier at the ends of a span that found one: a clock time, a department, a title."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, word_set, words
from clinlp.spans import Span


def trimmed(span: Span, text: str) -> Span:
    """Cut off the ends of a found span what policy leaves in the text.

    A time of day without seconds after a date, a department after a Chinese hospital, the unit of an age, the word
    before the number of a bed, titles and degrees around a name: Safe Harbor names none of them, and readers need
    them. A time stamp with seconds stays whole.
    """
    tail, head = _tails().get(span.label), _heads().get(span.label)
    after = tail.search(text, max(span.start, span.end - _REACH), span.end) if tail else None
    before = head.match(text, span.start, span.end) if head else None
    start, end = before.end() if before else span.start, after.start() if after else span.end
    return replace(span, start=start, end=end) if start < end and (before or after) else span


_NAMES_TOO = frozenset(("Dame", "Sir", "Judge", "Major", "Imam", "Pastor", "Sergeant", "Doctor"))
"""Titles that are names of people as well."""


@cache
def _heads() -> dict[str, re.Pattern[str]]:
    kin = "Daughter|Wife|Husband|Mum|Mom|Dad|Brother|Aunt|Auntie|Aunty|Uncle|Mother|Foreman|Pt|Patient|Client"
    hello = "Hey|Hi|Hola|Hello|Dear|Thanks"
    titles = "|".join(title for title in words("en", "titles") if title not in _NAMES_TOO)
    bed = "[Bb]ed|[Bb]ay|[Rr]oom|[Rr]m|[Cc]hair|[Ss]tation|[Cc]ot|[Cc]ubicle|[Pp]od"
    return {
        PhiLabel.NAME.value: re.compile(rf"(?:(?:{kin}|{hello}|{titles})\.?,? )+(?=[A-ZÀ-Þ])"),
        PhiLabel.BED.value: re.compile(rf"(?:(?:{bed})\.? ?#?)+(?=[0-9A-Z])"),
    }


_REACH = 24  # characters at the end of a span that are looked at


@cache
def _tails() -> dict[str, re.Pattern[str]]:
    part = "(?:凌晨|清晨|早上|上午|中午|下午|傍晚|晚上|[晨早晚])?"
    hour = "(?:[01]?[0-9]|2[0-4])"
    minutes = "[:：][0-5][0-9]|[时点](?:[0-5]?[0-9]分?|半|整)?(?:许|左右)?"
    clock = rf"{part} ?{hour}(?:{minutes})(?: ?[AaPp]\.?[Mm]\.?| ?h(?:rs?)?)?"
    packed = "(?!19|20)(?:[01][0-9]|2[0-3])[0-5][0-9](?: ?h(?:rs?)?)?|20[0-5][0-9] ?h(?:rs?)?"
    department = any_of(words("zh", "departments")) + "(?:[一二三四五六七八九十0-9]{1,2}(?:病区|区|科|病房))?"
    degrees = "|".join(
        re.escape(degree) for degree in words("en", "degrees") if degree not in word_set("en", "weak_degrees")
    )
    return {
        PhiLabel.NAME.value: re.compile(rf"(?:,? (?:{degrees})|, ?NP)\.?$"),
        PhiLabel.DATE.value: re.compile(
            rf"(?:(?<=[0-9A-Za-z])(?:,? (?:at |@ ?)?|, )(?:{clock}|{packed})|(?<=[日号])[, ]?{clock})$"
        ),
        PhiLabel.HOSPITAL.value: re.compile(f"(?:(?<=[院所站队])|(?<=中心)){department}$"),
        PhiLabel.AGE.value: re.compile(
            r"(?<=[0-9〇零一二三四五六七八九十百])(?:[ -]?(?:y\.?/?o\.?|yrs?\.?|years?)(?:[ -]old)?|周?岁)$",
            re.IGNORECASE,
        ),
    }
