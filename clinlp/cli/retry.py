"""`clinlp retry`: the records in quarantine once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinlp.cli.console import RECORDS, say
from clinlp.cli.jobs import end_job, job_progress


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=RECORDS)(retry)


def retry(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a finished `clinlp annotate`.")],
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="The input of that job, as it was.")],
    max_characters: Annotated[int | None, typer.Option(help="A longer note is refused, never cut.")] = None,
    limit_s: Annotated[float | None, typer.Option(help="Seconds for one note.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; 0 is none beside this one.")] = None,
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, `cuda:1` ...")] = None,
    chunk_notes: Annotated[int | None, typer.Option(help="Notes that go through the models together.")] = None,
    key_file: Annotated[Path | None, typer.Option(help="Secret of surrogates and vault.")] = None,
) -> None:
    """Handle the records in `OUT/quarantine.jsonl` again, as the job did or with another limit.

    Those that succeed become parts behind the last; the others stay in quarantine. What was finished
    stays as it is.

    **Examples**

    - `clinlp retry out/ dump.jsonl --max-characters 5000000`
    - `clinlp retry out/ dump.jsonl --workers 1 --chunk-notes 1 --limit-s 3600`
    """
    from clinlp.batch.retry import retry as run

    given = {
        "max_characters": max_characters,
        "limit_s": limit_s,
        "workers": workers,
        "device": device,
        "chunk_notes": chunk_notes,
        "key_file": key_file,
    }
    with job_progress() as tell:
        summary = run(inputs, out, given, tell=tell)
    end_job(summary, out)
    if not summary.n_failures:
        say("nothing is left in quarantine")
