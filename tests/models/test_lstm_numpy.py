"""The LSTM's steps in numpy against torch's own."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from clinlp.models import lstm_numpy
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.lstm_memory import Memory
from clinlp.models.lstm_numpy import _gates


def encoder(**shape):
    torch.manual_seed(3)
    made = LstmEncoder(LstmConfig(n_words=60, hidden=12, word_width=16, dropout=0.0, **shape)).eval()
    if shape.get("n_bigrams"):
        torch.nn.init.normal_(made.bigrams.weight)
    return made


def windows(n_windows, seed=0):
    lengths = torch.tensor([9, 4, 1, 7] * n_windows)[:n_windows, None]
    mask = torch.arange(9) < lengths
    pieces = torch.randint(1, 50, (n_windows, 9, 18), generator=torch.Generator().manual_seed(seed))
    pieces[:, :, 5 + seed :] = 0  # short words: the rest of their characters is padding
    return pieces * mask[:, :, None], mask


@pytest.mark.parametrize("n_windows", [1, 2, 9])
@pytest.mark.parametrize("shape", [{}, {"n_characters": 50}, {"n_characters": 50, "n_bigrams": 50}])
def test_numpy_gives_the_states_of_torch(shape, n_windows):
    made = encoder(**shape)
    for seed in (0, 1):  # the second time most words are remembered
        pieces, mask = windows(n_windows, seed)
        expected = made(pieces, mask).detach()  # with gradients: by torch
        with torch.inference_mode():
            assert made._by_numpy(pieces)
            torch.testing.assert_close(made(pieces, mask), expected * mask[:, :, None], atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("n_new", [1, 2, 3, 5, 31, 33, 60])
def test_what_a_word_adds_does_not_hang_on_the_words_that_are_new_with_it(n_new):
    chance = np.random.default_rng(0)
    features, weights, bias = (
        chance.standard_normal(shape).astype(np.float32) for shape in ((97, 178), (2, 178, 512), (2, 1, 512))
    )
    whole = _gates(features, weights, bias)
    for first in (0, 19, 37):
        assert np.array_equal(_gates(features[first : first + n_new], weights, bias), whole[:, first : first + n_new])


def test_products_in_parts_are_the_same(monkeypatch):
    made, (pieces, mask) = encoder(n_characters=50), windows(9)
    with torch.no_grad():
        whole = made(pieces, mask)
        monkeypatch.setattr(lstm_numpy, "_SMALL", 2 * 12 * 12)
        torch.testing.assert_close(made(pieces, mask), whole, atol=2e-6, rtol=1e-5)


def test_changed_weights_are_read_anew():
    made, (pieces, mask) = encoder(n_characters=50), windows(3)
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.1, fused=True)  # its steps count nowhere
    for _ in range(2):
        with torch.no_grad():
            quick = made(pieces, mask)
        torch.testing.assert_close(quick, made(pieces, mask).detach(), atol=2e-6, rtol=1e-5)
        made.train()
        made(pieces, mask).sum().backward()
        optimizer.step()
        made.eval()


@pytest.mark.filterwarnings("error")
def test_weights_beyond_all_numbers_make_no_warnings():
    made = encoder(n_characters=50)
    with torch.inference_mode():
        torch.nn.init.ones_(made.characters.weight)
        made.convolution.weight.copy_(torch.tensor([torch.inf, -torch.inf, 0.0]).expand_as(made.convolution.weight))
        states = made(*windows(2))
    assert not torch.isfinite(states[0]).all()


def test_a_copy_has_a_memory_of_its_own():
    made, (pieces, mask) = encoder(), windows(2)
    with torch.no_grad():
        made(pieces, mask)
        other = copy.deepcopy(made)
        torch.nn.init.zeros_(other.words.weight)
        assert not torch.equal(other(pieces, mask), made(pieces, mask))


@pytest.mark.parametrize("shut", [True, False])
def test_a_memory_is_bounded_and_forgets_all_at_once(shut):
    memory = Memory(4096, shut=shut)  # of 512 words at most
    for first in range(0, 3000, 200):
        keys = list(range(first, first + 300))

        def add(places, keys=keys):
            numbers = np.array(keys, np.float32)[places]
            return np.broadcast_to(numbers[None, :, None], (2, len(places), 4096))

        table, rows = memory.find(keys, add)
        assert table[1, rows, 7].tolist() == keys
        assert (table[:, 0, 0] < -1000).all() if shut else not table[:, 0].any()
        assert table.shape[1] <= 514


def test_what_was_read_before_changes_no_number():
    made, (pieces, mask) = encoder(n_characters=50, n_bigrams=50), windows(3)
    with torch.no_grad():
        for only in (2, 3, 1):
            made(pieces[:only, : 1 + only], mask[:only, : 1 + only])
        assert torch.equal(made(pieces, mask), copy.deepcopy(made)(pieces, mask))


def test_changed_pairs_are_read_anew():
    made, (pieces, mask) = encoder(n_bigrams=50), windows(2)
    with torch.no_grad():
        before = made(pieces, mask)
        torch.nn.init.ones_(made.bigrams.weight)
        assert not torch.equal(made(pieces, mask), before)
