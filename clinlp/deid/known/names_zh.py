"""The ways to write a person's Chinese name, and how each is told from an accident of characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from clinlp.deid.known.page import Form, Hit, Page, is_han
from clinlp.deid.known.readings import alike
from clinlp.deid.words import listed, word_set, words

_CONNECTORS = frozenset("的和与是请叫由找向跟给及同据被将把对姓")
_OLD_NEW = frozenset("说诉称来因于在是和与已今昨表看同自无有未的就又也后前因")


@cache
def _titles() -> tuple[str, ...]:
    return tuple(sorted(listed("known_titles_zh"), key=lambda title: (-len(title), title)))


class Given(NamedTuple):
    """A Chinese name taken apart; `given` is empty where only a surname is known."""

    surname: str
    given: str


class Near(NamedTuple):
    """A name of three characters of which one may be another: what the hit is compared with."""

    name: str
    at: int  # where the key begins in the name


def parse(value: str) -> Given:
    """Split a folded name of Chinese characters into surname and given name."""
    size = 2 if value[:2] in listed("zh_surnames") and len(value) > 2 else 1
    return Given(value[:size], value[size:])


def sides(folded: str, value: str) -> tuple[list[str], str]:
    """Give the Chinese names of a value, and what of it is no Chinese: 张伟（父亲）, 父亲：张伟, 张伟 (Zhang Wei)."""
    if not any(map(is_han, folded)):
        return [], value
    chinese = []
    for piece in re.split(r"[,，()（）:：]+|(?<=[\u4e00-\u9fff]{2})\s+(?=[\u4e00-\u9fff]{2})", folded):
        name = "".join(character for character in piece if is_han(character) or character in "·•・")
        if name and name not in _left() and name not in _titles() and name not in ("男", "女", "本人", "男性", "女性"):
            chinese.append(name)
    return chinese, re.sub(r"[\u3400-\u9fff()（）·•・:：]", " ", value)


def clean(value: str) -> str:
    """Give the name's characters without blanks, and without a title at its end."""
    name = "".join(character for character in value if is_han(character))
    for title in _titles():
        if len(title) > 1 and len(name) > len(title) and name.endswith(title):
            return name[: -len(title)]
    return name


def forms(value: str, label: str) -> Iterator[Form]:
    """Write the name in every way that is looked for.

    Args:
        value: Folded; may hold a middle dot, as the names of Uyghurs do.
    """
    pieces = [piece for piece in re.split(r"[·•・.]", value) if piece]
    name = clean(value)
    if not name:
        return
    if len(name) > 1:
        yield Form(name, full_at, label)
    if len(pieces) > 1 or len(name) > 4:
        for piece in pieces if len(pieces) > 1 else ():
            if len(clean(piece)) > 2:
                yield Form(clean(piece), full_at, label)
        return
    surname, given = parse(name)
    for title in _titles():
        yield Form(surname + title, titled_at, label, len(surname))
    for rest in ("某", "某某", "某甲", "氏"):
        yield Form(surname + rest, somebody_at, label, given[-1:])
    for lead in "老小阿":
        yield Form(lead + surname, called_at, label)
    yield Form("姓" + surname, family_at, label, len(surname))
    if len(given) == 2:
        yield Form(given, given_at, label)
    if len(name) == 3 and len(surname) == 1:
        for at, key in ((0, name[:2]), (0, surname + given[1]), (2, name[2])):
            yield Form(key, near_at, label, Near(name, at))


# --- the neighbourhood ---------------------------------------------------------------------------


@cache
def _left() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*words("zh", "name_left"), *words("zh", "name_fields"), "患者为", "名叫")))


@cache
def _right() -> tuple[str, ...]:
    return (*words("zh", "name_right"), *_titles(), *words("zh", "name_verbs"), "的主诉", "说", "称", "自诉", "夫妇")


@cache
def _sayings() -> tuple[str, ...]:
    return (*_titles(), "诉", "自诉", "自述", "主诉", "说", "称", "表示", "签字", "签名", "，男", "，女")


@cache
def _sex() -> re.Pattern[str]:
    return re.compile(r"\s*[，,、（(;；/|\s]\s*(?:[男女]|性别|[0-9]{1,3}\s*(?:周?岁|个?月|y))|[（(]?[男女]")


@cache
def _words() -> frozenset[str]:
    return listed("known_words_zh") | word_set("zh", "not_names")


def has_role(page: Page, start: int) -> bool:
    """Say whether 患者, 姓名：, 医师 and their kind stand right before."""
    left = page.flat[max(0, start - 12) : start].rstrip(' \t\u3000:：“"（(|\n')
    return left.endswith(_left())


def has_title(page: Page, end: int) -> bool:
    """Say whether a title, a verb of a person, sex or age stands right after."""
    return page.flat.startswith(_right(), end) or bool(_sex().match(page.flat, end))


def _is_open(page: Page, start: int) -> bool:
    """Say whether a name can begin here: after a mark, a role or a word that joins."""
    before = page.before(start)
    return not is_han(before) or before in _CONNECTORS or has_role(page, start)


def _is_cut(page: Page, start: int, end: int) -> tuple[bool, bool]:
    """Say whether the first and the last character rather belong to the words around: 今天|明显."""
    before, after, flat = page.before(start), page.after(end), page.flat
    return before + flat[start] in _words(), flat[end - 1] + after in _words()


