"""Span scorers: every stretch of pieces is scored for every label, so that entities may nest and overlap.

Scores are kept as a band: a span of pieces `[start, start + reach]` has the cell `[start, reach]`, for
`reach < max_width`. What would lie under the diagonal of a square has no cell, and memory grows with
`label * piece * max_width`, never with the square of the window.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

IMPOSSIBLE: Final = -1e4  # the score of a span that runs into padding: finite, so that no gradient is inf - inf
_PRIOR: Final = -4.0  # most stretches are no entity: a fresh model finds next to nothing, not half of them
_SIZE: Final = 64  # of the vectors whose products are scores


class PointerScorer(nn.Module):
    """Efficient Global Pointer: one rotary product says what is an entity, biases of both ends say of which label.

    Unlike the paper's, the biases are read from the encoder's states themselves, and the states are
    normed first: those of an LSTM are so small that products of them would hardly learn.

    Source: Su et al. (2022), arXiv 2208.03054, section 3.3; rotary positions: Su et al. (2021), arXiv
    2104.09864.
    """

    def __init__(self, width: int, n_labels: int, max_width: int) -> None:
        super().__init__()
        self.max_width = max_width
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 2 * _SIZE)
        self.ends = nn.Linear(width, 2 * n_labels)
        nn.init.constant_(self.ends.bias, _PRIOR / 2)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Score every span for every label.

        Args:
            hidden: `(window, piece, hidden)`.
            mask: `(window, piece)`, bool, True where a piece is real; padding is at the end.

        Returns:
            `(window, label, start, reach)`, in float32 whatever comes in; `IMPOSSIBLE` where a span is none.
        """
        hidden = self.norm(hidden)
        queries, keys = self.project(hidden).float().chunk(2, 2)
        firsts, lasts = self.ends(hidden).float().transpose(1, 2).chunk(2, 1)  # (window, label, piece)
        width = min(self.max_width, mask.shape[1])
        with torch.autocast(hidden.device.type, enabled=False):
            product = banded_product(_rotated(queries), _rotated(keys), width) / _SIZE**0.5
        scores = product[:, None] + firsts[..., None] + _ahead(lasts, width)
        return _masked(scores, mask)


class BiaffineScorer(nn.Module):
    """A biaffine product of a span's first and last piece for each label.

    The paper chooses one label a span by a softmax; here each label has a say of its own, so that two
    labels may share both borders.

    Source: Yu, Bohnet & Poesio (2020), ACL, "Named Entity Recognition as Dependency Parsing", section 3.
    """

    def __init__(self, width: int, n_labels: int, max_width: int) -> None:
        super().__init__()
        self.max_width = max_width
        self.norm = nn.LayerNorm(width)
        self.firsts = nn.Sequential(nn.Linear(width, _SIZE), nn.GELU())
        self.lasts = nn.Sequential(nn.Linear(width, _SIZE), nn.GELU())
        self.products = nn.Parameter(torch.zeros(n_labels, _SIZE, _SIZE))
        self.first_ends = nn.Linear(_SIZE, n_labels)
        self.last_ends = nn.Linear(_SIZE, n_labels, bias=False)
        nn.init.constant_(self.first_ends.bias, _PRIOR)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Score every span for every label, as `PointerScorer.forward` does."""
        hidden = self.norm(hidden)
        firsts, lasts = self.firsts(hidden), self.lasts(hidden)
        first_ends = self.first_ends(firsts).float().transpose(1, 2)
        last_ends = self.last_ends(lasts).float().transpose(1, 2)
        width = min(self.max_width, mask.shape[1])
        with torch.autocast(hidden.device.type, enabled=False):
            firsts, lasts = firsts.float(), lasts.float()
            # One label at a time: the product of all would need twice the band of all while it is cut out.
            bands = [banded_product(firsts @ product, lasts, width) for product in self.products.float()]
        scores = torch.stack(bands, 1) + first_ends[..., None] + _ahead(last_ends, width)
        return _masked(scores, mask)


def span_loss(scores: Tensor, spans: Tensor) -> Tensor:
    """Sum over windows and labels the loss that parts gold spans from all others at a score of 0.

    `log(1 + sum over others of e^score) + log(1 + sum over gold of e^-score)`: a softmax with a class
    zero on either side, so the many stretches that are no entity need no weight.

    Source: Su et al. (2022), arXiv 2208.03054, section 3.4; arXiv 2208.02955 (ZLPR).

    Args:
        scores: `(window, label, start, reach)`, float32.
        spans: `(span, 4)`, int64: window, label, start and reach of each gold span, none twice.

    Returns:
        A scalar.
    """
    n_windows, n_labels = scores.shape[:2]
    cells = spans.unbind(1)
    others = scores.index_put(cells, scores.new_tensor(IMPOSSIBLE))
    above = nn.functional.softplus(torch.logsumexp(others.flatten(2), 2)).sum()
    below = -scores[cells]
    group = cells[0] * n_labels + cells[1]
    # log(1 + sum of e^below) of each group, against the greatest of its terms so that none overflows
    top = scores.new_zeros(n_windows * n_labels).scatter_reduce(0, group, below.detach(), "amax")
    total = torch.exp(-top).index_add(0, group, torch.exp(below - top[group]))
    return above + (torch.log(total) + top).sum()


def find_spans(scores: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Give the spans that are as probable as their label needs.

    Args:
        scores: `(window, label, start, reach)`.
        thresholds: `(label,)`, 0 to 1.

    Returns:
        Window, label, start and reach of each, `(span, 4)`, int64, in this order; and the probabilities `(span,)`.
    """
    near = torch.logit(thresholds.to(scores), eps=1e-6) - 1e-3  # rounding is left to the second look
    cells = (scores >= near[:, None, None]).nonzero()
    probable = torch.sigmoid(scores[cells.unbind(1)])
    enough = probable >= thresholds.to(probable)[cells[:, 1]]
    return cells[enough], probable[enough]


