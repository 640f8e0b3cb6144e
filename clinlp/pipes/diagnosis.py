"""`clinlp_diagnosis`: diagnosis codes in spaCy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from spacy.language import Language
from spacy.tokens import Doc

from clinlp.errors import DataError, UsageError
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
        self._in_worker = False

    def load_predictor(self, folder: Path) -> DiagnosisPredictor:
        """Load a diagnoser."""
        from clinlp.inference.diagnosis import DiagnosisPredictor

        return DiagnosisPredictor.load(
            folder, device=self.device, precision=cast("Precision", self.precision), top=self.top
        )

    def prepare(self) -> None:
        """Load the model.

        Raises:
            UsageError: It reads patients, whose notes worker processes would share among each other.
        """
        super().prepare()
        if self._in_worker and self._reads_patients:
            raise UsageError(f"{self.name}: n_process=1 needed for a model that reads patients, got several")

    @property
    def _reads_patients(self) -> bool:
        return cast("DiagnosisPredictor", self.predictor).whole_patients

    def _enter_worker(self) -> None:
        super()._enter_worker()
        self._in_worker = True

    def _note(self, doc: Doc) -> Note:
        """Give the text of a Doc, and what the model reads beside it: fields, patient and time."""
        bare, columns = super()._note(doc), cast("DiagnosisPredictor", self.predictor).columns
        if not columns and not self._reads_patients:
            return bare
        held = record_of(doc, columns)
        return replace(bare, fields=held.fields, patient_id=held.patient_id, time=held.time)

    def _batches(self, stream: Iterator[Doc], batch_size: int) -> Iterator[list[Doc]]:
        """Part Docs into batches; for a model that reads patients, those of a patient stay in one.

        A Doc that comes when others have come between it and the Docs of its patient goes to the error handler.
        """
        if not self._reads_patients:
            yield from super()._batches(stream, batch_size)
            return
        seen: set[str] = set()
        current: str | None = None
        docs: list[Doc] = []
        for doc in stream:
            patient = _patient(doc)
            goes_on = patient is not None and patient == current
            if not goes_on and patient in seen:
                said = f"{self.name}: Docs of a patient need to stand together for this model; sort them by patient"
                handle: Any = self.get_error_handler()  # may raise, or take note and let go on
                handle(self.name, self, [doc], DataError(said))
                continue
            if len(docs) >= batch_size and not goes_on:
                yield docs
                docs = []
            docs.append(doc)
            current = patient
            seen |= {patient} if patient is not None else set()
        if docs:
            yield docs

    def _apart(self, docs: Sequence[Doc]) -> Sequence[Note | Exception | None]:
        """Find the Docs that fail by themselves, and predict all others as one: alone they would lack their history."""
        if not self._reads_patients:
            return super()._apart(docs)
        found: list[Note | Exception | None] = []
        for doc in docs:
            try:
                found.append(self.predict([self._note(doc)])[0])
            except Exception as error:  # noqa: BLE001  the error handler decides what becomes of it
                found.append(error)
        good = [at for at, each in enumerate(found) if isinstance(each, Note)]
        try:
            made: Sequence[Note | Exception] = self.predict([self._note(docs[at]) for at in good])
        except Exception as error:  # noqa: BLE001
            made = [error] * len(good)
        for at, result in zip(good, made, strict=True):
            found[at] = result
        return found

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Predict codes."""
        return cast("DiagnosisPredictor", self.predictor)(notes)

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write codes to a Doc."""
        set_diagnoses(doc, note.diagnoses or ())


def _patient(doc: Doc) -> str | None:
    """Give the patient of a Doc; None where what the Doc says cannot be read, which is said when it is annotated."""
    try:
        return record_of(doc).patient_id
    except DataError:
        return None


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
