"""The one JSON form of a note: every reader ends here and every writer starts here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from clinlp.errors import DataError
from clinlp.note import Diagnosis, Lang, Note
from clinlp.records.layout import SPAN_SETS, layout_of
from clinlp.records.options import ReadOptions, Record
from clinlp.spans import CUE_EFFECTS, Context, Cue, Span

_LANGS: Final[dict[str, Lang]] = {
    **dict.fromkeys(("en", "eng", "english"), "en"),
    **dict.fromkeys(("zh", "zho", "chi", "cn", "chinese", "中文"), "zh"),
}
_FLAGS: Final = ("negated", "uncertain", "historical", "hypothetical")
_DEFAULTS: Final = ReadOptions()


def to_record(note: Note) -> Record:
    """Write a note as the canonical dict, ready for JSON.

    What is not known (`patient_id`, `lang`, `time`, `diagnoses`) is left out; the rest is always there.
    """
    record: Record = {"note_id": note.note_id, "text": note.text}
    if note.patient_id is not None:
        record["patient_id"] = note.patient_id
    if note.lang is not None:
        record["lang"] = note.lang
    if note.time is not None:
        record["time"] = note.time.isoformat()
    for name in SPAN_SETS:
        record[name] = [span_record(span) for span in getattr(note, name)]
    if note.diagnoses is not None:
        record["diagnoses"] = [_diagnosis_record(diagnosis) for diagnosis in note.diagnoses]
    record["fields"] = dict(note.fields)
    return record


def from_record(
    record: Mapping[str, Any],
    *,
    note_id: str | None = None,
    options: ReadOptions = _DEFAULTS,
    lost: Counter[str] | None = None,
) -> Note:
    """Read a note from the canonical dict, or from one with a dump's own column names.

    Args:
        note_id: The id of a record that has none.
        options: Names of columns; the usual names are found without.
        lost: Counts what a note cannot hold (the hour of a time).

    Raises:
        DataError: Something needed is missing or of a wrong type; the message holds no text.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"record needs to be a JSON object, got {_kind(record)}")
    layout = layout_of(tuple(record), options.columns())
    text = record.get(layout.text)
    if not isinstance(text, str):
        if text is None:
            raise DataError(f'record has no "{layout.text}"')
        raise DataError(f'"{layout.text}" needs to be a string, got {_kind(text)}')
    get = record.get
    return Note(
        note_id=_name(get(layout.note_id), layout.note_id) or note_id or "",
        text=text,
        patient_id=_name(get(layout.patient_id), layout.patient_id),
        lang=_lang(get(layout.lang)),
        time=_time(get(layout.time), lost),
        entities=_spans(get("entities"), "entities"),
        phi=_spans(get("phi"), "phi"),
        sections=_spans(get("sections"), "sections"),
        diagnoses=_diagnoses(get("diagnoses"), get("codes")),
        fields=_fields(record, layout.extras),
    )


def span_record(span: Span) -> Record:
    """Write a span as the canonical dict."""
    record: Record = {"start": span.start, "end": span.end, "label": span.label}
    if span.score is not None:
        record["score"] = span.score
    if (context := span.context) is not None:
        record["context"] = {
            "negated": context.negated,
            "uncertain": context.uncertain,
            "historical": context.historical,
            "hypothetical": context.hypothetical,
            "experiencer": context.experiencer,
        }
        if context.cues:
            record["context"]["cues"] = [
                {"start": start, "end": end, "effect": effect} for start, end, effect in context.cues
            ]
    return record


def _diagnosis_record(diagnosis: Diagnosis) -> Record:
    record: Record = {"code": diagnosis.code}
    if diagnosis.score is not None:
        record["score"] = diagnosis.score
    if diagnosis.evidence:
        record["evidence"] = [span_record(span) for span in diagnosis.evidence]
    return record


def _spans(values: Any, name: str) -> tuple[Span, ...]:
    if not values and (values is None or isinstance(values, list)):
        return ()
    if not isinstance(values, list):
        raise DataError(f'"{name}" needs to be a list, got {_kind(values)}')
    return tuple([_span(value, name) for value in values])


def _span(value: Any, name: str) -> Span:
    score = context = None
    if isinstance(value, dict):
        start, end, label = value.get("start"), value.get("end"), value.get("label")
        score, context = _score(value.get("score")), _context(value.get("context"))
    elif isinstance(value, list) and len(value) == 3:
        start, end, label = value
    else:
        raise DataError(f'"{name}" needs spans as start, end, label, got {_kind(value)}')
    if type(start) is not int or type(end) is not int:
        raise DataError(f'"{name}" needs whole numbers as start and end, got {_kind(start)} and {_kind(end)}')
    if not isinstance(label, str):
        raise DataError(f'"{name}" needs a string as label, got {_kind(label)}')
    return Span(start, end, label, score, context)


def _score(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f'"score" needs a number, got {_kind(value)}')
    return float(value)


