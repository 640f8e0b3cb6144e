"""Bootstrap intervals against what is known of them, and exact bounds against published ones."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.errors import UsageError
from clinlp.metrics.intervals import Interval, add_groups, interval, intervals, resample, upper_bound


def test_a_mean_has_the_interval_of_the_normal_approximation() -> None:
    flags = np.arange(400) < 100  # a quarter of 400 notes: standard error 0.02165
    for method in ("percentile", "bca"):
        found = interval(flags, np.ones(400), method=method)
        assert found.value == 0.25
        assert found.low == pytest.approx(0.25 - 1.96 * 0.02165, abs=0.006)
        assert found.high == pytest.approx(0.25 + 1.96 * 0.02165, abs=0.006)


def test_the_level_widens_the_interval() -> None:
    flags = np.arange(100) % 3 == 0
    wide, narrow = (interval(flags, np.ones(100), level=level) for level in (0.99, 0.8))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    numbers = np.random.default_rng(7)
    covered = 0
    for at in range(200):
        sizes = numbers.integers(1, 9, 80)
        found = interval(numbers.binomial(sizes, 0.8), sizes, n_resamples=400, seed=at)
        covered += found.low <= 0.8 <= found.high
    assert 178 <= covered <= 199  # 190 expected


def test_the_seed_decides_all() -> None:
    counts, sizes = np.arange(50) ** 2 % 7, np.arange(50) + 9
    assert interval(counts, sizes, seed=3) == interval(counts, sizes, seed=3)
    assert interval(counts, sizes, seed=3) != interval(counts, sizes, seed=4)


def test_columns_share_their_draws() -> None:
    numerators = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 6.0]])
    denominators = np.full((3, 2), 4.0)
    one, twice = intervals(numerators, denominators)
    assert (twice.low, twice.high) == (2 * one.low, 2 * one.high)
    assert one == interval(numerators[:, 0], denominators[:, 0])


def test_draws_are_as_many_as_there_are_notes_however_they_are_cut() -> None:
    assert (resample(np.ones((7, 1)), n_resamples=50) == 7).all()
    big = resample(np.ones((30_000, 1)), n_resamples=70)  # over one chunk
    assert big.shape == (70, 1)
    assert (big == 30_000).all()


def test_groups_are_drawn_whole() -> None:
    columns = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    sums = add_groups(columns, ["p", "q", "p", "q"])
    assert sums.tolist() == [[2.0, 2.0], [0.0, 2.0]]
    alone, together = interval(columns[:, 0], columns[:, 1]), interval(sums[:, 0], sums[:, 1])
    assert together.high - together.low >= alone.high - alone.low


@pytest.mark.parametrize("denominators", [[], [0.0, 0.0]])
def test_nothing_to_count_has_no_share(denominators: list[float]) -> None:
    found = interval(denominators, denominators)
    assert all(map(math.isnan, (found.value, found.low, found.high)))
    assert found.to_dict() == {"value": None, "low": None, "high": None}


def test_resamples_without_anything_to_count_are_left_out() -> None:
    found = interval([1.0, 0.0, 0.0], [1.0, 0.0, 0.0])  # most draws of three have a zero denominator at times
    assert found == Interval(1.0, 1.0, 1.0)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20), st.integers(0, 99))
def test_an_interval_of_shares_stays_between_zero_and_one(pairs: list[tuple[int, int]], seed: int) -> None:
    numerators, denominators = [a for a, _ in pairs], [a + b for a, b in pairs]
    for method in ("percentile", "bca"):
        found = interval(numerators, denominators, n_resamples=200, seed=seed, method=method)
        if sum(denominators):
            assert 0.0 <= found.low <= found.high <= 1.0
            assert 0.0 <= found.value <= 1.0


def test_bca_moves_the_borders_of_a_skewed_share_down() -> None:
    missed = np.zeros(200)
    missed[:4] = (1, 1, 2, 40)
    plain, moved = (interval(100 - missed, np.full(200, 100.0), method=m) for m in ("percentile", "bca"))
    assert moved.low < plain.low


@pytest.mark.parametrize(
    ("n_events", "n_trials", "expected"),
    [  # Clopper & Pearson: the upper ends of two-sided 90 % intervals
        (0, 10, 0.2589),
        (1, 10, 0.3942),
        (3, 10, 0.6066),
        (10, 10, 1.0),
        (0, 1000, 0.002991),
        (5, 100, 0.1023),
        (0, 0, 1.0),
    ],
)
def test_exact_bounds(n_events: int, n_trials: int, expected: float) -> None:
    assert upper_bound(n_events, n_trials) == pytest.approx(expected, abs=6e-5)


def test_the_bound_of_many_trials_is_quick_and_close() -> None:
    began = time.perf_counter()
    assert upper_bound(5_000, 100_000) == pytest.approx(0.05 + 1.645 * math.sqrt(0.05 * 0.95 / 1e5), abs=5e-5)
    assert time.perf_counter() - began < 2


def test_what_makes_no_interval_is_an_error() -> None:
    with pytest.raises(UsageError, match="two arrays of one shape"):
        interval([1.0], [1.0, 2.0])
    with pytest.raises(UsageError, match="0 < level < 1"):
        interval([1.0], [1.0], level=95)
    with pytest.raises(UsageError, match="events <= trials"):
        upper_bound(3, 2)
