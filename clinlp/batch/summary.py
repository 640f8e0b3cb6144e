"""What a job did, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
        seconds: Seconds by stage, in the order of the stages; of several workers, the sum.
        busy_s: Seconds that all workers were at work.
        interrupted: The signal that ended the job early, 0 if none did.
        complete: Whether the records were read to their end.
        quarantine: Where failures went, if there are any.
        n_before: Records that a job before had finished.
        unread: Why shards could not be done at all; they are tried again when the job is run again.
        n_parts: Parts of the output.
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
    busy_s: float = 0.0
    interrupted: int = 0
    complete: bool = False
    quarantine: Path | None = None
    n_before: int = 0
    unread: list[str] = field(default_factory=list)
    n_parts: int = 0

    @property
    def n_failures(self) -> int:
        """Records in quarantine."""
        return self.failures.total()

    def count(self, results: Iterable[Note | Failure]) -> None:
        """Count what became of some records."""
        found = list(results)
        for result in found:
            if isinstance(result, Failure):
                self.failures[result.stage, result.error] += 1
                self.first_failure = self.first_failure or result
        self._add(counts_of(found))

    def add(self, entry: Mapping[str, Any], *, new: bool) -> None:
        """Count what a journal says of a shard; seconds only of one that is `new`."""
        counts = entry["counts"] if not entry.get("retry") else entry["counts"] | {"records": 0}
        self._add(counts)
        self.n_parts += bool(entry["part"])
        for each in entry["failures"]:
            self._fail(each)
        for name in ("left_out", "lost"):
            held = getattr(self, name)
            for kind, n in entry[name].items():
                held[kind] = held.get(kind, 0) + n
        if new:
            for stage, spent in entry["seconds"].items():
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
            self.busy_s += entry["busy_s"]
        else:
            self.n_before += counts["records"]

    def recount(self, held: Iterable[Mapping[str, Any]]) -> None:
        """Count failures anew: what quarantine holds when all is done."""
        self.failures, self.first_failure = Counter(), None
        for each in held:
            self._fail(each)

    def _fail(self, held: Mapping[str, Any]) -> None:
        self.failures[held["stage"], held["error"]] += 1
        if self.first_failure is None:
            known = ("source", "line", "note_id", "stage", "error", "reason")
            self.first_failure = Failure(*(held[name] for name in known))

    def _add(self, counts: Mapping[str, int]) -> None:
        for name, n in counts.items():
            setattr(self, f"n_{name}", getattr(self, f"n_{name}") + n)


def counts_of(results: Iterable[Note | Failure]) -> Counter[str]:
    """Count what became of some records, by name."""
    found: Counter[str] = Counter()
    for result in results:
        found["records"] += 1
        if isinstance(result, Note):
            found["notes"] += 1
            found["characters"] += len(result.text)
            found["phi"] += len(result.phi)
            found["entities"] += len(result.entities)
            found["diagnoses"] += len(result.diagnoses or ())
    return found


Tell = Callable[[Summary, int, int], None]
"""Told after each chunk: what was done so far, and the input (from 0) and line that were reached."""
TellJob = Callable[[Summary, int, int, int], None]
"""Told often: what is finished; records that workers have behind them beyond that, failures among them; all records."""
