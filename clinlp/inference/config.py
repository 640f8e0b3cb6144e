"""What the pipeline is told; read without loading any model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from clinlp.config import Config
from clinlp.deid import Mode

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]


class PipelineConfig(Config):
    """What the pipeline does to a note."""

    deid: Mode = Field("tag", description="How PHI is replaced; `off` keeps the text and marks PHI as spans over it.")
    phi: str = Field(
        "bundled",
        description="Trained PHI tagger beside the rules: `bundled` (by language), a model folder, or `off` for rules "
        "alone, several times as fast, which miss more.",
    )
    thresholds: Path | None = Field(None, description="Least scores of found PHI: a file of `clinlp calibrate`.")
    known: tuple[str, ...] = Field(
        (), description="Column that names the patient, COLUMN=LABEL: found in any spelling wherever it stands."
    )
    given_phi: bool = Field(True, description="Take PHI that the records already mark as found, beside our own.")
    only_given: bool = Field(
        False, description="Replace the PHI that the records mark and look for no other: a person has checked them."
    )
    key_file: Path | None = Field(
        None, description="Secret of surrogates and vault (`clinlp key new FILE`); else the variable CLINLP_KEY."
    )
    vault: Path | None = Field(None, description="Encrypted file that lets `clinlp reidentify` undo the release.")
    max_shift_days: int = Field(365, ge=1, description="With surrogates, dates of a patient move by at most so much.")
    keep_weekday: bool = Field(False, description="With surrogates, dates move by whole weeks.")
    entities: str = Field("bundled", description="`bundled` (by language), `off`, or a model folder.")
    keep_entities: bool = Field(
        False, description="Keep the entities that the records bring, whoever found them, and add their context."
    )
    diagnosis: str = Field("bundled", description="`bundled` (by language), `off`, or a model folder.")
    sections: bool = Field(True, description="Find sections by their headings.")
    context: bool = Field(True, description="Say of each entity whether it is denied, doubted, past or another's.")
    context_model: str = Field(
        "rules", description="What finds context: `rules`, or a model of `clinlp train context`."
    )
    rules: Path | None = Field(
        None, description="File of rules for sections and context, beside those of the package: what it says counts."
    )
    top: int | None = Field(None, ge=1, description="Codes a note, whatever their probability.")
    sets: bool = Field(
        False, description="Give the prediction sets that `clinlp calibrate-codes` has chosen, with what they promise."
    )
    max_set: int | None = Field(
        None, ge=1, description="The same, but no codes at all for a note whose set has more than so many."
    )
    keep_fields: tuple[str, ...] = Field(
        (),
        description="Columns released with de-identified text, `patient_id` and `time` too; `*` keeps all but "
        "those of `known`.",
    )
    max_characters: int = Field(1_000_000, ge=1, description="A longer note is refused, never cut.")
    device: str | None = Field(None, description="`cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.")
    precision: Precision = Field("auto", description="`auto` is bf16 for a transformer where the hardware has it.")

    @model_validator(mode="after")
    def _one_source_of_entities(self) -> Self:
        """Refuse a model beside the entities that are kept."""
        if self.keep_entities and self.entities not in ("bundled", "off"):
            raise ValueError("keep_entities: the records' entities or those of a model needed, got both")
        return self

    @model_validator(mode="after")
    def _some_source_of_phi(self) -> Self:
        """Refuse to take nothing as PHI."""
        if self.only_given and not self.given_phi:
            raise ValueError("only_given: the PHI that records mark needed, got given_phi off")
        return self

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        """Refuse two ways to choose codes."""
        if self.top is not None and (self.sets or self.max_set is not None):
            raise ValueError("top: the first codes or prediction sets needed, got both")
        return self
