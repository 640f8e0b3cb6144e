"""Structured fields: what can be read, what counts as missing, and what a model keeps of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import DataError, Note, UsageError
from clinlp.data.fields import as_category, as_number, fit_fields, read_fields
from clinlp.models.fields import MISSING, UNKNOWN, FieldsConfig


def notes(*fields):
    return [Note(f"n{at}", "Cough. 咳嗽。", patient_id=f"p{at}", fields=each) for at, each in enumerate(fields)]


@pytest.mark.parametrize("value", [None, "", " ", "NA", "n/a", "NaN", math.nan, "-", "无", "缺失", "不详"])
def test_nothing_is_nothing_however_it_is_written(value):
    assert as_number(value) is None
    assert as_category(value) is None


@pytest.mark.parametrize(("value", "number"), [(3, 3.0), ("3.5", 3.5), (" -2e1 ", -20.0), (True, 1.0), ("３７", 37.0)])
def test_numbers_are_read_however_they_came(value, number):
    assert as_number(value) == number


@pytest.mark.parametrize("value", ["<0.1", "1,234", "high", "三十", math.inf, "inf", 10**400, [1], {"a": 1}], ids=type)
def test_what_is_no_number_is_an_error_without_the_value(value):
    with pytest.raises(
        DataError, match=r"note n1: field age: a number, or nothing where it is missing, needed"
    ) as said:
        fit_fields(notes({"age": 1}, {"age": value}), ["age"], [])
    assert str(value)[:20] not in str(said.value).split("got")[1]


@given(st.integers(-(10**6), 10**6))
def test_a_category_is_the_same_from_a_table_and_from_json(number):
    assert as_category(number) == as_category(float(number)) == as_category(f" {number} ") == str(number)


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=20))
def test_numbers_are_standardised_by_train_and_gaps_stay(values):
    given_notes = notes(*({"age": value} for value in values))
    known = [value for value in values if value is not None]
    if not known:
        with pytest.raises(DataError, match="field age: notes of train with a value needed, got none in"):
            fit_fields(given_notes, ["age"], [])
        return
    config, _ = fit_fields(given_notes, ["age"], [])
    read = read_fields(config, given_notes)[:, 0]
    assert np.isnan(read).tolist() == [value is None for value in values]
    held = read[~np.isnan(read)]
    assert abs(held.mean()) < 1e-2
    assert held.std() == pytest.approx(1.0, abs=1e-2) or held.std() < 1e-2


def test_categories_are_missing_unknown_or_known():
    config, remarks = fit_fields(
        notes({"sex": "F"}, {"sex": "男"}, {"sex": "F"}, {"sex": "男"}, {"sex": "X"}, {}), [], ["sex"]
    )
    assert config.categories[0].values == ("F", "男")
    assert read_fields(config, notes({"sex": "男"}, {"sex": "X"}, {}, {"sex": " F"}))[:, 0].tolist() == [
        3,
        UNKNOWN,
        MISSING,
        2,
    ]
    assert remarks == [
        "field sex: 1 of 6 notes of train have no value",
        "field sex: 1 of 3 categories are of one patient and count as unknown",
    ]


def test_what_only_one_patient_has_never_stands_in_a_model():
    same = [Note(f"n{at}", "a", patient_id="p", fields={"name": "Quoxly"}) for at in range(5)]
    config, _ = fit_fields([*same, *notes({"name": "A"}, {"name": "A"})], [], ["name"])
    assert config.categories[0].values == ("A",)


def test_a_column_that_is_not_there_names_those_that_are():
    with pytest.raises(DataError, match=r"field agee: notes of train with a value needed, .*; there are age, sex"):
        fit_fields(notes({"age": 1, "sex": "F"}), ["agee"], [])
    with pytest.raises(UsageError, match="field age: number or category needed, got it named twice"):
        fit_fields(notes({"age": 1}), ["age"], ["age"])


def test_a_column_of_one_value_is_said_and_does_no_harm():
    config, remarks = fit_fields(notes({"age": 7}, {"age": "7"}), ["age"], [])
    assert remarks == ["field age: one value in all of train, which says nothing"]
    assert read_fields(config, notes({"age": 7}, {"age": 8}))[:, 0].tolist() == [0.0, 1.0]


def test_what_a_model_keeps_travels_as_json():
    config, _ = fit_fields(notes({"age": 1.5, "sex": "女"}, {"age": 2, "sex": "女"}), ["age"], ["sex"])
    assert FieldsConfig.model_validate_json(config.model_dump_json()) == config
