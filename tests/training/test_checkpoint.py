"""Checkpoints: what is in them, how many stay, and what happens to broken ones."""

from __future__ import annotations

import json

import pytest
import torch
from torch.amp.grad_scaler import GradScaler

from clinlp import UsageError
from clinlp.training.average import Average
from clinlp.training.checkpoint import Parts, load_checkpoint, save_checkpoint
from clinlp.training.config import EntitiesConfig
from clinlp.training.finetune import finetune_entities
from clinlp.training.folder import append_log, cut_log
from clinlp.training.learning import make_optimizer


class Small(torch.nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.encoder = torch.nn.Linear(width, 2)


def parts_of(out, optimizer="adamw", *, ema=None, scaler=False, width=3):
    config = EntitiesConfig.load(None, train=("x",), out=out, optimizer=optimizer)
    model = Small(width)
    average = None if ema is None else Average(model, ema)
    return Parts(model, make_optimizer(model, config), average, GradScaler("cpu") if scaler else None)


def step(parts, value=1.0):
    loss = parts.model.encoder(torch.full((1, 3), value)).sum()
    if parts.scaler is None:
        loss.backward()
        parts.optimizer.step()
    else:
        parts.scaler.scale(loss).backward()
        parts.scaler.step(parts.optimizer)
        parts.scaler.update()
    parts.optimizer.zero_grad()
    if parts.average is not None:
        parts.average.update(1)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "adagrad"])
def test_what_is_loaded_goes_on_as_what_was_saved(tmp_path, optimizer):
    one = parts_of(tmp_path, optimizer, ema=0.5)
    step(one)
    step(one)
    save_checkpoint(tmp_path, 2, one, {"epoch": 1})
    other = parts_of(tmp_path, optimizer, ema=0.5)
    assert load_checkpoint(tmp_path, other) == {"epoch": 1}
    for parts in (one, other):
        step(parts)
    for left, right in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(left, right)
    assert all(torch.equal(value, other.average.values[name]) for name, value in one.average.values.items())


def test_the_scale_of_fp16_goes_on(tmp_path):
    """A scaler halves its scale after a step whose gradient overflowed, and counts the good steps after it."""
    one = parts_of(tmp_path, scaler=True)
    for value in (1.0, float("inf"), 1.0, 1.0):
        step(one, value)
    assert one.scaler.get_scale() == 2.0**15
    save_checkpoint(tmp_path, 4, one, {})
    other = parts_of(tmp_path, scaler=True)
    load_checkpoint(tmp_path, other)
    assert other.scaler.state_dict() == one.scaler.state_dict()
    assert other.scaler.state_dict()["_growth_tracker"] == 2
    step(one)
    step(other)
    for left, right in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_checkpoints_stay(tmp_path, keep):
    parts = parts_of(tmp_path)
    for at in (5, 10, 99_999_999, 200_000_000):  # more digits than a name is filled to
        save_checkpoint(tmp_path, at, parts, {"step": at}, keep)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"checkpoint-{at:08d}" for at in (5, 10, 99_999_999, 200_000_000)[-keep:])
    assert load_checkpoint(tmp_path, parts) == {"step": 200_000_000}


def test_a_run_keeps_as_many_checkpoints_as_it_is_told(four_notes, tmp_path):
    options = {"train": (four_notes,), "dev": (four_notes,), "epochs": 4, "hidden": 8, "batch_pieces": 32}
    finetune_entities(
        EntitiesConfig.load(None, out=tmp_path / "run", keep_checkpoints=2, checkpoint_steps=1, **options)
    )
    assert len(list((tmp_path / "run").glob("checkpoint-*"))) == 2


def test_a_half_written_checkpoint_is_not_one(tmp_path):
    parts = parts_of(tmp_path)
    save_checkpoint(tmp_path, 1, parts, {"step": 1})
    (tmp_path / "checkpoint.part").mkdir()
    (tmp_path / "checkpoint.part" / "state.safetensors").write_bytes(b"half")
    assert load_checkpoint(tmp_path, parts) == {"step": 1}


@pytest.mark.parametrize("file", ["state.safetensors", "progress.json"])
def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path, file):
    parts = parts_of(tmp_path)
    save_checkpoint(tmp_path, 1, parts, {})
    (tmp_path / "checkpoint-00000001" / file).write_bytes(b"")
    with pytest.raises(UsageError, match="checkpoint-00000001: a whole checkpoint needed, got one that cannot be read"):
        load_checkpoint(tmp_path, parts)


@pytest.mark.parametrize("options", [{"width": 4}, {"ema": 0.5}])
def test_a_checkpoint_of_another_model_is_refused(tmp_path, options):
    save_checkpoint(tmp_path, 1, parts_of(tmp_path), {})
    with pytest.raises(UsageError, match="a checkpoint of this model needed, got one of another shape"):
        load_checkpoint(tmp_path, parts_of(tmp_path, **options))


def test_the_log_ends_where_the_checkpoint_does(tmp_path):
    for epoch in (1, 2, 3):
        append_log(tmp_path, {"epoch": epoch})
    cut_log(tmp_path, 2)
    append_log(tmp_path, {"epoch": 3})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
