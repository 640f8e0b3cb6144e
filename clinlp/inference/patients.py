"""Diagnoses from all notes of a patient: each note's from itself and the notes before it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial

import torch

from clinlp.data.batches import by_length
from clinlp.data.patients import Cohort, patients_of, undated
from clinlp.data.rows import Pieces
from clinlp.inference.device import autocast
from clinlp.inference.evidence import attended
from clinlp.inference.network import NetworkRanker
from clinlp.inference.ranking import Scored
from clinlp.models.patients import PatientDiagnoser
from clinlp.note import Note
from clinlp.spans import Span

_log = logging.getLogger(__name__)


class PatientRanker(NetworkRanker):
    """Ranks codes at every note of a patient, given in any order: it puts them in order of time.

    All notes of a patient must be given together. What is said at a note never rests on a later one. A model
    of the target `next` says at each note which codes the patient's next visit will have.

    Attributes:
        n_undated: Patients so far whose notes were read in the order given, for some have no time; said once.
    """

    model: PatientDiagnoser
    whole_patients = True
    n_undated = 0

    def scored(self, notes: Sequence[Note], *, evidence: bool = True) -> Iterator[Scored]:
        """Give every code's probability at each note that has words, or has notes with words before it."""
        read = [self.reader(note.text) for note in notes]
        encoder = self.model.config.encoder
        patients = patients_of(notes)
        if self.speaks and (remark := undated(patients)) and not self.n_undated:
            _log.warning("%s (said once)", remark)
        self.n_undated += sum(not patient.dated and len(patient.notes) > 1 for patient in patients)
        cohort = Cohort(
            [each.features for each in read], patients, (encoder.max_pieces, encoder.overlap), self.fields(notes)
        )
        lengths, heard = cohort.lengths, cohort.heard()
        filled = [item for item in range(len(patients)) if lengths[item]]
        for group in by_length(lengths[filled], self.batch_pieces):
            items = [filled[each] for each in group.tolist()]
            chunks, order = cohort.chunks(items, self.batch_pieces)
            steps = {name: each.to(self.device) for name, each in cohort.steps(items, order, heard).items()}
            with torch.inference_mode(), autocast(self.device, self.precision, encoder.kind):
                found, keys = self._read(chunks, evidence=evidence)
                probable = self.model.probabilities(self.model.join(found, **steps)).float().cpu().numpy()
            row_of = {at: row for row, at in enumerate(order)}
            asked = (at for item in items for at in patients[item].notes if heard[at])
            for at, probabilities in zip(asked, probable, strict=True):
                looked = keys[row_of[at]] if at in row_of and keys else None
                yield Scored(at, probabilities, partial(self._attended, looked, read[at], notes[at].text))

    def _read(
        self, chunks: Sequence[dict[str, torch.Tensor]], *, evidence: bool
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], list[torch.Tensor]]:
        """Read notes by themselves; keep of each what shows where codes look, if asked, `(piece, inner)`."""
        parts, keys = [], []
        for chunk in chunks:
            held = {name: each.to(self.device) for name, each in chunk.items()}
            hidden, real = self.model.hidden(**held), held["places"] >= 0
            parts.append(self.model.of_hidden(hidden, real))
            if evidence:
                made = self.model.attention.keys(hidden)
                keys += [row[: int(n)].clone() for row, n in zip(made, real.sum(1).tolist(), strict=True)]
        vectors, logits = (torch.cat(each) for each in zip(*parts, strict=True))
        return (vectors, logits), keys

    def _attended(
        self, keys: torch.Tensor | None, pieces: Pieces, text: str, codes: Sequence[int]
    ) -> list[tuple[Span, ...]]:
        """Say where in the note itself its codes looked."""
        if keys is None:
            return [()] * len(codes)
        with torch.inference_mode():
            chosen = torch.tensor(codes, dtype=torch.int64, device=self.device)
            rows = self.model.attention.looks(keys, chosen).float().cpu().numpy()
        return attended(rows, pieces.offsets, text)
