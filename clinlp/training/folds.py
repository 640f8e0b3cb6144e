"""Cross-validation: every note is predicted once, by a model that saw no note of its patient."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinlp.data.splits import count_patients, deal
from clinlp.errors import DataError, UsageError
from clinlp.metrics.compare import Measured, measure, score
from clinlp.metrics.intervals import Sampling
from clinlp.metrics.prf import NoteCounts
from clinlp.models.store import write_whole
from clinlp.note import Note
from clinlp.records import read_notes, write_notes
from clinlp.training.config import TrainConfig
from clinlp.training.inputs import digest
from clinlp.training.parts import Parts, hold_out, say, unnamed_patients
from clinlp.training.runs import (
    PREDICTIONS,
    Tell,
    choice_of,
    count,
    gold_notes,
    is_main,
    labels_of,
    open_series,
    read_training,
    run_part,
)


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold: what was scored in it, and the scores of the model that did not see it."""

    n_notes: int
    n_patients: int
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Scores fold by fold, and of all predictions together.

    Attributes:
        pooled: Scores of the predictions of all folds as one, with intervals.
        predictions: The file that holds them.
    """

    folds: tuple[Fold, ...]
    pooled: Measured
    predictions: Path

    @property
    def mean(self) -> dict[str, float]:
        """The mean over the folds of each score."""
        return {name: statistics.fmean(fold.scores[name] for fold in self.folds) for name in self.folds[0].scores}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation over the folds (of a sample) of each score."""
        return {name: statistics.stdev(fold.scores[name] for fold in self.folds) for name in self.folds[0].scores}

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        return {
            "folds": [
                {"n_notes": fold.n_notes, "n_patients": fold.n_patients, "scores": dict(fold.scores)}
                for fold in self.folds
            ],
            "mean": self.mean,
            "std": self.std,
            "pooled": self.pooled.to_dict(),
        }


def cross_validate(
    config: TrainConfig, n_folds: int, *, resume: bool = False, tell: Tell | None = None
) -> CrossValidation:
    """Train one model a fold in `OUT/fold-1` and so on, each on the notes of all other folds.

    Patients are dealt into folds alike in size and labels. The best epoch of a fold is chosen on
    `dev`, or on patients held out of its training notes: never on the fold itself, whose score would
    be too good. A fold that is done is not run again; a killed one goes on from its checkpoint.
    Writes `OUT/predictions.jsonl`, each note as predicted by the model that did not see it, and
    `OUT/scores.json`.

    Raises:
        UsageError: There are fewer patients than folds, or `out` holds other runs.
        DataError: There are no notes with what is to be learned.
    """
    if n_folds < 2:
        raise UsageError(f"folds: two or more needed, got {n_folds}")
    notes = gold_notes(config, read_training(config))
    if not any(labels_of(config, note) for note in notes):
        raise DataError(f"{config.train[0]}: notes with something to learn needed, got none")
    folds = deal(notes, n_folds, config.seed, lambda note: labels_of(config, note))
    dev = [note for path in config.dev for note in read_notes(path)]
    given = _parts(config, notes, folds, dev)
    open_series(config, "folds.json", {"n_folds": n_folds, "notes": digest([*notes, *dev])}, resume=resume)
    say(tell, *unnamed_patients(notes))
    found: dict[str, Note] = {}
    counted: dict[str, NoteCounts] = {}  # not of notes that are a patient's history alone
    done: list[Fold] = []
    for at, parts in enumerate(given):
        apart = [note for note, fold in zip(notes, folds, strict=True) if fold == at]
        run = config.model_copy(update={"out": config.out / f"fold-{at + 1}"})
        predicted = run_part(run, parts, apart, f"fold {at + 1} of {n_folds}", tell)
        counts = count(config, apart, predicted, choice_of(run))
        found |= {note.note_id: note for note in predicted}
        counted |= {each.note_id: each for each in counts}
        done.append(Fold(len(apart), count_patients(apart), score(counts)))
    in_order = [counted[note.note_id] for note in notes if note.note_id in counted]
    return _kept(config, [found[note.note_id] for note in notes], in_order, done)


def _parts(config: TrainConfig, notes: Sequence[Note], folds: Sequence[int], dev: Sequence[Note]) -> list[Parts]:
    """Give the notes that each fold trains on and chooses its best epoch on, all before the first is trained.

    Raises:
        DataError: One of them would have nothing to learn, or no patient to hold out.
    """
    given: list[Parts] = []
    for at in range(max(folds) + 1):
        rest = [note for note, fold in zip(notes, folds, strict=True) if fold != at]
        parts = (rest, dev) if dev else hold_out(rest, config)
        if not any(labels_of(config, note) for note in parts[0]):
            raise DataError(
                f"fold {at + 1} of {max(folds) + 1}: training notes with something to learn needed, got none outside "
                "the fold; fewer folds, or more notes that are annotated"
            )
        given.append(parts)
    return given


def _kept(
    config: TrainConfig, found: Sequence[Note], counts: Sequence[NoteCounts], done: Sequence[Fold]
) -> CrossValidation:
    """Write the predictions of all folds in the order of the notes, and the scores by each fold's own thresholds."""
    file = config.out / PREDICTIONS
    pooled = measure(counts, Sampling(seed=config.seed))
    made = CrossValidation(tuple(done), pooled, predictions=file)
    if is_main():
        write_notes(found, file)
        write_whole(config.out / "scores.json", json.dumps(made.to_dict(), indent=1, ensure_ascii=False))
    return made
