"""What spaCy has no place for, kept in `Doc.user_data`: scores, context, exact borders, evidence, left-out spans.

Kept under spaCy's own kind of key, by the characters of the span, so that it survives `Doc.to_bytes`,
a DocBin with user data, `Span.as_doc` and `Doc.from_docs`; beneath it by label, because spans of several
labels may cover the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import asdict, fields
from typing import Any, Final

from clinlp.note import Diagnosis
from clinlp.spans import Context, Cue, Span

EXTENSION: Final = "clinlp"
"""Name of the spaCy extension under which marks are kept."""

_FLAGS: Final = tuple(field.name for field in fields(Context) if field.name != "cues")

UserData = MutableMapping[Any, Any]

_OF_DOC: Final = ("._.", EXTENSION, None, None)


def set_mark(user_data: UserData, span: Span, start: int, end: int) -> None:
    """Keep what a span knows, for the spaCy span of its label over the characters `[start, end)`.

    Args:
        span: Its own borders may differ from those of whole tokens, and are kept too if they do.
    """
    mark: dict[str, Any] = {}
    if span.score is not None:
        mark["score"] = float(span.score)
    if span.context is not None:
        mark["context"] = _context_mark(span.context, start)  # its cues count from the span
    if (span.start, span.end) != (start, end):
        mark["exact"] = (span.start - start, span.end - end)  # relative: in a copied Doc the span begins elsewhere
    key = ("._.", EXTENSION, start, end)
    user_data[key] = {**user_data.get(key, {}), span.label: mark}


def marked_span(user_data: Mapping[Any, Any], start: int, end: int, label: str) -> Span | None:
    """Give the span that was kept for a spaCy span, or None."""
    mark = user_data.get(("._.", EXTENSION, start, end), {}).get(label)
    if mark is None:
        return None
    before, after = mark.get("exact", (0, 0))
    return Span(max(0, start + before), end + after, label, mark.get("score"), _context(mark.get("context"), start))


def set_diagnoses(user_data: UserData, diagnoses: Iterable[Diagnosis]) -> None:
    """Keep diagnoses with their evidence."""
    held = [{**asdict(each), "evidence": list(map(_span_mark, each.evidence))} for each in diagnoses]
    _keep(user_data, "diagnoses", held)


def marked_diagnoses(user_data: Mapping[Any, Any]) -> tuple[Diagnosis, ...] | None:
    """Give the diagnoses that were kept, or None if nobody kept any."""
    held = _of_doc(user_data).get("diagnoses")
    if held is None:
        return None
    return tuple(Diagnosis(each["code"], each["score"], tuple(map(_span, each["evidence"]))) for each in held)


def set_left_out(user_data: UserData, group: str, spans: Iterable[Span]) -> None:
    """Keep the spans of a group that no whole token fits into."""
    listed = {**_of_doc(user_data).get("left_out", {}), group: [_span_mark(span) for span in spans]}
    _keep(user_data, "left_out", {name: held for name, held in listed.items() if held})


def left_out(user_data: Mapping[Any, Any]) -> dict[str, tuple[Span, ...]]:
    """Give the spans that no whole token fits into, by group."""
    return {name: tuple(map(_span, held)) for name, held in _of_doc(user_data).get("left_out", {}).items()}


def _keep(user_data: UserData, name: str, value: Any) -> None:
    user_data[_OF_DOC] = {**_of_doc(user_data), name: value}


def _of_doc(user_data: Mapping[Any, Any]) -> dict[str, Any]:
    return dict(user_data.get(_OF_DOC, {}))


def _span_mark(span: Span) -> dict[str, Any]:
    return {**asdict(span), "context": None if span.context is None else _context_mark(span.context, 0)}


def _span(held: Mapping[str, Any]) -> Span:
    return Span(held["start"], held["end"], held["label"], held["score"], _context(held["context"], 0))


def _context_mark(context: Context, at: int) -> dict[str, Any]:
    """A context as plain values, its cues counted from a place."""
    mark: dict[str, Any] = {name: getattr(context, name) for name in _FLAGS}
    if context.cues:
        mark["cues"] = [(start - at, end - at, effect) for start, end, effect in context.cues]
    return mark


def _context(held: Mapping[str, Any] | None, at: int) -> Context | None:
    """The context; cues that a copied Doc lost in front are left out."""
    if held is None:
        return None
    cues = [Cue(start + at, end + at, effect) for start, end, effect in held.get("cues", ())]
    return Context(**{**held, "cues": tuple([cue for cue in cues if cue.start >= 0])})
