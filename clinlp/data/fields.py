"""The structured fields of notes as numbers: what train says of a column, and the rows that a model reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import DataError, UsageError
from clinlp.models.fields import MISSING, UNKNOWN, CategoryColumn, FieldsConfig, NumberColumn
from clinlp.note import Note

_T = TypeVar("_T")
_NOTHING: Final = frozenset(
    {"", "-", ".", "?", "na", "n/a", "nan", "nil", "none", "null", "missing", "无", "缺失", "不详"}
)
"""How tables write that there is no value, in small letters."""
_PATIENTS: Final = 2
"""Patients who must share a category: what a single one has would be learned by heart, and stand in the model."""
_KINDS: Final = {str: "a text", bool: "yes or no", int: "a whole number", float: "a number", list: "a list"}


def fit_fields(
    notes: Sequence[Note], numbers: Sequence[str], categories: Sequence[str]
) -> tuple[FieldsConfig | None, list[str]]:
    """Learn how columns are to be read, from the notes to train on.

    Args:
        numbers: Columns of numbers.
        categories: Columns of categories.

    Returns:
        What a model keeps, None if no column is named; and what is to be said.

    Raises:
        DataError: A column has no value, or one that cannot be read.
        UsageError: A column is named twice.
    """
    named = [*numbers, *categories]
    if not named:
        return None, []
    if twice := [name for name in named if named.count(name) > 1]:
        raise UsageError(f"field {twice[0]}: number or category needed, got it named twice")
    remarks: list[str] = []
    made = FieldsConfig(
        numbers=tuple(_number_column(notes, name, remarks) for name in numbers),
        categories=tuple(_category_column(notes, name, remarks) for name in categories),
    )
    return made, remarks


def read_fields(config: FieldsConfig, notes: Sequence[Note]) -> NDArray[np.float32]:
    """Give the fields of notes as a model takes them, `(note, column)`.

    Returns:
        Standardised numbers, NaN where one is missing; then the rows of categories.

    Raises:
        DataError: A value cannot be read.
    """
    values = np.full((len(notes), len(config.names)), np.nan, np.float32)
    for at, number in enumerate(config.numbers):
        found = np.array([math.nan if value is None else value for value in _values(notes, number.name, as_number)])
        values[:, at] = (found - number.mean) / number.std
    for at, column in enumerate(config.categories, len(config.numbers)):
        rows = {value: row for row, value in enumerate(column.values, UNKNOWN + 1)}
        for row, value in enumerate(_values(notes, column.name, as_category)):
            values[row, at] = MISSING if value is None else rows.get(value, UNKNOWN)
    return values


def as_number(value: Any) -> float | None:
    """Read a number; None where there is no value.

    >>> as_number(" 37.5 "), as_number("NA"), as_number(True)
    (37.5, None, 1.0)

    Raises:
        ValueError, TypeError: It is none.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return None
    if not isinstance(value, str | int | float):
        raise TypeError("a number, or nothing where it is missing,")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.inf
    if math.isinf(number):
        raise ValueError("a number, or nothing where it is missing,")
    return None if math.isnan(number) else number


def as_category(value: Any) -> str | None:
    """Read a category, alike whether a file of text or of JSON held it; None where there is no value.

    >>> as_category(" F "), as_category(2.0), as_category(True), as_category("不详")
    ('F', '2', 'true', None)

    Raises:
        ValueError, TypeError: It is none.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, str | int | float):
        raise TypeError("a word or a number, or nothing where it is missing,")
    text = str(value).strip()
    return None if text.lower() in _NOTHING else text.lower() if text.lower() in ("true", "false") else text


def _values(notes: Sequence[Note], name: str, read: Callable[[Any], _T | None]) -> list[_T | None]:
    """Read a column; a value is never quoted, for it may be anything about a patient."""
    found = []
    for note in notes:
        value = note.fields.get(name)
        try:
            found.append(read(value))
        except (ValueError, TypeError) as error:
            kind = _KINDS.get(type(value), type(value).__name__)
            said = " that is none" if isinstance(value, str | float) else ""
            raise DataError(f"note {note.note_id}: field {name}: {error} needed, got {kind}{said}") from None
    return found


def _number_column(notes: Sequence[Note], name: str, remarks: list[str]) -> NumberColumn:
    known = [value for value in _values(notes, name, as_number) if value is not None]
    if not known:
        raise _no_value(notes, name)
    _say_missing(remarks, name, len(notes), len(known))
    mean, std = float(np.mean(known)), float(np.std(known))
    if std <= 1e-9 * max(1.0, abs(mean)):
        remarks.append(f"field {name}: one value in all of train, which says nothing")
        std = 1.0
    return NumberColumn(name=name, mean=mean, std=std)


def _category_column(notes: Sequence[Note], name: str, remarks: list[str]) -> CategoryColumn:
    read = _values(notes, name, as_category)
    patients: dict[str, set[str]] = {}
    for note, value in zip(notes, read, strict=True):
        if value is not None:
            patients.setdefault(value, set()).add(f"p{note.patient_id}" if note.patient_id else f"n{note.note_id}")
    if not patients:
        raise _no_value(notes, name)
    _say_missing(remarks, name, len(notes), sum(value is not None for value in read))
    kept = tuple(sorted(value for value, theirs in patients.items() if len(theirs) >= _PATIENTS))
    if rare := len(patients) - len(kept):
        remarks.append(
            f"field {name}: {rare:,} of {len(patients):,} categories are of one patient and count as unknown"
        )
    return CategoryColumn(name=name, values=kept)


def missing_fields(names: Sequence[str], notes: Sequence[Note], what: str = "") -> list[str]:
    """Say which fields no note has: their column may have another name there."""
    return [
        f"field {name}: none of {len(notes):,} notes{what} has it"
        for name in names
        if notes and not any(name in note.fields for note in notes)
    ]


def _say_missing(remarks: list[str], name: str, n_notes: int, n_known: int) -> None:
    if n_known < n_notes:
        remarks.append(f"field {name}: {n_notes - n_known:,} of {n_notes:,} notes of train have no value")


def _no_value(notes: Sequence[Note], name: str) -> DataError:
    columns: Mapping[str, None] = dict.fromkeys(key for note in notes for key in note.fields)
    there = f"; there are {', '.join(sorted(columns)[:20])}" if columns else ""
    return DataError(f"field {name}: notes of train with a value needed, got none in {len(notes):,} notes{there}")
