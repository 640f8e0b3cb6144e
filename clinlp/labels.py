"""The names of clinical labels, and how older sets call them.

PHI labels live in `clinlp.deid.categories`. A model may be trained on any labels; these are the ones
that the shipped corpora and models use.
"""

from __future__ import annotations

from typing import Final

ENTITY_LABELS: Final[dict[str, tuple[str, str]]] = {
    "DISEASE": ("disease", "疾病"),
    "SYMPTOM": ("symptom or sign", "症状体征"),
    "TEST": ("test or examination", "检查检验"),
    "RESULT": ("test result", "检查结果"),
    "PROCEDURE": ("operation or treatment", "手术治疗"),
    "DRUG": ("drug", "药物"),
    "DOSE": ("dose", "剂量"),
    "FREQUENCY": ("frequency", "频次"),
    "DURATION": ("duration", "持续时间"),
    "ANATOMY": ("body part", "解剖部位"),
}
"""Label -> its name in English and Chinese."""
