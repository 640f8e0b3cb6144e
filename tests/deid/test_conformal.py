"""Thresholds with a promise: textbook bounds, monotone risk, and the promise kept on fresh notes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.deid import find_phi
from clinlp.deid.conformal import (
    base_thresholds,
    calibrate,
    least_notes,
    read_thresholds,
    upper_bound,
    write_thresholds,
)
from clinlp.errors import DataError, UsageError
from clinlp.note import Note
from clinlp.spans import Span

LABELS = ("NAME", "DATE")


def made(n, seed):
    """Notes of ten gold spans of four characters, each found with a score drawn at random; the rest is noise."""
    rng = np.random.default_rng(seed)
    notes, candidates = [], []
    for at in range(n):
        gold = tuple(Span(8 * i, 8 * i + 4, LABELS[i % 2]) for i in range(10))
        text = "".join(f"{word:04d}    " for word in rng.permutation(10_000)[:10])  # no word twice
        notes.append(Note(f"n{at}", text, phi=gold))
        scores = rng.beta(3, 1, 10)
        noise = [Span(8 * i + 4, 8 * i + 6, "NAME", float(s)) for i, s in enumerate(rng.beta(1, 6, 10))]
        candidates.append(
            [*(Span(g.start, g.end, g.label, float(s)) for g, s in zip(gold, scores, strict=True)), *noise]
        )
    return notes, candidates


def leaked(notes, candidates, thresholds):
    found = find_phi([replace(note, phi=()) for note in notes], [lambda given: candidates], thresholds)
    shares = []
    for gold, note in zip(notes, found, strict=True):
        removed = np.zeros(len(gold.text), bool)
        for span in note.phi:
            removed[span.start : span.end] = True
        wanted = np.concatenate([removed[s.start : s.end] for s in gold.phi])
        shares.append(1 - wanted.mean())
    return np.array(shares)


@pytest.mark.parametrize("risk", ["characters", "notes"])
@pytest.mark.parametrize("confidence", [None, 0.9])
def test_the_promise_holds_on_fresh_notes(risk, confidence):
    alpha = 0.05 if risk == "characters" else 0.3
    risks = []
    for seed in range(15):
        notes, candidates = made(150, seed)
        thresholds = calibrate(notes, candidates, {}, alpha=alpha, risk=risk, confidence=confidence).thresholds
        shares = leaked(*made(150, 1000 + seed), thresholds)
        risks.append(shares.mean() if risk == "characters" else (shares > 0).mean())
    if confidence is None:
        assert np.mean(risks) <= alpha + 0.01
    else:
        assert np.mean(np.array(risks) > alpha + 0.02) <= 0.14
    assert np.mean(risks) >= alpha / 8  # not by removing everything


def test_too_few_notes_are_refused_with_the_number_needed():
    notes, candidates = made(50, 0)
    with pytest.raises(DataError, match=r"99 notes or more needed to promise 0\.01, got 50"):
        calibrate(notes, candidates, {}, alpha=0.01)
    with pytest.raises(DataError, match=r"299 notes or more needed to promise 0\.01 with confidence 0\.95, got 50"):
        calibrate(notes, candidates, {}, alpha=0.01, confidence=0.95)


def test_what_no_detector_sees_cannot_be_promised():
    notes, _ = made(200, 0)
    with pytest.raises(DataError, match="no detector gives a candidate for the rest"):
        calibrate(notes, [[] for _ in notes], {}, alpha=0.05)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0])
def test_alpha_is_a_share(alpha):
    with pytest.raises(UsageError, match="between 0 and 1"):
        calibrate(*made(5, 0), {}, alpha=alpha)


def test_bounds_by_hand():
    assert upper_bound(0.0, 99, None) == pytest.approx(0.01)
    assert upper_bound(0.1, 9, None) == pytest.approx(0.19)
    assert upper_bound(0.0, 100, 0.95) == pytest.approx(1 - 0.05 ** (1 / 100), abs=1e-9)  # the rule of three


@given(st.floats(0, 1), st.integers(1, 5000), st.sampled_from([None, 0.5, 0.9, 0.99]))
def test_a_bound_is_no_less_than_what_was_observed(observed, n, confidence):
    bound = upper_bound(observed, n, confidence)
    assert observed <= bound + 1e-9
    assert bound <= 1 + 1e-9


@given(st.floats(0.001, 0.5), st.sampled_from([None, 0.8, 0.95]))
def test_the_fewest_notes_are_just_enough(alpha, confidence):
    n = least_notes(alpha, confidence)
    assert upper_bound(0.0, n, confidence) <= alpha + 1e-9
    assert n <= 1 or upper_bound(0.0, n - 1, confidence) > alpha - 1e-9


def test_base_thresholds_find_the_wanted_share():
    notes, candidates = made(300, 3)
    base = base_thresholds(notes, candidates, 0.9)
    assert set(base) == set(LABELS)
    assert all(value <= 0.5 for value in base.values())
    assert leaked(notes, candidates, base).mean() <= 0.1


def test_ignored_characters_are_no_over_redaction():
    note = Note("n", "abcd efgh", phi=(Span(0, 4, "NAME"),), fields={"phi_ignore": [[5, 9, "X"]]})
    spans = [Span(0, 4, "NAME", 1.0), Span(5, 9, "NAME", 1.0)]
    assert calibrate([note] * 20, [spans] * 20, {}, alpha=0.1).over_redaction == 0.0


def test_thresholds_are_read_as_written(tmp_path):
    calibration = calibrate(*made(100, 1), {}, alpha=0.1)
    write_thresholds(calibration, tmp_path / "t.json")
    assert read_thresholds(tmp_path / "t.json") == dict(calibration.thresholds)


@pytest.mark.parametrize("text", ["", "[]", '{"thresholds": [1]}', '{"thresholds": {"NAME": 2}}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(UsageError, match="needed, got"):
        read_thresholds(tmp_path / "t.json")
    with pytest.raises(UsageError, match="No such file"):
        read_thresholds(tmp_path / "none.json")


def test_a_bound_for_every_share():
    assert math.isclose(upper_bound(1.0, 10, 0.9), 1.0)
