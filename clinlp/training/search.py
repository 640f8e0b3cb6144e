"""Search for options: trials that Optuna proposes, each a run of its own, stopped early where it falls behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clinlp.data.features import Loss
from clinlp.errors import DataError, DivergedError, UsageError
from clinlp.models.store import write_whole
from clinlp.training.beside import Beside
from clinlp.training.checkpoint import remove_checkpoints
from clinlp.training.config import TrainConfig
from clinlp.training.inputs import digest
from clinlp.training.parts import Parts, read_parts
from clinlp.training.runs import Begun, Tell, finetune, network_only, open_series
from clinlp.training.space import Space, Value, plain, suggest
from clinlp.training.study import STUDY, alone, load_optuna, open_study
from clinlp.training.task import Epoch, Progress, Watcher

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial


class _UnfitError(ValueError):
    """Options that cannot go together."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial.

    Attributes:
        number: From 1, as in the name of its folder.
        state: `complete`, `pruned` (stopped early) or `fail` (it could not be run, or diverged).
        score: The best on dev; None where it failed.
    """

    number: int
    state: str
    score: float | None
    options: Mapping[str, Value]
    n_epochs: int

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        named = {name: getattr(self, name) for name in ("number", "state", "score", "n_epochs")}
        return named | {"options": dict(self.options)}


@dataclass(frozen=True, slots=True)
class Found:
    """All trials, and the best of them.

    Attributes:
        config: File with the options of the best trial, for `clinlp train --config`.
        model: Folder of its model; those of other trials are removed.
    """

    trials: tuple[Tried, ...]
    best: Tried
    config: Path
    model: Path


def search(
    config: TrainConfig, space: Space, n_trials: int, *, resume: bool = False, tell: Tell | None = None
) -> Found:
    """Run trials in `OUT/trial-1` and so on until there are `n_trials`, and keep the best.

    Each trial is a run with options that a tree-structured Parzen estimator chose (Bergstra et al. 2011);
    one whose best score is below the median of the others after as many epochs is stopped. What a
    trial draws follows from the seed and its number, and all is kept in `OUT/journal.jsonl`: a search
    that was killed goes on with the trial that it was at, from its checkpoint, to what an unbroken
    search finds; a trial that ended is never run again.

    Raises:
        UsageError: `out` holds another search, or one that is running.
        DataError: No trial could be run to its end.
        MissingExtraError: Optuna is not installed.
    """
    optuna = load_optuna()
    if n_trials < 1:
        raise UsageError(f"search: one trial or more needed, got {n_trials}")
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError("search: one process needed, got several")
    parts = read_parts(config)
    plan = {"space": plain(space), "notes": digest([*parts[0], *parts[1]])}
    open_series(config, "search.json", plan, resume=resume)
    with alone(config.out):
        trials = _Trials(optuna, open_study(optuna, config), config, space, parts, tell)
        trials.tidy()
        for trial in trials.unfinished():
            trials.run(trial, n_trials)
        while trials.n_finished < n_trials:
            trials.run(trials.ask(), n_trials)
    return trials.found()


@dataclass(frozen=True, slots=True)
class _Listener:
    """Hears the score of every epoch, and passes all on."""

    tell: Tell | None
    hear: Callable[[int, float], None]

    def __call__(self, news: Beside | Epoch | Loss | Begun | str) -> None:
        if self.tell is not None:
            self.tell(news)
        if isinstance(news, Epoch):
            self.hear(news.epoch, news.scores["score"])

    def watch(self, progress: Progress) -> None:
        if isinstance(self.tell, Watcher):
            self.tell.watch(progress)


@dataclass(frozen=True, slots=True)
class _Trials:
    """The trials of a search, those to come and those done."""

    optuna: ModuleType
    study: Study
    config: TrainConfig
    space: Space
    parts: Parts
    tell: Tell | None

    @property
    def n_finished(self) -> int:
        return sum(trial.state.is_finished() for trial in self.study.get_trials(deepcopy=False))

    def unfinished(self) -> list[Trial]:
        """Trials that a kill left, oldest first; what they chose and reported is kept."""
        storage, made = self.study._storage, []  # noqa: SLF001  Optuna has no other way back to a trial
        study_id = storage.get_study_id_from_name(STUDY)
        for trial in self.study.get_trials(deepcopy=False, states=(self.optuna.trial.TrialState.RUNNING,)):
            trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
            self._seed(trial.number)
            made.append(self.optuna.trial.Trial(self.study, trial_id))
        return made

    def ask(self) -> Trial:
        """Begin a trial."""
        self._seed(len(self.study.get_trials(deepcopy=False)))
        return self.study.ask()

    def _seed(self, number: int) -> None:
        """What a trial draws depends on its number and on the trials before it, not on when the process began."""
        state = int(np.random.SeedSequence((self.config.seed, number)).generate_state(1)[0])
        self.study.sampler = self.optuna.samplers.TPESampler(seed=state)

    def folder(self, number: int) -> Path:
        return self.config.out / f"trial-{number + 1}"

    def run(self, trial: Trial, n_trials: int) -> None:
        """Run a trial to its end, or until it falls behind."""
        states = self.optuna.trial.TrialState
        options = suggest(trial, self.space, self.config)
        if self.tell is not None:
            self.tell(
                Begun(
                    f"trial {trial.number + 1} of {n_trials} {_said(options)}", len(self.parts[0]), len(self.parts[1])
                )
            )
        try:
            self.study.tell(trial.number, self._score(trial, self._config(options, self.folder(trial.number))))
        except self.optuna.TrialPruned:
            self.study.tell(trial.number, state=states.PRUNED)
        except (_UnfitError, DivergedError, torch.OutOfMemoryError) as error:
            trial.set_user_attr("reason", type(error).__name__)
            self.study.tell(trial.number, state=states.FAIL)
        self.tidy()

    def _config(self, options: Mapping[str, Value], out: Path) -> TrainConfig:
        """Give the config of one trial.

        Raises:
            _UnfitError: Each option is one that the config takes, but not all of them together.
        """
        given = self.config.model_dump(exclude_unset=True) | dict(options) | {"out": out}
        try:
            return type(self.config).load(None, **given)
        except UsageError:
            raise _UnfitError from None

    def _score(self, trial: Trial, run: TrainConfig) -> float:
        """Train, and give the score of the best epoch.

        Raises:
            optuna.TrialPruned: The trial fell behind.
        """
        reported = set(self.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

        def hear(epoch: int, score: float) -> None:
            if epoch not in reported:
                trial.report(score, epoch)
                reported.add(epoch)
            if epoch < run.epochs and trial.should_prune():
                raise self.optuna.TrialPruned

        for epoch, score in _logged(run.out):  # before a kill, perhaps not all were heard of
            hear(epoch, score)
        best = finetune(network_only(run), self.parts, resume=True, tell=_Listener(self.tell, hear))
        return float(json.loads((best / "scores.json").read_text("utf-8"))["score"])

    def tidy(self) -> None:
        """Write what was tried, and remove the checkpoints of what ended and all models but the best."""
        done = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        best = self.best_number()
        for trial in done:
            folder = self.folder(trial.number)
            remove_checkpoints(folder)
            if trial.number != best:
                shutil.rmtree(folder / "best", ignore_errors=True)
        tried = [_tried(trial).to_dict() for trial in done]
        write_whole(self.config.out / "trials.json", json.dumps(tried, indent=1, ensure_ascii=False))

    def best_number(self) -> int | None:
        """The complete trial with the highest score; of two alike the first."""
        complete = self.study.get_trials(deepcopy=False, states=(self.optuna.trial.TrialState.COMPLETE,))
        ranked = sorted((-(trial.value or 0.0), trial.number) for trial in complete)
        return ranked[0][1] if ranked else None

    def found(self) -> Found:
        """Write the options of the best trial and give all trials."""
        tried = tuple(_tried(trial) for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished())
        best = next((each for each in tried if each.number - 1 == self.best_number()), None)
        if best is None:
            raise DataError(f"{self.config.out}: a trial that ends needed, got {len(tried)} that diverged or failed")
        file = self.config.out / "best.toml"
        write_whole(file, self._config(best.options, self.folder(best.number - 1)).to_toml(leave_out=("out",)))
        return Found(tried, best, file, self.folder(best.number - 1) / "best")


def _logged(out: Path) -> list[tuple[int, float]]:
    """The epochs of a run that was killed, and their scores."""
    file = out / "log.jsonl"
    if not file.is_file():
        return []
    epochs = [json.loads(line) for line in file.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return [(epoch["epoch"], epoch["scores"]["score"]) for epoch in epochs]


def _tried(trial: FrozenTrial) -> Tried:
    scores = trial.intermediate_values
    failed = trial.state.name == "FAIL"
    score = None if failed or not scores else max(scores.values())
    return Tried(trial.number + 1, trial.state.name.lower(), score, dict(trial.params), len(scores))


def _said(options: Mapping[str, Value]) -> str:
    cells = (
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )
    return f"({', '.join(cells)})"
