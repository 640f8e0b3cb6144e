from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.text.sentences import split_sentences

LANGS = st.sampled_from(["en", "zh"])
ANY = st.text(st.characters(exclude_categories=()), max_size=80)
PIECES = (
    "Dr.|No|fever|.|!|?|。|；|、|\n|\r\n| |  |1|12|A|b.i.d|:|：|,|)|”|胸痛|一|-|\t|\x00|\ud800|\u2028|e.g|normal|He"
)
CLINICAL = st.lists(st.sampled_from(PIECES.split("|")), max_size=30).map("".join)


def sentences(text: str, lang: str = "en") -> list[str]:
    return [text[start:end] for start, end in split_sentences(text, lang)]


@pytest.mark.parametrize(
    "expected",
    [
        ["Chest pain.", "No fever!", "Is it PE?"],
        ["Seen by Dr. Who vs. Prof. X at 5 p.m. and sent home.", "Stable."],
        ["J. R. Smith signed.", "Mr. A. Roe agreed."],
        ["He has hepatitis B.", "She has vitamin D."],
        ["Aspirin 81 mg p.o. q.d. for life.", "Then stop."],
        ["Aspirin 81 mg q.d.", "The dose was 2.5 mg.", "The next was 5.", "He left."],
        ["lungs clear.", "no edema.", "abd. soft."],
        ["He said “no.”", "(See Fig. 2.)", "Next."],
        ["? pneumonia on the left.", "Repeat film."],
        ["1. Asthma.", "2. Diabetes.", "A. Type 2.", "b. On insulin."],
        ["1. HTN", "2. DM", "3. CHF"],
        ["Impression: 1. Asthma.", "2. Croup."],
        ["The wound was normal.", "The U.S. guideline, e.g. that of 2019, applies."],
    ],
)
def test_english_prose(expected: list[str]) -> None:
    assert sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["反复胸痛3天。", "无发热；", "有咳嗽！", "是否吸烟？"],
        ["“头痛。”", "（见图2。）", "未见异常。"],
        ["无发热.", "无咳嗽.", "血压120/80mmHg.", "予观察。"],
        ["WBC 12.5×10^9/L。", "予头孢呋辛1.5g bid。"],
        ["诊断：1.高血压", "2.糖尿病", "3.冠心病"],
        ["诊断：1、高血压", "2、糖尿病"],
        ["第1、2肋骨骨折。", "腰1、2椎体压缩。"],
    ],
)
def test_chinese_prose(expected: list[str]) -> None:
    assert sentences("".join(expected), "zh") == expected


@pytest.mark.parametrize(
    ("expected", "lang"),
    [
        (["MEDICATIONS", "Aspirin", "Metoprolol 25 mg"], "en"),
        (["Medications:", "aspirin", "- metoprolol", "- lisinopril", "1) rest", "2) walk"], "en"),
        (["Chest pain", "", "no fever"], "en"),
        (["BP 120/80", "HR 70"], "en"),
        (["Past History: asthma", "Allergies: none"], "en"),
        (["主诉：", "胸痛3天", "", "现病史：咳嗽", "既往史：无"], "zh"),
        (["1、休息", "2、阿司匹林100mg qd", "（3）复查"], "zh"),
        (["体温36.5℃", "血压120/80mmHg"], "zh"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "  \n"])
def test_lists_headings_and_blank_lines_end_a_sentence(expected: list[str], lang: str, newline: str) -> None:
    assert sentences(newline.join(expected), lang) == [line for line in expected if line]


def test_a_wrapped_line_goes_on() -> None:
    wrapped = (
        "This is a 56-year-old man who came to the emergency department of\n"
        "Springfield with pain in the chest. He was seen at once by Dr.\n"
        "Jones and given aspirin; he denies fever, chills, cough and\n"
        "Nausea. The pain had begun on the evening before he came in."
    )
    assert [s[:9] for s in sentences(wrapped)] == ["This is a", "He was se", "The pain "]


def test_a_wrapped_chinese_line_goes_on() -> None:
    wrapped = (
        "患者于2018年因胸闷、气短、心悸不宁就诊于我院，诊为冠心病予以\n"
        "口服药物治疗，症状好转后出院。近日因劳累后上述症状再发加重，为\n"
        "求进一步系统治疗，由门诊收入我科。\n"
        "既往高血压病史"
    )
    assert [s[:2] for s in sentences(wrapped, "zh")] == ["患者", "近日", "既往"]


def test_line_ends_that_became_commas_end_a_sentence() -> None:
    assert sentences("ALLERGIES: , None.,PLAN:,1.  Rest.,2.  Seen by Dr. X.,Signed.") == [
        "ALLERGIES: , None.,",
        "PLAN:,1.  Rest.,",
        "2.  Seen by Dr. X.,",
        "Signed.",
    ]


@given(ANY | CLINICAL, LANGS)
def test_sentences_are_trimmed_disjoint_and_hold_every_character_but_white_space(text: str, lang: str) -> None:
    reach = 0
    for start, end in split_sentences(text, lang):
        assert reach <= start < end
        assert not text[reach:start].strip()
        assert text[start:end] == text[start:end].strip()
        reach = end
    assert not text[reach:].strip()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "unit",
    [
        "no ",
        " ",
        "(",
        "无",
        "1.1.",
        "a. ",
        "A. B ",
        "1. ",
        ".,  ",
        "\n",
        " \n",
        "a\n",
        "Ab\n",
        "A:\n",
        "。",
        ".)",
        "1.无",
        "1、",
        "\r",
    ],
)
def test_time_is_linear_in_the_length(unit: str, lang: str) -> None:
    text = unit * (100_000 // len(unit))
    began = time.process_time()
    split_sentences(text, lang)
    assert time.process_time() - began < 3
