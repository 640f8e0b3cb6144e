"""`clinlp report`: notes, a run, an evaluation or a corpus as a page that opens offline, with figures as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clinlp.cli.console import SCORES, counted, say
from clinlp.cli.options import By, Device, SamplingOptions, Threshold, Train, takes
from clinlp.cli.predicted import Attribute, Predicted, chosen, gold_of, predict, shortened
from clinlp.errors import DataError, UsageError
from clinlp.note import Note

if TYPE_CHECKING:  # what draws: loaded with the command, not with its help
    from clinlp.report.document import Report
    from clinlp.report.scored import Asked

_PAGES = (".html", ".htm")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=SCORES)(report)


@takes(SamplingOptions, {SamplingOptions: "Intervals"})
def report(
    config: SamplingOptions,
    source: Annotated[
        Path, typer.Argument(metavar="NOTES_OR_RUN", help="Notes in any format, gold notes, or a run's folder.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR_OR_PAGE", help="A folder; or `PAGE.html` for the notes themselves."),
    ],
    predicted: Annotated[
        str | None,
        typer.Argument(metavar="[PREDICTED]", help="Predicted notes, a model folder or name, or `rules` (for PHI)."),
    ] = None,
    attribute: Annotated[
        Attribute | None, typer.Option(help="What to score; else what the model predicts, or all that the notes hold.")
    ] = None,
    threshold: Threshold = None,
    by: By = None,
    train: Train = None,
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Show words of the notes beside each error; **they may hold PHI**.")
    ] = False,
    original: Annotated[
        Path | None,
        typer.Option(metavar="NOTES", help="Of `PAGE.html`: what the notes were before release, shown beside them."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    device: Device = None,
) -> None:
    """Draw notes, a corpus, a training run or an evaluation.

    Notes and `-o PAGE.html`: one page with every span, context and diagnosis highlighted; it holds the
    text. Everything else goes to a folder: `index.html` with all figures and tables in it, `scores.json`
    with all numbers, `figures/` as PNG and SVG, and for an evaluation `errors.jsonl`: every missed,
    spurious and wrong span or code. Notes alone: how long they are, which labels and codes they have.
    Pages open offline and ask nothing of a network. Figures need clinlp-emr[plots].

    **Examples**

    - `clinlp report out/ -o notes.html`
    - `clinlp report out/ -o notes.html --original dump.jsonl`
    - `clinlp report out/ -o report/ --by sex`
    - `clinlp report runs/ours -o report/`
    - `clinlp report gold.jsonl predicted.jsonl -o report/ --by sex`
    - `clinlp report gold.jsonl runs/ours/best -o report/ --show-text`
    """
    from clinlp.report.run import is_run

    if original is not None and (predicted is not None or out.suffix.lower() not in _PAGES):
        raise UsageError(f"original: the page of released notes needed (-o PAGE.html), got {out.name}")
    if source.is_dir() and is_run(source):
        made = _run(source, title, predicted)
    elif predicted is None and out.suffix.lower() in _PAGES:
        _notes(source, out, title, original)
        return
    elif predicted is None:
        made = _corpus(source, title, by)
    else:
        from clinlp.report.scored import Asked

        gold, found = _scored(source, predicted, attribute, device)
        counts = _frequencies(train, found.code_length)
        asked = Asked(chosen(found, threshold), config.sampling, by, counts, show_text)
        made = _evaluation(gold, found, asked, title or f"Evaluation 评估 · {Path(predicted).name or predicted}")
    _folder(out)
    for path in made.write(out):
        say(str(path))


def _notes(source: Path, out: Path, title: str | None, original: Path | None) -> None:
    """Write the page of notes."""
    from clinlp.records import read_notes
    from clinlp.report.page import render
    from clinlp.report.pairs import originals_of

    notes: Sequence[Note] = list(read_notes(source))
    originals = None if original is None else originals_of(notes, read_notes(original))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(render(notes, title or source.name, originals), "utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror})") from None
    say(f"{counted(len(notes), 'note')}: {out}")


def _run(source: Path, title: str | None, predicted: str | None) -> Report:
    """Draw a training run, which brings its own predictions."""
    from clinlp.report.run import report_run

    if predicted is not None:
        raise UsageError(f"{source}: a run's folder needs no PREDICTED, got one; its model is {source / 'best'}")
    return report_run(source, title)


def _corpus(source: Path, title: str | None, by: str | None) -> Report:
    """Draw what notes hold."""
    from clinlp.records import read_notes
    from clinlp.report.corpus import report_corpus

    return report_corpus(list(read_notes(source)), by, title or f"Corpus 语料 · {source.name}")


def _evaluation(gold: Sequence[Note], found: Predicted, asked: Asked, title: str) -> Report:
    """Draw how well gold notes were predicted."""
    from clinlp.report.evaluation import report_evaluation

    return report_evaluation(gold, found.notes, found.attributes, asked, title)


def _scored(
    source: Path, predicted: str, attribute: Attribute | None, device: str | None
) -> tuple[list[Note], Predicted]:
    """Read gold, and give it with what was predicted of it."""
    from clinlp.records import read_notes

    gold = list(read_notes(source))
    if not gold:
        raise DataError(f"{source}: annotated notes needed, got none")
    found = predict(predicted, gold, attribute, device)
    return gold_of(gold, found), found


def _folder(out: Path) -> None:
    if out.suffix.lower() in _PAGES:
        raise UsageError(f"{out}: a folder needed, for figures and tables stand beside the page, got a page's name")


def _frequencies(train: Path | None, length: int | None) -> Counter[str] | None:
    """Count the training notes of each code, at the length that the model learned; None without such notes."""
    if train is None:
        return None
    from clinlp.records import read_notes

    notes = (shortened(note, length) for note in read_notes(train))
    return Counter(code for note in notes for code in {each.code for each in note.diagnoses or ()})
