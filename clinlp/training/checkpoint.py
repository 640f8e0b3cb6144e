"""Checkpoints from which a run goes on exactly where it was: safetensors and JSON, never pickle.

Random numbers need no state here: the loop draws its order and its seeds from the run's seed and the
step, so weights, optimiser moments and the step are all that a run is.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from clinlp.errors import UsageError
from clinlp.models.store import save_tensors, write_whole

_NAME = re.compile(r"checkpoint-(\d+)")


def save_checkpoint(folder: Path, step: int, model: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
    """Write `folder/checkpoint-STEP` whole, then remove the older ones."""
    part = folder / "checkpoint.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for at, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{at}.{name}": torch.as_tensor(value) for name, value in state.items()}
    save_tensors(part / "state.safetensors", tensors)
    write_whole(part / "progress.json", json.dumps(progress, indent=1))
    target = folder / f"checkpoint-{step:08d}"
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    for old in _checkpoints(folder)[:-1]:
        shutil.rmtree(old)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
    """Fill model and optimiser from the newest checkpoint and give its progress; None without one.

    Raises:
        UsageError: The checkpoint belongs to a model of another shape.
    """
    from safetensors.torch import load_file

    found = _checkpoints(folder)
    if not found:
        return None
    tensors = load_file(found[-1] / "state.safetensors")
    weights: dict[str, Tensor] = {}
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        room, rest = name.split(".", 1)
        if room == "model":
            weights[rest] = tensor
        else:
            at, key = rest.split(".", 1)
            states.setdefault(int(at), {})[key] = tensor
    try:
        model.load_state_dict(weights)
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    except (RuntimeError, ValueError):
        raise UsageError(f"{found[-1]}: a checkpoint of this model needed, got one of another shape") from None
    progress: dict[str, Any] = json.loads((found[-1] / "progress.json").read_text("utf-8"))
    return progress


def remove_checkpoints(folder: Path) -> None:
    """Remove all checkpoints of a run."""
    for old in _checkpoints(folder):
        shutil.rmtree(old)


def _checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    return sorted(path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name))
