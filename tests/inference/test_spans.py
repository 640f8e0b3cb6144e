"""Spans found in windows: each once, none lost at a border, the same as in one long window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from clinlp import Note
from clinlp.data.pieces import LexicalPieces
from clinlp.data.rows import Pieces
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.windows import spans_over_windows
from clinlp.models.lstm import LstmConfig
from clinlp.models.tagger import Tagger, TaggerConfig

TEXTS = [
    "No fever, no cough.",
    "",
    "   \n",
    "患者无发热，咳嗽3天。",
    "Pain in the left chest. " * 40,
    "发热咳嗽胸痛" * 40,
    "a",
]
READER = LexicalPieces.build(TEXTS * 3)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=4), st.integers(4, 24), st.data())
def test_what_a_window_holds_whole_is_found_once_and_nothing_else(lengths, max_pieces, data):
    overlap = data.draw(st.integers(0, max_pieces - 1))
    gold = []
    for length in lengths:
        firsts = data.draw(st.lists(st.integers(0, length - 1), max_size=6))
        sizes = [data.draw(st.integers(1, min(overlap + 1, length - first))) for first in firsts]
        gold.append({(0, first, first + size) for first, size in zip(firsts, sizes, strict=True)})

    def find(pieces, mask):
        """A perfect model: pieces are (note, place), and all gold spans inside a window are found in it."""
        rows = []
        for window in range(len(pieces)):
            note, start = pieces[window, 0].tolist()
            end = start + int(mask[window].sum())
            rows += [[window, 0, f - start, s - f - 1] for _, f, s in sorted(gold[note]) if start <= f and s <= end]
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4), torch.full((len(rows),), 0.75)

    read = [
        Pieces(np.stack([np.full(n, at), np.arange(n)], 1).astype(np.int32), np.zeros((n, 2), np.int32))
        for at, n in enumerate(lengths)
    ]
    found = spans_over_windows(read, (max_pieces, overlap), find, 64)
    for (cells, probable), wanted in zip(found, gold, strict=True):
        assert sorted(map(tuple, cells.tolist())) == sorted(wanted)
        assert probable.tolist() == [0.75] * len(wanted)


class Alone(nn.Module):
    """Encodes each piece in no one's light, so that windows can change nothing."""

    width = 8

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(READER.n_words, 8)

    def forward(self, pieces, mask):
        return self.table(pieces[..., 0])


def predictor(head, max_pieces, **options):
    torch.manual_seed(7)
    shape = LstmConfig(n_words=READER.n_words, max_pieces=max_pieces, overlap=2)
    config = TaggerConfig(encoder=shape, head=head, labels=("A", "B"), max_width=6, **options)
    tagger = Tagger(config, Alone())
    tagger.scorer.load_state_dict({name: 3 * weight for name, weight in tagger.scorer.state_dict().items()})
    if head == "biaffine":
        nn.init.normal_(tagger.scorer.products, std=0.3)
        nn.init.constant_(tagger.scorer.first_ends.bias, -1.0)
    else:
        nn.init.constant_(tagger.scorer.ends.bias, -1.0)
    return EntityPredictor(tagger.eval(), READER, batch_pieces=100)


@pytest.mark.parametrize("head", ["pointer", "biaffine"])
def test_short_windows_find_what_one_long_window_finds(head):
    whole, cut = predictor(head, 1000).find(TEXTS), predictor(head, 12).find(TEXTS)
    assert sum(map(len, whole)) > 50
    for one, other in zip(whole, cut, strict=True):
        assert sorted(one, key=str) == sorted(other, key=str) == sorted(set(other), key=str)
        scores = {span: span.score for span in one}
        assert [span.score for span in other] == pytest.approx([scores[span] for span in other], abs=1e-4)


@pytest.mark.parametrize("head", ["pointer", "biaffine"])
def test_a_note_is_read_alike_alone_and_in_a_batch(head):
    notes = [Note(f"n{at}", text) for at, text in enumerate(TEXTS)]
    model = predictor(head, 12)
    together = model(notes)
    assert [note.note_id for note in together] == [note.note_id for note in notes]
    assert together == [model([note])[0] for note in notes]


def test_a_higher_threshold_of_a_label_leaves_the_other_alone():
    free, strict = predictor("pointer", 12).find(TEXTS), predictor("pointer", 12, thresholds={"A": 0.9}).find(TEXTS)
    for one, other in zip(free, strict, strict=True):
        assert other == [span for span in one if span.label == "B" or span.score >= 0.9]
    assert any(span.label == "A" and span.score < 0.9 for spans in free for span in spans)


def test_a_flat_model_keeps_the_most_probable_of_spans_that_overlap():
    nested, flat = predictor("pointer", 12).find(TEXTS), predictor("pointer", 12, flat=True).find(TEXTS)
    for one, other in zip(nested, flat, strict=True):
        ends = [0] + [span.end for span in sorted(other, key=lambda span: span.start)]
        assert all(end <= span.start for end, span in zip(ends, sorted(other, key=lambda s: s.start), strict=False))
        for span in set(one) - set(other):
            assert any(span.overlaps(kept) and kept.score >= span.score for kept in other)
