"""Predictors of the models that are no network: n-grams, names of codes, and an ensemble.

Each differs from the network's in what it says of a note (`scored`); how codes are chosen is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from clinlp.data.likeness import NameUnits, sentences
from clinlp.data.names import CodeNames
from clinlp.data.ngrams import NgramReader, Ngrams
from clinlp.data.patients import portions
from clinlp.data.titles import write_titles
from clinlp.errors import UsageError
from clinlp.inference.config import Precision
from clinlp.inference.decision import Decision
from clinlp.inference.diagnosis import DiagnosisPredictor, Scored
from clinlp.inference.evidence import LABEL, attended_spans
from clinlp.models.baselines import Baseline, Dictionary, Ensemble, Likeness, Tfidf
from clinlp.models.codes import CodesConfig
from clinlp.models.store import save_model
from clinlp.note import Note
from clinlp.spans import Span, in_order

_NOTES = 256  # that are scored at once: probabilities of all codes of all notes of a dump would fill the memory


def load_predictor(
    folder: Path, model: Baseline, *, device: str | None, precision: Precision, top: int | None
) -> DiagnosisPredictor:
    """Load what a model that is no network needs besides its weights.

    Args:
        device: Of a network among the members of an ensemble; the others compute on the CPU.

    Raises:
        UsageError: A file of the folder is missing or does not fit the others.
    """
    if isinstance(model, Ensemble):
        members = [
            DiagnosisPredictor.load(folder / name, device=device, precision=precision) for name in model.config.members
        ]
        return EnsemblePredictor(model, members, top=top)
    if isinstance(model, Dictionary):
        names = CodeNames.load(folder)
        if names.n_codes > len(model.config.codes):
            raise UsageError(f"{folder}: names of the codes in labels.json needed, got others")
        return DictionaryPredictor(model, names, top=top)
    if isinstance(model, Likeness):
        units = NameUnits.load(folder)
        if units.n_codes > len(model.config.codes):
            raise UsageError(f"{folder}: names of the codes in labels.json needed, got others")
        return LikenessPredictor(model, units, top=top)
    reader = NgramReader.load(folder)
    if len(reader.ngrams) != model.config.n_features:
        raise UsageError(f"{folder}: {model.config.n_features:,} n-grams needed, got {len(reader.ngrams):,}")
    return TfidfPredictor(model, reader, top=top)


class _BaselinePredictor(DiagnosisPredictor):
    """What the three have in common."""

    model: Baseline

    def __init__(self, model: Baseline, *, top: int | None = None, evidence: bool = True) -> None:
        self.model, self.top, self.evidence = model, top, evidence
        self.codes = model.config.codes
        self.device = torch.device("cpu")
        self.max_set: int | None = None
        self.n_abstained = 0
        self._sets = False

    @property
    def config(self) -> CodesConfig:
        """How probabilities become codes."""
        return self.model.config


class TfidfPredictor(_BaselinePredictor):
    """Ranks codes by the n-grams of a note."""

    model: Tfidf

    def __init__(self, model: Tfidf, reader: NgramReader, *, top: int | None = None, evidence: bool = True) -> None:
        super().__init__(model, top=top, evidence=evidence)
        self.ngrams = reader

    def scored(self, notes: Sequence[Note]) -> Iterator[Scored]:
        """Give every code's probability in each note that has words."""
        for begin in range(0, len(notes), _NOTES):
            read = [(at, self.ngrams(notes[at].text)) for at in range(begin, min(begin + _NOTES, len(notes)))]
            read = [(at, found) for at, found in read if len(found.offsets)]
            if not read:
                continue
            held = [self.ngrams.values(found) for _, found in read]
            starts = np.cumsum([0, *(len(features) for features, _, _ in held)])[:-1]
            features, values = (np.concatenate([each[part] for each in held]) for part in (0, 1))
            probabilities = self.model.predict(
                torch.from_numpy(features), torch.from_numpy(values.astype(np.float32)), torch.from_numpy(starts)
            ).numpy()
            for row, (at, found) in enumerate(read):
                yield Scored(at, probabilities[row], partial(self._explain, found, notes[at].text))

    def save(self, folder: Path) -> None:
        """Write the model folder, but for its card."""
        save_model(folder, self.model)
        self.ngrams.save(folder)
        write_titles(folder, self.titles)

    def _explain(self, found: Ngrams, text: str, codes: Sequence[int]) -> list[tuple[Span, ...]]:
        """Give the stretches whose n-grams raise a code most; an n-gram counts alike for each of its tokens."""
        features, values, counts = self.ngrams.values(found)
        if not len(features):
            return [()] * len(codes)
        each = (values / counts)[np.searchsorted(features, found.features)]
        weights = self.model.weight[torch.from_numpy(found.features)][:, list(codes)].numpy()
        gains = each[:, None] * weights / (found.last - found.first + 1)[:, None]
        steps = np.zeros((len(found.offsets) + 1, len(codes)))
        np.add.at(steps, found.first, gains)
        np.subtract.at(steps, found.last + 1, gains)
        raised = np.maximum(steps.cumsum(0)[:-1], 0)  # (token, code)
        shares = (raised / np.maximum(raised.sum(0), 1e-12)).astype(np.float32)
        offsets = found.offsets.astype(np.int32)
        return [attended_spans(column, offsets, text) for column in shares.T]


