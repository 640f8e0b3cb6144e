"""Which column of a record plays which role: the canonical names, the usual ones of dumps, those that a user gives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from clinlp.records.options import ReadOptions

ROLES: Final = ("note_id", "text", "patient_id", "lang", "time")
SPAN_SETS: Final = ("entities", "phi", "sections")
RESERVED: Final = frozenset((*ROLES, *SPAN_SETS, "diagnoses", "codes", "fields"))

# Names that dumps use, lower case; the canonical name always comes first.
_USUAL: Final[dict[str, tuple[str, ...]]] = {
    "note_id": ("note_id", "id", "row_id", "record_id", "document_id", "doc_id", "编号", "记录编号", "病历编号"),
    "text": (
        *("text", "note_text", "note", "content", "report_text", "report", "body"),
        *("文本", "正文", "内容", "病历内容", "病历文本", "病历"),
    ),
    "patient_id": ("patient_id", "subject_id", "person_id", "患者编号", "患者id", "病人编号"),
    "lang": ("lang",),
    "time": ("time", "note_time", "note_date", "charttime", "chartdate", "记录时间", "记录日期"),
}
_DEFAULTS: Final = ReadOptions()


def record_id(record: Any, options: ReadOptions = _DEFAULTS) -> str | None:
    """The id of a record that may be broken otherwise; None where there is none."""
    if not isinstance(record, Mapping):
        return None
    value = record.get(layout_of(tuple(record), options.columns()).note_id)
    return str(value) if type(value) in (int, str) and value != "" else None


class Layout(NamedTuple):
    """Which key plays which role in records that have the same keys."""

    extras: tuple[str, ...]
    note_id: str
    text: str
    patient_id: str
    lang: str
    time: str


@lru_cache(maxsize=512)
def layout_of(keys: tuple[str, ...], named: tuple[str | None, ...]) -> Layout:
    """Find the role of each key.

    Args:
        named: The keys that the user gave, in the order of `ROLES`; None where the usual ones are looked for.
    """
    lowered: dict[str, str] = {}
    for key in keys:
        lowered.setdefault(str(key).lower(), key)
    roles = []
    for role, name in zip(ROLES, named, strict=True):
        if name is None:
            usual = (lowered[each] for each in _USUAL[role] if each in lowered and lowered[each] not in named)
            name = role if role in keys and role not in named else next(usual, role)  # noqa: PLW2901
        roles.append(name)
    used = {*roles, *SPAN_SETS, "diagnoses", "codes", "fields"}
    return Layout(tuple(key for key in keys if key not in used), *roles)


def missing_columns(keys: tuple[str, ...], options: ReadOptions) -> list[tuple[str, str]]:
    """Columns that a table needs and lacks, as `(column, role)`: the text, and all that were named."""
    layout = layout_of(keys, options.columns())
    wanted = {role: name for role, name in zip(ROLES, options.columns(), strict=True) if name is not None}
    wanted["text"] = layout.text
    return [(name, role) for role, name in wanted.items() if name not in keys]
