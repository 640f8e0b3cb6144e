"""Int8 layers: near the layers they stand for, and exact about what stands beside what."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from clinlp.models.int8 import Int8Embedding, Int8Linear, to_int8


@given(st.integers(2, 40), st.integers(1, 40), st.integers(0, 600), st.booleans())
def test_a_product_is_near_that_of_the_float_layer(wide, out, rows, bias):
    torch.manual_seed(wide * 41 + out)
    linear = nn.Linear(wide, out, bias=bias)
    inputs = torch.randn(rows, wide) * torch.logspace(-3, 3, rows)[:, None]
    found, wanted = Int8Linear(linear)(inputs), linear(inputs)
    assert found.shape == wanted.shape
    # each factor is off by half a step of 1/127 of its row's largest at most
    sizes = inputs.abs().amax(1, keepdim=True) * linear.weight.abs().amax(1) * wide
    assert ((found - wanted).abs() <= sizes / 100 + 1e-6).all()


def test_what_a_piece_gets_does_not_depend_on_its_neighbours():
    torch.manual_seed(3)
    layer = Int8Linear(nn.Linear(24, 10))
    windows = torch.randn(5, 300, 24)
    windows[1] *= 1000
    assert torch.equal(layer(windows)[2, 7], layer(windows[2:3, 7:8])[0, 0])


def test_zeros_come_out_as_the_bias():
    linear = nn.Linear(6, 4)
    assert torch.equal(Int8Linear(linear)(torch.zeros(2, 6)), linear.bias.expand(2, 4))


def test_a_table_holds_its_rows_to_half_a_step():
    table = nn.Embedding(50, 12, padding_idx=0)
    rows = torch.tensor([[0, 7], [49, 7]])
    found, wanted = Int8Embedding(table)(rows), table(rows)
    assert ((found - wanted).abs() <= wanted.abs().amax(-1, keepdim=True) / 253).all()
    assert torch.equal(found[0, 0], torch.zeros(12))


def test_layers_inside_layers_are_found_and_others_stay():
    module = nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.LayerNorm(4), nn.Linear(4, 2), nn.Linear(1, 2))
    kept = module[1], module[3]
    to_int8(module)
    assert isinstance(module[0][0], Int8Linear)
    assert isinstance(module[2], Int8Linear)
    assert (module[1], module[3]) == kept
    assert module.state_dict()["2.weight"].dtype == torch.int8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_inputs_of_another_precision_are_taken(dtype):
    torch.manual_seed(5)
    linear = nn.Linear(16, 3)
    inputs = torch.randn(4, 16)
    assert torch.allclose(Int8Linear(linear)(inputs.to(dtype)), linear(inputs), atol=0.1)


def test_layers_after_it_take_its_answers_outside_inference_too():
    torch.manual_seed(6)
    module = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    inputs = torch.randn(3, 4)
    wanted = module(inputs)
    to_int8(module)
    assert torch.allclose(module(inputs), wanted, atol=0.05)
