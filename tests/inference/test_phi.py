"""A trained tagger as a detector: nested candidates, and what it learns by heart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import DataError, Note, Span, UsageError, write_notes
from clinlp.data.pieces import LexicalPieces
from clinlp.deid import find_phi
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.phi import LEVELS, PhiTagger, beside, candidates
from clinlp.inference.windows import over_windows
from clinlp.training.config import PhiConfig
from clinlp.training.finetune import finetune_phi

CASES = [
    ("Seen by Jane Doe on 3/12/2021.", [("Jane Doe", "NAME"), ("3/12/2021", "DATE")]),
    ("Ms. Okafor lives in Lakeview.", [("Okafor", "NAME"), ("Lakeview", "LOCATION")]),
    ("患者张三，2021年3月5日入院。", [("张三", "NAME"), ("2021年3月5日", "DATE")]),
    ("家住青山路5号，无发热。", [("青山路5号", "LOCATION")]),
]


@pytest.fixture(scope="module")
def four_notes():
    return [
        Note(f"n{at}", text, phi=tuple(Span(text.index(w), text.index(w) + len(w), label) for w, label in marks))
        for at, (text, marks) in enumerate(CASES)
    ]


@pytest.fixture(scope="module")
def model(four_notes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phi")
    write_notes(four_notes, folder / "notes.jsonl")
    config = PhiConfig.load(
        None,
        train=(folder / "notes.jsonl",),
        dev=(folder / "notes.jsonl",),
        out=folder / "run",
        epochs=80,
        batch_pieces=64,
        hidden=24,
        dropout=0.1,
        learning_rate=0.01,
        head_learning_rate=0.01,
    )
    return finetune_phi(config)


def test_a_tagger_learns_the_phi_of_four_notes_by_heart(model, four_notes):
    bare = [Note(note.note_id, note.text) for note in four_notes]
    assert [note.phi for note in find_phi(bare, [PhiTagger.load(model)])] == [note.phi for note in four_notes]


def test_a_long_note_is_read_to_its_end(model):
    text = "No fever. " * 400 + CASES[0][0]
    [found] = find_phi([Note("long", text)], [PhiTagger.load(model)])
    assert {text[span.start : span.end] for span in found.phi} >= {"Jane Doe", "3/12/2021"}


def test_a_note_without_words_has_none(model):
    assert PhiTagger.load(model)([Note("a", "  \n"), Note("b", CASES[0][0])])[0] == []


def test_each_kind_of_tagger_refuses_the_other(model):
    with pytest.raises(UsageError, match="a model of entities needed, got one of phi"):
        EntityPredictor.load(model)
    with pytest.raises(UsageError, match="a model of phi needed, got one of entities"):
        PhiTagger.load("entities-en")


def doubting(model, spans, doubts, text, lang="en"):
    """What is left of the rules' spans where a tagger that learned four notes doubts guesses."""
    tagger = PhiTagger.load(model)
    tagger.tagger.config = tagger.tagger.config.model_copy(update={"doubts": doubts})
    detector = beside([lambda notes: [spans for _ in notes]], lambda _: tagger)
    [found] = detector([Note("a", text, lang=lang)])
    return [span for span in found if span in spans]


def test_a_guess_in_which_a_tagger_sees_nothing_is_left_out(model):
    text = "No fever at all. " * 3 + CASES[0][0]
    guess, sure, other = (Span(3, 8, label, score) for label, score in (("NAME", 0.6), ("NAME", 0.9), ("ID", 0.6)))
    seen = Span(text.index("Jane"), text.index("Jane") + 4, "NAME", 0.6)
    spans = [guess, sure, other, seen]
    [tagged] = PhiTagger.load(model)([Note("a", text, lang="en")])
    if any(span.start < 8 and span.end > 3 for span in tagged):
        pytest.skip("the small model sees something there")
    assert doubting(model, [guess, other, seen], {"en": {"NAME": 0.7}}, text) == [other, seen]
    assert guess in doubting(model, spans, {"en": {"NAME": 0.7}}, text)  # the same words are sure elsewhere
    assert doubting(model, spans, {}, text) == spans
    assert doubting(model, spans, {"zh": {"NAME": 0.7}}, text) == spans


def test_words_of_another_script_are_never_doubted(model):
    text = "No fever. 王小明 came along."
    guess = Span(10, 13, "NAME", 0.6)
    assert doubting(model, [guess], {"en": {"NAME": 0.7}}, text) == [guess]


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1, width=32)), min_size=1, max_size=30))
def test_candidates_at_a_level_cover_the_pieces_that_are_so_probable(pieces):
    best = np.array([label for label, _ in pieces])
    probable = np.array([share for _, share in pieces], np.float32)
    offsets = np.array([(2 * at, 2 * at + 1) for at in range(len(pieces))])
    spans = candidates(best, probable, offsets, ("NAME", "DATE", "ID"))
    for level in LEVELS:
        covered = {at for at in range(len(pieces)) for s in spans if s.score >= level and s.start <= 2 * at < s.end}
        assert covered == set(np.flatnonzero(probable >= level).tolist())
    assert len({(s.start, s.end) for s in spans}) == len(spans)


def test_an_answer_that_leaves_pieces_out_is_refused():
    read = [LexicalPieces.build(["one two three"])("one two three")]
    with pytest.raises(DataError, match="cover 3 pieces"):
        over_windows(read, (8, 2), lambda pieces, mask: [pieces[:, :2, 0]], 64)
