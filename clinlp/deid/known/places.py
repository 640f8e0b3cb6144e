"""The ways to write a known address, whole and in parts; parts that prove little count beside another part alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from clinlp.deid.categories import PhiLabel
from clinlp.deid.known.context import common
from clinlp.deid.known.names_zh import has_role
from clinlp.deid.known.numbers import literal_forms
from clinlp.deid.known.page import HIDDEN, Form, Hit, Page, fold, is_han, is_letter, squeeze
from clinlp.deid.words import listed, words


def _pairs(name: str) -> Iterator[list[str]]:
    return (line.replace("_", " ").split("=") for line in sorted(listed(name)))


@cache
def _short() -> dict[str, str]:
    """Street word -> its abbreviation."""
    return {pair[0]: pair[1] for pair in _pairs("known_streets")}


@cache
def _long() -> dict[str, str]:
    """Abbreviation -> street word; of two, the one that is a street's (`st` is a street and a saint)."""
    return {short: long for long, short in sorted(_pairs("known_streets"), key=lambda pair: pair[0] == "street")}


class Part(NamedTuple):
    """How sure a part of an address is: `is_weak` counts beside another part; `needs_capital` is a word otherwise."""

    score: float
    is_weak: bool = False
    needs_capital: bool = False


@cache
def _states() -> dict[str, str]:
    """Short and long name of each state, folded -> the other one."""
    return {key: other for short, long in _pairs("known_states") for key, other in ((short, long), (long, short))}


@cache
def _types() -> frozenset[str]:
    return frozenset(word.lower() for word in words("en", "street_words"))


# --- English -------------------------------------------------------------------------------------


def forms(value: str, label: str) -> Iterator[Form]:
    """Write an address of either language in every way that is looked for."""
    if any(map(is_han, value)):
        yield from _chinese(fold(value), label)
        return
    flat = fold(value).replace(HIDDEN, "")
    yield from literal_forms(value, label)
    yield from _spelt(_tokens(flat), label, Part(1.0), limit=8)
    for piece in re.split(r"[,;\n]+", flat):
        for group, part in _groups(_tokens(piece)):
            yield from _spelt(group, label, part)


def _tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|#", text)


def _groups(tokens: list[str]) -> Iterator[tuple[list[str], Part]]:
    """Take one piece of an address apart: flat, street with number, zip code, state, and what is left, the town."""
    rest = list(tokens)
    yield from _flat(rest)
    if rest and re.fullmatch(r"[0-9]{5}(?:-[0-9]{4})?", rest[-1]):
        yield [rest[-1]], Part(0.8)
        yield [rest[-1][:5]], Part(0.8)
        rest.pop()
    for size in (3, 2, 1):
        state = " ".join(rest[-size:])
        if state in _states() and len(rest) >= size:
            yield rest[-size:], Part(0.7, is_weak=True, needs_capital=True)
            yield _states()[state].split(), Part(0.7, is_weak=True, needs_capital=True)
            del rest[-size:]
            break
    yield from _street(rest)
    if rest and len("".join(rest)) > 2:
        yield rest, Part(0.8, needs_capital=True)


def _flat(rest: list[str]) -> Iterator[tuple[list[str], Part]]:
    """Take the flat out of `rest`; another word, or # alone, may tell it."""
    start = next((at for at, word in enumerate(rest) if word in listed("known_flats")), None)
    if start is None:
        return
    end = start + 2
    while end < len(rest) and rest[end][0].isdecimal() and len(rest[end]) < 5:
        end += 1
    for word in dict.fromkeys((rest[start], "apt", "unit", "suite", "room", "")):
        yield [word, *rest[start + 1 : end]], Part(0.9, is_weak=True)
    del rest[start:end]


def _street(rest: list[str]) -> Iterator[tuple[list[str], Part]]:
    """Take the street out of `rest`, with its number and without."""
    end = next((at + 1 for at, word in enumerate(rest) if at and word in _types()), None)
    if end is None:
        if len(rest) > 1 and rest[0][0].isdecimal():
            yield rest[:], Part(1.0)
            rest.clear()
        return
    while end < len(rest) and rest[end] in _types():
        end += 1  # Quarry Hill Street: the last of them is the street's
    if end < len(rest) and rest[end] in ("n", "s", "e", "w", "ne", "nw", "se", "sw", "north", "south", "east", "west"):
        yield rest[: end + 1], Part(1.0)
    street = rest[:end]
    del rest[:end]
    yield street, Part(1.0)
    if street[0][0].isdecimal():
        yield street[:-1], Part(0.9)
        if len(street) > 2:
            yield street[1:], Part(0.9, needs_capital=True)


