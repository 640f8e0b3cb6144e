"""Logistic regression of many codes over the same sparse features, all codes at once.

Each code is a problem of its own: half the square of its weights plus `strength` times its cross entropy; its bias is
not penalised. What scikit-learn's `LogisticRegression` finds for one code after the other is found here for all by
the same products of matrices, and codes that are done leave the rest alone.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_FEW: Final = 1500  # notes: so many give features of their own, fewer than theirs
_MOST_CELLS: Final = 1 << 20  # of a (note or feature, code) table: what is worked on stays in the caches
_LEAST_CODES: Final = 32  # of a block
_CLOSE: Final = (
    1e-2  # length of the slope of a solved code; its weights are off by no more, since the penalty bends by 1
)
_MOST_STEPS: Final = 300
_LINE_STEPS: Final = 6
_LEVEL: Final = 0.1  # of the slope along a line at its start: as little is level enough


class Design(Protocol):
    """The features of all notes, less their means, so that a bias is nearly at rest whatever the weights do."""

    @property
    def squares(self) -> Tensor:
        """`(feature,)`, the sum over notes of each feature's square."""

    def forward(self, weight: Tensor) -> Tensor:
        """Give `(note, code)` for `(feature, code)`."""

    def backward(self, slope: Tensor) -> Tensor:
        """Give `(feature, code)` for `(note, code)`."""


