"""What every model of diagnoses says of itself, whatever it is made of."""

from __future__ import annotations

from typing import Literal, TypeAlias

from clinlp.models.decision import DecisionConfig

Target: TypeAlias = Literal["same", "next"]
"""Whose codes are predicted at a note: those of its own visit, or of the patient's next one."""


class CodesConfig(DecisionConfig):
    """The codes of a model, and which of them a note gets."""

    task: Literal["diagnosis"] = "diagnosis"
    codes: tuple[str, ...]
    code_length: int | None = None  # codes were cut to this many characters: 3 = ICD-10 categories
    target: Target = "same"
