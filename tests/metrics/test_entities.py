"""Entity scores: notes scored by hand, seqeval's numbers, and the largest pairing by brute force."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import DataError, UsageError
from clinlp.metrics.entities import score_entities
from clinlp.metrics.prf import COLUMNS, Prf
from clinlp.note import Note
from clinlp.spans import Context, Span, flatten

SENTINEL = "Zyxwina Quorvath 钟离娥"
SIZE = 24


def note(*spans: Span, note_id: str = "n1", size: int = 60) -> Note:
    return Note(note_id, "字" * size, entities=spans)


@st.composite
def span_lists(draw: st.DrawFn) -> list[Span]:
    found = []
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, SIZE - 1))
        found.append(Span(start, draw(st.integers(start + 1, min(SIZE, start + 9))), draw(st.sampled_from("AB"))))
    return found


def largest_pairing(gold: Sequence[Span], predicted: Sequence[Span]) -> int:
    """Augmenting paths (Kuhn 1955): slow and surely the largest."""
    owner: dict[int, int] = {}

    def place(at: int, tried: set[int]) -> bool:
        for i, span in enumerate(predicted):
            if i not in tried and span.label == gold[at].label and span.overlaps(gold[at]):
                tried.add(i)
                if i not in owner or place(owner[i], tried):
                    owner[i] = at
                    return True
        return False

    return sum(place(at, set()) for at in range(len(gold)))


def test_a_note_scored_by_hand() -> None:
    #         right              wrong border       wrong label        missed
    gold = [Span(0, 4, "DRUG"), Span(6, 9, "DRUG"), Span(12, 15, "TEST"), Span(20, 22, "TEST")]
    found = [Span(0, 4, "DRUG"), Span(6, 8, "DRUG"), Span(12, 15, "DRUG"), Span(30, 33, "DOSE")]
    strict = score_entities([note(*gold)], [note(*found)])
    assert strict.labels == {"DOSE": Prf(0, 1, 0), "DRUG": Prf(2, 3, 1), "TEST": Prf(2, 0, 0)}
    assert strict.micro == Prf(4, 4, 1)
    overlap = score_entities([note(*gold)], [note(*found)], match="overlap")
    assert overlap.labels["DRUG"] == Prf(2, 3, 2)
    assert overlap.micro == Prf(4, 4, 2)
    assert (overlap.micro.precision, overlap.micro.recall, overlap.micro.f1) == (0.5, 0.5, 0.5)
    assert overlap.macro_f1 == pytest.approx((0 + 0.8 + 0) / 3)


@pytest.mark.parametrize(
    ("gold", "predicted", "n_correct"),
    [
        ([(0, 20)], [(0, 5), (6, 10), (12, 20)], 1),  # three pieces of one gold span
        ([(0, 5), (6, 10), (12, 20)], [(0, 20)], 1),  # one prediction over three
        ([(0, 5), (4, 9)], [(4, 5), (0, 2)], 2),  # the greedy pair (0, 5)-(4, 5) would leave one alone
        ([(0, 10), (2, 4)], [(2, 4), (3, 8)], 2),  # nested
        ([(0, 5)], [(5, 9)], 0),  # touching
    ],
)
def test_overlap_matches_one_to_one(
    gold: list[tuple[int, int]], predicted: list[tuple[int, int]], n_correct: int
) -> None:
    golds, founds = ([Span(a, b, "A") for a, b in spans] for spans in (gold, predicted))
    scores = score_entities([note(*golds)], [note(*founds)], match="overlap")
    assert scores.micro == Prf(len(gold), len(predicted), n_correct)


@given(span_lists(), span_lists())
def test_overlap_finds_the_largest_pairing(gold: list[Span], predicted: list[Span]) -> None:
    gold, predicted = list(dict.fromkeys(gold)), list(dict.fromkeys(predicted))
    scores = score_entities([note(*gold)], [note(*predicted)], match="overlap")
    assert scores.micro == Prf(len(gold), len(predicted), largest_pairing(gold, predicted))


@given(span_lists(), span_lists())
def test_swapping_the_sides_swaps_precision_and_recall(gold: list[Span], predicted: list[Span]) -> None:
    for match in ("strict", "overlap"):
        one = score_entities([note(*gold)], [note(*predicted)], match=match).micro
        other = score_entities([note(*predicted)], [note(*gold)], match=match).micro
        assert (one.precision, one.recall, one.f1) == (other.recall, other.precision, other.f1)


@given(span_lists(), span_lists())
def test_overlap_is_never_below_strict(gold: list[Span], predicted: list[Span]) -> None:
    strict, overlap = (score_entities([note(*gold)], [note(*predicted)], match=m).micro for m in ("strict", "overlap"))
    assert strict.n_correct <= overlap.n_correct <= min(overlap.n_gold, overlap.n_predicted)


@given(span_lists())
def test_gold_against_itself_is_all_right(gold: list[Span]) -> None:
    for match in ("strict", "overlap"):
        micro = score_entities([note(*gold)], [note(*gold)], match=match).micro
        assert micro.n_correct == micro.n_gold == micro.n_predicted


def bio(spans: Sequence[Span]) -> list[str]:
    tags = ["O"] * SIZE
    for span in spans:
        tags[span.start : span.end] = [f"B-{span.label}", *[f"I-{span.label}"] * (len(span) - 1)]
    return tags


@given(st.lists(st.tuples(span_lists(), span_lists()), min_size=1, max_size=4))
def test_strict_agrees_with_seqeval_on_flat_spans(cases: list[tuple[list[Span], list[Span]]]) -> None:
    seqeval = pytest.importorskip("seqeval.metrics")
    flat = [(flatten(gold), flatten(predicted)) for gold, predicted in cases]
    ours = score_entities(
        [note(*gold, note_id=str(i)) for i, (gold, _) in enumerate(flat)],
        [note(*predicted, note_id=str(i)) for i, (_, predicted) in enumerate(flat)],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, where seqeval takes the mean of no labels
        theirs = (
            seqeval.classification_report(
                [bio(gold) for gold, _ in flat],
                [bio(predicted) for _, predicted in flat],
                output_dict=True,
                zero_division=0,
            )
            if any(gold or predicted for gold, predicted in flat)
            else {}
        )
    for label, prf in ours.labels.items():
        assert prf.n_gold == theirs[label]["support"]
        assert prf.precision == pytest.approx(theirs[label]["precision"])
        assert prf.recall == pytest.approx(theirs[label]["recall"])
        assert prf.f1 == pytest.approx(theirs[label]["f1-score"])
    if theirs:
        assert ours.micro.f1 == pytest.approx(theirs["micro avg"]["f1-score"])
        assert ours.macro_precision == pytest.approx(theirs["macro avg"]["precision"])
        assert ours.macro_recall == pytest.approx(theirs["macro avg"]["recall"])
        assert ours.macro_f1 == pytest.approx(theirs["macro avg"]["f1-score"])


def test_neither_score_nor_context_nor_a_double_counts() -> None:
    gold = note(Span(0, 4, "DRUG", context=Context(negated=True)))
    found = note(Span(0, 4, "DRUG", 0.3), Span(0, 4, "DRUG", 0.9, Context()))
    for match in ("strict", "overlap"):
        assert score_entities([gold], [found], match=match).micro == Prf(1, 1, 1)


def test_phi_is_scored_on_demand() -> None:
    gold, found = Note("n1", "王芳，女", phi=(Span(0, 2, "NAME"),)), Note("n1", "王芳，女")
    assert score_entities([gold], [found], attribute="phi").micro == Prf(1, 0, 0)
    assert score_entities([gold], [found]).micro == Prf(0, 0, 0)


def test_nothing_scores_zero() -> None:
    scores = score_entities([], [])
    assert (scores.micro.f1, scores.macro_f1, scores.labels) == (0.0, 0.0, {})


def test_notes_are_paired_by_id() -> None:
    one, two = note(Span(0, 1, "A"), note_id="1"), note(Span(5, 9, "A"), note_id="2")
    assert score_entities([one, two], iter([two, one])).micro == Prf(2, 2, 2)


def test_the_same_span_in_two_notes_counts_twice() -> None:
    notes = [note(Span(0, 1, "A"), note_id="1"), note(Span(0, 1, "A"), note_id="2")]
    assert score_entities(notes, notes).micro == Prf(2, 2, 2)


def test_a_missing_note_is_named() -> None:
    with pytest.raises(DataError, match=r"^note n2: a predicted note needed for every gold one, got none$"):
        score_entities([note(), note(note_id="n2")], [note()])


def test_an_extra_note_is_named() -> None:
    with pytest.raises(DataError, match=r"^note n2: a gold note needed for every predicted one, got none$"):
        score_entities([note()], [note(), note(note_id="n2")])


def test_a_note_that_is_there_twice_is_named() -> None:
    with pytest.raises(DataError, match=r"^note n1: one gold note of an id needed, got two$"):
        score_entities([note(), note()], [note()])
    with pytest.raises(DataError, match=r"^note n1: one predicted note of an id needed, got two$"):
        score_entities([note()], [note(), note()])


def test_offsets_of_another_text_are_not_compared() -> None:
    message = (
        r"^note n1: the same text needed on both sides, "
        rf"got {len(SENTINEL)} gold and 6 predicted characters that differ$"
    )
    with pytest.raises(DataError, match=message):
        score_entities([Note("n1", SENTINEL)], [Note("n1", "[NAME]")])


def test_an_unknown_match_or_attribute() -> None:
    with pytest.raises(UsageError, match=r"^match: strict or overlap needed, got 'partial'$"):
        score_entities([], [], match="partial")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^attribute: entities or phi needed, got 'text'$"):
        score_entities([], [], attribute="text")  # type: ignore[arg-type]


def test_a_long_note_is_no_quadratic_work() -> None:
    n = 60_000  # all pairs would be 3.6 billion
    gold = Note("n1", "字" * (3 * n), entities=tuple(Span(3 * i, 3 * i + 2, "A") for i in range(n)))
    found = Note("n1", gold.text, entities=tuple(Span(3 * i + 1, 3 * i + 3, "A") for i in range(n)))
    assert score_entities([gold], [found], match="overlap").micro == Prf(n, n, n)


def test_numbers_for_json_and_for_a_table() -> None:
    gold = [Span(0, 4, "DRUG"), Span(6, 9, "DRUG"), Span(12, 15, "TEST")]
    scores = score_entities([note(*gold)], [note(*gold[:2])])
    shown = json.loads(json.dumps(scores.to_dict()))
    assert shown["labels"]["DRUG"] == {
        "n_gold": 2, "n_predicted": 2, "n_correct": 2, "precision": 1.0, "recall": 1.0, "f1": 1.0,
    }  # fmt: skip
    assert shown["micro"]["f1"] == pytest.approx(0.8)
    assert shown["macro"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    rows = scores.rows()
    assert [row[0] for row in rows] == ["DRUG", "TEST", "micro", "macro"]
    assert {len(row) for row in rows} == {1 + len(COLUMNS)}
    assert rows[2] == ("micro", "3", "2", "2", "100.0", "66.7", "80.0")
