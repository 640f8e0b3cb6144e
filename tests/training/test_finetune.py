"""Training: four notes learned by heart, exact resume, what a run leaves behind."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from clinlp import DataError, Note, UsageError, read_notes, write_notes
from clinlp.data.features import Loss
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.metrics.entities import score_entities
from clinlp.training.config import DiagnosisConfig, EntitiesConfig
from clinlp.training.finetune import finetune_diagnosis, finetune_entities
from clinlp.training.task import Epoch


def entities(four_notes, out, **options):
    settings = {"epochs": 40, "batch_pieces": 64, "hidden": 24, "learning_rate": 0.01, "head_learning_rate": 0.01}
    return EntitiesConfig.load(None, train=(four_notes,), dev=(four_notes,), out=out, **settings | options)


@pytest.mark.parametrize("head", ["crf", "linear"])
def test_an_lstm_tagger_learns_four_notes_by_heart(four_notes, tmp_path, head):
    best = finetune_entities(entities(four_notes, tmp_path / "run", head=head, dropout=0.1, epochs=80))
    notes = list(read_notes(four_notes))
    predicted = EntityPredictor.load(best)(notes)
    assert score_entities(notes, predicted).micro.f1 == 1.0
    assert all(0 < span.score <= 1 for note in predicted for span in note.entities)


@pytest.mark.parametrize("stacked", [False, True])
def test_a_transformer_tagger_learns_four_notes_by_heart(four_notes, tiny_bert, tmp_path, stacked):
    options = {"encoder": str(tiny_bert), "dropout": 0.0, "epochs": 60, "learning_rate": 3e-3, "stacked": stacked}
    config = entities(four_notes, tmp_path / "run", **options)
    notes = list(read_notes(four_notes))
    predicted = EntityPredictor.load(finetune_entities(config), precision="fp32")(notes)
    assert score_entities(notes, predicted).micro.f1 == 1.0


@pytest.mark.parametrize("encoder", ["lstm", "transformer"])
def test_a_diagnoser_learns_four_notes_by_heart(four_notes, tiny_bert, tmp_path, encoder):
    config = DiagnosisConfig.load(
        None,
        train=(four_notes,),
        dev=(four_notes,),
        out=tmp_path / "run",
        encoder=str(tiny_bert) if encoder == "transformer" else "lstm",
        epochs=60,
        hidden=24,
        dropout=0.0,
        learning_rate=0.005,
        head_learning_rate=0.02,
    )
    predicted = DiagnosisPredictor.load(finetune_diagnosis(config), precision="fp32")(list(read_notes(four_notes)))
    for note, gold in zip(predicted, ("J18", "E11", "J18", "E11"), strict=True):
        assert [diagnosis.code for diagnosis in note.diagnoses] == [gold]
        [diagnosis] = note.diagnoses
        assert diagnosis.evidence
        assert all(span.end <= len(note.text) for span in diagnosis.evidence)


def test_the_last_model_is_kept_beside_the_best(four_notes, tmp_path):
    config = entities(four_notes, tmp_path / "run", epochs=3, learning_rate=1e-9, head_learning_rate=1e-9)
    log = []
    best = finetune_entities(config, tell=lambda said: log.append(said) if isinstance(said, Epoch) else None)
    last = tmp_path / "run" / "last"
    assert json.loads((last / "scores.json").read_text()) == log[-1].scores
    one, other = (load_file(folder / "model.safetensors") for folder in (best, last))
    assert all(torch.equal(one[name], other[name]) for name in one)  # of equal scores the later is the best
    shutil.rmtree(last)  # as if killed between the last checkpoint and this
    finetune_entities(config, resume=True)
    assert json.loads((last / "scores.json").read_text()) == log[-1].scores


class Killed(BaseException):
    """Stands for a signal: nothing in the library catches it."""


def test_a_killed_run_goes_on_to_the_same_weights(four_notes, tmp_path):
    options = {"epochs": 4, "batch_pieces": 16, "checkpoint_steps": 1}
    whole = finetune_entities(entities(four_notes, tmp_path / "whole", **options))

    def kill(said):
        if isinstance(said, Epoch) and said.epoch == 2:
            raise Killed

    config = entities(four_notes, tmp_path / "killed", **options)
    with pytest.raises(Killed):
        finetune_entities(config, tell=kill)
    resumed = finetune_entities(config, resume=True)
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, resumed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "ema": 0.9, "accumulate": 2},
        {"optimizer": "adagrad", "head": "linear", "focal": 2.0, "class_weights": "sqrt"},
        {"optimizer": "adam", "encoder": "bert", "freeze_layers": 0, "layer_decay": 0.8},
        {"encoder": "bert", "lora_rank": 2, "ema": 0.9},
        {"encoder": "bert", "stacked": True, "layer_decay": 0.8},
    ],
    ids=lambda options: "-".join(map(str, options)) or "default",
)
def test_a_run_killed_inside_an_epoch_goes_on_to_the_same_weights(
    four_notes, tiny_bert, tmp_path, monkeypatch, options
):
    if "lora_rank" in options:
        pytest.importorskip("peft")
    options = {"epochs": 2, "batch_pieces": 16, "checkpoint_steps": 1} | options
    options["encoder"] = str(tiny_bert) if "encoder" in options else "lstm"
    whole = finetune_entities(entities(four_notes, tmp_path / "whole", **options))
    config = entities(four_notes, tmp_path / "killed", **options)
    from clinlp.training import loop

    kept, saves = loop.save_checkpoint, []

    def save_then_die(*given):
        kept(*given)
        saves.append(given[1])
        if len(saves) == 2:  # after the second step of the first epoch
            raise Killed

    monkeypatch.setattr(loop, "save_checkpoint", save_then_die)
    with pytest.raises(Killed):
        finetune_entities(config)
    monkeypatch.setattr(loop, "save_checkpoint", kept)
    resumed = finetune_entities(config, resume=True)
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()
    # The last checkpoints too: weights, their average and the moments of the optimiser.
    [one], [other] = ((tmp_path / run).glob("checkpoint-*/state.safetensors") for run in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("whole", "killed")]
    assert [[json.loads(line)[key] for key in ("epoch", "loss", "scores")] for line in logs[0]] == [
        [json.loads(line)[key] for key in ("epoch", "loss", "scores")] for line in logs[1]
    ]


def test_accumulated_small_batches_equal_one_large_batch(four_notes, tmp_path):
    """Without dropout, two batches a step have the gradient of their union."""
    options = {"epochs": 1, "dropout": 0.0, "word_dropout": 0.0, "weight_decay": 0.0, "warmup": 0.0}
    one = finetune_entities(entities(four_notes, tmp_path / "one", batch_pieces=4096, **options))
    two = finetune_entities(entities(four_notes, tmp_path / "two", batch_pieces=32, accumulate=4, **options))
    left, right = (load_file(folder / "model.safetensors") for folder in (one, two))
    for name in left:
        torch.testing.assert_close(left[name], right[name], atol=2e-4, rtol=1e-3)


def test_a_run_tells_what_was_left_out_and_logs_every_epoch(four_notes, tmp_path):
    told = []
    finetune_entities(entities(four_notes, tmp_path / "run", epochs=2), tell=told.append)
    assert str(told[0]) == "4 notes; 9 spans"
    assert isinstance(told[0], Loss)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [1, 2]
    assert log[0]["pieces_per_s"] > 0
    files = {path.name for path in (tmp_path / "run" / "best").iterdir()}
    assert files >= {"config.json", "labels.json", "model.safetensors", "vocabulary.json", "scores.json"}


def test_resume_with_another_config_is_refused(four_notes, tmp_path):
    finetune_entities(entities(four_notes, tmp_path / "run", epochs=1))
    with pytest.raises(UsageError, match="--resume needs the same hidden"):
        finetune_entities(entities(four_notes, tmp_path / "run", epochs=1, hidden=32), resume=True)


def test_a_finished_run_is_not_overwritten(four_notes, tmp_path):
    finetune_entities(entities(four_notes, tmp_path / "run", epochs=1))
    with pytest.raises(UsageError, match="run: a new folder needed, got one with a run; --resume goes on with it"):
        finetune_entities(entities(four_notes, tmp_path / "run", epochs=2))


def test_early_stopping_ends_the_run(four_notes, tmp_path):
    told = []
    config = entities(four_notes, tmp_path / "run", epochs=40, patience=2, learning_rate=1e-9, head_learning_rate=1e-9)
    finetune_entities(config, tell=told.append)
    assert sum(isinstance(news, Epoch) for news in told) == 3  # the first epoch is the best, and two bring nothing


def test_notes_without_entities_are_refused(tmp_path):
    write_notes([Note("a", "No findings."), Note("b", "None.")], tmp_path / "bare.jsonl")
    config = entities(tmp_path / "bare.jsonl", tmp_path / "run")
    with pytest.raises(DataError, match=r"bare\.jsonl: training needs notes with entities, got none"):
        finetune_entities(config)


def test_a_loss_that_is_no_number_stops_the_run(four_notes, tmp_path):
    with pytest.raises(DataError, match=r"step \d+: a finite loss needed"):
        finetune_entities(entities(four_notes, tmp_path / "run", learning_rate=1e30, head_learning_rate=1e30, epochs=9))
