"""Diagnosis scores: numbers worked out by hand, and scikit-learn's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import DataError, UsageError
from clinlp.metrics.diagnosis import DiagnosisScores, score_diagnoses
from clinlp.metrics.prf import Prf
from clinlp.note import Diagnosis, Note

CODES = ("I10", "E11.9", "J18.9", "disease:眩晕病", "K35")


def note(note_id: str, *codes: str | tuple[str, float]) -> Note:
    given = (Diagnosis(code) if isinstance(code, str) else Diagnosis(*code) for code in codes)
    return Note(note_id, "x", diagnoses=tuple(given))


@pytest.fixture
def by_hand() -> DiagnosisScores:
    gold = [note("1", "A", "B"), note("2", "C"), note("3"), Note("4", "x")]
    predicted = [
        note("1", ("A", 0.9), ("X", 0.8), ("B", 0.6)),  # ranks 1 and 3 are right
        note("2", ("A", 0.4), ("C", 0.3)),  # rank 2, below the threshold
        note("3", ("A", 0.5)),  # no gold codes: wrong at the threshold, no ranking to score
        note("4", ("A", 1.0)),  # nobody annotated it
    ]
    return score_diagnoses(gold, predicted, ks=(1, 2, 5))


def test_codes_as_sets_by_hand(by_hand: DiagnosisScores) -> None:
    assert by_hand.codes == {"A": Prf(1, 2, 1), "B": Prf(1, 1, 1), "C": Prf(1, 0, 0), "X": Prf(0, 1, 0)}
    assert by_hand.micro == Prf(3, 4, 2)
    assert by_hand.macro_f1 == pytest.approx((2 / 3 + 1 + 0 + 0) / 4)
    assert by_hand.macro_precision == pytest.approx((0.5 + 1) / 4)
    assert by_hand.macro_recall == pytest.approx(2 / 4)


def test_macro_over_some_codes_leaves_out_what_no_note_has(by_hand: DiagnosisScores) -> None:
    assert by_hand.macro_over({"A", "C", "Z99"}) == pytest.approx((2 / 3 + 0) / 2)
    assert by_hand.macro_over(by_hand.codes.keys()) == by_hand.macro_f1
    assert by_hand.macro_over({"Z99"}) == 0.0


def test_codes_as_a_ranking_by_hand(by_hand: DiagnosisScores) -> None:
    assert by_hand.precision_at == pytest.approx({1: 1 / 2, 2: (1 / 2 + 1 / 2) / 2, 5: (2 / 5 + 1 / 5) / 2})
    assert by_hand.recall_at == pytest.approx({1: 1 / 4, 2: (1 / 2 + 1) / 2, 5: 1.0})
    assert by_hand.map == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert by_hand.top1 == 0.5


def test_notes_that_count_nowhere_are_counted(by_hand: DiagnosisScores) -> None:
    assert (by_hand.n_notes, by_hand.n_without_codes, by_hand.n_not_annotated) == (3, 1, 1)
    assert by_hand.exact == 0.0


def test_a_published_average_precision() -> None:
    # Manning, Raghavan & Schuetze (2008), figure 8.2's way of counting: right at ranks 1, 3 and 6, one never found
    ranking = [(code, 1 - i / 10) for i, code in enumerate("AxBxxC") if code != "x"]
    wrong = [(f"W{i}", 1 - i / 10) for i, code in enumerate("AxBxxC") if code == "x"]
    scores = score_diagnoses([note("1", "A", "B", "C", "D")], [note("1", *ranking, *wrong)])
    assert scores.map == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 4)


def test_the_threshold_itself_counts() -> None:
    gold, predicted = [note("1", "A")], [note("1", ("A", 0.5))]
    assert score_diagnoses(gold, predicted, threshold=0.5).micro == Prf(1, 1, 1)
    assert score_diagnoses(gold, predicted, threshold=0.51).micro == Prf(1, 0, 0)


def test_a_code_without_a_score_is_certain_and_ranks_first() -> None:
    scores = score_diagnoses([note("1", "B")], [note("1", ("A", 0.99), "B")], threshold=1.0)
    assert scores.micro == Prf(1, 1, 1)
    assert scores.top1 == scores.exact == 1.0


def test_ties_keep_the_order_of_the_note() -> None:
    assert score_diagnoses([note("1", "B")], [note("1", ("B", 0.7), ("A", 0.7))]).top1 == 1.0
    assert score_diagnoses([note("1", "B")], [note("1", ("A", 0.7), ("B", 0.7))]).top1 == 0.0


def test_a_code_given_twice_is_one_code() -> None:
    scores = score_diagnoses([note("1", "A", "A", "B")], [note("1", ("A", 0.9), ("A", 0.8), ("B", 0.7))], ks=(2,))
    assert scores.micro == Prf(2, 2, 2)
    assert scores.precision_at == {2: 1.0}
    assert scores.map == 1.0


def test_the_texts_may_differ_after_deidentification() -> None:
    gold = Note("1", "王芳，高血压", diagnoses=(Diagnosis("I10"),))
    assert score_diagnoses([gold], [Note("1", "[姓名]，高血压", diagnoses=gold.diagnoses)]).exact == 1.0


def test_nothing_scores_zero() -> None:
    scores = score_diagnoses([note("1")], [note("1")])
    assert (scores.micro.f1, scores.macro_f1, scores.map, scores.top1, scores.exact) == (0.0, 0.0, 0.0, 0.0, 1.0)


rankings = st.lists(
    st.tuples(
        st.sets(st.sampled_from(CODES)),
        st.lists(st.integers(0, 1000), min_size=len(CODES), max_size=len(CODES), unique=True),
    ),
    min_size=1,
    max_size=6,
)


@given(rankings)
def test_agrees_with_scikit_learn(cases: list[tuple[set[str], list[int]]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold = [note(str(i), *sorted(codes)) for i, (codes, _) in enumerate(cases)]
    scores = [[points / 1000 for points in ranks] for _, ranks in cases]
    predicted = [note(str(i), *zip(CODES, row, strict=True)) for i, row in enumerate(scores)]
    ours = score_diagnoses(gold, predicted, ks=(3,))

    truth = [[int(code in codes) for code in CODES] for codes, _ in cases]
    guess = [[int(score >= 0.5) for score in row] for row in scores]
    used = [i for i in range(len(CODES)) if any(row[i] for row in truth) or any(row[i] for row in guess)]
    options = {"labels": used, "zero_division": 0}
    if used:
        micro = metrics.precision_recall_fscore_support(truth, guess, average="micro", **options)
        assert (ours.micro.precision, ours.micro.recall, ours.micro.f1) == pytest.approx(micro[:3])
        macro = metrics.precision_recall_fscore_support(truth, guess, average="macro", **options)
        assert (ours.macro_precision, ours.macro_recall, ours.macro_f1) == pytest.approx(macro[:3])
    assert ours.exact == pytest.approx(metrics.accuracy_score(truth, guess))
    with_codes = [i for i, (codes, _) in enumerate(cases) if codes]
    assert ours.n_without_codes == len(cases) - len(with_codes)
    if with_codes:
        kept = [truth[i] for i in with_codes], [scores[i] for i in with_codes]
        assert ours.map == pytest.approx(metrics.label_ranking_average_precision_score(*kept))


@given(rankings)
def test_every_share_is_a_share(cases: list[tuple[set[str], list[int]]]) -> None:
    gold = [note(str(i), *sorted(codes)) for i, (codes, _) in enumerate(cases)]
    predicted = [
        note(str(i), *zip(CODES, (points / 1000 for points in ranks), strict=True))
        for i, (_, ranks) in enumerate(cases)
    ]
    scores = score_diagnoses(gold, predicted, ks=(1, 3, 9))
    assert scores.top1 == pytest.approx(scores.precision_at[1])
    assert scores.recall_at[1] <= scores.recall_at[3] <= scores.recall_at[9] == (1.0 if any(c for c, _ in cases) else 0)
    assert 0 <= scores.map <= 1


def test_a_missing_note_is_named() -> None:
    with pytest.raises(DataError, match=r"^note 2: a predicted note needed for every gold one, got none$"):
        score_diagnoses([note("2")], [])


def test_a_note_without_predicted_diagnoses_is_named() -> None:
    with pytest.raises(DataError, match=r"^note 1: predicted diagnoses needed, got none$"):
        score_diagnoses([note("1", "A")], [Note("1", "x")])


def test_a_threshold_is_a_probability_and_k_a_rank() -> None:
    with pytest.raises(UsageError, match=r"^threshold: a number from 0 to 1 needed, got 50$"):
        score_diagnoses([], [], threshold=50)
    with pytest.raises(UsageError, match=r"^ks: whole numbers from 1 needed, got 0$"):
        score_diagnoses([], [], ks=(1, 0))


def test_numbers_for_json_and_for_a_table(by_hand: DiagnosisScores) -> None:
    shown = json.loads(json.dumps(by_hand.to_dict()))
    assert shown["precision_at"]["1"] == 0.5
    assert shown["codes"]["A"]["n_predicted"] == 2
    assert shown["macro"]["f1"] == pytest.approx(by_hand.macro_f1)
    rows = dict(by_hand.rows())
    assert rows["micro precision"] == "50.0"
    assert rows["precision@5"] == "30.0"
    assert rows["MAP"] == "66.7"
