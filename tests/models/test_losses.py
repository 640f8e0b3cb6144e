"""The loss of a linear head: the published values, and weights that keep its scale."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinlp.models.losses import PieceLoss, balanced


def emissions_for(probability, n_tags=3):
    """Emissions of one piece whose first tag has the given probability."""
    rest = (1 - probability) / (n_tags - 1)
    return torch.tensor([[probability, *[rest] * (n_tags - 1)]]).log()


@pytest.mark.parametrize(("probability", "times_less"), [(0.5, 4), (0.9, 100), (0.968, 1000)])
def test_focal_loss_has_the_values_of_the_paper(probability, times_less):
    """Lin et al. (2017), section 3.2: at gamma 2 a piece of p = 0.9 counts 100 times less, at 0.968 about 1000."""
    tag = torch.tensor([0])
    plain, focal = (PieceLoss(focal=gamma)(emissions_for(probability), tag).item() for gamma in (0.0, 2.0))
    assert plain == pytest.approx(-math.log(probability), rel=1e-5)
    assert plain / focal == pytest.approx(times_less, rel=0.03)


def test_the_plain_loss_is_cross_entropy():
    emissions, tags = torch.randn(7, 5), torch.tensor([0, 1, 2, 3, 4, 0, 0])
    assert torch.equal(
        PieceLoss()(emissions, tags), torch.nn.functional.cross_entropy(emissions, tags, reduction="sum")
    )


@pytest.mark.parametrize("focal", [0.0, 2.0])
def test_a_tag_of_weight_three_counts_three_times(focal):
    emissions, tags = torch.randn(2, 3), torch.tensor([0, 2])
    one, other = (PieceLoss(focal=focal)(emissions[at : at + 1], tags[at : at + 1]) for at in (0, 1))
    both = PieceLoss(torch.tensor([1.0, 1.0, 3.0]), focal)(emissions, tags)
    torch.testing.assert_close(both, one + 3 * other)


@pytest.mark.parametrize("focal", [0.5, 1.0, 2.0])
def test_a_certain_piece_has_a_finite_gradient(focal):
    emissions = torch.tensor([[200.0, 0.0]], requires_grad=True)
    PieceLoss(focal=focal)(emissions, torch.tensor([0])).backward()
    assert torch.isfinite(emissions.grad).all()


def test_the_loss_adds_nothing_to_a_saved_model():
    assert PieceLoss(torch.ones(5), 2.0).state_dict() == {}


def test_inverse_weights_make_every_class_count_alike():
    weights = balanced([900, 90, 10, 0], 1.0, [1.0] * 4)
    torch.testing.assert_close(weights[:3] * torch.tensor([900.0, 90.0, 10.0]), torch.full((3,), 1000 / 3))
    assert weights[3] == 1


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=9), st.sampled_from([0.0, 0.5, 1.0]), st.data())
def test_the_mean_weight_of_all_pieces_is_one(counts, power, data):
    factors = [data.draw(st.floats(0.01, 100)) for _ in counts]
    weights = balanced(counts, power, factors)
    assert torch.isfinite(weights).all()
    if sum(counts):
        assert (weights.double() * torch.tensor(counts)).sum().item() == pytest.approx(sum(counts), rel=1e-4)
