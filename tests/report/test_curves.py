"""Curves over what was predicted: the areas are scikit-learn's, and few points are drawn of many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.metrics.areas import score_areas
from clinlp.metrics.intervals import Sampling
from clinlp.note import Diagnosis, Note
from clinlp.report.curves import Ranked, precision_recall, ranked_codes, roc, sweep


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 4),
    st.integers(0, 4),
)
@settings(max_examples=60)
def test_areas_are_those_of_scikit_learn(items: list[tuple[float, bool]], n_missed: int, n_other: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, right = np.array([s for s, _ in items]), np.array([r for _, r in items])
    ranked = Ranked(scores, right, int(right.sum()) + n_missed, int((~right).sum()) + n_other)
    all_scores = np.concatenate([scores, np.zeros(n_missed + n_other)])
    all_right = np.concatenate([right, np.ones(n_missed, bool), np.zeros(n_other, bool)])
    line = roc(ranked)
    if all_right.all() or not all_right.any():
        assert line is None
    else:
        assert line is not None
        assert line.area == pytest.approx(metrics.roc_auc_score(all_right, all_scores))
    curve = precision_recall(ranked)
    if all_right.any() and not all_right.all():  # with hits alone, scikit-learn has no zeros to end with
        assert curve is not None
        assert curve.area == pytest.approx(metrics.average_precision_score(all_right, all_scores))


def test_codes_that_were_not_predicted_count_as_in_the_scores() -> None:
    gold, found = [], []
    for at in range(12):
        gold.append(Note(f"n{at}", "诊断", diagnoses=(Diagnosis("I10" if at % 3 else "气虚证"),)))
        ranked = (Diagnosis("I10", 0.2 + at / 20), *((Diagnosis("气虚证", 0.4),) if at % 2 else ()))
        found.append(Note(f"n{at}", "诊断", diagnoses=ranked))
    every, each = ranked_codes(gold, found)
    areas = score_areas(gold, found, Sampling(n_resamples=100))
    lines = roc(every), precision_recall(every)
    assert [line.area for line in lines if line] == pytest.approx([areas.micro_roc.value, areas.micro_pr.value])
    assert list(each) == ["I10", "气虚证"]
    assert [(held.n_gold, held.n_other) for held in each.values()] == [(8, 4), (4, 8)]


def test_a_threshold_has_the_scores_of_what_reaches_it() -> None:
    ranked = Ranked(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False]), 4)
    swept = sweep(ranked)
    assert swept is not None
    assert swept.thresholds.tolist() == [0.1, 0.8, 0.9]
    assert swept.precision.tolist() == pytest.approx([0.5, 2 / 3, 1.0])
    assert swept.recall.tolist() == [0.5, 0.5, 0.25]
    assert swept.f1.tolist() == pytest.approx([4 / 8, 4 / 7, 2 / 5])


def test_many_points_are_thinned_and_keep_their_ends_and_area() -> None:
    numbers = np.random.default_rng(0)
    scores = numbers.random(50_000)
    right = numbers.random(50_000) < scores**4
    line = roc(Ranked(scores, right, int(right.sum()), int((~right).sum())))
    assert line is not None
    assert len(line.x) <= 402
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 0, 1, 1)
    assert float(np.trapezoid(line.y, line.x)) == pytest.approx(line.area, abs=1e-3)


def test_nothing_to_draw() -> None:
    nothing = Ranked(np.array([]), np.array([], bool), 0)
    assert (roc(nothing), precision_recall(nothing), sweep(nothing)) == (None, None, None)
