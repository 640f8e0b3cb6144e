"""Who works on batches: an engine in this process, or one in a process of its own that may die.

A worker is used by one thread. It gives each note as the bytes of its answer, or why there are none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol, TypeAlias

from clinlp.errors import Failure, MissingExtraError, UsageError
from clinlp.inference.processes import Child, Frame, environment, raise_refusal
from clinlp.note import Note
from clinlp.records import to_record
from clinlp.serve import batcher
from clinlp.serve.config import ServeConfig
from clinlp.serve.engine import Engine, Kind, Offer
from clinlp.serve.logs import error_facts, tell
from clinlp.serve.metrics import resident_bytes

Answer: TypeAlias = bytes | Failure
_START_S: Final = 900.0  # a large model on a slow disk


class WorkerLost(RuntimeError):  # noqa: N818  a state
    """A worker's process has ended, or was ended because nobody waited for its answer any more."""


class Worker(batcher.Worker[bytes], Protocol):
    """What a thread of the batcher works with, and what is to be known of it."""

    offer: Offer

    @property
    def ready(self) -> bool:
        """Whether its models are loaded and have worked once."""

    @property
    def n_lost(self) -> int:
        """Processes that it has lost."""

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent in each stage so far."""

    @property
    def resident_bytes(self) -> float:
        """Memory that it holds beside this process."""

    def close(self) -> None:
        """Let go of what it holds."""


class Here:
    """An engine in this process."""

    alive, n_lost, resident_bytes = True, 0, 0.0

    def __init__(self, config: ServeConfig) -> None:
        """Load what the config names.

        Raises:
            UsageError: Something in it is not as it needs to be.
        """
        self._engine = Engine(config)
        self.offer = self._engine.offer
        self._prepared = False

    @property
    def ready(self) -> bool:
        """Whether the models are loaded and have worked once."""
        return self._engine.ready

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent in each stage so far."""
        return self._engine.seconds

    def prepare(self) -> bool:
        """Load the models in the thread that works: how many threads it computes with is its own."""
        if not self._prepared:
            self._prepared = True
            say_ready(self._engine.start())
        return True

    def __call__(self, kind: Hashable, notes: Sequence[Note]) -> list[Answer]:
        """Give what becomes of each note, in order."""
        return self._engine.answer(kind, notes)

    def close(self) -> None:
        """Nothing is held."""


