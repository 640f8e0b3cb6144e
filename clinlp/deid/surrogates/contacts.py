"""Surrogates of telephone numbers, e-mail and web addresses: from ranges that are nobody's."""

from __future__ import annotations

import re
from functools import cache

from clinlp.deid.surrogates.draw import Draw, characters, folded, like, pool
from clinlp.deid.surrogates.names import kind_of, write_word
from clinlp.deid.surrogates.numbers import pour, scramble, write_number
from clinlp.note import Lang

_CHINA_MOBILE = ("154", "160", "163", "164", "168", "169")
_CHINA_AREA = ("030", "032", "050", "060", "084", "092", "096")
"""Beginnings of Chinese mobile numbers, and of four-digit area codes, that are not assigned."""
_ROOTS = ("example.com", "example.net", "example.org")
_HOSTS = ("care", "clinic", "portal", "health", "info", "mail", "my", "home", "post", "web")


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"(?i)\s*(?:ext(?:ension)?\.?|x|转|分机|#|p(?:ager|gr)?)\s*[:：]?\s*[0-9０-９]{1,6}\s*$"),
        re.compile(r"[A-Za-z0-9_.+%-]+"),
        re.compile(r"(?i)((?:https?|ftp)://)?([^/?#\s:]+)((?:[:/?#]).*)?", re.DOTALL),
        re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+"),
        re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"),
        re.compile(r"(?i)(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}"),
        re.compile(r"(?i)[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*"),
    )


def write_phone(words: str, draw: Draw, lang: Lang) -> str | None:
    """Give a telephone number in the same layout that is nobody's; several in one span each for itself."""
    if parts := re.split(r"([/、;；,，\n]|\s或\s?)", words)[1:]:
        pieces = [write_phone(part, draw, lang) for part in re.split(r"[/、;；,，\n]|\s或\s?", words) if part.strip()]
        if None in pieces or len(pieces) != len(parts) // 2 + 1:
            return None
        return "".join(f"{piece}{mark}" for piece, mark in zip(pieces, [*parts[::2], ""], strict=True))
    head, tail = "", ""
    if match := re.match(r"[^0-9０-９+＋(（]+", words):
        head, words = match[0], words[match.end() :]
    if (match := _patterns()[0].search(words)) and match.start():
        words, tail = words[: match.start()], match[0]
    if not _is_known(head):
        return None
    places = [at for at, one in enumerate(words) if one.isdecimal()]
    core = "".join(str(int(words[at])) for at in places)
    if len(core) < 7 or len(core) > 15:
        new = write_number(words, draw, label="PHONE")
    elif any(one.isalpha() for one in words):
        return None
    else:
        new = pour(words, places, _new_phone(core, words, draw, lang))
    ending = write_number(tail, draw, label="PHONE") if tail else ""
    return None if new is None or ending is None else head + new + ending


def _is_known(head: str) -> bool:
    """Say whether the words before a number are all of those that say what it is."""
    parts = re.findall(r"[A-Za-z]+|[^\W\d_]", head)
    return all(part.lower() in folded("number_words") or part in characters("number_words_zh") for part in parts)


def _new_phone(core: str, words: str, draw: Draw, lang: Lang) -> str:
    """Choose by length and beginning whose plan the number follows."""
    zeros = "00" if core.startswith("00") else ""
    body = core[len(zeros) :]
    if re.fullmatch(r"(?:86)?1[3-9][0-9]{9}", body) and (lang == "zh" or len(body) == 13):
        return zeros + body[:-11] + _mobile(body[-11:], draw)
    if zeros or "+" in words or "＋" in words:
        return zeros + _abroad(body, draw)
    if lang == "zh":
        return _chinese(core, draw)
    if core[0] == "0" and len(core) in (10, 11):
        return _british(core, draw)
    if len(core) in (7, 10) or (len(core) == 11 and core[0] == "1"):
        return ("1" if len(core) == 11 else "") + _american(core[-10:], draw)
    return scramble(core, draw)


def _abroad(core: str, draw: Draw) -> str:
    """Choose by the country's code; of a country that we keep no ranges of, the code becomes 999, which none has."""
    if core[0] == "1" and len(core) == 11:
        return "1" + _american(core[1:], draw)
    if core.startswith("44") and len(core) == 12:
        return "44" + _british("0" + core[2:], draw)[1:]
    if core.startswith("86") and len(core) > 11:
        return "86" + _landline("0" + core[2:], draw)[1:]
    return "999" + scramble(core[3:], draw)


def _american(core: str, draw: Draw) -> str:
    """Give 555-01XX, kept for fiction, after an area code of the form N9X, kept for expansion."""
    area = ""
    if len(core) == 10:
        number = draw.number("area code", core[:3])
        area = f"{number % 8 + 2}9{number // 8 % 10}"
    return f"{area}55501{draw.number('line', core[-7:]) % 100:02d}"


def _british(core: str, draw: Draw) -> str:
    """Give a number of the ranges that Ofcom keeps for drama."""
    line = f"{draw.number('line', core) % 1000:03d}"
    return (f"07700900{line}" if core.startswith("07") else f"01632960{line}")[: len(core)]


