"""Comparisons of two runs: a published permutation test, SciPy's, the level under the null, and scores by hand."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp import Diagnosis, Note, Span
from clinlp.errors import DataError
from clinlp.metrics.compare import compare, measure
from clinlp.metrics.diagnosis import score_diagnoses
from clinlp.metrics.entities import score_entities
from clinlp.metrics.intervals import Sampling, interval
from clinlp.metrics.prf import NoteCounts, Prf

# Darwin's maize (The Effects of Cross and Self Fertilisation, 1876): heights in eighths of an inch, 15 pairs
CROSSED = (188, 96, 168, 176, 153, 172, 177, 163, 146, 173, 186, 168, 177, 184, 96)
SELFED = (139, 163, 160, 160, 147, 149, 149, 122, 132, 144, 130, 144, 102, 124, 144)
TEXTS = {"en": "Fever and cough since Monday, on metformin.", "zh": "发热咳嗽三天，口服二甲双胍。"}


def heights(values: tuple[int, ...]) -> list[NoteCounts]:
    return [NoteCounts(f"n{at}", shares={"height": (value, 1.0)}) for at, value in enumerate(values)]


def counts(rows: list[dict[str, tuple[int, int, int]]], patients: list[str] | None = None) -> list[NoteCounts]:
    return [
        NoteCounts(f"n{at}", patients[at] if patients else None, {label: Prf(*prf) for label, prf in row.items()})
        for at, row in enumerate(rows)
    ]


def test_fisher_s_test_of_darwin_s_maize() -> None:
    """Fisher (1935), The Design of Experiments, section 21: 1,726 of 32,768 arrangements, 5.267 %."""
    made = compare(heights(SELFED), heights(CROSSED), n_shuffles=2**15)
    row = made.overall["height"]
    assert made.exact
    assert made.n_shuffles == 32_768
    assert row.p == pytest.approx(1726 / 32_768, abs=1e-12)
    assert row.difference.value == pytest.approx(314 / 15)


def test_random_shuffles_come_close_to_all_of_them() -> None:
    made = compare(heights(SELFED), heights(CROSSED), n_shuffles=20_000)
    assert not made.exact
    assert made.overall["height"].p == pytest.approx(1726 / 32_768, abs=0.006)


def test_an_f1_is_tested_as_scipy_tests_it() -> None:
    stats = pytest.importorskip("scipy.stats")
    numbers = np.random.default_rng(5)
    gold = numbers.integers(1, 6, 8)
    runs = [np.minimum(gold, numbers.integers(0, 6, 8)) for _ in range(2)]
    predicted = [right + numbers.integers(0, 4, 8) for right in runs]

    def gained(*sides: np.ndarray) -> np.ndarray:  # a note's (gold, predicted, correct) packed into one number
        f1 = []
        for side in sides:
            n_gold, n_predicted, n_correct = (side // 100**part % 100 for part in (2, 1, 0))
            f1.append(2 * n_correct.sum(axis=-1) / (n_gold + n_predicted).sum(axis=-1))
        return f1[0] - f1[1]

    packed = [gold * 10_000 + p * 100 + c for p, c in zip(predicted, runs, strict=True)]
    theirs = stats.permutation_test(packed, gained, permutation_type="samples", n_resamples=np.inf, vectorized=False)
    made = compare(
        *(
            counts([{"X": (int(g), int(p), int(c))} for g, p, c in zip(gold, *run, strict=True)])
            for run in zip(predicted, runs, strict=True)
        )
    )
    assert made.exact
    assert made.overall["f1"].p == pytest.approx(theirs.pvalue)


def test_the_test_rejects_as_often_as_it_says_where_runs_are_alike() -> None:
    """Both runs find a span with the same probability of its own: p is uniform, by note and by patient."""
    numbers = np.random.default_rng(11)
    patients = [f"p{at // 3}" for at in range(90)]
    rejected, p_values = 0, []
    for at in range(200):
        ease = numbers.beta(4, 2, 30).repeat(3)  # notes of a patient are alike
        gold = numbers.integers(1, 7, 90)
        runs = []
        for _ in range(2):
            tilt = np.clip(ease + numbers.normal(0, 0.1, 30).repeat(3), 0, 1)  # and so are a run's slips
            right = numbers.binomial(gold, tilt)
            wrong = numbers.binomial(3, 1 - tilt)
            rows = zip(gold.tolist(), (right + wrong).tolist(), right.tolist(), strict=True)
            runs.append(counts([{"X": row} for row in rows], patients))
        p = compare(*runs, Sampling(n_resamples=1, seed=at), n_shuffles=199, n_labels=0).overall["f1"].p
        rejected += p <= 0.05
        p_values.append(p)
    assert 2 <= rejected <= 20  # 10 expected; outside with probability below 0.002
    assert 0.45 < np.mean(p_values) < 0.55


def test_the_interval_of_the_difference_holds_it_as_often_as_it_says() -> None:
    numbers = np.random.default_rng(3)
    held = 0
    for at in range(100):
        gold = numbers.integers(1, 7, 120)
        ease = numbers.beta(8, 2, 120)
        runs = [numbers.binomial(gold, ease * share) for share in (0.9, 1.0)]  # recall of 0.72 and 0.8
        rows = (counts([{"X": (int(g), 4, int(c))} for g, c in zip(gold, run, strict=True)]) for run in runs)
        gained = compare(*rows, Sampling(n_resamples=300, seed=at), n_shuffles=1).overall["recall"].difference
        held += gained.low <= 0.08 <= gained.high
    assert 86 <= held <= 100  # 95 expected


def test_runs_that_are_the_same_do_not_differ() -> None:
    rows = counts([{"X": (2, 2, 1)}, {"Y": (1, 0, 0)}])
    made = compare(rows, rows)
    assert (made.n_units_differing, made.n_shuffles, made.exact) == (0, 1, True)
    assert made.overall["f1"].p == 1.0
    assert made.overall["f1"].difference.to_dict() == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_patient_s_notes_are_drawn_and_swapped_together() -> None:
    worse, better = [{"X": (1, 1, 0)}] * 12, [{"X": (1, 1, 1)}] * 12
    alone = compare(counts(worse), counts(better))
    together = compare(counts(worse, ["p", "q", "r"] * 4), counts(better, ["p", "q", "r"] * 4))
    assert (alone.n_units, alone.sampling.unit, together.n_units, together.sampling.unit) == (
        12,
        "notes",
        3,
        "patients",
    )
    assert alone.overall["f1"].p == pytest.approx(2 / 2**12)
    assert together.overall["f1"].p == pytest.approx(2 / 2**3)
    apart = compare(counts(worse, ["p"] * 12), counts(better, ["p"] * 12), Sampling(unit="notes"))
    assert apart.n_units == 12


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_notes_are_scored_and_compared(lang: str) -> None:
    text = TEXTS[lang]
    fever, drug = ("Fever", "metformin") if lang == "en" else ("发热", "二甲双胍")
    spans = tuple(
        Span(text.index(words), text.index(words) + len(words), label)
        for words, label in ((fever, "SYMPTOM"), (drug, "DRUG"))
    )
    gold = [Note(f"n{at}", text, patient_id=f"p{at // 2}", entities=spans) for at in range(20)]
    runs = [[Note(note.note_id, text, entities=found) for note in gold] for found in (spans[:1], spans)]
    scored = [score_entities(gold, run) for run in runs]
    made = compare(*(each.notes for each in scored), Sampling(n_resamples=200))
    assert made.overall["f1"].a.value == scored[0].micro.f1
    assert made.overall["macro_f1"].a.value == scored[0].macro_f1
    assert made.overall["f1"].difference.value == pytest.approx(1 / 3)
    assert made.counts["DRUG"] == (Prf(20, 0, 0), Prf(20, 20, 20))
    row = made.labels["DRUG"]["f1"]
    assert (row.a.value, row.b.value, row.difference.value) == (0.0, 1.0, 1.0)
    assert row.p == pytest.approx(2 / 2**10)
    assert row.p_holm == pytest.approx(2 * row.p)
    assert made.labels["SYMPTOM"]["f1"].p_holm == 1.0
    assert math.isnan(made.labels["DRUG"]["precision"].a.value)  # nothing was predicted
    assert made.to_dict()["labels"]["DRUG"]["precision"]["a"]["value"] is None


def test_rankings_of_codes_have_intervals_too() -> None:
    gold = [Note(f"n{at}", "文", diagnoses=(Diagnosis("J18" if at % 2 else "E11"),)) for at in range(30)]
    found = [Note(f"n{at}", "文", diagnoses=(Diagnosis("J18", 0.9), Diagnosis("E11", 0.4))) for at in range(30)]
    scored = score_diagnoses(gold, found)
    made = measure(scored.notes)
    for name, value in (("map", scored.map), ("top1", scored.top1), ("exact", scored.exact)):
        assert made.overall[name].value == pytest.approx(value)
        assert made.overall[name].low < value < made.overall[name].high
    assert made.overall["map"].value == pytest.approx(0.75)


def test_an_interval_is_that_of_the_plain_bootstrap() -> None:
    numbers = np.random.default_rng(2)
    gold, extra = numbers.integers(0, 6, 50), numbers.integers(0, 3, 50)
    right = numbers.binomial(gold, 0.7)
    rows = [{"X": (int(g), int(c + e), int(c))} for g, e, c in zip(gold, extra, right, strict=True)]
    made = measure(counts(rows), Sampling(n_resamples=500, seed=4)).overall["f1"]
    plain = interval(2 * right, gold + right + extra, n_resamples=500, seed=4)
    assert made == plain


@settings(max_examples=25)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("XYZ"), st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=3),
        min_size=1,
        max_size=12,
    )
)
def test_scores_of_sums_are_those_of_added_counts(rows: list[dict[str, tuple[int, int]]]) -> None:
    notes = counts([{label: (g, p, min(g, p)) for label, (g, p) in row.items()} for row in rows])
    total: dict[str, Prf] = {}
    for label, prf in itertools.chain.from_iterable(note.labels.items() for note in notes):
        total[label] = total.get(label, Prf()) + prf
    made = measure(notes, Sampling(n_resamples=20))
    micro = sum(total.values(), Prf())
    for name in ("precision", "recall", "f1"):
        for prf, each in ((micro, made.overall), *((total[label], made.labels[label]) for label in total)):
            value = each[name].value
            assert (0.0 if math.isnan(value) else value) == pytest.approx(getattr(prf, name))
    there = [prf.f1 for prf in total.values() if prf.n_gold + prf.n_predicted]
    if there:
        assert made.overall["macro_f1"].value == pytest.approx(sum(there) / len(there))


def test_notes_in_another_order_are_refused() -> None:
    rows = counts([{"X": (1, 1, 1)}, {"X": (1, 0, 0)}])
    with pytest.raises(DataError, match="compare: two runs over the same notes in the same order needed, got others"):
        compare(rows, rows[::-1])


def test_labels_beyond_the_number_asked_for_are_counted_as_left_out() -> None:
    rows = counts([{f"C{at:02}": (at, at, at) for at in range(1, 31)}] * 4)
    made = compare(rows, rows, n_labels=5)
    assert list(made.labels) == ["C26", "C27", "C28", "C29", "C30"]
    assert made.n_labels_left_out == 25
    assert made.overall["macro_f1"].a.value == 1.0


def test_thousands_of_codes_over_thousands_of_notes_are_quick() -> None:
    numbers = np.random.default_rng(1)
    runs = []
    for _ in range(2):
        rows = [
            {f"C{code}": (1, 1, int(numbers.random() < 0.6)) for code in numbers.integers(0, 3000, 8).tolist()}
            for _ in range(1000)
        ]
        runs.append(counts(rows))
    began = time.process_time()
    made = compare(*runs, Sampling(n_resamples=100), n_shuffles=100)
    assert time.process_time() - began < 8  # half a second where nothing else runs
    assert made.n_labels_left_out > 2000
