"""Spans to tags and back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import AlignmentError, Span
from clinlp.tagging.scheme import decode_tags, encode_tags, tag_names, to_bioes

LABELS = ["DISEASE", "DRUG"]


@st.composite
def flat_spans(draw):
    """Tokens with gaps between them, and disjoint spans over whole tokens."""
    lengths = draw(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=1, max_size=30))
    offsets, at = [], 0
    for length, gap in lengths:
        offsets.append((at, at + length))
        at += length + gap
    spans, token = [], 0
    while token < len(offsets):
        size = draw(st.integers(1, 3))
        last = min(len(offsets), token + size) - 1
        if draw(st.booleans()):
            spans.append(Span(offsets[token][0], offsets[last][1], draw(st.sampled_from(LABELS))))
        token = last + 1
    return offsets, spans


@given(flat_spans())
def test_spans_survive_the_round_trip(case):
    offsets, spans = case
    cells = np.array(offsets, np.int32)
    tags, n_cut = encode_tags(spans, cells, LABELS)
    assert n_cut == 0
    assert decode_tags(tags, cells, LABELS) == spans


@given(st.lists(st.integers(0, 8), max_size=40))
def test_any_tags_give_disjoint_spans_in_order(tags):
    cells = np.array([(at, at + 1) for at in range(len(tags))], np.int32).reshape(-1, 2)
    spans = decode_tags(np.array(tags, np.int64), cells, LABELS)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    assert sum(map(len, spans)) == sum(tag > 0 for tag in tags)  # no tagged token is lost


def test_textbook_tags():
    offsets = [(0, 5), (6, 12), (13, 17), (18, 26)]
    spans = [Span(0, 12, "DISEASE"), Span(18, 26, "DRUG")]
    assert to_bioes(spans, offsets) == ["B-DISEASE", "E-DISEASE", "O", "S-DRUG"]
    assert tag_names(["X"]) == ["O", "B-X", "I-X", "E-X", "S-X"]


def test_a_score_is_that_of_the_least_certain_piece():
    cells = np.array([(0, 1), (1, 2)], np.int32)
    tags = np.array([1, 3], np.int64)  # B-DISEASE E-DISEASE
    [span] = decode_tags(tags, cells, LABELS, np.array([0.9, 0.6], np.float32))
    assert span.score == pytest.approx(0.6)


def test_a_span_that_cuts_a_token_is_refused_as_tags():
    with pytest.raises(AlignmentError, match="got 1 of 1 that cut one"):
        to_bioes([Span(0, 3, "DRUG")], [(0, 5)])


def test_a_span_that_cuts_a_piece_is_widened_and_counted():
    tags, n_cut = encode_tags([Span(1, 3, "DRUG")], np.array([(0, 5)], np.int32), LABELS)
    assert (tags.tolist(), n_cut) == ([8], 1)


def test_overlapping_spans_are_refused():
    with pytest.raises(AlignmentError, match="shares a token"):
        encode_tags([Span(0, 2, "DRUG"), Span(1, 3, "DRUG")], np.array([(0, 1), (1, 2), (2, 3)], np.int32), LABELS)
