"""`clinlp_diagnosis`: diagnosis codes in spaCy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from spacy.language import Language
from spacy.tokens import Doc

from clinlp.note import Note
from clinlp.pipes.base import ModelPipe, default_model
from clinlp.pipes.convert import record_of, set_diagnoses

if TYPE_CHECKING:
    from clinlp.inference.device import Precision
    from clinlp.inference.diagnosis import DiagnosisPredictor


class DiagnosisPipe(ModelPipe):
    """Writes the probability of each predicted code to `doc.cats`, with evidence to `doc._.diagnoses`."""

    def __init__(
        self,
        name: str,
        lang: str | None,
        *,
        model: str,
        top: int | None = None,
        device: str | None = None,
        precision: str,
    ) -> None:
        super().__init__(name, lang, model=model, device=device, precision=precision)
        self.top = top

    def load_predictor(self, folder: Path) -> DiagnosisPredictor:
        """Load a diagnoser."""
        from clinlp.inference.diagnosis import DiagnosisPredictor

        return DiagnosisPredictor.load(
            folder, device=self.device, precision=cast("Precision", self.precision), top=self.top
        )

    def _note(self, doc: Doc) -> Note:
        """Give the text of a Doc, and the fields that the model reads beside it."""
        columns = cast("DiagnosisPredictor", self.predictor).columns
        return (
            super()._note(doc) if not columns else replace(record_of(doc, columns), note_id=self.name, lang=self.lang)
        )

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Predict codes."""
        return cast("DiagnosisPredictor", self.predictor)(notes)

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write codes to a Doc."""
        set_diagnoses(doc, note.diagnoses or ())


@Language.factory(
    "clinlp_diagnosis",
    assigns=["doc.cats", "doc._.diagnoses"],
    default_config={"model": None, "top": None, "device": None, "precision": "auto"},
)
def make_diagnosis_pipe(
    nlp: Language,
    name: str,
    model: str | None,
    top: int | None,
    device: str | None,
    precision: Literal["auto", "fp32", "bf16"],
) -> DiagnosisPipe:
    """Build the pipe from its config.

    Args:
        model: A model folder or a bundled model; by default the bundled one of the pipeline's language.
        top: Give this many codes a Doc, whatever their probability.
        device: `cpu`, `cuda`, `cuda:1` ...; by default a GPU if there is one.
        precision: `auto` computes a transformer in bf16 where the hardware does.
    """
    return DiagnosisPipe(
        name,
        nlp.lang,
        model=model or default_model("diagnosis", name, nlp.lang),
        top=top,
        device=device,
        precision=precision,
    )
