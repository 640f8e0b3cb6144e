"""How many threads a worker process computes with."""

from __future__ import annotations

import torch


def compute_alone() -> None:
    """Let this process compute with one thread.

    For a worker beside other workers: together they would ask for more threads than there are cores,
    and a process that was forked after its parent computed with threads hangs in the next parallel loop.
    """
    torch.set_num_threads(1)


def compute_with(n_threads: int) -> None:
    """Let this process compute with so many threads."""
    torch.set_num_threads(n_threads)
