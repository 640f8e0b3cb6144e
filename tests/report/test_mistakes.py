"""What is wrong, one by one: every span is in one pair, and the kinds are those of the textbook case."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from clinlp.metrics.choice import Choice
from clinlp.metrics.entities import score_entities
from clinlp.note import Diagnosis, Note
from clinlp.report.mistakes import code_mistakes, pair_spans, span_mistakes
from clinlp.spans import Span

EN = "Severe chest pain and fever. No known drug allergy."
ZH = "患者发热伴咳嗽三天，既往高血压病史。"


def at(text: str, words: str, label: str, score: float | None = None) -> Span:
    start = text.index(words)
    return Span(start, start + len(words), label, score)


def test_each_kind_of_mistake_in_english() -> None:
    gold = Note(
        "en", EN, entities=(at(EN, "chest pain", "SYMPTOM"), at(EN, "fever", "SYMPTOM"), at(EN, "drug", "DRUG"))
    )
    found = Note(
        "en",
        EN,
        entities=(at(EN, "Severe chest pain", "SYMPTOM", 0.9), at(EN, "fever", "DISEASE"), at(EN, "known", "X")),
    )
    mistakes, met = span_mistakes([gold], [found], "entities")
    assert [(each.kind, *each.names) for each in mistakes] == [
        ("wrong border", "SYMPTOM", "SYMPTOM"),
        ("wrong label", "SYMPTOM", "DISEASE"),
        ("spurious", "", "X"),
        ("missed", "DRUG", ""),
    ]
    assert met == Counter({("SYMPTOM", "SYMPTOM"): 1, ("SYMPTOM", "DISEASE"): 1, ("DRUG", ""): 1, ("", "X"): 1})
    assert mistakes[0].to_dict() == {
        "note_id": "en",
        "kind": "wrong border",
        "gold": {"start": 7, "end": 17, "label": "SYMPTOM"},
        "predicted": {"start": 0, "end": 17, "label": "SYMPTOM", "score": 0.9},
    }


def test_the_same_border_pairs_before_the_same_label_in_chinese() -> None:
    gold = [at(ZH, "发热", "SYMPTOM"), at(ZH, "高血压", "DISEASE")]
    found = [at(ZH, "发热", "DISEASE"), at(ZH, "发热伴咳嗽", "SYMPTOM"), at(ZH, "高血压", "DISEASE")]
    pairs = pair_spans(gold, found)
    assert (gold[0], found[0]) in pairs
    assert (gold[1], found[2]) in pairs
    assert (None, found[1]) in pairs


SPANS = st.lists(
    st.builds(lambda s, n, label: Span(s, s + n, label), st.integers(0, 25), st.integers(1, 5), st.sampled_from("AB")),
    max_size=10,
)


@given(SPANS, SPANS)
def test_every_span_is_in_one_pair_and_the_right_ones_are_the_strict_matches(
    gold: list[Span], found: list[Span]
) -> None:
    pairs = pair_spans(gold, found)
    assert Counter(one for one, _ in pairs if one) == Counter(set(gold))
    assert Counter(other for _, other in pairs if other) == Counter(set(found))
    scored = score_entities([Note("n", "x" * 40, entities=tuple(gold))], [Note("n", "x" * 40, entities=tuple(found))])
    assert sum(one == other for one, other in pairs) == scored.micro.n_correct


def test_codes_are_missed_or_spurious_and_a_missed_one_keeps_its_rank() -> None:
    gold = Note("n", ZH, diagnoses=(Diagnosis("I10"), Diagnosis("J18"), Diagnosis("E11")))
    found = Note("n", ZH, diagnoses=(Diagnosis("I10", 0.9), Diagnosis("J18", 0.3), Diagnosis("K29", 0.8)))
    made = code_mistakes([gold], [found], Choice(0.5))
    assert [(each.kind, *each.names, each.score) for each in made] == [
        ("missed", "J18", "J18", 0.3),
        ("missed", "E11", "", None),
        ("spurious", "", "K29", 0.8),
    ]
