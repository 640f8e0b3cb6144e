"""Windows cover every piece once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.tagging.windows import consecutive, overlapping


@given(st.integers(0, 500), st.integers(1, 64), st.data())
def test_every_piece_is_kept_exactly_once(n_pieces, max_pieces, data):
    overlap = data.draw(st.integers(0, max_pieces - 1))
    windows = overlapping(n_pieces, max_pieces, overlap)
    kept = [piece for window in windows for piece in range(window.keep_start, window.keep_end)]
    assert kept == list(range(n_pieces))
    assert all(len(window) <= max_pieces for window in windows)
    assert all(window.start <= window.keep_start < window.keep_end <= window.end for window in windows)


@given(st.integers(0, 300), st.integers(2, 50), st.integers(0, 20))
def test_a_piece_is_read_where_it_is_most_central(n_pieces, max_pieces, overlap):
    overlap = min(overlap, max_pieces // 2)
    windows = overlapping(n_pieces, max_pieces, overlap)
    for window in windows:
        for piece in range(window.keep_start, window.keep_end):
            depth = {w: min(piece - w.start, w.end - 1 - piece) for w in windows if w.start <= piece < w.end}
            at_an_end = piece < max_pieces or piece >= n_pieces - max_pieces
            assert at_an_end or depth[window] >= max(depth.values()) - 1


@given(st.integers(1, 300), st.integers(3, 40), st.data())
def test_training_windows_do_not_cut_spans(n_pieces, max_pieces, data):
    closed = np.zeros(n_pieces, bool)
    at = 0
    while at < n_pieces:
        size = data.draw(st.integers(1, 3))
        closed[at + 1 : at + size] = True  # one span after the other, each shorter than a window
        at += size
    borders = data.draw(st.lists(st.integers(0, n_pieces - 1), max_size=10).map(sorted))
    windows = consecutive(n_pieces, max_pieces, borders, closed)
    assert [w.start for w in windows] == [0, *(w.end for w in windows[:-1])]
    assert windows[-1].end == n_pieces
    assert all(len(window) <= max_pieces for window in windows)
    assert not any(closed[window.start] for window in windows)


def test_training_windows_prefer_sentence_borders():
    windows = consecutive(12, 6, [0, 4, 9], np.zeros(12, bool))
    assert [(w.start, w.end) for w in windows] == [(0, 4), (4, 9), (9, 12)]


def test_an_overlap_as_long_as_the_window_is_refused():
    with pytest.raises(ValueError, match="got overlap 8 and max_pieces 8"):
        overlapping(20, 8, 8)
