"""From notes to `datasets.Dataset`: windows with gold tags, or whole notes with gold codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from clinlp.data.batches import Indices, join, pad
from clinlp.data.partial import unmarked_labels
from clinlp.data.pieces import PieceReader
from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Span, flatten
from clinlp.tagging.scheme import Offsets, encode_tags
from clinlp.tagging.windows import consecutive, overlapping
from clinlp.text.language import detect_language
from clinlp.text.sentences import split_sentences

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class Loss:
    """What could not be used for training, so that nothing is left out in silence."""

    n_notes: int
    n_spans: int = 0
    n_overlapping: int = 0  # spans left out because a longer one covers some of their pieces
    n_widened: int = 0  # spans that cut a piece and were widened to it
    n_wordless: int = 0  # spans left out because they hold no piece
    n_same: int = 0  # spans that hold the pieces of another of their label
    n_wide: int = 0  # spans left out because they are wider than what is scored
    n_cut: int = 0  # spans left out because no window holds them whole
    n_empty: int = 0  # notes without any piece
    n_unknown_codes: int = 0  # codes outside the code set

    def __str__(self) -> str:
        n_notes, *counts = astuple(self)
        said = (f"{count:,} {what}" for count, what in zip(counts, _SAID, strict=True) if count)
        return "; ".join((f"{n_notes:,} notes", *said))


_SAID: Final = (
    "spans",
    "overlap a longer span and were left out",
    "cut a piece and were widened",
    "hold no word and were left out",
    "hold the pieces of another of their label",
    "are wider than max_width and were left out",
    "cross a window's border and were left out",
    "notes hold no word and were left out",
    "codes are not in the code set and were left out",
)
"""What is said of each count of a `Loss` after its notes, in the order of its fields."""


def tagging_windows(
    notes: Iterable[Note],
    reader: PieceReader,
    labels: Sequence[str],
    max_pieces: int,
    annotated: str | None = None,
) -> tuple[Dataset, Loss]:
    """Cut notes into training windows with a gold tag for every piece.

    Spans of labels outside `labels` are the caller's to drop before.

    Args:
        annotated: Column that names the labels with which a note was annotated.

    Returns:
        A dataset with `pieces` (features in a row), `tags`, `n_pieces` and `note` (the place of the note that the
        window is of), with `annotated` also `unmarked` (positions of labels that it may hold without a tag); and what
        was left out.
    """
    from datasets import Dataset

    rows: dict[str, list[object]] = {"pieces": [], "tags": [], "n_pieces": [], "note": []}
    n_notes = n_spans = n_wordless = n_kept = n_widened = n_empty = 0
    for note in notes:
        n_notes += 1
        read = reader(note.text)
        n_spans += len(note.entities)
        given = [span for span in note.entities if range(*_pieces_of(span, read.offsets))]
        n_wordless += len(note.entities) - len(given)
        if not len(read):
            n_empty += 1
            continue
        spans = without_shared_pieces(flatten(given), read.offsets)
        n_kept += len(spans)
        tags, n_cut = encode_tags(spans, read.offsets, labels)
        n_widened += n_cut
        closed = np.zeros(len(read), dtype=bool)
        closed[1:] = (tags[1:] > 0) & ((tags[1:] - 1) % 4 % 3 != 0)  # I or E: a cut here would break a span
        sentences = [start for start, _ in split_sentences(note.text, note.lang or detect_language(note.text))]
        borders = np.searchsorted(read.offsets[:, 0], sentences)
        for window in consecutive(len(read), max_pieces, borders.tolist(), closed):
            rows["pieces"].append(read.features[window.start : window.end].ravel())
            rows["tags"].append(tags[window.start : window.end])
            rows["n_pieces"].append(len(window))
            rows["note"].append(n_notes - 1)
            if annotated is not None:
                rows.setdefault("unmarked", []).append(unmarked_labels(note, annotated, labels))
    if not rows["pieces"]:
        raise DataError("training needs notes with text, got none")
    left = Loss(n_notes, n_spans, n_spans - n_wordless - n_kept, n_widened, n_wordless, n_empty=n_empty)
    return Dataset.from_dict(rows).with_format("numpy"), left


def tagging_batch(windows: Dataset, items: Indices, n_features: int, n_labels: int) -> dict[str, Tensor]:
    """Stack training windows as the tagger's `forward` takes them: `pieces`, `mask`, the tags as `gold`.

    Windows of notes that may be annotated in part have `unmarked` too, `(window, label)`, bool.
    """
    rows = windows[items.tolist()]
    pieces, mask = pad([row.reshape(-1, n_features) for row in rows["pieces"]])
    tags = torch.zeros(mask.shape, dtype=torch.int64)
    tags[mask] = torch.from_numpy(np.concatenate(list(rows["tags"])).astype(np.int64))
    batch = {"pieces": pieces, "mask": mask, "gold": tags}
    if "unmarked" in rows:
        batch["unmarked"] = torch.zeros(len(mask), n_labels, dtype=torch.bool)
        for row, labels in enumerate(rows["unmarked"]):
            batch["unmarked"][row, torch.tensor(labels, dtype=torch.int64)] = True
    return batch


def diagnosis_notes(
    notes: Iterable[Note], reader: PieceReader, codes: Sequence[str], code_length: int | None
) -> tuple[Dataset, Loss]:
    """Read whole notes with their gold codes.

    Returns:
        A dataset with `pieces` (features in a row), `codes` (positions in the code set), `n_pieces` and `note` (the
        place of the note); and what was left out.
    """
    from datasets import Dataset

    places = {code: at for at, code in enumerate(codes)}
    rows: dict[str, list[object]] = {"pieces": [], "codes": [], "n_pieces": [], "note": []}
    n_notes = n_empty = n_unknown = 0
    for note in notes:
        n_notes += 1
        read = reader(note.text)
        if not len(read):
            n_empty += 1
            continue
        given = {diagnosis.code[:code_length] for diagnosis in note.diagnoses or ()}
        n_unknown += len(given - places.keys())
        rows["pieces"].append(read.features.ravel())
        rows["codes"].append(np.array(sorted(places[code] for code in given & places.keys()), np.int64))
        rows["n_pieces"].append(len(read))
        rows["note"].append(n_notes - 1)
    if not rows["pieces"]:
        raise DataError("training needs notes with text, got none")
    return Dataset.from_dict(rows).with_format("numpy"), Loss(n_notes, n_empty=n_empty, n_unknown_codes=n_unknown)


def diagnosis_batch(
    notes: Dataset, items: Indices, n_features: int, n_codes: int, windowing: tuple[int, int]
) -> dict[str, Tensor]:
    """Lay out training notes as the diagnoser's `forward` takes them.

    Args:
        windowing: Pieces a window holds, and pieces that two windows share.
    """
    rows = notes[items.tolist()]
    features = [row.reshape(-1, n_features) for row in rows["pieces"]]
    batch = join([(read, overlapping(len(read), *windowing)) for read in features])
    targets = torch.zeros(len(features), n_codes)
    for row, codes in enumerate(rows["codes"]):
        targets[row, torch.tensor(codes, dtype=torch.int64)] = 1.0
    return {"pieces": batch.pieces, "mask": batch.mask, "places": batch.places, "targets": targets}


def without_shared_pieces(spans: Sequence[Span], offsets: Offsets) -> list[Span]:
    """Drop spans that hold no piece, or that share one with the span before since both cut it."""
    kept, reach = [], 0
    for span in spans:
        first, stop = _pieces_of(span, offsets)
        if max(first, reach) == first < stop:
            kept.append(span)
            reach = stop
    return kept


def _pieces_of(span: Span, offsets: Offsets) -> tuple[int, int]:
    """The first piece that a span touches, and the one after the last."""
    first = np.searchsorted(offsets[:, 1], span.start, side="right")
    return int(first), int(np.searchsorted(offsets[:, 0], span.end, side="left"))
