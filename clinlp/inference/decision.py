"""From the probabilities of a model to codes: calibration, thresholds, prediction sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clinlp.inference.sets import members
from clinlp.metrics.calibration import Floats, read_off, softened, tempered
from clinlp.metrics.choice import Choice
from clinlp.models.decision import DecisionConfig

_LEAST = 1e-12  # probability of a code; thousands are far less probable than one in a million


class Decision:
    """Does what a model's config says, with rows of probabilities from wherever."""

    def __init__(self, config: DecisionConfig, codes: Sequence[str]) -> None:
        self.config = config
        self.least = np.array([config.thresholds.get(code, config.threshold) for code in codes], np.float64)

    def calibrated(self, probabilities: NDArray[np.floating]) -> Floats:
        """Give calibrated probabilities, `(note, code)`; no two change places, but some may become one.

        Args:
            probabilities: `(note, code)`, as the model gives them.
        """
        return np.clip(read_off(self.warmed(probabilities), self.config.curve), 0.0, 1.0)

    def warmed(self, probabilities: NDArray[np.floating]) -> Floats:
        """Give probabilities at the model's temperature, which makes no two of them one as a curve may."""
        given, temperature = probabilities.astype(np.float64), self.config.temperature
        return softened(given, temperature) if self.config.single else tempered(given, temperature, least=_LEAST)

    def chosen(self, ranked: NDArray[np.intp], calibrated: Floats, top: int | None = None) -> NDArray[np.intp]:
        """Give the codes of one note, the most probable first.

        Args:
            ranked: `(code,)`, all codes in their order.
            calibrated: `(code,)`, by number.
            top: So many, whatever their probability and the config's way.
        """
        top = top or (1 if self.config.single else self.config.top)
        enough: NDArray[np.bool_] = calibrated[ranked] >= self.least[ranked]
        return ranked[:top] if top else ranked[enough]

    def set_of(self, ranked: NDArray[np.intp], calibrated: Floats) -> NDArray[np.intp]:
        """Give the prediction set of one note, the most probable code first; the config must have sets."""
        if self.config.sets is None:
            raise ValueError("sets: a model of `clinlp calibrate-codes` needed, got one without")
        inside = members(calibrated[None], self.config.sets.method, self.config.sets.least)[0]
        chosen: NDArray[np.intp] = ranked[inside[ranked]]
        return chosen


def choice(config: DecisionConfig) -> Choice:
    """Say the same of the predictions of notes."""
    return Choice(config.threshold, config.thresholds, 1 if config.single else config.top)
