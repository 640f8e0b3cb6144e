"""What a check found: ids, offsets, labels, codes and numbers; words of notes only where they were asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

import numpy as np

Unit = Literal["records", "notes", "spans", "codes", "labels", "patients"]


class Kind(NamedTuple):
    """What is counted, and what it means."""

    unit: Unit
    says: str


KINDS: Final[Mapping[str, Kind]] = {
    "unreadable": Kind("records", "records that cannot be read: training stops at the first"),
    "empty_span": Kind("records", "records with a span of no character, among those that cannot be read"),
    "not_held": Kind("notes", "things in the file that a note cannot hold"),
    "duplicate_id": Kind("notes", "notes whose id came before"),
    "no_words": Kind("notes", "notes without a word"),
    "no_codes": Kind("notes", "notes without codes where others have them"),
    "shared_patient": Kind("patients", "patients with notes in another part"),
    "same_text": Kind("notes", "notes whose text an earlier note has, but for case and spaces"),
    "same_text_differs": Kind("notes", "of these, notes with other spans or codes than the earlier one"),
    "near_duplicate": Kind("notes", "notes much like an earlier one (in another part: any), not the same"),
    "blank_span": Kind("spans", "spans over white space alone"),
    "edge_space": Kind("spans", "spans that begin or end in white space"),
    "edge_punctuation": Kind("spans", "spans that begin or end in punctuation"),
    "duplicate_span": Kind("spans", "spans that are there twice: same borders, same label"),
    "relabelled_span": Kind("spans", "spans with the borders of another span, and another label"),
    "nested_span": Kind("spans", "spans inside a longer one"),
    "crossing_span": Kind("spans", "spans that begin in another span and end behind it"),
    "lost_to_overlap": Kind("spans", "spans that BIOES tags cannot hold beside a longer one"),
    "cut_piece": Kind("spans", "spans with a border inside a piece"),
    "shared_piece": Kind("spans", "spans that share a piece with the span before, though no character"),
    "long_span": Kind("spans", "spans longer than a window"),
    "unknown_piece": Kind("spans", "spans with a piece that the encoder does not know"),
    "unseen_label": Kind("spans", "spans of a label that train does not have"),
    "untested_label": Kind("labels", "labels of train that this part does not have"),
    "differing_labels": Kind("spans", "spans whose words mostly have another label"),
    "missing_span": Kind("spans", "places without a span whose words mostly are one"),
    "unusual_span": Kind("spans", "spans whose words mostly are none"),
    "unseen_code": Kind("codes", "codes given that train does not have"),
    "repeated_code": Kind("codes", "codes given twice to one note"),
    "code_space": Kind("codes", "codes with white space at an edge"),
}
"""Every kind of finding, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is; characters as in the note, half-open.

    Attributes:
        other: What it is found beside: the id of another note, a label or a code, or why a record is unreadable.
        text: The words there, if they were asked for.
    """

    note_id: str
    start: int | None = None
    end: int | None = None
    label: str | None = None
    other: str | None = None
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that is wrong in one part, or between two (`dev/train`: of dev, against train).

    Attributes:
        of: How many of the unit the part holds.
        places: The first few.
    """

    kind: str
    part: str
    n: int
    of: int
    places: tuple[Place, ...] = ()

    @property
    def unit(self) -> Unit:
        """What is counted."""
        return KINDS[self.kind].unit

    @property
    def share(self) -> float:
        """The share of the part that is concerned, 0 to 1."""
        return self.n / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class StringUse:
    """How often the same words are labelled, as what, and how often not at all; the first place of each.

    Attributes:
        places: Of each label in the order of `labels`, then of the unlabelled.
        text: The words, if they were asked for.
    """

    labels: Mapping[str, int]
    n_unlabelled: int
    places: tuple[Place, ...]
    text: str | None = field(default=None, repr=False)

    @property
    def n_labelled(self) -> int:
        """Times that the words are a span."""
        return sum(self.labels.values())