class DictionaryPredictor(_BaselinePredictor):
    """Ranks codes by whether a note says one of their names, of the patient and as a fact."""

    model: Dictionary

    def __init__(self, model: Dictionary, names: CodeNames, *, top: int | None = None, evidence: bool = True) -> None:
        super().__init__(model, top=top, evidence=evidence)
        self.names = names

    def scored(self, notes: Sequence[Note]) -> Iterator[Scored]:
        """Give every code's probability in each note that has words."""
        for at, note in enumerate(notes):
            if not any(map(str.isalnum, note.text)):
                continue
            places = self.names.find(note)
            named = torch.zeros(1, len(self.codes), dtype=torch.bool)
            named[0, list(places)] = True
            yield Scored(at, self.model.predict(named)[0].numpy(), partial(_named, places))

    def save(self, folder: Path) -> None:
        """Write the model folder, but for its card."""
        save_model(folder, self.model)
        self.names.save(folder)
        write_titles(folder, self.titles)


class LikenessPredictor(_BaselinePredictor):
    """Ranks codes by how much of their names stands together in a sentence of a note."""

    model: Likeness

    def __init__(self, model: Likeness, units: NameUnits, *, top: int | None = None, evidence: bool = True) -> None:
        super().__init__(model, top=top, evidence=evidence)
        self.units = units

    def scored(self, notes: Sequence[Note]) -> Iterator[Scored]:
        """Give every code's probability in each note that has words."""
        for at, note in enumerate(notes):
            if any(map(str.isalnum, note.text)):
                shares, where = self.units(note, len(self.codes))
                found = self.model.predict(torch.from_numpy(shares)[None])[0].numpy()
                yield Scored(at, found, partial(self._explain, note, shares, where))

    def save(self, folder: Path) -> None:
        """Write the model folder, but for its card."""
        save_model(folder, self.model)
        self.units.save(folder)
        write_titles(folder, self.titles)

    def _explain(
        self, note: Note, shares: NDArray[np.float32], where: NDArray[np.int32], codes: Sequence[int]
    ) -> list[tuple[Span, ...]]:
        """Give the words of each code's name in the sentence that holds most of it; they share the evidence alike."""
        read = sentences(note)
        found = []
        for code in codes:
            start, end = read[int(where[code])] if shares[code] > 0 else (0, 0)
            cells = self.units.marks(note.text[start:end], code) if end > start else []
            found.append(in_order(Span(start + a, start + b, LABEL, 1 / len(cells)) for a, b in cells))
        return found


