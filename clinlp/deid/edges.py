"""What belongs to no identifier at the ends of a span that found one: a clock time, a department, a title."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import FIRST, LAST, PLAIN, STOP, TITLE, kinds
from clinlp.deid.en.months import date_words
from clinlp.deid.words import any_of, word_set, words
from clinlp.spans import Span


def trimmed(span: Span, text: str) -> Span:
    """Cut off the ends of a found span what policy leaves in the text.

    A time of day without seconds after a date, a department after a hospital, the unit of an age, the word before
    the number of a bed or of a telephone, titles, degrees, sex and findings around a name: Safe Harbor names none of
    them, and readers need them. A time stamp with seconds stays whole.
    """
    tail, head = _tails().get(span.label), _heads().get(span.label)
    after = tail.search(text, max(span.start, span.end - _REACH), span.end) if tail else None
    before = head.match(text, span.start, span.end) if head else None
    start, end = before.end() if before else span.start, after.start() if after else span.end
    if span.label == PhiLabel.NAME:
        start = _after_words(text, start, end)
    if span.label == PhiLabel.NAME and text[start].isupper() and (sign := _sign_behind().search(text, start, end)):
        end = sign.start()
    if span.label in _WORDS_BEHIND:
        end = _without_words(text, start, end, span.label)
    return replace(span, start=start, end=end) if start < end and (start, end) != (span.start, span.end) else span


def completed(span: Span, text: str) -> Span:
    """Go on to what a find stops before: the rest of a number, the words that end the name of a place.

    Where 3456 was found in 12-3456-HN, the number is whole; where Hope or Hearth was in Hope & Hearth of Elko, the
    place is; so is Route 9 where Route was.
    """
    if span.label in _CODES:
        return _whole_number(span, text)
    if span.label == PhiLabel.LOCATION:
        is_road = _road().search(text, span.start, span.end)
        more = (_road_number() if is_road else _flat()).match(text, span.end)
        return replace(span, end=more.end()) if more else span
    if span.label not in _PLACES:
        return span
    if before := _named_before().search(text, max(0, span.start - _REACH), span.start):
        span = replace(span, start=before.start())
    if text[span.end : span.end + 1] == " ":
        span = _with_words(_with_kind(span, text), text)
        if text[span.end - 1].isalpha() and (behind := _named_behind().match(text, span.end)):
            span = replace(span, end=behind.end())
    return span


@cache
def _road() -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(?i:route|rte|highway|hwy|interstate|county road)\Z")


@cache
def _road_number() -> re.Pattern[str]:
    """The number that a road is known by: Route + 9, Highway + 61."""
    return re.compile(r" [0-9]{1,4}[A-Z]?(?![\w/%-]|\.[0-9])")


@cache
def _flat() -> re.Pattern[str]:
    """What is behind the place of a house: Matauri Bay + , lot 9."""
    kinds_of = "lot|flat|apt|apartment|unit|suite|ste|villa|plot|berth|trailer"
    return re.compile(rf",? (?i:{kinds_of})\.? #?[0-9]{{1,4}}[A-Z]?(?![\w/%-]|\.[0-9])")


def age_behind(name: Span, text: str) -> Span | None:
    """Give the age from 90 on that stands behind somebody's name without a word: Ada Frost (94), Frost A 94."""
    if text[name.end : name.end + 1] not in " ,(" or not (found := _bare_age().match(text, name.end)):
        return None
    return Span(*found.span(1), PhiLabel.AGE.value, AGE_SCORE)


@cache
def _bare_age() -> re.Pattern[str]:
    """A number that no unit or sign makes a value."""
    unit = r"%|kg|lbs?|cm|mm|m[glm]|bpm|sat|on RA|percent|[./:][0-9]|-[0-9]|/"
    return re.compile(rf"(?:,? \(?|,|\()(9[0-9]|10[0-9])(?![\w-])(?! ?(?:{unit}))")


def _with_words(span: Span, text: str) -> Span:
    """Go on over the capitalised common words behind the name of a place: Northland + Air Transit."""
    if not text[span.start].isupper() or not text[span.end - 1].islower():
        return span
    end = span.end
    while more := _capitalised().match(text, end):
        word = more[1].lower()
        if not kinds().get(word, 0) & PLAIN or kinds()[word] & (FIRST | LAST | STOP | TITLE) or word in date_words():
            break
        end = more.end()
    return replace(span, end=end) if end > span.end else span


