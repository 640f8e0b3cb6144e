from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.text.rules import load_rules
from clinlp.text.sections import find_sections

ANY = st.text(st.characters(exclude_categories=()), max_size=80)
PIECES = (
    "PLAN|Plan|现病史|主诉|查体|:|：|\n|\r| |  |,|.|。|【|】|1.|一、|cough|无|HEENT|Vitals|PHYSICAL EXAM|\x00|\ud800"
)
NOTES = st.lists(st.sampled_from(PIECES.split("|")), max_size=25).map("".join)


def sections(text: str, lang: str = "en") -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in find_sections(text, lang)]


@pytest.mark.parametrize(
    "text",
    [
        "HPI: Cough.\nALLERGIES: None.\nPLAN: Rest.",
        "HISTORY OF PRESENT ILLNESS:\nCough.\n\nAllergies:\n  None.\n\nPlan:\nRest.\n",
        "History of Present Illness\nCough.\nDrug Allergies\nNone.\nPlan\nRest.",
        "1. HPI: Cough.\n2. Allergies: None.\n3. Plan: Rest.",
        "## HPI\nCough.\n## Allergies\nNone.\n## Plan\nRest.",
        "HPI:,  Cough.,ALLERGIES: , None.,PLAN:,Rest.",
        "HPI: Cough. ALLERGIES: None. PLAN: Rest.",
    ],
)
def test_english_headings_in_many_layouts(text: str) -> None:
    expected = [("history_of_present_illness", "Cough."), ("allergies", "None."), ("plan", "Rest.")]
    assert sections(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "主诉：胸痛3天。\n既往史：无。\n诊疗计划：休息。",
        "主诉:\n胸痛3天。\n\n既往史:\n无。\n\n诊疗计划:\n休息。",
        "主  诉：胸痛3天。\n既 往 史：无。\n诊疗计划：休息。",
        "【主诉】胸痛3天。【既往史】无。【诊疗计划】休息。",
        "一、主诉\n胸痛3天。\n二、既往史\n无。\n三、诊疗计划\n休息。",
        "（一）主诉：胸痛3天。（二）既往史：无。（三）诊疗计划：休息。",
        "主诉：胸痛3天。既往史：无。诊疗计划：休息。",
    ],
)
def test_chinese_headings_in_many_layouts(text: str) -> None:
    assert sections(text, "zh") == [("chief_complaint", "胸痛3天。"), ("past_history", "无。"), ("plan", "休息。")]


def test_a_heading_for_several_sections_takes_the_name_of_the_first() -> None:
    text = "CC:\nHeadache.\nHX:\nSudden.\nPMH/FHX/SHX:\nUnremarkable.\nMEDS:\nNone.\nBP/HR: 120/80, 70."
    assert [label for label, _ in sections(text)] == [
        "chief_complaint",
        "history_of_present_illness",
        "past_history",
        "medications",
    ]


def test_sub_headings_lie_inside_the_section_above_them() -> None:
    text = "HPI: Cough.\nPHYSICAL EXAM:\nVitals: BP 120/80.\nHEENT: Normal.\nPLAN: Rest."
    assert sections(text) == [
        ("history_of_present_illness", "Cough."),
        ("physical_exam", "Vitals: BP 120/80.\nHEENT: Normal."),
        ("vital_signs", "BP 120/80."),
        ("plan", "Rest."),
    ]


def test_a_heading_that_repeats_the_one_above_is_part_of_the_body() -> None:
    assert sections("主诉：\n主  诉：胸痛。\n\n查体：\n腹软。", "zh") == [
        ("chief_complaint", "主  诉：胸痛。"),
        ("physical_exam", "腹软。"),
    ]


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("We discussed the plan: rest and fluids.", "en"),
        ("Her allergies are: none known.", "en"),
        ("The labs\nwere normal.", "en"),
        ("他否认有家族史或过敏史。", "zh"),
        ("PLAN:", "en"),
        ("", "en"),
    ],
)
def test_prose_and_empty_sections_have_no_span(text: str, lang: str) -> None:
    assert sections(text, lang) == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_heading_of_the_data_file_is_found(lang: str) -> None:
    for label, headings in load_rules(lang).sections.items():
        for heading in headings:
            assert sections(f"{heading.capitalize()}:\nbody", lang) == [(label, "body")], heading


@given(ANY | NOTES, st.sampled_from(["en", "zh"]))
def test_sections_are_trimmed_in_order_and_inside_the_text(text: str, lang: str) -> None:
    spans = find_sections(text, lang)
    assert list(spans) == sorted(spans, key=lambda span: (span.start, -span.end))
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == text[span.start : span.end].strip()


@pytest.mark.parametrize(
    "unit", [":", "A:", "\n", "PLAN:", "Plan: x\n", "【", "】", "【诊断】", "诊断:", " ", "(", "1.", "(:"]
)
def test_time_is_linear_in_the_length(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    began = time.process_time()
    find_sections(text, "zh")
    assert time.process_time() - began < 3


@pytest.mark.parametrize("space", [chr(c) for c in range(0x3001) if chr(c).isspace()])
def test_white_space_of_any_kind_is_no_body_and_no_part_of_one(space: str) -> None:
    assert find_sections(f"PMH:{space}", "en") == ()
    assert [(span.start, span.end) for span in find_sections(f"PMH: {space}Gout.{space}", "en")] == [(6, 11)]
    assert find_sections(f"既往史：{space}", "zh") == ()
