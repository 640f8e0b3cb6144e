"""What the page calls labels, context and sections, in English and Chinese."""

from __future__ import annotations

from typing import Final

from clinlp.deid.categories import CATEGORIES, PhiLabel
from clinlp.labels import ENTITY_LABELS
from clinlp.note import Lang
from clinlp.spans import Context

CONTEXT_NAMES: Final[dict[str, tuple[str, str]]] = {
    "negated": ("negated", "否定"),
    "uncertain": ("uncertain", "不确定"),
    "historical": ("past", "既往"),
    "hypothetical": ("hypothetical", "假设"),
    "family": ("family", "家族"),
    "other": ("someone else", "他人"),
}
"""Mark of a context -> its name in English and Chinese."""

SECTION_NAMES: Final[dict[str, tuple[str, str]]] = {
    "chief_complaint": ("Chief complaint", "主诉"),
    "history_of_present_illness": ("Present illness", "现病史"),
    "past_history": ("Past history", "既往史"),
    "personal_history": ("Personal history", "个人史"),
    "family_history": ("Family history", "家族史"),
    "medications": ("Medications", "用药"),
    "allergies": ("Allergies", "过敏史"),
    "review_of_systems": ("Review of systems", "系统回顾"),
    "physical_exam": ("Physical examination", "体格检查"),
    "vital_signs": ("Vital signs", "生命体征"),
    "labs": ("Laboratory", "实验室检查"),
    "imaging": ("Imaging", "影像检查"),
    "assessment": ("Assessment", "评估"),
    "plan": ("Plan", "诊疗计划"),
    "hospital_course": ("Hospital course", "诊疗经过"),
    "procedure": ("Procedure", "操作"),
    "pathology": ("Pathology", "病理"),
    "discharge": ("Discharge", "出院情况"),
    "diagnosis": ("Diagnosis", "诊断"),
    "social_history": ("Social history", "社会史"),
    "obstetric_history": ("Obstetric history", "婚育史"),
    "demographics": ("Demographics", "一般情况"),
    "other": ("Other", "其他"),
}
"""Canonical section name -> its heading in English and Chinese."""


def label_names(kind: str, label: str) -> tuple[str, str]:
    """Name a label of `entities` or `phi` in English and Chinese; a label of somebody else's stays as it is."""
    if kind == "entities":
        return ENTITY_LABELS.get(label, (label, label))
    if label not in PhiLabel.__members__:
        return label, label
    category = CATEGORIES[PhiLabel[label]]
    return category.en, category.zh


def section_name(label: str, lang: Lang | None) -> str:
    """Head a section in the language of its note."""
    english, chinese = SECTION_NAMES.get(label, (label.replace("_", " ").capitalize(), label))
    return chinese if lang == "zh" else english


def context_marks(context: Context | None) -> list[str]:
    """List the keys of `CONTEXT_NAMES` that hold."""
    if context is None:
        return []
    flags = ("negated", "uncertain", "historical", "hypothetical")
    marks = [flag for flag in flags if getattr(context, flag)]
    return marks if context.experiencer == "patient" else [*marks, context.experiencer]
