"""Leakage on hand-counted notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import DataError
from clinlp.metrics.leakage import Leak, Leakage, LeakageScores, score_leakage, score_note
from clinlp.note import Note
from clinlp.spans import Span

TEXT = "Ann Lee, 12 May, room 7."


def note(*spans: Span, note_id: str = "n", **fields: object) -> Note:
    return Note(note_id, TEXT, phi=spans, fields=fields)


def test_a_hand_counted_note() -> None:
    gold = note(Span(0, 7, "NAME"), Span(9, 15, "DATE"))
    found = note(Span(0, 3, "DATE"), Span(9, 15, "NAME"), Span(17, 21, "BED"))
    scores = score_leakage([gold], [found])
    assert scores.overall == Leakage(2, 1, 13, 9, n_notes=1, n_notes_clean=0)
    assert scores.labels == {"DATE": Leakage(1, 1, 6, 6, 1, 1), "NAME": Leakage(1, 0, 7, 3, 1, 0)}
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
    assert scores.overall == Leakage(2, 1, 7, 3, 1, 0)


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


ZH = "患者王小明，男，2021年3月5日入院。王小明诉头痛。"


def test_a_hand_counted_chinese_note() -> None:
    text = Note("z", ZH, patient_id="p", phi=(Span(2, 5, "NAME"), Span(8, 17, "DATE"), Span(20, 23, "NAME")))
    scored = score_note(text, [Span(2, 5, "X"), Span(8, 13, "X"), Span(21, 27, "X")])
    assert scored.overall == Leakage(3, 1, 15, 10, 1, 0)
    assert scored.labels == {"DATE": Leakage(1, 0, 9, 5, 1, 0), "NAME": Leakage(2, 1, 6, 5, 1, 0)}
    assert scored.leaks == (Leak("z", 8, 17, "DATE", 4, 4), Leak("z", 20, 23, "NAME", 1, 1))
    assert (scored.n_other, scored.n_other_removed) == (len(ZH) - 15, 4)


def test_whole_notes_are_counted_for_each_label() -> None:
    notes = [note(Span(0, 7, "NAME"), Span(9, 15, "DATE"), note_id=str(at)) for at in range(4)] + [note(note_id="4")]
    found = [note(Span(0, 7, "NAME"), Span(9, 15 - (at == 2), "DATE"), note_id=str(at)) for at in range(4)]
    scores = score_leakage(notes, [*found, note(note_id="4")])
    assert scores.overall.note_recall == 0.75
    assert scores.clean_share == 0.8
    assert (scores.labels["NAME"].note_recall, scores.labels["DATE"].note_recall) == (1.0, 0.75)
    assert list(scores.leaks) == [Leak("2", 9, 15, "DATE", 1, 1)]


def test_spaces_and_marks_may_be_left_out_of_account() -> None:
    gold, found = note(Span(0, 8, "NAME"), Span(9, 15, "DATE")), [Span(0, 3, "X"), Span(4, 7, "X"), Span(9, 14, "X")]
    strict, words = score_note(gold, found), score_note(gold, found, words_only=True)
    assert [(leak.n_characters_left, leak.n_letters_left) for leak in strict.leaks] == [(2, 0), (1, 1)]
    assert [leak.label for leak in words.leaks] == ["DATE"]
    assert words.overall == Leakage(2, 1, 11, 10, 1, 0)
    assert words.n_other == len("room7")


def test_spans_left_whole_are_told_from_those_that_are_cut() -> None:
    scores = score_leakage([note(Span(0, 7, "NAME"), Span(9, 15, "DATE"))], [note(Span(0, 3, "NAME"))])
    assert (scores.overall.n_spans_removed, scores.overall.n_spans_untouched) == (0, 1)
    assert (scores.labels["NAME"].n_spans_untouched, scores.labels["DATE"].n_spans_untouched) == (0, 1)


def test_scores_are_the_sum_of_their_notes() -> None:
    golds = [note(Span(0, 7, "NAME"), note_id=str(at)) for at in range(3)]
    founds = [note(Span(0, 7 - at, "NAME"), note_id=str(at)) for at in range(3)]
    scores = score_leakage(golds, founds)
    assert scores == LeakageScores.of(scores.notes)
    assert sum(each.overall.n_characters_removed for each in scores.notes) == 18


def test_leaks_and_counts_say_no_word_of_the_note() -> None:
    scored = score_note(Note("n", TEXT, patient_id="Lee-Ann", phi=(Span(0, 7, "NAME"),)), ())
    said = repr(scored) + repr(LeakageScores.of([scored]))
    assert "Ann" not in said
    assert "Lee" not in said
