"""What stays at the ends of what was found: times of day, departments, units of age, titles and degrees."""

from __future__ import annotations

import pytest

from clinlp.deid.edges import age_behind, completed, trimmed
from clinlp.spans import Span


@pytest.mark.parametrize(
    ("label", "found", "kept"),
    [
        ("DATE", "12/03/2021 14:30", "12/03/2021"),
        ("DATE", "12/03/2021, at 2:30 pm", "12/03/2021"),
        ("DATE", "7/21 0230", "7/21"),
        ("DATE", "July 21 2021", "July 21 2021"),
        ("DATE", "21 Mar, 1930", "21 Mar, 1930"),
        ("DATE", "2021-03-12 14:30:05", "2021-03-12 14:30:05"),
        ("DATE", "2021-03-12T14:30", "2021-03-12T14:30"),
        ("DATE", "2024年3月2日14:20", "2024年3月2日"),
        ("DATE", "3月5日上午9时30分", "3月5日"),
        ("DATE", "2024-03-02 08:10", "2024-03-02"),
        ("DATE", "14:30", "14:30"),
        ("HOSPITAL", "柳州市工人医院内分泌科", "柳州市工人医院"),
        ("HOSPITAL", "市第二医院骨科二病区", "市第二医院"),
        ("HOSPITAL", "安和口腔医院", "安和口腔医院"),
        ("AGE", "94-year-old", "94"),
        ("AGE", "94 yo", "94"),
        ("AGE", "九十四岁", "九十四"),
        ("NAME", "Dr. Lena Voss, MD", "Lena Voss"),
        ("NAME", "Dad Curtis", "Curtis"),
        ("NAME", "Son Heung", "Son Heung"),
        ("NAME", "So Yoon", "So Yoon"),
        ("NAME", "Imam Santoso", "Imam Santoso"),
        ("NAME", "NGUYEN, DO", "NGUYEN, DO"),
        ("NAME", "Hi Amara", "Amara"),
        ("NAME", "May Song", "May Song"),
        ("NAME", "Kim translating", "Kim"),
        ("NAME", "Nizhoni Begay DKA", "Nizhoni Begay"),
        ("NAME", "Anders Berg - SBP", "Anders Berg"),
        ("NAME", "BEGAY DKA", "BEGAY DKA"),
        ("NAME", "Ludwig van Dyk", "Ludwig van Dyk"),
        ("NAME", "maria capon", "maria capon"),
        ("DATE", "12 March morning", "12 March"),
        ("DATE", "Labor Day weekend", "Labor Day weekend"),
        ("NAME", "Lieselotte Kranz d.", "Lieselotte Kranz"),
        ("NAME", "Bobby aka ", "Bobby"),
        ("NAME", "kiddo Imani", "Imani"),
        ("NAME", "van Dyk", "van Dyk"),
        ("NAME", "alicja d", "alicja d"),
        ("LOCATION", "home 88 Pecan Rd", "88 Pecan Rd"),
        ("DEVICE", "serial 47484X", "47484X"),
        ("PHONE", "ext 6118", "6118"),
        ("LOCATION", "于黑龙江省哈尔滨市", "黑龙江省哈尔滨市"),
        ("LOCATION", "于都县", "于都县"),
        ("DEVICE", "S/N 8829-A", "8829-A"),
        ("HOSPITAL", "St Brendan's ED", "St Brendan's"),
        ("BED", "Bed 12", "12"),
        ("BED", "rm B-204", "B-204"),
    ],
)
def test_ends_that_identify_nobody_stay(label: str, found: str, kept: str) -> None:
    text = f"x {found} y"
    cut = trimmed(Span(2, 2 + len(found), label, 0.9), text)
    assert text[cut.start : cut.end] == kept


def test_a_sex_behind_an_age_is_no_part_of_the_name_after_it() -> None:
    for text, label in (("72M Eddy Szczepanski", "NAME"), ("48yo M Eddy Szczepanski", "NAME")):
        start = text.index("M ")
        cut = trimmed(Span(start, len(text), label, 0.9), text)
        assert text[cut.start : cut.end] == "Eddy Szczepanski"


