"""Numbers that the words before them name, in Chinese notes: 住院号, 医保号, 预约码, 微信."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.patterns import is_genetic
from clinlp.deid.words import words
from clinlp.spans import Span

_LINKS = frozenset('号码位账为是同:：（([【#＃“"\t\n ._=oOD\u3000')
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
        re.compile(
            r"(?:号码|号|码|编号|账号|尾号|[后末](?:[四六]|[46] ?)位|ID|为|是|也是|均为|同为"
            r"|[:：（(\[【#＃“\"\s._=]|No\.?|NO\.?|no\.?)+$"
        ),
        kinds,
        max(map(len, kinds)),
        re.compile(r"[A-Za-z](?<![0-9A-Za-z_@.].)[A-Za-z0-9_-]{3,24}(?![\w@.])"),
    )


@cache
def _key_ends() -> frozenset[str]:
    """Give the characters that may stand right before a number that is named: last ones of keys, and links."""
    return frozenset({key[-1] for key in _id()[2]} | {"第"} | _LINKS)


def find_ids(text: str) -> Iterator[Span]:
    """Find record numbers and the like, by the word before them or by their length."""
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
        if is_genetic(text[low:high]):
            continue
        if text[low : low + 2] in ("QQ", "qq", "ID"):  # QQ236260, 住院IDM44321: the word ran in
            low += 2
        n_digits = sum(map(str.isdigit, text[low:high]))
        found = _kind(text, low, link, kinds, longest)
        if found is not None and (n_digits >= found[1] or (n_digits and high - low >= 5)):
            more = _more().match(text, high)
            reach = max(high, more.end() if more else high)
            yield Span(low, reach, found[0].value, 0.9)
        elif found is None and _is_code(text, low, high, n_digits):
            yield Span(low, high, PhiLabel.ID.value, 0.6)
        elif n_digits >= 8 and text[low:high].isalnum():
            yield Span(low, high, PhiLabel.ID.value, 0.5)
    for match in _social().finditer(text):
        handle = name.match(text, match.end())
        if handle:
            yield Span(handle.start(), handle.end(), PhiLabel.SOCIAL.value, 0.85)


@cache
def _more() -> re.Pattern[str]:
    """Further groups of a number that blanks part: 402 118 76."""
    return re.compile(r"(?: [0-9]{1,6}(?=[ \u3000，。；、,;）)\n]|$))+")


@cache
def _coded() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Give the search for words that call a code, and for those that call a size, a model or a disease."""
    return (
        re.compile(rf"(?:{'|'.join(sorted(words('zh', 'code_words'), key=lambda w: (-len(w), w)))})[:： （(]{{0,2}}$"),
        re.compile(r"(?:型|尺|代|字|货|文|批|色|房|楼|门牌|座位|排|大小|编)[号码][:： ]{0,2}$|[简套菜]单[:： ]?$"),
    )


def _is_code(text: str, low: int, high: int, n_digits: int) -> bool:
    """Say whether a number is somebody's: parted or led by letters, and after 登记码, 预约单, 第."""
    word = text[low:high]
    has_letter = word[0].isascii() and word[0].isalpha()
    if n_digits < (3 if has_letter else 5) or "." in word or not (has_letter or "-" in word) or high - low < 5:
        return False
    if high < len(text) and text[high] in "天日月年岁元次例mM%":
        return False
    window = text[max(0, low - 8) : low]
    if window.endswith("第"):
        return text[high : high + 1] == "号"
    called, barred = _coded()
    return bool(called.search(window)) and not barred.search(window)


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
            if found is not None and end[-3:] not in ("BID", "TID", "QID"):
                return found
    return None
