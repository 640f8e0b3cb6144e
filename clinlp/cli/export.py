"""`clinlp export`: a trained model in a smaller or faster form for a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from clinlp.cli.console import TRAINING, console, say, table
from clinlp.errors import DataError, UsageError

if TYPE_CHECKING:
    from clinlp.inference.export import Parity

_ALLOWED: Final = 0.01  # of answers, where weights are rounded


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=TRAINING)(export)


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a bundled model's name.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder to make.")],
    to: Annotated[
        Literal["onnx", "int8", "onnx-int8"],
        typer.Option(
            help="`int8`: weights of eight bits, computed by torch. `onnx`: the encoder as an ONNX graph in float32, "
            "computed by onnxruntime. `onnx-int8`: both."
        ),
    ],
    dev: Annotated[
        Path | None, typer.Option(metavar="NOTES", help="Notes on which answers need to stay as they are.")
    ] = None,
    max_different: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help=f"Share of answers on dev that may differ; else none for onnx, {_ALLOWED:g} for int8."
        ),
    ] = None,
) -> None:
    """Write a model as int8 or ONNX: a folder that works wherever the model does, on a CPU.

    With `--dev`, the model as it was trained (float32) and the export both read these notes. The share of
    identical spans (or codes), the largest difference of emissions and the speeds are shown, and nothing
    is written if too many answers differ. Only the encoder changes: a CRF, a span scorer or label
    attention is computed as before. ONNX needs the extra `onnx`.

    **Examples**

    - `clinlp export runs/problems/best -o models/problems-int8 --to int8 --dev dev.jsonl`
    - `clinlp export entities-zh -o models/entities-zh-onnx --to onnx --dev dev.jsonl`
    """
    from clinlp.inference.export import export_model
    from clinlp.models.store import find_model
    from clinlp.records import read_notes

    notes = None if dev is None else list(read_notes(dev))
    if notes is None and max_different is not None:
        raise UsageError("--max-different: dev notes needed to compare on (--dev), got none")
    allowed = max_different if max_different is not None else 0.0 if to == "onnx" else _ALLOWED
    if notes == []:
        raise DataError(f"{dev}: notes needed, got none")
    parity = export_model(model, out, to, notes, max_different=allowed)
    if parity is None:
        say("answers not compared: name notes to compare on with --dev")
    else:
        _show(parity)
    say(f"{out}: {_megabytes(out):.1f} MB (as it was: {_megabytes(find_model(model)):.1f} MB)")


def _show(parity: Parity) -> None:
    """Show how alike the answers are, and the speeds."""
    title = f"on {parity.n_notes:,} notes, {parity.n_characters:,} characters"
    shown = table(title, ("form", "precision", "characters/s"), left=2)
    for speed in parity.speeds:
        precision = speed.precision if speed.form in ("float", "onnx") else "int8"
        shown.add_row(speed.form, precision, f"{speed.characters_per_s:,.0f}")
    console().print(shown)
    say(
        f"{100 * parity.same:.2f} % of the answers are the same ({parity.n_same:,}; {parity.n_before:,} before, "
        f"{parity.n_after:,} after); largest difference {parity.difference:.2g}"
    )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6
