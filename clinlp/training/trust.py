"""After a diagnoser's training: probabilities that can be believed, and thresholds, both from the dev notes.

The best model is read once more and its config is written again; its weights stay as they are. What is
done starts from the model as it was trained, so that doing it again changes nothing. TF-IDF, dictionary
and ensemble get the same as the network. What span taggers get is in `clinlp.training.confidence`; the
measures are the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import UsageError
from clinlp.inference.decision import Decision
from clinlp.inference.diagnosis import load_ranker
from clinlp.metrics.calibration import (
    Bin,
    Curve,
    Floats,
    calibration_error,
    fit_curve,
    fit_softmax_temperature,
    fit_temperature,
    reliability,
)
from clinlp.metrics.choice import Choice
from clinlp.metrics.thresholds import Way, choose, macro_f1, micro_f1
from clinlp.models.codes import CodesConfig
from clinlp.models.decision import DecisionConfig
from clinlp.models.store import read_config, write_whole
from clinlp.note import Note
from clinlp.training.confidence import ENOUGH

Calibration = Literal["temperature", "isotonic", "none"]
FLOOR: Final = 0.01
"""Codes less probable are left out: nobody reads them, and they are so many that they would hide the rest."""


class Graded(NamedTuple):
    """Dev notes in numbers: the probability of every code for every note, and which codes it has."""

    probabilities: Floats
    gold: NDArray[np.bool_]
    n_unknown: int  # gold codes that the model does not know, in all notes
    n_unknown_codes: int  # how many codes these are


@dataclass(frozen=True, slots=True)
class Trust:
    """What was fitted on dev, and what it brought there.

    Attributes:
        n_scores: Probabilities that calibration rests on: of a single code those of the first codes.
        error_before: Expected calibration error as the model was trained.
        bins_before: Reliability diagram as the model was trained.
    """

    n_scores: int
    temperature: float
    curve: Curve
    error_before: float
    error: float
    bins_before: tuple[Bin, ...]
    bins: tuple[Bin, ...]
    choice: Choice
    f1_before: float
    f1: float
    macro_f1: float

    def __str__(self) -> str:
        way = f"{len(self.curve)} points of a curve" if self.curve else f"temperature {self.temperature:g}"
        return (
            f"codes on dev: expected calibration error {100 * self.error_before:.1f} % before, "
            f"{100 * self.error:.1f} % after ({way}, {self.n_scores:,} probabilities); {self.choice}: "
            f"micro F1 {100 * self.f1_before:.2f} before, {100 * self.f1:.2f} after, on the notes that chose them"
        )


def settle_codes(
    folder: Path, dev: Sequence[Note], *, thresholds: Way, calibration: Calibration, raw: Floats | None = None
) -> Trust | None:
    """Fit what a model says to what is right on dev, and keep it in the model's folder.

    Args:
        folder: The model folder, of any kind; its `config.json` and `scores.json` are written again.
        dev: Notes with codes of the model's length.
        raw: `(note, code)`, what is fitted, where the model has seen the codes of dev: what fits that did not see a
            note say of it. NaN for a note without words.

    Returns:
        What was found; None where dev has too few codes to fit anything.
    """
    held = read_config(folder)
    if not isinstance(held, CodesConfig):
        raise UsageError(f"{folder}: a model of diagnoses needed, got one of {held.task}")
    if raw is None:
        raw = load_ranker(folder, precision="fp32").probabilities(dev)
    config = DecisionConfig(single=held.single)
    graded = grade(np.nan_to_num(raw, nan=0.0), held.codes, dev)
    made = None
    if int(graded.gold.sum()) >= ENOUGH:
        made = _settle(config, held.codes, graded, thresholds, calibration)
    _keep(folder, made)
    return made


def grade(found: Floats, codes: Sequence[str], notes: Sequence[Note]) -> Graded:
    """Put the probabilities of notes beside their gold codes."""
    at = {code: place for place, code in enumerate(codes)}
    gold, unknown = np.zeros((len(notes), len(at)), bool), Counter[str]()
    for row, note in zip(gold, notes, strict=True):
        for code in {diagnosis.code for diagnosis in note.diagnoses or ()}:
            if code in at:
                row[at[code]] = True
            else:
                unknown[code] += 1
    annotated = [note.diagnoses is not None for note in notes]  # others are read as a patient's history alone
    return Graded(found[annotated], gold[annotated], unknown.total(), len(unknown))


def _settle(config: DecisionConfig, codes: Sequence[str], graded: Graded, way: Way, calibration: Calibration) -> Trust:
    raw, gold, n_unknown, n_unknown_codes = graded
    before = _shown(raw, gold, config.single)
    error_before = error = calibration_error(*before)
    fitted, after, shown = config, raw, before
    if calibration != "none" and len(before[0]) >= ENOUGH:
        tried = config.model_copy(update=_fit(raw, gold, calibration, single=config.single))
        warm = Decision(tried, codes).calibrated(raw)
        warmed = _shown(warm, gold, config.single, of=raw)
        if (better := calibration_error(*warmed)) < error:
            fitted, after, shown, error = tried, warm, warmed, better
    choice = Choice(top=1)
    f1_before = f1 = micro_f1(raw, gold, codes, choice if config.single else Choice(), n_unknown=n_unknown)
    if not config.single:
        choice = choose(after, gold, codes, way, n_unknown=n_unknown)
        f1 = micro_f1(after, gold, codes, choice, n_unknown=n_unknown)
    return Trust(
        n_scores=len(before[0]),
        temperature=fitted.temperature,
        curve=fitted.curve,
        error_before=error_before,
        error=error,
        bins_before=tuple(reliability(*before)),
        bins=tuple(reliability(*shown)),
        choice=choice,
        f1_before=f1_before,
        f1=f1,
        macro_f1=macro_f1(after, gold, codes, choice, n_unknown=n_unknown_codes),
    )


def _shown(
    probabilities: Floats, gold: NDArray[np.bool_], single: bool, of: Floats | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Give the probabilities that a reader sees and whether each is right: of a single code those of the first codes.

    Args:
        of: Chooses them, if these were calibrated.
    """
    of = probabilities if of is None else of
    if single:
        rows, first = np.arange(len(of)), of.argmax(1)
        return probabilities[rows, first], gold[rows, first]
    seen = of >= FLOOR
    return probabilities[seen], gold[seen]


