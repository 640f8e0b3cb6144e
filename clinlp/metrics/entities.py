"""Precision, recall and F1 of entities or PHI, per label, micro and macro.

Left out on purpose: scores of context, which is not part of what makes two spans the same here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal

from clinlp.errors import UsageError
from clinlp.metrics.pairing import pair_notes
from clinlp.metrics.prf import NoteCounts, Prf, add_labels, mean, percents
from clinlp.note import Note
from clinlp.spans import Span

Match = Literal["strict", "overlap"]
Attribute = Literal["entities", "phi"]
Offsets = tuple[int, int]


@dataclass(frozen=True, slots=True)
class EntityScores:
    """Scores over a set of notes: all spans together, the spans of each label, and the counts of each note."""

    match: Match
    micro: Prf
    labels: dict[str, Prf]
    notes: tuple[NoteCounts, ...] = field(default=(), repr=False, compare=False)

    @property
    def macro_precision(self) -> float:
        """Mean precision of the labels, each counted alike."""
        return mean([prf.precision for prf in self.labels.values()])

    @property
    def macro_recall(self) -> float:
        """Mean recall of the labels."""
        return mean([prf.recall for prf in self.labels.values()])

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels that gold or predicted notes have."""
        return mean([prf.f1 for prf in self.labels.values()])

    def to_dict(self) -> dict[str, object]:
        """All numbers, for JSON."""
        return {
            "match": self.match,
            "micro": self.micro.to_dict(),
            "macro": {"precision": self.macro_precision, "recall": self.macro_recall, "f1": self.macro_f1},
            "labels": {label: prf.to_dict() for label, prf in self.labels.items()},
        }

    def rows(self) -> list[tuple[str, ...]]:
        """One row of text a label, then micro and macro: the label, then the cells that `COLUMNS` names."""
        macro = ("macro", "", "", "", *percents(self.macro_precision, self.macro_recall, self.macro_f1))
        return [*((label, *prf.cells()) for label, prf in self.labels.items()), ("micro", *self.micro.cells()), macro]


def score_entities(
    gold: Iterable[Note], predicted: Iterable[Note], match: Match = "strict", attribute: Attribute = "entities"
) -> EntityScores:
    """Score predicted spans against gold ones, notes paired by id.

    A strict match has the same borders and the same label. An overlap match has the same label and
    shares at least one character. Either way the match is one to one: a gold span makes one
    predicted span right and a predicted span finds one gold span, so neither a long prediction over
    three gold spans nor three pieces of one gold span is right three times. Of all such pairings the
    largest one counts. Spans of the same borders and label in one note are one span. Nested spans
    are scored like any others.

    Source: Uzuner et al. (2011), the 2010 i2b2/VA challenge, JAMIA 18(5), exact and inexact match;
    Segura-Bedmar, Martinez & Herrero-Zazo (2013), SemEval-2013 Task 9, strict and type match.

    Args:
        gold: Notes as they should be.
        predicted: The same notes as they came out, in any order.
        match: `strict` or `overlap`.
        attribute: Which spans of the notes are scored, `entities` or `phi`.

    Raises:
        DataError: A note is missing, extra or there twice, or its two texts differ.
        UsageError: The match or the attribute is not known.
    """
    if match not in ("strict", "overlap"):
        raise UsageError(f"match: strict or overlap needed, got {match!r}")
    if attribute not in ("entities", "phi"):
        raise UsageError(f"attribute: entities or phi needed, got {attribute!r}")
    n_same = _n_equal if match == "strict" else _n_overlaps
    notes = []
    for note, other in pair_notes(gold, predicted):
        wanted, found = _by_label(getattr(note, attribute)), _by_label(getattr(other, attribute))
        counts = {
            label: Prf(len(wanted[label]), len(found[label]), n_same(wanted[label], found[label]))
            for label in sorted(wanted.keys() | found.keys())
        }
        notes.append(NoteCounts(note.note_id, note.patient_id, counts))
    labels = add_labels(notes)
    return EntityScores(match, sum(labels.values(), Prf()), labels, tuple(notes))


def _by_label(spans: Iterable[Span]) -> dict[str, set[Offsets]]:
    """Group the borders of a note's spans by label."""
    found: defaultdict[str, set[Offsets]] = defaultdict(set)
    for span in spans:
        found[span.label].add((span.start, span.end))
    return found


def _n_equal(gold: set[Offsets], predicted: set[Offsets]) -> int:
    return len(gold & predicted)


def _n_overlaps(gold: set[Offsets], predicted: set[Offsets]) -> int:
    """Count the pairs of the largest one-to-one pairing of ranges that share a character.

    Ranges are taken by their end, each with the free range of the other side that overlaps it and
    ends first. That is the largest pairing: all that still overlap the range at hand hold its last
    character, so of those the one that ends first overlaps the fewest of the ranges to come.
    O(n log n).
    """
    sides = (sorted(gold), sorted(predicted))  # by start
    by_end = sorted((end, start, side) for side in (0, 1) for start, end in sides[side])
    reached = [0, 0]  # how many of each side start before the end at hand
    free: tuple[list[Offsets], list[Offsets]] = ([], [])  # of those, the ones still to come, as (end, start)
    paired: tuple[set[Offsets], set[Offsets]] = (set(), set())
    for end, start, side in by_end:
        if (end, start) in paired[side]:
            continue
        other = 1 - side
        while reached[other] < len(sides[other]) and sides[other][reached[other]][0] < end:
            heappush(free[other], sides[other][reached[other]][::-1])
            reached[other] += 1
        while free[other] and (free[other][0][0] <= start or free[other][0] in paired[other]):
            heappop(free[other])
        if free[other]:
            paired[other].add(heappop(free[other]))
            paired[side].add((end, start))
    return len(paired[0])
