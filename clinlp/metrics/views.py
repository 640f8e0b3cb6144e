"""Coarser and narrower views of codes: chapters and categories of ICD-10, bands of frequency; and groups of notes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from clinlp.errors import UsageError
from clinlp.note import Note

CHAPTERS: Final = (
    ("A00", "I A00-B99 infections"),
    ("C00", "II C00-D48 neoplasms"),
    ("D50", "III D50-D89 blood, immunity"),
    ("E00", "IV E00-E90 endocrine, metabolic"),
    ("F00", "V F00-F99 mental"),
    ("G00", "VI G00-G99 nervous system"),
    ("H00", "VII H00-H59 eye"),
    ("H60", "VIII H60-H95 ear"),
    ("I00", "IX I00-I99 circulation"),
    ("J00", "X J00-J99 respiration"),
    ("K00", "XI K00-K93 digestion"),
    ("L00", "XII L00-L99 skin"),
    ("M00", "XIII M00-M99 musculoskeletal"),
    ("N00", "XIV N00-N99 genitourinary"),
    ("O00", "XV O00-O99 pregnancy"),
    ("P00", "XVI P00-P96 perinatal"),
    ("Q00", "XVII Q00-Q99 malformations"),
    ("R00", "XVIII R00-R99 symptoms, findings"),
    ("S00", "XIX S00-T98 injury, poisoning"),
    ("U00", "XXII U00-U99 special purposes"),
    ("V00", "XX V00-Y99 external causes"),
    ("Z00", "XXI Z00-Z99 contacts with services"),
)
"""First category and name of each chapter, in the order of the categories (WHO, ICD-10, volume 1)."""

OTHER: Final = "no ICD-10 code"
BANDS: Final = ("head", "torso", "tail", "unseen")
_STARTS: Final = [start for start, _ in CHAPTERS]
_ICD: Final = re.compile(r"[A-Za-z]\d[0-9A-Za-z](?:$|[.\dXx])")
_MOST: Final = 50
_RANGES: Final = 10  # distinct numbers above which a field is cut into four ranges


def chapter(code: str) -> str:
    """Give the ICD-10 chapter of a code in any edition, or `OTHER`."""
    if not _ICD.match(code):
        return OTHER
    return CHAPTERS[max(0, bisect_right(_STARTS, code[:3].upper()) - 1)][1]


def category(code: str) -> str:
    """Give the three characters of an ICD-10 code's category; another code is a category of its own."""
    return code[:3].upper() if _ICD.match(code) else code


def band(n: int, head: int = 50, tail: int = 5) -> str:
    """Say how frequent a code is that `n` training notes have: head, torso, tail or unseen.

    Source: Rios & Kavuluru (2018), Few-Shot and Zero-Shot Multi-Label Learning, EMNLP (few-shot codes).

    Args:
        head: Codes of more notes are in the head.
        tail: Codes of so many notes or fewer are in the tail.
    """
    return "head" if n > head else "torso" if n > tail else "tail" if n else "unseen"


def only(name: str, counts: Mapping[str, int]) -> Callable[[str], str | None]:
    """Give a view of the codes of one band of frequency alone."""
    return lambda code: code if band(counts.get(code, 0)) == name else None


def groups(notes: Sequence[Note], field: str) -> dict[str, list[Note]]:
    """Part notes by a field (or `lang`); many numbers become four ranges with about as many notes in each.

    Raises:
        UsageError: No note has the field, or it has more values than groups can be told apart by.
    """
    values: list[Any] = [note.lang if field == "lang" else note.fields.get(field) for note in notes]
    known = [value for value in values if value is not None]
    if not known:
        raise UsageError(f"by: a field of the gold notes needed, got {field!r}, which none has")
    named = _ranges(known) if len(set(map(str, known))) > _RANGES and all(map(_is_number, known)) else str
    made: dict[str, list[Note]] = {}
    for note, value in zip(notes, values, strict=True):
        made.setdefault("(not said)" if value is None else named(value), []).append(note)
    if len(made) > _MOST:
        raise UsageError(f"by: a field of {_MOST} values or fewer needed, got {len(made):,} values of {field!r}")
    return dict(sorted(made.items()))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _ranges(known: Sequence[float]) -> Callable[[float], str]:
    """Give what names the quarter of the numbers that a number is in."""
    ordered = sorted(known)
    edges = sorted({ordered[len(ordered) * part // 4] for part in (1, 2, 3)})
    bounds = [f"below {edges[0]:g}", *(f"{a:g} to below {b:g}" for a, b in pairwise(edges))]
    names = [*bounds, f"{edges[-1]:g} or more"]
    return lambda value: f"{bisect_right(edges, value) + 1}: {names[bisect_right(edges, value)]}"
