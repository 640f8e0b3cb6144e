"""Which language a note is written in, told from its script."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinlp.note import Lang

# Han ideographs with their extensions, the iteration mark and the ideographic zero; for a regex class.
HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

_N_SAMPLES = 16
_SAMPLE_LENGTH = 1024
# A Han character says as much as several Latin letters, and Chinese notes carry Latin
# abbreviations, drug names and units, while English notes hold hardly any Han at all.
_LATIN_PER_HAN = 6


@cache
def _scripts() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(f"[{HAN}]"), re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ]")


def detect_language(text: str) -> Lang:
    """Tell Chinese from English by the share of Han characters among the letters.

    A long text is judged by samples spread evenly over it. A text without letters is English.

    >>> detect_language("患者因胸痛行 ECG 检查，BP 120/80mmHg。")
    'zh'
    """
    if len(text) > _N_SAMPLES * _SAMPLE_LENGTH:
        step = len(text) // _N_SAMPLES
        text = "".join([text[at : at + _SAMPLE_LENGTH] for at in range(0, step * _N_SAMPLES, step)])
    if text.isascii():
        return "en"
    han, latin = _scripts()
    n_han = len(han.findall(text))
    return "zh" if n_han * _LATIN_PER_HAN > len(latin.findall(text)) else "en"
