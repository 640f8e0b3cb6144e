"""Surrogates of numbers: character by character, in the same layout, and invalid where a standard exists.

A number is read without its layout, so "138 6432 0221" and "13864320221", "MRN-3444774" and "3444774"
get the same surrogate, whatever label found them.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

from clinlp.deid.surrogates.draw import Draw, characters, folded

_NUMERALS = "一二三四五六七八九"
_UNUSED_PROVINCES = ("16", "17", "18", "19", "20", "26", "27", "28", "29", "30", "38", "39", "40", "47", "48", "49")
"""Beginnings that no division of China has (GB/T 2260)."""
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    birth = r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    return (
        re.compile(rf"([0-9]{{6}})({birth})([0-9]{{3}})([0-9x])"),  # identity card
        re.compile(r"([0-9]{6})([0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))([0-9]{3})()"),  # its old form
        re.compile(r"[1-9][a-z][a-z0-9][0-9][a-z][a-z0-9][0-9][a-z]{2}[0-9]{2}"),  # Medicare beneficiary identifier
        re.compile(r"[a-z]{2}[0-9]{7}"),  # DEA registration
        re.compile(r"[a-hj-npr-z0-9]{17}"),  # vehicle identification number
        re.compile(r"[a-z][a-z0-9]{5,6}"),  # Chinese plate, after the province
    )


def write_number(words: str, draw: Draw, *, label: str = "ID") -> str | None:
    """Give another number in the same layout; none where nothing in it can be changed or read."""
    places = _places(words, label)
    if not places:
        return None
    core = "".join(_narrow(words[at]) for at in places).lower()
    return pour(words, places, _new_core(core, draw, label))


def pour(words: str, places: list[int], core: str) -> str:
    """Put the characters of a core in their places, each in the case and width of the one before."""
    written = list(words)
    for at, one in zip(places, core, strict=True):
        old = written[at]
        new = one.upper() if old.isupper() else one
        written[at] = chr(ord(new) + 0xFEE0) if "\uff01" <= old <= "\uff5e" and new.isascii() else new
    return "".join(written)


def _narrow(one: str) -> str:
    if one.isascii():
        return one
    return str(unicodedata.decimal(one)) if one.isdecimal() else unicodedata.normalize("NFKC", one)


def _places(words: str, label: str) -> list[int]:
    """Give the places of the characters to change; empty where the words cannot be read.

    Words that say what the number is (MRN, ext., 医保) stay, and so do masked characters (xxx, ***).
    """
    places: list[int] = []
    for match in re.finditer(r"(?i:s/n)(?![a-z])|[^\W\d_]+|\d+", words):
        part = match[0]
        if not part[0].isdecimal() and not part.isascii():
            flat = unicodedata.normalize("NFKC", part)
            if not flat.isascii():
                found = _han_places(part, match.start(), label)
                if found is None:
                    return []
                places += found
                continue
            if len(flat) != len(part):
                return []  # a sign that stands for several
            part = flat
        low = part.lower()
        is_masked = low.strip("x") == "" and len(low) > 1
        if low == "s/n" or (part.isalpha() and (is_masked or _is_kind(words, match, label))):
            continue
        places += range(match.start(), match.end())
    return places


def _is_kind(words: str, match: re.Match[str], label: str) -> bool:
    """Say whether a word tells what the number beside it is."""
    low = match[0].lower()
    if low not in folded("number_words") or not any(one.isdecimal() for one in words):
        return False
    return len(low) > 1 or (label in ("PHONE", "FAX") and not words[: match.start()].strip())


def _han_places(part: str, start: int, label: str) -> list[int] | None:
    """Give the places of Chinese numerals, or of a plate's province; none where a word is not known."""
    known = characters("number_words_zh")
    places: list[int] = []
    for at, one in enumerate(part, start):
        if (label == "VEHICLE" and one in characters("plates_zh")) or one in _NUMERALS:
            places.append(at)
        elif one.isascii() or one in "零〇十百千两":
            if one.isascii():
                places.append(at)
        elif one not in known:
            return None
    return places


def _new_core(core: str, draw: Draw, label: str) -> str:
    """Choose by form what standard the number follows, and break it."""
    card, old_card, *_ = _patterns()
    if match := card.fullmatch(core) or (old_card.fullmatch(core) if label in ("ID_CARD", "SSN") else None):
        return _card(match, draw)
    if label == "SSN" and core.isdigit() and len(core) in (4, 9):
        return _ssn(core, draw)
    if label == "SOCIAL" and core.isdigit() and len(core) > 4:
        return "0" + scramble(core[1:], draw)  # no QQ number starts with 0
    return _broken(core, scramble(core, draw), draw, label)


