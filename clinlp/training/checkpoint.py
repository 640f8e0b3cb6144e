"""Checkpoints from which a run goes on exactly where it was: safetensors and JSON, never pickle.

Random numbers need no state here: the loop draws its order and its seeds from the run's seed and the
step, so weights, their average, optimiser moments, the scale of fp16 and the step are all that a run is.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from clinlp.errors import UsageError
from clinlp.models.store import save_tensors, write_whole
from clinlp.training.average import Average
from clinlp.training.folder import sync, writing

_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a run learns or counts."""

    model: nn.Module
    optimizer: Optimizer
    average: Average | None = None
    scaler: GradScaler | None = None  # of fp16


def save_checkpoint(folder: Path, step: int, parts: Parts, progress: dict[str, Any], keep: int = 1) -> None:
    """Write `folder/checkpoint-STEP` whole, then remove all but the newest `keep`.

    Raises:
        DataError: It could not be written; the ones before are as they were.
    """
    tensors = {f"model.{name}": tensor for name, tensor in parts.model.state_dict().items()}
    for at, state in parts.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{at}.{key}": torch.as_tensor(value) for key, value in state.items()}
    if parts.average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in parts.average.values.items()}
    scale = None if parts.scaler is None else parts.scaler.state_dict()
    target = folder / f"checkpoint-{step:08d}"
    with writing(folder / "checkpoint.part", target.name) as part:
        save_tensors(part / "state.safetensors", tensors)
        write_whole(part / "progress.json", json.dumps({"progress": progress, "scaler": scale}, indent=1))
        sync(part)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    for old in _checkpoints(folder)[:-keep]:
        shutil.rmtree(old)


def load_checkpoint(folder: Path, parts: Parts) -> dict[str, Any] | None:
    """Fill the parts from the newest checkpoint and give its progress; None without one.

    Raises:
        UsageError: The checkpoint cannot be read, or belongs to a model of another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found = _checkpoints(folder)
    if not found:
        return None
    try:
        tensors = load_file(found[-1] / "state.safetensors")
        held: dict[str, Any] = json.loads((found[-1] / "progress.json").read_text("utf-8"))
        progress: dict[str, Any] = dict(held["progress"])
        scale = held["scaler"]
    except (OSError, SafetensorError, ValueError, TypeError, KeyError):
        raise UsageError(f"{found[-1]}: a whole checkpoint needed, got one that cannot be read; remove it") from None
    try:
        _fill(parts, tensors, scale)
    except (KeyError, RuntimeError, ValueError):
        raise UsageError(f"{found[-1]}: a checkpoint of this model needed, got one of another shape") from None
    return progress


def remove_checkpoints(folder: Path) -> None:
    """Remove all checkpoints of a run."""
    for old in _checkpoints(folder):
        shutil.rmtree(old)


def _fill(parts: Parts, tensors: dict[str, Tensor], scale: dict[str, Any] | None) -> None:
    """Give each tensor to the part that it is of."""
    rooms: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "average": {}}
    for name, tensor in tensors.items():
        room, rest = name.split(".", 1)
        rooms[room][rest] = tensor
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in rooms["optimizer"].items():
        at, key = name.split(".", 1)
        states.setdefault(int(at), {})[key] = tensor
    parts.model.load_state_dict(rooms["model"])
    parts.optimizer.load_state_dict({"state": states, "param_groups": parts.optimizer.state_dict()["param_groups"]})
    if parts.average is not None:
        parts.average.load(rooms["average"])
    if parts.scaler is not None and scale is not None:
        parts.scaler.load_state_dict(scale)


def _checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    steps = {path: int(name[1]) for path in folder.glob("checkpoint-*") if (name := _NAME.fullmatch(path.name))}
    return sorted(steps, key=lambda path: steps[path])
