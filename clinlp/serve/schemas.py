"""The canonical JSON form of a note and the service's answers, as schemas for OpenAPI.

Requests are read by `clinlp.records`, as any dump is: the usual other names of columns are known, and
columns that are not become `fields`. Answers are written by it, and fit these schemas exactly.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from clinlp.spans import CUE_EFFECTS

_Offsets: TypeAlias = tuple[int, int]


class _Form(BaseModel):
    """Part of an answer: it has these keys and no others."""

    model_config = ConfigDict(extra="forbid")


class CueRecord(_Form):
    """Words that say what an entity's context is."""

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    effect: str = Field(json_schema_extra={"enum": list(CUE_EFFECTS)})


class ContextRecord(_Form):
    """What the note says about an entity."""

    negated: bool = False
    uncertain: bool = False
    historical: bool = False
    hypothetical: bool = False
    experiencer: Literal["patient", "family", "other"] = "patient"
    cues: list[CueRecord] | None = None


class SpanRecord(_Form):
    """A labelled range of characters (Unicode code points), half-open."""

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    label: str = Field(min_length=1)
    score: float | None = Field(None, ge=0, le=1)
    context: ContextRecord | None = None


class DiagnosisRecord(_Form):
    """A code, its probability, and the spans that support it."""

    code: str = Field(min_length=1)
    score: float | None = Field(None, ge=0, le=1)
    evidence: list[SpanRecord] | None = None


class NoteIn(BaseModel):
    """A note as it is sent: `text` is all that is needed. Keys that are not listed become `fields`."""

    note_id: str | int | None = Field(None, description="By default the note's number in the request.")
    text: str
    patient_id: str | int | None = None
    lang: Literal["en", "zh"] | None = Field(None, description="By default detected.")
    time: date | None = None
    entities: list[SpanRecord] | None = None
    phi: list[SpanRecord] | None = Field(None, description="PHI that is known; ours comes beside it.")
    sections: list[SpanRecord] | None = None
    diagnoses: list[DiagnosisRecord] | None = None
    fields: dict[str, Any] | None = None


class NotesIn(BaseModel):
    """Many notes in one request."""

    notes: list[NoteIn]


class NoteRecord(_Form):
    """A note in its canonical form; what is not known is left out."""

    note_id: str
    text: str
    patient_id: str | None = None
    lang: Literal["en", "zh"] | None = None
    time: date | None = None
    entities: list[SpanRecord]
    phi: list[SpanRecord]
    sections: list[SpanRecord]
    diagnoses: list[DiagnosisRecord] | None = None
    fields: dict[str, Any]
    tokens: list[_Offsets] | None = Field(None, description="Where asked for.")
    sentences: list[_Offsets] | None = Field(None, description="Where asked for.")


class FailureRecord(_Form):
    """Why there is nothing of a note; never any text of it."""

    stage: str
    error: str
    reason: str = ""


class FailedNote(_Form):
    """A note of which there is nothing."""

    note_id: str | None
    failure: FailureRecord


class NotesRecord(_Form):
    """What became of many notes, in their order."""

    notes: list[NoteRecord | FailedNote]


class ErrorRecord(_Form):
    """What was wrong with a request; never any text of a note."""

    type: str
    message: str
    request_id: str
    note_id: str | None = None
    stage: str | None = None


class ErrorAnswer(_Form):
    """The body of every answer that is no success."""

    error: ErrorRecord


class ModelRecord(_Form):
    """A model that the service uses."""

    name: str
    task: Literal["phi", "entities", "diagnosis"]
    lang: Literal["en", "zh", "both"]
    labels: list[str] = Field(description="Labels of spans, or codes.")


class ModelsRecord(_Form):
    """What the service uses."""

    version: str
    models: list[ModelRecord]
    deid: list[str] = Field(description="Ways to replace PHI that may be asked for; `off` replaces nothing.")
    default_deid: str
    choices: dict[str, list[str]] = Field(
        description="Models that a request may name in place of these, as `phi=`, `entities=` and `diagnosis=`."
    )


class StatusRecord(_Form):
    """Whether the service lives, or can work."""

    status: Literal["ok", "loading", "busy", "closing"]


def request_schemas() -> dict[str, Any]:
    """Give the schemas of request bodies by name, for OpenAPI's components."""
    _, held = models_json_schema(
        [(NoteIn, "validation"), (NotesIn, "validation")], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = held["$defs"]
    return schemas