def _fit(raw: Floats, gold: NDArray[np.bool_], calibration: Calibration, *, single: bool) -> dict[str, Any]:
    """Fit a temperature or a curve."""
    if calibration == "isotonic":
        return {"curve": fit_curve(*_shown(raw, gold, False))}
    if single:
        known = gold.any(1)
        return {"temperature": round(fit_softmax_temperature(raw[known], gold[known].argmax(1)), 4)}
    return {"temperature": round(fit_temperature(*_shown(raw, gold, False)), 4)}


def _keep(best: Path, made: Trust | None) -> None:
    """Write what was found into the model's config and beside its scores."""
    config: dict[str, Any] = json.loads((best / "config.json").read_text("utf-8"))
    choice = Choice() if made is None else made.choice
    before = dict(config)
    config |= {
        "temperature": 1.0 if made is None else made.temperature,
        "curve": [] if made is None else made.curve,
        "threshold": choice.threshold,
        "thresholds": choice.thresholds,
        "top": None if config["single"] else choice.top,
        "sets": None,
    }
    config = json.loads(json.dumps(config))
    if all(before.get(name) == value for name, value in config.items() if name != "sets"):
        config["sets"] = before.get("sets")  # what they promise is promised of these very probabilities
    write_whole(best / "config.json", json.dumps(config, indent=1, ensure_ascii=False))
    if made is None:
        return
    scores: dict[str, Any] = json.loads((best / "scores.json").read_text("utf-8"))
    scores |= {
        "calibration_error_before": made.error_before,
        "calibration_error": made.error,
        "temperature": made.temperature,
        "reliability_before": [asdict(each) for each in made.bins_before],
        "reliability": [asdict(each) for each in made.bins],
        "f1_with_thresholds": made.f1,
        "macro_f1_with_thresholds": made.macro_f1,
    }
    write_whole(best / "scores.json", json.dumps(scores, indent=1))
