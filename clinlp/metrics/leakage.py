"""How much PHI survives: character, span and whole-note recall, and what was removed for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Span


@dataclass(frozen=True, slots=True)
class Leakage:
    """Counts over the gold PHI of one label, or of all. A span leaks if any of its characters survives."""

    n_spans: int = 0
    n_spans_removed: int = 0
    n_characters: int = 0
    n_characters_removed: int = 0

    @property
    def span_recall(self) -> float:
        """Share of the gold spans of which nothing survives; 1 where there are none."""
        return self.n_spans_removed / self.n_spans if self.n_spans else 1.0

    @property
    def character_recall(self) -> float:
        """Share of the gold characters that were removed; 1 where there are none."""
        return self.n_characters_removed / self.n_characters if self.n_characters else 1.0


@dataclass(frozen=True, slots=True)
class LeakageScores:
    """How much PHI leaks, whatever label it was found under, and how much else was removed.

    Attributes:
        overall: All gold labels together; a character under two gold spans counts once.
        labels: For each gold label in alphabetical order; found under any label counts.
        n_notes_clean: Notes of which no gold PHI survives; notes without PHI are clean.
        n_other: Characters that are neither gold PHI nor to be ignored.
        n_other_removed: Those of them that were removed.
    """

    overall: Leakage
    labels: Mapping[str, Leakage] = field(default_factory=dict)
    n_notes: int = 0
    n_notes_clean: int = 0
    n_other: int = 0
    n_other_removed: int = 0

    @property
    def clean_share(self) -> float:
        """Share of the notes without any leak."""
        return self.n_notes_clean / self.n_notes if self.n_notes else 1.0

    @property
    def over_redaction(self) -> float:
        """Share of the other characters that were removed."""
        return self.n_other_removed / self.n_other if self.n_other else 0.0


def score_leakage(gold: Sequence[Note], predicted: Sequence[Note]) -> LeakageScores:
    """Compare the `phi` of two lists of notes with the same texts, label-blind.

    Spans under `fields["phi_ignore"]` of a gold note, `[start, end, label]`, count neither way.

    Args:
        gold: What must be removed.
        predicted: What was found; the same notes, in the same order.

    Raises:
        DataError: The two lists do not hold the same notes.
    """
    if len(gold) != len(predicted):
        raise DataError(f"leakage needs as many predicted as gold notes, got {len(predicted)} for {len(gold)}")
    counts: dict[str, list[int]] = {}
    overall, clean, other, other_removed = [0, 0, 0, 0], 0, 0, 0
    for truth, guess in zip(gold, predicted, strict=True):
        if truth.note_id != guess.note_id or truth.text != guess.text:
            raise DataError(f"note {truth.note_id}: leakage needs the same note with the same text, got another")
        flags = _Flags(truth, guess)
        leaks = False
        for span in truth.phi:
            removed = sum(flags.removed[span.start : span.end])
            leaks = leaks or removed < len(span)
            count = counts.setdefault(span.label, [0, 0, 0, 0])
            for total, more in enumerate((1, int(removed == len(span)), len(span), removed)):
                count[total] += more
            overall[0] += 1
            overall[1] += removed == len(span)
        clean += not leaks
        overall[2] += flags.n_gold
        overall[3] += flags.n_gold_removed
        other += flags.n_other
        other_removed += flags.n_other_removed
    return LeakageScores(
        overall=Leakage(*overall),
        labels={label: Leakage(*counts[label]) for label in sorted(counts)},
        n_notes=len(gold),
        n_notes_clean=clean,
        n_other=other,
        n_other_removed=other_removed,
    )


class _Flags:
    """One byte a character: gold, removed, and from them the four counts of a note."""

    def __init__(self, truth: Note, guess: Note) -> None:
        size = len(truth.text)
        self.removed = _mark(size, guess.phi)
        gold = _mark(size, truth.phi)
        ignored = _mark(size, _to_ignore(truth))
        self.n_gold = sum(gold)
        self.n_gold_removed = sum(map(int.__and__, gold, self.removed))
        aside = bytes(map(int.__or__, gold, ignored))
        self.n_other = size - sum(aside)
        self.n_other_removed = sum(self.removed) - sum(map(int.__and__, aside, self.removed))


def _mark(size: int, spans: Sequence[Span]) -> bytearray:
    flags = bytearray(size)
    for span in spans:
        flags[span.start : span.end] = b"\x01" * len(span)
    return flags


def _to_ignore(note: Note) -> list[Span]:
    """Read `fields["phi_ignore"]`.

    Raises:
        DataError: It is no list of spans within the text.
    """
    given: Any = note.fields.get("phi_ignore") or ()
    try:
        spans = [Span(int(start), int(end), "IGNORE") for start, end, *_ in given]
    except (TypeError, ValueError):
        raise DataError(f"note {note.note_id}: phi_ignore needs [start, end, label] spans, got another form") from None
    if any(span.end > len(note.text) for span in spans):
        raise DataError(f"note {note.note_id}: a phi_ignore span ends after character {len(note.text)}")
    return spans
