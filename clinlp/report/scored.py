"""What the parts of an evaluation share: how it was asked for, and tables of scores with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from clinlp.metrics.choice import Choice
from clinlp.metrics.compare import Measured, measure
from clinlp.metrics.intervals import Interval, Sampling
from clinlp.metrics.prf import NoteCounts
from clinlp.metrics.views import groups
from clinlp.note import Note
from clinlp.report.document import Card, Row, Section, Table
from clinlp.report.figures import Picture
from clinlp.report.mistakes import KINDS, Mistake
from clinlp.spans import Span

Attribute = Literal["entities", "phi", "diagnoses"]
NAMES: Final[dict[Attribute, str]] = {"entities": "Entities 实体", "phi": "PHI 隐私信息", "diagnoses": "Diagnoses 诊断"}
MOST_ROWS: Final = 30  # labels or codes of a figure, the commonest
_AROUND: Final = 40  # characters shown beside a mistake
_SHARES: Final = {"f1": "micro F1", "macro_f1": "macro F1", "map": "MAP"}


@dataclass(frozen=True, slots=True)
class Asked:
    """How predictions are scored and what is shown of them.

    Attributes:
        choice: Which codes count as predicted.
        by: Field of the gold notes by which groups are scored apart.
        frequencies: How many training notes have each code, to score frequent and rare codes apart.
        show_text: Whether words of the notes stand beside the mistakes.
    """

    choice: Choice = field(default_factory=Choice)
    sampling: Sampling = field(default_factory=Sampling)
    by: str | None = None
    frequencies: Mapping[str, int] | None = None
    show_text: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What an evaluation says of entities, PHI or diagnoses."""

    section: Section
    cards: Sequence[Card]
    numbers: Mapping[str, Any]
    mistakes: Sequence[Mistake]


def named(attribute: Attribute, pictures: Sequence[Picture | None]) -> list[Picture]:
    """Give the figures that could be drawn names of their own, so that parts can stand in one folder and one page."""
    return [replace(each, name=f"{attribute}_{each.name}") for each in pictures if each is not None]


def commonest(measured: Measured, counts: Mapping[str, int]) -> dict[str, Mapping[str, Interval]]:
    """Give the scores of the labels that a figure has room for, the commonest first."""
    ordered = sorted(measured.labels, key=lambda label: (-counts.get(label, 0), label))
    return {label: measured.labels[label] for label in ordered[:MOST_ROWS]}


def percent(share: float) -> str:
    """Write a share in percent; a dash where there is nothing to count."""
    return "–" if math.isnan(share) else f"{100 * share:.1f}"


def span_of(share: Interval | None) -> str:
    """Write an interval in percent; a dash where there is none."""
    return "–" if share is None or math.isnan(share.low) else f"{100 * share.low:.1f}–{100 * share.high:.1f}"


def card(name: str, share: Interval | None) -> Card:
    """Make a card of a share and its interval."""
    return Card(name, "–" if share is None else f"{percent(share.value)} %", span_of(share))


def by_group(gold: Sequence[Note], counts: Sequence[NoteCounts], asked: Asked) -> tuple[Table | None, dict[str, Any]]:
    """Score the groups of notes that a field parts.

    Raises:
        UsageError: No note has the field, or it has too many values.
    """
    if asked.by is None:
        return None, {}
    counted = {each.note_id: each for each in counts}
    measured = {}
    for name, group in groups(gold, asked.by).items():
        if kept := [counted[note.note_id] for note in group if note.note_id in counted]:
            measured[name] = len(kept), measure(kept, asked.sampling, n_labels=0)
    return views(f"By {asked.by} 按{asked.by}分组", measured, asked.sampling)


def views(
    title: str, measured: Mapping[str, tuple[int, Measured]], sampling: Sampling, below: str = ""
) -> tuple[Table, dict[str, Any]]:
    """Lay out scores of several parts, a row each, with how many notes each has."""
    there = [name for name in _SHARES if all(name in each.overall for _, each in measured.values())]
    columns = ["part 部分", "notes 病历", *(part for name in there for part in (_SHARES[name], _level(sampling)))]
    rows = [
        [name, f"{n:,}", *(c for s in there for c in (percent(each.overall[s].value), span_of(each.overall[s])))]
        for name, (n, each) in measured.items()
    ]
    return Table(title, columns, rows, below), {name: {"n_notes": n} | m.to_dict() for name, (n, m) in measured.items()}


def row_of(mistake: Mistake, text: str | None) -> Row:
    """Make a row of a mistake, with the words of the note around it where its text is given."""
    gold, predicted = mistake.names
    spans = [each for each in (mistake.gold, mistake.predicted) if isinstance(each, Span)]
    kind = f"{mistake.kind} {KINDS[mistake.kind]}"
    place = " / ".join(dict.fromkeys(f"{each.start}–{each.end}" for each in spans))
    words = None
    if text is not None and spans:
        start, end = min(each.start for each in spans), max(each.end for each in spans)
        words = text[max(0, start - _AROUND) : start], text[start:end], text[end : end + _AROUND]
    if mistake.kind == "missed":
        predicted = ""
    return Row(mistake.note_id, kind, gold, predicted, place, mistake.score, words)


def rows_of(mistakes: Sequence[Mistake], gold: Sequence[Note], asked: Asked) -> list[Row]:
    """Make rows of mistakes, with words of the notes only where these were asked for."""
    texts = {note.note_id: note.text for note in gold} if asked.show_text else {}
    return [row_of(each, texts.get(each.note_id)) for each in mistakes]


def _level(sampling: Sampling) -> str:
    return f"{100 * sampling.level:g} %"
