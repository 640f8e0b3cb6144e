"""Cells under a header row in Chinese notes: 姓名,住院号,床号 on one line, people on the next ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import word_set
from clinlp.spans import Span

_MARKS = "\t|,，"


@cache
def _header() -> re.Pattern[str]:
    """A row with a name's column; a list in a sentence has no such word between two commas."""
    return re.compile(r"[患姓病](?:者|人|名|者姓名|人姓名)[ ]*[\t|,，](?=[^\n:：。]{4,200}\n)")


@cache
def _columns() -> dict[str, PhiLabel]:
    kinds = dict.fromkeys(("姓名", "患者", "病人", "患者姓名", "病人姓名", "主管医生", "主管医师"), PhiLabel.NAME)
    kinds |= dict.fromkeys(("床号", "床位", "床"), PhiLabel.BED)
    kinds |= dict.fromkeys(("入院日", "入院日期", "出生日期", "手术日期", "出院日期", "日期"), PhiLabel.DATE)
    kinds |= dict.fromkeys(("电话", "手机", "联系电话", "联系方式"), PhiLabel.PHONE)
    kinds |= dict.fromkeys(("身份证", "身份证号"), PhiLabel.ID_CARD)
    kinds |= dict.fromkeys(("住址", "地址", "家庭住址"), PhiLabel.LOCATION)
    return kinds | dict.fromkeys(word_set("zh", "mrn_words"), PhiLabel.MRN)


def find_cells(text: str) -> Iterator[Span]:
    """Find what stands under the columns that announce a name, a number, a bed or a date."""
    for match in _header().finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.index("\n", match.end())
        mark = match[0][-1]
        columns = [_columns().get(cell.strip()) for cell in text[start:end].split(mark)]
        if sum(label is not None for label in columns) > 1:
            yield from _rows(text, end + 1, mark, columns)


def _rows(text: str, at: int, mark: str, columns: list[PhiLabel | None]) -> Iterator[Span]:
    """The cells of the rows from `at`, as long as these have as many cells as the header."""
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        cells = text[at:end].split(mark)
        if len(cells) != len(columns):
            return
        for cell, label in zip(cells, columns, strict=True):
            value = cell.strip()
            is_value = len(value) > 1 and value not in word_set("zh", "not_values") and value.strip("-— ")
            if label is not None and is_value and len(value) < 40:
                low = at + len(cell) - len(cell.lstrip())
                yield Span(low, low + len(value), label.value, 0.8)
            at += len(cell) + 1
        at = end + 1
