"""`accelerate launch` on two processes gives what one process gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clinlp.records import write_notes

from .patient_cases import ward

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("script", ["train_entities.py", "train_diagnosis.py"])
def test_two_processes_train_the_weights_of_one(four_notes, tmp_path, script):
    options = ["--train", four_notes, "--dev", four_notes, "--epochs", "3", "--hidden", "16", "--batch-pieces", "16"]
    options += ["--dropout", "0", "--word-dropout", "0"]
    # `accelerate launch` starts several processes on GPUs only; on CPUs it leaves that to torchrun.
    launchers = {
        1: ["accelerate.commands.launch", "--cpu", "--num_processes", "1", "--num_machines", "1"],
        2: ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    }
    weights, losses = [], []
    for n_processes, launcher in launchers.items():
        out = tmp_path / str(n_processes)
        accumulate = 2 // n_processes  # the same two batches make a step either way
        run = ["--accumulate", str(accumulate), "--out", out]
        subprocess.run(
            [sys.executable, "-m", *launcher, ROOT / "scripts" / script, *options, *run],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
            timeout=300,
        )
        losses.append([json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()])
        weights.append(load_file(out / "best" / "model.safetensors"))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, atol=1e-3, rtol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--optimizer", "sgd", "--ema", "0.9", "--hidden", "16"],
        ["--encoder", "BERT", "--lora-rank", "2", "--ema", "0.9"],
        ["--encoder", "BERT", "--freeze-layers", "1", "--layer-decay", "0.8", "--head", "linear", "--focal", "2"],
    ],
    ids=["sgd-ema", "lora-ema", "frozen-decay-focal"],
)
def test_two_killed_processes_go_on_to_the_same_weights(four_notes, tiny_bert, tmp_path, options):
    """Both are killed by the system, wherever they are after the second checkpoint; dropout is on."""
    if "--lora-rank" in options:
        pytest.importorskip("peft")
    options = [str(tiny_bert) if option == "BERT" else option for option in options]
    shared = ["--train", four_notes, "--dev", four_notes, "--epochs", "6", "--batch-pieces", "16"]
    shared += ["--checkpoint-steps", "1", *options]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [ROOT / "scripts" / "train_entities.py", *shared]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    subprocess.run([*command, "--out", tmp_path / "whole"], check=True, capture_output=True, env=env, timeout=300)
    killed = tmp_path / "killed"
    with subprocess.Popen(
        [*command, "--out", killed],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        start_new_session=True,
    ) as running:
        until = time.monotonic() + 300
        while not _step(killed) >= 2 and running.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        for process in [*_children(running.pid), running.pid]:  # workers have sessions of their own
            os.kill(process, signal.SIGKILL)
    assert 2 <= _step(killed) < _step(tmp_path / "whole")
    subprocess.run([*command, "--out", killed, "--resume"], check=True, capture_output=True, env=env, timeout=300)
    one, other = ((folder / "best" / "model.safetensors").read_bytes() for folder in (tmp_path / "whole", killed))
    assert one == other
    [one], [other] = (folder.glob("checkpoint-*/state.safetensors") for folder in (tmp_path / "whole", killed))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_two_processes_train_one_fold_after_the_other(four_notes, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [ROOT / "scripts" / "train_entities.py", "--train", four_notes, "--dev", four_notes]
    command += ["--folds", "2", "--epochs", "1", "--hidden", "16"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    subprocess.run([*command, "--out", tmp_path], check=True, capture_output=True, env=env, timeout=300)
    assert len(list(tmp_path.glob("fold-*/predictions.jsonl"))) == 2


def _step(folder):
    """The step of the newest checkpoint."""
    return max((int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*")), default=0)


def _children(pid):
    """The processes that one started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
def test_two_processes_train_a_model_of_patients_as_one_does(tmp_path):
    """Patients of many notes are encoded in chunks, twice each, on both."""
    file = tmp_path / "train.jsonl"
    write_notes(ward(8, 1), file)
    options = ["--train", file, "--dev", file, "--epochs", "2", "--hidden", "16", "--patients", "next"]
    options += ["--dropout", "0", "--word-dropout", "0", "--no-baselines", "--single"]
    launchers = {
        1: ["accelerate.commands.launch", "--cpu", "--num_processes", "1", "--num_machines", "1"],
        2: ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    }
    losses = []
    for n_processes, launcher in launchers.items():
        out = tmp_path / str(n_processes)
        run = ["--batch-pieces", "16", "--accumulate", str(2 // n_processes), "--out", out]
        subprocess.run(
            [sys.executable, "-m", *launcher, ROOT / "scripts" / "train_diagnosis.py", *options, *run],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
            timeout=300,
        )
        losses.append([json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()])
    assert losses[0] == pytest.approx(losses[1], rel=0.05)  # dropout over notes is drawn anew by each process
