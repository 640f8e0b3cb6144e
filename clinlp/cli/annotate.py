"""`clinlp annotate`, `deidentify` and `convert`: dumps in, dumps out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from clinlp.batch.config import BatchConfig
from clinlp.cli.console import RECORDS, counted, progress, remark, say
from clinlp.cli.jobs import end_job, job_progress
from clinlp.cli.options import takes
from clinlp.config import Config
from clinlp.errors import DataError, UsageError
from clinlp.inference.config import PipelineConfig
from clinlp.records.options import Format, ReadOptions, WriteOptions

_PANELS: dict[type[Config], str] = {
    PipelineConfig: "What is done",
    ReadOptions: "How the input is read",
    BatchConfig: "How the output is written",
}
_TEXT_ONLY = (
    "deid",
    "entities",
    "diagnosis",
    "keep_entities",
    "sections",
    "context",
    "context_model",
    "rules",
    "top",
    "sets",
    "max_set",
)
_JOB_ONLY = ("to", "tokens", "shard_bytes", "workers", "limit_s", "max_errors", "on")
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what a job before left there.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=RECORDS)(annotate)
    app.command(rich_help_panel=RECORDS)(deidentify)
    app.command(rich_help_panel=RECORDS)(convert)


@takes(BatchConfig, _PANELS, names={"keep_fields": "--keep-field"})
def annotate(
    config: BatchConfig,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN...", help="Files, patterns, or folders of files of one format.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="A new or empty folder, or that of a job to go on with.")
    ],
    overwrite: Overwrite = False,
) -> None:
    """De-identify, tokenize, find entities and predict diagnoses.

    Records land in their order in `OUT/part-NNNNN`, one part for each stretch of the input: the released
    text with its PHI, entities and their context, sections, diagnoses and their evidence, tokens and
    sentences, all as character offsets.

    A job that was stopped, by Ctrl-C or by a power cut, goes on when the same command is run again, and
    gives the very bytes that it would have given. A record that fails, hangs or kills its process goes to
    `OUT/quarantine.jsonl` (id, file, line and error, never text) and stops no other; more of them than
    `--max-errors` allows end the job with exit code 1. `OUT/manifest.json` says what made the output.

    Columns other than the text are left out of de-identified output, `patient_id` and `time` too,
    unless `--keep-field` names them.

    **Examples**

    - `clinlp annotate dump.jsonl -o out/ --workers 16`
    - `clinlp annotate 'export/2024-*.parquet' -o out/ --to parquet --max-errors 0.001`
    - `clinlp annotate /shared/dump.jsonl -o /shared/out --on spark://head:7077`
    - `clinlp annotate notes.csv --text-column body --id-column row -o out/ --deid placeholder`
    - `clinlp annotate export/ -o out/ --deid off --keep-field '*' --entities models/ours`
    - `clinlp annotate found.jsonl -o out/ --keep-entities --rules ours.toml`
    """
    from clinlp.batch.local import annotate as run

    with job_progress() as tell:
        summary = run(inputs, out, config, overwrite=overwrite, tell=tell)
    end_job(summary, out)


@takes(BatchConfig, _PANELS, names={"keep_fields": "--keep-field"}, hidden=(*_TEXT_ONLY, *_JOB_ONLY))
def deidentify(
    config: BatchConfig,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN...", help="Files, patterns, or folders of files of one format.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A new file; its ending tells the format.")],
    mode: Annotated[
        Literal["tag", "mask", "placeholder", "surrogate"],
        typer.Option(
            help="`tag` writes [NAME], `mask` a filler of the same length, `placeholder` [NAME-1], `surrogate` "
            "another name, the same one in all notes of a patient."
        ),
    ] = "tag",
    to: Annotated[Format | None, typer.Option(help="Format of the output, where its name does not tell.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find PHI by rules, known identifiers and a trained tagger, and replace it.

    A record that fails goes to a file beside the output (id, line and error, never text) and stops no
    other. Ctrl-C keeps what is finished. Columns other than the text are left out unless
    `--keep-field` names them.

    **Examples**

    - `clinlp deidentify notes.csv -o released.csv`
    - `clinlp deidentify dump.jsonl.gz -o released.parquet --mode placeholder --keep-field ward`
    - `clinlp deidentify notes.csv -o released.csv --mode surrogate --key-file key --known patient_name=NAME`
    - `clinlp deidentify notes.csv -o released.csv --mode surrogate --key-file key --vault ../release.vault`
    """
    from clinlp.batch.single import deidentify as run
    from clinlp.batch.sources import find_inputs

    config = config.model_copy(update={"deid": mode})
    inputs = find_inputs(inputs)
    with progress(inputs, config) as tell:
        summary = run(inputs, out, config, write=WriteOptions(format=to), overwrite=overwrite, tell=tell)
    end_job(summary, out)


@takes(ReadOptions, {ReadOptions: "How the input is read"}, names={"format": "--from --format"})
def convert(
    config: ReadOptions,
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file, or a folder of files of one format.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A new file; its ending tells the format.")],
    to: Annotated[Format | None, typer.Option(help="Format of the output, where its name does not tell.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn any format into any other, and say what it cannot hold.

    Nothing is de-identified. Bad records are counted, and the first ones shown.

    **Examples**

    - `clinlp convert notes.csv notes.jsonl`
    - `clinlp convert gold.jsonl gold/ --to brat`
    - `clinlp convert train.jsonl train.spacy`
    """
    from clinlp.records import convert as run
    from clinlp.text.tokens import tokenize

    if target.is_file() and not overwrite:
        raise UsageError(f"{target}: a new file needed for the output, got one that is there; or say --overwrite")
    report = run(source, target, config, WriteOptions(format=to), tokenize=tokenize)
    say(f"{counted(report.n_notes, 'note')} in {target}")
    if report.lost:
        say("this format cannot hold: " + ", ".join(f"{n:,} {kind}" for kind, n in report.lost.items()))
    for failure in report.failures:
        remark(f"{failure.source}:{failure.line}: {failure.reason or failure.error}")
    if report.n_failures > len(report.failures):
        remark(f"and {report.n_failures - len(report.failures):,} more bad records")
    if report.n_failures and not report.n_notes:
        raise DataError(f"{source}: good records needed, got {report.n_failures:,} bad ones alone")
