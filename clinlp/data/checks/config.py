"""Options of a check."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clinlp.records.options import ReadOptions


class CheckConfig(ReadOptions):
    """How notes are read, what a model would make of them, and what counts as alike."""

    spans: Literal["entities", "phi"] = Field(
        default="entities", description="the set to check; spans of CoNLL and brat go into it"
    )
    duplicate_ids: Literal["refuse", "keep"] = "keep"  # an id that came before is a finding here, not an end
    encoder: str = Field(
        default="lstm",
        description="whose pieces count: `lstm`, `cnn`, a folder with a tokenizer.json or vocabulary.json, or a hub id",
    )
    max_pieces: int = Field(default=256, ge=8, le=8192, description="pieces of a training window")
    similarity: float = Field(
        default=0.8, ge=0.5, le=1.0, description="share of character 5-grams from which two notes are near-duplicates"
    )
    code_length: int | None = Field(
        default=None, ge=1, description="cut codes to this length, as training would: 3 gives ICD-10 categories"
    )
    examples: int = Field(
        default=5, ge=0, description="places kept of each finding, and strings and pairs of each list"
    )
    show_text: bool = Field(default=False, description="show the strings concerned; they may be PHI")
