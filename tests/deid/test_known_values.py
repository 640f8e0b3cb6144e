"""Known dates, numbers, addresses and copied values: in every written form, and nowhere else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from clinlp.deid import PhiLabel, resolve
from clinlp.deid.known import known_detector
from clinlp.note import Note


def found(text: str, value: Any, label: PhiLabel = PhiLabel.NAME) -> list[str]:
    """The words of the joined spans."""
    [spans] = known_detector({"c": label})([Note("n", text, fields={"c": value})])
    assert all(span.label == label for span in spans)
    return [text[span.start : span.end] for span in resolve(spans, text)]


# --- dates, ages --------------------------------------------------------------------------------

BIRTH = dt.date(1957, 3, 12)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1957-03-12",
            "1957/3/12",
            "1957.3.12",
            "03/12/1957",
            "3/12/57",
            "12/03/1957",
            "12.3.1957",
            "19570312",
            "03121957",
        ),
        *("12 March 1957", "March 12th, 1957", "Mar. 12, 1957", "12-Mar-57", "12MAR1957", "March 12", "12th of March"),
        *("MARCH 12 1957", "March 1957", "03/1957", "1957-03"),
        *(
            "1957年3月12日",
            "1957年03月12日",
            "1957 年 3 月 12 日",
            "一九五七年三月十二日",
            "57年3月12日",
            "3月12日",
            "1957年3月",
        ),
        *("１９５７年３月１２日", "一九五七年三月十二号", "1957年3月12号", "三月十二日"),
    ],
)
def test_a_birth_date_is_found_in_every_written_form(text: str) -> None:
    for value in (BIRTH, "1957-03-12", "1957年3月12日", 19570312, "1957-03-12 08:30:00"):
        assert found(f"见 {text} 。", value, PhiLabel.DATE) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DOB 031257, born in 1957", ["031257", "1957"]),
        ("生日3/12，1957年出生", ["3/12", "1957年"]),
        ("031257 units, 3/12 leads, in 1957, 123/12/57, 3/12/571, 3.12 mg, 13.12.1957", []),
        ("3/13/1957, 1957-03-13, 13月12日, 1957年4月12日", []),
    ],
)
def test_parts_of_a_date_need_words_of_birth(text: str, expected: list[str]) -> None:
    assert found(text, BIRTH, PhiLabel.DATE) == expected


def test_an_age_needs_years_beside_it() -> None:
    assert found("92-year-old, age 92, 92岁, 92 mg, 192, 92%", 92, PhiLabel.AGE) == ["92", "92", "92"]


# --- numbers, addresses, copied values ------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "label", "text", "expected"),
    [
        (
            "00482913",
            PhiLabel.MRN,
            "MRN 482913, 00482913; 000482913; 48-29-13",
            ["482913", "00482913", "000482913", "48-29-13"],
        ),
        ("00482913", PhiLabel.MRN, "4829130, 1482913, 482913.5, 1.482913", []),
        ("00482913", PhiLabel.MRN, "ending in 2913; 尾号2913；2913 mL", ["2913", "2913"]),
        (482913.0, PhiLabel.MRN, "住院号482913号", ["482913"]),
        ("12", PhiLabel.MRN, "MRN 12, 12 mg", ["12"]),
        (
            "(555) 123-4567",
            PhiLabel.PHONE,
            "555.123.4567; +1 5551234567; 123-4567",
            ["555.123.4567", "+1 5551234567", "123-4567"],
        ),
        (
            "13812345678",
            PhiLabel.PHONE,
            "138 1234 5678；+86 138-1234-5678；138****5678",
            ["138 1234 5678", "+86 138-1234-5678", "138****5678"],
        ),
        ("138 1234 5678", PhiLabel.PHONE, "１３８１２３４５６７８", ["１３８１２３４５６７８"]),
        (
            "11010519491231002X",
            PhiLabel.ID_CARD,
            "110105 19491231 002x, 1101**********002X",
            ["110105 19491231 002x", "1101**********002X"],
        ),
        ("AB-12345", PhiLabel.ACCOUNT, "ab12345, AB 12345, XAB12345", ["ab12345", "AB 12345"]),
        ("j.okafor@example.org", PhiLabel.EMAIL, "J.Okafor@Example.org, jokafor@example.org", ["J.Okafor@Example.org"]),
        ("江北仁和医院", PhiLabel.HOSPITAL, "转江北仁和医院", ["江北仁和医院"]),
        ("Alder Grove Clinic", PhiLabel.HOSPITAL, "at ALDER\nGROVE Clinic", ["ALDER\nGROVE Clinic"]),
    ],
)
def test_numbers_and_copied_values(value: Any, label: PhiLabel, text: str, expected: list[str]) -> None:
    assert found(text, value, label) == expected


ADDRESS = "123 Alder Street, Apt 4B, Springfield, IL 62704"
ADDRESS_ZH = "江苏省南京市鼓楼区中山北路74号3栋502室"


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (
            ADDRESS,
            "lives at 123 Alder St., Apartment 4B, Springfield, Illinois 62704-1234.",
            ["123 Alder St., Apartment 4B, Springfield, Illinois 62704-1234"],
        ),
        (ADDRESS, "123 ALDER STREET\nAPT 4B\nSPRINGFIELD IL 62704", ["123 ALDER STREET\nAPT 4B\nSPRINGFIELD IL 62704"]),
        (ADDRESS, "123 Alder St #4B; Unit 4B; #4B", ["123 Alder St #4B"]),
        (ADDRESS, "Alder St; from Springfield; 123 mg; IL-6; 4B", ["Alder St", "Springfield"]),
        ("12 Oak Rd Reading PA 19601", "reading glasses; lives in Reading, PA", ["Reading, PA"]),
        (ADDRESS_ZH, "现住江苏省南京市鼓楼区中山北路74号3栋502室。", [ADDRESS_ZH]),
        (
            ADDRESS_ZH,
            "住南京鼓楼区；家在中山北路 74号；江苏南京中山北路",
            ["南京鼓楼区", "中山北路 74号", "江苏南京中山北路"],
        ),
        (ADDRESS_ZH, "74号床，3栋，鼓楼，502", []),
        ("北京市海淀区学院南路5号", "北京海淀学院南路5号；北京", ["北京海淀学院南路5号", "北京"]),
    ],
)
def test_addresses(value: str, text: str, expected: list[str]) -> None:
    assert found(text, value, PhiLabel.LOCATION) == expected
