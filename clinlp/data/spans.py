"""From notes to training windows with all their gold spans, nested and overlapping ones too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from clinlp.data.batches import Indices, pad
from clinlp.data.features import Loss
from clinlp.data.pieces import PieceReader
from clinlp.data.rows import Pieces
from clinlp.errors import DataError, UsageError
from clinlp.note import Note
from clinlp.tagging.cells import Cells, broken_by_cut, encode_cells, in_windows
from clinlp.tagging.windows import consecutive
from clinlp.text.language import detect_language
from clinlp.text.sentences import split_sentences

if TYPE_CHECKING:
    from datasets import Dataset

_ROUND = 8  # a learned width is rounded up to a multiple: a little room for what train has not shown


@dataclass(frozen=True, slots=True)
class SpanWindows:
    """Training windows, and what they say of the spans to be learned."""

    windows: (
        Dataset  # `pieces` (features in a row), `spans` (label, start and reach of each in a row), `n_pieces`, `note`
    )
    max_width: int  # pieces of the longest span to be scored
    flat: bool  # no two spans share a piece
    left: Loss


def span_windows(
    notes: Iterable[Note], reader: PieceReader, labels: Sequence[str], max_pieces: int, max_width: int | None = None
) -> SpanWindows:
    """Cut notes into training windows with all gold spans that lie whole in them.

    Spans of labels outside `labels` are the caller's to drop before.

    Args:
        max_width: Pieces of the longest span to be scored, half a window at most; else the length of
            the longest of the notes, rounded up, within the same bound.

    Raises:
        DataError: No note has text.
        UsageError: `max_width` is over half a window: two windows could not share such a span.
    """
    from datasets import Dataset

    most = max(1, max_pieces // 2)
    if max_width is not None and max_width > most:
        raise UsageError(f"max_width: at most {most} (half of max_pieces) needed, got {max_width}")
    held, left = _read(notes, reader, labels)
    if not held:
        raise DataError("training needs notes with text, got none")
    width = max_width or _learned([cells for *_, cells in held], most)
    rows: dict[str, list[object]] = {"pieces": [], "spans": [], "n_pieces": [], "note": []}
    n_wide = n_cut = 0
    for place, note, read, cells in held:
        narrow = cells[cells[:, 2] - cells[:, 1] <= width]
        n_wide, n_cut = n_wide + len(cells) - len(narrow), n_cut + len(narrow)
        for pieces, spans in _cut(note, read, narrow, max_pieces):
            rows["pieces"].append(read.features[pieces].ravel())
            rows["spans"].append(spans.ravel())
            rows["n_pieces"].append(pieces.stop - pieces.start)
            rows["note"].append(place)
            n_cut -= len(spans)
    flat = not any(_overlap(cells) for *_, cells in held)
    return SpanWindows(
        Dataset.from_dict(rows).with_format("numpy"), width, flat, replace(left, n_wide=n_wide, n_cut=n_cut)
    )


def span_batch(windows: Dataset, items: Indices, n_features: int) -> dict[str, Tensor]:
    """Stack training windows: `pieces`, `mask` and the spans as `gold`, as the tagger's `forward` takes them."""
    rows = windows[items.tolist()]
    pieces, mask = pad([row.reshape(-1, n_features) for row in rows["pieces"]])
    spans = [np.asarray(row, np.int64).reshape(-1, 3) for row in rows["spans"]]
    window = np.repeat(np.arange(len(spans)), [len(each) for each in spans])
    gold = np.concatenate([window[:, None], np.concatenate(spans)], 1)
    return {"pieces": pieces, "mask": mask, "gold": torch.from_numpy(gold)}


def _read(
    notes: Iterable[Note], reader: PieceReader, labels: Sequence[str]
) -> tuple[list[tuple[int, Note, Pieces, Cells]], Loss]:
    """Give the notes that have pieces, each with its place, its pieces and its spans; and what was left out by then."""
    read = [(note, reader(note.text)) for note in notes]
    held: list[tuple[int, Note, Pieces, Cells]] = []
    n_spans = n_widened = n_same = n_wordless = 0
    for place, (note, pieces) in enumerate(read):
        n_spans += len(note.entities)
        if not len(pieces):
            n_wordless += len(note.entities)
        else:
            cells, *counts = encode_cells(note.entities, pieces.offsets, labels)
            held.append((place, note, pieces, cells))
            n_widened, n_same, n_wordless = n_widened + counts[0], n_same + counts[1], n_wordless + counts[2]
    n_empty = len(read) - len(held)
    left = Loss(len(read), n_spans, n_widened=n_widened, n_wordless=n_wordless, n_same=n_same, n_empty=n_empty)
    return held, left


def _learned(cells: Sequence[Cells], most: int) -> int:
    """The width to be scored: that of the longest span, rounded up."""
    longest = max((int((each[:, 2] - each[:, 1]).max()) for each in cells if len(each)), default=1)
    return min(most, -(-longest // _ROUND) * _ROUND)


def _cut(note: Note, read: Pieces, cells: Cells, max_pieces: int) -> Iterable[tuple[slice, Cells]]:
    """The training windows of a note, each with label, start and reach of its spans."""
    sentences = [start for start, _ in split_sentences(note.text, note.lang or detect_language(note.text))]
    borders = np.searchsorted(read.offsets[:, 0], sentences)
    windows = consecutive(len(read), max_pieces, borders.tolist(), broken_by_cut(cells, len(read)))
    for window, inside in zip(windows, in_windows(cells, windows), strict=True):
        spans = np.stack([inside[:, 0], inside[:, 1], inside[:, 2] - inside[:, 1] - 1], 1)
        yield slice(window.start, window.end), spans


def _overlap(cells: Cells) -> bool:
    """Whether two spans share a piece."""
    order = np.argsort(cells[:, 1], kind="stable")
    return bool((cells[order[1:], 1] < cells[order[:-1], 2]).any())
