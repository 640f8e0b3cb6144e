"""Where a word is cut inside: at borders at which a label can begin or end though no token does.

A label may end before a reading that is written against its name (`HGB126`, `hpv18`) or before the
plural of an acronym (`VTs`). Of the borders that writing shows, these were worth their pieces; a small
letter before a capital (`HbA`, `mtDNA`) was not. Others are learned from the labels themselves: a corpus
may label `operative` in `postoperative`. Cuts follow from the word alone, so a note is read the same
while training and after.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from clinlp.note import Note
from clinlp.text.tokens import Offsets, tokenize

Cuts: TypeAlias = Mapping[str, tuple[int, ...]]
"""Word, without case -> places inside it, ascending."""
NO_CUTS: Final[Cuts] = MappingProxyType({})
_FILE: Final = "cuts.json"


@cache
def _borders() -> re.Pattern[str]:
    letter = r"[^\W\d_]"
    return re.compile(rf"(?<={letter})(?=\d)|(?<=\d)(?={letter})|(?<=[A-Z]{{2}})(?=[a-zα-ω])")


def cuts(word: str, learned: Cuts = NO_CUTS) -> list[int]:
    """Give the places inside a word at which it is cut, ascending.

    >>> cuts("VTs"), cuts("CA125"), cuts("HbA1c"), cuts("fever")
    ([2], [2], [3, 4], [])
    >>> cuts("Postoperative", {"postoperative": (4,)})
    [4]
    """
    shown = [] if word.isdigit() or len(word) == 1 else [found.start() for found in _borders().finditer(word)]
    more = learned.get(_key(word), ()) if learned else ()
    return sorted({*shown, *more}) if more else shown


def parts(word: str, learned: Cuts = NO_CUTS) -> list[Offsets]:
    """Give what lies between the cuts: all of the word where there is none."""
    return list(pairwise((0, *cuts(word, learned), len(word))))


def learn_cuts(notes: Iterable[Note], share: float = 0.5) -> dict[str, tuple[int, ...]]:
    """Find the places inside words at which entities begin or end, beside those that writing shows.

    Args:
        share: Of a word's occurrences that must be cut there: a slip of an annotator does not cut a common word.
    """
    given = list(notes)
    found: Counter[tuple[str, int]] = Counter()
    for note in given:
        tokens = tokenize(note.text) if note.entities else []
        starts = [start for start, _ in tokens]
        for border in {border for span in note.entities for border in (span.start, span.end)}:
            start, end = tokens[at] if (at := bisect_right(starts, border) - 1) >= 0 else (border, border)
            if start < border < end and border - start not in cuts(note.text[start:end]):
                found[_key(note.text[start:end]), border - start] += 1
    if not found:
        return {}
    words = {word for word, _ in found}
    seen: Counter[str] = Counter()
    for note in given:
        keys = (_key(note.text[start:end]) for start, end in tokenize(note.text))
        seen.update(key for key in keys if key in words)
    learned: defaultdict[str, list[int]] = defaultdict(list)
    for (word, place), n in sorted(found.items()):
        if n >= share * seen[word]:
            learned[word].append(place)
    return {word: tuple(places) for word, places in learned.items()}


def save_cuts(folder: Path, learned: Cuts) -> None:
    """Write `cuts.json`, if anything was learned."""
    if learned:
        (folder / _FILE).write_text(json.dumps(dict(learned), ensure_ascii=False), "utf-8")


def read_cuts(folder: Path) -> Cuts:
    """Read what `save_cuts` wrote."""
    path = folder / _FILE
    if not path.is_file():
        return NO_CUTS
    return {str(word): tuple(map(int, places)) for word, places in json.loads(path.read_text("utf-8")).items()}


def _key(word: str) -> str:
    """A word without case, where that leaves its characters in their places."""
    folded = word.lower()
    return folded if len(folded) == len(word) else word
