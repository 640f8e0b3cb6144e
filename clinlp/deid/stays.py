"""What a trained tagger may take for an identifier and policy or word lists say is none."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import EPONYM, FIRST, LAST, PLAIN, STOP, kinds
from clinlp.deid.words import any_of, listed, word_set, words
from clinlp.spans import Span


def stays(said: str, label: str, *, is_sure: bool = False) -> bool:
    """Say whether words that a tagger found are known to identify nobody.

    A bare year or clock time is no date, an age under 90 none that Safe Harbor names, a state, province or
    country no place, one Han character no word; a name needs a word that is not one of a dictionary, and a hospital
    a name.

    Args:
        is_sure: Whether the tagger has next to no doubt: then a name may be any word that has a capital, as Serenity.
    """
    bare = " ".join(unicodedata.normalize("NFKC", said).split()).strip(" .,;:()（），。；：、-–")
    if not bare or not _has_form(bare, label) or _is_fragment(bare, label):
        return True
    if label == PhiLabel.NAME:
        return not (is_sure and _titled().fullmatch(bare)) and _is_no_name(bare)
    if label == PhiLabel.LOCATION:
        return _is_large(bare)
    if label == PhiLabel.AGE:
        return _is_young(bare)
    if label in _PLACES:
        return bool(_generic().fullmatch(bare)) or all(part in _place_kinds() for part in bare.lower().split())
    return label == PhiLabel.DATE and bool(_no_date().fullmatch(bare))


def is_nationwide(text: str, span: Span) -> bool:
    """Say whether a find is, or is a part of, the name of a bank, an insurer or a carrier of a whole country."""
    if span.label not in _PLACES or not _WIDE[0] <= text[span.start] <= _WIDE[1]:
        return False
    near = max(0, span.start - _REACH)
    return any(
        match.start() <= span.start and span.end <= match.end()
        for match in _nationwide().finditer(text, near, span.end + _REACH)
    )


def is_duration(text: str, span: Span) -> bool:
    """Say whether a find is a number of months, as the word behind it says: 3月余前, 两月多."""
    if span.label != PhiLabel.DATE:
        return False
    return bool(_months().fullmatch(text, span.start, span.end)) and text[span.end : span.end + 1] in ("余", "多")


@cache
def _months() -> re.Pattern[str]:
    return re.compile("(?:[0-9]{1,2}|[一二两三四五六七八九十]{1,2})个?月")


@cache
def _nationwide() -> re.Pattern[str]:
    return re.compile(any_of(words("zh", "nationwide")))


def _has_form(bare: str, label: str) -> bool:
    """Say whether words have the least that a kind must have: an `@` in an address, some digits in a number."""
    n_digits = sum(map(str.isdigit, bare))
    if label in _CALLED and _amount().fullmatch(bare):
        return False
    if label in _NUMBERS:
        return len(bare) > 2 and (n_digits > 0 or len(bare) > 11 or bool(_han_number().search(bare)))
    if label in _MARKED:
        return any(mark in bare for mark in _MARKED[PhiLabel(label)])
    if label in (PhiLabel.LOCATION, PhiLabel.NAME, PhiLabel.HOSPITAL, PhiLabel.ORG):
        return n_digits > 3 or any(map(str.isalpha, bare))
    return True


def _is_young(bare: str) -> bool:
    numbers = re.findall("[0-9]+", bare)
    if not numbers:  # a number in words may say any age
        return not _spelled().search(bare)
    return all(int(number) < 90 or int(number) > 130 for number in numbers)


_WIDE = "\u4e00", "\u9fff"
_ONE_WORD = frozenset("和于从向平时常明成单全应左水")
"""Surnames that are words by themselves."""


def _is_fragment(bare: str, label: str) -> bool:
    """Say whether it is one Han character, a piece of a word, and no surname."""
    if len(bare) > 1 or not _WIDE[0] <= bare <= _WIDE[1]:
        return False
    return label != PhiLabel.NAME or bare not in listed("zh_surnames") or bare in _ONE_WORD


@cache
def _amount() -> re.Pattern[str]:
    """Money: 492876.42, 1,170,794.45."""
    return re.compile("[0-9]+(?:[,，][0-9]{3})*[.][0-9]{1,2}")


@cache
def _spelled() -> re.Pattern[str]:
    return re.compile("[〇零一二三四五六七八九十百廿卅旬耄耋]|(?i:nine|ninet|hundred|centen|nonagen)")


@cache
def _han_number() -> re.Pattern[str]:
    return re.compile("[〇零一二三四五六七八九幺]{4}")


_NUMBERS = frozenset(
    (PhiLabel.ID, PhiLabel.MRN, PhiLabel.PHONE, PhiLabel.FAX, PhiLabel.SSN, PhiLabel.ID_CARD, PhiLabel.ACCOUNT)
)
_CALLED = frozenset((PhiLabel.PHONE, PhiLabel.FAX, PhiLabel.ACCOUNT))
_MARKED = {PhiLabel.EMAIL: "@＠", PhiLabel.URL: "./", PhiLabel.IP: ".:"}
_PLACES = (PhiLabel.HOSPITAL, PhiLabel.ORG)
_REACH: Final = 12  # characters of the longest name of such an institution


@cache
def _no_date() -> re.Pattern[str]:
    """Years, clock times, weekdays, a number of weeks."""
    year, day = "(?:19|20)[0-9]{2}", "(?:Mon|Tues?|Wed(?:nes)?|Thur?s?|Fri|Sat(?:ur)?|Sun)(?:day)?s?"
    day = f"(?i:{day})"
    clock = "(?:at )?(?:[01]?[0-9]|2[0-3])[:：][0-5][0-9](?::[0-5][0-9])?"
    return re.compile(
        rf"{year}s?年?版?(?: ?(?:-|to|and|至|、) ?{year}年?)?|{clock}|{day}(?: ?[-/,、] ?{day})*|[0-9]/(?:7|52|12)|24/7"
        r"|(?:3[2-9]|[4-9][0-9]|[0-9]{3})/[0-9]{1,3}|[0-9]{1,3}/(?:3[2-9]|[4-9][0-9]|[0-9]{3})|[A-Z]{2,6}|[0-9]{3,}\.[0-9]+|[0-9]/[0-9]/[0-9]"
    )


@cache
def _large() -> frozenset[str]:
    """Countries, states, provinces."""
    names = [name.casefold() for name in (*words("en", "countries"), *words("en", "states")) if name.isascii()]
    provinces = [re.sub("(?:维吾尔|壮族|回族)?自治区$|[省市]$", "", name) for name in listed("zh_provinces")]
    return frozenset([*names, *provinces])


def _is_large(bare: str) -> bool:
    name = re.sub("(?:维吾尔|壮族|回族)?自治区$|省$", "", bare.casefold())
    if bare.isdigit() and len(bare) == 4 and bare[:2] in ("19", "20"):
        return True  # a year, not a postal code
    return name in _large() and name not in ("北京", "上海", "天津", "重庆")


def _is_no_name(bare: str) -> bool:
    if _WIDE[0] <= bare[0] <= _WIDE[1]:
        return bare in listed("zh_words") or bare in word_set("zh", "not_people")
    if " " in bare or "-" in bare:
        parts = bare.split()
        common = (kinds().get(part.lower(), 0) & (PLAIN | STOP | FIRST | LAST) for part in parts)
        return any(map(str.islower, parts)) and all(bits and not bits & (FIRST | LAST) for bits in common)
    bits = kinds().get(bare.lower(), 0)
    if bare.isupper() and bare.isalpha() and 3 < len(bare) < 7 and not bits & (FIRST | LAST):
        return True  # NSTEMI
    return bool(bits & (PLAIN | EPONYM | STOP)) and (bool(bits & STOP) or not bits & (FIRST | LAST))


@cache
def _titled() -> re.Pattern[str]:
    return re.compile("[A-Z][a-z]{2,}|[A-Z]{4,6}")


@cache
def _place_kinds() -> frozenset[str]:
    """Words that say what a hospital or an employer is, not which."""
    return word_set("en", "hospital_generic") | word_set("en", "place_kinds")


@cache
def _generic() -> re.Pattern[str]:
    """Kinds of places without a name: 当地医院, 乡镇卫生院, 我们医院、上级医院."""
    kind = (
        "(?:[本我你您咱该外某多几各两当那这好一家所地县市区镇乡村省大]|们|这边|那边|乡镇|上级|下级|二级|三级|三甲|公立|正规|专科"
        "|以上|男科|社区)"
    )
    what = "(?:医院|卫生院|诊所|卫生室|卫生所|公司|工厂|厂|学校|单位|药店)"
    return re.compile(
        rf"(?:.*某|{kind}*){what}?(?:[、，和及或]?{kind}*{what})*|(?i:hospital|clinic|school|company|pharmacy|center)"
    )
