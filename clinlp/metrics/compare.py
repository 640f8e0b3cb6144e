"""How sure the scores of a run are, and whether two runs over the same notes differ by more than chance.

All follows from what each note counts. Notes of one patient are drawn and swapped together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np

from clinlp.errors import DataError
from clinlp.metrics.intervals import Floats, Interval, Sampling, draw_units, draws
from clinlp.metrics.prf import NoteCounts, Prf
from clinlp.metrics.sums import Counts, Layout

_T = TypeVar("_T")
N_SHUFFLES: Final = 10_000
N_LABELS: Final = 100
_ALIKE: Final = 1e-9  # two differences closer than that are one: sums of shares differ by rounding


@dataclass(frozen=True, slots=True)
class Measured:
    """Scores of one run with their intervals.

    Attributes:
        overall: All labels together: precision, recall, f1, macro_f1, and the shares that the notes count.
        labels: Precision, recall and f1 of each label shown.
        n_units: Patients (or notes) that were drawn from.
        n_labels_left_out: Labels that are not shown.
    """

    overall: Mapping[str, Interval]
    labels: Mapping[str, Mapping[str, Interval]]
    n_notes: int
    n_units: int
    n_labels_left_out: int
    sampling: Sampling

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        return {
            "sampling": self.sampling._asdict() | {"n_notes": self.n_notes, "n_units": self.n_units},
            "overall": {name: interval.to_dict() for name, interval in self.overall.items()},
            "labels": {
                label: {name: interval.to_dict() for name, interval in each.items()}
                for label, each in self.labels.items()
            },
            "n_labels_left_out": self.n_labels_left_out,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """A score of two runs, how much higher the second one's is, and how likely that is by chance.

    Attributes:
        difference: The score of b minus that of a, with its paired interval.
        p: Share of shuffles with a difference as large, either way; NaN where there is nothing to count.
        p_holm: The same, corrected for how many labels are looked at (Holm 1979); None for all labels together.
    """

    a: Interval
    b: Interval
    difference: Interval
    p: float
    p_holm: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        said: dict[str, Any] = {name: getattr(self, name).to_dict() for name in ("a", "b", "difference")}
        said["p"] = None if math.isnan(self.p) else self.p
        if self.p_holm is not None:
            said["p_holm"] = None if math.isnan(self.p_holm) else self.p_holm
        return said


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the same notes.

    Attributes:
        counts: Of each label shown, what the runs a and b count.
        n_units_differing: Patients (or notes) in which the two runs count differently.
        exact: All ways of swapping were tried, not a sample of them.
    """

    overall: Mapping[str, Difference]
    labels: Mapping[str, Mapping[str, Difference]]
    counts: Mapping[str, tuple[Prf, Prf]]
    n_notes: int
    n_units: int
    n_units_differing: int
    n_labels_left_out: int
    n_shuffles: int
    exact: bool
    sampling: Sampling

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        drawn = {name: getattr(self, name) for name in ("n_notes", "n_units", "n_units_differing")}
        test = {"n_shuffles": self.n_shuffles, "exact": self.exact}
        return {
            "sampling": self.sampling._asdict() | drawn,
            "test": {"name": "approximate randomisation"} | test,
            "overall": {name: each.to_dict() for name, each in self.overall.items()},
            "labels": {
                label: {
                    "counts": {side: prf.to_dict() for side, prf in zip("ab", self.counts[label], strict=True)},
                    **{kind: row.to_dict() for kind, row in rows.items()},
                }
                for label, rows in self.labels.items()
            },
            "n_labels_left_out": self.n_labels_left_out,
        }