def test_nothing_outside_the_span_counts() -> None:
    """The title and the time lie outside: the span is as it was."""
    text = "Dr. Lena Voss on 12/03/2021 14:30"
    for span in (Span(4, 13, "NAME", 0.9), Span(17, 27, "DATE", 0.9)):
        assert trimmed(span, text) == span


@pytest.mark.parametrize(
    ("label", "text", "found", "whole"),
    [
        ("HOSPITAL", "from Maple Grove assisted living today", "Maple Grove assisted", "Maple Grove assisted living"),
        ("HOSPITAL", "at Schraeder nursing home", "Schraeder nursing", "Schraeder nursing home"),
        ("ORG", "goes to Tatum academy.", "Tatum", "Tatum academy"),
        ("HOSPITAL", "at Mercy care was withdrawn", "Mercy", "Mercy"),
        ("HOSPITAL", "at Mercy home oxygen was set up", "Mercy", "Mercy"),
        ("HOSPITAL", "Laramie Infirmary clinic notes", "Laramie Infirmary", "Laramie Infirmary"),
        ("NAME", "Ann Church hospital day 2", "Ann Church", "Ann Church"),
        ("HOSPITAL", "at Mercy hospital day 3", "Mercy", "Mercy"),
        ("ORG", "ride by Northland Air Transit ETA 50 m", "Northland", "Northland Air Transit"),
        ("ORG", "seen by Northland Monday", "Northland", "Northland"),
        ("ORG", "from Hope & Hearth of Elko today", "Hearth", "Hope & Hearth of Elko"),
        ("ORG", "at the University of Ibadan, final year", "Ibadan", "University of Ibadan"),
        ("HOSPITAL", "Head of Mercy called", "Mercy", "Mercy"),
        ("HOSPITAL", "at Mercy of course", "Mercy", "Mercy"),
        ("MRN", "no. SYN-0419/24 grew", "0419", "SYN-0419/24"),
        ("VEHICLE", "plate 77-GKT parked", "77", "77-GKT"),
        ("ID", "Mr Quill (A4471EK) fell", "4471EK", "A4471EK"),
        ("ID", "record 4471923/DOB 3/14", "4471923", "4471923"),
        ("MRN", "病案号AB-1234567，女", "1234567", "AB-1234567"),
        ("MRN", "MRN:\n4471923", "4471923", "4471923"),
        ("PHONE", "call 555-0100-2", "555-0100", "555-0100"),
    ],
)
def test_a_find_goes_on_to_the_ends_of_what_it_is_part_of(label: str, text: str, found: str, whole: str) -> None:
    start = text.index(found)
    span = completed(Span(start, start + len(found), label, 0.7), text)
    assert text[span.start : span.end] == whole


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("Ada Frost (94) fell", "94"),
        ("Ada Frost 94, NOF", "94"),
        ("Ada Frost, 101.", "101"),
        ("Ada Frost 94% on air", None),
        ("Ada Frost 94 kg", None),
        ("Ada Frost 94/60", None),
        ("Ada Frost 89", None),
        ("Ada Frost", None),
    ],
)
def test_a_bare_number_from_90_on_behind_a_name_is_an_age(text: str, age: str | None) -> None:
    found = age_behind(Span(0, 9, "NAME", 0.9), text)
    assert (found and text[found.start : found.end]) == age


@pytest.mark.parametrize(
    ("text", "found", "whole"),
    [
        ("fell on Route 9, C2 fracture", "Route", "Route 9"),
        ("off Highway 61 at dusk", "Highway", "Highway 61"),
        ("Route 0.5 mg", "Route", "Route"),
        ("at Matauri Bay, lot 9. Daycare", "Matauri Bay", "Matauri Bay, lot 9"),
        ("of 12 Elm St apt 4B, Bath", "12 Elm St", "12 Elm St apt 4B"),
        ("from Leeds, unit 2.5 mL left", "Leeds", "Leeds"),
    ],
)
def test_the_number_of_a_road_or_of_a_flat_belongs_to_it(text: str, found: str, whole: str) -> None:
    start = text.index(found)
    span = completed(Span(start, start + len(found), "LOCATION"), text)
    assert text[span.start : span.end] == whole