def _loose(page: Page, start: int, end: int) -> int:
    """Count the gaps of blanks, line ends or middle dots; -1 where anything else stands between."""
    gaps = page.gaps(start, end)
    if all(len(gap) <= 6 and not gap.strip(" \t\r\n\u3000·•・.") for _, gap in gaps):
        return len(gaps)
    return -1


# --- checks --------------------------------------------------------------------------------------


def full_at(page: Page, start: int, end: int, label: str, _: None) -> Hit | None:
    """Check the whole name; two characters that are a word need a role or a title beside them."""
    low, high = page.borders(start, end)
    gaps = _loose(page, start, end)
    if gaps < 0:
        return None
    name, size = page.compact[start:end], end - start
    has_sign = has_role(page, low) or has_title(page, high)
    if size == 2:
        if name in _words():
            field = page.flat[max(0, low - 2) : low].rstrip().endswith((":", "："))
            after = page.after(high)
            sure = (has_role(page, low) and (field or not is_han(after))) or has_title(page, high)
            return Hit(low, high, label, 0.9) if sure and after not in ("地", "得") else None
        if gaps and not has_sign and (is_han(page.before(low)) or is_han(page.after(high))):
            return None
        if all(_is_cut(page, low, high)) and not has_sign:
            return None
    return Hit(low, high, label, 0.95 if gaps else 1.0)


def titled_at(page: Page, start: int, end: int, label: str, size: int) -> Hit | None:
    """Check a surname before a title; the title is no part of the hit."""
    low, high = page.borders(start, end)
    if high - low != end - start:
        return None
    surname = page.flat[low : low + size]
    if surname in "向和同" and not has_role(page, low):
        return None
    if surname in word_set("zh", "weak_surnames"):
        if not _is_open(page, low):
            return None
    elif size == 1 and page.before(low) + surname in _words():
        return None
    return Hit(low, low + size, label, 0.8)


def somebody_at(page: Page, start: int, end: int, label: str, ending: str) -> Hit | None:
    """Check 张某, 张某某, 张氏, and 张某国 of 张建国."""
    low, high = page.borders(start, end)
    after = page.after(high)
    is_word = page.before(low) + page.flat[low] in _words() and not has_role(page, low)
    if high - low != end - start or is_word or (after and after in "些种个一天日时次人月年类项处地征症"):
        return None
    return Hit(low, high + (after != "" and after == ending), label, 0.85)


def called_at(page: Page, start: int, end: int, label: str, _: None) -> Hit | None:
    """Check 老张, 小张."""
    low, high = page.borders(start, end)
    before, after = page.before(low), page.after(high)
    opens = not is_han(before) or before in _CONNECTORS
    closes = not is_han(after) or after in _OLD_NEW
    return Hit(low, high, label, 0.7) if opens and closes and high - low == end - start else None


def family_at(page: Page, start: int, end: int, label: str, size: int) -> Hit | None:
    """Check 姓张, which speaks of a surname alone."""
    high = page.borders(start, end)[1]
    after = page.after(high)
    return Hit(high - size, high, label, 0.7) if not is_han(after) or after in "的，患" else None


def given_at(page: Page, start: int, end: int, label: str, _: None) -> Hit | None:
    """Check a given name of two characters alone."""
    low, high = page.borders(start, end)
    if high - low != end - start:
        return None
    role, title = has_role(page, low), has_title(page, high)
    if page.compact[start:end] in _words():
        is_said = title and page.flat.startswith(_sayings(), high)
        sure = role and (title or not is_han(page.after(high)))
        return Hit(low, high, label, 0.7) if sure or (is_said and _is_open(page, low)) else None
    opens = _is_open(page, low)
    if any(_is_cut(page, low, high)) or not (opens or title):
        return None
    return Hit(low, high, label, 0.8)


def near_at(page: Page, start: int, end: int, label: str, near: Near) -> Hit | None:
    """Check a name of three characters, one wrong or left out: after a role, or if it sounds like the name."""
    name = near.name
    if end - start == 2 and page.compact[start:end] == name[0] + name[2]:
        stop, first = end, start  # the middle character is left out
    elif end - start == 2:
        first, stop = start, start + 3
    else:
        first, stop = start - 2, start + 1
        if first < 0 or page.compact[first] != name[0]:
            return None
    found = page.compact[first:stop]
    if found == name or len(found) != stop - first or not all(map(is_han, found)):
        return None
    low, high = page.borders(first, stop)
    if high - low != stop - first or found[:2] in _words():
        return None
    if len(found) == 3 and all(map(alike, found, name)) and not any(_is_cut(page, low, high)):
        return Hit(low, high, label, 0.7)
    closes = not is_han(page.after(high)) or has_title(page, high)
    return Hit(low, high, label, 0.7) if closes and has_role(page, low) else None


@cache
def _masked() -> re.Pattern[str]:
    return re.compile(r"(?<=([\u4e00-\u9fff]))(?:[×Ｘ○*＊]{1,3}|[Xx]{1,2})(?![A-Za-z0-9×○*＊])")


def masked(page: Page, surnames: dict[str, str], names: set[str]) -> Iterator[Hit]:
    """Find 张××, 张** and 张*国.

    Args:
        surnames: Surname -> label.
        names: First and last character of each name.
    """
    if not surnames:
        return
    for match in _masked().finditer(page.text):
        for size in (2, 1):
            low = match.start() - size
            surname = page.flat[max(0, low) : match.start()]
            if low >= 0 and surname in surnames and (size == 2 or page.before(low) + surname not in _words()):
                has_ending = surname[0] + page.flat[match.end() : match.end() + 1] in names
                yield Hit(low, match.end() + has_ending, surnames[surname], 0.85)
                break
