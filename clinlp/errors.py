"""Errors that a caller acts on, and the record of one note that failed."""

from __future__ import annotations

from dataclasses import dataclass


class UsageError(ValueError):
    """The command, config or model folder is wrong: nothing was started. The command line exits 2."""


class DataError(ValueError):
    """A record or file is wrong. Its message holds no text of the note. The command line exits 1."""


class DivergedError(DataError):
    """A run's loss is no longer a number: its options do not fit its data."""


class AlignmentError(DataError):
    """A span does not fit the tokens, or overlaps a span that the form cannot hold beside it."""


class MissingExtraError(ImportError):
    """An optional package is needed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package}: needed here and not installed; pip install 'clinlp-emr[{extra}]'")
        self.package, self.extra = package, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Rebuild from both arguments: the default passes the message alone, and breaks a worker process."""
        return type(self), (self.package, self.extra)


@dataclass(frozen=True, slots=True)
class Failure:
    """One record that could not be handled: what goes to quarantine, never any text of it.

    `reason` is filled from our own errors alone, whose messages hold no text; the message of any
    other exception may quote the note, so only the exception's type is kept.
    """

    source: str
    line: int | None
    note_id: str | None
    stage: str
    error: str
    reason: str = ""

    @classmethod
    def of(
        cls, error: Exception, *, stage: str, note_id: str | None = None, source: str = "", line: int | None = None
    ) -> Failure:
        """Describe an exception without quoting the note."""
        reason = str(error) if isinstance(error, (DataError, UsageError, MissingExtraError)) else ""
        return cls(source, line, note_id, stage, type(error).__name__, reason)
