"""One self-contained HTML page of notes: spans, context, sections, diagnoses and their evidence.

The page asks nothing of a network: style, script and data stand in it, and its policy allows these
alone. Its script draws the notes that are near the screen, so that thousands of them open at once; it
writes text as text and never as markup.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from itertools import accumulate
from typing import Any, Final

from clinlp.labels import ENTITY_LABELS
from clinlp.note import Note
from clinlp.report.assets import UNSHOWABLE, asset, policy, showable, template
from clinlp.report.names import CONTEXT_NAMES, context_marks, label_names, section_name
from clinlp.spans import Span

Kinds = Mapping[tuple[str, str], int]  # (set, label) -> its number

_HUES: Final = (2, 28, 212, 188, 272, 140, 96, 72, 50, 322)  # of ENTITY_LABELS, in their order
_MARKS: Final = list(CONTEXT_NAMES)


def render(notes: Iterable[Note], title: str = "clinlp", originals: Mapping[str, Note] | None = None) -> str:
    """Draw notes as one HTML page that opens offline.

    Entities and PHI may nest and cross. The text is shown as it is, so the page holds whatever PHI
    the notes hold. A lone surrogate or NUL is shown as U+FFFD.

    Args:
        notes: In the order in which they are shown.
        title: Heading of the page.
        originals: By id, the note that each was made of; its text and PHI stand beside what was made of it.
    """
    notes = list(notes)
    originals = originals or {}
    kinds, _ = number_labels([*notes, *originals.values()])
    _, counts = number_labels(notes)
    style = asset("marks.css") + asset("page.css") + "\n".join(colours(kinds))
    script = asset("note.js") + asset("page.js")
    page = template("page.html").substitute(
        policy=policy(style, script),
        title=escape(title),
        style=style,
        script=script,
        summary=_summary(len(notes), counts),
        data=data_block(
            {
                "labels": _labels(kinds, counts),
                "marks": _marks(notes),
                "notes": [_note(note, kinds) | _before(originals.get(note.note_id), kinds) for note in notes],
            }
        ),
    )
    return showable(page)


def number_labels(notes: Sequence[Note]) -> tuple[dict[tuple[str, str], int], Counter[tuple[str, str]]]:
    """Number the labels of notes, entities before PHI and the usual ones first; and count their spans."""
    counts = Counter(
        (kind, span.label) for note in notes for kind in ("entities", "phi") for span in getattr(note, kind)
    )
    known = {label: at for at, label in enumerate(ENTITY_LABELS)}
    ordered = sorted(counts, key=lambda key: (key[0], known.get(key[1], len(known)), key[1]))
    return {key: number for number, key in enumerate(ordered)}, counts


def colours(kinds: Kinds, within: str = "") -> Iterator[str]:
    """Give each label of entities its colour, in elements of the class given."""
    known = list(ENTITY_LABELS)
    for (kind, label), number in kinds.items():
        if kind == "entities":
            hue = _HUES[known.index(label)] if label in known else round(number * 137.5) % 360
            yield f"{within}.l{number} {{ --h: {hue}; }}"


def data_block(data: Mapping[str, Any]) -> str:
    """Write data as JSON in which nothing ends or opens an element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _summary(n_notes: int, counts: Counter[tuple[str, str]]) -> str:
    n_entities, n_phi = (sum(n for (k, _), n in counts.items() if k == kind) for kind in ("entities", "phi"))
    return f"{n_notes:,} notes 份病历 · {n_entities:,} entities 实体 · {n_phi:,} PHI 隐私信息"


def _labels(kinds: Kinds, counts: Counter[tuple[str, str]]) -> list[list[Any]]:
    """Give the set, the label, its names and its count, in the order of the numbers."""
    return [[kind, _shown(label), *map(_shown, label_names(kind, label)), counts[kind, label]] for kind, label in kinds]


def _marks(notes: Sequence[Note]) -> list[list[Any]]:
    """Give each context mark with its names, and how many spans have it."""
    counts = Counter(mark for note in notes for span in note.entities for mark in context_marks(span.context))
    return [[mark, *CONTEXT_NAMES[mark], counts[mark]] for mark in _MARKS]


def _note(note: Note, kinds: Kinds) -> dict[str, Any]:
    """Give what the script needs of a note, with offsets as its strings count them.

    Spans come in the order in which they are laid out: by start, the longer first.
    """
    at = _units(note.text)
    held = [(kind, span) for kind in ("entities", "phi") for span in getattr(note, kind)]
    held.sort(key=lambda pair: (pair[1].start, -pair[1].end, pair[0], pair[1].label))
    made: dict[str, Any] = {"id": _shown(note.note_id), "text": _shown(note.text)}
    made["spans"] = [_span(span, kinds[kind, span.label], at) for kind, span in held]
    if note.lang:
        made["lang"] = "zh-Hans" if note.lang == "zh" else note.lang
    if note.sections:
        made["sections"] = [[at(each.start), _shown(section_name(each.label, note.lang))] for each in note.sections]
    if note.diagnoses is not None:
        ordered = sorted(note.diagnoses, key=lambda each: -1.0 if each.score is None else -each.score)
        made["codes"] = [
            [_shown(each.code), each.score, [[at(span.start), at(span.end)] for span in each.evidence]]
            for each in ordered
        ]
    return made


def _before(original: Note | None, kinds: Kinds) -> dict[str, Any]:
    """Give what stands beside a note: the text that it was made of, and its PHI."""
    if original is None:
        return {}
    held = _note(replace(original, entities=(), sections=(), diagnoses=None), kinds)
    return {"before": {"text": held["text"], "spans": held["spans"]}}


def _span(span: Span, number: int, at: Callable[[int], int]) -> list[Any]:
    """Give start, end, number of the label, score and marks; what is nothing at the end is left out."""
    marks = [_MARKS.index(mark) for mark in context_marks(span.context)]
    made: list[Any] = [at(span.start), at(span.end), number]
    score = None if span.score is None else round(span.score, 4)
    return made + ([score, marks] if marks else [] if score is None else [score])


def _units(text: str) -> Callable[[int], int]:
    """Give what turns offsets in characters into offsets in UTF-16, which is how scripts count."""
    if not text or max(text) <= "\uffff":
        return lambda at: at
    before = [0, *accumulate(2 if each > "\uffff" else 1 for each in text)]
    return before.__getitem__


def _shown(text: str) -> str:
    return re.sub(UNSHOWABLE, "\ufffd", text)
