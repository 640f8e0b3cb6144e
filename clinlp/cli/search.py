"""`clinlp search entities`, `phi` and `diagnosis`: options that fit the notes, found by trying."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clinlp.cli.console import TRAINING, console, say, table
from clinlp.cli.options import takes
from clinlp.cli.train import DIAGNOSIS_FLAGS, PANELS, teller
from clinlp.training.config import DiagnosisConfig, EntitiesConfig, PhiConfig, TrainConfig

if TYPE_CHECKING:
    from clinlp.training.search import Found

SpaceFile = Annotated[
    Path,
    typer.Option(
        "--space",
        metavar="FILE",
        help="TOML file with what to try: `hidden = [100, 200]`, `dropout = {low = 0.1, high = 0.5}`, "
        "`learning_rate = {low = 1e-4, high = 1e-2, log = true}`, `layers = {low = 1, high = 3, step = 1}`.",
    ),
]
Trials = Annotated[int, typer.Option("--trials", min=1, help="Trials in all, those of a killed search included.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the search in OUT, or give it more trials.")]

search = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Search for the options that train the best model, with Optuna (the extra `search`).",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(search, name="search", rich_help_panel=TRAINING)


@search.command()
@takes(EntitiesConfig, PANELS, names={"labels": "--label", "out": "--out -o"})
def entities(config: EntitiesConfig, space: SpaceFile, trials: Trials = 20, resume: Resume = False) -> None:
    """Search for the options of an entity tagger; all that `--space` does not name stays as it is given.

    Trials are runs in `OUT/trial-1` and so on, scored on dev; one that falls behind the others is
    stopped. `OUT/best.toml` holds the options of the best one, whose model is kept; score them on notes
    that no trial saw. A search that was killed goes on with `--resume`.

    **Examples**

    - `clinlp search entities --train train.jsonl --dev dev.jsonl --space space.toml --trials 20 -o runs/search`
    - `clinlp train entities --config runs/search/best.toml --seed 2 -o runs/best`
    """
    _run(config, space, trials, resume=resume)


@search.command()
@takes(PhiConfig, PANELS, names={"labels": "--label", "out": "--out -o"}, hidden=("max_width",))
def phi(config: PhiConfig, space: SpaceFile, trials: Trials = 20, resume: Resume = False) -> None:
    """Search for the options of a tagger of protected health information, as `clinlp search entities` does.

    **Examples**

    - `clinlp search phi --train train.jsonl --dev dev.jsonl --space space.toml -o runs/search`
    """
    _run(config, space, trials, resume=resume)


@search.command()
@takes(DiagnosisConfig, PANELS, names=DIAGNOSIS_FLAGS)
def diagnosis(config: DiagnosisConfig, space: SpaceFile, trials: Trials = 20, resume: Resume = False) -> None:
    """Search for the options of a diagnoser, as `clinlp search entities` does.

    **Examples**

    - `clinlp search diagnosis --train train.jsonl --code-length 3 --space space.toml -o runs/search`
    """
    _run(config, space, trials, resume=resume)


def _run(config: TrainConfig, space: Path, trials: int, *, resume: bool) -> None:
    from clinlp.training.search import search as find
    from clinlp.training.space import read_space

    with teller() as tell:
        found = find(config, read_space(space, config), trials, resume=resume, tell=tell)
    _show(found)


def _show(found: Found) -> None:
    """Show all trials, the best first, and where the best one's options and model are."""
    names = list(dict.fromkeys(name for tried in found.trials for name in tried.options))
    shown = table("trials, score on dev in %", ("trial", "state", "epochs", "score", *names))
    for tried in sorted(found.trials, key=lambda each: (each is not found.best, -(each.score or 0.0), each.number)):
        score = "–" if tried.score is None else f"{100 * tried.score:.2f}"
        options = (
            f"{value:.4g}" if isinstance(value, float) else str(value) for value in map(tried.options.get, names)
        )
        shown.add_row(str(tried.number), tried.state, str(tried.n_epochs), score, *options)
    console().print(shown)
    say(f"best options: {found.config}")
    say(f"best model: {found.model}")
