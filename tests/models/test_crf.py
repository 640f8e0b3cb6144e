"""The CRF against brute force over all paths."""

from __future__ import annotations

import itertools

import pytest
import torch

from clinlp.models.crf import Crf, allowed
from clinlp.models.losses import PieceLoss, partial_loss, possible_tags
from clinlp.spans import Span
from clinlp.tagging.scheme import tag_names, to_bioes

N_PIECES = 5


@pytest.fixture
def crf():
    torch.manual_seed(3)
    made = Crf(1)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


@pytest.fixture
def emissions():
    return torch.randn(2, N_PIECES, 5, generator=torch.Generator().manual_seed(5))


MASK = torch.tensor([[True] * 5, [True, True, True, False, False]])


def brute(crf, emissions, length):
    """Every path of one window with its score, one sum at a time."""
    steps, starts, ends = (
        crf.transitions + crf.forbidden,
        crf.starts + crf.forbidden_start,
        crf.ends + crf.forbidden_end,
    )
    paths = list(itertools.product(range(5), repeat=length))
    scores = []
    for path in paths:
        score = starts[path[0]] + ends[path[-1]] + sum(emissions[at, tag] for at, tag in enumerate(path))
        scores.append(score + sum(steps[left, right] for left, right in itertools.pairwise(path)))
    return paths, torch.stack(scores)


@pytest.mark.parametrize(("window", "length"), [(0, 5), (1, 3)])
def test_likelihood_viterbi_and_marginals_match_brute_force(crf, emissions, window, length):
    paths, scores = brute(crf, emissions[window], length)
    best = paths[int(scores.argmax())]
    tags = torch.tensor([*best, *[0] * (N_PIECES - length)])
    one = (emissions[window : window + 1], MASK[window : window + 1])
    loss = crf.negative_log_likelihood(one[0], tags[None], one[1])
    torch.testing.assert_close(loss, torch.logsumexp(scores, 0) - scores.max())
    assert crf.viterbi(*one)[0].tolist() == tags.tolist()
    expected = torch.zeros(length, 5)
    for path, probability in zip(paths, torch.softmax(scores, 0), strict=True):
        for at, tag in enumerate(path):
            expected[at, tag] += probability
    torch.testing.assert_close(crf.marginals(*one)[0, :length], expected)


def test_padding_changes_nothing(crf, emissions):
    tags = torch.zeros(1, 3, dtype=torch.int64)
    short = crf.negative_log_likelihood(emissions[1:, :3], tags, MASK[1:, :3])
    padded = crf.negative_log_likelihood(emissions[1:], torch.zeros(1, 5, dtype=torch.int64), MASK[1:])
    torch.testing.assert_close(short, padded)


def test_gradients_are_those_of_the_exact_likelihood(crf, emissions):
    """The matrix-product form of the forward pass has the gradient of the log-sum-exp form."""
    given = emissions.clone().requires_grad_()
    tags = torch.tensor([[0, 1, 2, 3, 4], [4, 0, 4, 0, 0]])
    crf.negative_log_likelihood(given, tags, MASK).backward()
    gold = torch.nn.functional.one_hot(tags, 5) * MASK[:, :, None]
    expected = (crf.marginals(emissions, MASK) * MASK[:, :, None]) - gold
    torch.testing.assert_close(given.grad, expected.detach(), atol=1e-5, rtol=1e-4)


def test_only_paths_of_the_scheme_come_out():
    torch.manual_seed(0)
    crf = Crf(2)
    transitions, starts, ends = allowed(2)
    mask = torch.ones(50, 12, dtype=torch.bool)
    for path in crf.viterbi(torch.randn(50, 12, 9) * 5, mask).tolist():
        assert starts[path[0]]
        assert ends[path[-1]]
        assert all(transitions[left, right] for left, right in itertools.pairwise(path))


def test_the_scheme_and_the_crf_agree_on_the_layout_of_tags():
    names = tag_names(["A", "B"])
    offsets = [(at, at + 1) for at in range(8)]
    tags = to_bioes([Span(0, 3, "A"), Span(3, 4, "B"), Span(5, 7, "B")], offsets)
    path = [names.index(tag) for tag in tags]
    transitions, starts, ends = allowed(2)
    assert starts[path[0]]
    assert ends[path[-1]]
    assert all(transitions[left, right] for left, right in itertools.pairwise(path))
    assert not transitions[names.index("B-A"), names.index("E-B")]


