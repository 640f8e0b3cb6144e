"""Words, numbers, units and signs as offsets: one compiled pattern for both languages.

Borders lie where labels can begin or end: at white space, at punctuation, between a number and its
unit, and around each Han character. Word segmentation of Chinese is not done here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby
from operator import itemgetter

from clinlp.text.language import HAN

Offsets = tuple[int, int]

_JOINERS = "\u200c\u00ad"  # zero-width non-joiner, soft hyphen: never a border
_ZWJ = "\u200d"
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_FLAG = "[\U0001f1e6-\U0001f1ff]"

# Written with a slash or with full stops, and one word all the same.
_SLASHED = "s/p|c/o|h/o|w/o|r/o|y/o|d/c|f/u|b/l|n/v|n/a|a/p|i/o|p/w|d/t|s/s"
_DOTTED = r"[A-Za-z](?:\.[A-Za-z])+(?![A-Za-z])\.?"
# A digit run after letters is a reading, not part of a name, if one of these follows: T36.5, BP120/80, P80次, Hb120g/L.
_READING = r"[./×~]\d|[%‰℃°次mg]|M?G(?![A-Za-z])|U/|IU|umol|bpm|cm"
_RUNS = r"\.{3,}|-{2,}|_{2,}|={2,}|\*{2,}|#{2,}|~{2,}|\+{2,}|…{2,}|—{2,}"


def _ranges(code_points: list[int]) -> str:
    """Write ascending code points as the inside of a character class."""
    out = []
    for _, group in groupby(enumerate(code_points), key=lambda pair: pair[1] - pair[0]):
        run = list(map(itemgetter(1), group))
        out.append(f"\\U{run[0]:08x}-\\U{run[-1]:08x}")
    return "".join(out)


@cache
def _pattern() -> re.Pattern[str]:
    # Every combining mark of planes 0 and 1, and the variation selectors of plane 14.
    marks = [c for c in range(0x300, 0x20000) if unicodedata.category(chr(c))[0] == "M"]
    mark = f"[{_ranges(marks)}{_JOINERS}{_SKIN_TONES}\U000e0100-\U000e01ef]"
    letter = f"[^\\W\\d_{HAN}\u2460-\u24ff]"  # enclosed numbers such as ③ stand alone
    more = f"(?:(?:{mark}|{_ZWJ})++{letter}*+)*+"
    word = f"(?:[A-Za-z]++{letter}*+|{letter}++){more}(?:\\d++(?!{_READING}){letter}*+{more})*+"
    number = r"\d{1,2}(?::\d\d)++(?!\d)|\d++(?:[.．/]\d++|,\d{3}(?!\d))*+"
    sign = f"{_FLAG}{{2}}|\\S(?:{mark}|{_ZWJ}\\S)*+"
    # The commonest come first, with a look ahead that is cheap; the rest is left to `sign`.
    plain = f"[{HAN}，。、；：（）](?![\u0300-\u036f\ufe00-\ufe0f\U000e0100-\U000e01ef])"
    return re.compile(
        f"{plain}|(?:(?=[A-Za-z][./][A-Za-z])(?:(?:{_SLASHED}|{_SLASHED.upper()})(?![A-Za-z])|{_DOTTED})"
        f"|{word}|{number}|['’](?:s|t|m|d|re|ve|ll)(?![A-Za-z])|{_RUNS}|{sign}){mark}*+"
    )


def tokenize(text: str) -> list[Offsets]:
    """Find the tokens of a text, ascending and disjoint; together they hold every character but white space.

    >>> text = "Metoprolol 2.5mg b.i.d., 血压120/80mmHg"
    >>> [text[start:end] for start, end in tokenize(text)]
    ['Metoprolol', '2.5', 'mg', 'b.i.d.', ',', '血', '压', '120/80', 'mmHg']
    """
    return list(map(re.Match.span, _pattern().finditer(text)))
