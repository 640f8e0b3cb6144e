"""A de-identified dump measured: leak rates with intervals, for a privacy officer to sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from clinlp.metrics.intervals import Floats, Interval, Sampling, add_groups, draw_units, intervals, upper_bound
from clinlp.metrics.leakage import Leakage, LeakageScores, NoteLeakage

__all__ = ["Audit", "Recall", "Sampling", "audit"]


@dataclass(frozen=True, slots=True)
class Recall:
    """The share removed of characters, of whole spans, and in whole notes."""

    characters: Interval
    spans: Interval
    notes: Interval


@dataclass(frozen=True, slots=True)
class Audit:
    """All that an audit says; it holds ids, offsets, labels and numbers, and no text.

    Attributes:
        over_redaction: Share of the characters that are no PHI and were removed all the same.
        n_units: Patients (or notes) with PHI.
        n_units_leaking: Those of whom any PHI survives.
        leaking_at_most: Exact one-sided bound of their share, at the level of the intervals.
        coverage: How many notes were scored and how, and what could not be.
        words_only: Whether letters and digits alone were counted.
    """

    scores: LeakageScores
    overall: Recall
    labels: Mapping[str, Recall]
    over_redaction: Interval
    n_units: int
    n_units_leaking: int
    leaking_at_most: float
    sampling: Sampling
    coverage: Mapping[str, int] = field(default_factory=dict)
    words_only: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Give everything for JSON."""
        scores = self.scores
        over = {"n_characters": scores.n_other, "n_characters_removed": scores.n_other_removed}
        return {
            "coverage": dict(self.coverage),
            "sampling": self.sampling._asdict(),
            "words_only": self.words_only,
            "overall": _row(scores.overall, self.overall),
            "labels": {label: _row(leakage, self.labels[label]) for label, leakage in scores.labels.items()},
            "over_redaction": over | self.over_redaction.to_dict(),
            "notes": {"n_scored": scores.n_notes, "n_clean": scores.n_notes_clean, "clean_share": scores.clean_share},
            "bound": {
                "unit": self.sampling.unit,
                "n": self.n_units,
                "n_leaking": self.n_units_leaking,
                "share_leaking_at_most": self.leaking_at_most,
            },
            "leaks": [asdict(leak) for leak in scores.leaks],
        }


def audit(
    notes: Sequence[NoteLeakage], sampling: Sampling, coverage: Mapping[str, int], *, words_only: bool = False
) -> Audit:
    """Add up notes and say how sure the shares are.

    A bootstrap over patients, for the notes of one patient leak alike; a note without a patient stands
    alone, and where none has a patient, notes are drawn.
    """
    groups, unit = draw_units(notes, sampling.unit)
    sampling = sampling._replace(unit=unit)
    scores = LeakageScores.of(notes)
    labels = list(scores.labels)
    columns = np.array([_counts(note, labels) for note in notes], np.float64).reshape(len(notes), -1)
    columns = add_groups(columns, groups)
    half = columns.shape[1] // 2
    found = intervals(
        columns[:, :half],
        columns[:, half:],
        level=sampling.level,
        n_resamples=sampling.n_resamples,
        seed=sampling.seed,
    )
    recalls = [Recall(*found[at : at + 3]) for at in range(1, len(found), 3)]
    held, leaking = _units(columns, half)
    return Audit(
        scores=scores,
        overall=recalls[0],
        labels=dict(zip(labels, recalls[1:], strict=True)),
        over_redaction=found[0],
        n_units=held,
        n_units_leaking=leaking,
        leaking_at_most=upper_bound(leaking, held, level=sampling.level),
        sampling=sampling,
        coverage=coverage,
        words_only=words_only,
    )


def _counts(note: NoteLeakage, labels: Sequence[str]) -> list[int]:
    """Numerators, then denominators: other characters, then characters, spans and notes of all and of each label."""
    leakages = [note.overall, *(note.labels.get(label, Leakage()) for label in labels)]
    removed = [n for each in leakages for n in (each.n_characters_removed, each.n_spans_removed, each.n_notes_clean)]
    there = [n for each in leakages for n in (each.n_characters, each.n_spans, each.n_notes)]
    return [note.n_other_removed, *removed, note.n_other, *there]


def _units(columns: Floats, half: int) -> tuple[int, int]:
    """Count the units with PHI, and those with a note that leaks."""
    clean, held = columns[:, 3], columns[:, half + 3]
    return int((held > 0).sum()), int((clean < held).sum())


def _row(leakage: Leakage, recall: Recall) -> dict[str, Any]:
    return {
        **asdict(leakage),
        "character_recall": recall.characters.to_dict(),
        "span_recall": recall.spans.to_dict(),
        "note_recall": recall.notes.to_dict(),
    }