def banded_product(queries: Tensor, keys: Tensor, width: int) -> Tensor:
    """Multiply every query with its own key and the `width - 1` keys after it.

    Computed in blocks of `width` queries against two blocks of keys: twice the band, whatever the length.

    Args:
        queries: `(window, piece, size)`.
        keys: The same shape; keys after the last are 0.

    Returns:
        `(window, piece, width)`: `[w, i, d]` is the product of query `i` and key `i + d`.
    """
    n_windows, n_pieces, size = queries.shape
    n_blocks = -(-n_pieces // width)
    rest = n_blocks * width - n_pieces
    queries = nn.functional.pad(queries, (0, 0, 0, rest)).reshape(n_windows, n_blocks, width, size)
    keys = nn.functional.pad(keys, (0, 0, 0, rest + width)).reshape(n_windows, n_blocks + 1, width, size)
    square = queries @ torch.cat([keys[:, :-1], keys[:, 1:]], 2).transpose(2, 3)  # (window, block, width, 2 width)
    # Read with rows one longer, each row starts one further to the right: at its own key.
    sheared = nn.functional.pad(square.flatten(2), (0, width)).reshape(n_windows, n_blocks, width, 2 * width + 1)
    return sheared[..., :width].flatten(1, 2)[:, :n_pieces]


def _ahead(values: Tensor, width: int) -> Tensor:
    """Say for each piece what the pieces from it on have: `(..., piece)` to `(..., piece, width)`."""
    return nn.functional.pad(values, (0, width - 1)).unfold(-1, width, 1)


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    """Rule out the spans that run into padding or past the window."""
    starts = torch.arange(scores.shape[2], device=scores.device)
    reaches = torch.arange(scores.shape[3], device=scores.device)
    real = starts[:, None] + reaches < mask.sum(1)[:, None, None]
    return scores.masked_fill(~real[:, None], IMPOSSIBLE)


def _rotated(vectors: Tensor) -> Tensor:
    """Turn each pair of numbers by an angle that grows with the piece's place: products then know distances."""
    n_pieces, size = vectors.shape[1:]
    places = torch.arange(n_pieces, device=vectors.device, dtype=torch.float32)
    speeds = 10_000.0 ** (-torch.arange(0, size, 2, device=vectors.device, dtype=torch.float32) / size)
    angles = places[:, None] * speeds
    sine, cosine = angles.sin(), angles.cos()
    even, odd = vectors[..., 0::2], vectors[..., 1::2]
    return torch.cat([even * cosine - odd * sine, odd * cosine + even * sine], 2)
