"""Pieces: exact offsets in any text, the same reading after a save."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import UsageError
from clinlp.data.pieces import LexicalPieces, SubwordPieces, read_pieces
from clinlp.text.tokens import tokenize

TEXTS = ["No fever. Metformin 500mg b.i.d.", "患者无发热，予二甲双胍0.5g口服。", "Dr. Müller saw T2DM 2×"]
WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "met", "##for", "##min", "no", "fever", ".", "患", "者", "5", "##00"]
WORDPIECE = json.dumps(
    {
        "version": "1.0",
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {piece: at for at, piece in enumerate(WORDPIECES)},
        },
    }
)
UNIGRAM_PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁no", "no", "▁fever", "s", "发", "热", "."]
UNIGRAM = json.dumps(
    {
        "version": "1.0",
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {
            "type": "Unigram",
            "unk_id": 3,
            "vocab": [[piece, -1.0 - at] for at, piece in enumerate(UNIGRAM_PIECES)],
        },
    }
)


def readers():
    return [LexicalPieces.build(TEXTS, n_bigrams=64), SubwordPieces(WORDPIECE), SubwordPieces(UNIGRAM)]


@pytest.mark.parametrize("which", range(3))
@given(st.text(st.characters(), max_size=60))
def test_offsets_are_ascending_inside_the_text_and_within_one_token(which, text):
    pieces = readers()[which](text)
    cells = pieces.offsets.tolist()
    assert len(pieces.features) == len(cells)
    assert all(0 <= start < end <= len(text) for start, end in cells)
    assert all(left[1] <= right[0] for left, right in pairwise(cells))
    tokens = tokenize(text)
    starts = np.array([start for start, _ in tokens])
    homes = {int(np.searchsorted(starts, start, side="right")) for start, _ in cells}
    assert len(homes) == len(tokens)  # every token is read, none is lost


def test_subwords_of_a_word_have_the_characters_they_stand_for():
    text = "No Metformin"
    pieces = SubwordPieces(WORDPIECE)(text)
    assert [text[start:end] for start, end in pieces.offsets] == ["No", "Met", "for", "min"]
    assert [WORDPIECES[at] for at in pieces.features[:, 0]] == ["no", "met", "##for", "##min"]


def test_a_word_start_is_told_from_a_word_part_in_sentencepiece():
    pieces = SubwordPieces(UNIGRAM)("no fever no发热")
    assert [UNIGRAM_PIECES[at] for at in pieces.features[:, 0]] == ["▁no", "▁fever", "▁no", "发", "热"]


def test_case_and_digits_share_a_word_but_not_a_spelling():
    reader = LexicalPieces.build(["Aspirin 81 ASPIRIN aspirin 325 aspirin 325 325 8 8 8"], min_count=1)
    rows = {text: reader(text).features[0] for text in ("aspirin", "ASPIRIN", "325", "999")}
    assert rows["aspirin"][0] == rows["ASPIRIN"][0]
    assert rows["325"][0] == rows["999"][0] > 1
    assert rows["aspirin"][2:].tolist() != rows["ASPIRIN"][2:].tolist()


def test_a_word_never_seen_is_unknown_but_spelled():
    reader = LexicalPieces.build(["fever fever fever"])
    row = reader("reverie").features[0]
    assert row[0] == 1
    assert (row[2:9] > 0).all()


def test_a_pair_of_words_has_a_feature_of_its_own():
    reader = LexicalPieces.build(TEXTS, n_bigrams=1000)
    first, second = reader("高热"), reader("发热")
    assert first.features[1, 0] == second.features[1, 0]
    assert first.features[1, 1] != second.features[1, 1]


@pytest.mark.parametrize("which", range(3))
def test_a_saved_reader_reads_the_same(tmp_path, which):
    reader = readers()[which]
    reader.save(tmp_path)
    again = read_pieces(tmp_path)
    for text in TEXTS:
        assert (again(text).features == reader(text).features).all()


def test_a_folder_without_a_vocabulary_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is this a model folder"):
        read_pieces(tmp_path)


def test_forgetting_cached_words_changes_nothing(monkeypatch):
    monkeypatch.setattr("clinlp.data.pieces._CACHE_ROWS", 3)
    small, text = LexicalPieces.build(TEXTS), " ".join(TEXTS)
    first = small(text).features
    assert (small(text).features == first).all()
