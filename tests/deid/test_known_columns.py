"""Which columns hold known identifiers: as they are spelt, guessed, and told where they are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from clinlp.deid import PhiLabel
from clinlp.deid.known import absent, guess_label, known_detector, parse_known
from clinlp.errors import UsageError
from clinlp.note import Note


def test_columns_as_they_are_spelt() -> None:
    specs = ["patient_name=NAME", "who = name", "dob", "住院号", "地址", "Attending", "a=b=phone", "卡=医保卡号"]
    assert list(parse_known(specs).items()) == [
        ("patient_name", PhiLabel.NAME),
        ("who", PhiLabel.NAME),
        ("dob", PhiLabel.DATE),
        ("住院号", PhiLabel.MRN),
        ("地址", PhiLabel.LOCATION),
        ("Attending", PhiLabel.NAME),
        ("a=b", PhiLabel.PHONE),
        ("卡", PhiLabel.HEALTH_PLAN),
    ]


@pytest.mark.parametrize(
    ("column", "label"),
    [
        *(
            ("Patient Name", "NAME"),
            ("PATIENT_LAST_NAME", "NAME"),
            ("birthDate", "DATE"),
            ("patient_id", "MRN"),
            ("mrn", "MRN"),
        ),
        *(
            ("phone2", "PHONE"),
            ("e-mail", "EMAIL"),
            ("姓名", "NAME"),
            ("出生日期", "DATE"),
            ("电话", "PHONE"),
            ("医师", "NAME"),
        ),
        *(("患者电话", "PHONE"), ("身份证号", "ID_CARD"), ("zip_code", "LOCATION")),
    ],
)
def test_labels_are_guessed_from_common_columns(column: str, label: str) -> None:
    assert guess_label(column) == label


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["=NAME"], "known column: COLUMN=LABEL needs a column, got none"),
        ([""], "needs a column, got none"),
        (["x=NAM"], "known column 'x': label needs one of NAME, .*, got another word; did you mean NAME"),
        (["x="], "label needs one of .*, got another word"),
        (["remarks"], "known column 'remarks': needs COLUMN=LABEL, as remarks=NAME"),
        (["name", "name=NAME"], "known column 'name': given twice"),
    ],
)
def test_wrong_columns_are_told(specs: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_known(specs)


def test_columns_that_no_note_has_are_told() -> None:
    notes = [Note("a", "x", fields={"name": "Okafor"}), Note("b", "x", patient_id="7", fields={"dob": None})]
    assert absent(["name", "dob", "patient_id", "note_id", "nmae"], notes) == ("dob", "nmae")


def test_values_that_say_nothing_find_nothing() -> None:
    text = "None known, N/A, unknown, 无 不详 nan True 1 0"
    nothing: list[Any] = [None, "", "N/A", "unknown", "无", "不详", float("nan"), True, [], "-", "''", {}]
    for value in nothing:
        for label in (PhiLabel.NAME, PhiLabel.MRN):
            assert known_detector({"c": label})([Note("n", text, fields={"c": value})]) == [[]]


def test_nothing_of_a_record_is_kept() -> None:
    detect = known_detector({"name": PhiLabel.NAME})
    detect([Note("n", "Zebulonix came", fields={"name": "Ada Zebulonix"})])
    assert "ebuloni" not in repr(detect)
    assert detect([Note("n", "Zebulonix came", fields={})]) == [[]]


def test_a_value_in_the_place_of_a_label_is_not_shown() -> None:
    with pytest.raises(UsageError) as error:
        parse_known(["name=Ada Zebulonix"])
    assert "ebuloni" not in str(error.value).lower()
