"""Training windows with all their gold spans: carried, or counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp import DataError, Note, Span, UsageError
from clinlp.data.pieces import LexicalPieces
from clinlp.data.spans import span_batch, span_windows

EN = "Severe left chest pain after cardiac catheterization of the left main coronary artery. No fever."
ZH = "慢性阻塞性肺疾病急性加重，左冠状动脉主干支架植入术后，双肺呼吸音清。无发热。"
LABELS = ("A", "B")
READER = LexicalPieces.build([EN, ZH])


def mention(text, words, label):
    at = text.index(words)
    return Span(at, at + len(words), label)


def read_back(cut, note, n_features=18):
    """The spans that the windows hold, as characters of the note."""
    offsets, found, at = READER(note.text).offsets, set(), 0
    for row in cut.windows:
        for label, start, reach in np.asarray(row["spans"], int).reshape(-1, 3).tolist():
            found.add(Span(int(offsets[at + start, 0]), int(offsets[at + start + reach, 1]), LABELS[label]))
        assert len(row["pieces"]) == row["n_pieces"] * n_features
        at += row["n_pieces"]
    return found


@pytest.mark.parametrize(
    ("text", "nested"),
    [
        (EN, ["Severe left chest pain", "chest pain", "left chest", "left main coronary artery", "coronary artery"]),
        (ZH, ["慢性阻塞性肺疾病急性加重", "肺疾病", "肺疾病急性", "左冠状动脉主干支架植入术", "左冠状动脉"]),
    ],
)
def test_nested_and_overlapping_spans_are_all_carried(text, nested):
    note = Note("n", text, entities=tuple(mention(text, words, "AB"[at % 2]) for at, words in enumerate(nested)))
    cut = span_windows([note], READER, LABELS, 60)
    assert read_back(cut, note) == set(note.entities)
    assert str(cut.left) == "1 notes; 5 spans"
    assert cut.max_width == (8 if text == EN else 16)  # the longest has 4 or 12 pieces
    assert not cut.flat


@settings(max_examples=40)
@given(
    st.integers(8, 20),
    st.lists(st.tuples(st.integers(0, len(ZH) - 1), st.integers(1, 30), st.integers(0, 1)), max_size=12),
)
def test_every_span_is_in_a_window_or_counted(max_pieces, drawn):
    spans = [Span(start, min(len(ZH), start + size), LABELS[label]) for start, size, label in drawn]
    note = Note("n", ZH, entities=tuple(spans))
    cut = span_windows([note], READER, LABELS, max_pieces)
    held, left = read_back(cut, note), cut.left
    assert held <= set(spans)
    assert len(held) == left.n_spans - left.n_same - left.n_wide - left.n_cut - left.n_wordless
    assert left.n_wide == len({span for span in spans if len(span) > cut.max_width})
    assert cut.max_width <= max_pieces // 2


def test_a_span_that_no_window_holds_is_counted():
    chain = [Span(start, start + 4, "A") for start in range(0, 34, 2)]  # no place to cut between them
    cut = span_windows([Note("n", ZH, entities=tuple(chain))], READER, LABELS, 12)
    n_windows = len(cut.windows)
    assert 0 < cut.left.n_cut < n_windows
    assert f"17 spans; {cut.left.n_cut} cross a window's border and were left out" in str(cut.left)


def test_a_width_that_is_asked_for_is_kept():
    note = Note("n", EN, entities=(mention(EN, "Severe left chest pain", "A"), mention(EN, "fever", "B")))
    cut = span_windows([note], READER, LABELS, 60, 2)
    assert cut.max_width == 2
    assert read_back(cut, note) == {mention(EN, "fever", "B")}
    assert str(cut.left) == "1 notes; 2 spans; 1 are wider than max_width and were left out"
    assert cut.flat


def test_a_width_over_half_a_window_is_refused():
    with pytest.raises(UsageError, match=r"max_width: at most 30 \(half of max_pieces\) needed, got 31"):
        span_windows([Note("n", EN)], READER, LABELS, 60, 31)


def test_notes_without_text_are_refused():
    with pytest.raises(DataError, match="training needs notes with text, got none"):
        span_windows([Note("n", " \n")], READER, LABELS, 60)


def test_a_batch_says_which_window_each_span_is_in():
    notes = [
        Note("a", "No fever."),
        Note("b", "Chest pain.", entities=(Span(0, 10, "B"), Span(0, 5, "A"))),
        Note("c", "无发热", entities=(Span(1, 3, "A"),)),
    ]
    cut = span_windows(notes, READER, LABELS, 60)
    batch = span_batch(cut.windows, np.array([2, 0, 1]), 18)
    assert batch["pieces"].shape == (3, 3, 18)
    assert batch["mask"].sum(1).tolist() == [3, 3, 3]
    assert sorted(batch["gold"].tolist()) == [[0, 0, 1, 1], [2, 0, 0, 0], [2, 1, 0, 1]]
    assert span_batch(cut.windows, np.array([0]), 18)["gold"].shape == (0, 4)
