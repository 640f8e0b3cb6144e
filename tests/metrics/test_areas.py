"""Areas under curves and confusions as scikit-learn has them; chapters, bands and groups by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.errors import DataError, UsageError
from clinlp.metrics.areas import areas, confusions, score_areas
from clinlp.metrics.diagnosis import score_diagnoses
from clinlp.metrics.intervals import Sampling
from clinlp.metrics.prf import Prf
from clinlp.metrics.views import OTHER, band, category, chapter, groups, only
from clinlp.note import Diagnosis, Note

CODES = ("I10", "E11.9", "disease:眩晕病", "Z99")
FEW = Sampling(n_resamples=100)


def draw(seed, n=40):
    numbers = np.random.default_rng(seed)
    right = numbers.random((n, 4)) < [0.5, 0.3, 0.2, 0.0]
    scores = np.round(np.clip(0.3 * right + 0.7 * numbers.random((n, 4)), 0, 1), 1)  # many ties
    return right, scores


def as_notes(right, scores):
    gold, found = [], []
    for at, (row, probable) in enumerate(zip(right, scores, strict=True)):
        held = tuple(Diagnosis(code) for code, there in zip(CODES, row, strict=True) if there)
        ranked = tuple(Diagnosis(code, float(score)) for code, score in zip(CODES, probable, strict=True))
        gold.append(Note(f"n{at}", "x", diagnoses=held))
        found.append(Note(f"n{at}", "x", diagnoses=ranked))
    return gold, found


def test_areas_are_those_of_scikit_learn_and_codes_of_one_class_are_counted():
    metrics = pytest.importorskip("sklearn.metrics")
    right, scores = draw(1)
    made = score_areas(*as_notes(right, scores), FEW)
    assert made.micro_roc.value == pytest.approx(metrics.roc_auc_score(right, scores, average="micro"))
    assert made.micro_pr.value == pytest.approx(metrics.average_precision_score(right, scores, average="micro"))
    kept = right[:, :3], scores[:, :3]
    assert made.macro_roc.value == pytest.approx(metrics.roc_auc_score(*kept, average="macro"))
    assert made.macro_pr.value == pytest.approx(metrics.average_precision_score(*kept, average="macro"))
    assert (made.n_codes, made.n_one_class, made.n_resamples) == (3, 1, 100)
    for each in (made.micro_roc, made.micro_pr, made.macro_roc, made.macro_pr):
        assert each.low <= each.value <= each.high


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_weighted_areas_are_those_of_scikit_learn(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    right, scores = draw(seed, 12)
    right[0, 0], right[1, 0] = True, False
    weights = np.random.default_rng(seed).integers(0, 4, (3, 12)).astype(float)
    weights[:, :2] += 1
    for row, roc, pr in zip(weights, *areas(scores[:, 0], right[:, 0], weights), strict=True):
        assert roc == pytest.approx(metrics.roc_auc_score(right[:, 0], scores[:, 0], sample_weight=row))
        assert pr == pytest.approx(metrics.average_precision_score(right[:, 0], scores[:, 0], sample_weight=row))


def test_a_code_that_is_not_predicted_scores_nothing():
    gold = [Note("1", "x", diagnoses=(Diagnosis("I10"),)), Note("2", "x", diagnoses=())]
    found = [Note("1", "x", diagnoses=()), Note("2", "x", diagnoses=(Diagnosis("I10", 0.2),))]
    assert score_areas(gold, found, FEW).macro_roc.value == 0.0
    assert math.isnan(score_areas([gold[1]], [found[1]], FEW).micro_roc.value)
    with pytest.raises(DataError, match="note 1: predicted diagnoses needed, got none"):
        score_areas([gold[0]], [Note("1", "x")], FEW)


def test_confusions_are_scikit_learns_matrix():
    metrics = pytest.importorskip("sklearn.metrics")
    _, scores = draw(4)
    truth = [CODES[at % 3] for at in range(40)]
    gold = [Note(f"n{at}", "x", diagnoses=(Diagnosis(code),)) for at, code in enumerate(truth)]
    _, found = as_notes(np.zeros((40, 4), bool), scores)
    cells = confusions(gold, found)
    matrix = metrics.confusion_matrix(truth, [CODES[at] for at in scores.argmax(1)], labels=CODES)
    assert [[cells[one, other] for other in CODES] for one in CODES] == matrix.tolist()
    assert confusions([gold[0]], [Note("n0", "x", diagnoses=())]) == {("I10", ""): 1}


@pytest.mark.parametrize(
    ("code", "begins", "three"),
    [
        ("A00", "I ", "A00"),
        ("b99.1", "I ", "B99"),
        ("D48.9", "II ", "D48"),
        ("D50.0", "III ", "D50"),
        ("H59", "VII ", "H59"),
        ("H60.1", "VIII ", "H60"),
        ("T98", "XIX ", "T98"),
        ("U07.1", "XXII ", "U07"),
        ("V03", "XX ", "V03"),
        ("Y99.8", "XX ", "Y99"),
        ("Z99", "XXI ", "Z99"),
        ("E119", "IV ", "E11"),
        ("disease:眩晕病", OTHER, "disease:眩晕病"),
        ("0DTJ4ZZ", OTHER, "0DTJ4ZZ"),
    ],
)
def test_chapters_by_the_ranges_of_icd_10(code, begins, three):
    assert chapter(code).startswith(begins)
    assert category(code) == three


def test_a_coarser_view_of_the_same_predictions_by_hand():
    gold = [Note("1", "x", diagnoses=(Diagnosis("E11.9"), Diagnosis("I10")))]
    found = [Note("1", "x", diagnoses=(Diagnosis("E11.2", 0.9), Diagnosis("E11.9", 0.4), Diagnosis("J18.9", 0.6)))]
    assert score_diagnoses(gold, found).micro == Prf(2, 2, 0)
    scores = score_diagnoses(gold, found, view=category)
    assert scores.codes == {"E11": Prf(1, 1, 1), "I10": Prf(1, 0, 0), "J18": Prf(0, 1, 0)}
    assert scores.map == pytest.approx(1 / 2)  # right at rank 1, the other code never
    rare = score_diagnoses(gold, found, view=only("tail", {"E11.9": 3, "I10": 400}))
    assert rare.codes == {"E11.9": Prf(1, 0, 0)}
    assert rare.map == 1.0


def test_bands_of_frequency():
    assert [band(n) for n in (0, 1, 5, 6, 50, 51)] == ["unseen", "tail", "tail", "torso", "torso", "head"]


def test_groups_by_a_field_a_language_and_ranges_of_numbers():
    notes = [
        Note(f"n{at}", "x", lang="en" if at % 2 else "zh", fields={"sex": "女" if at % 3 else "男", "age": at})
        for at in range(40)
    ]
    assert {name: len(group) for name, group in groups(notes, "sex").items()} == {"女": 26, "男": 14}
    assert {name: len(group) for name, group in groups(notes, "lang").items()} == {"en": 20, "zh": 20}
    ages = {name: len(group) for name, group in groups([*notes, Note("none", "x")], "age").items()}
    assert ages == {
        "(not said)": 1,
        "1: below 10": 10,
        "2: 10 to below 20": 10,
        "3: 20 to below 30": 10,
        "4: 30 or more": 10,
    }
    with pytest.raises(UsageError, match="got 'ward', which none has"):
        groups(notes, "ward")
    with pytest.raises(UsageError, match="a field of 50 values or fewer needed, got 60 values of 'bed'"):
        groups([Note(f"n{at}", "x", fields={"bed": f"b{at}"}) for at in range(60)], "bed")
