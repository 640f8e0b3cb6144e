"""Diagnoses of notes with the spans that each code looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from clinlp.data.batches import by_length, join
from clinlp.data.fields import read_fields
from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.data.rows import Pieces
from clinlp.data.titles import Titles, read_titles, write_titles
from clinlp.errors import UsageError
from clinlp.inference.decision import Decision
from clinlp.inference.device import Precision, autocast, place, settle, usual_batch
from clinlp.inference.evidence import attended
from clinlp.models.codes import CodesConfig
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.label_attention import LabelAttention
from clinlp.models.patients import PatientDiagnoser
from clinlp.models.store import find_model, load_model, save_model
from clinlp.models.tagger import Tagger
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
    """Ranks the codes of a note; a long note is read in windows that label attention joins.

    Models that are no network have predictors of their own (`clinlp.inference.baselines`), which differ in
    `scored` alone.
    """

    titles: Titles = MappingProxyType({})

    def __init__(
        self,
        diagnoser: Diagnoser | PatientDiagnoser,
        reader: PieceReader,
        *,
        precision: Precision = "fp32",
        batch_pieces: int | None = None,
        top: int | None = None,
        evidence: bool = True,
    ) -> None:
        """Use a diagnoser where it is.

        Args:
            batch_pieces: Pieces of a batch, padding included; else what suits the device.
            top: Give this many codes a note, whatever their probability; else those that the model's
                config chooses.
            evidence: Say for every code where it looked.
        """
        self.diagnoser, self.reader, self.top, self.evidence = diagnoser, reader, top, evidence
        self.precision = settle(diagnoser, precision)
        self.codes = diagnoser.config.codes
        self.device = next(diagnoser.parameters()).device
        self.batch_pieces = batch_pieces or usual_batch(self.device)
        self.max_set: int | None = None
        self.n_abstained = 0
        self._sets = False

    @property
    def config(self) -> CodesConfig:
        """How probabilities become codes."""
        return self.diagnoser.config

    @property
    def ahead(self) -> bool:
        """Whether the codes are those of the patient's next visit."""
        return self.config.target == "next"

    @property
    def whole_patients(self) -> bool:
        """Whether all notes of a patient must be given together."""
        members: Sequence[DiagnosisPredictor] = getattr(self, "members", ())  # of an ensemble
        return getattr(self.config, "model", None) == "patients" or any(member.whole_patients for member in members)

    @property
    def columns(self) -> tuple[str, ...]:
        """Fields of a note that the model reads beside the text."""
        members: Sequence[DiagnosisPredictor] = getattr(self, "members", ())  # of an ensemble
        config = getattr(self.config, "fields", None)  # a network's alone
        own = () if config is None else config.names
        return tuple(dict.fromkeys((*own, *(name for member in members for name in member.columns))))

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
        if isinstance(diagnoser, Tagger):
            raise UsageError(f"{model}: a model of diagnoses needed, got one of {diagnoser.config.task}")
        if isinstance(diagnoser, PatientDiagnoser):
            from clinlp.inference.patients import PatientPredictor

            place(diagnoser, device)
            return PatientPredictor(diagnoser, read_pieces(folder), precision=precision, top=top)
        if not isinstance(diagnoser, Diagnoser):
            from clinlp.inference.baselines import load_predictor

            made = load_predictor(folder, diagnoser, device=device, precision=precision, top=top)
        else:
            place(diagnoser, device)
            made = cls(diagnoser, read_pieces(folder), precision=precision, top=top)
        made.titles = read_titles(folder)
        return made

    def give_sets(self, max_set: int | None = None) -> Self:
        """Give prediction sets from now on, whose coverage `clinlp calibrate-codes` has promised.

        Args:
            max_set: Abstain where a set has more codes: the note's diagnoses are None, and `n_abstained` counts it.

        Raises:
            UsageError: The model was never calibrated so, or `max_set` is below 1.
        """
        if self.config.sets is None:
            raise UsageError("sets: a model of `clinlp calibrate-codes` needed, got one without prediction sets")
        if max_set is not None and max_set < 1:
            raise UsageError(f"max_set: a whole number from 1 needed, got {max_set}")
        self._sets, self.max_set = True, max_set
        return self

    def giving(self, top: int | None) -> Self:
        """Give one that gives so many codes a note, with the same network."""
        if top == self.top:
            return self
        other = copy(self)
        other.top = top
        return other

    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Replace the diagnoses of every note, the most probable code first; order and texts are kept."""
        decision = Decision(self.config, self.codes)
        empty: tuple[Diagnosis, ...] | None = None if self._sets else ()  # no set is promised for a note without words
        found: list[tuple[Diagnosis, ...] | None] = [empty] * len(notes)
        for scored in self.scored(notes):
            found[scored.at] = self._diagnoses(scored, decision)
        if self._sets:
            self.n_abstained += sum(diagnoses is None for diagnoses in found)
        return [replace(note, diagnoses=diagnoses) for note, diagnoses in zip(notes, found, strict=True)]

    def probabilities(self, notes: Sequence[Note]) -> NDArray[np.float64]:
        """Give the calibrated probability of every code for every note, `(note, code)`; 0 where a note has no words."""
        decision = Decision(self.config, self.codes)
        made = np.zeros((len(notes), len(self.codes)))
        for scored in self.scored(notes):
            made[scored.at] = decision.calibrated(scored.probabilities[None])[0]
        return made

    def scored(self, notes: Sequence[Note]) -> Iterator[Scored]:
        """Give every code's probability in each note that has words, in any order."""
        network = self.diagnoser
        if not isinstance(network, Diagnoser):
            raise TypeError(f"a diagnoser of notes needed, got {type(network).__name__}")
        read = [self.reader(note.text) for note in notes]
        encoder = network.config.encoder
        fields = self.fields(notes)
        filled = [at for at, pieces in enumerate(read) if len(pieces)]
        for group in by_length(np.array([len(read[at]) for at in filled], np.int64), self.batch_pieces):
            chosen = [filled[item] for item in group.tolist()]
            batch = join(
                [(read[at].features, overlapping(len(read[at]), encoder.max_pieces, encoder.overlap)) for at in chosen]
            )
            with torch.inference_mode(), autocast(self.device, self.precision, encoder.kind):
                found, keys = network.rank(
                    batch.pieces.to(self.device),
                    batch.mask.to(self.device),
                    batch.places.to(self.device),
                    None if fields is None else fields[chosen].to(self.device),
                )
            probabilities = found.float().cpu().numpy()
            for row, at in enumerate(chosen):
                explain = partial(_attended, network.attention, keys[row], read[at], notes[at].text)
                yield Scored(at, probabilities[row], explain)

    def fields(self, notes: Sequence[Note]) -> torch.Tensor | None:
        """Give the columns that the model reads beside the text, `(note, column)`; None if it reads none.

        Raises:
            DataError: A value cannot be read.
        """
        config = self.diagnoser.config.fields
        return None if config is None else torch.from_numpy(read_fields(config, notes))

    def save(self, folder: Path) -> None:
        """Write the model folder, but for its card."""
        save_model(folder, self.diagnoser)
        self.reader.save(folder)
        write_titles(folder, self.titles)

    def _diagnoses(self, scored: Scored, decision: Decision) -> tuple[Diagnosis, ...] | None:
        """Choose the codes of one note and show where each looked; None where the set is too large to be of use."""
        ranked = np.argsort(-scored.probabilities, kind="stable")
        calibrated = decision.calibrated(scored.probabilities[None])[0]
        kept = decision.set_of(ranked, calibrated) if self._sets else decision.chosen(ranked, calibrated, self.top)
        chosen: list[int] = kept.tolist()
        if self._sets and self.max_set is not None and len(chosen) > self.max_set:
            return None
        looked = scored.explain(chosen) if self.evidence and chosen else [()] * len(chosen)
        return tuple(
            Diagnosis(self.codes[code], float(calibrated[code]), spans)
            for code, spans in zip(chosen, looked, strict=True)
        )


def _attended(
    attention: LabelAttention, keys: torch.Tensor, pieces: Pieces, text: str, codes: Sequence[int]
) -> list[tuple[Span, ...]]:
    """Say where the codes of one note looked."""
    chosen = torch.tensor(codes, dtype=torch.int64, device=keys.device)
    with torch.inference_mode():
        rows = attention.looks(keys[: len(pieces)], chosen).cpu().numpy()
    return attended(rows, pieces.offsets, text)
