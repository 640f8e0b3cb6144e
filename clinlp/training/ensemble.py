"""The ensemble of a run: which models of other runs it may join, what each model weighs, and what all say together."""

from __future__ import annotations

import numpy as np
import torch

from clinlp.errors import UsageError
from clinlp.models.baselines import Ensemble, EnsembleConfig, evidence
from clinlp.models.codes import CodesConfig
from clinlp.models.store import read_config
from clinlp.training.baselines import Bools, Floats, fit_weights
from clinlp.training.config import DiagnosisConfig


def check_joined(config: DiagnosisConfig, codes: tuple[str, ...]) -> None:
    """See that the models of other runs can be weighed beside this one, before it is trained.

    Args:
        codes: What this run learns.

    Raises:
        UsageError: One is no model of the same codes, or an ensemble itself.
    """
    needed = CodesConfig(
        codes=codes, code_length=config.code_length, single=config.single, target=config.patients or "same"
    )
    for folder in config.join:
        held = read_config(folder)
        if not isinstance(held, CodesConfig) or isinstance(held, EnsembleConfig):
            kind = "an ensemble" if isinstance(held, EnsembleConfig) else f"one of {held.task}"
            raise UsageError(f"join: {folder}: a network or TF-IDF of diagnoses needed, got {kind}")
        for name in ("codes", "code_length", "single", "target"):
            if getattr(held, name) != getattr(needed, name):
                raise UsageError(f"join: {folder}: the {name} of this run needed, got others")


def weigh(said: Floats, gold: Bools, config: EnsembleConfig) -> Ensemble:
    """Fit an ensemble on dev notes; those that a member says nothing of are left out.

    Args:
        said: `(member, note, code)`, what each member says at its own temperature; NaN where it says nothing.
        gold: `(note, code)`.
    """
    rows = _of_all(said)
    stacked = said[:, rows]
    model = Ensemble(config).double()
    weight, bias = fit_weights(stacked, gold[rows], single=config.single)
    model.weight, model.bias = torch.from_numpy(weight), torch.tensor(bias, dtype=torch.float64)
    if rows.any():
        model.usual = evidence(torch.from_numpy(stacked), single=config.single).mean((1, 2))
    return model


def predict_apart(said: Floats, gold: Bools, folds: np.ndarray, config: EnsembleConfig) -> Floats:
    """Give what ensembles say that did not see the note, `(note, code)`; NaN where a member says nothing.

    Args:
        said: As `weigh` takes it.
        gold: `(note, code)`.
        folds: `(note,)`, the fold of each; with a single one, of one patient say, there is nothing to hold apart.
    """
    found = np.full(gold.shape, np.nan)
    for fold in range(folds.max() + 1):
        apart = folds == fold
        seen = apart if apart.all() else ~apart
        held = torch.from_numpy(np.nan_to_num(said[:, apart], nan=0.5))
        found[apart] = weigh(said[:, seen], gold[seen], config).predict(held).numpy()
    found[~_of_all(said)] = np.nan
    return found


def _of_all(said: Floats) -> Bools:
    """Say of which notes all members say something, `(note,)`."""
    return np.asarray(np.isfinite(said).all((0, 2)), bool)
