"""Which of a note's ranked codes count as predicted: those from a threshold on, or the first so many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clinlp.errors import UsageError
from clinlp.note import Diagnosis


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold for all codes, for some of them another one; or the first so many codes of the ranking."""

    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    top: int | None = None

    def __post_init__(self) -> None:
        wrong = [value for value in (self.threshold, *self.thresholds.values()) if not 0.0 <= value <= 1.0]
        if wrong:
            raise UsageError(f"threshold: a number from 0 to 1 needed, got {wrong[0]}")
        if self.top is not None and self.top < 1:
            raise UsageError(f"top: a whole number from 1 needed, got {self.top}")

    def __call__(self, ranked: Iterable[Diagnosis]) -> set[str]:
        """Give the codes that count; one without a score is certain."""
        if self.top is not None:
            codes = list(dict.fromkeys(diagnosis.code for diagnosis in ranked))
            return set(codes[: self.top])
        return {
            each.code
            for each in ranked
            if each.score is None or each.score >= self.thresholds.get(each.code, self.threshold)
        }

    def __str__(self) -> str:
        if self.top is not None:
            return "the first code counts" if self.top == 1 else f"the first {self.top} codes count"
        own = f", {len(self.thresholds):,} codes from one of their own" if self.thresholds else ""
        return f"from probability {self.threshold:g}{own}"