def measure(notes: Sequence[NoteCounts], sampling: Sampling | None = None, *, n_labels: int = N_LABELS) -> Measured:
    """Give bootstrap intervals of all scores of a run, drawn by patient or by note.

    Args:
        n_labels: Labels with intervals of their own at most, those that gold has most of.
    """
    sampling = sampling or Sampling()
    groups, unit = draw_units(notes, sampling.unit)
    layout = Layout.of([notes], groups, n_labels)
    counts = layout.counts(notes)
    drawn = _drawn(layout, [counts], sampling)[0]
    made = _intervals(layout.scores(counts.total[None])[0], drawn, sampling.level)
    overall, labels = _by_label(layout, made)
    left_out = len(layout.labels) - len(layout.shown)
    return Measured(overall, labels, len(notes), layout.n_units, left_out, sampling._replace(unit=unit))


def score(notes: Sequence[NoteCounts]) -> dict[str, float]:
    """Give the scores of all labels together; 0 where there is nothing to count."""
    overall = measure(notes, Sampling(n_resamples=0), n_labels=0).overall
    return {name: 0.0 if math.isnan(each.value) else each.value for name, each in overall.items()}


def compare(
    a: Sequence[NoteCounts],
    b: Sequence[NoteCounts],
    sampling: Sampling | None = None,
    *,
    n_shuffles: int = N_SHUFFLES,
    n_labels: int = N_LABELS,
) -> Comparison:
    """Compare two runs over the same notes, score by score.

    The interval of a difference is the paired bootstrap's: both runs are scored over the same drawn
    notes. The test is approximate randomisation: if the runs were alike, swapping what the two
    found in a patient's notes would change nothing, so the difference is held against those after
    random swaps. Where all ways of swapping are no more than `n_shuffles`, all are tried.

    Source: Noreen (1989), Computer-Intensive Methods for Testing Hypotheses, chapter 2; Yeh (2000), COLING,
    for F1; Efron & Tibshirani (1993), An Introduction to the Bootstrap, for the interval.

    Args:
        a: The counts of each note of one run.
        b: Those of the other run; the same notes in the same order.
        n_shuffles: Random swaps at most.
        n_labels: Labels with rows of their own at most, those that gold has most of.

    Raises:
        DataError: The two runs do not hold the same notes in the same order.
    """
    if [note.note_id for note in a] != [note.note_id for note in b]:
        raise DataError("compare: two runs over the same notes in the same order needed, got others")
    sampling = sampling or Sampling()
    groups, unit = draw_units(a, sampling.unit)
    layout = Layout.of([a, b], groups, n_labels)
    runs = [layout.counts(run) for run in (a, b)]
    drawn = _drawn(layout, runs, sampling)
    values = [layout.scores(run.total[None])[0] for run in runs]
    intervals = [_intervals(value, each, sampling.level) for value, each in zip(values, drawn, strict=True)]
    gained = _intervals(_difference(*values), _difference(*drawn), sampling.level)
    p, n_differing, n_tried, exact = _randomise(layout, runs, n_shuffles, sampling.seed)
    rows = [Difference(*row) for row in zip(*intervals, gained, p, strict=True)]
    overall, labels = _by_label(layout, rows)
    counted = [layout.label_counts(run.total) for run in runs]
    return Comparison(
        overall=overall,
        labels=_corrected(labels),
        counts={label: (counted[0][label], counted[1][label]) for label in layout.shown},
        n_notes=len(a),
        n_units=layout.n_units,
        n_units_differing=n_differing,
        n_labels_left_out=len(layout.labels) - len(layout.shown),
        n_shuffles=n_tried,
        exact=exact,
        sampling=sampling._replace(unit=unit),
    )


def _drawn(layout: Layout, runs: Sequence[Counts], sampling: Sampling) -> list[Floats]:
    """Score each run over the same draws: `(draw, score)` of each."""
    made: list[list[Floats]] = [[] for _ in runs]
    if layout.n_units:
        at_once = min(run.at_once(layout.n_units) for run in runs)
        for times in draws(layout.n_units, n_resamples=sampling.n_resamples, seed=sampling.seed, at_once=at_once):
            for scores, run in zip(made, runs, strict=True):
                scores.append(layout.scores(run.sums(times)))
    return [np.concatenate(scores) if scores else np.empty((0, len(layout.names))) for scores in made]