def _spelt(tokens: list[str], label: str, part: Part, *, limit: int = 6) -> Iterator[Form]:
    """Write the tokens with each street word long and short, up to `limit` spellings."""
    spellings = [""]
    for token in tokens:
        others = dict.fromkeys(
            (token, _short().get(token, token), _long().get(token, token), _states().get(token, token))
        )
        plain = dict.fromkeys(squeeze(other) for other in others)
        spellings = [head + tail for head in spellings for tail in plain][: limit * 4]
    for key in dict.fromkeys(spellings):
        if len(key) > 1 or (key and part.is_weak):
            yield Form(key, english_at, label, part)


def english_at(page: Page, start: int, end: int, label: str, part: Part) -> Hit | None:
    """Check a part of an English address."""
    low, high = page.borders(start, end)
    flat, word = page.flat, page.compact[start:end]
    if _is_inside(page, low, high) or not all(_is_glue(gap) for _, gap in page.gaps(start, end)):
        return None
    if flat[low].isdecimal():
        is_tail = low > 1 and flat[low - 1] in ".,/" and flat[low - 2].isdecimal()
        if is_tail or (part.is_weak and flat[low - 1 : low] != "#"):
            return None
        low -= part.is_weak  # the # of a flat
    is_word = part.needs_capital and (len(word) < 4 or common(word))
    is_weak = part.is_weak or (is_word and not _placed(page, low))
    if (is_word and not page.text[low].isupper()) or (word.isdecimal() and _is_measured(page, high)):
        return None
    if word[-5:].isdecimal() and (zip_plus := _plus_four().match(page.text, high)):
        high = zip_plus.end()
    high += flat[high : high + 2] == ".,"  # the point of an abbreviation
    return Hit(low, high, label, part.score, is_weak)


def _is_inside(page: Page, low: int, high: int) -> bool:
    """Say whether a letter or digit goes on with the hit on either side."""
    before, after = page.before(low), page.after(high)
    return any(side.isdecimal() or (side != "" and is_letter(side)) for side in (before, after))


@cache
def _plus_four() -> re.Pattern[str]:
    return re.compile(r"-[0-9]{4}(?![0-9])")


def _is_measured(page: Page, at: int) -> bool:
    """Say whether a unit follows: the number is a measurement then, no zip code."""
    return bool(re.match(r" ?(?:%|/|x10|k/|cells|units?|ml|mg|iu|copies|mcl|ul|g\b)", page.flat[at : at + 8]))


def _is_glue(gap: str) -> bool:
    return len(gap) <= 6 and not gap.strip(" \t\r\n,.#-'’()\u3000")


@cache
def _place_before() -> re.Pattern[str]:
    return re.compile(r"(?:\b(?:in|from|of|to|near|lives? (?:in|at)|address|city|town)|[:：])[ :]{1,3}$")


def _placed(page: Page, low: int) -> bool:
    return bool(_place_before().search(page.flat[max(0, low - 16) : low]))


# --- Chinese -------------------------------------------------------------------------------------


@cache
def _levels() -> re.Pattern[str]:
    return re.compile(
        r"(?P<province>[\u4e00-\u9fff]{2,3}省|[\u4e00-\u9fff]{2,6}自治区|(?:北京|上海|天津|重庆)市?)"
        r"|(?P<city>[\u4e00-\u9fff]{2,6}?(?:自治州|地区|市|盟))"
        r"|(?P<district>[\u4e00-\u9fff]{1,8}?(?:自治县|新区|区|县|旗))"
        r"|(?P<town>[\u4e00-\u9fff]{1,6}?(?:街道办事处|街道|镇|乡|社区|村|庄|屯|小区|花园|花苑|公寓|大厦|家园|新村|苑|广场))"
        r"|(?P<road>[\u4e00-\u9fff0-9]{1,8}?(?:大道|大街|路|街|巷|弄|胡同|里|道))"
        r"|(?P<number>[0-9零一二三四五六七八九十甲乙a-z-]{1,6}(?:号院|号楼|号|栋|幢|座|单元|楼|层|室|组|队|门|户)(?:之[0-9一二三])?)"
        r"|(?P<bare>[0-9]{2,5}(?:-[0-9]{1,5})*)"
    )


