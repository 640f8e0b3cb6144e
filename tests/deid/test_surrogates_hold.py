"""Surrogates depend on key, patient and value alone, and are never a real value of their note."""

from __future__ import annotations

import multiprocessing
import random
import re
import string
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.deid import PhiLabel, deidentify
from clinlp.deid.surrogates import Surrogates
from clinlp.deid.surrogates.draw import plain
from clinlp.errors import UsageError
from clinlp.note import Lang
from clinlp.records import read_notes

from .surrogate_cases import KEY, OURS, mask, note_of, surrogate, visit, words

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
HAN = re.compile("[\u3400-\u9fff]")

# --- keyed, and never real ------------------------------------------------------------------------

SIGNS = " -/.,@:邵建国医院市号５Ａé\u200b"
WORDS = st.one_of(
    st.sampled_from(
        ["Amina Kowalski", "LEE, JAMES T", "邵建国", "欧阳静怡", "Fairhaven", "赣州市第一人民医院", "12 Elm St"]
    ),
    st.text(
        alphabet=string.ascii_letters + string.digits + " -/.,@:邵建国医院市号0５Ａé\u200b", min_size=1, max_size=24
    ),
).filter(str.strip)
LABELS = st.sampled_from([label.value for label in PhiLabel])
VALUES = st.lists(st.tuples(LABELS, WORDS), min_size=1, max_size=6)


@settings(max_examples=150)
@given(VALUES, st.sampled_from(["en", "zh"]))
def test_no_surrogate_is_or_holds_a_real_value(values: list[tuple[str, str]], lang: Lang) -> None:
    note = note_of(*values, lang=lang)
    real = {plain(value) for label, value in values if label not in ("AGE", "DATE")}
    long = {value for value in real if len(value) >= 4 or len(HAN.findall(value)) >= 2}
    for (label, value), found in zip(values, OURS.replacements(note), strict=True):
        if label not in ("AGE", "DATE") and found != f"[{label}]":
            assert plain(found) != plain(value)
            assert not any(one in plain(found) for one in long)


@settings(max_examples=100)
@given(VALUES, st.randoms())
def test_the_order_of_spans_and_earlier_notes_do_not_matter(values: list[tuple[str, str]], rng: random.Random) -> None:
    values = list(dict.fromkeys(values))
    expected = dict(zip(values, OURS.replacements(note_of(*values)), strict=True))
    shuffled = rng.sample(values, len(values))
    again = Surrogates(KEY).replacements(note_of(*shuffled, note_id="other"))
    assert dict(zip(shuffled, again, strict=True)) == expected


@settings(max_examples=100)
@given(st.from_regex(r"[0-9A-Za-z]{2,4}[-/. ][0-9]{6,10}[A-Z]?", fullmatch=True))
def test_numbers_keep_their_layout_and_differ_by_key_and_patient(number: str) -> None:
    found = surrogate("ACCOUNT", number)
    if found == "[ACCOUNT]":
        return
    assert mask(found) == mask(number)
    assert surrogate("ACCOUNT", number, patient="p2") != found
    assert surrogate("ACCOUNT", number, ours=Surrogates(KEY[::-1])) != found


@given(st.sampled_from(["Amina Kowalski", "Gregory Holloway"]), st.sampled_from(["邵建国", "欧阳静怡"]))
@settings(max_examples=4)
def test_names_differ_across_patients(name: str, name_zh: str) -> None:
    for one in (name, name_zh):
        assert len({surrogate("NAME", one, patient=f"p{at}") for at in range(50)}) > 40


def test_a_crowded_note_holds_none_of_its_names_again() -> None:
    from faker.providers.person.en_US import Provider

    values = [("NAME", name) for name in sorted(Provider.last_names)[:300]]
    real = {plain(name) for _, name in values if len(name) > 3}
    found = OURS.replacements(note_of(*values))
    assert not any(value in plain(one) for one in found for value in real)
    assert sum(one == "[NAME]" for one in found) < 10


def test_a_pick_that_is_real_in_the_note_gives_way_there_alone() -> None:
    picked = surrogate("NAME", "Holloway")
    mine, other = OURS.replacements(note_of(("NAME", "Holloway"), ("NAME", f"Warren {picked}"), ("NAME", picked)))[:2]
    assert picked not in (mine, other)
    assert surrogate("NAME", "Holloway") == picked


# --- whole notes ----------------------------------------------------------------------------------


def test_a_thousand_notes_come_out_alike_in_four_processes_and_in_two_orders() -> None:
    notes = [visit(patient, number) for patient in range(100) for number in range(10)]
    release = partial(deidentify, mode="surrogate", surrogates=OURS)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        here = pool.map(release, notes, chunksize=50)
    shuffled = random.Random(5).sample(notes, len(notes))  # noqa: S311  nothing secret
    there = {note.note_id: Surrogates(KEY).replacements(note) for note in shuffled}
    assert [tuple(words(note)) for note in here] == [there[note.note_id] for note in notes]
    per_patient = [{words(note)[:2] for note in here[at : at + 10]} for at in range(0, 1000, 10)]
    assert all(len({found[:1] for found in one}) == 1 for one in per_patient)
    assert len({next(iter(one)) for one in per_patient}) == 100


def test_other_spans_and_the_labels_come_along() -> None:
    for patient in (2, 3):
        note = visit(patient, 1)
        released = deidentify(note, "surrogate", surrogates=OURS)
        assert [released.text[span.start : span.end] for span in released.entities] == [
            "咳嗽" if patient % 2 else "cough"
        ]
        assert words(released) == OURS.replacements(note)
        assert [span.label for span in released.phi] == [span.label for span in note.phi]


def test_no_real_value_survives_in_a_release_of_the_corpora() -> None:
    """Ages to 89 stay by law. Words outside PHI are not counted."""
    for lang in ("en", "zh"):
        for note in read_notes(CORPORA / lang / "dev.jsonl"):
            released = plain(deidentify(note, "surrogate", surrogates=OURS).text)
            kept, at = [], 0
            for span in note.phi:
                kept.append(note.text[at : span.start])
                at = span.end
            kept_text = plain("\0".join([*kept, note.text[at:]]))
            for span, original in zip(note.phi, words(note), strict=True):
                value = plain(original)
                if span.label == "AGE":
                    continue
                if len(value) >= 4 or len(HAN.findall(value)) >= 2:
                    assert released.count(value) <= kept_text.count(value), (note.note_id, span.start)


def test_the_key_is_needed_long_enough_and_never_shown() -> None:
    note = visit(2, 1)
    with pytest.raises(UsageError, match="mode surrogate needs surrogates with a key, got none"):
        deidentify(note, "surrogate")
    with pytest.raises(UsageError, match="key needs at least 16 bytes, got 5"):
        Surrogates(b"short")
    with pytest.raises(UsageError, match="max_days needs at least 7, got 6"):
        Surrogates(KEY, keep_weekday=True, max_days=6)
    assert KEY.decode() not in repr(OURS)


def test_a_patient_id_has_a_surrogate_too() -> None:
    ids = {OURS.patient_id(visit(2, number)) for number in range(3)}
    assert len(ids) == 1
    assert ids != {OURS.patient_id(visit(4, 1))}
    assert re.fullmatch(r"[0-9a-f]{20}", ids.pop())
