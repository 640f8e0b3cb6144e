"""Thresholds of codes: by hand, against trying all, and rare codes that borrow the common one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.errors import UsageError
from clinlp.metrics.choice import Choice
from clinlp.metrics.thresholds import choose, micro_f1, shrunk
from clinlp.note import Diagnosis

CODES = ("I10", "E11", "disease:眩晕病")


def draw(seed, n=60):
    numbers = np.random.default_rng(seed)
    gold = numbers.random((n, 3)) < np.array([0.6, 0.3, 0.05])
    noise = numbers.random((n, 3))
    return np.clip(0.35 * gold + 0.5 * noise * np.array([0.5, 1.0, 1.4]), 0, 1), gold


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_no_common_threshold_and_no_k_is_better_than_the_one_chosen(seed):
    probabilities, gold = draw(seed)
    common, first = (choose(probabilities, gold, CODES, way, n_unknown=3) for way in ("common", "top-k"))
    score = [micro_f1(probabilities, gold, CODES, each, n_unknown=3) for each in (common, first)]
    for least in np.append(probabilities.ravel()[::7], 0.5):
        assert micro_f1(probabilities, gold, CODES, Choice(float(least)), n_unknown=3) <= score[0] + 1e-9
    for k in (1, 2, 3):
        assert micro_f1(probabilities, gold, CODES, Choice(top=k), n_unknown=3) <= score[1] + 1e-9


def test_micro_f1_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, gold = draw(3)
    choice = Choice(0.3, {"E11": 0.6})
    found = probabilities >= [0.3, 0.6, 0.3]
    expected = metrics.f1_score(gold, found, average="micro")
    assert micro_f1(probabilities, gold, CODES, choice) == pytest.approx(expected)


def test_rare_codes_stay_near_the_common_threshold_by_hand():
    assert shrunk(0.9, 20, 0.5) == pytest.approx(0.7)  # as many notes as the common one weighs: half-way
    assert shrunk(0.9, 1, 0.5) == pytest.approx((0.9 + 20 * 0.5) / 21)
    assert shrunk(0.9, 0, 0.5) == 0.5
    numbers = np.random.default_rng(1)
    gold = np.zeros((400, 3), bool)
    gold[:200, 0] = gold[200:202, 1] = gold[202:302, 2] = True
    apart = np.where(gold, [0.8, 0.2, 0.6], [0.7, 0.1, 0.1]) + 0.01 * numbers.random((400, 3))
    choice = choose(apart, gold, CODES, "per-code")
    moved = {code: abs(choice.thresholds.get(code, choice.threshold) - choice.threshold) for code in CODES}
    assert moved["E11"] <= 2 / 22  # two notes
    assert moved["disease:眩晕病"] > moved["E11"]
    assert micro_f1(apart, gold, CODES, choice) >= micro_f1(apart, gold, CODES, Choice(choice.threshold))


def test_few_gold_codes_and_fixed_keep_one_half():
    probabilities, gold = draw(2, n=8)
    assert choose(probabilities, gold, CODES, "common") == Choice()
    assert choose(*draw(2), CODES, "fixed") == Choice()


def test_a_choice_of_ranked_codes():
    ranked = [Diagnosis("I10", 0.9), Diagnosis("E11", 0.6), Diagnosis("disease:眩晕病", 0.4), Diagnosis("X")]
    assert Choice(0.5)(ranked) == {"I10", "E11", "X"}
    assert Choice(0.5, {"E11": 0.7, "disease:眩晕病": 0.4})(ranked) == {"I10", "disease:眩晕病", "X"}
    assert Choice(top=2)(ranked) == {"I10", "E11"}
    assert str(Choice(0.4, {"E11": 0.7})) == "from probability 0.4, 1 codes from one of their own"
    for wrong in ({"threshold": 2.0}, {"thresholds": {"I10": -1.0}}):
        with pytest.raises(UsageError, match="a number from 0 to 1 needed"):
            Choice(**wrong)
    with pytest.raises(UsageError, match="top: a whole number from 1 needed, got 0"):
        Choice(top=0)
