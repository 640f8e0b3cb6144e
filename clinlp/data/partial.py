"""Notes in which only some labels were annotated: a word without a mark may still belong to one of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import DataError
from clinlp.note import Note


def annotated_labels(note: Note, column: str) -> frozenset[str] | None:
    """Read with which labels a note was annotated: a list, or a text with commas; None: with all.

    Raises:
        DataError: The column holds something else, or the note has an entity of a label that it does not name.
    """
    given = note.fields.get(column)
    if given is None or given == "":
        return None
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name.strip() for name in names):
        raise DataError(f"note {note.note_id}: {column} needs labels, got {type(given).__name__}")
    labels = frozenset(name.strip() for name in names)
    others = sorted({span.label for span in note.entities} - labels)
    if others:
        raise DataError(f"note {note.note_id}: {column} needs all labels of the note's entities, lacks {others[0]}")
    return labels


def unmarked_labels(note: Note, column: str, labels: Sequence[str]) -> NDArray[np.int64]:
    """Give the positions of the labels that a note may hold without a mark."""
    known = annotated_labels(note, column)
    return np.array([at for at, label in enumerate(labels) if known is not None and label not in known], np.int64)


def only_annotated(predicted: Iterable[Note], gold: Iterable[Note], column: str | None) -> list[Note]:
    """Leave out predicted entities of labels with which their gold note was not annotated: nobody knows about them."""
    if column is None:
        return list(predicted)
    kept = []
    for found, given in zip(predicted, gold, strict=True):
        known = annotated_labels(given, column)
        spans = tuple(span for span in found.entities if known is None or span.label in known)
        kept.append(replace(found, entities=spans))
    return kept
