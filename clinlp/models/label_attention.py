"""One attention per code over the pieces of a note.

Source: Vu, Nguyen & Nguyen (2020), LAAT, arXiv 2007.06351, section 3.3; after Mullenbach et al.
(2018), CAML, arXiv 1802.05695.

What it costs: every table of `(note, piece, code)` has 4 bytes a cell. For 10,000 codes and a batch of
two notes of 8,000 pieces that is 10,000 x 16,000 x 4 = 640 MB, and a step holds six of them at its
peak (attention, values, the gradients of both, the softmax's and the mask's): 3.8 GB, which grows with
codes and pieces. `score` therefore works through the codes in groups of at most 2^26 cells
(268 MB a table, 1.6 GB at the peak, however many codes there are), keeps no table between
them, and computes each again when its gradient is asked for. What stays is `(note, piece, inner + hidden)`,
16,000 x (128 + 400) x 4 = 34 MB, and `(code, inner + hidden)` with gradient and two moments,
10,000 x 528 x 4 x 4 = 84 MB. So the whole step takes less than 2 GB above the encoder's own, of 24 GB.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_MOST_CELLS: Final = 1 << 26  # of a (note, piece, code) table that is held at once
_NEAR_CELLS: Final = 1 << 18  # of a (code, piece) table that stays in a core's cache from one pass to the next


class LabelAttention(nn.Module):
    """Gives every code a view of the note of its own, and its logit from that view.

    Where codes have names, a code's query and the weights that read its view are the sum of what its
    name says, by weights that all codes share, and of what is its own: codes of like names start
    alike, and what is learned of one serves the others, the rarest most.

    Attributes:
        names: `(code, name)`, the embedding of each code's name; zero without one. None: no names.
    """

    names: Tensor | None

    def __init__(self, width: int, n_codes: int, inner: int = 128, name_width: int = 0) -> None:
        super().__init__()
        self.project = nn.Linear(width, inner, bias=False)
        self.queries = nn.Linear(inner, n_codes, bias=False)
        self.read = nn.Parameter(torch.empty(n_codes, width))
        self.bias = nn.Parameter(torch.full((n_codes,), -3.0))  # codes are rare: start near "none"
        nn.init.xavier_uniform_(self.read)
        nn.init.xavier_uniform_(self.queries.weight)
        self.most_cells = _MOST_CELLS
        self.register_buffer("names", torch.zeros(n_codes, name_width) if name_width else None)
        if name_width:
            self.name_queries = nn.Linear(name_width, inner, bias=False)
            self.name_read = nn.Linear(name_width, width, bias=False)
            # A name of length 1 then gives a query as long as one of no name would be.
            nn.init.normal_(self.name_queries.weight, std=(2 / (inner + n_codes)) ** 0.5)
            nn.init.normal_(self.name_read.weight, std=(2 / (width + n_codes)) ** 0.5)

    def start_from(self, names: Tensor) -> None:
        """Take the names of the codes; what is a named code's own starts at zero.

        Args:
            names: `(code, name)`; a row of zeros is a code without a name, which starts at random.
        """
        if self.names is None:
            raise ValueError("names: an attention that was made for names needed, got one without")
        self.names.copy_(names)
        named = names.any(1)
        with torch.no_grad():
            self.queries.weight[named] = 0.0
            self.read[named] = 0.0

    def forward(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Score every code for every note, and say where each looked.

        Args:
            hidden: `(note, piece, hidden)`.
            mask: `(note, piece)`, bool, True where a piece is real.

        Returns:
            Logits `(note, code)` and attention `(note, code, piece)`, whose rows sum to 1.
        """
        queries, read = self._weights()
        logits, attention = _attend(self.keys(hidden), hidden, mask, queries, read)
        return logits + self.bias, attention.transpose(1, 2)

    def score(self, hidden: Tensor, mask: Tensor, keys: Tensor | None = None) -> Tensor:
        """Give the logits of `forward` alone, in memory that does not grow with the number of codes.

        Args:
            keys: What `keys` gives for `hidden`, where it is known already.
        """
        keys = self.keys(hidden) if keys is None else keys
        queries, read = self._weights()
        if hidden.device.type == "cpu" and not torch.is_grad_enabled() and hidden.dtype == queries.dtype == keys.dtype:
            notes = zip(keys, hidden, mask, strict=True)
            return torch.stack([_logits_of(k[real], h[real], queries, read) for k, h, real in notes]) + self.bias
        size = max(1, self.most_cells // max(1, mask.numel()))
        if size >= len(queries):
            return _logits(keys, hidden, mask, queries, read) + self.bias
        groups = zip(torch.split(queries, size), torch.split(read, size), strict=True)
        if not torch.is_grad_enabled():
            return torch.cat([_logits(keys, hidden, mask, *group) for group in groups], 1) + self.bias
        # Nothing of a group is random, so there is no random state to keep.
        parts = [
            checkpoint(_logits, keys, hidden, mask, *group, use_reentrant=False, preserve_rng_state=False)
            for group in groups
        ]
        return torch.cat(parts, 1) + self.bias

    def keys(self, hidden: Tensor) -> Tensor:
        """Give what queries are held against, `(..., inner)`: far smaller than the attention of all codes."""
        return torch.tanh(self.project(hidden))

    def looks(self, keys: Tensor, codes: Tensor) -> Tensor:
        """Give the attention of some codes over one note, `(code, piece)`.

        Args:
            keys: `(piece, inner)`, of that note.
            codes: `(code,)`, int64.
        """
        queries, _ = self._weights()
        return torch.softmax(nn.functional.linear(keys, queries[codes].to(keys.dtype)).float(), 0).T

    def _weights(self) -> tuple[Tensor, Tensor]:
        """The query of each code, `(code, inner)`, and what reads its view, `(code, hidden)`."""
        if self.names is None:
            return self.queries.weight, self.read
        return self.queries.weight + self.name_queries(self.names), self.read + self.name_read(self.names)


def _logits(keys: Tensor, hidden: Tensor, mask: Tensor, queries: Tensor, read: Tensor) -> Tensor:
    return _attend(keys, hidden, mask, queries, read)[0]


def _logits_of(keys: Tensor, hidden: Tensor, queries: Tensor, read: Tensor) -> Tensor:
    """Give the logits of some codes for one note, `(code,)`, without their bias, by tables that a cache can hold.

    Args:
        keys: `(piece, inner)`.
        hidden: `(piece, hidden)`.
    """
    size = max(16, _NEAR_CELLS // max(1, len(hidden)))
    logits = []
    for some, reads in zip(torch.split(queries, size), torch.split(read, size), strict=True):
        scores = (some @ keys.T).float()
        attention = scores.sub_(scores.amax(1, keepdim=True)).exp_()
        logits.append(((attention @ hidden.float()) * reads).sum(1) / attention.sum(1))
    return torch.cat(logits)


def _attend(keys: Tensor, hidden: Tensor, mask: Tensor, queries: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
    """Give the logits of some codes, `(note, code)`, without their bias, and attention, `(note, piece, code)`."""
    # Everything stays in (note, piece, code): the layout in which both products come out. Since the
    # dot product with `read` commutes with the weighted sum, no (note, code, hidden) view is built.
    scores = nn.functional.linear(keys, queries.to(keys.dtype)).float()
    scores = scores.masked_fill(~mask[:, :, None], torch.finfo(scores.dtype).min)
    attention = torch.softmax(scores, 1)
    values = nn.functional.linear(hidden, read.to(hidden.dtype)).float()
    return (attention * values).sum(1), attention
