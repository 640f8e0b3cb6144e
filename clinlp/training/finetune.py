"""Fine-tune a tagger or a diagnoser: from annotated notes to a model folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from clinlp.data.batches import Indices
from clinlp.data.features import Loss, diagnosis_batch, diagnosis_notes, tagging_batch, tagging_windows
from clinlp.data.fields import fit_fields, read_fields
from clinlp.data.pieces import PieceReader
from clinlp.data.spans import span_batch, span_windows
from clinlp.data.splits import split
from clinlp.errors import DataError
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.metrics.entities import score_entities
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.encoder import Encoder
from clinlp.models.losses import PieceLoss
from clinlp.models.tagger import SPAN_HEADS, Tagger, TaggerConfig
from clinlp.note import Diagnosis, Note
from clinlp.records import read_notes
from clinlp.training.beside import Beside, code_scores, train_beside
from clinlp.training.codes import choose_codes, code_loss, embed_names, start_diagnoser
from clinlp.training.confidence import calibrate
from clinlp.training.config import DiagnosisConfig, EntitiesConfig, PhiConfig, TrainConfig
from clinlp.training.emphasis import piece_loss
from clinlp.training.encoders import grown, start_encoder
from clinlp.training.folder import prepare, save_epoch
from clinlp.training.loop import Epoch, Task, train
from clinlp.training.trust import settle_codes
from clinlp.training.unlearned import unlearned_codes, unlearned_labels

_Model = TypeVar("_Model", Tagger, Diagnoser)
Tell = Callable[[Beside | Epoch | Loss | str], None]
Parts = tuple[Sequence[Note], Sequence[Note]]
"""The notes to train on, and those to choose the best epoch on."""


def finetune_entities(
    config: EntitiesConfig,
    *,
    resume: bool = False,
    tell: Tell | None = None,
    parts: Parts | None = None,
) -> Path:
    """Train an entity tagger; give the folder of its best epoch.

    Args:
        tell: Gets what was left out, every epoch, and remarks; every step too if it is a `Watcher`.
        parts: Notes in place of those that the config names.
    """
    return _finetune_tagger(config, parts or read_parts(config), "entities", resume=resume, tell=tell)


def finetune_phi(
    config: PhiConfig,
    *,
    resume: bool = False,
    tell: Tell | None = None,
    parts: Parts | None = None,
) -> Path:
    """Train a tagger of the notes' `phi`; give the folder of its best epoch."""
    notes, dev = ([replace(note, entities=note.phi) for note in part] for part in parts or read_parts(config))
    return _finetune_tagger(config, (notes, dev), "phi", resume=resume, tell=tell)


def _finetune_tagger(
    config: EntitiesConfig,
    parts: Parts,
    attribute: Literal["entities", "phi"],
    *,
    resume: bool,
    tell: Tell | None,
) -> Path:
    """Train a tagger of the notes' entities."""
    notes, dev = parts
    labels = config.labels or tuple(sorted({span.label for note in notes for span in note.entities}))
    if not labels:
        raise DataError(f"{config.train[0]}: training needs notes with {attribute}, got none")
    if not dev:
        raise DataError("dev: notes needed to choose the best epoch on, got none")
    remarks = unlearned_labels(notes, dev, labels, chosen=config.labels is not None)
    notes = _only(notes, labels)
    if config.labels is not None:  # else what train lacks stays: it counts as missed
        dev = _only(dev, labels)
    prepare(config, resume=resume)
    reader, encoder = start_encoder(config, notes)
    read = _windows(config, attribute, notes, labels, reader, encoder)
    model = Tagger(read.shape, encoder)
    if read.loss is not None:
        model.piece_loss = read.loss
    _say(tell, read.left, *grown(reader), *remarks)

    def finish() -> None:
        made = calibrate(config.out / "best", dev, tune=config.tune_thresholds)
        if made is not None and made.says_much:
            _say(tell, str(made))

    task = Task(
        read.lengths,
        read.lengths,
        read.collate,
        lambda tagger: _tagger_scores(_as(Tagger, tagger), reader, dev),
        lambda name, tagger, scores: save_epoch(config.out / name, _as(Tagger, tagger), reader, scores),
        _ids(notes, read.places),
        finish if attribute == "entities" else None,
    )
    train(model, task, config, resume=resume, tell=tell)
    return config.out / "best"


def _tagger_scores(tagger: Tagger, reader: PieceReader, dev: Sequence[Note]) -> dict[str, float]:
    """Score a tagger on dev; strict F1 is what the best epoch has most of."""
    predicted = EntityPredictor(tagger, reader)(dev)
    strict, overlap = (score_entities(dev, predicted, match).micro for match in ("strict", "overlap"))
    return {
        "score": strict.f1,
        "precision": strict.precision,
        "recall": strict.recall,
        "f1": strict.f1,
        "overlap_f1": overlap.f1,
    }


@dataclass(frozen=True, slots=True)
class _Windows:
    """Training windows, and what of the model hangs on them."""

    shape: TaggerConfig
    lengths: Indices  # pieces of each window
    places: Indices  # the note of each window
    collate: Callable[[Indices], dict[str, Tensor]]
    left: Loss
    loss: PieceLoss | None


