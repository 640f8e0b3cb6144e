"""Where a run stands, which batches make its steps, and how fast it learns at each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from clinlp.data.batches import Indices, shuffled
from clinlp.training.config import TrainConfig

Step: TypeAlias = Sequence[tuple[Indices, bool]]
"""The batches of all processes that make one step of the optimiser, and whether each counts."""


@dataclass(slots=True)
class State:
    """Where a run stands; all of it is in the checkpoint, beside weights and moments."""

    epoch: int = 0
    step: int = 0  # steps done of this epoch
    n_steps: int = 0  # steps done of all epochs
    loss: float = 0.0  # summed over the units of this epoch
    units: int = 0
    best: float = -math.inf
    best_epoch: int = 0


def plan_epoch(lengths: Indices, config: TrainConfig, epoch: int, n_processes: int) -> list[Step]:
    """Deal an epoch's batches into steps of `accumulate` batches for each process.

    The last step is filled up with a batch that counts for nothing, so that all processes take
    the same number of steps and no record is dropped or seen twice.
    """
    groups = shuffled(lengths, config.batch_pieces, (config.seed, epoch))
    size = config.accumulate * n_processes
    steps: list[Step] = []
    for first in range(0, len(groups), size):
        step = [(items, True) for items in groups[first : first + size]]
        steps.append(step + [(groups[first][:1], False)] * (size - len(step)))
    return steps


def rate_at(done: float, warmup: float) -> float:
    """The learning rate's share of its peak: a straight rise, then a straight fall to 0."""
    if done < warmup:
        return max(done, 1e-3) / warmup
    return max(0.0, (1 - done) / max(1e-9, 1 - warmup))