class Process:
    """An engine in a process of its own, which is replaced when it ends.

    Attributes:
        alive: Whether the process runs, so far as is known.
    """

    def __init__(self, config: ServeConfig, number: int, changed: Callable[[], None]) -> None:
        """Start the process, which loads its models meanwhile.

        Args:
            changed: Told when the process has ended; in any thread.
        """
        self._config, self._number, self._changed = config, number, changed
        self.ready, self.n_lost, self._closed = False, 0, False
        self._gone: dict[str, float] = {}  # seconds in stages, of processes that have ended
        self._seconds: dict[str, float] = {}
        self._start()

    def _start(self) -> None:
        self._answers: SimpleQueue[Frame | None] = SimpleQueue()
        self._greeted = self._prepared = False
        self.alive = True
        variables = environment(self._number, self._config.device, self._config.threads)
        self._child = Child("clinlp.serve.process", variables, partial(self._heard, self._answers))
        if self._closed:  # meanwhile
            self._child.kill()
        self._child.tell(self._config.model_dump(mode="json"))

    def _heard(self, answers: SimpleQueue[Frame | None], frame: Frame | None) -> None:
        if frame is None and answers is self._answers:
            self.alive = False
        answers.put(frame)
        if frame is None:
            self._changed()

    def greet(self) -> None:
        """Wait until the process has looked at its options.

        Raises:
            UsageError: One of them is not as it needs to be.
            MissingExtraError: A package that one of them asks for is not there.
            WorkerLost: The process could not start.
        """
        if self._greeted:
            return
        held, _ = self._hear(_START_S)
        raise_refusal(held)
        if "lost" in held:
            raise WorkerLost(held["lost"])
        self.offer = Offer.of(held)
        self._greeted = True

    def prepare(self) -> bool:
        """Wait until the models are loaded; if the process has ended, start another."""
        try:
            if not self.alive:
                self._lose()
                self._start()
            if not self._prepared:
                self.greet()
                held, _ = self._hear(_START_S)
                say_ready(held["wrong"])
                self.ready, self._prepared = not held["wrong"], True
        except (MissingExtraError, UsageError, WorkerLost, TimeoutError) as error:
            if not self._closed:
                facts: dict[str, object] = {"worker": self._number, **error_facts(error)}
                tell("worker does not start", facts, level=logging.ERROR)
            return False
        return True

    def __call__(self, kind: Hashable, notes: Sequence[Note]) -> list[Answer]:
        """Give what becomes of each note, in order.

        If the process ends over them, another is asked once more for each alone: a note that no process
        survives fails, and no other does.
        """
        try:
            return self._ask(kind, notes)
        except WorkerLost:
            together = self.offer.whole_patients
            groups = [notes] if together else [[note] for note in notes]
            return [answer for group in groups for answer in self._once_more(kind, group)]
        except TimeoutError as error:
            return [Failure.of(error, stage="batch", note_id=note.note_id) for note in notes]

    def _once_more(self, kind: Hashable, notes: Sequence[Note]) -> list[Answer]:
        error: Exception = WorkerLost("a process that starts needed, got none")
        try:
            if self.prepare():
                return self._ask(kind, notes)
        except (WorkerLost, TimeoutError) as lost:
            error = lost
        return [Failure.of(error, stage="batch", note_id=note.note_id) for note in notes]

    def _ask(self, kind: Hashable, notes: Sequence[Note]) -> list[Answer]:
        """Let the process work.

        Raises:
            WorkerLost: It ended over these notes.
            TimeoutError: It took so long that nobody waits any more, and was ended.
        """
        if not isinstance(kind, Kind):
            raise TypeError(f"kind of work needed, got {type(kind).__name__}")
        self._child.tell({"kind": list(kind), "notes": [to_record(note) for note in notes]})
        held, written = self._hear(self._config.limit_s)
        self._seconds = held["seconds"]
        return unpack(held["results"], written or b"")

    def _hear(self, seconds: float) -> Frame:
        try:
            frame = self._answers.get(timeout=seconds)
        except Empty:
            self._child.kill()
            self.alive = False
            tell("worker too slow", {"worker": self._number}, level=logging.ERROR)
            raise TimeoutError(f"{seconds:g} s for a batch needed, got one that takes longer") from None
        if frame is None:
            raise WorkerLost("a process that lives needed, got one that ended")
        return frame

    def _lose(self) -> None:
        """Let go of a process that has ended, and keep its counts."""
        tell("worker lost", {"worker": self._number}, level=logging.ERROR)
        self._child.kill()
        self.ready = False
        self.n_lost += 1
        self._gone, self._seconds = self.seconds, {}

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent in each stage so far."""
        return added([self._gone, self._seconds])

    @property
    def resident_bytes(self) -> float:
        """Memory that the process holds."""
        return resident_bytes(self._child.pid) if self.alive else 0.0

    def close(self) -> None:
        """End the process, and any that takes its place: one that is about to start is not waited for."""
        self._closed = True
        self._child.kill()


def start_workers(config: ServeConfig, changed: Callable[[], None]) -> Sequence[Worker]:
    """Make the workers that the config asks for; of processes, the first has looked at its options.

    Raises:
        UsageError: One of them is not as it needs to be.
    """
    if config.workers == 1:
        return [Here(config)]
    processes = [Process(config, number, changed) for number in range(config.workers)]
    try:
        processes[0].greet()
    except BaseException as error:
        for process in processes:
            process.close()
        if isinstance(error, (WorkerLost, TimeoutError)):
            raise UsageError(
                "workers: a process that starts needed, got one that ends; --workers 1 shows more"
            ) from None
        raise
    return processes


def pack(answers: Sequence[Answer]) -> tuple[list[Any], bytes]:
    """Give answers as what JSON holds, and the bytes behind it."""
    held = [len(each) if isinstance(each, bytes) else asdict(each) for each in answers]
    return held, b"".join(each for each in answers if isinstance(each, bytes))


def unpack(held: Sequence[Any], written: bytes) -> list[Answer]:
    """Give back what was packed."""
    answers: list[Answer] = []
    at = 0
    for each in held:
        if isinstance(each, int):
            answers.append(written[at : at + each])
            at += each
        else:
            answers.append(Failure(**each))
    return answers


def added(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Add numbers that have the same name."""
    sums: dict[str, float] = {}
    for part in parts:
        for name, number in part.items():
            sums[name] = sums.get(name, 0.0) + number
    return sums


def say_ready(wrong: Mapping[str, str]) -> None:
    """Log that a worker is ready, or what is wrong with it: it goes on, to say of each note why it fails."""
    tell("not ready", wrong, level=logging.ERROR) if wrong else tell("ready")
