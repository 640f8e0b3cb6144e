"""`clinlp demo` and `clinlp models`: what the package does and what it brings, at once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Literal

import typer

from clinlp.cli.console import RECORDS, TRAINING, console, remark, say, table
from clinlp.errors import Failure, UsageError
from clinlp.note import Note

_TASKS = ("entities", "diagnosis")
_MAIN = ("strict F1", "MAP", "micro F1", "F1", "characters")  # columns of a card's table, the one that says most first


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=RECORDS)(demo)
    app.command(rich_help_panel=TRAINING)(models)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the results.")] = Path(
        "clinlp-demo"
    ),
    deid: Annotated[
        Literal["tag", "mask", "placeholder", "off"],
        typer.Option(help="How PHI is replaced; `off` keeps the text and marks PHI as spans over it."),
    ] = "off",
) -> None:
    """Annotate bundled English and Chinese records with the bundled models.

    The records are invented, and so are all people in them. Shows a table, writes the notes to
    `DIR/notes.jsonl` and a page with every span highlighted to `DIR/notes.html`: open it in a browser,
    it needs no network.

    **Examples**

    - `clinlp demo`
    - `clinlp demo --deid placeholder -o /tmp/demo`
    """
    from clinlp.inference.pipeline import Pipeline, PipelineConfig
    from clinlp.records import read_notes, write_notes
    from clinlp.report.page import render

    with as_file(files("clinlp.cli").joinpath("demo.jsonl")) as path:
        records = list(read_notes(path))
    there = _bundled_tasks()
    for task in _TASKS:
        if task not in there:
            remark(f"no bundled models for {task}: they are left out of the demo")
    chosen = {task: "bundled" if task in there else "off" for task in _TASKS}
    pipeline = Pipeline(PipelineConfig(deid=deid, entities=chosen["entities"], diagnosis=chosen["diagnosis"]))
    done = pipeline(records)
    notes = [note for note in done if isinstance(note, Note)]
    for failure in done:
        if isinstance(failure, Failure):
            remark(f"{failure.note_id}: {failure.reason or failure.error} ({failure.stage})")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "notes.html").write_text(render(notes, "clinlp demo"), "utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror})") from None
    write_notes(notes, out / "notes.jsonl")
    _show(notes)
    say(f"notes: {out / 'notes.jsonl'}")
    say(f"page:  {out / 'notes.html'}")


def models() -> None:
    """List the models that ship with the package.

    A name works wherever a model folder does: `clinlp annotate --entities entities-en`, `clinlp
    evaluate diagnosis-zh gold.jsonl`. Without a name, each note gets the models of its language.
    """
    from clinlp.models.store import find_model, list_bundled, read_config
    from clinlp.models.tagger import TaggerConfig

    shown = table("bundled models", ("name", "task", "language", "labels", "MB", "score"), left=3)
    shown.columns[-1].justify = "left"
    names = list_bundled()
    for name in names:
        folder, config = find_model(name), read_config(name)
        task, labels = (config.task, config.labels) if isinstance(config, TaggerConfig) else ("diagnosis", config.codes)
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
        shown.add_row(
            name, task, name.rpartition("-")[2], f"{len(labels):,}", f"{size:.1f}", "\n".join(_scores(folder))
        )
    if not names:
        remark("this installation has no bundled models")
        return
    console().print(shown)
    say(f"cards: {find_model(names[0]).parent}/NAME/README.md")


def _bundled_tasks() -> set[str]:
    """Tasks that have a bundled model for both languages."""
    from clinlp.models.store import list_bundled

    names = set(list_bundled())
    return {task for task in _TASKS if {f"{task}-en", f"{task}-zh"} <= names}


def _scores(folder: Path) -> list[str]:
    """The main score on each set, as the table of the model's card says."""
    try:
        lines = (folder / "README.md").read_text("utf-8").splitlines()
    except OSError:
        return []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    if len(rows) < 3:
        return []
    head = rows[0]
    column = next((head.index(name) for name in _MAIN if name in head), None)
    if column is None:
        return []
    return [f"{row[column]} {head[column]} on {row[0]}" for row in rows[2:] if len(row) == len(head)]


def _show(notes: Sequence[Note]) -> None:
    """Show a row a note: what was found, and the first of it."""
    shown = table("", ("note", "PHI", "entities", "for example", "diagnoses"), left=1)
    for column in shown.columns[3:]:
        column.justify = "left"
    for note in notes:
        codes = ", ".join(
            diagnosis.code if diagnosis.score is None else f"{diagnosis.code} {diagnosis.score:.2f}"
            for diagnosis in (note.diagnoses or ())[:3]
        )
        shown.add_row(note.note_id, str(len(note.phi)), str(len(note.entities)), "\n".join(_examples(note)), codes)
    console().print(shown)


def _examples(note: Note, limit: int = 4) -> list[str]:
    """A few entities, each label once, with what the note says about them."""
    from rich.markup import escape

    found: dict[str, str] = {}
    for span in note.entities:
        context = span.context
        marks = [
            name for name in ("negated", "uncertain", "historical", "hypothetical") if getattr(context, name, False)
        ]
        if context is not None and context.experiencer != "patient":
            marks.append(context.experiencer)
        words = " ".join(note.text[span.start : span.end].split())
        said = f"{escape(words)} [dim]{span.label}{' · ' if marks else ''}{', '.join(marks)}[/]"
        if span.label not in found or marks:
            found.setdefault(span.label + ",".join(marks), said)
    return sorted(found.values(), key=lambda text: "·" not in text)[:limit]
