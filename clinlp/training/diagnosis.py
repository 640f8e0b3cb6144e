"""Fine-tune a diagnoser of notes or of patients: from annotated notes to a model folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from clinlp.data.batches import Indices
from clinlp.data.features import Loss, diagnosis_batch, diagnosis_notes
from clinlp.data.fields import fit_fields, missing_fields, read_fields
from clinlp.data.patients import Cohort, next_codes, patients_of, undated
from clinlp.data.pieces import PieceReader
from clinlp.errors import DataError
from clinlp.inference.diagnosis import DiagnosisPredictor, network_ranker
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.encoder import Encoder
from clinlp.models.fields import FieldsConfig
from clinlp.models.patients import PatientConfig, PatientDiagnoser
from clinlp.note import Diagnosis, Note
from clinlp.training.beside import code_scores, train_beside
from clinlp.training.codes import choose_codes, code_loss, embed_names, keep_titles, start_diagnoser
from clinlp.training.confidence import ENOUGH
from clinlp.training.config import DiagnosisConfig
from clinlp.training.encoders import grown, start_encoder
from clinlp.training.ensemble import check_joined
from clinlp.training.folder import joined_inputs, prepare, save_epoch
from clinlp.training.loop import train
from clinlp.training.parts import Parts, Tell, note_ids, read_parts, say, shared_notes
from clinlp.training.task import Task
from clinlp.training.trust import settle_codes
from clinlp.training.unlearned import unlearned_codes

_IN_SAMPLE: Final = (
    "dev: held out of train; it chooses the epoch, the thresholds and the calibration, so that scores on it are a "
    "little too good"
)
_FEW: Final = f"dev: fewer than {ENOUGH} codes that are learned: no threshold is tuned, and no probability calibrated"


@dataclass(frozen=True, slots=True)
class _Read:
    """What the loop trains on.

    Attributes:
        lengths: Pieces of each item, which is a note, or a patient.
        units: Notes of each item whose codes are learned.
        said: What is to be said of it.
    """

    lengths: Indices
    units: Indices
    collate: Callable[[Indices], dict[str, Any]]
    note_ids: Callable[[Indices], list[str]]
    said: tuple[Loss | str, ...]


def finetune_diagnosis(
    config: DiagnosisConfig,
    *,
    resume: bool = False,
    tell: Tell | None = None,
    parts: Parts | None = None,
) -> Path:
    """Train a diagnoser, and baselines and an ensemble beside it; give the folder of its best epoch."""
    notes, dev = _parts(config, parts, tell)
    chosen = choose_codes(config, [note for note in notes if note.diagnoses is not None])
    seen = chosen.notes if config.patients is None else notes
    columns, remarks = fit_fields(seen, config.numbers, config.categories)
    fields = None if columns is None else torch.from_numpy(read_fields(columns, seen))
    if columns is not None:
        read_fields(columns, dev)  # what cannot be read is said before any work
        remarks += missing_fields(columns.names, dev, " of dev")
    check_joined(config, chosen.codes)
    remarks += joined_inputs(config, seen, dev)
    prepare(config, seen, dev, resume=resume)
    reader, encoder = start_encoder(config, seen)
    names, unnamed = embed_names(config, chosen, reader, encoder)
    held = _shape(config, chosen.codes, encoder, columns)
    model = start_diagnoser(held, encoder, chosen, names)
    model.code_loss = code_loss(config, chosen.counts)
    if isinstance(model, PatientDiagnoser):
        model.most_pieces = config.batch_pieces
        read = _read_patients(config, seen, held, reader, (fields, {id(note) for note in chosen.notes}))
    else:
        read = _read_notes(seen, held, reader, fields)
    say(tell, *read.said, *grown(reader), *chosen.remarks, *unnamed, *remarks, *unlearned_codes(dev, held.codes))
    say(tell, *shared_notes(seen, dev))
    if not (parts or config.dev):
        say(tell, _IN_SAMPLE)

    train(model, _task(config, read, reader, held.codes, (dev, tell)), config, resume=resume, tell=tell)
    if config.baselines:
        train_beside(config, chosen.notes, dev, resume=resume, tell=tell)
    return config.out / "best"


def _task(
    config: DiagnosisConfig,
    read: _Read,
    reader: PieceReader,
    codes: tuple[str, ...],
    rest: tuple[list[Note], Tell | None],
) -> Task:
    """Say what the loop does with what was read.

    Args:
        rest: The dev notes, and who is told what their thresholds brought.
    """
    dev, tell = rest

    def score(diagnoser: nn.Module) -> dict[str, float]:
        predicted = _predictor(diagnoser, reader, len(codes))(dev)
        return code_scores(dev, predicted, single=config.single)

    def finish() -> None:
        best = config.out / "best"
        keep_titles(config, codes, best)
        made = settle_codes(best, dev, thresholds=config.thresholds, calibration=config.calibration)
        say(tell, _FEW if made is None else str(made))

    return Task(
        read.lengths,
        read.units,
        read.collate,
        score,
        lambda name, diagnoser, scores: save_epoch(config.out / name, _network(diagnoser), reader, scores),
        read.note_ids,
        finish,
    )


def _parts(config: DiagnosisConfig, given: Parts | None, tell: Tell | None) -> tuple[list[Note], list[Note]]:
    """Give each note the codes that are learned at it; leave out what no model of notes would look at."""
    notes, dev = given or read_parts(config, tell)
    if config.patients is not None and all(note.patient_id is None for note in notes):
        raise DataError("train: notes with a patient_id needed to read patients, got none")
    if config.patients == "next":
        notes, dev = next_codes(notes), next_codes(dev)
    dev = [_shortened(note, config.code_length) for note in dev]
    annotated, held = ([note for note in part if note.diagnoses is not None] for part in (notes, dev))
    _need_diagnoses(config, annotated, held, held_out=not (given or config.dev))
    if config.patients is None:  # else they are history
        say(tell, *_left_out("train", notes, annotated), *_left_out("dev", dev, held))
    return (annotated, held) if config.patients is None else (list(notes), dev)  # notes without codes are history


def _left_out(name: str, notes: Sequence[Note], annotated: Sequence[Note]) -> list[str]:
    """Say how many notes nobody annotated."""
    n = len(notes) - len(annotated)
    return [f"{name}: {n:,} of {len(notes):,} notes have no diagnoses and were left out"] if n else []


def _need_diagnoses(config: DiagnosisConfig, notes: Sequence[Note], dev: Sequence[Note], *, held_out: bool) -> None:
    """Refuse parts without anything to learn or to score, by the file that lacks it.

    Args:
        notes: Those to train on that are annotated.
        dev: Those to choose the best epoch on that are annotated.
        held_out: Whether they come from the same files.

    Raises:
        DataError: One of the two is empty.
    """
    what = "notes with diagnoses" + (" of a next visit" if config.patients == "next" else "")
    if held_out and bool(notes) != bool(dev):
        raise DataError(f"train: {what} of several patients needed to hold a dev part out, got too few; give --dev")
    for part, name, paths in ((notes, "train", config.train), (dev, "dev", config.dev)):
        if not part:
            where = str(paths[0]) if len(paths) == 1 else name
            raise DataError(f"{where}: {what} needed, got none")


def _shape(
    config: DiagnosisConfig, codes: tuple[str, ...], encoder: Encoder, columns: FieldsConfig | None
) -> DiagnoserConfig:
    """Say what the model is, of notes or of patients."""
    held = DiagnoserConfig(
        encoder=encoder.config, codes=codes, code_length=config.code_length, single=config.single, fields=columns
    )
    if config.patients is None:
        return held
    return PatientConfig(**dict(held) | {"target": config.patients, "history": config.history})


def _read_notes(notes: Sequence[Note], held: DiagnoserConfig, reader: PieceReader, fields: Tensor | None) -> _Read:
    """Read notes one by one."""
    read, left = diagnosis_notes(notes, reader, held.codes, held.code_length)
    lengths, places = (np.asarray(read[name], np.int64) for name in ("n_pieces", "note"))
    n_features = len(read[0]["pieces"]) // int(lengths[0])
    windowing = (held.encoder.max_pieces, held.encoder.overlap)

    def collate(items: Indices) -> dict[str, Any]:
        batch = diagnosis_batch(read, items, n_features, len(held.codes), windowing)
        return batch if fields is None else batch | {"fields": fields[places[items]]}

    return _Read(lengths, np.ones_like(lengths), collate, note_ids(notes, places), (left,))


def _read_patients(
    config: DiagnosisConfig,
    notes: Sequence[Note],
    held: DiagnoserConfig,
    reader: PieceReader,
    given: tuple[Tensor | None, set[int]],
) -> _Read:
    """Read all notes of each patient who has one with codes.

    Args:
        given: The fields of the notes, and by `id` the notes whose codes are learned.
    """
    fields, learned = given
    patients = patients_of(notes)
    pieces = [reader(note.text).features for note in notes]
    cohort = Cohort(pieces, patients, (held.encoder.max_pieces, held.encoder.overlap), fields)
    chosen = cohort.heard() & np.array([id(note) in learned for note in notes])
    units = np.array([chosen[list(patient.notes)].sum() for patient in patients], np.int64)
    kept = np.flatnonzero(units)
    if not len(kept):
        raise DataError("training needs notes with text, got none")
    place = {code: at for at, code in enumerate(held.codes)}
    gold = [{item.code[: held.code_length] for item in note.diagnoses or ()} for note in notes]
    n_unknown = sum(len(codes - place.keys()) for codes in gold)

    def collate(items: Indices) -> dict[str, Any]:
        which = kept[items].tolist()
        chunks, order = cohort.chunks(which, config.batch_pieces)
        asked = [at for item in which for at in patients[item].notes if chosen[at]]
        targets = torch.zeros(len(asked), len(place))
        for row, at in enumerate(asked):
            targets[row, [place[code] for code in gold[at] if code in place]] = 1.0
        return {"chunks": chunks, "targets": targets, **cohort.steps(which, order, chosen)}

    def ids(items: Indices) -> list[str]:
        return [notes[at].note_id for item in kept[items].tolist() for at in patients[item].notes]

    said: list[Loss | str] = [Loss(len(notes), n_unknown_codes=n_unknown), _size(patients, units, cohort)]
    said += [remark] if (remark := undated(patients)) else []
    return _Read(cohort.lengths[kept], units[kept], collate, ids, tuple(said))


def _size(patients: Sequence[Any], units: Indices, cohort: Cohort) -> str:
    """Say how many patients there are, and what of them is not learned."""
    longest = max(len(patient.notes) for patient in patients)
    said = [f"{len(patients):,} patients with up to {longest:,} notes; the codes of {units.sum():,} notes are learned"]
    if without := int((units == 0).sum()):
        said.append(f"{without:,} patients have no note with codes and words and were left out")
    if wordless := sum(not len(read) for read in cohort.read):
        said.append(f"{wordless:,} notes hold no word: history and fields speak for them")
    return "; ".join(said)


def _predictor(diagnoser: nn.Module, reader: PieceReader, top: int) -> DiagnosisPredictor:
    ranker = network_ranker(_network(diagnoser), reader)
    ranker.speaks = False
    return DiagnosisPredictor(ranker, top=top, evidence=False)


def _network(model: nn.Module) -> Diagnoser | PatientDiagnoser:
    if not isinstance(model, Diagnoser | PatientDiagnoser):
        raise TypeError(f"a diagnoser needed, got {type(model).__name__}")
    return model


def _shortened(note: Note, length: int | None) -> Note:
    """Cut the note's codes to the length that is learned."""
    if note.diagnoses is None:
        return note
    codes = dict.fromkeys(diagnosis.code[:length] for diagnosis in note.diagnoses)
    return replace(note, diagnoses=tuple(map(Diagnosis, codes)))
