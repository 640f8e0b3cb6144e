"""What every model of diagnoses says of itself, whatever it is made of."""

from __future__ import annotations

from typing import Literal

from clinlp.config import Config


class CodesConfig(Config):
    """The codes of a model, and which of them a note gets."""

    task: Literal["diagnosis"] = "diagnosis"
    codes: tuple[str, ...]
    code_length: int | None = None  # codes were cut to this many characters: 3 = ICD-10 categories
    single: bool = False  # exactly one code a note: softmax instead of one sigmoid per code
    threshold: float = 0.5