@cache
def _capitalised() -> re.Pattern[str]:
    return re.compile(r" ([A-Z][a-z]{2,})(?![\w'’-])")


def _with_kind(span: Span, text: str) -> Span:
    """Go on to the word that ends the name of a place: Maple Grove assisted + living."""
    kind, two_words = _kind_behind()
    end = kind.match(text, span.end)
    if end is None or kind.fullmatch(text, text.rfind(" ", span.start, span.end), span.end):
        return span
    last = text[span.start : span.end].rsplit(" ", 1)[-1].lower()
    needed = two_words.get(end[1].lower())
    return replace(span, end=end.end()) if needed is None or last in needed else span


def _whole_number(span: Span, text: str) -> Span:
    """Go to both ends of a number with its hyphens, and to a short part behind a slash: SYN-[0419] + /24."""
    behind, before = _number_ends()
    start, end = span.start, span.end
    if text[end - 1].isalnum() and (more := behind.match(text, end)):
        end = more.end()
    if text[start].isalnum() and (more := before.search(text, max(0, start - _REACH), start)):
        start = more.start()
    return span if (start, end) == (span.start, span.end) else replace(span, start=start, end=end)


@cache
def _number_ends() -> tuple[re.Pattern[str], re.Pattern[str]]:
    behind = r"(?:-?[A-Za-z0-9])*(?:/(?=[A-Z]?[0-9])[A-Z0-9]{1,4})?(?![A-Za-z0-9/])"
    return re.compile(behind), re.compile(r"(?<![A-Za-z0-9/.-])(?:(?:[A-Z0-9]+-)+|[A-Z])\Z")


@cache
def _named_behind() -> re.Pattern[str]:
    """Another name behind the name of a place: & Hearth, of Elko, of the Isles."""
    name = r"[A-ZÀ-Þ][\w'’-]*[a-zß-ÿ]"
    return re.compile(rf" (?:&|of(?: the)?) {name}(?: {name})*")


@cache
def _named_before() -> re.Pattern[str]:
    """Another name before it: Hope &, University of, Friends of the."""
    heads = (
        "University|College|School|Institute|Hospital|Church|Order|Society|Isle|Choir|Friends|Academy|Diocese|Temple"
        "|Cent(?:er|re)|Sisters|House|Home|Club|Clinic|Ministry|Union|Bank|City|County|Town|Port"
    )
    return re.compile(rf"(?<![\w'’-])(?:[A-ZÀ-Þ][\w'’-]*[a-zß-ÿ] & |(?:{heads}) of (?:the )?)\Z")


AGE_SCORE: Final = 0.6
_CODES = frozenset(
    (
        *(PhiLabel.ID, PhiLabel.MRN, PhiLabel.DEVICE, PhiLabel.LICENSE, PhiLabel.VEHICLE, PhiLabel.ACCOUNT),
        *(PhiLabel.HEALTH_PLAN, PhiLabel.ID_CARD, PhiLabel.SSN, PhiLabel.BED),
    )
)
_PLACES = frozenset((PhiLabel.HOSPITAL, PhiLabel.ORG))


@cache
def _kind_behind() -> tuple[re.Pattern[str], dict[str, frozenset[str]]]:
    """The last word of a place's name, and which word must be before it where it says other things too."""
    kinds_of = "hospital|hospice|clinic|infirmary|center|centre|academy|school|college|university|church|mosque|temple"
    two_words = {
        "home": frozenset(("nursing", "care", "group", "rest", "funeral", "retirement")),
        "care": frozenset(("memory", "urgent", "primary", "nursing", "cancer", "health", "eye", "wound", "hospice")),
        "living": frozenset(("assisted", "senior", "independent")),
    }
    return re.compile(
        rf" ({kinds_of}|{'|'.join(two_words)})(?![\w-]| (?:day|course|stay|bill)s?\b)", re.IGNORECASE
    ), two_words


def _after_words(text: str, start: int, end: int) -> int:
    """Give the start of a name without the common words before it: kiddo Imani."""
    while before := _word_before().match(text, start, end):
        word = before[1]
        if (
            not kinds().get(word, 0) & PLAIN
            or kinds()[word] & (FIRST | LAST)
            or word in word_set("en", "name_particles")
        ):
            break
        start = before.end()
    return start


