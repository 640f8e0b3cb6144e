"""Scores of evidence, worked out by hand."""

from __future__ import annotations

import json

import pytest

from clinlp.errors import DataError
from clinlp.metrics.faithfulness import SHARES, Erasure, first_tokens, score_faithfulness
from clinlp.metrics.plausibility import score_plausibility
from clinlp.metrics.prf import Prf
from clinlp.note import Diagnosis, Note
from clinlp.spans import Span
from clinlp.text.tokens import tokenize


def note(text: str, *spans: tuple[int, int], code: str = "A", label: str = "EVIDENCE") -> Note:
    return Note("n", text, diagnoses=(Diagnosis(code, evidence=tuple(Span(*span, label) for span in spans)),))


def test_comprehensiveness_and_sufficiency_by_hand() -> None:
    one = Erasure(0.9, (0.9, 0.8, 0.5, 0.3, 0.0), (0.1, 0.4, 0.9, 0.9, 0.9))
    two = Erasure(0.5, (0.5, 0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5, 0.6))
    alone, both = score_faithfulness([one]), score_faithfulness([one, two])
    assert alone.comprehensiveness == pytest.approx((0.0, 0.1, 0.4, 0.6, 0.9))
    assert alone.comprehensiveness_area == pytest.approx(0.4)
    assert alone.sufficiency == pytest.approx((0.8, 0.5, 0.0, 0.0, 0.0))
    assert alone.sufficiency_area == pytest.approx(0.26)
    assert both.comprehensiveness_area == pytest.approx(0.2)
    assert both.sufficiency[-1] == pytest.approx(-0.05)  # the evidence alone may say more than the note
    assert json.loads(json.dumps(both.to_dict()))["n"] == 2


def test_nothing_erased_is_nothing_scored() -> None:
    assert score_faithfulness([]).comprehensiveness_area == 0.0
    with pytest.raises(DataError, match=r"^erasure: 5 shares needed, got 1 and 5$"):
        score_faithfulness([Erasure(0.5, (0.5,), (0.5,) * 5)])


def test_a_share_is_rounded_up_and_never_the_whole_note() -> None:
    assert first_tokens(100) == (1, 5, 10, 20, 50)
    assert first_tokens(7) == (1, 1, 1, 2, 4)
    assert all(0 < count < n for n in range(2, 200) for count in first_tokens(n, SHARES))


@pytest.mark.parametrize(
    ("text", "gold", "found"),
    [
        ("severe acute chest pain at rest", [(7, 23), (27, 31)], [(13, 31)]),
        ("胸骨后压痛发热", [(1, 4), (5, 6)], [(2, 6)]),
    ],
)  # fmt: skip
def test_tokens_and_spans_by_hand(text: str, gold: list[tuple[int, int]], found: list[tuple[int, int]]) -> None:
    scores = score_plausibility([note(text, *gold)], [note(text, *found)], tokenize)
    assert scores.tokens == Prf(4, 4, 3)
    assert scores.token_f1 == pytest.approx(0.75)
    assert scores.spans == Prf(2, 1, 0)  # two of five tokens are not half
    assert scores.touching == Prf(2, 1, 1)


def test_half_of_the_tokens_of_both_is_the_same_span() -> None:
    gold, found = note("acute chest pain", (6, 16)), note("acute chest pain", (0, 11), (6, 16))
    assert score_plausibility([gold], [found], tokenize).spans == Prf(1, 2, 1)


def test_only_codes_with_gold_evidence_count() -> None:
    text = "no fever"
    codes = (Diagnosis("A", evidence=(Span(0, 2, "X"),)), Diagnosis("B"), Diagnosis("C", evidence=(Span(3, 8, "X"),)))
    gold = [Note("n", text, diagnoses=codes)]
    found = [Note("n", text, diagnoses=(Diagnosis("A"), Diagnosis("B", evidence=(Span(0, 2, "EVIDENCE"),))))]
    scores = score_plausibility(gold, found, tokenize)
    assert (scores.n, scores.n_not_explained, scores.tokens) == (1, 1, Prf(1, 0, 0))
    assert json.loads(json.dumps(scores.to_dict()))["tokens"]["mean_f1"] == 0.0


def test_a_code_given_twice_has_all_its_evidence_and_words_against_it_are_none() -> None:
    text = "fever cough"
    twice = (Diagnosis("A", evidence=(Span(0, 5, "X"),)), Diagnosis("A", evidence=(Span(6, 11, "X"),)))
    gold = Note("n", text, diagnoses=twice)
    assert score_plausibility([gold], [note(text, (0, 5))], tokenize).tokens == Prf(2, 1, 1)
    assert score_plausibility([gold], [note(text, (0, 5), label="AGAINST")], tokenize).tokens == Prf(2, 0, 0)


def test_evidence_of_another_text_is_refused() -> None:
    with pytest.raises(DataError, match="the same text needed"):
        score_plausibility([note("a b", (0, 1))], [note("a c", (0, 1))], tokenize)
