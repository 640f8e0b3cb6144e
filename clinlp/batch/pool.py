"""Tasks through workers: in this process, or through processes that may die, hang or run out of memory.

When a process dies or takes too long, what it last said tells which chunk it was at. The task is tried
again; if it ends there once more, the records of that chunk are handled one by one, and one that takes
its process down twice while it is alone, or takes too long alone, is left untouched and goes to
quarantine. That needs fewer processes than halving the chunk, which takes one for each halving.
"""

from __future__ import annotations

import os
import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Protocol

from clinlp.batch.config import BatchConfig
from clinlp.batch.task import Mark, Task
from clinlp.batch.worker import Worker
from clinlp.errors import DataError, UsageError
from clinlp.inference.processes import Child, environment, raise_refusal

_TRIES: Final = 3  # of a shard whose worker dies while it reads or writes
_START_S: Final = 900.0
_PROGRAM: Final = "clinlp.batch.process"
_NONE: Final = Mark(-1, -1, 0, 0, 0)


class Done(NamedTuple):
    """A task that is done, and what is to be known of its part; or why it could not be done."""

    task: Task
    entry: dict[str, Any]
    lost: str = ""


Text = Callable[[Task], bytes | None]
"""Gives the bytes of a task whose source is packed."""
Step = Callable[[int, Mark], None]
"""Told what a worker says: the number of its task, and its mark."""


class Runner(Protocol):
    """Does tasks."""

    def run(self, tasks: Iterator[Task], text: Text, step: Step) -> Iterator[Done]:
        """Do the tasks, in any order."""

    def close(self) -> None:
        """Stop all work."""


class Here:
    """Does tasks in this process, one after the other."""

    def __init__(self, config: BatchConfig) -> None:
        self._worker = Worker(config)

    def run(self, tasks: Iterator[Task], text: Text, step: Step) -> Iterator[Done]:
        """Do the tasks in their order."""
        for task in tasks:

            def say(mark: Mark, number: int = task.number) -> None:
                step(number, mark)

            try:
                yield Done(task, self._worker.run(task, say, text(task)))
            except UsageError:
                raise
            except DataError as error:
                yield Done(task, {}, str(error))

    def close(self) -> None:
        """Nothing is left at work."""


@dataclass(slots=True)
class _Trouble:
    """How often processes were lost over a task, and where."""

    chunks: Counter[int] = field(default_factory=Counter)
    records: Counter[int] = field(default_factory=Counter)
    elsewhere: int = 0


class _Process:
    """One worker process and what it is at."""

    def __init__(self, number: int, config: BatchConfig, answers: queue.SimpleQueue[Any]) -> None:
        self.number, self.ready = number, False
        self.task: Task | None = None
        self.mark, self.since = _NONE, time.monotonic()
        self._child = Child(
            _PROGRAM,
            environment(number, config.device),
            lambda frame: answers.put((self, None if frame is None else frame[0])),
        )
        self._child.tell(config.model_dump(mode="json"))

    def start(self, task: Task, text: bytes | None) -> None:
        """Give the process a task."""
        self.task, self.mark, self.since = task, _NONE, time.monotonic()
        self._child.tell(task.held(), text)

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self._child.kill()


