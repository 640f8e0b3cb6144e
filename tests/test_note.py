"""The data model: what it refuses, how it orders spans, and that it never shows a note's words."""

from __future__ import annotations

import copy
import multiprocessing
from dataclasses import FrozenInstanceError, replace
from datetime import date
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import DataError, Failure, MissingExtraError, UsageError
from clinlp.labels import ENTITY_LABELS
from clinlp.note import Diagnosis, Note
from clinlp.spans import Context, Span, covered, flatten, in_order

SENTINEL = "Zyxwina Quorvath 钟离娥"


@st.composite
def spans(draw: st.DrawFn, size: int = 30) -> Span:
    start = draw(st.integers(0, size - 1))
    end = draw(st.integers(start + 1, size))
    return Span(start, end, draw(st.sampled_from("AB")))


def characters(*found: Span) -> set[int]:
    return {at for span in found for at in range(span.start, span.end)}


# spans


@pytest.mark.parametrize(("start", "end"), [(7, 7), (8, 7), (-1, 3)])
def test_a_span_needs_a_character(start: int, end: int) -> None:
    with pytest.raises(DataError, match=rf"^span needs 0 <= start < end, got \[{start}, {end}\)$"):
        Span(start, end, "DRUG")


def test_a_span_needs_a_label() -> None:
    with pytest.raises(DataError, match=r"^span \[1, 2\) needs a label, got none$"):
        Span(1, 2, "")


@pytest.mark.parametrize(("score", "said"), [(-0.1, "one below"), (4471982, "one above"), (float("nan"), "nan")])
def test_a_score_is_a_probability(score: float, said: str) -> None:
    with pytest.raises(DataError, match=rf"^span \[1, 2\) needs a score from 0 to 1, got {said}$"):
        Span(1, 2, "DRUG", score)
    with pytest.raises(DataError, match=rf"^diagnosis needs a score from 0 to 1, got {said}$"):
        Diagnosis(SENTINEL, score)


def test_the_score_is_no_part_of_equality() -> None:
    assert Span(1, 2, "DRUG", 0.5) == Span(1, 2, "DRUG", 0.9)
    assert hash(Span(1, 2, "DRUG", 0.5)) == hash(Span(1, 2, "DRUG"))
    assert Span(1, 2, "DRUG", context=Context(negated=True)) != Span(1, 2, "DRUG", context=Context())


def test_context_knows_its_experiencers() -> None:
    with pytest.raises(DataError, match=r"^context needs experiencer patient, family or other, got str$"):
        Context(experiencer=SENTINEL)  # type: ignore[arg-type]


def test_spans_that_touch_do_not_overlap() -> None:
    assert not Span(0, 2, "A").overlaps(Span(2, 4, "A"))
    assert Span(0, 3, "A").overlaps(Span(2, 4, "A"))


@given(st.lists(spans()))
def test_in_order_puts_the_outer_span_first(found: list[Span]) -> None:
    ordered = in_order(found)
    assert sorted(ordered, key=repr) == sorted(found, key=repr)
    for first, second in pairwise(ordered):
        assert (first.start, -first.end, first.label) <= (second.start, -second.end, second.label)


@given(st.lists(spans()))
def test_flatten_keeps_disjoint_spans_and_every_lost_one_clashes(found: list[Span]) -> None:
    kept = flatten(found)
    assert all(first.end <= second.start for first, second in pairwise(kept))
    for span in found:
        assert span in kept or any(span.overlaps(winner) and len(winner) >= len(span) for winner in kept)


@given(st.lists(spans()), st.randoms(use_true_random=False))
def test_flatten_does_not_depend_on_the_order(found: list[Span], random: Random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert flatten(shuffled) == flatten(found)


def test_flatten_prefers_the_longest_then_the_earlier() -> None:
    outer, inner = Span(0, 9, "DISEASE"), Span(3, 5, "ANATOMY")
    assert flatten([inner, outer]) == (outer,)
    assert flatten([Span(2, 4, "A"), Span(1, 3, "A")]) == (Span(1, 3, "A"),)


@given(st.lists(spans()))
def test_covered_counts_each_character_once(found: list[Span]) -> None:
    assert covered(found) == len(characters(*found))


# notes


def test_a_note_needs_an_id() -> None:
    with pytest.raises(DataError, match=r"^note needs a note_id, got none$"):
        Note("", SENTINEL)


def test_a_note_refuses_a_language_that_it_does_not_know() -> None:
    with pytest.raises(DataError, match=r"^note n1: lang needs en or zh, got another value$"):
        Note("n1", "x", lang=SENTINEL)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["entities", "phi", "sections", "evidence"])
