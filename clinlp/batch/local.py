"""A batch job on one machine: files in; parts, quarantine and manifest out, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clinlp.batch.config import BatchConfig
from clinlp.batch.identity import made_by
from clinlp.batch.job import Job
from clinlp.batch.journal import Journal
from clinlp.batch.output import STATE, cannot_write, check_folder, clear_folder, remove
from clinlp.batch.plan import changes, load_plan, make_plan
from clinlp.batch.pool import Here, Processes, Runner, n_cores
from clinlp.batch.sources import FILES, TABLES, find_inputs, find_sources, first_notes, some_notes
from clinlp.batch.summary import Summary, TellJob
from clinlp.errors import UsageError

if TYPE_CHECKING:  # cryptography: loaded only for a vault
    from clinlp.deid.vault import VaultWriter

_MOST: Final = 8  # workers, unless more are asked for
_LEAST: Final = 1 << 18  # bytes of input for which processes are started unasked
_LOOKED_AT: Final = 10_000  # records of a file in which a column to keep is looked for: it may be a rare one
_NAMED: Final = ("note_id", "patient_id", "time")  # so, whatever the column that they come from is called


def annotate(
    inputs: Sequence[Path],
    out: Path,
    config: BatchConfig | None = None,
    *,
    overwrite: bool = False,
    tell: TellJob | None = None,
) -> Summary:
    """Annotate dumps; records land in their order in `OUT/part-NNNNN.jsonl`.

    Run again with the same arguments, a job that was stopped goes on where it was, and its output is byte
    for byte that of one that was not stopped. A record that fails goes to `OUT/quarantine.jsonl`, as its
    id, file, line and error, never its text, and stops no other. `OUT/manifest.json` says what made it all.

    Raises:
        UsageError: An input, the output or a model is not there or not as it needs to be; or the job that
            was begun in `out` was another one.
        DataError: An input is broken as a whole, or too many records failed; what was finished is kept.
    """
    config = config or BatchConfig()
    inputs = find_inputs(inputs)
    check_folder(out, inputs, overwrite=overwrite)
    find_sources(inputs, config)
    with cannot_write(out):
        (out / STATE).mkdir(parents=True, exist_ok=True)
    with Journal(out / STATE) as journal:  # before all else: another job may be at work there
        try:
            return _go_on(inputs, out, config, journal, overwrite=overwrite, tell=tell)
        except BaseException:
            _tidy(out)
            raise


def _go_on(
    inputs: Sequence[Path], out: Path, config: BatchConfig, journal: Journal, *, overwrite: bool, tell: TellJob | None
) -> Summary:
    """Do what is left of a job, or begin it."""
    now = made_by(config)
    before = None if overwrite else load_plan(out / STATE)
    if before is not None and (changed := changes(before, inputs, config, now)):
        raise UsageError(
            f"{out}: the job that was begun there needed, got another ({'; '.join(changed[:3])}); take another folder, "
            "or --overwrite begins anew"
        )
    runner = start(config, small=_is_small(inputs, config))
    try:
        check_columns(inputs, config)
        with open_vault(config, out) as vault:
            if before is None:
                clear_folder(out)
                journal.clear()
            plan = before or make_plan(inputs, config, now, out / STATE)
            job = Job(out, config, plan, journal, runner, vault=vault, tell=tell)
            return job.run(job.left())
    finally:
        runner.close()


def start(config: BatchConfig, *, small: bool) -> Runner:
    """Give what does tasks; its models are known to load.

    Raises:
        UsageError: A model is not as it needs to be.
    """
    if config.on is not None:
        from clinlp.batch.spark import Cluster

        return Cluster(config, config.on)
    n_workers = config.workers
    if n_workers is None:
        n_workers = 0 if small else min(_MOST, n_cores())
    if not n_workers:
        return Here(config)
    runner = Processes(config, n_workers)
    try:
        runner.check()
    except BaseException:
        runner.close()
        raise
    return runner


def open_vault(config: BatchConfig, out: Path) -> AbstractContextManager[VaultWriter | None]:
    """Open the vault that the config names, apart from what is released.

    Raises:
        UsageError: It would lie in the output, or cannot be written.
    """
    if config.vault is None:
        return nullcontext()
    if config.vault.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{config.vault}: a vault apart from the output needed, got one in it")
    from clinlp.deid.keys import read_key
    from clinlp.deid.vault import VaultWriter

    return VaultWriter(config.vault, read_key(config.key_file))


def check_columns(inputs: Sequence[Path], config: BatchConfig) -> None:
    """Refuse a known column that no record has, or that one of many tables lacks: its identifiers would get through.

    So too a column to keep that no record has, and where a model reads patients and no record says whose it is.

    Raises:
        UsageError: So it is.
    """
    _check_kept(inputs, config)
    if not config.known and not config.reads_patients:
        return
    notes = first_notes(inputs[0], config, config.chunk_notes)
    if config.reads_patients and notes and all(note.patient_id is None for note in notes):
        raise UsageError(
            f"{inputs[0]}: a column of patients needed (--patient-column), for the model reads patients, got none in "
            f"the first {len(notes):,} records"
        )
    if not config.known:
        return
    from clinlp.deid.known import absent, parse_known

    known = parse_known(config.known)
    if notes and (missing := absent(known, notes)):
        raise UsageError(
            f"{inputs[0]}: a column {missing[0]!r} needed (--known), got none in the first {len(notes):,} records"
        )
    tables = [Path(source.path) for source in find_sources(inputs, config) if source.kind in TABLES]
    for table in tables:  # each has a header of its own
        read = some_notes(table, config, config.chunk_notes)
        if (first := next(read, None)) and (missing := absent(known, chain([first], read))):
            raise UsageError(f"{table}: a column {missing[0]!r} needed (--known), as other inputs have it, got none")


def _check_kept(inputs: Sequence[Path], config: BatchConfig) -> None:
    """Refuse a column to keep that is in no file of the input: most likely misspelt, and the release would lack it."""
    missing = set(config.keep_fields) - {"*", *_NAMED}
    if not missing or config.deid == "off":
        return
    files = (Path(source.path) for source in find_sources(inputs, config) if source.kind not in FILES)
    read = chain.from_iterable(some_notes(path, config, _LOOKED_AT) for path in dict.fromkeys((*inputs, *files)))
    first = next(read, None)
    for note in chain([first], read) if first else ():
        missing.difference_update(note.fields)
        if not missing:
            return
    if first:
        raise UsageError(
            f"{inputs[0]}: a column {min(missing)!r} needed (--keep-field), got none in the first {_LOOKED_AT:,} "
            f"records of any file; those of id, patient and time are called {', '.join(_NAMED)} here"
        )


def _is_small(inputs: Sequence[Path], config: BatchConfig) -> bool:
    """Whether a job is over before processes would have started."""
    size = sum(source.size or 2048 * len(source.names) for source in find_sources(inputs, config))
    return size <= _LEAST


def _tidy(out: Path) -> None:
    """Leave no folder behind where nothing was planned."""
    with suppress(OSError):
        if (out / STATE).is_dir() and not (out / STATE / "plan.json").exists():
            remove(out / STATE)
            out.rmdir()