@cache
def _word_before() -> re.Pattern[str]:
    return re.compile("([a-z]{3,}) (?=[A-ZÀ-Þ])")


def _without_words(text: str, start: int, end: int, label: str) -> int:
    """Give the end of a name or a date without the common words and the abbreviations behind it: Kim translating."""
    if label == PhiLabel.NAME and text[start:end].islower():
        return end
    while behind := _word_behind().search(text, max(start, end - _REACH), end):
        word = behind[1]
        lower, bits = word.lower(), kinds().get(word.lower(), 0)
        if label == PhiLabel.NAME:
            is_part = (bits & (FIRST | LAST) and word.islower()) or lower in word_set("en", "name_particles")
        else:
            is_part = lower in date_words()
        is_common = bits & PLAIN and len(word) > 2 if word.islower() else lower in word_set("en", "findings")
        if is_part or not is_common or (not word.islower() and text[behind.start() - 1].isupper()):
            break
        end = behind.start()
    return end


_WORDS_BEHIND = frozenset((PhiLabel.NAME, PhiLabel.DATE))


@cache
def _word_behind() -> re.Pattern[str]:
    return re.compile(r"(?<=\w)[,.]? (?:- )?([A-Za-z]+|f/u|w/)[,.]?$")


@cache
def _sign_behind() -> re.Pattern[str]:
    """What stands between a name and a birth, a death, another name: b. 1971, d. 2024, v. Smith, aka."""
    return re.compile(r"(?<=[a-zß-ÿ])[ \n](?:aka|[bdv])\.?[ /]*$")


_NAMES_TOO = frozenset(("Dame", "Sir", "Judge", "Major", "Imam", "Pastor", "Sergeant", "Doctor"))
"""Titles that are names of people as well."""


@cache
def _heads() -> dict[str, re.Pattern[str]]:
    kin = (
        "Daughter|Wife|Husband|Mum|Mom|Dad|Papa|Brother|Bro|Aunt|Auntie|Aunty|Uncle|Mother|Grandma|Grandpa|Nana|T[íi]a"
        "|T[íi]o|Foreman|Pt|Patient|Client|Cpl|Pvt|Pte|Firefighter"
    )
    hello = "Hey|Hi|Hola|Hello|Dear|Thanks"
    titles = "|".join(title for title in words("en", "titles") if title not in _NAMES_TOO)
    number = r"(?i:ext|x|pager|bleep|S/N|N|UDI|MBI|IBAN|ph|serial)[.:]?[ #]+(?=[0-9A-Z]*[0-9])"
    bed = "[Bb]ed|[Bb]ay|[Rr]oom|[Rr]m|[Cc]hair|[Ss]tation|[Cc]ot|[Cc]ubicle|[Pp]od"
    return {
        PhiLabel.NAME.value: re.compile(
            rf"(?:(?:(?<=[0-9])|(?<=[0-9] )|(?<=yo )|(?<=/o ))[MFmf],? )?"
            rf"(?:(?:{kin}|{hello}|{titles})\.?,? )*(?=[A-ZÀ-Þ])"
        ),
        PhiLabel.LOCATION.value: re.compile(
            "[于在](?![都洪田家集桥平])(?=[\u4e00-\u9fff]{2})"
            "|(?:(?:at )?home|(?:the )?kitchen|near|via|and),? (?=[0-9A-Z])"
        ),
        **dict.fromkeys(_NUMBERED, re.compile(number)),
        PhiLabel.BED.value: re.compile(rf"(?:(?:{bed})\.? ?#?)+(?=[0-9A-Z])"),
    }


_NUMBERED = tuple(
    label.value for label in (PhiLabel.PHONE, PhiLabel.FAX, PhiLabel.ID, PhiLabel.DEVICE, PhiLabel.HEALTH_PLAN)
)
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
        PhiLabel.HOSPITAL.value: re.compile(
            rf"(?:(?:(?<=[院所站队])|(?<=中心)){department}"
            r"|(?<=[a-z]),? (?:ED|ER|ICU|CCU|[MSPN]ICU|PACU|A&E)(?: bay)?)$"
        ),
        PhiLabel.AGE.value: re.compile(
            r"(?<=[0-9〇零一二三四五六七八九十百])(?:[ -]?(?:y\.?/?o\.?|yrs?\.?|years?)(?:[ -]old)?|周?岁)$",
            re.IGNORECASE,
        ),
    }
