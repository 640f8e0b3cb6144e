"""Borders inside words: those that writing shows, and those that the labels of a corpus teach."""

from __future__ import annotations

import json

import pytest

from clinlp import Note, Span, write_notes
from clinlp.data.cuts import cuts, learn_cuts
from clinlp.data.pieces import read_pieces
from clinlp.inference.entities import EntityPredictor
from clinlp.training.config import EntitiesConfig
from clinlp.training.finetune import finetune_entities

TEXT = "Patient has postoperative anticoagulants and hypertension."
INNER = {"operative": "PROCEDURE", "coagulant": "DRUG", "tens": "SIGN"}


def note(at=0, text=TEXT, words=INNER):
    spans = tuple(Span(text.index(word), text.index(word) + len(word), label) for word, label in words.items())
    return Note(f"n{at}", text, entities=spans)


def test_cuts_are_learned_where_labels_begin_and_end_inside_words():
    assert learn_cuts([note()]) == {"postoperative": (4,), "anticoagulants": (4, 13), "hypertension": (5, 9)}
    assert cuts("POSTOPERATIVE", {"postoperative": (4,)}) == [4]
    assert cuts("VTs126", {"vts126": (1,)}) == [1, 2, 3]


def test_a_slip_does_not_cut_a_common_word():
    rest = [Note(f"m{at}", "No fever. 发热2天") for at in range(3)]
    slip = Note("s", "No fever.", entities=(Span(3, 7, "SIGN"),))
    assert learn_cuts([slip, rest[0]]) == {"fever": (4,)}
    assert learn_cuts([slip, *rest]) == {}
    assert learn_cuts([Note("z", "发热2天", entities=(Span(1, 2, "SIGN"),))]) == {}  # each Han character stands alone


def test_letters_whose_small_form_is_longer_keep_their_places():
    dotted = Note("i", "İstanbulfever", entities=(Span(8, 13, "SIGN"),))
    assert cuts("İstanbulfever", learn_cuts([dotted])) == [8]


@pytest.mark.parametrize("head", ["crf", "pointer"])
@pytest.mark.parametrize("encoder", ["lstm", "bert", "stacked"])
def test_a_word_that_an_entity_cuts_is_split_and_nothing_is_lost(tiny_bert, tmp_path, encoder, head):
    path = tmp_path / "notes.jsonl"
    notes = [note(at) for at in range(6)]
    write_notes(notes, path)
    options = {"epochs": 40, "hidden": 24, "learning_rate": 0.01, "head_learning_rate": 0.01, "dropout": 0.0}
    if encoder != "lstm":
        options |= {"encoder": str(tiny_bert), "stacked": encoder == "stacked", "epochs": 50}
    told = []
    config = EntitiesConfig.load(None, train=(path,), dev=(path,), out=tmp_path / "run", head=head, **options)
    best = finetune_entities(config, tell=told.append)
    assert str(told[0]) == "6 notes; 18 spans"
    assert json.loads((best / "scores.json").read_text())["f1"] == 1.0
    assert EntityPredictor.load(best)(notes)[0].entities == notes[0].entities
    reader = read_pieces(best)
    for start, end in ((16, 25), (30, 39), (50, 54)):
        assert start in reader(TEXT).offsets[:, 0]
        assert end in reader(TEXT).offsets[:, 1]
