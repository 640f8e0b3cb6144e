"""One attention per code over the pieces of a note.

Source: Vu, Nguyen & Nguyen (2020), LAAT, arXiv 2007.06351, section 3.3; after Mullenbach et al.
(2018), CAML, arXiv 1802.05695.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LabelAttention(nn.Module):
    """Gives every code a view of the note of its own, and its logit from that view."""

    def __init__(self, width: int, n_codes: int, inner: int = 128) -> None:
        super().__init__()
        self.project = nn.Linear(width, inner, bias=False)
        self.queries = nn.Linear(inner, n_codes, bias=False)
        self.read = nn.Parameter(torch.empty(n_codes, width))
        self.bias = nn.Parameter(torch.full((n_codes,), -3.0))  # codes are rare: start near "none"
        nn.init.xavier_uniform_(self.read)
        nn.init.xavier_uniform_(self.queries.weight)

    def forward(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Score every code for every note.

        Args:
            hidden: `(note, piece, hidden)`.
            mask: `(note, piece)`, bool, True where a piece is real.

        Returns:
            Logits `(note, code)` and attention `(note, code, piece)`, whose rows sum to 1.
        """
        # Everything stays in (note, piece, code): the layout in which both products come out. Since the
        # dot product with `read` commutes with the weighted sum, no (note, code, hidden) view is built.
        scores = self.queries(torch.tanh(self.project(hidden))).float()
        scores = scores.masked_fill(~mask[:, :, None], torch.finfo(scores.dtype).min)
        attention = torch.softmax(scores, 1)
        values = nn.functional.linear(hidden, self.read.to(hidden.dtype)).float()
        logits = (attention * values).sum(1) + self.bias
        return logits, attention.transpose(1, 2)
