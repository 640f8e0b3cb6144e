"""Rewriting: words outside the edits stay, spans stay valid, an edge inside an edit moves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import DataError
from clinlp.note import Diagnosis, Note
from clinlp.rewrite import Edit, carry, rewrite
from clinlp.spans import Context, Span

TEXTS = st.text("ab 高血压\n😀é", min_size=1, max_size=40)


@st.composite
def spans_in(draw: st.DrawFn, size: int) -> Span:
    start = draw(st.integers(0, size - 1))
    context = draw(st.sampled_from([None, Context(negated=True)]))
    return Span(start, draw(st.integers(start + 1, size)), draw(st.sampled_from("AB")), 0.5, context)


@st.composite
def edits_in(draw: st.DrawFn, size: int) -> list[Edit]:
    borders = sorted(draw(st.sets(st.integers(0, size), max_size=10)))
    pairs = pairwise(borders)
    return [Edit(a, b, draw(st.text("XY某", min_size=1, max_size=6))) for a, b in pairs if draw(st.booleans())]


@st.composite
def notes_with_edits(draw: st.DrawFn) -> tuple[Note, list[Edit]]:
    text = draw(TEXTS)
    some = st.lists(spans_in(len(text)), max_size=5).map(tuple)
    codes = st.none() | st.lists(st.builds(Diagnosis, st.sampled_from(["I10", "E11.9"]), st.none(), some)).map(tuple)
    note = Note("n1", text, "p1", "zh", None, draw(some), draw(some), draw(some), draw(codes), {"ward": "3"})
    return note, draw(edits_in(len(text)))


def carry_one_by_one(span: Span, edits: Sequence[Edit]) -> Span:
    """The definition: walk over all edits."""
    start, end = span.start, span.end
    for edit in edits:
        growth = len(edit.replacement) - (edit.end - edit.start)
        if edit.end <= span.start:
            start += growth
        elif edit.start < span.start:
            start -= span.start - edit.start
        if edit.start < span.end:
            end += growth + max(0, edit.end - span.end)
    return replace(span, start=start, end=end)


def rewrite_one_by_one(text: str, edits: Sequence[Edit]) -> str:
    for edit in reversed(edits):
        text = text[: edit.start] + edit.replacement + text[edit.end :]
    return text


@given(notes_with_edits())
def test_the_text_is_the_text_with_the_edits(case: tuple[Note, list[Edit]]) -> None:
    note, edits = case
    assert rewrite(note, edits).text == rewrite_one_by_one(note.text, edits)


@given(notes_with_edits())
def test_every_span_moves_as_the_definition_says(case: tuple[Note, list[Edit]]) -> None:
    note, edits = case
    after = rewrite(note, edits)
    expected = replace(
        note,
        text=after.text,
        entities=tuple(carry_one_by_one(span, edits) for span in note.entities),
        phi=tuple(carry_one_by_one(span, edits) for span in note.phi),
        sections=tuple(carry_one_by_one(span, edits) for span in note.sections),
        diagnoses=None
        if note.diagnoses is None
        else tuple(replace(d, evidence=tuple(carry_one_by_one(s, edits) for s in d.evidence)) for d in note.diagnoses),
    )
    assert after == expected
    assert [span.score for _, span in after.spans()] == [span.score for _, span in note.spans()]


@given(notes_with_edits())
def test_words_of_untouched_spans_stay(case: tuple[Note, list[Edit]]) -> None:
    note, edits = case
    after = rewrite(note, edits)
    for _, span in note.spans():
        if all(edit.end <= span.start or span.end <= edit.start for edit in edits):
            moved = carry(span, edits)
            assert after.text[moved.start : moved.end] == note.text[span.start : span.end]


@given(notes_with_edits())
def test_no_span_is_lost_or_leaves_the_text(case: tuple[Note, list[Edit]]) -> None:
    note, edits = case
    before, after = list(note.spans()), list(rewrite(note, edits).spans())
    length = len(rewrite_one_by_one(note.text, edits))
    assert len(after) == len(before)
    assert all(0 <= span.start < span.end <= length for _, span in after)


@given(notes_with_edits())
def test_an_edge_never_stands_inside_a_replacement(case: tuple[Note, list[Edit]]) -> None:
    note, edits = case
    for _, span in rewrite(note, edits).spans():
        for edit in edits:
            new = carry(Span(edit.start, edit.end, "EDIT"), edits)
            assert not new.start < span.start < new.end
            assert not new.start < span.end < new.end


@given(notes_with_edits())
def test_spans_that_overlap_still_do(case: tuple[Note, list[Edit]]) -> None:
    note, edits = case
    for one in note.entities:
        for other in note.phi:
            if one.overlaps(other):
                assert carry(one, edits).overlaps(carry(other, edits))


@given(notes_with_edits(), st.randoms(use_true_random=False))
def test_the_order_of_edits_does_not_matter(case: tuple[Note, list[Edit]], random: Random) -> None:
    note, edits = case
    shuffled = list(edits)
    random.shuffle(shuffled)
    assert rewrite(note, shuffled) == rewrite(note, edits)


def test_an_edge_inside_an_edit_moves_out_to_its_border() -> None:
    edits = [Edit(3, 6, "----")]
    assert carry(Span(4, 8, "A"), edits) == Span(3, 9, "A")  # starts inside
    assert carry(Span(1, 5, "A"), edits) == Span(1, 7, "A")  # ends inside
    assert carry(Span(4, 5, "A"), edits) == Span(3, 7, "A")  # lies inside
    assert carry(Span(6, 8, "A"), edits) == Span(7, 9, "A")  # begins where the edit ends
    assert carry(Span(1, 3, "A"), edits) == Span(1, 3, "A")  # ends where the edit begins


@pytest.mark.parametrize(
    ("text", "name", "drug", "replacement", "expected"),
    [
        ("Mrs Doe takes aspirin.", "Doe", "aspirin", "[NAME]", "Mrs [NAME] takes aspirin."),
        ("患者王芳服用阿司匹林。", "王芳", "阿司匹林", "[姓名]", "患者[姓名]服用阿司匹林。"),
    ],
)
def test_a_name_is_replaced_and_the_drug_stays_marked(
    text: str, name: str, drug: str, replacement: str, expected: str
) -> None:
    at, drug_at = text.index(name), text.index(drug)
    phi, entity = Span(at, at + len(name), "NAME"), Span(drug_at, drug_at + len(drug), "DRUG")
    after = rewrite(Note("n1", text, phi=(phi,), entities=(entity,)), [Edit(phi.start, phi.end, replacement)])
    assert after.text == expected
    assert after.text[after.phi[0].start : after.phi[0].end] == replacement
    assert after.text[after.entities[0].start : after.entities[0].end] == drug


def test_no_edits_no_new_note() -> None:
    note = Note("n1", "x")
    assert rewrite(note, []) is note


def test_many_spans_and_edits_are_no_quadratic_work() -> None:
    n = 40_000  # span by span over all edits would be 1.6 billion steps
    note = Note("n1", "ab" * n, entities=tuple(Span(2 * i, 2 * i + 1, "A") for i in range(n)))
    after = rewrite(note, [Edit(2 * i + 1, 2 * i + 2, "--") for i in range(n)])
    assert after.entities[-1] == Span(3 * (n - 1), 3 * (n - 1) + 1, "A")


@pytest.mark.parametrize(("start", "end"), [(2, 2), (3, 2), (-1, 2)])
def test_an_edit_needs_a_character(start: int, end: int) -> None:
    with pytest.raises(DataError, match=rf"^edit needs 0 <= start < end, got \[{start}, {end}\)$"):
        Edit(start, end, "x")


def test_an_edit_needs_a_replacement() -> None:
    with pytest.raises(DataError, match=r"^edit \[1, 2\) needs a replacement, got an empty one$"):
        Edit(1, 2, "")


def test_edits_share_no_character() -> None:
    message = "^note n1: edits need to be ascending and disjoint, got one that starts at 3 before 4$"
    with pytest.raises(DataError, match=message):
        rewrite(Note("n1", "abcdef"), [Edit(3, 5, "x"), Edit(1, 4, "y")])


def test_carry_needs_ascending_edits() -> None:
    with pytest.raises(
        DataError, match=r"^edits need to be ascending and disjoint, got one that starts at 1 before 4$"
    ):
        carry(Span(0, 1, "A"), [Edit(3, 4, "x"), Edit(1, 2, "y")])


def test_an_edit_ends_within_the_note() -> None:
    with pytest.raises(DataError, match=r"^note n1: an edit ends after character 3$"):
        rewrite(Note("n1", "abc"), [Edit(2, 4, "x")])


def test_an_edit_never_shows_its_replacement() -> None:
    assert "Quorvath" not in repr(Edit(0, 3, "Quorvath"))
