"""What stands after 住址：, 工作单位： and in the cell beside them, in Chinese notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, word_set, words
from clinlp.spans import Span

_HAN = "\u4e00-\u9fff"


@cache
def _kinds() -> dict[str, PhiLabel]:
    kinds = dict.fromkeys(words("zh", "address_fields"), PhiLabel.LOCATION)
    return kinds | dict.fromkeys(words("zh", "org_fields"), PhiLabel.ORG)


@cache
def _fields() -> tuple[re.Pattern[str], ...]:
    cells = any_of(key for key in _kinds() if len(key) > 2 or key in ("地址", "住址", "籍贯"))
    blank = r"[ \t\u3000]"
    return (
        re.compile("[:：=]"),
        re.compile(r"[ \t\u3000]*\n?([^\s，。；;|：:][^\n。；;|：:\t]{0,60})"),
        re.compile(rf"{blank}{{2,}}|{blank}(?=[{_HAN}]{{2,8}}(?:[:：]|$))|[，,]|{blank}(?=[{_HAN}]{{2,6}}{blank})"),
        re.compile(rf"{cells}(?<![{_HAN}]{{6}})(?:{blank}*\||{blank}){blank}*(?=[{_HAN}A-Z0-9])"),
    )


def find_values(text: str) -> Iterator[Span]:
    """Find addresses and employers that a field announces."""
    colon, _, _, cell = _fields()
    for match in colon.finditer(text):
        label = _label(text, match.start())
        if label is not None:
            yield from _value(text, match.end(), label)
    for match in cell.finditer(text):
        label = _label(text, match.start() + len(match[0].rstrip(" \t\u3000|")))
        if label is not None and (match.start() == 0 or text[match.start() - 1] in "\n\t |\u3000；;，,。"):
            yield from _value(text, match.end(), label)


@cache
def _sizes() -> dict[str, tuple[int, ...]]:
    """Give the lengths of the keys by their last character."""
    sizes: dict[str, set[int]] = {}
    for key in _kinds():
        sizes.setdefault(key[-1], set()).add(len(key))
    return {end: tuple(sorted(found, reverse=True)) for end, found in sizes.items()}


def _label(text: str, stop: int) -> PhiLabel | None:
    """Say what the words before `stop` announce; blanks inside the key do not count."""
    while stop and text[stop - 1] in " \t\u3000":
        stop -= 1
    kinds = _kinds()
    for size in _sizes().get(text[stop - 1 : stop], ()):
        label = kinds.get(text[max(0, stop - size) : stop])
        if label is not None:
            return label
    if stop > 2 and text[stop - 2] in " \u3000":  # 地  址
        return kinds.get(re.sub(r"\s", "", text[max(0, stop - 8) : stop].rsplit("\n", 1)[-1]))
    return None


@cache
def _next_key() -> re.Pattern[str]:
    keys = {
        *_kinds(),
        *words("zh", "department_fields"),
        *words("zh", "name_fields"),
        *words("zh", "phone_words"),
        *words("zh", "mrn_words"),
        "性别",
        "年龄",
    }
    return re.compile(f"(?:{'|'.join(sorted(map(re.escape, keys), key=lambda key: (-len(key), key)))})$")


def _before_key(text: str, start: int, stop: int) -> int:
    """Give where a value ends into which the next field's name ran: 南湖机械厂 电话：."""
    at = max(text.rfind(mark, start, stop) for mark in (" ", "，", ",", "\u3000"))
    key = _next_key().search(text, max(start, stop - 8), stop)
    return at if at > start else key.start() if key else stop


def _value(text: str, at: int, label: PhiLabel) -> Iterator[Span]:
    _, value, ends, _ = _fields()
    found = value.match(text, at)
    if found is None:
        return
    start, stop = found.start(1), found.end(1)
    if text[stop : stop + 1] in (":", "："):  # the next field's name ran in
        stop = _before_key(text, start, stop)
    cut = ends.search(text, start, max(start, stop))
    stop = cut.start() if cut else stop
    words_ = text[start:stop].strip()
    if not words_ or words_ in word_set("zh", "not_values"):
        return
    yield Span(start, start + len(text[start:stop].rstrip()), label.value, 0.85)