def _mobile(core: str, draw: Draw) -> str:
    return draw.pick(_CHINA_MOBILE, "mobile", core[:3]) + scramble(core[3:], draw)


def _chinese(core: str, draw: Draw) -> str:
    if core[0] == "0" and len(core) > 9:
        return _landline(core, draw)
    if len(core) == 10 and core[0] in "48":
        return f"{core[0]}90{scramble(core[3:], draw)}"  # calls to 400 and 800 go through; none has 490
    if len(core) in (7, 8):
        return f"9{scramble(core[1:], draw)}"  # no subscriber's number starts with 9
    return scramble(core, draw)


def _landline(core: str, draw: Draw) -> str:
    """Give an area code that is not assigned, of the same length, and another number."""
    size = 3 if core[1] in "12" else 4
    area = (
        "026" if size == 3 else draw.pick(_CHINA_AREA, "area code", core[:4]) + str(draw.number("area", core[:4]) % 10)
    )
    return area + scramble(core[size:], draw)


def write_email(words: str, draw: Draw) -> str | None:
    """Give an address at a domain that RFC 2606 keeps for examples; names in it agree with the note's."""
    local, at, domain = words.replace("＠", "@").rpartition("@")
    if not at or not local or not domain or not local.isascii():
        return None
    host = draw.pick(_ROOTS, "domain", domain.lower(), but=domain.lower())
    return f"{_names(local, draw)}@{like(domain, host)}"


def write_social(words: str, draw: Draw) -> str | None:
    """Give another account name: words become names, digits digits; numbers start with 0, as no QQ number does."""
    if not words.isascii() or not any(one.isalpha() for one in words):
        return write_number(words, draw, label="SOCIAL")
    return _names(words, draw)


def _names(words: str, draw: Draw) -> str:
    def change(match: re.Match[str]) -> str:
        part = match[0]
        if part.isdecimal():
            return scramble(part, draw)
        if part.lower() in ("wx", "wxid", "qq", "weixin", "wechat"):
            return part
        return _account_word(part, draw)

    return _patterns()[3].sub(change, words)


def _account_word(word: str, draw: Draw) -> str:
    """Give another name; one in pinyin, whole (liweiming) or with initials (liwm), becomes another of that form."""
    parts = _pinyin(word.lower()) if kind_of(word.lower()) is None else []
    if not parts:
        return write_word(word, draw)
    new = "".join(write_word(part, draw) for part in parts)
    return like(word, new.capitalize() if word[0].isupper() else new)


def _pinyin(low: str) -> list[str]:
    """Cut a word into syllables and up to three initials after them; empty where it is none."""
    for size in range(min(6, len(low)), 1, -1):
        if low[:size].capitalize() in pool("syllables"):
            rest = low[size:]
            more = _pinyin(rest) if rest else []
            if more or not rest:
                return [low[:size], *more]
            if len(rest) <= 3:
                return [low[:size], *rest]
    return []


def write_url(words: str, draw: Draw) -> str | None:
    """Give an address of the same form at a domain that is kept for examples; its path is made unreadable."""
    match = _patterns()[2].fullmatch(words.strip())
    if match is None or "@" in match[2]:
        return None
    scheme, host, path = match[1] or "", match[2], match[3] or ""
    bare = host.lower().removeprefix("www.")
    new = draw.pick(_ROOTS, "domain", bare, but=bare)
    if bare.count(".") > 1 or not host.lower().startswith("www."):
        new = f"{draw.pick(_HOSTS, 'host', bare)}.{new}"
    if host.lower().startswith("www."):
        new = f"www.{new}"
    return scheme + like(host, new) + _path(path, draw)


def _path(path: str, draw: Draw) -> str:
    """Scramble a path's letters and digits; what is no ASCII goes. File endings stay."""

    def change(match: re.Match[str]) -> str:
        part = match[0]
        if part.lower() in folded("number_words") | {"html", "htm", "php", "aspx", "jsp"} and len(part) > 2:
            return part
        return pour(part, list(range(len(part))), scramble(part.lower(), draw))

    return _patterns()[3].sub(change, path.encode("ascii", "ignore").decode())


def write_ip(words: str, draw: Draw) -> str | None:
    """Give an address of the ranges kept for documentation (RFC 5737, RFC 3849; RFC 7042 for hardware)."""
    _, _, _, _, four, hardware, six = _patterns()
    number = draw.number("address", words.lower())
    if match := four.search(words):
        net = ("192.0.2", "198.51.100", "203.0.113")[number % 3]
        new = f"{net}.{number // 3 % 254 + 1}"
    elif match := hardware.search(words):
        mark = match[0][2]
        new = like(match[0], mark.join(("00", "00", "5e", "00", "53", f"{number % 256:02x}")))
    elif match := six.search(words):
        new = like(match[0], f"2001:db8::{number % 0xFFFF + 1:x}")
    else:
        return None
    rest = words[match.end() :]
    return (
        (words[: match.start()] + new + rest)
        if not any(one.isalpha() for one in words[: match.start()] + rest)
        else new
    )
