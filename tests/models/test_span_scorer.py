"""Span scorers: the band against the square, the loss against loops, what is found against what is asked for."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.models.lstm import LstmConfig
from clinlp.models.span_scorer import (
    IMPOSSIBLE,
    BiaffineScorer,
    PointerScorer,
    banded_product,
    find_spans,
    span_loss,
)
from clinlp.models.tagger import Tagger, TaggerConfig

SCORERS = [PointerScorer, BiaffineScorer]


def masks(*lengths):
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def some_spans(generator, lengths, n_labels, width, n=6):
    """Gold spans that nest, overlap and share borders, as rows of window, label, start and reach."""
    rows = set()
    for window, length in enumerate(lengths):
        for _ in range(n):
            start = int(torch.randint(length, (), generator=generator))
            reach = int(torch.randint(min(width, length - start), (), generator=generator))
            rows.add((window, int(torch.randint(n_labels, (), generator=generator)), start, reach))
    return torch.tensor(sorted(rows))


def naive_loss(scores, spans, lengths):
    """The two sums of the paper's equation, cell by cell."""
    gold, total = {tuple(row) for row in spans.tolist()}, 0.0
    n_windows, n_labels, _, width = scores.shape
    for window in range(n_windows):
        for label in range(n_labels):
            above = below = 1.0
            for start in range(lengths[window]):
                for reach in range(min(width, lengths[window] - start)):
                    score = float(scores[window, label, start, reach])
                    if (window, label, start, reach) in gold:
                        below += math.exp(-score)
                    else:
                        above += math.exp(score)
            total += math.log(above) + math.log(below)
    return total


@settings(max_examples=40)
@given(st.integers(1, 20), st.integers(1, 25), st.integers(1, 3))
def test_the_band_holds_the_products_of_the_square(n_pieces, width, n_windows):
    queries, keys = torch.randn(2, n_windows, n_pieces, 4)
    square = queries @ keys.transpose(1, 2)
    band = banded_product(queries, keys, width)
    assert band.shape == (n_windows, n_pieces, width)
    for start in range(n_pieces):
        real = min(width, n_pieces - start)
        torch.testing.assert_close(band[:, start, :real], square[:, start, start : start + real])
        assert not band[:, start, real:].any()


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(1, 12), st.sampled_from(SCORERS))
def test_the_loss_is_that_of_a_loop_over_all_spans(seed, width, scorer):
    generator = torch.Generator().manual_seed(seed)
    lengths = [9, 4, 1]
    mask = masks(*lengths)
    made = scorer(6, 3, width)
    with torch.no_grad():
        scores = 3 * made(torch.randn(3, 9, 6, generator=generator), mask)
    spans = some_spans(generator, lengths, 3, width)
    assert float(span_loss(scores, spans)) == pytest.approx(naive_loss(scores, spans, lengths), rel=1e-4)


def test_a_window_without_spans_has_a_loss_too():
    scores = torch.full((1, 2, 3, 2), -1.0)
    nothing = torch.zeros(0, 4, dtype=torch.int64)
    assert float(span_loss(scores, nothing)) == pytest.approx(2 * math.log(1 + 6 * math.exp(-1)))


def test_extreme_scores_overflow_nothing():
    scores = torch.full((1, 2, 8, 4), 300.0, requires_grad=True)
    spans = torch.tensor([[0, 0, 0, 0], [0, 1, 2, 3]])
    for sign in (1, -1):
        loss = span_loss(sign * scores, spans)
        [gradient] = torch.autograd.grad(loss, scores)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("scorer", SCORERS)
def test_padding_and_company_change_no_score(scorer):
    made, hidden = scorer(6, 3, 5), torch.randn(2, 9, 6)
    together = made(hidden, masks(9, 4))
    alone = made(hidden[1:, :4], masks(4))
    torch.testing.assert_close(together[1:, :, :4, :4], alone)


@pytest.mark.parametrize("scorer", SCORERS)
def test_spans_that_run_into_padding_are_impossible(scorer):
    scores = scorer(6, 2, 8)(torch.randn(2, 6, 6), masks(6, 4))
    assert scores.shape == (2, 2, 6, 6)  # never wider than the window
    for window, length in enumerate((6, 4)):
        ends = torch.arange(6)[:, None] + torch.arange(6)
        assert torch.equal(scores[window, 0] == IMPOSSIBLE, ends >= length)


def test_what_the_pointer_says_of_a_stretch_does_not_depend_on_its_place():
    made = PointerScorer(6, 2, 4)
    scores = made(torch.randn(1, 1, 6).expand(1, 10, 6), masks(10))
    torch.testing.assert_close(scores[:, :, 0], scores[:, :, 5])
    assert not torch.allclose(scores[0, 0, 0, 0], scores[0, 0, 0, 3], atol=1e-3)  # but on its length


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_fresh_scorer_finds_next_to_nothing(scorer):
    scores = scorer(64, 4, 32)(torch.randn(4, 64, 64), masks(64, 64, 64, 64))
    assert len(find_spans(scores, torch.full((4,), 0.5))[0]) < 0.01 * scores.numel()


@pytest.mark.parametrize("head", ["pointer", "biaffine"])
def test_scores_and_gradients_hold_in_bf16(head):
    torch.manual_seed(1)
    encoder = LstmConfig(n_words=50, word_width=16, hidden=16, dropout=0.0)
    tagger = Tagger(TaggerConfig(encoder=encoder, head=head, labels=("A", "B"), max_width=8))
    pieces, mask = torch.randint(2, 50, (2, 20, 1)), masks(20, 13)
    gold = some_spans(torch.Generator().manual_seed(2), [20, 13], 2, 8)
    exact = tagger.emissions(pieces, mask)
    with torch.autocast("cpu", torch.bfloat16):
        scores = tagger.emissions(pieces, mask)
        loss = tagger(pieces, mask, gold)
    assert scores.dtype == loss.dtype == torch.float32
    torch.testing.assert_close(scores, exact, atol=0.1, rtol=0.1)
    loss.backward()
    assert all(weight.grad.isfinite().all() for weight in tagger.parameters())
    assert all(weight.grad.any() for weight in tagger.scorer.parameters())


def test_each_label_has_a_threshold_of_its_own():
    scores = torch.full((1, 3, 2, 2), IMPOSSIBLE)
    scores[0, :, 0, 1] = math.log(0.6 / 0.4)  # 60 % for a span of both pieces, whatever its label
    spans, probable = find_spans(scores, torch.tensor([0.5, 0.7, 0.0]))
    assert [0, 0, 0, 1] in spans.tolist()
    assert [0, 1, 0, 1] not in spans.tolist()
    assert spans[spans[:, 1] == 2].tolist() == [[0, 2, 0, 1]]  # even of what needs nothing, only real spans
    assert probable.tolist() == pytest.approx([0.6, 0.6])


def test_a_threshold_is_enough_itself():
    probability = torch.rand(50, generator=torch.Generator().manual_seed(3)).clamp(0.01, 0.99)
    scores = torch.logit(probability)[None, :, None, None]
    reached = torch.sigmoid(scores)[0, :, 0, 0]
    assert len(find_spans(scores, reached)[0]) == 50


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": "phi", "max_width": 4}, "head: crf or linear needed for phi, got pointer"),
        ({}, r"max_width: 1 to 256 \(max_pieces\) needed for pointer, got 0"),
        ({"max_width": 257}, r"max_width: 1 to 256 \(max_pieces\) needed for pointer, got 257"),
    ],
)
def test_a_tagger_that_cannot_be_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        TaggerConfig(encoder=LstmConfig(n_words=5), head="pointer", labels=("A",), **options)