def test_bf16_emissions_are_scored_in_float32(crf, emissions):
    assert (
        crf.negative_log_likelihood(emissions.bfloat16(), torch.zeros(2, 5, dtype=torch.int64), MASK).dtype
        == torch.float32
    )


@pytest.mark.parametrize("length", [1, 2, 3, 7, 40])
def test_the_partition_by_halves_is_the_partition(crf, length):
    generator = torch.Generator().manual_seed(length)
    emissions = 20 * torch.randn(3, length, 5, generator=generator)
    mask = torch.arange(length) < torch.tensor([[length], [max(1, length - 3)], [1]])
    found = []
    for partition in (crf._partition, crf._partition_by_halves):
        given = emissions.clone().requires_grad_()
        total = partition(given, mask)
        found.append(
            (
                total.double(),
                *torch.autograd.grad(
                    total.sum(), [given, crf.transitions, crf.starts, crf.ends], allow_unused=length == 1
                ),
            )
        )
    for one, other in zip(*found, strict=True):
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_numpy_gives_the_paths_and_probabilities_of_torch(crf, emissions):
    with torch.no_grad():
        quick = crf.viterbi(emissions, MASK), crf.marginals(emissions, MASK)
    slow = crf.viterbi(emissions, MASK), crf.marginals(emissions, MASK)
    assert torch.equal(quick[0], slow[0])
    torch.testing.assert_close(quick[1][MASK], slow[1][MASK].detach())


def test_scores_too_far_apart_for_products_are_summed_in_logs(crf):
    emissions = torch.zeros(1, 3, 5)
    emissions[0, 1, 0] = 2000.0  # and nothing but a path through it is left
    emissions[0, 0, 1:] = 2000.0
    with torch.no_grad():
        assert torch.isfinite(crf.marginals(emissions, torch.ones(1, 3, dtype=torch.bool))).all()


@pytest.mark.parametrize(("window", "length"), [(0, 5), (1, 3)])
def test_a_window_annotated_in_part_counts_every_path_that_it_may_have(window, length):
    torch.manual_seed(4)
    crf = Crf(2)
    emissions = torch.randn(1, N_PIECES, 9)
    gold, unmarked = torch.tensor([[0, 4, 0, 0, 0]]), torch.tensor([[False, True]])  # a span of the first label
    may = possible_tags(gold, unmarked)
    assert may[0, 0].tolist() == [True] + [False] * 4 + [True] * 4
    assert may[0, 1].tolist() == [False] * 4 + [True] + [False] * 4
    steps, starts, ends = (rule.tolist() for rule in allowed(2))
    score = {True: [], False: []}
    for path in itertools.product(range(9), repeat=length):
        if starts[path[0]] and ends[path[-1]] and all(steps[a][b] for a, b in itertools.pairwise(path)):
            fits = all(may[0, at, tag] for at, tag in enumerate(path))
            score[fits].append(sum(emissions[0, at, tag] for at, tag in enumerate(path)))
    within = torch.logsumexp(torch.stack(score[True]), 0)
    every = torch.logsumexp(torch.stack(score[True] + score[False]), 0)
    loss = crf.partial_negative_log_likelihood(emissions, may, MASK[window : window + 1])
    torch.testing.assert_close(loss, every - within)


def test_a_partial_likelihood_of_whole_annotations_is_the_likelihood(crf, emissions):
    tags = torch.tensor([[0, 4, 1, 2, 3], [1, 3, 0, 0, 0]])
    may = possible_tags(tags, torch.zeros(2, 1, dtype=torch.bool))
    partial = crf.partial_negative_log_likelihood(emissions, may, MASK)
    torch.testing.assert_close(partial, crf.negative_log_likelihood(emissions, tags, MASK))
    piece_by_piece = partial_loss(emissions[MASK], may[MASK])
    torch.testing.assert_close(piece_by_piece, PieceLoss()(emissions[MASK], tags[MASK]))
