"""Options of a batch job: how a dump is read, what is done to its notes, how they are written."""

from __future__ import annotations

from pydantic import Field

from clinlp.inference.config import PipelineConfig
from clinlp.records.options import ReadOptions


class BatchConfig(PipelineConfig, ReadOptions):
    """Options of a batch job; all keys stand on one level in a TOML file."""

    tokens: bool = Field(True, description="Write the offsets of tokens and sentences of the released text.")
    part_notes: int = Field(10_000, ge=1, description="Notes of one output file.")
    chunk_notes: int = Field(256, ge=1, description="Notes that go through the models together.")
    chunk_characters: int = Field(500_000, ge=1, description="Characters that go through the models together.")
