"""Ages, telephone numbers, record numbers and plates in Chinese notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.patterns import leading
from clinlp.deid.phones import is_assigned
from clinlp.deid.plain import original
from clinlp.deid.words import words
from clinlp.deid.zh.dates import find_dates
from clinlp.deid.zh.plain import plain_zh
from clinlp.spans import Span

_D = r"[0-9](?<![0-9.][0-9])"


def find(text: str, *, all_ages: bool = False) -> list[Span]:
    """Find what numbers and dates give away in Chinese text."""
    text, places = plain_zh(text)
    spans = [
        *find_dates(text),
        *_ages(text, all_ages=all_ages),
        *_phones(text),
        *_ids(text),
        *_hidden_numbers(text),
        *_beds(text),
        *_plates(text),
    ]
    return original(spans, places)


# --- ages --------------------------------------------------------------------------------------


@cache
def _age() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{_D}[0-9]{{0,2}} ?(?:周?岁|[+]?岁)(?:[0-9]{{1,2}}个月)?"),
        re.compile(
            r"[九百](?<![〇零一二三四五六七八九十百].)(?:十|零)?[一二三四五六七八九]?十?[一二三四五六七八九]?周?岁"
        ),
        re.compile(r"年龄[:：\s]{0,3}([0-9]{1,3})(?![0-9.岁])"),
    )


def _ages(text: str, *, all_ages: bool) -> Iterator[Span]:
    digits, spelled, field = _age()
    for match in digits.finditer(text):
        age = leading(match[0])
        if 89 < age < 130 or (all_ages and age < 130):
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.85)
    for match in spelled.finditer(text):
        if match[0][1] in "十岁零":
            yield Span(match.start(), match.end(), PhiLabel.AGE.value, 0.7)
    for match in field.finditer(text):
        if 89 < int(match[1]) < 130 or all_ages:
            yield Span(match.start(1), match.end(1), PhiLabel.AGE.value, 0.75)


# --- telephones --------------------------------------------------------------------------------


@cache
def _phone() -> tuple[tuple[re.Pattern[str], float], ...]:
    turn = r"(?: ?(?:转|-|—|分机|ext\.?)[ :：号]{0,2}[0-9]{1,6}(?![0-9]))?"
    return (
        (re.compile(r"1(?<![0-9A-Za-z]1)[3-9][0-9]([ -]?)[0-9]{4}\1[0-9]{4}(?![0-9])"), 0.9),
        (re.compile(r"\+86[ -]?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])"), 0.95),
        (re.compile(r"86(?<![0-9A-Za-z]86)[ -]?1[3-9][0-9]([ -]?)[0-9]{4}\1[0-9]{4}(?![0-9])"), 0.9),
        (re.compile(r"1(?<![0-9A-Za-z]1)[3-9][0-9]{2}[ -][0-9]{3}[ -][0-9]{4}(?![0-9])"), 0.85),
        (
            re.compile(
                rf"[(（+0](?<![0-9A-Za-z.][(（+0])(?:(?<=0)|(?<=[(（])0|"
                rf"(?<=\+)86[ -]?)[1-9][0-9]{{1,2}}[)）]?[ -]{{0,2}}[2-8][0-9]{{2,3}}[ -]?[0-9]{{4}}(?![0-9]){turn}"
            ),
            0.85,
        ),
        (re.compile(rf"[48](?<![0-9A-Za-z-][48])00[ -]?[0-9]{{3,4}}[ -]?[0-9]{{3,4}}(?![0-9]){turn}"), 0.75),
        (re.compile(rf"[2-8](?<![0-9A-Za-z.-].)[0-9]{{2,3}}-[0-9]{{4}}(?![0-9]){turn}"), 0.55),
    )


@cache
def _abroad() -> re.Pattern[str]:
    """Numbers of other countries and regions: +852 9123 4567, 00853-6612-3456, 0912-345-678."""
    return re.compile(
        r"(?:\+|00(?<![0-9A-Za-z.-]00))(?!86[ -]?1)[1-9][0-9]{0,2}(?:[ -]?\(?[0-9]{1,5}\)?){2,6}(?![0-9])"
        r"|09(?<![0-9A-Za-z.-]09)[0-9]{2}([ -])[0-9]{3}\1[0-9]{3}(?![0-9-])"
    )


@cache
def _page() -> re.Pattern[str]:
    """What stands before the pages of a reference: 13（4）：213-2132."""
    return re.compile("[0-9）)] ?[:：∶] ?$")


def _phones(text: str) -> Iterator[Span]:
    for pattern, score in _phone():
        for match in pattern.finditer(text):
            window = text[max(0, match.start() - 6) : match.start()]
            if score < 0.6 and _page().search(window):
                continue
            label = PhiLabel.FAX if "传真" in window or "fax" in window.lower() else PhiLabel.PHONE
            yield Span(match.start(), match.end(), label.value, score)
    for match in _abroad().finditer(text):
        number = re.sub("^00", "+", match[0])
        if is_assigned(number, "TW"):  # the one region whose mobile numbers are written without a country code
            yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.85)


@cache
def _hidden_number() -> tuple[tuple[re.Pattern[str], PhiLabel], ...]:
    """Identity cards with blanks or stars, which are no run of digits, and telephones with stars."""
    return (
        (
            re.compile(
                r"[1-9](?<![0-9A-Za-z].)[0-9]{5}([ -]{1,2})(?:1[89]|20)[0-9]{2}[ -]{0,2}[0-9]{2}[ -]{0,2}[0-9]{2}"
                r"[ -]{1,2}[0-9]{3}[ -]?[0-9Xx](?![0-9A-Za-z])"
            ),
            PhiLabel.ID_CARD,
        ),
        (re.compile(r"[*＊](?<=[0-9].)[*＊xX]{3,13}[0-9Xx]{2,6}(?![0-9A-Za-z])"), PhiLabel.ID),
    )


def _hidden_numbers(text: str) -> Iterator[Span]:
    (card, label), (stars, _) = _hidden_number()
    for match in card.finditer(text):
        yield Span(match.start(), match.end(), label.value, 0.9)
    if "*" not in text and "＊" not in text:
        return
    for match in stars.finditer(text):
        low = match.start()
        while low and match.start() - low < 8 and text[low - 1].isdigit():
            low -= 1
        lead = text[low : match.start()]
        if 2 <= len(lead) <= 6 and match.end() - low >= 10:
            is_phone = lead[0] == "1" and len(lead) == 3 and match.end() - low <= 12
            kind = PhiLabel.PHONE if is_phone else PhiLabel.ID_CARD
            yield Span(low, match.end(), kind.value, 0.8)


# --- numbers that their field names ------------------------------------------------------------

_LINKS = frozenset('号码账为是同:：（([【#＃“"\t\n ._=oOD\u3000')
_FIELDS = (
    ("fax_words", PhiLabel.FAX, 4),
    ("phone_words", PhiLabel.PHONE, 4),
    ("id_card_words", PhiLabel.ID_CARD, 4),
    ("plan_words", PhiLabel.HEALTH_PLAN, 3),
    ("mrn_words", PhiLabel.MRN, 2),
    ("license_words", PhiLabel.LICENSE, 4),
    ("account_words", PhiLabel.ACCOUNT, 4),
    ("vehicle_words", PhiLabel.VEHICLE, 3),
    ("device_words", PhiLabel.DEVICE, 3),
    ("social_words", PhiLabel.SOCIAL, 4),
    ("id_words", PhiLabel.ID, 2),
)


@cache
def _id() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, tuple[PhiLabel, int]], int, re.Pattern[str]]:
    kinds = {word.replace("\\", ""): (label, least) for key, label, least in _FIELDS for word in words("zh", key)}
    ends = re.escape("".join(sorted({key[-1] for key in kinds} | _LINKS)))
    return (
        re.compile(
            rf"[0-9](?<=[{ends}A-Za-z_-].)[0-9A-Za-z]*(?:[-/_—.*][0-9A-Za-z*]+)*"
            r"|[0-9](?<![0-9][0-9])(?:[0-9A-Za-z]{7,}|[0-9A-Za-z]+[-/_—.*][0-9A-Za-z*]{4,})(?:[-/_—.*][0-9A-Za-z*]+)*"
        ),
        re.compile(r"(?:号码|号|码|编号|账号|ID|为|是|也是|均为|同为|[:：（(\[【#＃“\"\s._=]|No\.?|NO\.?|no\.?)+$"),
        kinds,
        max(map(len, kinds)),
        re.compile(r"[A-Za-z](?<![0-9A-Za-z_@.].)[A-Za-z0-9_-]{3,24}(?![\w@.])"),
    )


@cache
def _key_ends() -> frozenset[str]:
    """Give the characters that may stand right before a number that is named: last ones of keys, and links."""
    return frozenset({key[-1] for key in _id()[2]} | set('号码账为是同:：（([【#＃“"\t\n ._=oOD\u3000'))


def _ids(text: str) -> Iterator[Span]:
    number, link, kinds, longest, name = _id()
    ends = _key_ends()
    reach = 0
    for match in number.finditer(text):
        low, high = match.start(), match.end()
        while (
            low > reach
            and match.start() - low < 20
            and text[low - 1].isascii()
            and (text[low - 1].isalnum() or text[low - 1] in "-_")
        ):
            low -= 1
        while low < match.start() and text[low] in "-_":
            low += 1
        reach = high
        if high - low < 8 and text[low - 1 : low] not in ends:
            continue
        if text[low : low + 2] in ("QQ", "qq", "ID"):  # QQ236260, 住院IDM44321: the word ran in
            low += 2
        n_digits = sum(map(str.isdigit, text[low:high]))
        found = _kind(text, low, link, kinds, longest)
        if found is not None and (n_digits >= found[1] or (n_digits and high - low >= 5)):
            yield Span(low, high, found[0].value, 0.9)
        elif n_digits >= 8 and text[low:high].isalnum():
            yield Span(low, high, PhiLabel.ID.value, 0.5)
    for match in _social().finditer(text):
        handle = name.match(text, match.end())
        if handle:
            yield Span(handle.start(), handle.end(), PhiLabel.SOCIAL.value, 0.85)


@cache
def _social() -> re.Pattern[str]:
    return re.compile(
        r"[微Qq抖小快钉用登昵网W](?:信(?:号|ID|账号)?|Q(?:号码?|群)?|q号?|音号?|红书号?|手号?"
        r"|钉号?|户名|录名|称|名|eChat(?:ID)?)(?:[为是:： \s（(]{1,3}|(?<=信)|(?<=信号))(?=[A-Za-z])"
    )


def _kind(
    text: str, low: int, link: re.Pattern[str], kinds: dict[str, tuple[PhiLabel, int]], longest: int
) -> tuple[PhiLabel, int] | None:
    """Say what the characters right before a number call it, the longest word first."""
    if not low or text[low - 1] in "，。；、,;":
        return None
    stop = low
    while stop and text[stop - 1] in ' :：=\t（(#“"为是':
        stop -= 1
    if text[stop - 1 : stop] not in _key_ends():
        return None
    window = text[max(0, low - 24) : low]
    bare = link.sub("", window)
    for end in (window.rstrip(' :：=\t（(#“"为是'), bare):
        for size in range(min(longest, len(end)), 1, -1):
            found = kinds.get(end[-size:])
            if found is not None:
                return found
    return None


@cache
def _bed() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"{_D}[0-9A-Za-z]{{0,3}}(?:[-—][0-9]{{1,3}})? ?号?床(?!旁|边|垫|头|上|位|单|下|栏|面|尾|日|/)"),
        re.compile(
            r"床(?:号|位号|位)?[:：= \s]{0,3}([加+]?[0-9A-Za-z一二三四五六七八九十]"
            r"(?:[0-9A-Za-z-]{0,7}[0-9A-Za-z])?)(?:号?床|号(?![0-9A-Za-z]))?(?![0-9A-Za-z.])"
        ),
    )


def _beds(text: str) -> Iterator[Span]:
    number, field = _bed()
    for match in number.finditer(text):
        start = match.start() - (text[match.start() - 1 : match.start()] in ("加", "+") and match.start() > 0)
        yield Span(start, match.end(), PhiLabel.BED.value, 0.8)
    for match in field.finditer(text):
        if match[0][1] in "号位:：= " and match[0][1] != match[1]:
            yield Span(match.start(1), match.end(), PhiLabel.BED.value, 0.85)


@cache
def _plate() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]"
            r"[·• .-]?[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])"
        ),
        re.compile(r"[EGDSPHMT](?<![A-Za-z0-9].)[A-Z]?[0-9]{7,8}(?![A-Za-z0-9])"),
    )


def _plates(text: str) -> Iterator[Span]:
    plate, passport = _plate()
    for match in plate.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.VEHICLE.value, 0.9)
    for match in passport.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.LICENSE.value, 0.7)
