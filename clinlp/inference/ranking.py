"""What all rankers of codes share: a model, its codes, and what it reads of a note.

A ranker gives the probability of every code. Which codes a note gets is decided above all of them, in
`clinlp.inference.diagnosis`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clinlp.data.titles import Titles, write_titles
from clinlp.models.baselines import Baseline
from clinlp.models.codes import CodesConfig
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.patients import PatientDiagnoser
from clinlp.models.store import save_model
from clinlp.note import Note
from clinlp.spans import Span


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


class Ranker(ABC):
    """Ranks the codes of notes by probability, as its model says, uncalibrated.

    Attributes:
        codes: Those of the model, in the order of its probabilities.
        device: Where the model computes.
        columns: Fields of a note that are read beside the text.
        whole_patients: Whether all notes of a patient must be given together.
        titles: Names of the codes, for people to read.
    """

    model: Diagnoser | PatientDiagnoser | Baseline
    columns: tuple[str, ...] = ()
    whole_patients: bool = False
    titles: Titles = MappingProxyType({})

    def __init__(self, model: Diagnoser | PatientDiagnoser | Baseline) -> None:
        self.model = model
        self.codes = model.config.codes
        self.device = torch.device("cpu")

    @property
    def config(self) -> CodesConfig:
        """How probabilities become codes."""
        return self.model.config

    @abstractmethod
    def scored(self, notes: Sequence[Note], *, evidence: bool = True) -> Iterator[Scored]:
        """Give every code's probability in each note that there is something to say of, in any order.

        Args:
            evidence: Keep what `explain` needs; without it, `explain` may give none.
        """

    @abstractmethod
    def save_reader(self, folder: Path) -> None:
        """Write what turns a note into the numbers that the model reads into its folder."""

    def save(self, folder: Path) -> None:
        """Write the model folder, but for its card."""
        save_model(folder, self.model)
        self.save_reader(folder)
        write_titles(folder, self.titles)

    def probabilities(self, notes: Sequence[Note]) -> NDArray[np.float64]:
        """Give every code's probability in every note, `(note, code)`; NaN for a note that nothing is said of."""
        held = np.full((len(notes), len(self.codes)), np.nan)
        for scored in self.scored(notes, evidence=False):
            held[scored.at] = scored.probabilities
        return held
