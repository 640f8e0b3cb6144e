"""Options of a batch job: how a dump is read, what is done to its notes, how they are written."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from pydantic import Field

from clinlp.inference.config import PipelineConfig
from clinlp.records.options import ReadOptions

Target: TypeAlias = Literal["jsonl", "jsonl.gz", "jsonl.zst", "parquet", "docbin", "brat"]
OPERATION: Final = ("workers", "limit_s", "max_errors", "key_file", "on")
"""Options that leave the output as it is: a job may go on with others."""


class BatchConfig(PipelineConfig, ReadOptions):
    """Options of a batch job; all keys stand on one level in a TOML file."""

    to: Target = Field("jsonl", description="Form of the output's parts.")
    tokens: bool = Field(True, description="Write the offsets of tokens and sentences of the released text.")
    shard_bytes: int | None = Field(
        None, ge=1, description="Input of one part; by default 1/32 of it all, 256 KiB at least and 8 MiB at most."
    )
    chunk_notes: int = Field(256, ge=1, description="Notes that go through the models together.")
    chunk_characters: int = Field(500_000, ge=1, description="Characters that go through the models together.")
    workers: int | None = Field(
        None,
        ge=0,
        description="Processes, of one thread each; 0 is none beside this one, which then is lost with a note that "
        "hangs or kills it. By default one a core, 8 at most; for a dump of one part 0.",
    )
    on: str | None = Field(
        None, description="Spark cluster that does the work: `spark://HOST:PORT`, `yarn`, `k8s://...` or `local[4]`."
    )
    limit_s: float = Field(300.0, gt=0, description="Seconds for one note; one that takes longer goes to quarantine.")
    max_errors: float = Field(
        1.0, ge=0, le=1, description="Share of the records that may go to quarantine before the job stops."
    )

    @property
    def reads_patients(self) -> bool:
        """Whether the model of diagnoses reads all notes of a patient together."""
        if self.diagnosis in ("off", "bundled"):
            return False
        from clinlp.models.store import reads_patients  # torch: for a model that is there

        return reads_patients(self.diagnosis)

    def identity(self) -> dict[str, Any]:
        """The options that the output depends on."""
        return self.model_dump(mode="json", exclude=set(OPERATION))