def _context(value: Any) -> Context | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise DataError(f'"context" needs an object, got {_kind(value)}')
    for name in _FLAGS:
        flag = value.get(name)
        if flag is not None and not isinstance(flag, bool):
            raise DataError(f'"{name}" needs true or false, got {_kind(flag)}')
    if value.keys() - {*_FLAGS, "experiencer", "cues"}:
        raise DataError(f'"context" knows {", ".join(_FLAGS)}, experiencer and cues, got another key')
    experiencer = value.get("experiencer")
    return Context(
        negated=bool(value.get("negated")),
        uncertain=bool(value.get("uncertain")),
        historical=bool(value.get("historical")),
        hypothetical=bool(value.get("hypothetical")),
        experiencer="patient" if experiencer is None else experiencer,
        cues=_cues(value.get("cues")),
    )


def _cues(values: Any) -> tuple[Cue, ...]:
    if values is None:
        return ()
    if not isinstance(values, list):
        raise DataError(f'"cues" needs to be a list, got {_kind(values)}')
    cues = []
    for value in values:
        held = list(map(value.get, Cue._fields)) if isinstance(value, dict) else value
        if not isinstance(held, list) or len(held) != 3 or type(held[0]) is not int or type(held[1]) is not int:
            raise DataError(f'"cues" needs cues as start, end, effect, got {_kind(value)}')
        if held[2] not in CUE_EFFECTS:
            raise DataError(f'"cues" needs an effect of {", ".join(CUE_EFFECTS)}, got another {_kind(held[2])}')
        cues.append(Cue(*held))
    return tuple(cues)


def _diagnoses(values: Any, codes: Any) -> tuple[Diagnosis, ...] | None:
    if values is not None and codes is not None:
        raise DataError('record needs "diagnoses" or "codes", got both')
    name = "diagnoses" if codes is None else "codes"
    values = values if codes is None else codes
    if values is None:
        return None
    if not isinstance(values, list):
        raise DataError(f'"{name}" needs to be a list, got {_kind(values)}')
    return tuple([_diagnosis(value, name) for value in values])


def _diagnosis(value: Any, name: str) -> Diagnosis:
    if isinstance(value, str):
        return Diagnosis(value)
    if not isinstance(value, dict) or not isinstance(value.get("code"), str):
        raise DataError(f'"{name}" needs a string as code, got {_kind(value)}')
    return Diagnosis(value["code"], _score(value.get("score")), _spans(value.get("evidence"), "evidence"))


def _fields(record: Mapping[str, Any], extras: tuple[str, ...]) -> dict[str, Any]:
    own = record.get("fields")
    if own is None:
        own = {}
    if not isinstance(own, dict):
        raise DataError(f'"fields" needs an object, got {_kind(own)}')
    if not extras:
        return own
    for key in extras:
        if key in own:
            raise DataError(f'record has "{key}" twice: as a column and in "fields"')
    return own | {key: record[key] for key in extras}


def _name(value: Any, key: str) -> str | None:
    """An id as a string; ids that came as numbers are taken, and empty ones are none."""
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    raise DataError(f'"{key}" needs to be a string, got {_kind(value)}')


def _lang(value: Any) -> Lang | None:
    if value is None or value == "":
        return None
    lang = None
    if isinstance(value, str):
        lang = _LANGS.get(value) or _LANGS.get(re.split("[-_]", value.lower(), maxsplit=1)[0])
    if lang is None:
        raise DataError(f'"lang" needs to be en or zh, got another {_kind(value)}')
    return lang


@lru_cache(maxsize=1)
def _date_pattern() -> re.Pattern[str]:
    return re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(.*)", re.DOTALL)


def _time(value: Any, lost: Counter[str] | None) -> date | None:
    """A day; of a moment the hour is not held, which is counted."""
    if value is None or value == "":
        return None
    day: date | None = None
    hour = False
    if isinstance(value, datetime):
        day, hour = value.date(), value.time() != value.time().min
    elif isinstance(value, date):
        day = value
    elif isinstance(value, str):
        day, hour = _parse_time(value.strip())
    if day is None:
        raise DataError(
            f'"time" needs a date such as 2024-01-31, got another {_kind(value)}; '
            "under another name the column is carried as it is"
        )
    if hour and lost is not None:
        lost["time_of_day"] += 1
    return day


def _parse_time(value: str) -> tuple[date | None, bool]:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        match = _date_pattern().fullmatch(value)
        if match is None:
            return None, False
        try:
            day = date(*map(int, match.group(1, 2, 3)))
        except ValueError:
            return None, False
        return day, any(digit in "123456789" for digit in match.group(4))
    return moment.date(), moment.time() != moment.time().min


_KINDS: Final[dict[type, str]] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    list: "list",
    dict: "object",
}


def _kind(value: Any) -> str:
    """What a value is, in the words of JSON; never the value."""
    return _KINDS.get(type(value), type(value).__name__)
