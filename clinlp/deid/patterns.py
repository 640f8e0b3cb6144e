"""Numbers and addresses of machines that look the same in both languages.

Every expression starts with a narrow set of first characters (digits, `@`, `:`), so that a pass over
the text costs nanoseconds a character; what must stand before is checked after the first character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.plain import original, plain
from clinlp.spans import Span

_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_WIDE |= {ord(wide): ord(narrow) for wide, narrow in zip("／－．＠＿＋＃–—‑", "/-.@_+#---", strict=True)}
_HAS_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ／－．＠＿＋＃–—‑]")

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PROVINCES: Final = frozenset(
    map(
        str,
        (
            *range(11, 16),
            *range(21, 24),
            *range(31, 38),
            *range(41, 47),
            *range(50, 55),
            *range(61, 66),
            71,
            81,
            82,
            83,
        ),
    )
)


def narrow(text: str) -> str:
    """Give the text with full-width letters, digits and dashes made narrow, each in its place."""
    if text.isascii() or not _HAS_WIDE.search(text):
        return text
    return _HAS_WIDE.sub(lambda wide: chr(_WIDE[ord(wide[0])]), text)  # few: `translate` would visit every character


def find_common(text: str) -> list[Span]:
    """Find e-mail and web addresses, IP addresses, identity cards, SSNs and payment cards."""
    shown, places = plain(text)
    return original([*_emails(shown), *_urls(shown), *_ips(shown), *_long_numbers(shown)], places)


def is_id_card(number: str) -> bool:
    """Check an 18-character identity number by its check character (GB 11643-1999)."""
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, number[:17], strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def is_luhn(digits: str) -> bool:
    """Check a payment card number by its last digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@cache
def _email() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(r"[A-Za-z0-9._%+'-]{1,64}$"), re.compile(r"@ ?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


@cache
def _handle() -> re.Pattern[str]:
    return re.compile(r"_[A-Za-z0-9_.]*[A-Za-z0-9_]")


@cache
def _spelled() -> re.Pattern[str]:
    return re.compile(
        r"[A-Za-z0-9._%+-]{1,64} ?[(\[] ?(?:at|AT) ?[)\]] ?"
        r"[A-Za-z0-9-]+(?:(?:\.| ?[(\[] ?(?:dot|DOT) ?[)\]] ?)[A-Za-z0-9-]+)+"
    )


def _emails(text: str) -> Iterator[Span]:
    if "(at)" in text or "[at]" in text or " at ]" in text or " at )" in text:
        for match in _spelled().finditer(text):
            yield Span(match.start(), match.end(), PhiLabel.EMAIL.value, 0.95)
    local, domain = _email()
    at = text.find("@")
    while at >= 0:
        after = domain.match(text, at)
        low = at
        while (
            low and at - low < 64 and text[low - 1].isascii() and (text[low - 1].isalnum() or text[low - 1] in "._%+'-")
        ):
            low -= 1
        if after and low < at and local.match(text[low:at]):
            has_dot = "." in after[0] and " " not in after[0]
            yield Span(low, after.end(), PhiLabel.EMAIL.value, 0.99 if has_dot else 0.7)
        elif after and len(after[0]) > 3 and " " not in after[0] and not after[0][1].isdigit():
            tail = _handle().match(text, after.end())
            yield Span(at, tail.end() if tail else after.end(), PhiLabel.SOCIAL.value, 0.7)  # a handle: @name
        at = text.find("@", after.end() if after else at + 1)


@cache
def _url() -> tuple[re.Pattern[str], ...]:
    top = "com|org|net|edu|gov|mil|info|biz|io|cn|uk|de|fr|eu|us|ca|au|jp|health|care|clinic|example|test|app|page|site"
    top += "|online|link|blog|nhs|nz|za|ng|ph|ch|nl|kr|sg|hk|tw|mx|br"
    return (
        re.compile(r"://[^\s<>\"'，。；、）)\]]+"),
        re.compile(r"(?:www|WWW)\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?:/[^\s<>\"'，。；、）)\]]*)?"),
        re.compile(
            rf"\.(?:(?:{top})(?![A-Za-z0-9-])(?:\.[a-z]{{2}}(?![A-Za-z0-9]))?(?:/[^\s<>\"'，。；、）)\]]*)?"
            r"|[a-z]{2,6}/[a-z0-9_-]{2,}(?:[/._-][^\s<>\"'，。；、）)\]]+)+)"  # whatever the ending, with a long path
        ),
    )


def _urls(text: str) -> Iterator[Span]:
    scheme, www, bare = _url()
    for match in scheme.finditer(text):
        low = match.start()
        while low and match.start() - low < 12 and text[low - 1].isascii() and text[low - 1].isalpha():
            low -= 1
        yield _trimmed(text, low, match.end(), 0.99)
    for match in www.finditer(text):
        yield _trimmed(text, match.start(), match.end(), 0.95)
    for match in bare.finditer(text):
        low = match.start()
        floor = max(0, low - 80)
        while low > floor and text[low - 1].isascii() and (text[low - 1].isalnum() or text[low - 1] in "-.@"):
            low -= 1
        if "@" not in text[low : match.start()] and match.start() - low > 1:
            yield _trimmed(text, low, match.end(), 0.8)


def _trimmed(text: str, start: int, end: int, score: float) -> Span:
    while end > start + 1 and text[end - 1] in ".,;:!?'\"":
        end -= 1
    return Span(start, end, PhiLabel.URL.value, score)


@cache
def _ip() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"[0-9](?<![0-9A-Za-z.][0-9])[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![0-9]|\.[0-9])"),
        re.compile(r":[0-9A-Fa-f]{0,4}:"),
    )


