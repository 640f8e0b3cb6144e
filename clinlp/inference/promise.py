"""A diagnoser's prediction sets: chosen on calibration notes, kept in the model's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clinlp.data.patients import next_codes
from clinlp.errors import DataError, UsageError
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.sets import calibrate_sets, members
from clinlp.models.decision import SetMethod, SetsConfig
from clinlp.models.store import BUNDLED, find_model, write_whole
from clinlp.note import Note


@dataclass(frozen=True, slots=True)
class Promise:
    """Prediction sets, and how large those of the calibration notes are.

    Attributes:
        sizes: `(note,)`, of the notes that have codes.
        n_silent: Notes that have codes and of which the model says nothing, for they hold no word: they get no set.
    """

    sets: SetsConfig
    sizes: NDArray[np.intp]
    n_silent: int = 0


def promise_sets(
    model: str | Path,
    notes: Sequence[Note],
    *,
    alpha: float,
    confidence: float | None = None,
    method: SetMethod | None = None,
    out: Path | None = None,
) -> Promise:
    """Choose prediction sets that miss no more than `alpha`, and write them into the model's config.

    Args:
        notes: Calibration notes with gold codes; neither trained on, nor used to choose the best epoch.
        method: `aps` or `lac` for a model of a single code, `share` for the others.
        out: A new folder for a copy of the model; else its own folder gets them.

    Raises:
        UsageError: The model predicts something else, the method does not fit it, or `out` is there.
        DataError: The notes are too few to promise it, or the model does not know too many of their codes.
    """
    folder = find_model(model)
    if out is None and folder.resolve().is_relative_to(BUNDLED.resolve()):
        raise UsageError(f"{model}: a folder for the calibrated copy needed (-o), for it ships with the package")
    if out is not None and out.exists():
        raise UsageError(f"{out}: a new folder needed, got one that is there")
    predictor = DiagnosisPredictor.load(folder)
    config = predictor.config
    way = method or ("aps" if config.single else "share")
    if (way == "share") == config.single:
        kinds = "aps or lac" if config.single else "share"
        raise UsageError(f"{model}: method {kinds} needed for its codes, got {way}")
    asked = next_codes(notes) if predictor.ahead else list(notes)
    if not predictor.whole_patients:  # who reads patients needs notes without codes too
        asked = [note for note in asked if note.diagnoses]
    rows = [row for row, note in enumerate(asked) if note.diagnoses]
    if not rows:
        raise DataError("calibrate-codes: notes with codes needed, got none")
    at = {code: place for place, code in enumerate(predictor.codes)}
    known = [{diagnosis.code[: config.code_length] for diagnosis in asked[row].diagnoses or ()} for row in rows]
    gold = [[at.get(code, -1) for code in codes] for codes in known]
    probabilities = predictor.probabilities(asked)[rows]
    heard = np.asarray(
        probabilities.any(1), bool
    )  # nothing is said of a note without words: no set, and nothing that one could cover
    if not heard.any():
        raise DataError("calibrate-codes: notes with words needed, got none")
    probabilities, gold = (
        probabilities[heard],
        [codes for codes, said in zip(gold, heard.tolist(), strict=True) if said],
    )
    sets = calibrate_sets(probabilities, gold, way, alpha=alpha, confidence=confidence)
    if out is not None:
        shutil.copytree(folder, out)
    _keep(out or folder, sets)
    return Promise(sets, members(probabilities, way, sets.least).sum(1), int((~heard).sum()))


def _keep(folder: Path, sets: SetsConfig) -> None:
    """Write sets into a model's config.

    Raises:
        UsageError: It cannot be written.
    """
    path = folder / "config.json"
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    try:
        write_whole(path, json.dumps(config | {"sets": sets.model_dump()}, indent=1, ensure_ascii=False))
    except OSError as error:
        raise UsageError(f"{path}: a file that can be written needed, got {error.strerror}; or give -o") from None
