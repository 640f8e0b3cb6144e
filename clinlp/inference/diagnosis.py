"""Diagnoses of notes with the spans that each code looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clinlp.data.batches import by_length, join
from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.data.rows import Pieces
from clinlp.errors import UsageError
from clinlp.inference.device import Precision, autocast, place, settle
from clinlp.inference.evidence import attended_spans
from clinlp.models.codes import CodesConfig
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.store import find_model, load_model, save_model
from clinlp.note import Diagnosis, Note
from clinlp.spans import Span
from clinlp.tagging.windows import overlapping


@dataclass(frozen=True, slots=True)
class Scored:
    """What any model of diagnoses says of one note.

    Attributes:
        at: Place of the note among those that were given.
        probabilities: `(code,)`, float32 or float64.
        explain: Gives the evidence for codes, by their places in the code set.
    """

    at: int
    probabilities: NDArray[Any]
    explain: Callable[[Sequence[int]], list[tuple[Span, ...]]]


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

    @property
    def config(self) -> CodesConfig:
        """How probabilities become codes."""
        return self.diagnoser.config

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

    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Replace the diagnoses of every note, the most probable code first; order and texts are kept."""
        found: list[tuple[Diagnosis, ...]] = [()] * len(notes)  # a note without words has no diagnosis
        for scored in self.scored(notes):
            found[scored.at] = self._diagnoses(scored)
        return [replace(note, diagnoses=diagnoses) for note, diagnoses in zip(notes, found, strict=True)]

    def scored(self, notes: Sequence[Note]) -> Iterator[Scored]:
        """Give every code's probability in each note that has words, in any order."""
        read = [self.reader(note.text) for note in notes]
        encoder = self.diagnoser.config.encoder
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        for group in by_length(np.array([len(read[at]) for at in filled], np.int64), self.batch_pieces):
            chosen = [filled[item] for item in group.tolist()]
            batch = join(
                [(read[at].features, overlapping(len(read[at]), encoder.max_pieces, encoder.overlap)) for at in chosen]
            )
            with torch.inference_mode(), autocast(self.device, self.precision, encoder.kind):
                probabilities, attention = self.diagnoser.predict(
                    batch.pieces.to(self.device), batch.mask.to(self.device), batch.places.to(self.device)
                )
            for row, at in enumerate(chosen):
                explain = partial(_attended, attention[row], read[at], notes[at].text)
                yield Scored(at, probabilities[row].float().cpu().numpy(), explain)

    def save(self, folder: Path) -> None:
        """Write the model folder, but for its card."""
        save_model(folder, self.diagnoser)
        self.reader.save(folder)

    def _diagnoses(self, scored: Scored) -> tuple[Diagnosis, ...]:
        """Choose the codes of one note and show where each looked."""
        probabilities = scored.probabilities
        ranked = np.argsort(-probabilities, kind="stable")
        top = 1 if self.config.single and not self.top else self.top
        chosen = (ranked[:top] if top else ranked[probabilities[ranked] >= self.config.threshold]).tolist()
        looked = scored.explain(chosen) if self.evidence and chosen else [()] * len(chosen)
        return tuple(
            Diagnosis(self.codes[code], min(1.0, float(probabilities[code])), spans)
            for code, spans in zip(chosen, looked, strict=True)
        )


def _attended(attention: torch.Tensor, pieces: Pieces, text: str, codes: Sequence[int]) -> list[tuple[Span, ...]]:
    """Say where the codes of one note looked."""
    chosen = torch.tensor(codes, dtype=torch.int64, device=attention.device)
    rows = attention[chosen, : len(pieces)].float().cpu().numpy()
    return [attended_spans(row, pieces.offsets, text) for row in rows]
