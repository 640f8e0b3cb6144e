"""Fine-tune a tagger: from annotated notes to a model folder. `clinlp.training.diagnosis` does so for diagnosers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor, nn

from clinlp.data.batches import Indices
from clinlp.data.features import Loss, tagging_batch, tagging_windows
from clinlp.data.partial import only_annotated
from clinlp.data.pieces import PieceReader
from clinlp.data.spans import span_batch, span_windows
from clinlp.errors import DataError
from clinlp.inference.entities import EntityPredictor
from clinlp.metrics.entities import score_entities
from clinlp.models.encoder import Encoder
from clinlp.models.losses import PieceLoss
from clinlp.models.tagger import SPAN_HEADS, Tagger, TaggerConfig
from clinlp.note import Note
from clinlp.training.confidence import calibrate
from clinlp.training.config import EntitiesConfig, PhiConfig
from clinlp.training.diagnosis import finetune_diagnosis
from clinlp.training.emphasis import piece_loss
from clinlp.training.encoders import grown, start_encoder
from clinlp.training.folder import prepare, save_epoch
from clinlp.training.loop import train
from clinlp.training.parts import Parts, Tell, note_ids, read_parts, say, shared_notes
from clinlp.training.task import Task
from clinlp.training.unlearned import unlearned_labels

__all__ = ["finetune_diagnosis", "finetune_entities", "finetune_phi"]


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
    return _finetune_tagger(config, parts or read_parts(config, tell), "entities", resume=resume, tell=tell)


def finetune_phi(
    config: PhiConfig,
    *,
    resume: bool = False,
    tell: Tell | None = None,
    parts: Parts | None = None,
) -> Path:
    """Train a tagger of the notes' `phi`; give the folder of its best epoch."""
    notes, dev = ([replace(note, entities=note.phi) for note in part] for part in parts or read_parts(config, tell))
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
    remarks = unlearned_labels(notes, dev, labels, chosen=config.labels is not None) + shared_notes(notes, dev)
    notes = _only(notes, labels)
    if not any(note.entities for note in notes):
        raise DataError(f"train: spans of {', '.join(labels)} needed, got none")
    if config.labels is not None:  # else what train lacks stays: it counts as missed
        dev = _only(dev, labels)
    prepare(config, notes, dev, resume=resume)
    reader, encoder = start_encoder(config, notes)
    read = _windows(config, attribute, notes, labels, reader, encoder)
    model = Tagger(read.shape, encoder)
    if read.loss is not None:
        model.piece_loss = read.loss
    say(tell, read.left, *grown(reader), *remarks)

    def finish() -> None:
        made = calibrate(config.out / "best", dev, tune=config.tune_thresholds, annotated=config.annotated)
        if made is not None and made.says_much:
            say(tell, str(made))

    task = Task(
        read.lengths,
        read.lengths,
        read.collate,
        lambda tagger: _tagger_scores(_tagger(tagger), reader, dev, config.annotated),
        lambda name, tagger, scores: save_epoch(config.out / name, _tagger(tagger), reader, scores),
        note_ids(notes, read.places),
        finish if attribute == "entities" else None,
    )
    train(model, task, config, resume=resume, tell=tell)
    return config.out / "best"


def _tagger_scores(tagger: Tagger, reader: PieceReader, dev: Sequence[Note], annotated: str | None) -> dict[str, float]:
    """Score a tagger on dev; strict F1 is what the best epoch has most of."""
    predicted = only_annotated(EntityPredictor(tagger, reader)(dev), dev, annotated)
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
        windows, left = tagging_windows(notes, reader, labels, max_pieces, config.annotated)
        stack = partial(tagging_batch, n_labels=len(labels))
    if config.head == "linear":
        loss = piece_loss(config, labels, windows["tags"])
    shape = TaggerConfig(task=task, encoder=encoder.config, head=config.head, labels=labels, max_width=width, flat=flat)
    lengths, places = (np.asarray(windows[name], np.int64) for name in ("n_pieces", "note"))
    n_features = len(windows[0]["pieces"]) // int(lengths[0])
    return _Windows(shape, lengths, places, lambda items: stack(windows, items, n_features), left, loss)


def _only(notes: Iterable[Note], labels: Sequence[str]) -> list[Note]:
    """Leave out entities of labels that are not learned."""
    known = set(labels)
    return [replace(note, entities=tuple(span for span in note.entities if span.label in known)) for note in notes]


def _tagger(model: nn.Module) -> Tagger:
    if not isinstance(model, Tagger):
        raise TypeError(f"Tagger needed, got {type(model).__name__}")
    return model
