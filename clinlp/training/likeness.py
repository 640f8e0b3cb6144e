"""Fit how far the likeness of a note to a code's name can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from clinlp.data.likeness import NameUnits
from clinlp.models.baselines import Likeness, LikenessConfig
from clinlp.models.codes import CodesConfig
from clinlp.note import Note
from clinlp.training.baselines import targets

_MOST_PAIRS: Final = 4_000_000  # of a note and a code: enough for four numbers
_FEW: Final = 0.1  # notes that a code without any counts as


def fit_likeness(notes: Sequence[Note], shape: CodesConfig, units: NameUnits) -> Likeness:
    """Fit the weight of a share, of its square and of how usual a code is, on the training notes.

    How usual a code is is counted without the note itself, which else would tell of every rare code that it has.
    """
    notes = [note for note in notes if any(map(str.isalnum, note.text))]
    gold = targets(notes, shape.codes, shape.code_length)
    n, counts = len(notes), gold.sum(0)
    model = Likeness(LikenessConfig(**shape.model_dump(exclude={"model"})))
    model.usual = torch.from_numpy(_log_odds(counts.astype(np.float64), n).astype(np.float32))
    rows = np.flatnonzero(gold.any(1)) if shape.single else np.arange(n)
    rows = rows[:: max(1, -(-len(rows) * len(shape.codes) // _MOST_PAIRS))]
    if not len(rows) or not gold[rows].any():
        model.weight = torch.tensor([0.0, 0.0, 1.0, 0.0])
        return model
    shares = torch.from_numpy(np.stack([units(notes[row], len(shape.codes))[0] for row in rows])).double()
    wanted = torch.from_numpy(gold[rows])
    usual = torch.from_numpy(_log_odds(counts - gold[rows].astype(np.float64), max(1, n - 1)))
    weight = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        logits = weight[0] * shares + weight[1] * shares**2 + weight[2] * usual + weight[3]
        if shape.single:
            found = -torch.log_softmax(logits, 1)[wanted].mean()
        else:
            found = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted.double())
        found = found + 1e-6 * (weight**2).sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    search.step(loss)  # type: ignore[no-untyped-call]
    model.weight = weight.detach().float()
    return model


def _log_odds(
    counts: np.ndarray[tuple[int, ...], np.dtype[np.float64]], n: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    share = (counts + _FEW) / (n + 2 * _FEW)
    return np.asarray(np.log(share) - np.log1p(-np.minimum(share, 1 - 1e-6)), np.float64)
