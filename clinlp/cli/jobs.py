"""What a person sees of a batch job: how far it is, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer

from clinlp.batch.summary import Summary, TellJob
from clinlp.cli.console import remark, show_failures, show_summary
from clinlp.errors import DataError

_EVERY_S: Final = 60.0  # between lines where nobody watches a bar


@contextmanager
def job_progress() -> Iterator[TellJob]:
    """Show records, rate, failures, stages and time left on standard error; a line a minute where it is no terminal."""
    from rich.console import Console

    screen = Console(stderr=True, highlight=False)
    if not screen.is_terminal:
        yield _Log()
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=None, said="reads the input")
        began = time.monotonic()

        def tell(summary: Summary, ahead: int, failed: int, total: int) -> None:
            said = describe(summary, (ahead, failed, total), time.monotonic() - began)
            bar.update(task, completed=summary.n_records + ahead, total=total, said=said)

        yield tell


def describe(summary: Summary, now: tuple[int, int, int], elapsed_s: float) -> str:
    """Say in one line how far a job is.

    Args:
        now: Records beyond what is finished, failures among them, and all records of the job.
    """
    ahead, failed, total = now
    n_done = summary.n_records + ahead
    rate = (n_done - summary.n_before) / elapsed_s if elapsed_s > 0 else 0.0
    said = [f"{n_done:,} of {total:,} records", f"{rate:,.0f}/s", f"{summary.n_failures + failed:,} quarantined"]
    if rate:
        said.append(f"{_span((total - n_done) / rate)} left")
    if summary.busy_s:
        first = sorted(summary.seconds.items(), key=lambda item: -item[1])[:3]
        said.append(", ".join(f"{stage} {100 * seconds / summary.busy_s:.0f} %" for stage, seconds in first))
    return " · ".join(said)


def end_job(summary: Summary, out: Path) -> None:
    """Show what was done and end with the code that says how it ended."""
    show_summary(summary, out)
    show_failures(summary)
    if summary.n_given:
        remark(
            f"{summary.n_given:,} PHI spans came with the records and were taken as found; with --no-given-phi only "
            "what is found here counts, as an audit needs it"
        )
    if summary.interrupted:
        remark(f"stopped early: {summary.n_notes:,} notes are finished and kept in {out}")
        raise typer.Exit(128 + summary.interrupted)
    if not summary.n_notes:
        raise DataError(f"{out}: no record could be handled; see {summary.quarantine}")


class _Log:
    """Says now and then how far a job is."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    def __call__(self, summary: Summary, ahead: int, failed: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= _EVERY_S:
            self._last = now
            remark(describe(summary, (ahead, failed, total), now - self._began))


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
