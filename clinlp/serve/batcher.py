"""Micro-batches across requests: a thread for each worker, notes wait in one bounded queue.

A request that finds a worker free is worked on at once. Under load, notes that came while the workers
were busy go through the models together, and a batch that is not full waits a little for more.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from clinlp.errors import Failure
from clinlp.note import Note

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
_PAUSE_S: Final = 5.0  # of a worker that could not be made ready, before it tries again
_LONGEST_S: Final = 60  # that anybody is told to wait
_FADE: Final = 0.8  # of what is remembered of the speed, from one batch to the next


class Overloaded(RuntimeError):  # noqa: N818  a state, and a proper answer
    """The queue is full; come back after `retry_s`."""

    def __init__(self, retry_s: int) -> None:
        super().__init__("queue is full")
        self.retry_s = retry_s


class Closing(RuntimeError):  # noqa: N818
    """The service takes no more work."""


class Worker(Protocol[R_co]):
    """What a thread works with."""

    @property
    def alive(self) -> bool:
        """Whether it can be given work; one that is not has to be prepared anew."""

    def prepare(self) -> bool:
        """Do what is needed before there can be work; say whether that went well."""

    def __call__(self, kind: Hashable, notes: Sequence[Note]) -> Sequence[R_co | Failure]:
        """Give what becomes of each note of one kind, in order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, how much goes through the models at once, and how long a batch waits for more."""

    queue_notes: int = 1024
    queue_characters: int = 16_000_000
    batch_notes: int = 32
    batch_characters: int = 100_000
    wait_s: float = 0.005


@dataclass(eq=False, slots=True)
class _Ticket:
    """A request: its notes, what became of them, and who waits for it."""

    kind: Hashable
    notes: Sequence[Note] = field(repr=False)
    whole: bool
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop
    results: list[Any]
    n_left: int
    gone: bool = False


class Batcher(Generic[R]):
    """Carries the notes of many requests through workers.

    Attributes:
        batches: Sizes of the batches since somebody took them out; at most the last thousand.
        n_idle: Workers that wait for notes.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Make it, at rest."""
        self._limits = limits or Limits()
        self._changed = threading.Condition()
        self._waiting: deque[tuple[_Ticket, int]] = deque()
        self._n_characters = 0
        self.n_idle = 0
        self._closed = threading.Event()
        self._together = False  # whether the last batch was of several requests
        self._began: dict[int, float] = {}  # when the batch of each thread that is at work did
        self._rate = 0.0  # characters a second, of one worker
        self._threads: list[threading.Thread] = []
        self.batches: deque[int] = deque(maxlen=1000)

    def start(self, workers: Sequence[Worker[R]]) -> None:
        """Begin to work."""
        for number, worker in enumerate(workers):
            name = f"clinlp-batcher-{number}"
            thread = threading.Thread(target=self._serve, args=(number, worker), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """Let threads look again whether their workers are alive."""
        with self._changed:
            self._changed.notify_all()

    @property
    def n_waiting(self) -> int:
        """Notes in the queue."""
        return len(self._waiting)

    @property
    def n_characters(self) -> int:
        """Characters in the queue."""
        return self._n_characters

    @property
    def busy_s(self) -> float:
        """How long every worker has been busy with one batch."""
        began = list(self._began.values())
        return time.monotonic() - max(began) if began and len(began) == len(self._threads) else 0.0

    async def submit(self, kind: Hashable, notes: Sequence[Note], *, whole: bool = False) -> list[R | Failure]:
        """Give what becomes of each note, in order.

        If the caller is cancelled, those of the notes that still wait are dropped.

        Args:
            kind: Only notes of one kind go through the models together.
            whole: The notes go through the models together and with no others.

        Raises:
            Overloaded: Too much is waiting; none of the notes was taken.
            Closing: The service ends.
        """
        if not notes:
            return []
        loop = asyncio.get_running_loop()
        ticket = _Ticket(kind, notes, whole, loop.create_future(), loop, [None] * len(notes), len(notes))
        self._take(ticket)
        try:
            await ticket.done
        finally:
            ticket.gone = True
        return [result for result in ticket.results if result is not None]

    async def close(self) -> None:
        """Take no more, and wait until what was taken is finished."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        with self._changed:
            left, self._waiting = list(self._waiting), deque()
        for ticket, at in left:  # no worker could be made ready: nothing that was taken goes without an answer
            self._deliver([(ticket, at)], [_failed(Closing(), ticket.notes[at])])

    def _take(self, ticket: _Ticket) -> None:
        n_characters = sum(len(note.text) for note in ticket.notes)
        limits = self._limits
        with self._changed:
            if self._closed.is_set():
                raise Closing
            full = len(self._waiting) + len(ticket.notes) > limits.queue_notes
            full |= self._n_characters + n_characters > limits.queue_characters
            if full and self._waiting:  # what finds the queue empty is never refused: it could never come in
                raise Overloaded(self._retry_s())
            self._waiting.extend((ticket, at) for at in range(len(ticket.notes)))
            self._n_characters += n_characters
            self._changed.notify_all()

    def _retry_s(self) -> int:
        """When half of what waits will be done, by the speed so far."""
        rate = self._rate * max(1, len(self._threads))
        seconds = self._n_characters / (2 * rate) if rate else 1.0
        return max(1, min(_LONGEST_S, math.ceil(seconds)))

    def _serve(self, number: int, worker: Worker[R]) -> None:
        while not self._finished():
            if not worker.prepare():
                if self._closed.wait(_PAUSE_S):
                    return
                continue
            if batch := self._next(worker):
                self._began[number] = began = time.monotonic()
                notes = [ticket.notes[at] for ticket, at in batch]
                results = _done(worker, batch[0][0].kind, notes)
                seconds = max(time.monotonic() - began, 1e-6)
                del self._began[number]
                rate = sum(len(note.text) for note in notes) / seconds
                self._rate = _FADE * self._rate + (1 - _FADE) * rate if self._rate else rate
                self.batches.append(len(batch))
                self._deliver(batch, results)

    def _finished(self) -> bool:
        return self._closed.is_set() and not self._waiting

    def _next(self, worker: Worker[R]) -> list[tuple[_Ticket, int]]:
        """Wait for work and take a batch of it; nothing if the worker has ended, or all is done."""
        closed, waits = self._closed.is_set, self._limits.wait_s
        with self._changed:
            self.n_idle += 1
            while worker.alive and not self._waiting and not closed():
                self._changed.wait()
            end = time.monotonic() + waits
            while worker.alive and self._together and not self._full() and not closed():
                if (left := end - time.monotonic()) <= 0:
                    break
                self._changed.wait(left)
            batch = self._collect() if worker.alive else []
            self.n_idle -= 1
            return batch

    def _full(self) -> bool:
        return len(self._waiting) >= self._limits.batch_notes or self._n_characters >= self._limits.batch_characters

    def _collect(self) -> list[tuple[_Ticket, int]]:
        """Take from the queue, in order, what may go together."""
        batch: list[tuple[_Ticket, int]] = []
        left: deque[tuple[_Ticket, int]] = deque()
        n_characters = 0
        share = -(-len(self._waiting) // self.n_idle)  # the other workers that are free take theirs
        self._together = len({id(ticket) for ticket, _ in self._waiting}) > 1
        for entry in self._waiting:
            ticket, at = entry
            length = len(ticket.notes[at].text)
            if ticket.gone:
                self._n_characters -= length
            elif not batch or self._fits(batch, ticket, n_characters + length, share):
                batch.append(entry)
                n_characters += length
            else:
                left.append(entry)
        self._waiting = left
        self._n_characters -= n_characters
        return batch

    def _fits(self, batch: Sequence[tuple[_Ticket, int]], ticket: _Ticket, n_characters: int, share: int) -> bool:
        first = batch[0][0]
        if first.whole or ticket.whole:
            return first is ticket
        limits = self._limits
        room = len(batch) < min(limits.batch_notes, share) and n_characters <= limits.batch_characters
        return room and ticket.kind == first.kind

    def _deliver(self, batch: Sequence[tuple[_Ticket, int]], results: Sequence[R | Failure]) -> None:
        finished: dict[asyncio.AbstractEventLoop, list[_Ticket]] = {}
        for (ticket, at), result in zip(batch, results, strict=True):
            ticket.results[at] = result
            ticket.n_left -= 1
            if not ticket.n_left:
                finished.setdefault(ticket.loop, []).append(ticket)
        for loop, tickets in finished.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, tickets)


def _done(worker: Worker[R], kind: Hashable, notes: Sequence[Note]) -> Sequence[R | Failure]:
    """Work; whatever goes wrong becomes a failure of each note, without what the error says."""
    try:
        results = worker(kind, notes)
        if len(results) != len(notes):
            raise RuntimeError(f"{len(notes)} results needed, got {len(results)}")  # noqa: TRY301
    except Exception as error:  # noqa: BLE001  the thread has to go on
        return [_failed(error, note) for note in notes]
    return results


def _failed(error: Exception, note: Note) -> Failure:
    return Failure.of(error, stage="batch", note_id=note.note_id)


def _answer(tickets: Sequence[_Ticket]) -> None:
    for ticket in tickets:
        if not ticket.done.done():
            ticket.done.set_result(None)