class Processes:
    """Does tasks in processes of one thread each."""

    def __init__(self, config: BatchConfig, n_workers: int) -> None:
        """Start the processes, which load their models meanwhile."""
        self._config = config
        self._answers: queue.SimpleQueue[tuple[_Process, dict[str, Any] | None]] = queue.SimpleQueue()
        self._workers = [_Process(number, config, self._answers) for number in range(n_workers)]
        self._again: deque[Task] = deque()
        self._trouble: dict[int, _Trouble] = {}
        self._slowest = 0.0  # seconds a character, of a chunk
        self._n_unready = 0

    def check(self) -> None:
        """Wait until one worker has loaded what it needs.

        Raises:
            UsageError: It could not.
        """
        while not any(worker.ready for worker in self._workers):
            self._hear(_unheard)

    def run(self, tasks: Iterator[Task], text: Text, step: Step) -> Iterator[Done]:
        """Do the tasks, in the order in which they are finished."""
        left = True
        while True:
            for worker in self._workers:
                if worker.ready and worker.task is None and (self._again or left):
                    task = self._again.popleft() if self._again else next(tasks, None)
                    if task is None:
                        left = False
                    else:
                        worker.start(task, text(task))
            if not left and not self._again and all(worker.task is None for worker in self._workers):
                return
            if (done := self._hear(step)) is not None:
                self._trouble.pop(done.task.number, None)
                yield done

    def close(self) -> None:
        """Kill the processes: what they were at is not in the journal."""
        for worker in self._workers:
            worker.kill()

    def _hear(self, step: Step) -> Done | None:
        """Wait for the next answer, but not beyond the next worker's time."""
        now = time.monotonic()
        for worker in self._workers if self._answers.empty() else ():  # else it may be this process that was held up
            if now - worker.since > self._patience(worker) and (worker.task or not worker.ready):
                worker.kill()
                return self._lost(worker, late=True)
        try:
            worker, answer = self._answers.get(timeout=1.0)
        except queue.Empty:
            return None
        if worker not in self._workers:  # one that was replaced
            return None
        if answer is None:
            worker.kill()
            return self._lost(worker, late=False)
        return self._take(worker, answer, step)

    def _take(self, worker: _Process, answer: dict[str, Any], step: Step) -> Done | None:
        """Act on what a worker says."""
        raise_refusal(answer)
        now = time.monotonic()
        if "ready" in answer:
            worker.ready, self._n_unready = True, 0
            return None
        task = worker.task
        if task is None:  # it could not start
            raise UsageError(f"worker: a process that starts needed, got {answer['lost']}; --workers 0 shows more")
        if "mark" in answer:
            mark = worker.mark
            if mark.chunk >= 0 and mark.n_characters:
                self._slowest = max(self._slowest, (now - worker.since) / mark.n_characters)
            worker.mark, worker.since = Mark(*answer["mark"]), now
            step(task.number, worker.mark)
            return None
        worker.task, worker.mark = None, _NONE
        return Done(task, answer.get("done", {}), answer.get("lost", ""))

    def _patience(self, worker: _Process) -> float:
        """Seconds that a worker may be silent."""
        if not worker.ready:
            return _START_S
        limit, mark = self._config.limit_s, worker.mark
        if mark.record >= 0:
            return limit
        if mark.chunk < 0:
            return _START_S
        if not self._slowest:
            return 10 * limit
        return limit + 20 * self._slowest * mark.n_characters

    def _lost(self, worker: _Process, *, late: bool) -> Done | None:
        """Replace a worker that is gone, and see what is to be done about its task."""
        self._n_unready += not worker.ready
        if self._n_unready > _TRIES:
            raise UsageError("worker: a process that starts needed, got one that ends; --workers 0 shows more")
        self._workers[self._workers.index(worker)] = _Process(worker.number, self._config, self._answers)
        if worker.task is None:
            return None
        task, mark = worker.task, worker.mark
        trouble = self._trouble.setdefault(task.number, _Trouble())
        if mark.chunk < 0:
            trouble.elsewhere += 1
            if trouble.elsewhere >= _TRIES:
                return Done(task, {}, "its process ended again and again while it read or wrote")
        elif mark.record < 0:
            trouble.chunks[mark.chunk] += 1
            if late or trouble.chunks[mark.chunk] > 1:
                task = replace(task, apart=(*task.apart, mark.chunk))
        else:
            trouble.records[mark.record] += 1
            if late or trouble.records[mark.record] > 1:
                task = self._leave_out(task, mark, late=late)
                trouble.chunks[mark.chunk] = 1  # all at once again, once
        self._again.append(task)
        return None

    def _leave_out(self, task: Task, mark: Mark, *, late: bool) -> Task:
        """Give the task without a record."""
        reason = (
            f"TimeoutError: {self._config.limit_s:g} s for one note needed, got one that takes longer (--limit-s)"
            if late
            else "WorkerLost: a note that its process survives needed, got one that ended two of them"
        )
        apart = tuple(chunk for chunk in task.apart if chunk != mark.chunk)
        return replace(task, skip=task.skip | {mark.record: reason}, apart=apart)


def _unheard(number: int, mark: Mark) -> None:
    """Take what a worker says before there are tasks."""


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
