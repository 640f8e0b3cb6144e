"""Where a word is cut inside: at borders at which a label can begin or end though no token does.

A label may end before a reading that is written against its name (`HGB126`, `hpv18`) or before the
plural of an acronym (`VTs`). Of the borders that writing shows, these were worth their pieces; a small
letter before a capital (`HbA`, `mtDNA`) was not. Cuts follow from the word alone, so a note is read the
same while training and after.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from clinlp.text.tokens import Offsets


@cache
def _borders() -> re.Pattern[str]:
    letter = r"[^\W\d_]"
    return re.compile(rf"(?<={letter})(?=\d)|(?<=\d)(?={letter})|(?<=[A-Z]{{2}})(?=[a-zα-ω])")


def cuts(word: str) -> list[int]:
    """Give the places inside a word at which it is cut, ascending.

    >>> cuts("VTs"), cuts("CA125"), cuts("HbA1c"), cuts("fever")
    ([2], [2], [3, 4], [])
    """
    return [] if word.isdigit() or len(word) == 1 else [found.start() for found in _borders().finditer(word)]


def parts(word: str) -> list[Offsets]:
    """Give what lies between the cuts: all of the word where there is none."""
    return list(pairwise((0, *cuts(word), len(word))))
