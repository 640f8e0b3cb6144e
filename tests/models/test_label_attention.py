"""Label attention against its definition."""

from __future__ import annotations

import pytest
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


def case(n_codes=23, name_width=0):
    torch.manual_seed(1)
    layer = LabelAttention(6, n_codes, inner=5, name_width=name_width)
    if name_width:
        layer.start_from(torch.nn.functional.normalize(torch.randn(n_codes, name_width), dim=1))
    hidden = torch.randn(3, 11, 6, requires_grad=True)
    mask = torch.arange(11) < torch.tensor([[11], [4], [1]])
    return layer, hidden, mask


@pytest.mark.parametrize("name_width", [0, 4])
@pytest.mark.parametrize("most_cells", [1, 33, 33 * 5, 33 * 22, 33 * 23])
def test_codes_in_groups_give_the_logits_and_gradients_of_all_at_once(most_cells, name_width):
    layer, hidden, mask = case(name_width=name_width)
    whole, _ = layer(hidden, mask)
    weigh = torch.randn(whole.shape)
    wanted = [hidden, *layer.parameters()]
    expected = torch.autograd.grad((whole * weigh).sum(), wanted)
    layer.most_cells = most_cells
    logits = layer.score(hidden, mask)
    torch.testing.assert_close(logits, whole)
    for one, other in zip(expected, torch.autograd.grad((logits * weigh).sum(), wanted), strict=True):
        torch.testing.assert_close(other, one)
    with torch.no_grad():
        torch.testing.assert_close(layer.score(hidden, mask), whole)


def test_groups_of_codes_keep_no_table_of_pieces_and_codes_for_the_gradient():
    layer, hidden, mask = case(n_codes=400)
    kept = {}

    def watch(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    table, bytes_kept = 4 * 33 * 400, []
    for most_cells in (33 * 400, 33 * 10):
        kept.clear()
        layer.most_cells = most_cells
        with torch.autograd.graph.saved_tensors_hooks(watch, lambda tensor: tensor):
            logits = layer.score(hidden, mask)
        assert logits.requires_grad
        bytes_kept.append(sum(kept.values()))
    weights = sum(4 * weight.numel() for weight in layer.parameters())
    assert bytes_kept[0] > 2 * table  # attention and values
    assert bytes_kept[1] < weights + 4 * (hidden.numel() * 3 + 3 * 400 * 2)


def test_groups_of_codes_work_in_bf16():
    layer, hidden, mask = case()
    with torch.autocast("cpu", torch.bfloat16):
        whole, _ = layer(hidden, mask)
        layer.most_cells = 33 * 4
        logits = layer.score(hidden, mask)
    torch.testing.assert_close(logits, whole, atol=0.02, rtol=0.02)
    logits.sum().backward()
    assert hidden.grad.isfinite().all()


def test_codes_of_one_name_start_alike_and_learn_from_each_other():
    torch.manual_seed(0)
    layer = LabelAttention(6, 3, inner=5, name_width=4)
    names = torch.zeros(3, 4)
    names[0] = names[1] = torch.tensor([0.6, 0.8, 0.0, 0.0])
    layer.start_from(names)
    hidden, mask = torch.randn(1, 5, 6), torch.ones(1, 5, dtype=torch.bool)
    before = layer.score(hidden, mask)[0]
    assert before[0] == before[1] != before[2]
    assert before[2] != layer.bias[2]  # a code without a name starts at random, as all do without names
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        (-layer.score(hidden, mask)[0, 0]).backward()  # only the first code is ever asked for
        optimizer.step()
    own_bias = layer.bias[1].item()
    assert layer.score(hidden, mask)[0, 1] - own_bias > before[1] - own_bias


def test_an_attention_without_names_takes_none():
    with pytest.raises(ValueError, match="names: an attention that was made for names needed"):
        LabelAttention(6, 3).start_from(torch.zeros(3, 2))
