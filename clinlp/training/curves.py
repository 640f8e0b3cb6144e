"""Learning curves: what more notes would bring."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from clinlp.data.splits import count_patients, nested
from clinlp.errors import UsageError
from clinlp.metrics.compare import Measured, measure
from clinlp.metrics.intervals import Sampling
from clinlp.models.store import write_whole
from clinlp.records import read_notes
from clinlp.training.config import TrainConfig
from clinlp.training.inputs import digest
from clinlp.training.parts import hold_out
from clinlp.training.runs import (
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

_MOST: Final = 10  # times as many epochs


@dataclass(frozen=True, slots=True)
class Point:
    """A model trained on a part of the notes, and its scores on dev.

    Attributes:
        n_marks: Spans or codes in the notes trained on.
    """

    share: float
    n_patients: int
    n_notes: int
    n_marks: int
    epochs: int
    scores: Measured

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        sizes = {name: getattr(self, name) for name in ("share", "n_patients", "n_notes", "n_marks", "epochs")}
        return sizes | {"dev": self.scores.to_dict()}


def learning_curve(
    config: TrainConfig, shares: Sequence[float], *, resume: bool = False, tell: Tell | None = None
) -> list[Point]:
    """Train a model on each share of the patients, in `OUT/share-0.1` and so on; give the scores on dev.

    The patients of a smaller part are among those of a larger one, and all are scored on the same dev
    notes. A smaller part is seen in more epochs (ten times as many at most), so that all models take
    about as many steps and the curve shows what notes bring, not what steps do. The best epoch is
    chosen on dev, so that the scores are a little too good at every size alike. Writes
    `OUT/curve.json`. A run that is done is not run again; a killed one goes on from its checkpoint.

    Raises:
        UsageError: A share is not above 0 and at most 1, or `out` holds other runs.
        DataError: There are too few patients to hold a dev part out.
    """
    if not shares or any(not 0 < share <= 1 for share in shares):
        wrong = next((share for share in shares if not 0 < share <= 1), "none")
        raise UsageError(f"learning curve: shares above 0 and at most 1 needed, got {wrong}")
    shares = sorted(set(shares))
    notes, dev = gold_notes(config, read_training(config)), [note for path in config.dev for note in read_notes(path)]
    if not dev:
        notes, dev = hold_out(notes, config)
    dev = gold_notes(config, dev)
    open_series(config, "shares.json", {"shares": list(shares), "notes": digest([*notes, *dev])}, resume=resume)
    points = []
    for share, part in zip(shares, nested(notes, shares, config.seed), strict=True):
        epochs = math.ceil(config.epochs * min(_MOST, shares[-1] / share))
        run = config.model_copy(update={"out": config.out / f"share-{share:g}", "epochs": epochs})
        predicted = run_part(run, (part, dev), dev, f"{share:g} of the patients", tell)
        scores = measure(count(config, dev, predicted, choice_of(run)), Sampling(seed=config.seed))
        n_marks = sum(len(labels_of(config, note)) for note in part)
        points.append(Point(share, count_patients(part), len(part), n_marks, epochs, scores))
    if is_main():
        write_whole(config.out / "curve.json", json.dumps([point.to_dict() for point in points], indent=1))
    return points
