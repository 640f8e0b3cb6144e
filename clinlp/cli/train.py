"""`clinlp train entities`, `phi` and `diagnosis`; runs alone or under `accelerate launch`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from clinlp.cli.console import remark, say
from clinlp.cli.options import takes
from clinlp.cli.series import Curve, Folds, run
from clinlp.config import Config
from clinlp.training.config import DiagnosisConfig, EntitiesConfig, PhiConfig, TrainConfig

if TYPE_CHECKING:
    from clinlp.data.features import Loss
    from clinlp.training.loop import Epoch
    from clinlp.training.runs import Begun, Tell

PANELS: dict[type[Config], str] = {
    EntitiesConfig: "Entities",
    DiagnosisConfig: "Diagnoses",
    TrainConfig: "Every model",
}
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
    app.add_typer(train, name="train")


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
    run(config, teller(), resume=resume, folds=folds, curve=learning_curve, speaks=is_main())


@train.command()
@takes(PhiConfig, PANELS, names={"labels": "--label", "out": "--out -o"}, hidden=("max_width",))
def phi(config: PhiConfig, resume: Resume = False, folds: Folds = None, learning_curve: Curve = None) -> None:
    """Train a tagger of protected health information on notes with `phi` spans.

    The best epoch is written to `OUT/best`. Use it beside the rules with `clinlp deidentify --phi
    OUT/best`; choose its thresholds with `clinlp calibrate`.

    **Examples**

    - `clinlp train phi --train train.jsonl --dev dev.jsonl -o runs/phi`
    - `clinlp train phi --train train.jsonl -o runs/phi-bert --encoder models/bert --precision bf16`
    """
    run(config, teller(), resume=resume, folds=folds, curve=learning_curve, speaks=is_main())


@train.command()
@takes(DiagnosisConfig, PANELS, names={"out": "--out -o"})
def diagnosis(
    config: DiagnosisConfig, resume: Resume = False, folds: Folds = None, learning_curve: Curve = None
) -> None:
    """Train a diagnoser; the best epoch is written to `OUT/best`, a model folder.

    Notes need `"codes": [...]` or `"diagnoses"`, in any code system. Score it with `clinlp evaluate
    OUT/best test.jsonl`. On several GPUs: `accelerate launch scripts/train_diagnosis.py` with the same
    options.

    **Examples**

    - `clinlp train diagnosis --train train.jsonl --dev dev.jsonl -o runs/icd --code-length 3`
    - `clinlp train diagnosis --train train.jsonl -o runs/triage --single --encoder models/bert`
    """
    run(config, teller(), resume=resume, folds=folds, curve=learning_curve, speaks=is_main())


def teller() -> Tell:
    """Give what shows a run line by line: one table row an epoch, in the main process alone."""
    rows = 0

    def tell(news: Epoch | Loss | Begun) -> None:
        nonlocal rows
        if not is_main():
            return
        from clinlp.training.loop import Epoch

        if not isinstance(news, Epoch):
            remark(str(news))
            return
        names = [name for name in news.scores if name != "score"]
        if not rows:
            say("".join(f"{name:>14}" for name in ("epoch", "loss", *names, "seconds", "pieces/s")))
        rows += 1
        cells = [f"{news.epoch}", f"{news.loss:.4f}", *(f"{100 * news.scores[name]:.2f}" for name in names)]
        cells += [f"{news.seconds:.1f}", f"{news.pieces_per_s:,.0f}"]
        say("".join(f"{cell:>14}" for cell in cells) + ("  best" if news.best else ""))

    return tell


def is_main() -> bool:
    """Whether this is the process of a run that speaks; `accelerate launch` numbers them."""
    return os.environ.get("RANK", "0") == "0"
