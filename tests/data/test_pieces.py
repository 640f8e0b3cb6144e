"""Pieces: exact offsets in any text, the same reading after a save."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import Span, UsageError
from clinlp.data.pieces import LexicalPieces, read_pieces
from clinlp.data.subwords import SubwordPieces
from clinlp.tagging.scheme import decode_tags, encode_tags
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


@pytest.mark.parametrize(
    ("text", "words", "wanted"),
    [
        ("HPV16 positive", "HPV", ["HPV", "16", "positive"]),
        ("two VTs today", "VT", ["two", "VT", "s", "today"]),
        ("查HGB126，低", "HGB", ["查", "HGB", "126", "，", "低"]),
        ("加用DDP60MG", "DDP", ["加", "用", "DDP", "60", "MG"]),
        ("HbA and mtDNA", "HbA", ["HbA", "and", "mtDNA"]),  # a small letter before a capital is no border
    ],
)
def test_a_word_is_cut_where_a_label_can_end_in_it(text, words, wanted):
    pieces = LexicalPieces.build([text])(text)
    assert [text[start:end] for start, end in pieces.offsets] == wanted
    start = text.index(words)
    tags, n_cut = encode_tags([Span(start, start + len(words), "X")], pieces.offsets, ["X"])
    assert n_cut == 0
    assert [span.end - span.start for span in decode_tags(tags, pieces.offsets, ["X"])] == [len(words)]


def wordpiece(*pieces):
    held = json.loads(WORDPIECE)
    held["model"]["vocab"] = {piece: at for at, piece in enumerate((*WORDPIECES[:4], *pieces))}
    return SubwordPieces(json.dumps(held))


@pytest.mark.parametrize(
    ("vocabulary", "text", "wanted"),
    [
        (("hpv", "##16"), "HPV16", ["hpv", "##16"]),  # as in pretraining: no piece crosses the border
        (("hpv16", "hpv", "##16"), "HPV16", ["hpv", "##16"]),
        (("hpv16", "hpv", "16"), "HPV16", ["hpv", "16"]),
        (("cd", "##4s", "##4", "##s"), "CD4s", ["cd", "##4", "##s"]),
        (("hgb", "##126g", "126", "g"), "查HGB126g", ["[UNK]", "hgb", "126", "g"]),
        (("il",), "IL6", ["il", "[UNK]"]),  # the word is unknown, its part is not
    ],
)
def test_a_piece_across_a_border_inside_a_word_is_read_in_parts(vocabulary, text, wanted):
    reader = wordpiece(*vocabulary)
    pieces = reader(text)
    names = [*WORDPIECES[:4], *vocabulary]
    assert [names[at] for at in pieces.features[:, 0]] == wanted
    assert "".join(text[start:end] for start, end in pieces.offsets) == text


def test_a_piece_of_sentencepiece_keeps_its_word_start_when_it_is_cut():
    held = json.loads(UNIGRAM)
    held["model"]["vocab"] += [["▁il6", -1.0], ["▁il", -2.0], ["il", -2.0], ["6", -2.0]]
    reader = SubwordPieces(json.dumps(held))
    for text, start in (("il6", 0), ("no il6", 3), ("发il6", 1)):
        cells = reader(text).offsets.tolist()[-2:]
        assert cells == [[start, start + 2], [start + 2, start + 3]]
        first = int(reader(text).features[-2, 0])
        assert first == len(UNIGRAM_PIECES) + (2 if text[0] == "发" else 1)


def test_a_vocabulary_from_before_words_were_cut_reads_as_it_did(tmp_path):
    reader = LexicalPieces(["hpv00"], "hpv", 0, inside=False)
    reader.save(tmp_path)
    held = json.loads((tmp_path / "vocabulary.json").read_text())
    del held["inside"]
    (tmp_path / "vocabulary.json").write_text(json.dumps(held))
    assert read_pieces(tmp_path)("HPV16").offsets.tolist() == [[0, 5]]


CHARACTERS = "嘧髌℃"


@pytest.mark.parametrize("specification", [WORDPIECE, UNIGRAM], ids=["wordpiece", "unigram"])
@given(st.text(st.sampled_from("患热发no 嘧髌℃.é5")))
def test_characters_that_a_vocabulary_lacks_get_pieces_and_nothing_else_changes(specification, text):
    before = SubwordPieces(specification)
    after, sorts = before.with_characters(CHARACTERS)
    assert list(sorts) == [before.n_pieces + at for at in range(3)]
    assert after.n_pieces == before.n_pieces + 3
    one, other = before(text), after(text)
    assert (one.offsets == other.offsets).all()
    for (start, end), was, now in zip(one.offsets.tolist(), one.features[:, 0], other.features[:, 0], strict=True):
        assert now == (before.n_pieces + CHARACTERS.index(text[start]) if text[start:end] in CHARACTERS else was)


def test_lacking_characters_come_by_frequency_and_are_no_letters(tmp_path):
    reader = SubwordPieces(WORDPIECE)
    texts = ["髌骨，髌上，予氟尿嘧啶", "体温38℃ жар\u200b é", "患者髌"]
    assert reader.lacks(texts)[:2] == ["髌", "，"]
    assert {"℃", "嘧"} < set(reader.lacks(texts))
    assert not {"患", "ж", "\u200b", "é", "3", " "} & set(reader.lacks(texts))
    grown, sorts = reader.with_characters("髌")
    assert sorts == {14: [10, 11]}  # like the two Han characters of the vocabulary
    grown.save(tmp_path)
    assert read_pieces(tmp_path)("髌骨").features.ravel().tolist() == [14, 1]


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
    monkeypatch.setattr("clinlp.data.rows._CACHE_ROWS", 3)
    small, text = LexicalPieces.build(TEXTS), " ".join(TEXTS)
    first = small(text).features
    assert (small(text).features == first).all()
