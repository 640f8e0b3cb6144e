"""Precision, recall and F1 from three counts: the one value that all set-like scores are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

COLUMNS = ("gold", "predicted", "correct", "precision", "recall", "F1")
"""What `Prf.cells` holds, for the head of a table."""


@dataclass(frozen=True, slots=True)
class Prf:
    """How many there are, how many were predicted, how many of those are right.

    A share of nothing is 0, as in seqeval and scikit-learn.
    """

    n_gold: int = 0
    n_predicted: int = 0
    n_correct: int = 0

    @property
    def precision(self) -> float:
        """Share of the predicted that is right."""
        return self.n_correct / self.n_predicted if self.n_predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of gold that was found."""
        return self.n_correct / self.n_gold if self.n_gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.n_gold + self.n_predicted
        return 2 * self.n_correct / both if both else 0.0

    def __add__(self, other: Prf) -> Prf:
        return Prf(self.n_gold + other.n_gold, self.n_predicted + other.n_predicted, self.n_correct + other.n_correct)

    def to_dict(self) -> dict[str, int | float]:
        """Counts and shares, for JSON."""
        return {
            "n_gold": self.n_gold,
            "n_predicted": self.n_predicted,
            "n_correct": self.n_correct,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }

    def cells(self) -> tuple[str, ...]:
        """Counts and percentages as text, in the order of `COLUMNS`."""
        counts = (f"{count:,}" for count in (self.n_gold, self.n_predicted, self.n_correct))
        return (*counts, *percents(self.precision, self.recall, self.f1))


@dataclass(frozen=True, slots=True)
class NoteCounts:
    """What one note adds to the sums that the scores of a run are ratios of.

    Attributes:
        labels: Spans of each label, or codes.
        shares: Of other scores, what the note adds above and below the line.
    """

    note_id: str
    patient_id: str | None = field(default=None, repr=False)
    labels: Mapping[str, Prf] = field(default_factory=dict)
    shares: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def add_labels(notes: Iterable[NoteCounts]) -> dict[str, Prf]:
    """Add up the counts of each label, in alphabetical order."""
    n_gold, n_predicted, n_correct = Counter[str](), Counter[str](), Counter[str]()
    for note in notes:
        for label, prf in note.labels.items():
            n_gold[label] += prf.n_gold
            n_predicted[label] += prf.n_predicted
            n_correct[label] += prf.n_correct
    return {label: Prf(n_gold[label], n_predicted[label], n_correct[label]) for label in sorted(n_gold)}


def percents(*shares: float) -> tuple[str, ...]:
    """Shares as percentages with one decimal, without the sign."""
    return tuple(f"{100 * share:.1f}" for share in shares)


def mean(shares: Collection[float]) -> float:
    """Mean of the shares; 0 when there are none."""
    return sum(shares) / len(shares) if shares else 0.0
