"""What spaCy has no place for: the score, the context and the exact borders of a span, kept in `Doc.user_data`.

Kept under spaCy's own kind of key, by the characters of the span, so that it survives `Doc.to_bytes`,
a DocBin with user data, `Span.as_doc` and `Doc.from_docs`; beneath it by label, because spans of several
labels may cover the same words.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import asdict
from typing import Any, Final

from clinlp.spans import Context, Span

EXTENSION: Final = "clinlp"
"""Name of the spaCy extension under which marks are kept."""

UserData = MutableMapping[Any, Any]


def set_mark(user_data: UserData, span: Span, start: int, end: int) -> None:
    """Keep what a span knows, for the spaCy span of its label over the characters `[start, end)`.

    Args:
        span: Its own borders may differ from those of whole tokens, and are kept too if they do.
    """
    mark: dict[str, Any] = {}
    if span.score is not None:
        mark["score"] = float(span.score)
    if span.context is not None:
        mark["context"] = asdict(span.context)
    if (span.start, span.end) != (start, end):
        mark["exact"] = (span.start - start, span.end - end)  # relative: in a copied Doc the span begins elsewhere
    key = ("._.", EXTENSION, start, end)
    user_data[key] = {**user_data.get(key, {}), span.label: mark}


def marked_span(user_data: UserData, start: int, end: int, label: str) -> Span | None:
    """Give the span that was kept for a spaCy span, or None."""
    mark = user_data.get(("._.", EXTENSION, start, end), {}).get(label)
    if mark is None:
        return None
    before, after = mark.get("exact", (0, 0))
    context = mark.get("context")
    return Span(
        max(0, start + before), end + after, label, mark.get("score"), None if context is None else Context(**context)
    )
