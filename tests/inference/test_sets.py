"""Prediction sets: levels by hand, coverage over many draws, abstention, a plain word where nothing is promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp import DataError, Note, UsageError
from clinlp.data.pieces import LexicalPieces
from clinlp.inference.config import PipelineConfig
from clinlp.inference.decision import Decision
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.network import NoteRanker
from clinlp.inference.sets import calibrate_sets, conformity, members
from clinlp.models.decision import DecisionConfig, SetsConfig
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.lstm import LstmConfig

N_CODES = 6


def single_draw(numbers, n):
    """Notes of one code, and a model that is too sure of itself."""
    logits = 2 * numbers.normal(size=(n, N_CODES))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gold = (honest.cumsum(1) > numbers.random((n, 1))).argmax(1)
    claimed = np.exp(1.7 * logits)
    return claimed / claimed.sum(1, keepdims=True), [[code] for code in gold.tolist()]


def multi_draw(numbers, n):
    """Notes of up to six codes, some with none, and probabilities that say a little about them."""
    honest = numbers.beta(0.6, 1.5, size=(n, N_CODES))
    gold = numbers.random(honest.shape) < honest
    return honest**1.5, [np.flatnonzero(row).tolist() for row in gold]


def missed(inside, gold):
    """The loss of every note that has codes."""
    wanted = np.zeros(inside.shape, bool)
    for row, codes in zip(wanted, gold, strict=True):
        row[codes] = True
    there = wanted.any(1)
    return ((wanted & ~inside).sum(1) / np.maximum(1, wanted.sum(1)))[there]


@pytest.mark.parametrize(("method", "draw"), [("lac", single_draw), ("aps", single_draw), ("share", multi_draw)])
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_the_promise_holds_on_average_over_many_calibration_sets(method, draw, alpha):
    numbers = np.random.default_rng(7)
    losses = []
    for _ in range(200):
        sets = calibrate_sets(*draw(numbers, 60), method, alpha=alpha)
        probabilities, gold = draw(numbers, 40)
        losses.append(np.mean(missed(members(probabilities, method, sets.least), gold)))
    error = np.std(losses) / math.sqrt(len(losses))
    assert np.mean(losses) <= alpha + 3 * error
    assert np.mean(losses) >= alpha - 0.07  # and the sets are no larger than they must be


@pytest.mark.parametrize(("method", "draw"), [("aps", single_draw), ("share", multi_draw)])
def test_the_promise_holds_with_its_confidence(method, draw):
    numbers = np.random.default_rng(11)
    probabilities, gold = draw(numbers, 3_000)
    broken, n_sets = 0, 50
    for _ in range(n_sets):
        sets = calibrate_sets(*draw(numbers, 120), method, alpha=0.2, confidence=0.8)
        broken += np.mean(missed(members(probabilities, method, sets.least), gold)) > 0.2
    assert broken <= 0.2 * n_sets + 3 * math.sqrt(n_sets * 0.2 * 0.8)


def test_the_level_of_lac_by_hand():
    # 9 notes, alpha 0.2: the bound (9 risk + 1) / 10 allows one miss, so the second lowest probability is the level
    right = np.array([0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.3])
    sets = calibrate_sets(np.stack([right, 1 - right], 1), [[0]] * 9, "lac", alpha=0.2)
    assert sets.least == pytest.approx(0.6, rel=1e-4)
    assert (sets.observed, sets.bound, sets.n_notes) == (pytest.approx(1 / 9), pytest.approx(0.2), 9)


def test_the_share_of_missed_codes_by_hand():
    # four notes of two codes, alpha 0.3: the bound (4 risk + 1) / 5 allows 0.125, a quarter of a note's codes missed
    probabilities = np.array([[0.9, 0.8], [0.7, 0.6], [0.5, 0.4], [0.3, 0.2]])
    sets = calibrate_sets(probabilities, [[0, 1]] * 4, "share", alpha=0.3)
    assert sets.least == pytest.approx(0.3, rel=1e-4)
    assert sets.observed == pytest.approx(0.125)


def test_aps_conformity_is_what_the_codes_before_leave():
    assert conformity(np.array([[0.2, 0.5, 0.3]]), "aps")[0] == pytest.approx([0.2, 1.0, 0.5])


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=8),
    st.sampled_from(["lac", "aps", "share"]),
    st.floats(0, 1),
    st.floats(0, 1),
)
@settings(max_examples=60)
def test_sets_grow_as_the_level_falls_and_hold_the_first_code(rows, method, one, other):
    probabilities = np.array(rows)
    small, large = (members(probabilities, method, level) for level in (max(one, other), min(one, other)))
    assert not (small & ~large).any()
    if method != "share":
        assert small[np.arange(len(rows)), probabilities.argmax(1)].all()
    assert members(probabilities, method, 0.0).all()


@pytest.mark.parametrize(
    ("gold", "options", "message"),
    [
        ([[0]] * 8, {"alpha": 0.1}, "9 notes with codes or more needed to promise 0.1, got 8"),
        ([[0]] * 9 + [[]] * 9, {"alpha": 0.05}, "19 notes with codes or more needed to promise 0.05, got 9"),
        ([[0]] * 20, {"alpha": 0.1, "confidence": 0.95}, "29 notes with codes or more needed to promise 0.1 with conf"),
        ([[-1]] * 10 + [[0]] * 10, {"alpha": 0.2}, "10 of 20 notes have codes that the model does not know"),
        ([[0, 1]] * 20, {"alpha": 0.2}, "notes of one code needed for lac, got some of several"),
    ],
)
def test_what_cannot_be_promised_is_said(gold, options, message):
    with pytest.raises(DataError, match=message):
        calibrate_sets(np.full((len(gold), 2), 0.5), gold, "lac", **options)


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 1.0}, {"alpha": 0.1, "confidence": 1.0}])
def test_shares_are_shares(options):
    with pytest.raises(UsageError, match="between 0 and 1 needed"):
        calibrate_sets(np.ones((50, 2)), [[0]] * 50, "lac", **options)


@pytest.fixture(scope="module")
def predictor():
    texts = ["Fever and cough.", "患者发热，咳嗽3天。"]
    reader = LexicalPieces.build(texts * 3)
    shape = LstmConfig(n_words=reader.n_words, hidden=8, word_width=8)
    codes = ("A00", "B00", "C00")
    model = Diagnoser(DiagnoserConfig(encoder=shape, codes=codes, single=True)).eval()
    return DiagnosisPredictor(NoteRanker(model, reader))


def with_sets(predictor, least):
    sets = SetsConfig(method="aps", least=least, alpha=0.1, bound=0.1, observed=0.0, n_notes=9)
    predictor.ranker.model.config = predictor.config.model_copy(update={"sets": sets})
    return DiagnosisPredictor(predictor.ranker)


def test_the_predictor_gives_sets_and_abstains_from_large_ones(predictor):
    notes = [Note("en", "Fever and cough."), Note("zh", "患者发热，咳嗽3天。"), Note("empty", "  ")]
    with pytest.raises(UsageError, match="a model of `clinlp calibrate-codes` needed, got one without"):
        predictor.give_sets()
    one, every = with_sets(predictor, 1.0), with_sets(predictor, 0.0)
    with_sets(predictor, 1.0)
    assert [len(note.diagnoses) for note in one.give_sets()(notes)[:2]] == [1, 1]
    with_sets(predictor, 0.0)
    found = every.give_sets()(notes)
    assert [len(note.diagnoses) for note in found[:2]] == [3, 3]
    assert found[2].diagnoses is None  # nothing is promised of a note without words
    assert all(d.evidence for note in found[:2] for d in note.diagnoses)
    every.give_sets(max_set=2)
    assert [note.diagnoses for note in every(notes)] == [None] * 3
    assert every.n_abstained == 4
    with pytest.raises(UsageError, match="max_set: a whole number from 1 needed, got 0"):
        every.give_sets(0)


def test_an_old_config_decides_as_before():
    decision = Decision(DecisionConfig(), ("A00", "B00", "C00"))
    row = np.array([0.2, 0.5, 0.9], np.float32)
    assert decision.calibrated(row[None])[0].tolist() == row.astype(float).tolist()
    assert decision.chosen(np.array([2, 1, 0]), row.astype(float)).tolist() == [2, 1]


def test_thresholds_of_codes_and_calibration_are_used():
    config = DecisionConfig(threshold=0.3, thresholds={"B00": 0.8}, temperature=2.0, curve=((0.0, 0.0), (1.0, 0.5)))
    decision = Decision(config, ("A00", "B00", "C00"))
    warm = decision.calibrated(np.array([[0.9, 0.9, 0.1]]))[0]
    assert warm == pytest.approx([0.375, 0.375, 0.125])  # odds 9 become 3, then half
    assert decision.chosen(np.array([0, 1, 2]), warm).tolist() == [0]
    assert decision.chosen(np.array([0, 1, 2]), warm, top=2).tolist() == [0, 1]
    single = Decision(DecisionConfig(single=True, temperature=2.0), ("A00", "B00"))
    assert single.calibrated(np.array([[0.8, 0.2]]))[0] == pytest.approx([2 / 3, 1 / 3])


def test_top_and_sets_exclude_each_other():
    with pytest.raises(UsageError, match="the first codes or prediction sets needed, got both"):
        PipelineConfig.load(None, top=3, max_set=5)
