"""Label attention against its definition."""

from __future__ import annotations

import torch

from clinlp.models.label_attention import LabelAttention


def test_it_computes_what_the_paper_says():
    torch.manual_seed(0)
    layer = LabelAttention(6, 4, inner=5)
    hidden = torch.randn(2, 3, 6)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    logits, attention = layer(hidden, mask)
    for note in range(2):
        real = hidden[note][mask[note]]
        for code in range(4):
            weights = torch.softmax(torch.tanh(layer.project(real)) @ layer.queries.weight[code], 0)
            view = weights @ real  # the note as this code sees it
            torch.testing.assert_close(logits[note, code], view @ layer.read[code] + layer.bias[code])
            torch.testing.assert_close(attention[note, code, : len(real)], weights)


def test_padding_gets_no_attention():
    layer = LabelAttention(6, 4)
    mask = torch.tensor([[True, False, False]])
    _, attention = layer(torch.randn(1, 3, 6), mask)
    assert attention[0, :, 1:].abs().max() == 0
