"""After training: scores of spans that can be believed, and thresholds of labels, both from the dev notes.

The best model is scored once more and its config is written again; its weights stay as they are. What
is done starts from the model as it was trained, so that doing it again changes nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from clinlp.data.partial import only_annotated
from clinlp.inference.entities import EntityPredictor
from clinlp.metrics.calibration import (
    Outcomes,
    best_threshold,
    calibration_error,
    fit_line,
    outcomes,
    tempered,
)
from clinlp.metrics.entities import score_entities
from clinlp.models.store import write_whole
from clinlp.models.tagger import Tagger
from clinlp.note import Note

ENOUGH: Final = 20
"""Found spans that a calibration needs, and gold spans that a label needs for a threshold of its own."""
_HIGH: Final = 0.1
"""Calibration error from which a user should not filter by score."""
_FLOOR: Final = 0.05  # the least threshold that is tried, of a head that scores spans


@dataclass(frozen=True, slots=True)
class Confidence:
    """What was fitted on dev, and what it brought there."""

    n_spans: int  # found ones
    temperature: float
    offset: float
    error_before: float  # expected calibration error
    error: float
    thresholds: dict[str, float] = field(default_factory=dict)
    f1_before: float | None = None  # strict; of thresholds that were looked for
    f1: float | None = None

    @property
    def says_much(self) -> bool:
        """Whether there were spans enough to fit anything."""
        return self.n_spans >= ENOUGH

    def __str__(self) -> str:
        said = (
            f"confidence on dev: expected calibration error {100 * self.error_before:.1f} % before, "
            f"{100 * self.error:.1f} % after (temperature {self.temperature:g}, offset {self.offset:g}, "
            f"{self.n_spans:,} found spans)"
        )
        if self.error > _HIGH:
            said += "; scores of this model say little"
        if self.f1_before is None or self.f1 is None:
            return said
        if not self.thresholds:
            return f"{said}; no threshold raises F1"
        chosen = ", ".join(f"{label} {least:g}" for label, least in self.thresholds.items())
        return f"{said}; thresholds {chosen}: F1 {100 * self.f1_before:.2f} before, {100 * self.f1:.2f} after"


def calibrate(
    best: Path, dev: Sequence[Note], *, tune: bool = False, annotated: str | None = None
) -> Confidence | None:
    """Fit what the best model of a run says to what is right on dev, and keep it in the model's folder.

    Args:
        best: The model folder; its `config.json` and `scores.json` are written again.
        tune: Whether labels get thresholds for the best F1.
        annotated: Column of dev that names the labels with which a note was annotated.

    Returns:
        What was found; None where the model finds no span.
    """
    predictor = EntityPredictor.load(best, precision="fp32")
    tagger = predictor.tagger
    tagger.config = tagger.config.model_copy(update={"temperature": 1.0, "offset": 0.0, "thresholds": {}})

    def find() -> list[Note]:
        return only_annotated(predictor(dev), dev, annotated)

    found = find()
    held = outcomes(dev, found)
    if not len(held):
        return None
    thresholds: dict[str, float] = {}
    before = after = None
    if tune:
        before = after = score_entities(dev, found).micro.f1
        chosen = _thresholds(tagger, dev, find)
        tagger.config = tagger.config.model_copy(update={"thresholds": chosen})
        better = find()
        f1 = score_entities(dev, better).micro.f1
        if f1 > before:  # labels are chosen one by one: together they may bring less
            after, thresholds, held = f1, chosen, outcomes(dev, better)
    temperature, offset, error_before = _line(held)
    error = calibration_error(tempered(held.scores, temperature, offset), held.right)
    labels, least = list(thresholds), np.array(list(thresholds.values()), np.float64)
    thresholds = dict(zip(labels, tempered(least, temperature, offset).tolist(), strict=True))
    made = Confidence(len(held), temperature, offset, error_before, error, thresholds, before, after)
    _keep(best, made)
    return made


def _line(held: Outcomes) -> tuple[float, float, float]:
    """Fit temperature and offset, 1 and 0 where spans are few or they bring nothing; and give the error without."""
    error = calibration_error(held.scores, held.right)
    if len(held) < ENOUGH:
        return 1.0, 0.0, error
    temperature, offset = (round(value, 4) for value in fit_line(held.scores, held.right))
    better = calibration_error(tempered(held.scores, temperature, offset), held.right) < error
    return (temperature, offset, error) if better else (1.0, 0.0, error)


def _thresholds(tagger: Tagger, dev: Sequence[Note], find: Callable[[], list[Note]]) -> dict[str, float]:
    """Choose the threshold of each label that dev has often enough; those that stay as they are are left out."""
    labels, spans = tagger.config.labels, tagger.config.scores_spans
    usual = 0.5 if spans else 0.0
    update = {"thresholds": dict.fromkeys(labels, _FLOOR) if spans else {}}
    tagger.config = tagger.config.model_copy(update=update)
    held: Outcomes = outcomes(dev, find())
    chosen = {}
    for label in labels:
        of_label = np.array([each == label for each in held.labels], bool)
        n_gold = held.n_gold.get(label, 0)
        if n_gold >= ENOUGH:
            least = best_threshold(held.scores[of_label], held.right[of_label], n_gold, usual)
            if least != usual:
                chosen[label] = least
    return chosen


def _keep(best: Path, made: Confidence) -> None:
    """Write what was found into the model's config and beside its scores."""
    config: dict[str, Any] = json.loads((best / "config.json").read_text("utf-8"))
    config |= {"temperature": made.temperature, "offset": made.offset, "thresholds": made.thresholds}
    write_whole(best / "config.json", json.dumps(config, indent=1, ensure_ascii=False))
    scores: dict[str, float] = json.loads((best / "scores.json").read_text("utf-8"))
    scores |= {
        "calibration_error_before": made.error_before,
        "calibration_error": made.error,
        "temperature": made.temperature,
        "offset": made.offset,
    }
    if made.f1 is not None and not math.isnan(made.f1):
        scores["f1_with_thresholds"] = made.f1
    write_whole(best / "scores.json", json.dumps(scores, indent=1))
