"""How much PHI survives: character, span and whole-note recall, and what was removed for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Span


@dataclass(frozen=True, slots=True)
class Leakage:
    """Counts over the gold PHI of one label, or of all. A span leaks if any of its characters survives.

    Attributes:
        n_notes: Notes that hold such PHI.
        n_notes_clean: Those of them of which none of it survives.
        n_spans_untouched: Spans of which all survives.
    """

    n_spans: int = 0
    n_spans_removed: int = 0
    n_characters: int = 0
    n_characters_removed: int = 0
    n_notes: int = 0
    n_notes_clean: int = 0
    n_spans_untouched: int = 0

    @property
    def span_recall(self) -> float:
        """Share of the gold spans of which nothing survives; 1 where there are none."""
        return self.n_spans_removed / self.n_spans if self.n_spans else 1.0

    @property
    def character_recall(self) -> float:
        """Share of the gold characters that were removed; 1 where there are none."""
        return self.n_characters_removed / self.n_characters if self.n_characters else 1.0

    @property
    def note_recall(self) -> float:
        """Share of the notes with such PHI of which none of it survives; 1 where there are none."""
        return self.n_notes_clean / self.n_notes if self.n_notes else 1.0

    def __add__(self, other: Leakage) -> Leakage:
        return Leakage(
            self.n_spans + other.n_spans,
            self.n_spans_removed + other.n_spans_removed,
            self.n_characters + other.n_characters,
            self.n_characters_removed + other.n_characters_removed,
            self.n_notes + other.n_notes,
            self.n_notes_clean + other.n_notes_clean,
            self.n_spans_untouched + other.n_spans_untouched,
        )


@dataclass(frozen=True, slots=True)
class Leak:
    """A gold span of which something survives: where it is and how much is left, never its words.

    Attributes:
        n_letters_left: Letters and digits among the characters left; 0 if only spaces or marks are.
    """

    note_id: str
    start: int
    end: int
    label: str
    n_characters_left: int
    n_letters_left: int


@dataclass(frozen=True, slots=True)
class NoteLeakage:
    """The counts of one note, of which all scores are sums, and its leaks."""

    note_id: str
    patient_id: str | None = field(default=None, repr=False)
    overall: Leakage = field(default_factory=Leakage)
    labels: Mapping[str, Leakage] = field(default_factory=dict)
    n_other: int = 0
    n_other_removed: int = 0
    leaks: tuple[Leak, ...] = ()

    @property
    def shares(self) -> dict[str, tuple[float, float]]:
        """What the note adds above and below the line of each share."""
        found = self.overall
        return {
            "character_recall": (found.n_characters_removed, found.n_characters),
            "span_recall": (found.n_spans_removed, found.n_spans),
            "clean_share": (float(not self.leaks), 1.0),
            "over_redaction": (self.n_other_removed, self.n_other),
        }


@dataclass(frozen=True, slots=True)
class LeakageScores:
    """How much PHI leaks, whatever label it was found under, and how much else was removed.

    Attributes:
        overall: All gold labels together; a character under two gold spans counts once.
        labels: For each gold label in alphabetical order; found under any label counts.
        n_notes_clean: Notes of which no gold PHI survives; notes without PHI are clean.
        n_other: Characters that are neither gold PHI nor to be ignored.
        n_other_removed: Those of them that were removed.
        notes: The counts of each note, in order.
    """

    overall: Leakage
    labels: Mapping[str, Leakage] = field(default_factory=dict)
    n_notes: int = 0
    n_notes_clean: int = 0
    n_other: int = 0
    n_other_removed: int = 0
    notes: tuple[NoteLeakage, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, notes: Iterable[NoteLeakage]) -> LeakageScores:
        """Add up the notes."""
        kept = tuple(notes)
        overall, labels = Leakage(), dict[str, Leakage]()
        for note in kept:
            overall += note.overall
            for label, leakage in note.labels.items():
                labels[label] = labels.get(label, Leakage()) + leakage
        return cls(
            overall=overall,
            labels=dict(sorted(labels.items())),
            n_notes=len(kept),
            n_notes_clean=sum(not note.leaks for note in kept),
            n_other=sum(note.n_other for note in kept),
            n_other_removed=sum(note.n_other_removed for note in kept),
            notes=kept,
        )

    @property
    def clean_share(self) -> float:
        """Share of the notes without any leak."""
        return self.n_notes_clean / self.n_notes if self.n_notes else 1.0

    @property
    def over_redaction(self) -> float:
        """Share of the other characters that were removed."""
        return self.n_other_removed / self.n_other if self.n_other else 0.0

    @property
    def leaks(self) -> Iterator[Leak]:
        """Every gold span of which something survives, note by note."""
        return (leak for note in self.notes for leak in note.leaks)


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
    return LeakageScores.of(map(_score_pair, gold, predicted))


def score_note(gold: Note, removed: Sequence[Span], *, words_only: bool = False) -> NoteLeakage:
    """Count what survives of one note.

    Args:
        gold: What must be removed.
        removed: What was removed, over the same text, in any order; labels have no say.
        words_only: Count letters and digits alone: the spaces and marks of a gold span may stay.

    Raises:
        DataError: `phi_ignore` of the gold note is no list of spans within its text.
    """
    size = len(gold.text)
    counted = np.fromiter(map(str.isalnum, gold.text), np.bool_, size) if words_only else np.ones(size, np.bool_)
    gone = _mark(size, removed)
    wanted = _mark(size, gold.phi)
    other = counted & ~wanted & ~_mark(size, _to_ignore(gold))
    leaks = []
    labels: dict[str, Leakage] = {}
    for span in gold.phi:
        here = slice(span.start, span.end)
        n_characters, left = int(counted[here].sum()), counted[here] & ~gone[here]
        n_left = int(left.sum())
        if n_left:
            n_letters = sum(gold.text[span.start + int(at)].isalnum() for at in left.nonzero()[0])
            leaks.append(Leak(gold.note_id, span.start, span.end, span.label, n_left, n_letters))
        before = labels.get(span.label, Leakage(n_notes_clean=1))
        total = before + Leakage(1, int(not n_left), n_characters, n_characters - n_left)
        untouched = before.n_spans_untouched + (0 < n_left == n_characters)
        # one note, clean if all its spans of the label are
        labels[span.label] = replace(
            total, n_notes=1, n_notes_clean=before.n_notes_clean * (not n_left), n_spans_untouched=untouched
        )
    wanted &= counted
    n_spans = len(gold.phi)
    found = (n_spans, n_spans - len(leaks), int(wanted.sum()), int((wanted & gone).sum()))
    n_untouched = sum(each.n_spans_untouched for each in labels.values())
    overall = Leakage(*found, int(bool(gold.phi)), int(bool(gold.phi) and not leaks), n_untouched)
    n_other, n_other_removed = int(other.sum()), int((other & gone).sum())
    return NoteLeakage(gold.note_id, gold.patient_id, overall, labels, n_other, n_other_removed, tuple(leaks))


def _score_pair(truth: Note, guess: Note) -> NoteLeakage:
    if truth.note_id != guess.note_id or truth.text != guess.text:
        raise DataError(f"note {truth.note_id}: leakage needs the same note with the same text, got another")
    return score_note(truth, guess.phi)


def _mark(size: int, spans: Sequence[Span]) -> NDArray[np.bool_]:
    flags = np.zeros(size, np.bool_)
    for span in spans:
        flags[span.start : span.end] = True
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
