"""What a person sees: tables on standard output, progress and remarks on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinlp.batch.sizes import last_line
from clinlp.batch.summary import Summary, Tell
from clinlp.errors import UsageError
from clinlp.records.options import ReadOptions

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

RECORDS, TRAINING, SCORES = "Records", "Training", "Scores"
"""Panels of the help, one for each sort of command."""


def remark(message: str) -> None:
    """Say one line on standard error."""
    sys.stderr.write(f"clinlp: {' '.join(message.split())}\n")


def console() -> Console:
    """Standard output; markup and highlighting are left to those who ask for them."""
    from rich.console import Console

    return Console(highlight=False)


def table(title: str, columns: Sequence[str], *, left: int = 1) -> Table:
    """Start a table; all but the first `left` columns are numbers."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        made.add_column(name, justify="left" if number < left else "right", overflow="fold")
    return made


@contextmanager
def progress(inputs: Sequence[Path], options: ReadOptions) -> Iterator[Tell | None]:
    """Show records, rate and time left on standard error; None where that is no terminal."""
    from rich.console import Console

    screen = Console(stderr=True, highlight=False)
    if not screen.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    lasts = [last_line(path, options) for path in inputs]
    columns = (
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.fields[n]:,} records · {task.fields[rate]:,.0f}/s · {task.fields[bad]:,} quarantined"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as bar:
        known = None not in lasts
        task = bar.add_task("", total=float(len(inputs)) if known else None, n=0, rate=0.0, bad=0)

        def tell(summary: Summary, number: int, line: int) -> None:
            share = min(1.0, line / max(1.0, lasts[number] or 1.0))
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = summary.n_records / elapsed if elapsed else 0.0
            bar.update(task, completed=number + share, n=summary.n_records, rate=rate, bad=summary.n_failures)

        yield tell


def show_summary(summary: Summary, out: Path) -> None:
    """Show what a job did: counts, time of each stage, what was left out."""
    screen = console()
    counts = table("", ("", ""))
    for name, n, always in (
        ("notes", summary.n_notes, True),
        ("characters", summary.n_characters, True),
        ("PHI spans", summary.n_phi, True),
        ("entities", summary.n_entities, "entities" in summary.seconds),
        ("diagnoses", summary.n_diagnoses, "diagnosis" in summary.seconds),
        ("quarantined", summary.n_failures, True),
        *((f"  {stage}: {error}", n, True) for (stage, error), n in sorted(summary.failures.items())),
        ("finished before", summary.n_before, False),
    ):
        if n or always:
            counts.add_row(name, f"{n:,}")
    counts.show_header = False
    screen.print(counts)
    if summary.seconds:  # none where nothing was left to do
        times = table("", ("stage", "seconds", "share"))
        work = summary.busy_s or summary.wall_s  # of all workers
        rest = max(0.0, work - sum(summary.seconds.values()))
        for stage, seconds in (*summary.seconds.items(), ("other", rest), ("all", work)):
            times.add_row(stage, f"{seconds:,.2f}", f"{100 * seconds / (work or 1.0):.0f} %")
        screen.print(times)
    if summary.left_out:
        columns = ", ".join(f"{name} ({n:,})" for name, n in sorted(summary.left_out.items()))
        say(f"left out, because they may identify: {columns}; --keep-field keeps one")
    if summary.lost:
        say("this format cannot hold: " + ", ".join(f"{n:,} {kind}" for kind, n in summary.lost.items()))
    n_new = summary.n_records - summary.n_before
    how = f"{n_new / (summary.wall_s or 1.0):,.1f} records a second" if n_new > 0 else "nothing new"
    say(f"{counted(summary.n_notes, 'note')} in {out} ({how})")


def counted(n: int, what: str) -> str:
    """Write a number of things."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def say(message: str) -> None:
    """Write one line of results, whole however wide the terminal is."""
    sys.stdout.write(message + "\n")


def spare_inputs(outputs: Iterable[Path | None], inputs: Iterable[Path | str | None]) -> None:
    """Refuse to write over what is read: annotated notes are the work of weeks.

    Raises:
        UsageError: An output is an input.
    """
    read = {Path(path).resolve() for path in inputs if path is not None}
    for path in outputs:
        if path is not None and path.resolve() in read:
            raise UsageError(f"{path}: an output beside the input needed, got the input itself")


def write_json(path: Path, numbers: Mapping[str, Any]) -> None:
    """Write numbers where they were asked for, and say so.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        path.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
    say(f"all numbers: {path}")


def show_failures(summary: Summary) -> None:
    """Say on standard error how many records failed and why the first did."""
    first = summary.first_failure
    if first is None:
        return
    where = f"{first.source}:{first.line}" if first.line is not None else first.source
    remark(
        f"{summary.n_failures:,} of {summary.n_records:,} records went to {summary.quarantine}; "
        f"the first: {where}: {first.reason or first.error} ({first.stage})"
    )
