"""What is told to a worker, and what it tells: values that travel between processes as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """What a worker says before it begins something: which chunk, of it which record alone, how much.

    A chunk of -1 is none: the worker reads or writes. `n_done` and `n_failed` count the records of the
    task that are behind it.
    """

    chunk: int
    record: int
    n_characters: int
    n_done: int
    n_failed: int


class Piece(NamedTuple):
    """A stretch of a source: start, end, first line; and which of its records are meant, None for all."""

    source: dict[str, Any]
    stretch: tuple[int, int, int]
    only: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """The work that makes one part.

    Attributes:
        number: Of the part.
        path: Where the part is written before it gets its name.
        duplicates: Records whose id came before. Records are counted from 0 through all pieces.
        strays: Records at which the notes of a patient come again, apart from the others.
        skip: Records that must not be touched, and why.
        apart: Chunks whose records are handled one by one.
        retry: Which retry this is of, 0 for none.
    """

    number: int
    path: str
    pieces: tuple[Piece, ...]
    duplicates: tuple[int, ...] = ()
    strays: tuple[int, ...] = ()
    skip: dict[int, str] = field(default_factory=dict)
    apart: tuple[int, ...] = ()
    retry: int = 0

    def held(self) -> dict[str, Any]:
        """Give the task ready for JSON."""
        return asdict(self) | {"pieces": [each._asdict() for each in self.pieces], "skip": list(self.skip.items())}

    @classmethod
    def of(cls, held: dict[str, Any]) -> Task:
        """Make one of what `held` gave."""
        pieces = tuple(Piece(each["source"], tuple(each["stretch"]), each["only"]) for each in held["pieces"])
        duplicates, strays, apart = (tuple(held[name]) for name in ("duplicates", "strays", "apart"))
        return cls(held["number"], held["path"], pieces, duplicates, strays, dict(held["skip"]), apart, held["retry"])
