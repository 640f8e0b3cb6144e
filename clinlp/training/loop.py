"""The one training loop: Accelerate, length batches, exact resume."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from clinlp.data.batches import Indices, shuffled
from clinlp.errors import DivergedError
from clinlp.training.checkpoint import load_checkpoint, remove_checkpoints, save_checkpoint
from clinlp.training.config import TrainConfig

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, slots=True)
class Task:
    """What the loop must know of the thing it trains."""

    lengths: Indices  # (item,), pieces of each
    units: Indices  # (item,), over how much the loss of each is averaged: pieces or notes
    collate: Callable[[Indices], dict[str, Tensor]]
    score: Callable[[nn.Module], Mapping[str, float]]  # on dev; "score" is what the best epoch has most of
    save: Callable[[nn.Module, Mapping[str, float]], None]


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


def train(
    model: nn.Module,
    task: Task,
    config: TrainConfig,
    *,
    resume: bool = False,
    tell: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train a model, keep the best epoch, and give the log of the epochs run.

    The same seed gives the same run: the order of the data and every dropout mask follow from the
    seed and the step alone, so a run that was killed and resumed ends with the same weights.

    Raises:
        DivergedError: The loss is no longer a number.
    """
    from accelerate import Accelerator

    run = Accelerator(
        mixed_precision=config.precision,
        gradient_accumulation_steps=config.accumulate,
        cpu=not torch.cuda.is_available(),
    )
    optimizer = AdamW(_groups(model, config))
    progress = load_checkpoint(config.out, model, optimizer) if resume else None
    if progress is None and run.is_main_process:
        remove_checkpoints(config.out)
    model, optimizer = run.prepare(model, optimizer)
    loop = _Loop(run, model, optimizer, task, config, _State(**progress or {}))
    log: list[Epoch] = []
    while not loop.done:
        log.append(loop.epoch())
        if run.is_main_process:
            with (config.out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(log[-1])) + "\n")
            if tell is not None:
                tell(log[-1])
    return log


@dataclass(slots=True)
class _State:
    """Where a run stands; all of it is in the checkpoint, beside weights and moments."""

    epoch: int = 0
    step: int = 0  # steps done of this epoch
    n_steps: int = 0  # steps done of all epochs
    loss: float = 0.0  # summed over the units of this epoch
    units: int = 0
    best: float = -math.inf
    best_epoch: int = 0


_Step = Sequence[tuple[Indices, bool]]


def _plan(lengths: Indices, config: TrainConfig, epoch: int, n_processes: int) -> list[_Step]:
    """Deal an epoch's batches into steps of `accumulate` batches for each process.

    The last step is filled up with a batch that counts for nothing, so that all processes take
    the same number of steps and no record is dropped or seen twice.
    """
    groups = shuffled(lengths, config.batch_pieces, (config.seed, epoch))
    size = config.accumulate * n_processes
    steps: list[_Step] = []
    for first in range(0, len(groups), size):
        step = [(items, True) for items in groups[first : first + size]]
        steps.append(step + [(groups[first][:1], False)] * (size - len(step)))
    return steps


