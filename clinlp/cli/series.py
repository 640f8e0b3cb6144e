"""Several runs as one command: cross-validation and learning curves, and the tables that they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clinlp.cli.console import console, say, table
from clinlp.cli.options import percent_range
from clinlp.errors import UsageError
from clinlp.training.config import TrainConfig

if TYPE_CHECKING:  # torch: loaded with the command, not with its help
    from clinlp.metrics.compare import Measured
    from clinlp.training.curves import Point
    from clinlp.training.folds import CrossValidation
    from clinlp.training.runs import Tell

Folds = Annotated[
    int | None,
    typer.Option(
        "--folds",
        min=2,
        metavar="K",
        help="Cross-validate: K runs by patient in OUT/fold-1 ...; what each predicts goes to OUT/predictions.jsonl.",
    ),
]
Curve = Annotated[
    str | None,
    typer.Option(
        "--learning-curve",
        metavar="SHARES",
        help="Runs on growing shares of the patients, such as `0.1,0.3,1.0`, all scored on dev; a table and "
        "OUT/curve.json.",
    ),
]
_NAMES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "macro_f1": "macro F1",
    "top1": "top 1",
    "map": "MAP",
}


def run(
    config: TrainConfig,
    tell: Tell,
    *,
    resume: bool,
    folds: int | None = None,
    curve: str | None = None,
    speaks: bool = True,
) -> None:
    """Train once, or as often as folds or a learning curve ask for, and show what came of it.

    Args:
        speaks: This process shows results.
    """
    if folds is not None and curve is not None:
        raise UsageError("train: one of --folds and --learning-curve needed, got both")
    if folds is not None:
        from clinlp.training.folds import cross_validate

        made = cross_validate(config, folds, resume=resume, tell=tell)
        if speaks:
            _show_folds(made)
            say(f"predictions of all folds: {made.predictions}")
    elif curve is not None:
        from clinlp.training.curves import learning_curve

        points = learning_curve(config, _shares(curve), resume=resume, tell=tell)
        if speaks:
            _show_curve(points)
            say(f"all numbers: {config.out / 'curve.json'}")
    else:
        from clinlp.training.runs import finetune

        best = finetune(config, resume=resume, tell=tell)
        if speaks:
            say(f"best model: {best}")


def _shares(said: str) -> list[float]:
    try:
        return [float(share) for share in said.split(",")]
    except ValueError:
        raise UsageError(f"--learning-curve: shares such as 0.1,0.3,1.0 needed, got {said!r}") from None


def _show_folds(made: CrossValidation) -> None:
    """Show the scores of each fold, their mean and deviation, and the pooled scores with intervals."""
    names = list(made.folds[0].scores)
    shown = table("cross-validation, %", ("fold", "patients", "notes", *(_NAMES.get(name, name) for name in names)))
    for number, fold in enumerate(made.folds, start=1):
        cells = (f"{100 * fold.scores[name]:.1f}" for name in names)
        shown.add_row(str(number), f"{fold.n_patients:,}", f"{fold.n_notes:,}", *cells)
    shown.add_section()
    for title, scores in (("mean", made.mean), ("std", made.std)):
        shown.add_row(title, "", "", *(f"{100 * scores[name]:.1f}" for name in names))
    pooled = made.pooled
    sizes = (f"{sum(fold.n_patients for fold in made.folds):,}", f"{pooled.n_notes:,}")
    shown.add_row("pooled", *sizes, *(f"{100 * pooled.overall[name].value:.1f}" for name in names))
    shown.add_row(_level(pooled), "", "", *(percent_range(pooled.overall[name]) for name in names))
    console().print(shown)


def _show_curve(points: list[Point]) -> None:
    """Show what each part of the notes brought."""
    names = [name for name in points[0].scores.overall if name in _NAMES]
    main = "map" if "map" in names else "f1"
    columns = ("share", "patients", "notes", "spans or codes", "epochs", *(_NAMES[name] for name in names))
    shown = table("learning curve, % on dev", (*columns, f"{_NAMES[main]} {_level(points[0].scores)}"))
    for point in points:
        sizes = (f"{size:,}" for size in (point.n_patients, point.n_notes, point.n_marks, point.epochs))
        scores = point.scores.overall
        cells = (f"{100 * scores[name].value:.1f}" for name in names)
        shown.add_row(f"{point.share:g}", *sizes, *cells, percent_range(scores[main]))
    console().print(shown)


def _level(measured: Measured) -> str:
    return f"{100 * measured.sampling.level:g} %"
