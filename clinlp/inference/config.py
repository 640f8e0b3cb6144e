"""What the pipeline is told; read without loading any model."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from clinlp.config import Config
from clinlp.deid import Mode

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]


class PipelineConfig(Config):
    """What the pipeline does to a note."""

    deid: Mode = Field("tag", description="How PHI is replaced; `off` keeps the text and marks PHI as spans over it.")
    entities: str = Field("bundled", description="`bundled` (by language), `off`, or a model folder.")
    diagnosis: str = Field("bundled", description="`bundled` (by language), `off`, or a model folder.")
    sections: bool = Field(True, description="Find sections by their headings.")
    context: bool = Field(True, description="Say of each entity whether it is denied, doubted, past or another's.")
    top: int | None = Field(None, ge=1, description="Codes a note, whatever their probability.")
    keep_fields: tuple[str, ...] = Field(
        (), description="Columns released with de-identified text, `patient_id` and `time` too; `*` keeps all."
    )
    max_characters: int = Field(1_000_000, ge=1, description="A longer note is refused, never cut.")
    device: str | None = Field(None, description="`cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.")
    precision: Precision = Field("auto", description="`auto` is bf16 for a transformer where the hardware has it.")
