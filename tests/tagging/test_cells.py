"""Spans as cells: there and back, and every one read in exactly one window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.spans import Span, in_order
from clinlp.tagging.cells import broken_by_cut, decode_cells, encode_cells, in_windows, most_probable, read_here
from clinlp.tagging.windows import consecutive, overlapping

LABELS = ("A", "B")


def offsets_of(n_pieces):
    """Pieces of two characters with a gap between."""
    starts = 3 * np.arange(n_pieces, dtype=np.int32)
    return np.stack([starts, starts + 2], 1)


@st.composite
def ranges(draw, n_pieces, width):
    """Piece ranges, nested and overlapping, with a label each."""
    rows = set()
    for _ in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, n_pieces - 1))
        size = draw(st.integers(1, min(width, n_pieces - first)))
        rows.add((draw(st.integers(0, 1)), first, first + size))
    return np.array(sorted(rows), np.int64).reshape(-1, 3)


@given(ranges(30, 30))
def test_spans_come_back_from_their_cells(cells):
    offsets = offsets_of(30)
    spans = decode_cells(cells, np.ones(len(cells), np.float32), offsets, LABELS)
    again, *lost = encode_cells(spans, offsets, LABELS)
    assert np.array_equal(again, cells)
    assert lost == [0, 0, 0]


def test_what_does_not_fit_the_pieces_is_counted():
    offsets = offsets_of(5)  # 0-2 3-5 6-8 9-11 12-14
    spans = [Span(1, 5, "A"), Span(0, 5, "A"), Span(0, 5, "B"), Span(2, 3, "A"), Span(12, 14, "B")]
    cells, n_widened, n_same, n_wordless = encode_cells(spans, offsets, LABELS)
    assert cells.tolist() == [[0, 0, 2], [1, 0, 2], [1, 4, 5]]
    assert (n_widened, n_same, n_wordless) == (1, 1, 1)


def test_no_spans_are_no_cells():
    cells, *counts = encode_cells([], offsets_of(3), LABELS)
    assert cells.shape == (0, 3)
    assert counts == [0, 0, 0]
    assert broken_by_cut(cells, 3).tolist() == [0, 0, 0]
    assert most_probable(cells, np.zeros(0, np.float32)).tolist() == []


@given(st.integers(1, 400), st.integers(2, 40), st.data())
def test_a_span_is_read_in_exactly_one_window_that_holds_it_whole(n_pieces, max_pieces, data):
    overlap = data.draw(st.integers(0, max_pieces - 1))
    first = data.draw(st.integers(0, n_pieces - 1))
    stop = first + data.draw(st.integers(1, min(overlap + 1, n_pieces - first)))
    windows = overlapping(n_pieces, max_pieces, overlap)
    cells = np.array([[0, first, stop]] * len(windows))
    here = read_here(cells, np.array([(window.keep_start, window.keep_end) for window in windows]))
    [window] = [window for window, reads in zip(windows, here, strict=True) if reads]
    assert window.start <= first
    assert stop <= window.end
    # and the nearer border is as far away there as in any other, but for the halves of odd numbers
    inner = [each for each in windows if each.start <= first and stop <= each.end]

    def depth(each):
        left = max_pieces if each.start == 0 else first - each.start
        right = max_pieces if each.end == n_pieces else each.end - stop
        return min(left, right)

    if overlap <= max_pieces // 2:
        assert depth(window) >= max(map(depth, inner)) - 1


@given(st.integers(1, 120), st.integers(4, 30), st.data())
def test_a_training_cut_breaks_the_fewest_spans(n_pieces, max_pieces, data):
    cells = data.draw(ranges(n_pieces, max_pieces))
    broken = broken_by_cut(cells, n_pieces)
    for piece in range(n_pieces):
        assert broken[piece] == sum(first < piece < stop for _, first, stop in cells.tolist())
    windows = consecutive(n_pieces, max_pieces, [0], broken)
    assert [window.start for window in windows] == [0, *(window.end for window in windows[:-1])]
    assert windows[-1].end == n_pieces
    within = in_windows(cells, windows)
    n_lost = sum(any(first < w.start < stop for w in windows) for _, first, stop in cells.tolist())
    assert sum(map(len, within)) == len(cells) - n_lost
    for window in windows[:-1]:
        assert broken[window.end] == broken[window.start + 1 : window.start + max_pieces + 1].min()


def test_of_spans_that_share_a_piece_the_most_probable_stay():
    cells = np.array([[0, 0, 3], [1, 2, 5], [0, 5, 6], [1, 4, 6]])
    probable = np.array([0.6, 0.9, 0.8, 0.7], np.float32)
    assert most_probable(cells, probable).tolist() == [1, 2]


@pytest.mark.parametrize("score", [0.25, 1.0])
def test_a_decoded_span_has_its_probability(score):
    [span] = decode_cells(np.array([[1, 0, 2]]), np.array([score], np.float32), offsets_of(3), LABELS)
    assert (span, span.score) == (Span(0, 5, "B"), score)
    assert in_order([span]) == (span,)
