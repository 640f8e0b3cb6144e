"""`clinlp key` and `clinlp reidentify`: the key of a vault, and the originals that it gives back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clinlp.batch.summary import Summary, Tell
from clinlp.cli.console import RECORDS, counted, progress, remark, say, show_failures
from clinlp.cli.options import takes
from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note
from clinlp.records.options import Format, Read, ReadOptions, WriteOptions

if TYPE_CHECKING:
    from clinlp.deid.vault import Vault
    from clinlp.records.rows import Sink

_TOLD = 64  # records from one look at the progress to the next


def register(app: typer.Typer) -> None:
    """Add the commands."""
    key = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", context_settings=app.info.context_settings)
    key.callback()(_key)  # so that `new` has to be said, though it is the only one
    key.command("new")(new)
    app.add_typer(key, name="key", rich_help_panel=RECORDS)
    app.command(rich_help_panel=RECORDS)(reidentify)


def _key() -> None:
    """Make the key of surrogates, date shifts and the vault."""


def new(path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")]) -> None:
    """Write a new random key to a file that only its owner may read.

    Keep a copy in a safe place, apart from the vault: without the key nothing can be restored, and no
    second release gets the same surrogates and dates. A key that is there is never replaced.

    **Example**

    - `clinlp key new clinic.key`
    """
    from clinlp.deid.keys import new_key

    new_key(path)
    say(f"a new key is in {path}; keep a copy apart from the vault: without it nothing can be restored")


@takes(ReadOptions, {ReadOptions: "How the release is read"}, names={"format": "--from --format"})
def reidentify(
    config: ReadOptions,
    released: Annotated[Path, typer.Argument(metavar="RELEASED", help="A released file or folder, in any format.")],
    vault: Annotated[Path, typer.Option("--vault", metavar="FILE", help="The vault of the release.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A new file; its ending tells the format.")],
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="The key; else the one in `CLINLP_KEY`.")
    ] = None,
    to: Annotated[Format | None, typer.Option(help="Format of the output, where its name does not tell.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
) -> None:
    """Give a release back its originals: text, ids, dates and columns, from the vault.

    What was found in the release since (entities, codes, columns) is carried to the original text. A
    note is restored whole or not at all: one that is not in the vault, or whose text was changed, goes
    to a file beside the output (id, line and error, never text). **The output holds PHI**, and only its
    owner may read it.

    **Examples**

    - `clinlp reidentify released.csv --vault clinic.vault --key-file clinic.key -o originals.csv`
    - `clinlp reidentify out/ --vault clinic.vault -o originals.jsonl` with the key in `CLINLP_KEY`
    """
    from clinlp.deid.keys import read_key
    from clinlp.deid.vault import read_vault
    from clinlp.records import read_records
    from clinlp.records.formats import open_sink
    from clinlp.text.tokens import tokenize

    if out.exists() and not overwrite:
        raise UsageError(f"{out}: a new file needed for the output, got one that is there; or say --overwrite")
    taken = [path for path in (released, vault, key_file) if path is not None and path.exists()]
    if any(out.resolve().is_relative_to(path.resolve()) for path in taken):
        raise UsageError(f"{out}: an output beside the release needed, got the release, vault or key, or a place in it")
    lost: Counter[str] = Counter()
    with _private(), read_vault(vault, read_key(key_file)) as opened, progress([released], config) as tell:
        if opened.n_broken:
            one = opened.n_broken == 1
            remark(
                f"{vault}: {opened.n_broken:,} of its entries {'is' if one else 'are'} cut off or damaged "
                "and cannot be used"
            )
        records = read_records(released, config)
        with open_sink(out, WriteOptions(format=to), lost, tokenize) as sink:
            summary = _restore_all(records, opened, sink, (released, out), tell)
    say(f"{counted(summary.n_notes, 'note')} restored in {out}")
    if lost := Counter({kind: n for kind, n in lost.items() if n}):
        say("this format cannot hold: " + ", ".join(f"{n:,} {kind}" for kind, n in sorted(lost.items())))
    show_failures(summary)
    if summary.interrupted:
        remark(f"stopped early: {summary.n_notes:,} notes are finished and kept in {out}")
        raise typer.Exit(128 + summary.interrupted)
    if not summary.n_notes:
        raise DataError(f"{out}: no note could be restored; see {summary.quarantine}")


def _restore_all(records: Read, vault: Vault, sink: Sink, places: tuple[Path, Path], tell: Tell | None) -> Summary:
    """Restore note by note until the records end or a signal comes; failures go to quarantine."""
    from clinlp.batch.output import QUARANTINE, Quarantine
    from clinlp.batch.stop import Stop
    from clinlp.deid.vault import restore
    from clinlp.records.files import stem

    released, out = places
    quarantine = Quarantine(out.with_name(f"{stem(out)}.{QUARANTINE}"))
    quarantine.path.unlink(missing_ok=True)
    summary = Summary(quarantine=quarantine.path)
    with Stop() as stop, closing(quarantine):
        try:
            for line, record in records:
                result = restore(vault, record) if isinstance(record, Note) else record
                with stop.held():
                    if isinstance(result, Note):
                        result = _written(result, sink)
                    if isinstance(result, Failure):
                        result = result if result.source else replace(result, source=str(released), line=line)
                        quarantine.write([result])
                    summary.count([result])
                if tell is not None and summary.n_records % _TOLD == 0:
                    tell(summary, 0, line)
            summary.complete = True
        except KeyboardInterrupt:
            if not stop.asked:
                raise
        finally:
            stop.ignore()
        summary.interrupted = stop.asked
    return summary


def _written(note: Note, sink: Sink) -> Note | Failure:
    try:
        sink.write(note)
    except DataError as error:  # a sink that refuses a note so has left no trace of it
        return Failure.of(error, stage="write", note_id=note.note_id)
    return note


@contextmanager
def _private() -> Iterator[None]:
    """Files made meanwhile are for their owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