def _chinese(flat: str, label: str) -> Iterator[Form]:
    flat = re.sub(r"[\s,，、;；\u200b]+", "", flat)
    key = squeeze(flat)
    if len(key) > 2:
        yield Form(key, chinese_at, label, Part(1.0))
    reach = 0
    for match in _levels().finditer(flat):
        left = flat[reach : match.start()]
        if len(left) > 1:
            yield Form(squeeze(left), chinese_at, label, Part(0.8, is_weak=len(left) < 3))
        reach = match.end()
        yield from _level(match[0], match.lastgroup or "", label)
    rest = squeeze(flat[reach:])
    if reach and len(rest) > 1:
        yield Form(rest, chinese_at, label, Part(0.8, is_weak=len(rest) < 3))


def _level(part: str, level: str, label: str) -> Iterator[Form]:
    """Write one level of an address, also without its last word: 江苏 for 江苏省."""
    key = squeeze(part)
    if not key:
        return
    if level in ("number", "bare"):
        yield Form(key, chinese_at, label, Part(0.9, is_weak=True))
        return
    yield Form(key, chinese_at, label, Part(0.6 if level in ("province", "city") else 0.9, is_weak=len(key) < 3))
    stem = re.sub(r"(?:[壮回维]吾?尔?族?自治区|自治[区州县]|地区|新区|省|市|盟|区|县|旗|镇|乡|街道)$", "", key)
    if stem != key and len(stem) > 1:
        yield Form(stem, chinese_at, label, Part(0.6, is_weak=level not in ("province", "city")))


def chinese_at(page: Page, start: int, end: int, label: str, part: Part) -> Hit | None:
    """Check a part of a Chinese address."""
    low, high = page.borders(start, end)
    if not all(len(gap) <= 4 and not gap.strip(" \t\r\n,，、-\u3000") for _, gap in page.gaps(start, end)):
        return None
    flat = page.flat
    if flat[low].isdecimal() and page.before(low).isdecimal():
        return None
    if flat[high - 1].isdecimal() and page.after(high).isdecimal():
        return None
    return Hit(low, high, label, part.score, part.is_weak and not has_role(page, low))


# --- weak parts ----------------------------------------------------------------------------------


def beside(page: Page, hits: Sequence[Hit]) -> list[Hit]:
    """Give the hits without the weak ones that stand beside no other of their label."""
    if not any(hit.is_weak for hit in hits):
        return list(hits)
    ordered = sorted(hits)
    kept = [not hit.is_weak for hit in ordered]
    for order in (range(1, len(ordered)), range(len(ordered) - 2, -1, -1), range(1, len(ordered))):
        step = -1 if order.step == 1 else 1
        for at in order:
            if not kept[at]:
                kept[at] = any(_touch(page, ordered[at], other) for other in _near(ordered, kept, at, step))
    return [hit._replace(is_weak=False) for hit, keep in zip(ordered, kept, strict=True) if keep]


@cache
def _between_names() -> re.Pattern[str]:
    return re.compile(r",?\s(?:[A-Z]\.?\s?){0,2}|-")


def _near(ordered: Sequence[Hit], kept: Sequence[bool], at: int, step: int) -> Iterable[Hit]:
    """The kept hits among the next few on one side."""
    stop = at + 12 * step
    for other in range(at + step, max(-1, min(len(ordered), stop)), step):
        if kept[other]:
            yield ordered[other]


def _touch(page: Page, first: Hit, second: Hit) -> bool:
    if first.label != second.label:
        return False
    low, high = min(first.end, second.end), max(first.start, second.start)
    if first.label == PhiLabel.NAME.value:
        return low < high and bool(_between_names().fullmatch(page.text, low, high))
    return low >= high or (high - low <= 4 and not page.flat[low:high].strip(" ,，、\t\r\n-.#" + HIDDEN))