def _windows(
    config: EntitiesConfig,
    task: Literal["entities", "phi"],
    notes: Sequence[Note],
    labels: tuple[str, ...],
    reader: PieceReader,
    encoder: Encoder,
) -> _Windows:
    """Cut notes into training windows as the head needs them."""
    max_pieces, width, flat, loss = encoder.config.max_pieces, 0, False, None
    if config.head in SPAN_HEADS:
        cut = span_windows(notes, reader, labels, max_pieces, config.max_width)
        windows, left, width, flat, stack = cut.windows, cut.left, cut.max_width, cut.flat, span_batch
    else:
        windows, left = tagging_windows(notes, reader, labels, max_pieces)
        stack = tagging_batch
    if config.head == "linear":
        loss = piece_loss(config, labels, windows["tags"])
    shape = TaggerConfig(task=task, encoder=encoder.config, head=config.head, labels=labels, max_width=width, flat=flat)
    lengths, places = (np.asarray(windows[name], np.int64) for name in ("n_pieces", "note"))
    n_features = len(windows[0]["pieces"]) // int(lengths[0])
    return _Windows(shape, lengths, places, lambda items: stack(windows, items, n_features), left, loss)


def finetune_diagnosis(
    config: DiagnosisConfig,
    *,
    resume: bool = False,
    tell: Tell | None = None,
    parts: Parts | None = None,
) -> Path:
    """Train a diagnoser, and baselines and an ensemble beside it; give the folder of its best epoch."""
    notes, dev = parts or read_parts(config)
    notes = [note for note in notes if note.diagnoses is not None]
    dev = [_shortened(note, config.code_length) for note in dev if note.diagnoses is not None]
    if not dev:
        raise DataError("dev: notes with diagnoses needed, got none")
    chosen = choose_codes(config, notes)
    notes, codes = chosen.notes, chosen.codes
    columns, read_so = fit_fields(notes, config.numbers, config.categories)
    fields = None if columns is None else torch.from_numpy(read_fields(columns, notes))
    if columns is not None:
        read_fields(columns, dev)  # what cannot be read is said before any work
    prepare(config, resume=resume)
    reader, encoder = start_encoder(config, notes)
    names, unnamed = embed_names(config, chosen, reader, encoder)
    shape = DiagnoserConfig(
        encoder=encoder.config, codes=codes, code_length=config.code_length, single=config.single, fields=columns
    )
    model = start_diagnoser(shape, encoder, chosen, names)
    model.code_loss = code_loss(config, chosen.counts)
    read, left = diagnosis_notes(notes, reader, codes, config.code_length)
    _say(tell, left, *grown(reader), *chosen.remarks, *unnamed, *read_so, *unlearned_codes(dev, codes))
    lengths = np.asarray(read["n_pieces"], np.int64)
    n_features = len(read[0]["pieces"]) // int(lengths[0])
    windowing = (encoder.config.max_pieces, encoder.config.overlap)
    places = np.asarray(read["note"], np.int64)

    def collate(items: Indices) -> dict[str, Tensor]:
        batch = diagnosis_batch(read, items, n_features, len(codes), windowing)
        return batch if fields is None else batch | {"fields": fields[places[items]]}

    def score(diagnoser: nn.Module) -> dict[str, float]:
        predicted = DiagnosisPredictor(_as(Diagnoser, diagnoser), reader, top=len(codes), evidence=False)(dev)
        return code_scores(dev, predicted, single=config.single)

    def finish() -> None:
        best = config.out / "best"
        if made := settle_codes(best, dev, thresholds=config.thresholds, calibration=config.calibration):
            _say(tell, str(made))

    task = Task(
        lengths,
        np.ones_like(lengths),
        collate,
        score,
        lambda name, diagnoser, scores: save_epoch(config.out / name, _as(Diagnoser, diagnoser), reader, scores),
        _ids(notes, places),
        finish,
    )
    train(model, task, config, resume=resume, tell=tell)
    if config.baselines:
        train_beside(config, notes, dev, resume=resume, tell=tell)
    return config.out / "best"


def read_parts(config: TrainConfig) -> tuple[list[Note], list[Note]]:
    """Read the notes to train on and the notes to choose the best epoch on."""
    notes = [note for path in config.train for note in read_notes(path)]
    if config.dev:
        return notes, [note for path in config.dev for note in read_notes(path)]
    return hold_out(notes, config)


def hold_out(notes: Sequence[Note], config: TrainConfig) -> tuple[list[Note], list[Note]]:
    """Part notes by patient into those to train on and those to choose the best epoch on.

    Raises:
        DataError: One of the two parts is empty.
    """
    notes, dev = split(notes, config.dev_share, config.seed)
    if not notes or not dev:
        raise DataError("train: notes of several patients needed to hold a dev part out, got too few; give --dev")
    return notes, dev


def _say(tell: Tell | None, *news: Loss | str) -> None:
    """Pass on what a run must say before it begins."""
    if tell is not None:
        for each in news:
            tell(each)


def _ids(notes: Sequence[Note], places: Indices) -> Callable[[Indices], list[str]]:
    """Give what names the notes that windows are of; `places` has the note of each window."""
    return lambda items: [notes[int(places[item])].note_id for item in items.tolist()]


def _only(notes: Iterable[Note], labels: Sequence[str]) -> list[Note]:
    """Leave out entities of labels that are not learned."""
    known = set(labels)
    return [replace(note, entities=tuple(span for span in note.entities if span.label in known)) for note in notes]


def _shortened(note: Note, length: int | None) -> Note:
    """Cut the note's codes to the length that is learned."""
    codes = dict.fromkeys(diagnosis.code[:length] for diagnosis in note.diagnoses or ())
    return replace(note, diagnoses=tuple(map(Diagnosis, codes)))


def _as(kind: type[_Model], model: nn.Module) -> _Model:
    if not isinstance(model, kind):
        raise TypeError(f"{kind.__name__} needed, got {type(model).__name__}")
    return model
