"""Rankers of the models that are no network: n-grams, names of codes, and an ensemble."""

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
from clinlp.errors import UsageError
from clinlp.inference.decision import Decision
from clinlp.inference.evidence import LABEL, attended_spans
from clinlp.inference.ranking import Ranker, Scored
from clinlp.models.baselines import Baseline, Dictionary, Ensemble, Likeness, Tfidf
from clinlp.note import Note
from clinlp.spans import Span, in_order

_NOTES = 256  # that are scored at once: probabilities of all codes of all notes of a dump would fill the memory
_NOTES_OF_NETWORKS = 32  # the same where more than one network keeps what it attended to in each of them


def load_baseline(folder: Path, model: Tfidf | Dictionary | Likeness) -> Ranker:
    """Load what a model of one kind needs besides its weights.

    Raises:
        UsageError: A file of the folder is missing or does not fit the others.
    """
    if isinstance(model, Dictionary):
        names = CodeNames.load(folder)
        if names.n_codes > len(model.config.codes):
            raise UsageError(f"{folder}: names of the codes in labels.json needed, got others")
        return DictionaryRanker(model, names)
    if isinstance(model, Likeness):
        units = NameUnits.load(folder)
        if units.n_codes > len(model.config.codes):
            raise UsageError(f"{folder}: names of the codes in labels.json needed, got others")
        return LikenessRanker(model, units)
    reader = NgramReader.load(folder)
    if len(reader.ngrams) != model.config.n_features:
        raise UsageError(f"{folder}: {model.config.n_features:,} n-grams needed, got {len(reader.ngrams):,}")
    return TfidfRanker(model, reader)


class TfidfRanker(Ranker):
    """Ranks codes by the n-grams of a note."""

    model: Tfidf

    def __init__(self, model: Tfidf, reader: NgramReader) -> None:
        super().__init__(model)
        self.ngrams = reader

    def scored(self, notes: Sequence[Note], *, evidence: bool = True) -> Iterator[Scored]:  # noqa: ARG002  it costs nothing
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

    def save_reader(self, folder: Path) -> None:
        """Write the n-grams."""
        self.ngrams.save(folder)

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


class DictionaryRanker(Ranker):
    """Ranks codes by whether a note says one of their names, of the patient and as a fact."""

    model: Dictionary

    def __init__(self, model: Dictionary, names: CodeNames) -> None:
        super().__init__(model)
        self.names = names

    def scored(self, notes: Sequence[Note], *, evidence: bool = True) -> Iterator[Scored]:  # noqa: ARG002  it costs nothing
        """Give every code's probability in each note that has words."""
        for at, note in enumerate(notes):
            if not any(map(str.isalnum, note.text)):
                continue
            places = self.names.find(note)
            named = torch.zeros(1, len(self.codes), dtype=torch.bool)
            named[0, list(places)] = True
            yield Scored(at, self.model.predict(named)[0].numpy(), partial(_named, places))

    def save_reader(self, folder: Path) -> None:
        """Write the names."""
        self.names.save(folder)


class LikenessRanker(Ranker):
    """Ranks codes by how much of their names stands together in a sentence of a note."""

    model: Likeness

    def __init__(self, model: Likeness, units: NameUnits) -> None:
        super().__init__(model)
        self.units = units

    def scored(self, notes: Sequence[Note], *, evidence: bool = True) -> Iterator[Scored]:  # noqa: ARG002  it costs nothing
        """Give every code's probability in each note that has words."""
        for at, note in enumerate(notes):
            if any(map(str.isalnum, note.text)):
                shares, where = self.units(note, len(self.codes))
                found = self.model.predict(torch.from_numpy(shares)[None])[0].numpy()
                yield Scored(at, found, partial(self._explain, note, shares, where))

    def save_reader(self, folder: Path) -> None:
        """Write the words of the names."""
        self.units.save(folder)

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


class EnsembleRanker(Ranker):
    """Ranks codes by what several models say together."""

    model: Ensemble

    def __init__(self, model: Ensemble, members: Sequence[Ranker]) -> None:
        """Join models of the same codes.

        Raises:
            UsageError: Their codes differ.
        """
        super().__init__(model.double())  # in which log-odds of rare codes keep their order
        self.members = members
        self.decisions = [Decision(member.config, member.codes) for member in members]
        for name, member in zip(model.config.members, members, strict=True):
            if member.codes != self.codes:
                raise UsageError(f"ensemble: members of the same codes needed, got others in {name}")
        self.columns = tuple(dict.fromkeys(name for member in members for name in member.columns))
        self.whole_patients = any(member.whole_patients for member in members)
        self.device = next((member.device for member in members if member.device.type != "cpu"), self.device)

    def scored(self, notes: Sequence[Note], *, evidence: bool = True) -> Iterator[Scored]:
        """Give every code's probability in each note that all members can read."""
        n_networks = sum(not isinstance(member.model, Baseline) for member in self.members)
        size = _NOTES if n_networks < 2 else _NOTES_OF_NETWORKS
        for places in portions(notes, size, whole_patients=self.whole_patients):
            part = [notes[at] for at in places]
            # The first is asked last and note by note: a network holds on to its attention while a note is asked about.
            leader, *others = self.members
            said = [{scored.at: scored for scored in member.scored(part, evidence=evidence)} for member in others]
            for first in leader.scored(part, evidence=evidence):
                heard = [first, *(each[first.at] for each in said if first.at in each)]
                if len(heard) == len(self.members):
                    stacked = torch.from_numpy(self._stacked(heard))
                    joined = self.model.predict(stacked[:, None])[0].numpy()
                    yield Scored(places[first.at], joined, partial(self._explain, heard, stacked))

    def save_reader(self, folder: Path) -> None:
        """Write the folders of the members, but for their cards."""
        for name, member in zip(self.model.config.members, self.members, strict=True):
            member.save(folder / name)

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
