"""Batches hold every item once, within their budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinlp.data.batches import by_length, join, shuffled
from clinlp.data.splits import split
from clinlp.note import Note
from clinlp.tagging.windows import overlapping

lengths = st.lists(st.integers(1, 90), max_size=60).map(lambda given: np.array(given, np.int64))


@given(lengths, st.integers(10, 400))
def test_every_item_is_in_one_batch_within_budget(lengths, budget):
    for groups in (by_length(lengths, budget), shuffled(lengths, budget, (1, 2))):
        assert sorted(item for group in groups for item in group.tolist()) == list(range(len(lengths)))
        assert all(len(group) == 1 or lengths[group].max() * len(group) <= budget for group in groups)


def test_the_order_follows_from_the_seed():
    lengths = np.arange(1, 200)
    same, other = ([g.tolist() for g in shuffled(lengths, 300, (seed, 0))] for seed in (1, 2))
    assert [g.tolist() for g in shuffled(lengths, 300, (1, 0))] == same != other


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_joined_windows_give_each_note_its_pieces_in_order(sizes):
    notes = []
    for at, size in enumerate(sizes):
        features = (np.arange(size, dtype=np.int32) + 1000 * at)[:, None]
        notes.append((features, overlapping(size, 8, 2)))
    batch = join(notes)
    flat = batch.pieces.flatten(0, 1)[:, 0]
    for at, size in enumerate(sizes):
        places = batch.places[at]
        assert (places >= 0).sum() == size
        assert flat[places[:size]].tolist() == [1000 * at + piece for piece in range(size)]
        assert batch.mask.flatten()[places[:size]].all()
    assert batch.pieces.dtype == torch.int64


def test_a_patient_stays_on_one_side_whatever_the_order():
    notes = [Note(f"n{at}", "x", patient_id=f"p{at % 40}") for at in range(200)]
    train, dev = split(notes, 0.25, seed=3)
    assert {n.patient_id for n in train}.isdisjoint(n.patient_id for n in dev)
    assert {n.note_id for n in split(notes[::-1], 0.25, seed=3)[1]} == {n.note_id for n in dev}
    assert 4 <= len({n.patient_id for n in dev}) <= 18


def test_a_note_without_patient_counts_by_its_id():
    note = Note("a", "x")
    assert split([note], 1.0) == ([], [note])
    assert split([note], 0.0) == ([note], [])


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.98])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_chance_leaves_no_part_empty(n, share):
    notes = [Note(f"n{at}", "x", patient_id=f"p{at // 2}") for at in range(2 * n)]
    for seed in range(60):
        train, dev = split(notes, share, seed)
        assert train and dev
        assert not {note.patient_id for note in train} & {note.patient_id for note in dev}
        assert len(train) + len(dev) == len(notes)


def test_one_patient_cannot_be_parted():
    assert sorted(map(len, split([Note("a", "x", patient_id="p"), Note("b", "x", patient_id="p")], 0.5))) == [0, 2]