@dataclass(frozen=True, slots=True)
class Pair:
    """Two notes much alike; similarity 1 also if they differ in case and spaces alone."""

    part: str
    note_id: str
    other_part: str
    other_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long notes are, in characters or pieces."""

    total: int = 0
    least: int = 0
    median: int = 0
    p90: int = 0
    p99: int = 0
    most: int = 0
    histogram: tuple[tuple[int, int, int], ...] = ()  # (low, high, notes), half-open; the width doubles

    @classmethod
    def of(cls, values: Iterable[int]) -> Lengths:
        """Sum up the lengths of notes."""
        lengths = np.fromiter(values, np.int64)
        if not len(lengths):
            return cls()
        edges = [0, 16]
        while edges[-1] <= lengths.max():
            edges.append(2 * edges[-1])
        counts = np.histogram(lengths, np.array(edges) - 0.5)[0].tolist()
        median, p90, p99 = np.quantile(lengths, (0.5, 0.9, 0.99), method="inverted_cdf").tolist()
        return cls(
            int(lengths.sum()),
            int(lengths.min()),
            int(median),
            int(p90),
            int(p99),
            int(lengths.max()),
            tuple(zip(edges[:-1], edges[1:], counts, strict=True)),
        )


@dataclass(frozen=True, slots=True)
class LabelUse:
    """How often a part has a label."""

    n_spans: int
    n_notes: int


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of the data holds.

    Attributes:
        n_other_spans: Spans of the set that was not checked.
        n_windowed: Notes longer than a window.
        n_unknown_pieces: Pieces that the encoder does not know.
        n_annotated: Notes with codes or with the word that they have none.
        codes: Notes of each code, the most frequent first.
    """

    n_records: int
    n_notes: int
    n_spans: int
    n_without_spans: int
    n_other_spans: int
    n_windowed: int
    n_unknown_pieces: int
    n_annotated: int
    n_with_codes: int
    labels: Mapping[str, LabelUse]
    codes: Mapping[str, int]
    characters: Lengths
    pieces: Lengths


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a check says.

    Attributes:
        differing: Words with several labels, those first that most often have another than their usual one.
        partly: Words that are a span in some places and none in others, the most frequent on both sides first.
        pairs: Notes much alike, those of two parts first, then the most alike.
    """

    parts: Mapping[str, Part]
    findings: tuple[Finding, ...]
    differing: tuple[StringUse, ...] = ()
    partly: tuple[StringUse, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def n(self, kind: str, part: str | None = None) -> int:
        """Count a kind of finding, in one part or in all."""
        return sum(each.n for each in self.findings if each.kind == kind and part in (None, each.part))

    def without(self, kinds: Iterable[str]) -> Findings:
        """Leave out kinds of findings."""
        left = set(kinds)
        return replace(self, findings=tuple(each for each in self.findings if each.kind not in left))

    def to_dict(self) -> dict[str, Any]:
        """Give everything for JSON; what is not known is left out."""
        found: dict[str, Any] = _plain(self)
        for row, finding in zip(found["findings"], self.findings, strict=True):
            row |= {"unit": finding.unit, "says": KINDS[finding.kind].says}
        return found


class Tally:
    """Counts what is found, and remembers the first places."""

    def __init__(self, n_places: int) -> None:
        self._n_places = n_places
        self._counts: Counter[tuple[str, str]] = Counter()
        self._places: defaultdict[tuple[str, str], list[Place]] = defaultdict(list)

    def count(self, kind: str, part: str, place: Place | None = None, n: int = 1) -> None:
        """Count one finding, or several at one place."""
        key = (kind, part)
        self._counts[key] += n
        if place is not None and len(self._places[key]) < self._n_places:
            self._places[key].append(place)

    def findings(self, sizes: Mapping[tuple[str, str], int]) -> tuple[Finding, ...]:
        """Give what was found in the order of `KINDS`, then of the parts as they came.

        Args:
            sizes: Of a unit and a part: how many there are.
        """
        order = list(KINDS)
        found = [
            Finding(
                kind, part, n, sizes.get((KINDS[kind].unit, part.split("/")[0]), n), tuple(self._places[kind, part])
            )
            for (kind, part), n in self._counts.items()
            if n
        ]
        return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))


def _plain(value: Any) -> Any:
    """Turn dataclasses, mappings and tuples into what JSON has."""
    names = getattr(value, "__dataclass_fields__", None)
    if names is not None:
        held = {name: getattr(value, name) for name in names}
        return {name: _plain(each) for name, each in held.items() if each is not None}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value