def _broken(core: str, new: str, draw: Draw, label: str) -> str:
    """Make a scrambled number one that its standard does not allow."""
    _, _, mbi, dea, vin, plate = _patterns()
    if mbi.fullmatch(core):
        return new[0] + draw.pick("bilosz", "unused letter", core) + new[2:]  # letters never given
    if vin.fullmatch(core) and not core.isdigit() and not core.isalpha():
        at = next(at for at, one in enumerate(core) if one.isalpha())
        return new[:at] + draw.pick("ioq", "unused letter", core) + new[at + 1 :]
    if label == "VEHICLE" and core[0] in characters("plates_zh") and plate.fullmatch(core[1:]):
        return new[0] + "i" + new[2:]  # no authority has the letter I
    if dea.fullmatch(core):
        return _unchecked(new, _is_dea)
    return _unchecked(new, lambda number: _is_luhn(number) or _is_luhn("80840" + number)) if new.isdigit() else new


def scramble(core: str, draw: Draw) -> str:
    """Replace each digit by a digit and each letter by a letter; zeros in front stay, no new ones come."""
    number = draw.number("number", core)
    leading = len(core) - len(core.lstrip("0"))
    if leading == len(core):
        leading = 0
    new = []
    for at, one in enumerate(core):
        if at % 32 == 31:
            number = draw.number("number", f"{core}:{at}")
        if at < leading:
            new.append("0")
        elif "0" <= one <= "9":
            lowest = at == leading and one != "0"
            number, rest = divmod(number, 9 if lowest else 10)
            new.append(str(rest + lowest))
        elif one in _NUMERALS:
            number, rest = divmod(number, 9)
            new.append(_NUMERALS[rest])
        elif one.isascii():
            number, rest = divmod(number, 26)
            new.append(string.ascii_lowercase[rest])
        else:
            new.append(draw.pick(characters("plates_zh"), "plate", one, but=one))
    return "".join(new)


def _card(match: re.Match[str], draw: Draw) -> str:
    """Give an identity card number of no division, with the birth date shifted and a wrong check digit.

    Source: GB 11643-1999. The last digit of the sequence stays odd for men and even for women.
    """
    division, birth, sequence, check = match.groups()
    place = draw.pick(_UNUSED_PROVINCES, "division", division) + f"{draw.number('county', division) % 10000:04d}"
    full = birth if len(birth) == 8 else f"19{birth}"
    try:
        born = date(int(full[:4]), int(full[4:6]), int(full[6:])) + timedelta(days=draw.days)
    except (OverflowError, ValueError):  # no day of the calendar: any other that is one
        born = date(1950, 1, 1) + timedelta(days=draw.number("birth", birth) % 18000)
    number = draw.number("sequence", match[0])
    new = place + born.strftime("%Y%m%d")[-len(birth) :]
    new += f"{number % 100:02d}{number // 100 % 5 * 2 + int(sequence) % 2}"
    if not check:
        return new
    right = "10x98765432"[sum(int(one) * weight for one, weight in zip(new, _WEIGHTS, strict=True)) % 11]
    if check == "x" and right != "x":
        return new + "x"
    return new + draw.pick([one for one in string.digits if one != right], "check", match[0])


def _ssn(core: str, draw: Draw) -> str:
    """Give a number of areas 900-999 and groups 01-49: neither a social security nor a taxpayer number."""
    last = scramble(core[-4:], draw)
    if last == core[-4:]:
        last = f"{(int(last) + 1) % 10000:04d}"
    number = draw.number("area", core[:-4])
    return last if len(core) == 4 else f"{900 + number % 100}{number // 100 % 49 + 1:02d}{last}"


def _unchecked(number: str, is_valid: Callable[[str], bool]) -> str:
    """Change the last digit until the number fails its check."""
    for step in range(10):
        tried = number[:-1] + str((int(number[-1]) + step) % 10)
        if len(number) < 9 or not is_valid(tried):
            return tried
    return number


def _is_luhn(number: str) -> bool:
    """Say whether the check digit fits (ISO/IEC 7812: bank cards; with 80840 before it, US providers)."""
    total = 0
    for at, one in enumerate(reversed(number)):
        value = int(one) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_dea(number: str) -> bool:
    """Say whether the last digit fits the other six of a registration with the US drug authority."""
    digits = [int(one) for one in number[2:]]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]
