"""Which columns of a record hold known identifiers, and the values in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from clinlp.deid.categories import CATEGORIES, PhiLabel
from clinlp.deid.words import listed
from clinlp.errors import UsageError
from clinlp.note import Note

_DEEPEST: Final = 4


@cache
def _guesses() -> dict[str, PhiLabel]:
    """Name of a column, small and without marks -> what it holds."""
    pairs = (line.split("=") for line in listed("known_columns"))
    return {name: PhiLabel(label) for name, label in pairs}


def parse_known(specs: Iterable[str]) -> dict[str, PhiLabel]:
    """Read `COLUMN=LABEL` or `COLUMN`, as they are written on the command line.

    >>> parse_known(["patient_name=NAME", "dob", "住院号"])
    {'patient_name': <PhiLabel.NAME: 'NAME'>, 'dob': <PhiLabel.DATE: 'DATE'>, '住院号': <PhiLabel.MRN: 'MRN'>}

    Raises:
        UsageError: A column is empty or given twice, a label is not known, or a column that has none
            is not one whose name says what it holds.
    """
    columns: dict[str, PhiLabel] = {}
    for spec in specs:
        column, mark, word = spec.rpartition("=")
        column, word = (column.strip(), word.strip()) if mark else (spec.strip(), "")
        if not column:
            raise UsageError("known column: COLUMN=LABEL needs a column, got none")
        if column in columns:
            raise UsageError(f"known column {column!r}: given twice")
        columns[column] = _label(column, word) if mark else guess_label(column)
    return columns


def _label(column: str, word: str) -> PhiLabel:
    name = word.upper().replace("-", "_")
    if name in PhiLabel.__members__:
        return PhiLabel[name]
    for label, category in CATEGORIES.items():
        if word.lower() in (category.en, category.zh):
            return label
    # The word is not shown: it may be a value, written where the label belongs.
    close = get_close_matches(name, list(PhiLabel), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise UsageError(f"known column {column!r}: label needs one of {', '.join(PhiLabel)}, got another word{hint}")


def guess_label(column: str) -> PhiLabel:
    """Give the label of a column whose name says what it holds: `patient_name`, `DOB`, 住院号.

    Raises:
        UsageError: The name says nothing.
    """
    key = re.sub(r"[\W_]+", "", column).lower()
    known = _guesses()
    for name in (key, re.sub(r"^(?:patients?|pt|患者|病人)|[0-9]+$", "", key)):
        if name in known:
            return known[name]
    raise UsageError(
        f"known column {column!r}: needs COLUMN=LABEL, as {column}=NAME; its name alone does not say what it holds"
    )


def absent(columns: Iterable[str], notes: Iterable[Note]) -> tuple[str, ...]:
    """Give the columns that none of the notes has: most likely misspelt."""
    missing = dict.fromkeys(columns)
    for note in notes:
        for column in [column for column in missing if column_value(note, column) is not None]:
            del missing[column]
        if not missing:
            break
    return tuple(missing)


def column_value(note: Note, column: str) -> Any:
    """Give what a note has in a column; `patient_id` and `note_id` are the note's own."""
    value = note.fields.get(column)
    if value is None and column == "patient_id":
        return note.patient_id
    if value is None and column == "note_id":
        return note.note_id
    return value


def whole_names(columns: Mapping[str, Sequence[str | date]]) -> Iterator[str]:
    """Give the whole names of records that hold them in two columns: first_name and last_name, 姓 and 名.

    Args:
        columns: Column -> its values; only columns of names.
    """
    people: dict[str, dict[str, str]] = {}
    for column, several in columns.items():
        match = re.search(r"first|given|fore|last|family|sur(?=_?name)|姓$|名$", column.lower())
        if match and len(several) == 1:
            side = "last" if match[0] in ("last", "family", "sur", "姓") else "first"
            person = re.sub(r"[\W_]+", "", column.lower().replace(match[0], ""))
            people.setdefault(person, {})[side] = str(several[0])
    for sides in people.values():
        if len(sides) == 2:
            both = sides["last"] + sides["first"]
            yield both if any("\u3400" <= c <= "\u9fff" for c in both) else f"{sides['last']}, {sides['first']}"


def values(value: Any, label: PhiLabel) -> Iterator[str | date]:
    """Give each single value of a column: of a list, or of text with `;`, `、`, `|` or line breaks between."""
    for single in _flat(value, _DEEPEST):
        if isinstance(single, date):
            yield single
            continue
        for piece in _pieces(single, label):
            text = piece.strip().strip("\"'“”")
            if text and text.lower() not in listed("known_nothing"):
                yield text


def _flat(value: Any, depth: int) -> Iterator[str | date]:
    if isinstance(value, (str, date)):
        yield value
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, float):
        if math.isfinite(value):
            yield str(int(value)) if value.is_integer() else str(value)
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, (list, tuple, set, frozenset, Mapping)) and depth:
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _flat(item, depth - 1)


def _pieces(text: str, label: PhiLabel) -> Iterator[str]:
    if label in (PhiLabel.URL, PhiLabel.DATE, PhiLabel.IP):
        yield from re.split(r"[;；、|｜\n]", text)
        return
    lines = r"[;；、|｜]" if label is PhiLabel.LOCATION else r"[;；、|｜\n]"
    for piece in re.split(lines, text):
        if label is PhiLabel.NAME:
            yield from re.split(r"[/／]", piece)
        else:
            yield piece
            if "/" in piece and label is not PhiLabel.LOCATION:
                yield from (part for part in piece.split("/") if len(part.strip()) > 4)
