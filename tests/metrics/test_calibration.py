"""Calibration: a hand-counted error, a temperature that is known, thresholds found by hand and by trying all."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import DataError, Note, Span, UsageError
from clinlp.metrics.calibration import (
    best_threshold,
    calibration_error,
    fit_curve,
    fit_line,
    fit_softmax_temperature,
    fit_temperature,
    outcomes,
    read_off,
    reliability,
    softened,
    tempered,
)

SCORED = st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=1, max_size=30)


def arrays(scored):
    return np.array([score for score, _ in scored]), np.array([right for _, right in scored])


def test_the_error_of_a_hand_counted_case():
    scores = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    # four of 0.95 with three right: 0.2 apart; two of 0.55 with one right: 0.05 apart
    assert calibration_error(scores, right) == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0
    assert math.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


@pytest.mark.parametrize("heat", [0.6, 1.0, 2.5])
def test_a_temperature_that_is_known_is_found_again(heat):
    numbers = np.random.default_rng(1)
    honest = numbers.uniform(0.3, 0.999, 20_000)
    right = numbers.random(20_000) < honest
    claimed = tempered(honest, 1 / heat)
    assert fit_temperature(claimed, right) == pytest.approx(heat, rel=0.06)
    error = calibration_error(tempered(claimed, fit_temperature(claimed, right)), right)
    assert error < 0.012
    assert error <= calibration_error(claimed, right) + 0.002


@given(SCORED, st.floats(0.5, 10))
def test_tempering_keeps_the_order_and_the_side_of_one_half(scored, heat):
    scores, _ = arrays(scored)
    warm = tempered(scores, heat)
    assert ((warm >= 0) & (warm <= 1)).all()
    assert (np.diff(warm[np.argsort(scores)]) >= -1e-12).all()
    assert ((warm >= 0.5) == (scores >= 0.5)).all()
    np.testing.assert_allclose(tempered(warm, 1 / heat), np.clip(scores, 1e-6, 1 - 1e-6), atol=1e-4)


@pytest.mark.parametrize(("heat", "offset"), [(0.6, -1.0), (1.0, 0.5), (2.5, -2.0)])
def test_a_line_that_is_known_is_found_again(heat, offset):
    numbers = np.random.default_rng(1)
    honest = numbers.uniform(0.05, 0.98, 20_000)
    right = numbers.random(20_000) < honest
    claimed = tempered(honest, 1 / heat, -offset * heat)
    assert fit_line(claimed, right) == (pytest.approx(heat, rel=0.06), pytest.approx(offset, abs=0.06))
    assert calibration_error(tempered(claimed, *fit_line(claimed, right)), right) < 0.012


def test_sure_and_wrong_needs_an_offset():
    numbers = np.random.default_rng(2)
    scores, right = numbers.uniform(0.9, 0.999, 2_000), numbers.random(2_000) < 0.3
    heat = fit_temperature(scores, right)
    assert calibration_error(tempered(scores, heat), right) > 0.2  # no score falls below 0.5
    assert calibration_error(tempered(scores, *fit_line(scores, right)), right) < 0.04
    with pytest.raises(UsageError, match="found spans needed to fit it, got none"):
        fit_line(scores[:0], right[:0])


def test_few_spans_and_all_alike_give_a_temperature_within_bounds():
    scores = np.array([0.9, 0.8, 0.99])
    right, wrong = (fit_temperature(scores, np.array([value] * 3)) for value in (True, False))
    assert 0.5 <= right < wrong <= 10.0
    assert fit_temperature(np.repeat(scores, 100), np.ones(300, bool)) < 1.0
    with pytest.raises(UsageError, match="found spans needed to fit it, got none"):
        fit_temperature(scores[:0], np.zeros(0, bool))


@given(SCORED, st.integers(1, 40), st.sampled_from([0.0, 0.5]))
def test_no_threshold_is_better_than_the_best(scored, n_missed, usual):
    scores, right = arrays(scored)
    n_gold = int(right.sum()) + n_missed

    def f1(least):
        kept = scores >= least
        return 2 * int((kept & right).sum()) / (int(kept.sum()) + n_gold)

    best = best_threshold(scores, right, n_gold, usual)
    assert f1(best) == pytest.approx(max(f1(least) for least in [*scores, usual, 1.1]))
    assert best == usual or f1(best) > f1(usual)


def test_a_threshold_lies_between_two_scores():
    scores, right = np.array([0.9, 0.8, 0.3, 0.2]), np.array([True, True, False, False])
    assert best_threshold(scores, right, 2, 0.0) == pytest.approx(0.55)
    assert best_threshold(scores, right, 2, 0.5) == 0.5  # the usual one is as good
    assert best_threshold(scores[:0], right[:0], 2, 0.5) == 0.5


def test_outcomes_of_notes_in_both_languages():
    gold = [
        Note("en", "Fever and cough", entities=(Span(0, 5, "SYMPTOM"), Span(10, 15, "SYMPTOM"))),
        Note("zh", "诊断为肺炎", entities=(Span(3, 5, "DISEASE"),)),
    ]
    found = [
        Note("en", "Fever and cough", entities=(Span(0, 5, "SYMPTOM", 0.9), Span(6, 15, "SYMPTOM", 0.6))),
        Note("zh", "诊断为肺炎", entities=(Span(3, 5, "DISEASE", 0.8), Span(3, 5, "SYMPTOM", 0.7), Span(0, 2, "TEST"))),
    ]
    held = outcomes(gold, found)
    assert held.scores.tolist() == [0.9, 0.6, 0.8, 0.7]
    assert held.right.tolist() == [True, False, True, False]
    assert held.labels == ("SYMPTOM", "SYMPTOM", "DISEASE", "SYMPTOM")
    assert held.n_gold == {"SYMPTOM": 2, "DISEASE": 1}
    with pytest.raises(DataError, match="note zh: a predicted note needed"):
        outcomes(gold, found[:1])


def test_the_bins_of_a_reliability_diagram_by_hand():
    scores, right = np.array([0.95, 0.97, 0.55, 1.0]), np.array([True, False, True, True])
    low, high = reliability(scores, right)
    assert (low.low, low.high, low.n, low.score, low.right) == (8 / 15, 9 / 15, 1, 0.55, 1.0)
    assert (high.n, high.score, high.right) == (3, pytest.approx(2.92 / 3), pytest.approx(2 / 3))
    error = calibration_error(scores, right)
    assert error == pytest.approx((0.45 + 3 * abs(2.92 / 3 - 2 / 3)) / 4)


@pytest.mark.parametrize("heat", [0.7, 1.0, 3.0])
def test_a_softmax_temperature_that_is_known_is_found_again(heat):
    numbers = np.random.default_rng(2)
    honest = numbers.dirichlet([0.7] * 4, 6_000)
    gold = (honest.cumsum(1) > numbers.random((6_000, 1))).argmax(1)
    claimed = softened(honest, 1 / heat)
    assert fit_softmax_temperature(claimed, gold) == pytest.approx(heat, rel=0.08)
    assert claimed.sum(1) == pytest.approx(1.0)
    np.testing.assert_array_equal(np.argsort(claimed, 1), np.argsort(honest, 1))
    with pytest.raises(UsageError, match="notes with a known code needed"):
        fit_softmax_temperature(honest[:0], gold[:0])


def test_a_curve_is_that_of_scikit_learn_and_survives_json():
    isotonic = pytest.importorskip("sklearn.isotonic")
    numbers = np.random.default_rng(3)
    scores = numbers.uniform(0.05, 1, 500)
    right = numbers.random(500) < scores**2
    curve = json.loads(json.dumps(fit_curve(scores, right)))
    theirs = isotonic.IsotonicRegression(out_of_bounds="clip").fit(scores, right)
    grid = np.linspace(scores.min(), 1, 101)
    assert read_off(grid, curve) == pytest.approx(theirs.predict(grid), abs=2e-5)
    assert read_off(np.zeros(1), curve) == 0.0
    assert calibration_error(read_off(scores, curve), right) < calibration_error(scores, right)
    assert read_off(scores, ()) is scores
    with pytest.raises(UsageError, match="scores needed to fit it, got none"):
        fit_curve(scores[:0], right[:0])
