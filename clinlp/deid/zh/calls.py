"""Telephone numbers in odd forms in Chinese notes: in numerals, digit by digit, in groups, inside a house."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.spans import Span

_MANDARIN = "〇零幺一二三四五六七八九"
_LEDGER = "零壹贰叁肆伍陆柒捌玖"


def find_spelled(text: str) -> Iterator[Span]:
    """Find telephone numbers that are no plain run of digits."""
    numerals, groups, announced = _forms()
    for match in numerals.finditer(text):
        digits = re.sub("[^〇零幺一二三四五六七八九壹贰叁肆伍陆柒捌玖]", "", match[0])
        if len(digits) in (7, 8, 10, 11, 12) and len(set(digits)) > 2 and "一二三四五" not in digits:
            yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.7)
    for match in groups.finditer(text):
        if _is_grouped(match[0]):
            yield Span(match.start(), match.end(), PhiLabel.PHONE.value, 0.75)
    for match in announced.finditer(text):
        n_digits = sum(char.isdigit() for char in match[1])
        if n_digits >= (4 if "内线" in match[0] or "转" in match[0] else 6) and n_digits < 19:
            yield Span(match.start(1), match.end(1), PhiLabel.PHONE.value, 0.8)


@cache
def _forms() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    gap = r"[ \-—－–·.、/()（）□☎*#]"
    numeral = f"[{_MANDARIN}{_LEDGER[1:]}]"
    return (
        re.compile(rf"{numeral}(?<![{_MANDARIN}十百千万].)(?:[ —－-]{{0,2}}{numeral}){{6,}}(?![年月日十百千万个])"),
        re.compile(
            r"[01](?=[0-9 \u3000—／/、☎-]{10})(?<![0-9A-Za-z.\-/+].)"
            r"(?:[ \u3000—／/、☎-]{0,2}[0-9]){7,13}(?![0-9A-Za-z%.])"
        ),
        re.compile(
            r"[话机线打系询电联](?<=电话|手机|座机|总机|分机|内线|热线|拨打|联系|咨询|来电|致电"
            r"|[，。；：、\s（]电|急联|[，。；]打)(?:号码|号|的|方式|登记|请)?[为是:： ]{0,3}"
            rf"([+0-9（(](?:{gap}{{0,2}}[0-9Oo×转]){{3,17}}[)）]?)(?![0-9A-Za-z%℃年月日岁])"
        ),
    )


def _is_grouped(words: str) -> bool:
    """Say whether groups of digits make a mobile number or one with an area code: 139 0417 0022, 0597-231 0022."""
    parts = re.findall("[0-9]+", words)
    sizes, digits = [len(part) for part in parts], "".join(parts)
    if len(parts) == 1:
        return False
    is_single = set(sizes) == {1}
    if digits[0] == "1":
        if len(digits) != 11 or digits[1] not in "3456789":
            return False
        return is_single or (sizes[0] in (3, 4, 5, 7) and len(parts) <= 5 and (sizes[0] > 3 or len(parts) <= 3))
    if digits[1] == "0" or not 10 <= len(digits) <= 12:
        return False
    return is_single or (sizes[0] in (3, 4) and len(parts) <= 3 and sizes[1] >= 3 and sizes[-1] >= 3)
