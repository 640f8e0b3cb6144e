from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.text.tokens import tokenize

ANY = st.text(st.characters(exclude_categories=()), max_size=60)
CLINICAL = st.text("ab T2./:,-'’sq10９％%℃无痛，。↑\n\u0301\u200d\ufe0f👍🏽🇨🇳\x00\ud800é", max_size=40)


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.5mg", "2.5 mg"),
        ("0.9%NaCl", "0.9 % NaCl"),
        ("BP 120/80mmHg", "BP 120/80 mmHg"),
        ("BP120/80mmHg, P80次/分", "BP 120/80 mmHg , P 80 次 / 分"),
        ("T36.5℃", "T 36.5 ℃"),
        ("Hb120g/L", "Hb 120 g / L"),
        ("10^9/L", "10 ^ 9 / L"),
        ("3×5cm", "3 × 5 cm"),
        ("1,250 mL", "1,250 mL"),
        ("1,25-dihydroxy", "1 , 25 - dihydroxy"),
        ("s/p CABG, c/o SOB", "s/p CABG , c/o SOB"),
        ("metoprolol b.i.d. x3", "metoprolol b.i.d. x3"),
        ("T2DM, HbA1c q8h", "T2DM , HbA1c q8h"),
        ("the patient's son didn't", "the patient 's son didn 't"),
        ("COX-2 inhibitor", "COX - 2 inhibitor"),
        ("12/03/2019 14:30", "12/03/2019 14:30"),
        ("2014-5", "2014 - 5"),
        ("CA19-9↑↑", "CA19 - 9 ↑ ↑"),
        ("患者胸痛3天", "患 者 胸 痛 3 天"),
        ("①高血压Ⅲ级", "① 高 血 压 Ⅲ 级"),
        ("３．５ｍｇ", "３．５ ｍｇ"),
        ("---- 10 mm", "---- 10 mm"),
        ("cafe\u0301 Meniere", "cafe\u0301 Meniere"),
        ("👨\u200d⚕️👍🏽🇨🇳", "👨\u200d⚕️ 👍🏽 🇨🇳"),
    ],
)
def test_borders_lie_where_labels_begin_or_end(text: str, expected: str) -> None:
    assert words(text) == expected.split(" ")


@given(ANY | CLINICAL)
def test_tokens_are_disjoint_and_hold_every_character_but_white_space(text: str) -> None:
    tokens = tokenize(text)
    reach = 0
    for start, end in tokens:
        assert reach <= start < end
        assert not text[reach:start].strip()
        assert not any(c.isspace() for c in text[start:end])
        reach = end
    assert not text[reach:].strip()


@given(CLINICAL)
def test_a_mark_stays_with_the_character_before_it(text: str) -> None:
    for start, _ in tokenize(text):
        if unicodedata.category(text[start]) == "Mn":
            assert start == 0 or text[start - 1].isspace()


@pytest.mark.parametrize(
    "text",
    [
        "no " * 33_333,
        " " * 10**5,
        "(" * 10**5,
        "无" * 10**5,
        "1.1." * 25_000,
        "a.a" * 33_333,
        ",000" * 25_000,
        "e\u0301" * 50_000,
        "a1" * 50_000,
        "👍\u200d" * 50_000,
        "-" * 10**5,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_time_is_linear_in_the_length(text: str) -> None:
    began = time.process_time()
    tokenize(text)
    assert time.process_time() - began < 3
