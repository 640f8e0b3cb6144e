"""Diagnoses of notes, whatever ranks their codes: from probabilities to codes with evidence.

What ranks codes stands below: networks of notes and of patients, n-grams, names of codes, and an ensemble
of these. Here is the one place that knows them all, to load whichever a model folder holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.data.titles import Titles, read_titles
from clinlp.errors import UsageError
from clinlp.inference.baselines import EnsembleRanker, load_baseline
from clinlp.inference.decision import Decision
from clinlp.inference.device import Precision, place
from clinlp.inference.network import NetworkRanker, NoteRanker
from clinlp.inference.patients import PatientRanker
from clinlp.inference.ranking import Ranker, Scored
from clinlp.models.baselines import Ensemble
from clinlp.models.codes import CodesConfig
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.patients import PatientDiagnoser
from clinlp.models.store import find_model, load_model
from clinlp.models.tagger import Tagger
from clinlp.note import Diagnosis, Note


class DiagnosisPredictor:
    """Gives notes the codes that a ranker finds probable enough.

    Attributes:
        ranker: What says how probable each code is.
        top: So many codes a note gets, whatever their probability; None: those that the model's config chooses.
        evidence: Whether to say for every code where the model looked.
        n_abstained: Notes so far whose prediction set was too large.
    """

    def __init__(self, ranker: Ranker, *, top: int | None = None, evidence: bool = True) -> None:
        self.ranker, self.top, self.evidence = ranker, top, evidence
        self.max_set: int | None = None
        self.n_abstained = 0
        self._sets = False

    @classmethod
    def load(
        cls, model: str | Path, *, device: str | None = None, precision: Precision = "auto", top: int | None = None
    ) -> Self:
        """Load a model folder or a bundled model.

        Args:
            device: `cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.

        Raises:
            UsageError: There is no such model, or it predicts something else.
        """
        return cls(load_ranker(model, device=device, precision=precision), top=top)

    @property
    def config(self) -> CodesConfig:
        """How probabilities become codes."""
        return self.ranker.config

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes of the model."""
        return self.ranker.codes

    @property
    def ahead(self) -> bool:
        """Whether the codes are those of the patient's next visit."""
        return self.config.target == "next"

    @property
    def whole_patients(self) -> bool:
        """Whether all notes of a patient must be given together."""
        return self.ranker.whole_patients

    @property
    def columns(self) -> tuple[str, ...]:
        """Fields of a note that the model reads beside the text."""
        return self.ranker.columns

    @property
    def titles(self) -> Titles:
        """Names of the codes, for people to read."""
        return self.ranker.titles

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.ranker.device

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
        """Give one that gives so many codes a note, with the same ranker."""
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
        for scored in self.ranker.scored(notes, evidence=self.evidence):
            found[scored.at] = self._diagnoses(scored, decision)
        if self._sets:
            self.n_abstained += sum(diagnoses is None for diagnoses in found)
        return [replace(note, diagnoses=diagnoses) for note, diagnoses in zip(notes, found, strict=True)]

    def probabilities(self, notes: Sequence[Note]) -> NDArray[np.float64]:
        """Give the calibrated probability of every code for every note, `(note, code)`; 0 where a note has no words."""
        decision = Decision(self.config, self.codes)
        made = np.zeros((len(notes), len(self.codes)))
        for scored in self.ranker.scored(notes, evidence=False):
            made[scored.at] = decision.calibrated(scored.probabilities[None])[0]
        return made

    def save(self, folder: Path) -> None:
        """Write the model folder, but for its card."""
        self.ranker.save(folder)

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


def load_ranker(model: str | Path, *, device: str | None = None, precision: Precision = "auto") -> Ranker:
    """Load what ranks codes from a model folder or a bundled model.

    Args:
        device: Of a network, also of one among the members of an ensemble; all others compute on the CPU.

    Raises:
        UsageError: There is no such model, it predicts something else, or its files do not fit each other.
    """
    folder = find_model(model)
    found = load_model(folder)
    ranker: Ranker
    if isinstance(found, Tagger):
        raise UsageError(f"{model}: a model of diagnoses needed, got one of {found.config.task}")
    if isinstance(found, Diagnoser | PatientDiagnoser):
        place(found, device)
        ranker = network_ranker(found, read_pieces(folder), precision=precision)
    elif isinstance(found, Ensemble):
        members = [load_ranker(folder / name, device=device, precision=precision) for name in found.config.members]
        ranker = EnsembleRanker(found, members)
    else:
        ranker = load_baseline(folder, found)
    ranker.titles = read_titles(folder)
    return ranker


def network_ranker(
    model: Diagnoser | PatientDiagnoser, reader: PieceReader, *, precision: Precision = "fp32"
) -> NetworkRanker:
    """Give what ranks codes by a network, of notes or of patients, where it is."""
    if isinstance(model, PatientDiagnoser):
        return PatientRanker(model, reader, precision=precision)
    return NoteRanker(model, reader, precision=precision)