def fit_codes(values: Any, gold: NDArray[np.bool_], strength: float) -> tuple[Tensor, Tensor]:
    """Give the weights `(feature, code)` and biases `(code,)` of all codes.

    Args:
        values: `(note, feature)`, a sparse matrix of scipy.
        gold: `(note, code)`; a code that all notes have, or none, has no optimum and is the caller's to leave out.
        strength: What the cross entropy counts against the penalty.
    """
    n_notes, n_features = values.shape
    rows = _Sparse.of(values)
    few = n_notes <= min(_FEW, n_features)
    design: Design = _Dense.of(values) if few else rows
    weight = torch.zeros(n_features, gold.shape[1])
    bias = torch.zeros(gold.shape[1])
    size = max(_LEAST_CODES, _MOST_CELLS // max(n_notes, len(design.squares)))
    for begin in range(0, gold.shape[1], size):
        part = slice(begin, begin + size)
        found, rest = _solve(design, torch.from_numpy(gold[:, part]).float(), strength)
        if isinstance(design, _Dense):  # from its own features to those of the notes
            found = rows.backward(design.notes(found))
        weight[:, part], bias[part] = found, rest - rows.means @ found
    return weight, bias


@dataclass(frozen=True, slots=True)
class _Sparse:
    """Features as they are."""

    rows: Tensor  # (note, feature)
    columns: Tensor  # (feature, note)
    means: Tensor
    squares: Tensor

    @classmethod
    def of(cls, values: Any) -> _Sparse:
        means = torch.from_numpy(np.asarray(values.mean(0), np.float32).ravel())
        squares = torch.from_numpy(np.asarray(values.multiply(values).sum(0), np.float32).ravel())
        squares = (squares - values.shape[0] * means**2).clamp_min(0)
        return cls(_csr(values), _csr(values.T), means, squares)

    def forward(self, weight: Tensor) -> Tensor:
        return self.rows @ weight - self.means @ weight

    def backward(self, slope: Tensor) -> Tensor:
        return self.columns @ slope - self.means[:, None] * slope.sum(0)


@dataclass(frozen=True, slots=True)
class _Dense:
    """As many features as notes at most, in which the same weights are as long and say the same of every note.

    The best weights are a sum of the notes' features (the representer theorem), so all that counts of these are the
    products of notes with notes. The axes are the principal ones.
    """

    table: Tensor  # (note, axis)
    squares: Tensor

    @classmethod
    def of(cls, values: Any) -> _Dense:
        products = torch.from_numpy(np.asarray((values @ values.T).todense(), np.float64))
        products = products - products.mean(0) - products.mean(1, keepdim=True) + products.mean()
        squares, axes = torch.linalg.eigh(products)
        kept = squares > squares[-1].clamp_min(1e-12) * 1e-9
        squares, axes = squares[kept], axes[:, kept]
        return cls((axes * squares.sqrt()).float(), squares.float())

    def forward(self, weight: Tensor) -> Tensor:
        return self.table @ weight

    def backward(self, slope: Tensor) -> Tensor:
        return self.table.T @ slope

    def notes(self, weight: Tensor) -> Tensor:
        """Give how much of each note's features the weights are, `(note, code)`."""
        return self.table @ (weight / self.squares[:, None])


def _solve(design: Design, gold: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Solve a block of codes by conjugate gradients (Polak & Ribiere 1969), each code with steps of its own.

    The slope is divided by how the loss bends where all notes are as likely to have the code as they are on average.
    """
    n_notes, n_codes = gold.shape
    share = gold.mean(0)
    best_weight, best_bias = torch.zeros(len(design.squares), n_codes), torch.zeros(n_codes)
    open_codes = torch.arange(n_codes)
    bend = strength * share * (1 - share)
    scale = 1 / (1 + design.squares[:, None] * bend)
    state = _State(best_weight.clone(), torch.logit(share), torch.logit(share).expand(n_notes, -1).clone())
    slope, slope_bias = _slopes(design, gold, state, strength)
    steps, steps_bias = -scale * slope, -slope_bias / (bend * n_notes)
    for _ in range(_MOST_STEPS):
        done = ((slope**2).sum(0) + slope_bias**2).sqrt() <= _CLOSE
        if done.any() and (bool(done.all()) or 4 * int(done.sum()) >= len(done)):  # to drop them costs a copy of all
            best_weight[:, open_codes[done]], best_bias[open_codes[done]] = state.weight[:, done], state.bias[done]
            left = ~done
            open_codes, gold, bend, scale = open_codes[left], gold[:, left], bend[left], scale[:, left]
            state = _State(state.weight[:, left], state.bias[left], state.logits[:, left])
            slope, slope_bias = slope[:, left], slope_bias[left]
            steps, steps_bias = steps[:, left], steps_bias[left]
            if not len(open_codes):
                break
        size = _line(design.forward(steps) + steps_bias, (steps, steps_bias), state, gold, strength)
        before = (scale * slope**2).sum(0) + slope_bias**2 / (bend * n_notes)
        new, new_bias = _slopes(design, gold, state, strength)
        toward = (scale * new * (new - slope)).sum(0) + new_bias * (new_bias - slope_bias) / (bend * n_notes)
        turn = torch.where(size > 0, (toward / before.clamp_min(1e-30)).clamp_min(0), 0.0)
        slope, slope_bias = new, new_bias
        steps = turn * steps - scale * slope
        steps_bias = turn * steps_bias - slope_bias / (bend * n_notes)
        uphill = (steps * slope).sum(0) + steps_bias * slope_bias >= 0
        if uphill.any():
            steps[:, uphill] = (-scale * slope)[:, uphill]
            steps_bias[uphill] = (-slope_bias / (bend * n_notes))[uphill]
    best_weight[:, open_codes], best_bias[open_codes] = state.weight, state.bias
    return best_weight, best_bias


@dataclass(slots=True)
class _State:
    """Where the codes of a block are."""

    weight: Tensor  # (feature, code)
    bias: Tensor  # (code,)
    logits: Tensor  # (note, code)


def _slopes(design: Design, gold: Tensor, state: _State, strength: float) -> tuple[Tensor, Tensor]:
    """Give the slopes of weights and biases."""
    off = strength * (torch.sigmoid(state.logits) - gold)
    return state.weight + design.backward(off), off.sum(0)


def _line(along: Tensor, steps: tuple[Tensor, Tensor], state: _State, gold: Tensor, strength: float) -> Tensor:
    """Go down along the steps as far as it goes down, by Newton's method for each code; give how far.

    Args:
        along: `(note, code)`, what a whole step adds to the logits.
    """
    weight, bias = steps
    straight, square = (state.weight * weight).sum(0), (weight**2).sum(0)
    wanted = (gold * along).sum(0)
    size = torch.zeros(along.shape[1])
    low, high, first = torch.zeros_like(size), torch.full_like(size, torch.inf), size
    for step in range(_LINE_STEPS):
        held = torch.addcmul(state.logits, size, along).sigmoid_()
        pulled = torch.mul(held, along)
        slope = straight + size * square + strength * (pulled.sum(0) - wanted)
        bend = square + strength * pulled.mul_(along).mul_(held.neg_().add_(1)).sum(0)
        first = slope.abs() if not step else first
        if step and bool((slope.abs() <= _LEVEL * first).all()):
            break
        low, high = torch.where(slope < 0, size, low), torch.where(slope > 0, size, high)
        tried = size - slope / bend.clamp_min(1e-30)
        middle = torch.where(high.isinf(), 2 * low + 1, (low + high) / 2)
        size = torch.where((tried > low) & (tried < high), tried, middle)
    state.weight.addcmul_(size, weight)
    state.bias += size * bias
    state.logits.addcmul_(size, along)
    return size


def _csr(values: Any) -> Tensor:
    """Give a sparse matrix as torch has it."""
    held = values.tocsr()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(
            torch.from_numpy(held.indptr.astype(np.int64)),
            torch.from_numpy(held.indices.astype(np.int64)),
            torch.from_numpy(held.data.astype(np.float32)),
            held.shape,
            check_invariants=False,
        )
