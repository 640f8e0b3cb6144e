"""What is wrong with the spans of one note: among themselves, at their edges, and under a model's pieces."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinlp.data.pieces import LexicalPieces, StackedPieces, read_pieces
from clinlp.data.subwords import SubwordPieces
from clinlp.errors import UsageError
from clinlp.spans import Span, flatten

_CLOSES: Final = {
    ")": "(",
    "]": "[",
    "}": "{",
    "）": "（",
    "】": "【",
    "］": "［",
    "》": "《",
    "」": "「",
    "”": "“",
    "’": "‘",
}
_OPENS: Final = {opening: closing for closing, opening in _CLOSES.items()}
_UNSEEN: Final = re.compile(r"^[\s\u00ad\u200b-\u200f\u2060\ufeff]+|[\s\u00ad\u200b-\u200f\u2060\ufeff]+$")
"""White space, and what is none and shows as little, at the edges of a span."""
_BELONGS: Final = frozenset("%％‰‱'′″#*&@＃＊＆＠")  # a unit, a grade or a mark, and not what stands around words


class Cut(NamedTuple):
    """One text as a model's pieces."""

    offsets: NDArray[np.int32]  # (piece, 2), characters, half-open
    unknown: NDArray[np.bool_]  # (piece,), whether the encoder has no such piece


class Cutter(NamedTuple):
    """What cuts texts into pieces, and how many of them a window holds."""

    cut: Callable[[str], Cut]
    max_pieces: int


def read_cutter(encoder: str, max_pieces: int) -> Cutter:
    """Find the pieces of an encoder: `lstm` or `cnn`, a folder, or a hub id.

    Raises:
        UsageError: There is no such folder or hub id, or it holds no pieces.
    """
    if encoder in ("lstm", "cnn"):
        return Cutter(_words(LexicalPieces([], "", 0)), max_pieces)
    folder = Path(encoder)
    if folder.is_dir():
        max_pieces = min(max_pieces, _positions(folder))
        read = read_pieces(folder)
        reader = read.pieces if isinstance(read, StackedPieces) else read
        if not isinstance(reader, SubwordPieces):
            return Cutter(_words(reader), max_pieces)
    elif folder.is_absolute() or encoder.count("/") > 1:
        raise UsageError(f"{encoder}: `lstm`, `cnn`, a folder with an encoder or a hub id needed, got none of them")
    else:
        from clinlp.models.transformer import hub_file

        reader = SubwordPieces(hub_file(encoder, "tokenizer.json").read_text("utf-8"))
    unknown = reader.unknown

    def cut(text: str) -> Cut:
        read = reader(text)
        return Cut(read.offsets, read.features[:, 0] == unknown)

    return Cutter(cut, max_pieces)


def arrangement(spans: Sequence[Span]) -> Iterator[tuple[str, Span]]:
    """Say of each span how it lies to those before it; of two spans that clash, the later is named.

    Args:
        spans: In the order of a note.
    """
    labels: dict[tuple[int, int], set[str]] = {}
    ends: list[int] = []  # of the spans that begin before this one
    waiting: list[int] = []  # of the spans that begin with it
    reach = start = -1
    for span in spans:
        if span.start != start:
            for end in waiting:
                insort(ends, end)
            waiting, start = [], span.start
        seen = labels.setdefault((span.start, span.end), set())
        if seen:
            yield ("duplicate_span" if span.label in seen else "relabelled_span"), span
        elif reach >= span.end:
            yield "nested_span", span
        at = bisect_right(ends, span.start)
        if at < len(ends) and ends[at] < span.end:
            yield "crossing_span", span
        seen.add(span.label)
        waiting.append(span.end)
        reach = max(reach, span.end)


def edges(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, Span]]:
    """Name spans whose first or last character hardly belongs to a mention."""
    for span in spans:
        words = text[span.start : span.end]
        inner = _UNSEEN.sub("", words)
        if not inner:
            yield "blank_span", span
            continue
        if len(inner) < len(words):
            yield "edge_space", span
        if _is_punctuation(inner, 0) or _is_punctuation(inner, -1):
            yield "edge_punctuation", span


def fit(spans: Sequence[Span], cut: Cut, max_pieces: int) -> Iterator[tuple[str, Span]]:
    """Name spans that a BIOES tagger over these pieces loses or learns otherwise than they are."""
    distinct = {(span.start, span.end, span.label): at for at, span in enumerate(spans)}
    kept = {id(span) for span in flatten(spans[at] for at in distinct.values())}
    lost = [at for at in distinct.values() if id(spans[at]) not in kept]
    yield from (("lost_to_overlap", spans[at]) for at in lost)
    if not len(cut.offsets):
        return
    starts, ends = cut.offsets[:, 0], cut.offsets[:, 1]
    first = np.searchsorted(ends, [span.start for span in spans], side="right").tolist()
    stop = np.searchsorted(starts, [span.end for span in spans], side="left").tolist()
    n_unknown = np.concatenate([[0], np.cumsum(cut.unknown)])
    reach = 0  # pieces taken by the spans before that tags can hold
    for span, low, high in zip(spans, first, stop, strict=True):
        if low >= high:
            continue
        if starts[low] < span.start or ends[high - 1] > span.end:
            yield "cut_piece", span
        if high - low > max_pieces:
            yield "long_span", span
        if n_unknown[high] > n_unknown[low]:
            yield "unknown_piece", span
        if id(span) in kept:
            if low < reach:
                yield "shared_piece", span
            else:
                reach = high


def _positions(folder: Path) -> int:
    """How many pieces the encoder in a folder can read at once; the most that anybody asks for if it does not say."""
    try:
        held = json.loads((folder / "config.json").read_text("utf-8"))
        inner = held.get("encoder", {})
        inner = inner.get("transformer", inner)
        return int(inner.get("max_pieces") or int(held["max_position_embeddings"]) - 4)  # as training takes it
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return sys.maxsize


def _words(reader: LexicalPieces) -> Callable[[str], Cut]:
    """Cut texts as an LSTM reads them: one piece a word, and none unknown, for each has its characters."""

    def cut(text: str) -> Cut:
        offsets = reader(text).offsets
        return Cut(offsets, np.zeros(len(offsets), bool))

    return cut


def _is_punctuation(words: str, at: int) -> bool:
    """Whether the first (0) or last (-1) character of a mention is punctuation that is no part of it."""
    character = words[at]
    if character.isalnum() or unicodedata.category(character)[0] != "P" or character in _BELONGS:
        return False
    if character in (_CLOSES, _OPENS)[at == 0]:  # a bracket that is closed or opened inside
        return (_CLOSES, _OPENS)[at == 0][character] not in words
    if at == 0 and character in "-−–" and words[1:2].isdigit():
        return False
    return not (at == -1 and (character in "-−" or re.search(r"(?:^|[^A-Za-z])(?:[A-Za-z]\.){2,}$", words)))
