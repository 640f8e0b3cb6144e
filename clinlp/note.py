"""The one value that flows through the package: a note with its spans and codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from clinlp.errors import DataError
from clinlp.spans import Span, in_order, no_score

Lang = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis code, its probability and the spans of the note that support it."""

    code: str
    score: float | None = field(default=None, compare=False)
    evidence: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if not self.code:
            raise DataError("diagnosis needs a code, got none")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise DataError(f"diagnosis {no_score(self.score)}")
        object.__setattr__(self, "evidence", in_order(self.evidence))


@dataclass(frozen=True, slots=True)
class Note:
    """One clinical document. Stages return a new note; none edits one in place.

    Spans are held in order (start, then the longer first). `lang` is None until somebody says or
    detects it. Two notes are equal when everything but scores is.
    """

    note_id: str
    text: str = field(repr=False)  # may hold PHI: kept out of reprs, logs and errors
    patient_id: str | None = field(default=None, repr=False)
    lang: Lang | None = None
    time: date | None = field(default=None, repr=False)
    entities: tuple[Span, ...] = ()
    phi: tuple[Span, ...] = ()
    sections: tuple[Span, ...] = ()
    diagnoses: tuple[Diagnosis, ...] | None = None  # None: not annotated; empty: annotated with none
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        if not self.note_id:
            raise DataError("note needs a note_id, got none")
        if not isinstance(self.text, str):  # a table's empty cell, such as nan
            raise DataError(f"note {self.note_id}: a text needed, got {type(self.text).__name__}")
        if self.lang not in ("en", "zh", None):
            raise DataError(f"note {self.note_id}: lang needs en or zh, got another value")
        for name in ("entities", "phi", "sections"):
            object.__setattr__(self, name, in_order(getattr(self, name)))
        if self.entities or self.phi or self.sections or self.diagnoses:  # stages make many notes: most have few spans
            self._check_ends()

    def _check_ends(self) -> None:
        length = len(self.text)
        for kind, span in self.spans():
            if span.end > length:
                raise DataError(
                    f"note {self.note_id}: {kind} span [{span.start}, {span.end}) ends after character {length}"
                )
            for cue in span.context.cues if span.context is not None else ():
                if cue.end > length:
                    raise DataError(f"note {self.note_id}: cue [{cue.start}, {cue.end}) ends after character {length}")

    def spans(self) -> Iterator[tuple[str, Span]]:
        """Every span of every set, with the set's name; evidence included."""
        for name in ("entities", "phi", "sections"):
            for span in getattr(self, name):
                yield name, span
        for diagnosis in self.diagnoses or ():
            for span in diagnosis.evidence:
                yield "evidence", span