def _intervals(values: Floats, drawn: Floats, level: float) -> list[Interval]:
    """Give each score its percentile interval; draws without anything to count are left out."""
    found = np.full((2, len(values)), math.nan)
    for at in np.flatnonzero(~np.isnan(values)):
        shares = drawn[:, at][~np.isnan(drawn[:, at])]
        if len(shares):
            found[:, at] = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    return [Interval(*map(float, each)) for each in zip(values, *found, strict=True)]


def _difference(a: Floats, b: Floats) -> Floats:
    """Take a from b; a score of nothing is 0, unless both are of nothing."""
    nothing = np.isnan(a) & np.isnan(b)
    gained: Floats = np.nan_to_num(b) - np.nan_to_num(a)
    gained[nothing] = math.nan
    return gained


def _randomise(layout: Layout, runs: Sequence[Counts], n_shuffles: int, seed: int) -> tuple[Floats, int, int, bool]:
    """Swap the two runs' counts unit by unit, and count how often scores then differ as much.

    Returns:
        The p of each score, how many units differ, how many ways of swapping were tried and whether those are all.
    """
    change = runs[1].minus(runs[0])
    differing, change_units = np.unique(change.units, return_inverse=True)
    change = Counts(change.columns, change_units.reshape(-1), change.values, change.n_columns)
    totals = [run.total for run in runs]
    observed = np.abs(_difference(*(layout.scores(total[None])[0] for total in totals)))
    n_differing = len(differing)
    exact = 2 ** min(n_differing, 62) <= n_shuffles
    n_tried = 2**n_differing if exact else n_shuffles
    n_as_large = np.zeros(len(observed))
    numbers = np.random.default_rng(seed)
    at_once = change.at_once(n_differing)
    for start in range(0, n_tried, at_once):
        ways = np.arange(start, min(n_tried, start + at_once))
        if exact:
            swaps = ways[:, None] >> np.arange(n_differing) & 1
        else:
            swaps = numbers.integers(2, size=(len(ways), n_differing), dtype=np.int8)
        moved = change.sums(swaps.astype(np.float64))
        swapped = _difference(*(layout.scores(each) for each in (totals[0] + moved, totals[1] - moved)))
        n_as_large += (np.abs(np.nan_to_num(swapped)) >= observed - _ALIKE).sum(0)
    p = n_as_large / n_tried if exact else (n_as_large + 1) / (n_tried + 1)  # what was seen is one of the ways
    p[np.isnan(observed)] = math.nan
    return p, n_differing, n_tried, exact


def _by_label(layout: Layout, made: Sequence[_T]) -> tuple[dict[str, _T], dict[str, dict[str, _T]]]:
    """Part scores into those of all labels together and those of each label."""
    overall: dict[str, _T] = {}
    labels: dict[str, dict[str, _T]] = {label: {} for label in layout.shown}
    for (name, label), each in zip(layout.names, made, strict=True):
        (labels[label] if label else overall)[name] = each
    return overall, labels


def _corrected(labels: dict[str, dict[str, Difference]]) -> dict[str, dict[str, Difference]]:
    """Correct the p of each kind of score for how many labels there are.

    Source: Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    made: dict[str, dict[str, Difference]] = {label: {} for label in labels}
    for kind in next(iter(labels.values()), {}):
        rows = [(label, each[kind]) for label, each in labels.items()]
        n_left, worst = sum(not math.isnan(row.p) for _, row in rows), 0.0
        for label, row in sorted(rows, key=lambda pair: (math.isnan(pair[1].p), pair[1].p)):
            holm = math.nan
            if not math.isnan(row.p):
                holm = worst = max(worst, min(1.0, n_left * row.p))
                n_left -= 1
            made[label][kind] = Difference(row.a, row.b, row.difference, row.p, holm)
    return made
