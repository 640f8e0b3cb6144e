from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.text.language import detect_language


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("", "en"),
        ("\x00 123 \ud800", "en"),
        ("The patient denies chest pain.", "en"),
        ("Señora Muñoz: disnea", "en"),
        ("患者无发热。", "zh"),
        ("予 metoprolol 25mg b.i.d. 口服", "zh"),
        ("ECG：窦性心律。CT、MRI 未见异常，WBC 10×10^9/L，AST 35U/L", "zh"),
        ("Patient of Chinese origin (王), presents with chest pain and cough.", "en"),
        ("Chest pain. " * 20_000, "en"),
        ("胸痛 BP 120/80mmHg。" * 20_000, "zh"),
    ],
)
def test_language_follows_the_script(text: str, lang: str) -> None:
    assert detect_language(text) == lang


def test_a_heading_in_the_other_language_does_not_decide_a_long_note() -> None:
    assert detect_language("Department of Cardiology, Admission Record\n" + "患者胸闷，气促。" * 5_000) == "zh"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_has_a_language(text: str) -> None:
    assert detect_language(text) in ("en", "zh")
