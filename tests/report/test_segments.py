"""Cutting a text at span borders: nothing lost, boxes nest, long notes stay cheap."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from clinlp.report.segments import lay_out, segments
from clinlp.spans import Span

SIZE = 30


@st.composite
def kinded(draw: st.DrawFn) -> tuple[str, Span]:
    start = draw(st.integers(0, SIZE - 1))
    span = Span(start, draw(st.integers(start + 1, SIZE)), draw(st.sampled_from("AB")))
    return draw(st.sampled_from(["entities", "phi"])), span


@given(st.lists(kinded(), max_size=12), st.sets(st.integers(0, SIZE), max_size=4))
def test_every_character_has_the_marks_that_cover_it(spans: list[tuple[str, Span]], cuts: set[int]) -> None:
    found = list(segments(SIZE, lay_out(spans), cuts))
    assert [segment.start for segment in found] == [0, *(segment.end for segment in found[:-1])]
    assert found[-1].end == SIZE
    assert cuts - {0, SIZE} <= {segment.start for segment in found}
    for segment in found:
        for at in range(segment.start, segment.end):
            expected = sorted(
                (kind, span.start, span.end, span.label) for kind, span in spans if span.start <= at < span.end
            )
            assert sorted((m.kind, m.span.start, m.span.end, m.span.label) for m in segment.marks) == expected


@given(st.lists(kinded(), max_size=12))
def test_spans_that_overlap_have_lanes_of_their_own(spans: list[tuple[str, Span]]) -> None:
    marks = lay_out(spans)
    assert len(marks) == len(spans)
    for one, other in combinations(marks, 2):
        if one.span.overlaps(other.span):
            assert one.lane != other.lane


def test_the_inner_span_is_the_inner_box() -> None:
    outer, inner, alone = Span(0, 10, "A"), Span(2, 5, "B"), Span(12, 14, "A")
    marks = lay_out([("entities", span) for span in (alone, inner, outer)])
    assert {mark.span: mark.lane for mark in marks} == {outer: 1, inner: 0, alone: 0}
    middle = next(segment for segment in segments(15, marks) if segment.start == 2)
    assert [mark.span for mark in middle.marks] == [outer, inner]


def test_an_empty_text_has_no_segments() -> None:
    assert list(segments(0, [])) == []


def test_many_spans_are_no_quadratic_work() -> None:
    n = 50_000
    marks = lay_out(("entities", Span(2 * i, 2 * i + 3, "A")) for i in range(n))
    assert {mark.lane for mark in marks} == {0, 1}
    assert (
        sum(len(segment.marks) for segment in segments(2 * n + 1, marks)) == 3 * n - 2
    )  # n parts alone, n - 1 shared by two