class EnsemblePredictor(_BaselinePredictor):
    """Ranks codes by what several models say together."""

    model: Ensemble

    def __init__(
        self, model: Ensemble, members: Sequence[DiagnosisPredictor], *, top: int | None = None, evidence: bool = True
    ) -> None:
        """Join models of the same codes.

        Raises:
            UsageError: Their codes differ.
        """
        super().__init__(model.double(), top=top, evidence=evidence)  # in which log-odds of rare codes keep their order
        self.members = members
        self.decisions = [Decision(member.config, member.codes) for member in members]
        for name, member in zip(model.config.members, members, strict=True):
            if member.codes != self.codes:
                raise UsageError(f"ensemble: members of the same codes needed, got others in {name}")
        self.device = next((member.device for member in members if member.device.type != "cpu"), self.device)

    def scored(self, notes: Sequence[Note]) -> Iterator[Scored]:
        """Give every code's probability in each note that all members can read."""
        for places in portions(notes, _NOTES, whole_patients=self.whole_patients):
            part = [notes[at] for at in places]
            # The first is asked last and note by note: a network holds on to its attention while a note is asked about.
            said = [{scored.at: scored for scored in member.scored(part)} for member in self.members[1:]]
            for first in self.members[0].scored(part):
                heard = [first, *(each[first.at] for each in said if first.at in each)]
                if len(heard) == len(self.members):
                    stacked = torch.from_numpy(self._stacked(heard))
                    joined = self.model.predict(stacked[:, None])[0].numpy()
                    yield Scored(places[first.at], joined, partial(self._explain, heard, stacked))

    def save(self, folder: Path) -> None:
        """Write the model folder and those of its members, but for their cards."""
        save_model(folder, self.model)
        for name, member in zip(self.model.config.members, self.members, strict=True):
            member.save(folder / name)
        write_titles(folder, self.titles)

    def _stacked(self, heard: Sequence[Scored]) -> NDArray[np.float64]:
        """Give what the members say of one note, `(member, code)`."""
        if not self.model.config.warmed:
            return np.stack([each.probabilities for each in heard]).astype(np.float64)
        said = zip(self.decisions, heard, strict=True)
        return np.concatenate([decision.warmed(each.probabilities[None]) for decision, each in said])

    def _explain(self, heard: Sequence[Scored], stacked: torch.Tensor, codes: Sequence[int]) -> list[tuple[Span, ...]]:
        """Join the evidence of all members; each span has its part of what its member gives to the decision."""
        chosen = list(codes)
        shares = self.model.shares(stacked[:, None, chosen])[:, 0].numpy()
        joined: list[dict[tuple[int, int], float]] = [defaultdict(float) for _ in chosen]
        for row, scored in zip(shares, heard, strict=True):
            counted = [at for at in range(len(chosen)) if row[at] > 0]
            for at, spans in zip(counted, scored.explain([chosen[at] for at in counted]), strict=True):
                for span in spans:
                    joined[at][span.start, span.end] += float(row[at]) * (1.0 if span.score is None else span.score)
        return [
            in_order(Span(start, end, LABEL, min(1.0, score)) for (start, end), score in spans.items())
            for spans in joined
        ]


def _named(places: dict[int, list[tuple[int, int]]], codes: Sequence[int]) -> list[tuple[Span, ...]]:
    """Give the names that stand for each code, which share the evidence alike."""
    return [
        in_order(Span(start, end, LABEL, 1 / len(places[code])) for start, end in places.get(code, ()))
        for code in codes
    ]


def probabilities(predictor: DiagnosisPredictor, notes: Sequence[Note]) -> NDArray[np.float64]:
    """Give every code's probability in every note, `(note, code)`; NaN for a note without words."""
    held = np.full((len(notes), len(predictor.codes)), np.nan)
    for scored in predictor.scored(notes):
        held[scored.at] = scored.probabilities
    return held