def _ips(text: str) -> Iterator[Span]:
    four, six = _ip()
    for match in four.finditer(text):
        if all(int(part) < 256 for part in match[0].split(".")):
            yield Span(match.start(), match.end(), PhiLabel.IP.value, 0.9)
    reach = 0
    for match in six.finditer(text):
        if match.start() < reach:
            continue
        low, high = match.start(), match.end()
        while low > reach and match.start() - low < 5 and text[low - 1] in "0123456789abcdefABCDEF":
            low -= 1
        while high < len(text) and high - low < 46 and text[high] in "0123456789abcdefABCDEF:.":
            high += 1
        reach = high
        groups = text[low:high].rstrip(":.").split(":")
        is_whole = len(groups) == 8 or (len(groups) >= 4 and "" in groups)
        # A clock (12:30:45) and a ratio have digits of two places only.
        if len(groups) == 6 and all(len(group) == 2 for group in groups) and not text[low:high].isdigit():
            yield Span(low, high, PhiLabel.DEVICE.value, 0.9)  # a MAC address
        if is_whole and any(len(group) > 2 for group in groups) and len(groups) <= 8:
            yield Span(low, high, PhiLabel.IP.value, 0.9)


@cache
def _long() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"[0-9](?<![0-9A-Za-z][0-9])[0-9]{13,19}[Xx]?(?![0-9A-Za-z])"),
        re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Z][0-9]{2}[A-Z0-9]{11,30}(?![A-Za-z0-9])"),  # IBAN, ISO 13616
        re.compile(r"[0-9](?<![0-9A-Za-z-][0-9])[0-9]{2}[- ][0-9]{2}[- ][0-9]{4}(?![0-9]|[-/.][0-9])"),
        re.compile(r"[0-9](?<![0-9A-Za-z-][0-9])[0-9]{3}([- ])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}(?:\1[0-9]{3})?(?![0-9])"),
        re.compile(r"[0-9](?<![0-9A-Za-z-][0-9])[0-9]{3}([- ])[0-9]{6}\1[0-9]{5}(?![0-9])"),
    )


def _long_numbers(text: str) -> Iterator[Span]:
    digits, iban, ssn, *cards = _long()
    for match in iban.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.ACCOUNT.value, 0.85)
    for match in digits.finditer(text):
        label, score = _kind(match[0])
        yield Span(match.start(), match.end(), label.value, score)
    for match in ssn.finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.SSN.value, 0.9 if "-" in match[0] else 0.6)
    for card in cards:
        for match in card.finditer(text):
            yield Span(match.start(), match.end(), PhiLabel.ACCOUNT.value, 0.85)


def _kind(number: str) -> tuple[PhiLabel, float]:
    """Tell an identity card from a payment card and any other long number, none of which is a measurement."""
    if len(number) == 18 and number[:2] in _PROVINCES and _is_date(number[6:14]):
        return PhiLabel.ID_CARD, 0.99 if is_id_card(number) else 0.9
    if len(number) == 15 and number[:2] in _PROVINCES and _is_date("19" + number[6:12]):
        return PhiLabel.ID_CARD, 0.7
    if number[-1] in "Xx":
        return PhiLabel.ID_CARD, 0.65
    if is_luhn(number):
        return PhiLabel.ACCOUNT, 0.85
    if number.startswith("62"):
        return PhiLabel.ACCOUNT, 0.8
    return PhiLabel.ID, 0.6


def _is_date(digits: str) -> bool:
    return digits[:2] in ("18", "19", "20") and 1 <= int(digits[4:6]) <= 12 and 1 <= int(digits[6:8]) <= 31


def leading(text: str) -> int:
    """Read the number that a text starts with."""
    size = 0
    while size < len(text) and text[size].isdigit():
        size += 1
    return int(text[:size])


def is_genetic(token: str, window: str = "") -> bool:
    """Say whether a token is a variant in dbSNP (rs13266634), or after its gene an allele (HLA A*02010101)."""
    return bool(_variant().fullmatch(token)) or bool(_gene().search(window))


@cache
def _variant() -> re.Pattern[str]:
    return re.compile("rs[0-9]{4,}")


@cache
def _gene() -> re.Pattern[str]:
    return re.compile(r"(?<![A-Za-z])(?:[ABC]|D[PQR][AB][0-9]?)\*$")
