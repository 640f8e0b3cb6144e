"""`clinlp train entities`, `phi` and `diagnosis`; runs alone or under `accelerate launch`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from clinlp.cli.console import TRAINING, remark, say
from clinlp.cli.options import takes
from clinlp.cli.series import Curve, Folds, run
from clinlp.config import Config
from clinlp.training.config import ContextConfig, DiagnosisConfig, EntitiesConfig, PhiConfig, TrainConfig

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from clinlp.data.features import Loss
    from clinlp.training.beside import Beside
    from clinlp.training.runs import Begun
    from clinlp.training.task import Epoch, Progress

PANELS: dict[type[Config], str] = {
    EntitiesConfig: "Entities",
    ContextConfig: "Context",
    DiagnosisConfig: "Diagnoses",
    TrainConfig: "Every model",
}
DIAGNOSIS_FLAGS = {"out": "--out -o", "numbers": "--number", "categories": "--category"}
CODES_ONLY = (
    *("code_length", "min_notes", "single", "codes", "unknown_codes", "code_names", "numbers", "categories"),
    *("patients", "history", "baselines", "join"),
)
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint in OUT, to the weights of an unbroken run.")
]

train = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Fine-tune a model on annotated notes: an LSTM from scratch, or any transformer encoder.",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(train, name="train", rich_help_panel=TRAINING)


@train.command()
@takes(EntitiesConfig, PANELS, names={"labels": "--label", "out": "--out -o"})
def entities(config: EntitiesConfig, resume: Resume = False, folds: Folds = None, learning_curve: Curve = None) -> None:
    """Train an entity tagger; the best epoch is written to `OUT/best`, a model folder.

    Score it with `clinlp evaluate OUT/best test.jsonl`, use it with `clinlp annotate --entities
    OUT/best`. On several GPUs: `accelerate launch scripts/train_entities.py` with the same options.

    **Examples**

    - `clinlp train entities --train train.jsonl --dev dev.jsonl -o runs/problems`
    - `clinlp train entities --train notes/ -o runs/bert --encoder models/bert --epochs 10 --precision bf16`
    - `clinlp train entities --config runs/problems.toml --seed 2 -o runs/problems-2`
    - `clinlp train entities --train notes/ -o runs/folds --folds 5`
    - `clinlp train entities --train notes/ -o runs/curve --learning-curve 0.1,0.3,1.0`
    """
    with teller() as tell:
        run(config, tell, resume=resume, folds=folds, curve=learning_curve, speaks=is_main())


@train.command()
@takes(PhiConfig, PANELS, names={"labels": "--label", "out": "--out -o"}, hidden=("max_width", "tune_thresholds"))
def phi(config: PhiConfig, resume: Resume = False, folds: Folds = None, learning_curve: Curve = None) -> None:
    """Train a tagger of protected health information on notes with `phi` spans.

    The best epoch is written to `OUT/best`. Use it beside the rules with `clinlp deidentify --phi
    OUT/best`; choose its thresholds with `clinlp calibrate`.

    **Examples**

    - `clinlp train phi --train train.jsonl --dev dev.jsonl -o runs/phi`
    - `clinlp train phi --train train.jsonl -o runs/phi-bert --encoder models/bert --precision bf16`
    """
    with teller() as tell:
        run(config, tell, resume=resume, folds=folds, curve=learning_curve, speaks=is_main())


@train.command()
@takes(DiagnosisConfig, PANELS, names=DIAGNOSIS_FLAGS)
def diagnosis(
    config: DiagnosisConfig, resume: Resume = False, folds: Folds = None, learning_curve: Curve = None
) -> None:
    """Train a diagnoser; the best epoch is written to `OUT/best`, a model folder.

    Beside it a TF-IDF baseline, a dictionary of code names and an ensemble of the three are trained and measured on
    the same dev notes: `OUT/tfidf`, `OUT/dictionary`, `OUT/ensemble`, model folders too.

    Notes need `"codes": [...]` or `"diagnoses"`, in any code system. Score it with `clinlp evaluate
    OUT/best test.jsonl`. On several GPUs: `accelerate launch scripts/train_diagnosis.py` with the same
    options.

    **Examples**

    - `clinlp train diagnosis --train train.jsonl --dev dev.jsonl -o runs/icd --code-length 3`
    - `clinlp train diagnosis --train train.jsonl -o runs/triage --single --encoder models/bert`
    - `clinlp train diagnosis --train notes.csv -o runs/fields --number age --number lactate --category sex`
    - `clinlp train diagnosis --train visits.jsonl -o runs/forecast --patients next --number age`
    """
    with teller() as tell:
        run(config, tell, resume=resume, folds=folds, curve=learning_curve, speaks=is_main())


@train.command()
@takes(ContextConfig, PANELS, names=DIAGNOSIS_FLAGS, hidden=CODES_ONLY)
def context(config: ContextConfig, resume: Resume = False) -> None:
    """Train a classifier of context on notes whose entities have one; the best epoch is written to `OUT/best`.

    It reads the section and the sentence of each entity and says whether it is negated, uncertain,
    historical, hypothetical, and whose it is. What no entity of train shows is left to the rules. Use it
    with `clinlp annotate --context-model OUT/best`, or as `model` of spaCy's `clinlp_context`.

    **Examples**

    - `clinlp train context --train train.jsonl --dev dev.jsonl -o runs/context`
    - `clinlp train context --train train.jsonl -o runs/context-bert --encoder models/bert --epochs 4`
    """
    with teller() as tell:
        run(config, tell, resume=resume, speaks=is_main())


@contextmanager
def teller() -> Iterator[Teller]:
    """Give what shows a run; on a terminal with a bar below the table while it lasts."""
    from rich.console import Console

    screen = Console(stderr=True, highlight=False)
    if not (screen.is_terminal and is_main()):
        yield Teller()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f} · score {task.fields[score]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # The table goes to standard output: on a terminal above the bar, untouched into a file.
    redirected = sys.stdout.isatty()
    with Progress(*columns, console=screen, transient=True, refresh_per_second=2, redirect_stdout=redirected) as bar:
        yield Teller(bar)


class Teller:
    """Shows a run line by line, one table row an epoch, in the main process alone; and every step in a bar."""

    def __init__(self, bar: Bar | None = None) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._n_rows = 0

    def __call__(self, news: Beside | Epoch | Loss | Begun | str) -> None:
        """Show a row or a remark."""
        if not is_main():
            return
        from clinlp.training.beside import Beside
        from clinlp.training.task import Epoch

        if isinstance(news, Beside):
            measured = (f"{100 * value:.2f}" for name, value in news.scores.items() if name != "score")
            say("".join(f"{cell:>14}" for cell in (news.name, "", *measured, f"{news.seconds:.1f}")))
            return
        if not isinstance(news, Epoch):
            remark(str(news))
            return
        names = [name for name in news.scores if name != "score"]
        if not self._n_rows:
            say("".join(f"{name:>14}" for name in ("epoch", "loss", *names, "seconds", "pieces/s")))
        self._n_rows += 1
        cells = [f"{news.epoch}", f"{news.loss:.4f}", *(f"{100 * news.scores[name]:.2f}" for name in names)]
        cells += [f"{news.seconds:.1f}", f"{news.pieces_per_s:,.0f}"]
        say("".join(f"{cell:>14}" for cell in cells) + ("  best" if news.best else ""))

    def watch(self, progress: Progress) -> None:
        """Move the bar."""
        if self._bar is None:
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=1.0, epoch=0, loss=0.0, score="-")
        elif progress.done < self._bar.tasks[0].completed:  # the next of several runs
            self._bar.reset(self._task)
        score = "-" if progress.score is None else f"{100 * progress.score:.2f}"
        self._bar.update(self._task, completed=progress.done, epoch=progress.epoch, loss=progress.loss, score=score)


def is_main() -> bool:
    """Whether this is the process of a run that speaks; `accelerate launch` numbers them."""
    return os.environ.get("RANK", "0") == "0"
