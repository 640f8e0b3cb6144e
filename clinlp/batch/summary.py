"""What a job did, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clinlp.errors import Failure
from clinlp.note import Note


@dataclass(slots=True)
class Summary:
    """What a job did.

    Attributes:
        failures: Quarantined records by stage and error.
        first_failure: The first of them, to show.
        left_out: How often each column was left out of released notes.
        lost: What the target's format cannot hold, by kind.
        seconds: Seconds by stage, in the order of the stages.
        interrupted: The signal that ended the job early, 0 if none did.
        complete: Whether the records were read to their end.
        quarantine: Where failures went, if there are any.
    """

    n_notes: int = 0
    n_characters: int = 0
    n_phi: int = 0
    n_entities: int = 0
    n_diagnoses: int = 0
    n_records: int = 0
    n_given: int = 0  # PHI spans that came with the records and were taken as found
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_failure: Failure | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    wall_s: float = 0.0
    interrupted: int = 0
    complete: bool = False
    quarantine: Path | None = None

    @property
    def n_failures(self) -> int:
        """Records in quarantine."""
        return self.failures.total()

    def count(self, results: Iterable[Note | Failure]) -> None:
        """Count what became of some records."""
        for result in results:
            self.n_records += 1
            if isinstance(result, Failure):
                self.failures[result.stage, result.error] += 1
                self.first_failure = self.first_failure or result
                continue
            self.n_notes += 1
            self.n_characters += len(result.text)
            self.n_phi += len(result.phi)
            self.n_entities += len(result.entities)
            self.n_diagnoses += len(result.diagnoses or ())


Tell = Callable[[Summary, int, int], None]
"""Told after each chunk: what was done so far, and the input (from 0) and line that were reached."""
