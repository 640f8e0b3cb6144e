"""Diagnoses of notes with the spans that each code looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from clinlp.data.batches import by_length, join
from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.data.rows import Pieces
from clinlp.errors import UsageError
from clinlp.inference.device import Precision, autocast, place, settle
from clinlp.inference.evidence import attended_spans
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.store import find_model, load_model
from clinlp.note import Diagnosis, Note
from clinlp.spans import Span
from clinlp.tagging.windows import overlapping


class DiagnosisPredictor:
    """Ranks the codes of a note; a long note is read in windows that label attention joins."""

    def __init__(
        self,
        diagnoser: Diagnoser,
        reader: PieceReader,
        *,
        precision: Precision = "fp32",
        batch_pieces: int = 8192,
        top: int | None = None,
        evidence: bool = True,
    ) -> None:
        """Use a diagnoser where it is.

        Args:
            batch_pieces: Pieces of a batch, padding included.
            top: Give this many codes a note, whatever their probability; else those at or above the
                model's threshold.
            evidence: Say for every code where it looked.
        """
        self.diagnoser, self.reader, self.top, self.evidence = diagnoser, reader, top, evidence
        self.precision, self.batch_pieces = settle(diagnoser, precision), batch_pieces
        self.codes = diagnoser.config.codes
        self.device = next(diagnoser.parameters()).device

    @classmethod
    def load(
        cls, model: str | Path, *, device: str | None = None, precision: Precision = "auto", top: int | None = None
    ) -> DiagnosisPredictor:
        """Load a model folder or a bundled model.

        Args:
            device: `cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.

        Raises:
            UsageError: There is no such model, or it predicts something else.
        """
        folder = find_model(model)
        diagnoser = load_model(folder)
        if not isinstance(diagnoser, Diagnoser):
            raise UsageError(f"{model}: a model of diagnoses needed, got one of {diagnoser.config.task}")
        place(diagnoser, device)
        return cls(diagnoser, read_pieces(folder), precision=precision, top=top)

    @torch.inference_mode()
    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Replace the diagnoses of every note, the most probable code first; order and texts are kept."""
        read = [self.reader(note.text) for note in notes]
        encoder = self.diagnoser.config.encoder
        found: list[tuple[Diagnosis, ...]] = [()] * len(notes)  # a note without words has no diagnosis
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        for group in by_length(np.array([len(read[at]) for at in filled], np.int64), self.batch_pieces):
            chosen = [filled[item] for item in group.tolist()]
            batch = join(
                [(read[at].features, overlapping(len(read[at]), encoder.max_pieces, encoder.overlap)) for at in chosen]
            )
            with autocast(self.device, self.precision, encoder.kind):
                probabilities, attention = self.diagnoser.predict(
                    batch.pieces.to(self.device), batch.mask.to(self.device), batch.places.to(self.device)
                )
            for row, at in enumerate(chosen):
                found[at] = self._diagnoses(
                    probabilities[row].float().cpu().numpy(), attention[row], notes[at].text, read[at]
                )
        return [replace(note, diagnoses=diagnoses) for note, diagnoses in zip(notes, found, strict=True)]

    def _diagnoses(
        self, probabilities: NDArray[np.float32], attention: torch.Tensor, text: str, pieces: Pieces
    ) -> tuple[Diagnosis, ...]:
        """Choose the codes of one note and show where each looked."""
        ranked = np.argsort(-probabilities, kind="stable")
        top = 1 if self.diagnoser.config.single and not self.top else self.top
        chosen = ranked[:top] if top else ranked[probabilities[ranked] >= self.diagnoser.config.threshold]
        looked: dict[int, tuple[Span, ...]] = {}
        if self.evidence and len(chosen):
            rows = attention[torch.from_numpy(chosen).to(attention.device), : len(pieces)].float().cpu().numpy()
            looked = {
                code: attended_spans(row, pieces.offsets, text) for code, row in zip(chosen.tolist(), rows, strict=True)
            }
        return tuple(
            Diagnosis(self.codes[code], min(1.0, float(probabilities[code])), looked.get(code, ()))
            for code in chosen.tolist()
        )
