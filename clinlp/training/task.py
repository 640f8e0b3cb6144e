"""What the loop must know of the thing it trains, and what it tells of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import nn

from clinlp.data.batches import Indices


@dataclass(frozen=True, slots=True)
class Task:
    """What the loop must know of the thing it trains."""

    lengths: Indices  # (item,), pieces of each
    units: Indices  # (item,), over how much the loss of each is averaged: pieces or notes
    collate: Callable[[Indices], Mapping[str, Any]]  # of tensors, or of what holds tensors
    score: Callable[[nn.Module], Mapping[str, float]]  # on dev; "score" is what the best epoch has most of
    save: Callable[[str, nn.Module, Mapping[str, float]], None]  # `best` or `last`, the model and its scores
    note_ids: Callable[[Indices], Sequence[str]]  # of which notes the items are
    finish: Callable[[], None] | None = None  # what is done to the saved model at the end, by one process; repeatable


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the run's log."""

    epoch: int
    loss: float
    scores: Mapping[str, float]
    seconds: float
    pieces_per_s: float
    padding_share: float
    peak_memory_mib: float
    best: bool
    gpu_memory_mib: float | None = None  # the most that was held at once


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, after every step."""

    done: float  # share of all epochs
    epoch: int
    loss: float  # mean of the epoch so far
    score: float | None  # of the last epoch on dev


@runtime_checkable
class Watcher(Protocol):
    """What is told of a run and wants every step too."""

    def __call__(self, news: Epoch | str) -> None:
        """Take an epoch, or what went wrong beside the training."""

    def watch(self, progress: Progress) -> None:
        """Take a step."""
