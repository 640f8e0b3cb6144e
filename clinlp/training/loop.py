"""The one training loop: Accelerate, length batches, exact resume."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim import Optimizer

from clinlp.errors import DivergedError, UsageError
from clinlp.training.adapters import merged
from clinlp.training.average import Average
from clinlp.training.checkpoint import Parts, load_checkpoint, remove_checkpoints, save_checkpoint
from clinlp.training.config import TrainConfig
from clinlp.training.folder import append_log, cut_log, is_whole
from clinlp.training.learning import choose_weights, make_optimizer
from clinlp.training.plan import State, Step, plan_epoch, rate_at
from clinlp.training.task import Epoch, Progress, Task, Watcher
from clinlp.training.tracking import STEPS, end_tracker, need_tracker, start_tracker, track

if TYPE_CHECKING:
    from accelerate import Accelerator


_NAMED = 20
"""Notes that an error names at most."""


def train(
    model: nn.Module,
    task: Task,
    config: TrainConfig,
    *,
    resume: bool = False,
    tell: Callable[[Epoch | str], None] | None = None,
) -> list[Epoch]:
    """Train a model, keep the best epoch, and give the log of the epochs run.

    The same seed gives the same run: the order of the data and every dropout mask follow from the
    seed and the step alone, so a run that was killed and resumed ends with the same weights.

    Args:
        tell: Gets every epoch, and what went wrong beside the training; every step too if it is a `Watcher`.

    Raises:
        DivergedError: The loss is no longer a number.
        DataError: A checkpoint or the best model could not be written.
        UsageError: The config does not fit the model or the machine.
    """
    run = _accelerator(config)
    choose_weights(model, config)
    model, optimizer = run.prepare(model, make_optimizer(model, config))
    bare = run.unwrap_model(model)
    average = Average(bare, config.ema) if config.ema is not None else None
    parts = Parts(bare, getattr(optimizer, "optimizer", optimizer), average, run.scaler)
    progress = load_checkpoint(config.out, parts) if resume else None
    loop = _Loop(run, model, optimizer, parts, task, config, State(**progress or {}), tell)
    if run.is_main_process:
        if progress is None:
            remove_checkpoints(config.out)
        cut_log(config.out, loop.state.epoch)
    start_tracker(run, config)
    log: list[Epoch] = []
    try:
        while not loop.done:
            log.append(loop.epoch())
        if log or not is_whole(config.out / "last"):
            loop.keep_last(log[-1].scores if log else None)
        if task.finish is not None and run.is_main_process:
            task.finish()
        run.wait_for_everyone()
    finally:
        end_tracker(run)
    return log


def _accelerator(config: TrainConfig) -> Accelerator:
    """Make what carries a run to its devices.

    Raises:
        UsageError: The precision needs a GPU, or the tracker is not installed.
    """
    from accelerate import Accelerator

    need_tracker(config.tracker)
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise UsageError("precision: a GPU needed for fp16, got none; bf16 runs on both")
    return Accelerator(
        mixed_precision=config.precision,
        gradient_accumulation_steps=config.accumulate,
        cpu=not torch.cuda.is_available(),
        log_with=config.tracker,
        project_dir=config.out,
    )


@dataclass(slots=True)
class _Loop:
    """One process's part of a run."""

    run: Accelerator
    model: nn.Module
    optimizer: Optimizer
    parts: Parts
    task: Task
    config: TrainConfig
    state: State
    tell: Callable[[Epoch | str], None] | None = None
    last_score: float | None = None

    @property
    def done(self) -> bool:
        """All epochs are run, or the score has not risen for too long."""
        patience = self.config.patience
        tired = patience is not None and self.state.epoch - self.state.best_epoch >= patience
        return tired or self.state.epoch >= self.config.epochs

    def epoch(self) -> Epoch:
        """Go once over the data, score on dev, keep what is best, log, write a checkpoint."""
        state, every, lengths = self.state, self.config.checkpoint_steps, self.task.lengths
        began = time.perf_counter()
        plan = plan_epoch(lengths, self.config, state.epoch, self.run.num_processes)
        self.model.train()
        n_pieces = n_padded = 0
        for step in plan[state.step :]:
            loss = self._step(step, len(plan))
            units = int(sum(self.task.units[items].sum() for items, real in step if real))
            state.loss, state.units = state.loss + loss, state.units + units
            state.step, state.n_steps = state.step + 1, state.n_steps + 1
            self._after_step(loss / max(1, units), state.step / len(plan))
            n_pieces += int(sum(lengths[items].sum() for items, _ in step))
            n_padded += int(sum(lengths[items].max() * len(items) for items, _ in step))
            if every and state.n_steps % every == 0 and state.step < len(plan):
                self._checkpoint()
        seconds = time.perf_counter() - began
        scores, best = self._score()
        loss = state.loss / max(1, state.units)
        state.epoch, state.step, state.loss, state.units = state.epoch + 1, 0, 0.0, 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        padding = 1 - n_pieces / max(1, n_padded)
        done = Epoch(state.epoch, loss, scores, seconds, n_pieces / seconds, padding, peak, best, self._gpu_memory())
        self._log(done)
        self._checkpoint()
        if self.tell is not None and self.run.is_main_process:
            self.tell(done)
        return done

    def _after_step(self, loss: float, done: float) -> None:
        """Let the average follow, and tell those who watch."""
        state, config = self.state, self.config
        if self.parts.average is not None:
            self.parts.average.update(state.n_steps)
        if config.tracker is not None and state.n_steps % STEPS == 0:
            self._track({"step_loss": loss, "learning_rate": self.optimizer.param_groups[0]["lr"]})
        if isinstance(self.tell, Watcher) and self.run.is_main_process:
            mean = state.loss / max(1, state.units)
            self.tell.watch(Progress((state.epoch + done) / config.epochs, state.epoch + 1, mean, self.last_score))

    def _log(self, epoch: Epoch) -> None:
        """Write an epoch to the log and to the tracker, in the main process alone."""
        if not self.run.is_main_process:
            return
        line = {name: value for name, value in asdict(epoch).items() if value is not None}
        append_log(self.config.out, line)
        if self.config.tracker is not None:
            scores = line.pop("scores")
            self._track({name: float(value) for name, value in (line | scores).items()})

    def _track(self, values: Mapping[str, float]) -> None:
        trouble = track(self.run, values, self.state.n_steps)
        if trouble is not None and self.tell is not None:
            self.tell(trouble)

    def _gpu_memory(self) -> float | None:
        device = self.run.device
        return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None

    def _step(self, step: Step, n_plan: int) -> float:
        """Take one optimiser step and give the summed loss of its units."""
        from accelerate.utils import send_to_device

        run, state, config = self.run, self.state, self.config
        rate = rate_at((state.epoch + state.step / n_plan) / config.epochs, config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        # Every process knows the whole plan, so the mean over all units needs no exchange of counts.
        # Accelerate divides by the batches of a step and the processes average: undo both.
        scale = len(step) / float(sum(self.task.units[items].sum() for items, real in step if real))
        found = torch.zeros(len(step) + 1, device=run.device)  # the loss of each batch, the length of the gradient
        for at, (items, real) in enumerate(step[run.process_index :: run.num_processes]):
            torch.manual_seed(hash((config.seed, state.n_steps, at, run.process_index)) & 0x7FFFFFFFFFFFFFFF)
            batch = send_to_device(self.task.collate(items), run.device)
            with run.accumulate(self.model):
                loss = self.model(**batch) * (1.0 if real else 0.0)
                run.backward(loss * scale)
                if run.sync_gradients:
                    norm = run.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
                    if run.scaler is None and run.is_main_process:  # a scaler leaves such a step out and tries less
                        found[-1] = norm
                self.optimizer.step()
                self.optimizer.zero_grad()
            found[run.process_index + at * run.num_processes] = loss.detach()
        *losses, norm = run.reduce(found, "sum").tolist()
        self._need_numbers(step, losses, norm)
        return float(sum(losses))

    def _need_numbers(self, step: Step, losses: Sequence[float], norm: float) -> None:
        """Stop where a loss or the gradient is no number any more, before that can reach a checkpoint.

        Raises:
            DivergedError: It is so; names the step and the notes in its batches.
        """
        bad = [at for at, loss in enumerate(losses) if not math.isfinite(loss)]
        if not bad and math.isfinite(norm):
            return
        what, value = ("loss", losses[bad[0]]) if bad else ("gradient", norm)
        batches = [step[at][0] for at in bad] if bad else [items for items, _ in step]
        ids = list(dict.fromkeys(note for items in batches for note in self.task.note_ids(items)))
        more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
        raise DivergedError(
            f"step {self.state.n_steps + 1}: a finite {what} needed, got {value} for notes "
            f"{', '.join(ids[:_NAMED])}{more}; try a lower learning rate"
        )

    @contextmanager
    def _shown(self) -> Iterator[nn.Module]:
        """Give the model as it is scored and saved: averaged, adapters merged, in evaluation mode."""
        self.parts.model.eval()
        with ExitStack() as stack:
            if self.parts.average is not None:
                stack.enter_context(self.parts.average.shown())
            if self.config.lora_rank is not None:
                stack.enter_context(merged(self.parts.model))
            yield self.parts.model

    def _score(self) -> tuple[Mapping[str, float], bool]:
        """Score on dev in the main process and let all know whether this epoch is the best."""
        run, state = self.run, self.state
        scores: Mapping[str, float] = {}
        found = torch.zeros(1)
        with self._shown() as shown:
            if run.is_main_process:
                scores = self.task.score(shown)
                found[0] = scores["score"]
            if run.num_processes > 1:
                from accelerate.utils import broadcast

                found = broadcast(found.to(run.device)).cpu()
            best = found.item() >= state.best  # of two alike the later has the lower loss
            if best and run.is_main_process:
                self.task.save("best", shown, scores)
        if found.item() > state.best:
            state.best_epoch = state.epoch + 1
        state.best = max(state.best, found.item())
        self.last_score = found.item()
        return scores, best

    def keep_last(self, scores: Mapping[str, float] | None) -> None:
        """Save the model as the last epoch left it: what to take where dev is part of what was learned."""
        with self._shown() as shown:
            if self.run.is_main_process:
                self.task.save("last", shown, scores or self.task.score(shown))

    def _checkpoint(self) -> None:
        run = self.run
        run.wait_for_everyone()
        if run.is_main_process:
            config, state = self.config, self.state
            save_checkpoint(config.out, state.n_steps, self.parts, asdict(state), config.keep_checkpoints)
        run.wait_for_everyone()
