"""The `clinlp` command: parse, call one function, show the result.

Errors are one line on standard error and never hold a note's text. Exit codes: 0 done, 1 bad data,
2 bad usage, 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from clinlp import __version__
from clinlp.cli import (
    annotate,
    audit,
    calibrate,
    check,
    compare,
    demo,
    evaluate,
    evidence,
    export,
    predict,
    report,
    retry,
    search,
    serve,
    train,
    vault,
)
from clinlp.cli.console import remark
from clinlp.errors import DataError, MissingExtraError, UsageError

__all__ = ["app", "main"]

app = typer.Typer(
    name="clinlp",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for each in (  # as the help lists them
    demo,
    annotate,
    retry,
    vault,
    predict,
    serve,
    check,
    train,
    search,
    export,
    evaluate,
    compare,
    evidence,
    report,
    audit,
    calibrate,
):
    each.register(app)


@app.callback(invoke_without_command=True)
def clinlp(
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error; **it may quote notes**.")
    ] = False,
) -> None:
    """De-identify, tokenize and annotate English and Chinese medical records, offline.

    Start with `clinlp demo`, then try your own: `clinlp annotate dump.jsonl -o out/`.

    Reads and writes JSON Lines, CSV, TSV, Parquet, Arrow, text folders, brat, CoNLL and spaCy DocBin.
    """
    del debug  # read by `main`, for it must know before anything can go wrong
    if version:
        typer.echo(f"clinlp {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not {"train", "search"} & set(given[:2]):
        # Threads that wait for each other by spinning make a small model many times slower where other
        # programs share the cores. Read when torch is loaded, which no command has done yet.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = app(given, prog_name="clinlp", standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # noqa: BLE001  the last place where an error can be kept from quoting a note
        code = _explain(error, debug="--debug" in given)
    if code == 130:
        remark("interrupted")
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception, *, debug: bool) -> int:
    """Say in one line what went wrong and give the exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, (UsageError, MissingExtraError)):
        remark(str(error))
        return 2
    if isinstance(error, DataError):
        remark(str(error))
        return 1
    if isinstance(error, OSError):
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read our output has gone
            return 1
        where = f"{error.filename}: " if error.filename else ""
        remark(f"{where}{error.strerror or type(error).__name__}")
        return 1
    format_message = getattr(error, "format_message", None)  # a bad option, from Typer or its click
    if callable(format_message):
        message = format_message()
        if message:  # none where the help was shown instead
            message = message.replace("Value error, ", "")  # pydantic's word in front of Typer's
            message = message.rstrip(".")
            command = getattr(getattr(error, "ctx", None), "command_path", "clinlp")
            remark(f"{message}{'' if message.endswith('?') else '.'} See {command} --help.")
        return int(getattr(error, "exit_code", 2))
    remark(f"unexpected {type(error).__name__} at {_place(error)}; --debug before the command shows more")
    return 1


def _place(error: Exception) -> str:
    """Where the error was raised, as a module's file and a line."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "an unknown place"
