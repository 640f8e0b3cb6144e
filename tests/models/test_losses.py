"""The losses of heads: the published values, and weights that keep their scale."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinlp.models.losses import AsymmetricLoss, CodeLoss, PieceLoss, balanced, class_balanced


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


def asymmetric(probability, has, **options):
    logit = torch.tensor([[math.log(probability / (1 - probability))]])
    return AsymmetricLoss(**options)(logit, torch.tensor([[float(has)]])).item()


@pytest.mark.parametrize("probability", [0.02, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("options", [{}, {"gamma_positive": 1.0}, {"gamma_negative": 2.0, "margin": 0.2}])
def test_asymmetric_loss_has_the_values_of_the_paper(probability, options):
    """Ridnik et al. (2021), equation 7, as it is printed."""
    gammas = {"gamma_negative": 4.0, "gamma_positive": 0.0, "margin": 0.05} | options
    shifted = max(probability - gammas["margin"], 0.0)
    has = -((1 - probability) ** gammas["gamma_positive"]) * math.log(probability)
    lacks = -(shifted ** gammas["gamma_negative"]) * math.log(1 - shifted)
    assert asymmetric(probability, True, **options) == pytest.approx(has, rel=1e-4)
    assert asymmetric(probability, False, **options) == pytest.approx(lacks, rel=1e-4, abs=1e-12)


def test_asymmetric_loss_with_all_at_zero_is_cross_entropy():
    logits, targets = torch.randn(4, 7) * 3, (torch.rand(4, 7) < 0.3).float()
    plain = AsymmetricLoss(gamma_negative=0.0, gamma_positive=0.0, margin=0.0)(logits, targets)
    torch.testing.assert_close(plain, CodeLoss()(logits, targets))


def test_codes_that_are_improbable_enough_are_let_alone():
    logits = torch.tensor([[-3.0, -9.0]], requires_grad=True)  # p = 0.047 and less: below the margin
    AsymmetricLoss()(logits, torch.zeros(1, 2)).backward()
    assert not logits.grad.any()


LOSSES = {
    "bce": CodeLoss(),
    "balanced": CodeLoss(torch.tensor([3.0, 0.1, 1.0, 1.0])),
    "single": CodeLoss(torch.tensor([3.0, 0.1, 1.0, 1.0]), single=True),
    "asymmetric": AsymmetricLoss(),
    "gammas below 1": AsymmetricLoss(0.5, 0.5, 0.05),
    "no margin": AsymmetricLoss(4.0, 1.0, 0.0),
    "no gammas": AsymmetricLoss(0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_are_finite_at_any_logit(name, dtype):
    sizes = torch.tensor([0.0, 1.0, 20.0, 90.0, 1e4, 1e30])
    logits = torch.cat([sizes, -sizes])[:, None].expand(-1, 4).to(dtype)
    for gold in (0.0, 1.0):
        given = logits.clone().requires_grad_()
        targets = torch.full(logits.shape, gold)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = LOSSES[name](given, targets)
        loss.backward()
        assert loss.dtype == torch.float32
        assert loss.isfinite()
        assert given.grad.isfinite().all()


def test_losses_in_bf16_are_those_of_the_rounded_logits():
    logits, targets = torch.randn(5, 6).bfloat16() * 4, (torch.rand(5, 6) < 0.4).float()
    for loss in (CodeLoss(), AsymmetricLoss()):
        with torch.autocast("cpu", torch.bfloat16):
            low = loss(logits, targets)
        torch.testing.assert_close(low, loss(logits.float(), targets))


def test_class_balanced_weights_have_the_values_of_the_paper():
    """Cui et al. (2019): the effective number of n is (1 - b^n) / (1 - b); the weights add up to the classes."""
    counts, beta = (1, 10, 500), 0.99
    effective = [(1 - beta**n) / (1 - beta) for n in counts]
    assert effective[0] == pytest.approx(1.0)
    inverse = [1 / number for number in effective]
    expected = [3 * weight / sum(inverse) for weight in inverse]
    assert class_balanced(counts, beta).tolist() == pytest.approx(expected)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.sampled_from([0.0, 0.9, 0.999, 0.9999]))
def test_class_balanced_weights_are_finite_and_add_up(counts, beta):
    weights = class_balanced(counts, beta)
    assert weights.isfinite().all()
    assert (weights > 0).all()
    assert weights.double().sum() == pytest.approx(len(counts), rel=1e-4)
    seen = sorted((n, weight) for n, weight in zip(counts, weights.tolist(), strict=True) if n)
    assert all(one[1] >= other[1] * (1 - 1e-5) for one, other in pairwise(seen))


def test_options_that_are_no_loss_are_refused():
    with pytest.raises(ValueError, match=r"gammas of 0 or more and 0 <= margin < 1, got 4\.0, -1 and 0\.05"):
        AsymmetricLoss(gamma_positive=-1)
    with pytest.raises(ValueError, match="0 <= beta < 1, got 1"):
        class_balanced((1, 2), 1)