@dataclass(slots=True)
class _Loop:
    """One process's part of a run."""

    run: Accelerator
    model: nn.Module
    optimizer: Optimizer
    task: Task
    config: TrainConfig
    state: _State

    @property
    def done(self) -> bool:
        """All epochs are run, or the score has not risen for too long."""
        patience = self.config.patience
        tired = patience is not None and self.state.epoch - self.state.best_epoch >= patience
        return tired or self.state.epoch >= self.config.epochs

    def epoch(self) -> Epoch:
        """Go once over the data, score on dev, keep what is best, write a checkpoint."""
        state, every, lengths = self.state, self.config.checkpoint_steps, self.task.lengths
        began = time.perf_counter()
        plan = _plan(lengths, self.config, state.epoch, self.run.num_processes)
        self.model.train()
        n_pieces = n_padded = 0
        for step in plan[state.step :]:
            state.loss += self._step(step, len(plan))
            state.units += int(sum(self.task.units[items].sum() for items, real in step if real))
            state.step, state.n_steps = state.step + 1, state.n_steps + 1
            n_pieces += int(sum(lengths[items].sum() for items, _ in step))
            n_padded += int(sum(lengths[items].max() * len(items) for items, _ in step))
            if every and state.n_steps % every == 0 and state.step < len(plan):
                self._checkpoint()
        seconds = time.perf_counter() - began
        scores, best = self._score()
        loss = state.loss / max(1, state.units)
        state.epoch, state.step, state.loss, state.units = state.epoch + 1, 0, 0.0, 0
        self._checkpoint()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        padding = 1 - n_pieces / max(1, n_padded)
        return Epoch(state.epoch, loss, scores, seconds, n_pieces / seconds, padding, peak, best)

    def _step(self, step: _Step, n_plan: int) -> float:
        """Take one optimiser step and give the summed loss of its units."""
        run, state, config = self.run, self.state, self.config
        rate = _rate((state.epoch + state.step / n_plan) / config.epochs, config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        # Every process knows the whole plan, so the mean over all units needs no exchange of counts.
        # Accelerate divides by the batches of a step and the processes average: undo both.
        scale = len(step) / float(sum(self.task.units[items].sum() for items, real in step if real))
        total = torch.zeros((), device=run.device)
        for at, (items, real) in enumerate(step[run.process_index :: run.num_processes]):
            torch.manual_seed(hash((config.seed, state.n_steps, at, run.process_index)) & 0x7FFFFFFFFFFFFFFF)
            batch = {name: tensor.to(run.device) for name, tensor in self.task.collate(items).items()}
            with run.accumulate(self.model):
                loss = self.model(**batch) * (1.0 if real else 0.0)
                run.backward(loss * scale)
                if run.sync_gradients:
                    run.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
                self.optimizer.step()
                self.optimizer.zero_grad()
            total += loss.detach()
        value = float(run.reduce(total, "sum").item())
        if not math.isfinite(value):
            raise DivergedError(
                f"step {state.n_steps + 1}: a finite loss needed, got {value}; try a lower learning rate"
            )
        return value

    def _score(self) -> tuple[Mapping[str, float], bool]:
        """Score on dev in the main process and let all know whether this epoch is the best."""
        run, state = self.run, self.state
        scores: Mapping[str, float] = {}
        found = torch.zeros(1)
        if run.is_main_process:
            bare = run.unwrap_model(self.model)
            bare.eval()
            scores = self.task.score(bare)
            found[0] = scores["score"]
        if run.num_processes > 1:
            from accelerate.utils import broadcast

            found = broadcast(found.to(run.device)).cpu()
        best = found.item() >= state.best  # of two alike the later has the lower loss
        if found.item() > state.best:
            state.best_epoch = state.epoch + 1
        if best:
            state.best = found.item()
            if run.is_main_process:
                self.task.save(run.unwrap_model(self.model), scores)
        return scores, best

    def _checkpoint(self) -> None:
        run = self.run
        run.wait_for_everyone()
        if run.is_main_process:
            bare: Any = getattr(self.optimizer, "optimizer", self.optimizer)
            save_checkpoint(self.config.out, self.state.n_steps, run.unwrap_model(self.model), bare, asdict(self.state))
        run.wait_for_everyone()


def _rate(done: float, warmup: float) -> float:
    """The learning rate's share of its peak: a straight rise, then a straight fall to 0."""
    if done < warmup:
        return max(done, 1e-3) / warmup
    return max(0.0, (1 - done) / max(1e-9, 1 - warmup))


def _groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Part the weights: encoder and head learn at rates of their own; biases and norms do not decay."""
    encoder_rate = config.learning_rate or (1e-3 if config.encoder == "lstm" else 1e-4)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        rate = encoder_rate if name.startswith("encoder.") else config.head_learning_rate
        decay = config.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(weight)
    return [
        {"params": weights, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), weights in groups.items()
    ]
