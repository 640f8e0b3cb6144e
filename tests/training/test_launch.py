"""`accelerate launch` on two processes gives what one process gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

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
