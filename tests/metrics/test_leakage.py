"""Leakage on hand-counted notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import DataError
from clinlp.metrics.leakage import Leakage, score_leakage
from clinlp.note import Note
from clinlp.spans import Span

TEXT = "Ann Lee, 12 May, room 7."


def note(*spans: Span, note_id: str = "n", **fields: object) -> Note:
    return Note(note_id, TEXT, phi=spans, fields=fields)


def test_a_hand_counted_note() -> None:
    gold = note(Span(0, 7, "NAME"), Span(9, 15, "DATE"))
    found = note(Span(0, 3, "DATE"), Span(9, 15, "NAME"), Span(17, 21, "BED"))
    scores = score_leakage([gold], [found])
    assert scores.overall == Leakage(2, 1, 13, 9)
    assert scores.labels == {"DATE": Leakage(1, 1, 6, 6), "NAME": Leakage(1, 0, 7, 3)}
    assert (scores.overall.character_recall, scores.overall.span_recall) == (9 / 13, 0.5)
    assert (scores.n_notes, scores.n_notes_clean, scores.clean_share) == (1, 0, 0.0)
    assert (scores.n_other, scores.n_other_removed) == (len(TEXT) - 13, 4)
    assert scores.over_redaction == 4 / (len(TEXT) - 13)


def test_one_surviving_character_is_a_leak() -> None:
    scores = score_leakage([note(Span(0, 7, "NAME"))], [note(Span(0, 6, "NAME"))])
    assert scores.overall.span_recall == 0.0
    assert scores.clean_share == 0.0


def test_two_spans_may_remove_one_together() -> None:
    scores = score_leakage([note(Span(0, 7, "NAME"))], [note(Span(0, 4, "NAME"), Span(4, 7, "ID"))])
    assert scores.overall.span_recall == 1.0


def test_ignored_spans_count_neither_way() -> None:
    gold = note(Span(0, 7, "NAME"), phi_ignore=[[17, 23, "BED"]])
    for found in (note(Span(0, 7, "NAME")), note(Span(0, 7, "NAME"), Span(17, 23, "BED"))):
        scores = score_leakage([gold], [found])
        assert scores.over_redaction == 0.0
        assert scores.overall.character_recall == 1.0
        assert scores.n_other == len(TEXT) - 7 - 6


def test_a_note_without_phi_is_clean() -> None:
    scores = score_leakage([note(), note(Span(0, 7, "NAME"))], [note(), note()])
    assert scores.clean_share == 0.5


def test_nothing_to_score() -> None:
    scores = score_leakage([], [])
    assert (scores.clean_share, scores.over_redaction, scores.overall.character_recall) == (1.0, 0.0, 1.0)


def test_overlapping_gold_counts_a_character_once() -> None:
    scores = score_leakage([note(Span(0, 7, "NAME"), Span(4, 7, "NAME"))], [note(Span(4, 7, "NAME"))])
    assert scores.overall == Leakage(2, 1, 7, 3)


@pytest.mark.parametrize(
    ("gold", "found", "message"),
    [
        ([note()], [], "as many predicted as gold notes, got 0 for 1"),
        ([note()], [note(note_id="other")], "note n: leakage needs the same note"),
        ([note(phi_ignore=[3])], [note()], "phi_ignore needs"),
        ([note(phi_ignore=[[0, 999, "X"]])], [note()], "phi_ignore span ends after character"),
    ],
)
def test_what_cannot_be_compared_is_an_error(gold: list[Note], found: list[Note], message: str) -> None:
    with pytest.raises(DataError, match=message):
        score_leakage(gold, found)


SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 4)).map(lambda s: Span(s[0], s[0] + s[1], "NAME")), max_size=5
)


@given(SPANS, SPANS)
def test_shares_stay_between_zero_and_one(gold: list[Span], found: list[Span]) -> None:
    scores = score_leakage([note(*gold)], [note(*found)])
    for share in (
        scores.clean_share,
        scores.over_redaction,
        scores.overall.character_recall,
        scores.overall.span_recall,
    ):
        assert 0.0 <= share <= 1.0
    assert score_leakage([note(*gold)], [note(*gold)]).overall.character_recall == 1.0
