"""Labelled character ranges and the few operations on them that every room needs."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from clinlp.errors import DataError

Experiencer = Literal["patient", "family", "other"]
EXPERIENCERS: tuple[Experiencer, ...] = ("patient", "family", "other")


CueEffect = Literal["negated", "uncertain", "historical", "hypothetical", "experiencer"]
CUE_EFFECTS: tuple[CueEffect, ...] = ("negated", "uncertain", "historical", "hypothetical", "experiencer")


class Cue(NamedTuple):
    """The words that say something about a mention, and what of its context they say."""

    start: int
    end: int
    effect: CueEffect


@dataclass(frozen=True, slots=True)
class Context:
    """What the note says about a mention: denied, doubted, past, only possible, and whose it is.

    Source: Harkema et al. (2009), ConText, J Biomed Inform 42(5).

    Attributes:
        cues: The words that say so, by place; not part of equality. Empty where a section's heading
            speaks, and where nobody looked for them.
    """

    negated: bool = False
    uncertain: bool = False
    historical: bool = False
    hypothetical: bool = False
    experiencer: Experiencer = "patient"
    cues: tuple[Cue, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for start, end, effect in self.cues:
            if not 0 <= start < end:
                raise DataError(f"cue needs 0 <= start < end, got [{start}, {end})")
            if effect not in CUE_EFFECTS:
                raise DataError(f"cue [{start}, {end}) needs an effect of {', '.join(CUE_EFFECTS)}, got another")
        if self.experiencer not in EXPERIENCERS:
            raise DataError(
                f"context needs experiencer patient, family or other, got {type(self.experiencer).__name__}"
            )


@dataclass(frozen=True, slots=True)
class Span:
    """A label over the characters `[start, end)` of one text, in Unicode code points.

    The words are never stored: `note.text[span.start:span.end]`.
    """

    start: int
    end: int
    label: str
    score: float | None = field(default=None, compare=False)
    context: Context | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise DataError(f"span needs 0 <= start < end, got [{self.start}, {self.end})")
        if not self.label:
            raise DataError(f"span [{self.start}, {self.end}) needs a label, got none")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise DataError(f"span [{self.start}, {self.end}) {no_score(self.score)}")

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Say whether the two share a character."""
        return self.start < other.end and other.start < self.end


def no_score(score: float) -> str:
    """Say what is wrong with a score; the number itself may be anything that stood in a record."""
    return f"needs a score from 0 to 1, got {'one below' if score < 0 else 'one above' if score > 1 else 'nan'}"


def in_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Sort by start, the longer first, then by label: the one order in which notes hold spans."""
    if isinstance(spans, tuple) and len(spans) < 2:
        return spans
    return tuple(sorted(spans, key=lambda span: (span.start, -span.end, span.label)))


def flatten(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Keep spans that share no character: the longest first, ties to the earlier.

    The number lost is the difference in length, for the caller to report.
    """
    kept: list[Span] = []
    taken: list[tuple[int, int]] = []  # disjoint, so a span clashes only with its neighbours
    for span in sorted(spans, key=lambda span: (-len(span), span.start, span.label)):
        at = bisect_left(taken, (span.start, span.end))
        if at < len(taken) and taken[at][0] < span.end:
            continue
        if at and taken[at - 1][1] > span.start:
            continue
        insort(taken, (span.start, span.end))
        kept.append(span)
    return in_order(kept)


def covered(spans: Sequence[Span]) -> int:
    """Count the characters that at least one span covers."""
    total, reach = 0, 0
    for span in in_order(spans):
        total += max(0, span.end - max(span.start, reach))
        reach = max(reach, span.end)
    return total
