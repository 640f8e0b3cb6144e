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
from clinlp.training.task import Epoch


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


def small(path, out, **options):
    options = {"epochs": 2, "hidden": 8, "word_width": 8} | options
    return EntitiesConfig.load(None, train=(path,), dev=(path,), out=out, **options)


class Killed(BaseException):
    """Stands for a signal: nothing in the library catches it."""


def kill(news):
    if isinstance(news, Epoch):
        raise Killed


@pytest.fixture
def killed(four_notes, tmp_path):
    """A run that was killed after its first epoch: its folder, and its notes in a file of their own."""
    path = tmp_path / "notes.jsonl"
    path.write_bytes(four_notes.read_bytes())
    with pytest.raises(Killed):
        finetune_entities(small(path, tmp_path / "run"), tell=kill)
    return path, tmp_path / "run"


def test_a_run_does_not_go_on_with_other_notes_under_the_same_name(killed):
    path, out = killed
    was = path.read_text("utf-8")
    path.write_text(was.replace("cough", "fever"), "utf-8")
    with pytest.raises(UsageError, match=r"inputs\.json: --resume needs the same train as when the run began"):
        finetune_entities(small(path, out), resume=True)
    path.write_text(was, "utf-8")
    finetune_entities(small(path, out), resume=True)


@pytest.mark.parametrize("option", ["vectors", "text"])
def test_a_run_does_not_go_on_with_other_files(killed, tmp_path, option):
    path, _ = killed
    held = {"vectors": "fever " + "0.5 " * 8 + "\n", "text": '{"note_id": "m", "text": "rash"}\n'}[option]
    file = tmp_path / {"vectors": "words.vec", "text": "more.jsonl"}[option]
    file.write_text(held, "utf-8")
    options = {option: str(file) if option == "vectors" else (file,)}
    with pytest.raises(Killed):
        finetune_entities(small(path, tmp_path / "other", **options), tell=kill)
    file.write_text(held.replace("fever", "rash").replace('"rash"', '"itch"'), "utf-8")
    with pytest.raises(UsageError, match=f"needs the same {option} as when"):
        finetune_entities(small(path, tmp_path / "other", **options), resume=True)


@pytest.mark.parametrize("name", ["config.json", "inputs.json"])
@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_damaged_file_of_a_run_is_named(killed, name, text):
    path, out = killed
    (out / name).write_text(text)
    with pytest.raises(UsageError, match=f"{name}: the file that the run wrote needed, got a damaged one"):
        finetune_entities(small(path, out), resume=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"progress": 3, "scaler": null}'])
def test_a_damaged_progress_is_named(killed, text):
    path, out = killed
    for file in out.glob("checkpoint-*/progress.json"):
        file.write_text(text)
    with pytest.raises(UsageError, match="a whole checkpoint needed"):
        finetune_entities(small(path, out), resume=True)


def test_a_run_killed_before_its_first_score_is_not_begun_anew_in_silence(four_notes, tmp_path):
    config = small(four_notes, tmp_path / "run", checkpoint_steps=1, batch_pieces=16)
    with pytest.raises(Killed):
        finetune_entities(config, tell=_second(Killed))
    assert not (tmp_path / "run" / "best").exists()
    with pytest.raises(UsageError, match="a new folder needed, got one with a run"):
        finetune_entities(config)


def _second(error):
    """Raise in the second step of a run."""

    class Second:
        n = 0

        def __call__(self, news):
            pass

        def watch(self, progress):
            self.n += 1
            if self.n == 2:
                raise error

    return Second()


def test_a_last_model_that_was_cut_off_is_written_again(four_notes, tmp_path):
    config = small(four_notes, tmp_path / "run")
    finetune_entities(config)
    last = tmp_path / "run" / "last"
    weights = (last / "model.safetensors").read_bytes()
    part = tmp_path / "run" / "last.part"  # as a kill between two of its files leaves it
    part.mkdir()
    (last / "model.safetensors").replace(part / "model.safetensors")
    finetune_entities(config, resume=True)
    assert (last / "model.safetensors").read_bytes() == weights
    assert not part.exists()