def test_a_span_ends_within_the_note(kind: str) -> None:
    late = (Span(3, 6, "DRUG"),)
    given = {"diagnoses": (Diagnosis("I10", evidence=late),)} if kind == "evidence" else {kind: late}
    with pytest.raises(DataError, match=rf"^note n1: {kind} span \[3, 6\) ends after character 5$"):
        Note("n1", "高血压五年", **given)  # type: ignore[arg-type]


def test_offsets_are_code_points() -> None:
    text = "BP 😀 高血压"
    note = Note("n1", text, entities=(Span(5, 8, "DISEASE"),))
    assert text[note.entities[0].start : note.entities[0].end] == "高血压"


def test_a_note_holds_spans_in_order() -> None:
    inner, outer, late = Span(2, 3, "A"), Span(2, 5, "A"), Span(4, 5, "A")
    note = Note("n1", "abcdef", entities=(late, inner, outer), diagnoses=(Diagnosis("I10", evidence=(late, outer)),))
    assert note.entities == (outer, inner, late)
    assert note.diagnoses is not None
    assert note.diagnoses[0].evidence == (outer, late)


def test_no_codes_is_not_the_same_as_not_annotated() -> None:
    assert Note("n1", "x", diagnoses=()) != Note("n1", "x")


def test_a_note_is_never_edited_in_place() -> None:
    note = Note("n1", "x")
    with pytest.raises(FrozenInstanceError):
        note.text = "y"  # type: ignore[misc]


def test_a_diagnosis_needs_a_code() -> None:
    with pytest.raises(DataError, match=r"^diagnosis needs a code, got none$"):
        Diagnosis("")


def whole_note() -> Note:
    span = Span(0, 4, "DISEASE", 0.5, Context(negated=True))
    codes = (Diagnosis("I10", 0.9, (span,)),)
    return Note("n1", SENTINEL, SENTINEL, "zh", date(2020, 1, 2), (span,), (span,), (span,), codes, {"ward": SENTINEL})


def test_a_repr_shows_neither_text_nor_patient_nor_fields() -> None:
    shown = repr(whole_note())
    assert "n1" in shown
    for word in (*SENTINEL.split(), "2020"):
        assert word not in shown


def test_a_note_can_be_copied_and_hashed() -> None:
    note = whole_note()
    assert copy.deepcopy(note) == note
    assert {note, replace(note)} == {note}


def test_notes_cross_to_another_process_and_back() -> None:
    notes = [whole_note(), Note("n2", "无")]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(copy.copy, notes) == notes


# errors


def test_a_failure_quotes_our_own_errors_alone() -> None:
    ours = Failure.of(DataError("note n1: too long"), stage="read", note_id="n1", source="dump.jsonl", line=41)
    assert ours == Failure("dump.jsonl", 41, "n1", "read", "DataError", "note n1: too long")
    other = Failure.of(ValueError(SENTINEL), stage="read", note_id="n1")
    assert other == Failure("", None, "n1", "read", "ValueError", "")


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtraError("pyspark", "spark")
    assert str(error) == "pyspark: needed here and not installed; pip install 'clinlp-emr[spark]'"
    assert str(copy.copy(error)) == str(error)
    assert Failure.of(error, stage="start").reason == str(error)


def test_errors_are_the_builtins_that_a_caller_may_already_catch() -> None:
    assert issubclass(DataError, ValueError)
    assert issubclass(UsageError, ValueError)
    assert issubclass(MissingExtraError, ImportError)


# labels


def test_every_label_has_a_name_in_both_languages() -> None:
    for label, (english, chinese) in ENTITY_LABELS.items():
        assert label.isupper()
        assert english.isascii()
        assert not chinese.isascii()


@pytest.mark.parametrize("text", [None, float("nan"), b"x", 5])
def test_a_text_is_a_string(text):
    with pytest.raises(DataError, match=f"note n1: a text needed, got {type(text).__name__}"):
        Note("n1", text)
