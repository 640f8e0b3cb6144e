"""The notes of a patient: their order, the time between them, the codes of the next visit."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinlp import Diagnosis, Note
from clinlp.data.patients import Cohort, next_codes, patients_of, portions, undated
from clinlp.data.pieces import LexicalPieces


def note(name, patient="p", day=None, codes=None, text="Cough. 咳嗽。"):
    time = None if day is None else date(2024, 1, 1) + timedelta(day)
    given_codes = None if codes is None else tuple(map(Diagnosis, codes))
    return Note(name, text, patient_id=patient, time=time, diagnoses=given_codes)


def codes(notes):
    return [None if each.diagnoses is None else [item.code for item in each.diagnoses] for each in notes]


@given(st.permutations(range(6)))
def test_notes_are_put_in_order_of_time(order):
    notes = [note(f"n{day}", day=10 * day) for day in order]
    [patient] = patients_of(notes)
    assert [notes[at].note_id for at in patient.notes] == [f"n{day}" for day in range(6)]
    assert patient.gaps[0].tolist() == [0.0, 1.0]
    assert patient.gaps[1:].tolist() == [[pytest.approx(np.log(11) / np.log(366)), 0.0]] * 5


def test_a_patient_with_a_date_missing_keeps_the_order_given_and_that_is_said_once():
    notes = [note("b", day=5), note("a"), note("c", day=1), note("d", "q", 3), note("e", "q", 2), note("f", "r")]
    patients = patients_of(notes)
    assert [patient.notes for patient in patients] == [(0, 1, 2), (4, 3), (5,)]
    assert patients[0].gaps.tolist() == [[0.0, 1.0]] * 3
    assert undated(patients) == (
        "1 patients with 3 notes, of which some have no time: they are read in the order in which they were given"
    )
    assert undated(patients[1:]) is None


def test_notes_without_a_patient_stand_alone():
    notes = [note("a", None, 1), note("b", None, 2), note("c", "n0", 3)]
    assert [patient.notes for patient in patients_of(notes)] == [(0,), (1,), (2,)]


def test_the_next_visit_is_that_of_the_next_day_with_all_its_codes():
    notes = [
        note("late", day=9, codes=["C"]),
        note("first", day=1, codes=["A"]),
        note("second-1", day=4, codes=["B", "A"]),
        note("second-2", day=4, codes=["D", "B"]),
        note("silent", "q", 1, ["X"]),
        note("nobody looked", "q", 2),
        note("none", "q", 3, []),
    ]
    assert codes(next_codes(notes)) == [None, ["B", "A", "D"], ["C"], ["C"], None, [], None]


def test_without_dates_each_note_is_a_visit():
    notes = [note("a", codes=["A"]), note("b", codes=["B"]), note("c", codes=["C"])]
    assert codes(next_codes(notes)) == [["B"], ["C"], None]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 40), st.text("a b咳嗽.", max_size=30)), min_size=1, max_size=12
    )
)
def test_every_note_with_words_has_one_row_and_every_patient_one_line(drawn):
    notes = [note(f"n{at}", f"p{who}", day, text=text) for at, (who, day, text) in enumerate(drawn)]
    reader = LexicalPieces.build(each.text for each in notes)
    cohort = Cohort([reader(each.text).features for each in notes], patients_of(notes), (8, 2))
    items = list(range(len(cohort.patients)))
    chunks, order = cohort.chunks(items, 16)
    assert sorted(order) == [at for at, read in enumerate(cohort.read) if len(read)]
    assert sum(len(chunk["places"]) for chunk in chunks) == len(order)
    for chunk in chunks:
        assert len(chunk["places"]) == 1 or chunk["places"].numel() <= 16
    steps = cohort.steps(items, order, np.ones(len(notes), bool))
    assert int(steps["chosen"].sum()) == len(notes)
    assert sorted(steps["rows"][steps["rows"] >= 0].tolist()) == list(range(len(order)))
    heard = cohort.heard()
    for patient in cohort.patients:
        told = [len(cohort.read[at]) > 0 for at in patient.notes]
        assert [bool(heard[at]) for at in patient.notes] == [any(told[: at + 1]) for at in range(len(told))]


def test_fields_stand_beside_the_note_they_are_of():
    notes = [note("b", day=2), note("a", day=1), note("c", "q", 1)]
    cohort = Cohort([np.zeros((1, 18), np.int32)] * 3, patients_of(notes), (8, 2), torch.tensor([[2.0], [1.0], [3.0]]))
    _, order = cohort.chunks([0, 1], 100)
    fields = cohort.steps([0, 1], order, np.ones(3, bool))["fields"]
    assert fields[:, :, 0].tolist() == [[1.0, 2.0], [3.0, pytest.approx(fields[1, 1, 0])]]


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 8), st.booleans())
def test_portions_hold_every_note_once_and_no_patient_twice(whose, size, whole):
    notes = [note(f"n{at}", f"p{who}") for at, who in enumerate(whose)]
    made = list(portions(notes, size, whole_patients=whole))
    assert sorted(at for portion in made for at in portion) == list(range(len(notes)))
    if whole:
        owners = [{notes[at].patient_id for at in portion} for portion in made]
        assert sum(map(len, owners)) == len(set(whose))
    else:
        assert all(len(portion) <= size for portion in made)
