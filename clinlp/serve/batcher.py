"""Micro-batches across requests: one thread works, notes wait in a bounded queue.

A request that finds nobody else waiting is worked on at once. Under load, notes that came while the
thread was busy go through the models together, and a batch that is not full waits a little for more.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from clinlp.errors import Failure
from clinlp.note import Note

Result: TypeAlias = Note | Failure
Work: TypeAlias = Callable[[Hashable, Sequence[Note]], Sequence[Result]]
_LONGEST_S: Final = 60  # that anybody is told to wait
_FADE: Final = 0.8  # of what is remembered of the speed, from one batch to the next


class Overloaded(RuntimeError):  # noqa: N818  a state, and a proper answer
    """The queue is full; come back after `retry_s`."""

    def __init__(self, retry_s: int) -> None:
        super().__init__("queue is full")
        self.retry_s = retry_s


class Closing(RuntimeError):  # noqa: N818
    """The service takes no more work."""


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
    results: list[Result | None]
    n_left: int
    gone: bool = False


class Batcher:
    """Carries the notes of many requests through one function in one thread.

    Attributes:
        batches: Sizes of the batches since somebody took them out; at most the last thousand.
    """

    def __init__(self, work: Work, limits: Limits | None = None, *, prepare: Callable[[], None] | None = None) -> None:
        """Make it, at rest.

        Args:
            work: Gives what becomes of each note of one kind, in order.
            prepare: What the thread does first; it needs to catch its errors.
        """
        self._work, self._limits, self._prepare = work, limits or Limits(), prepare
        self._changed = threading.Condition()
        self._waiting: deque[tuple[_Ticket, int]] = deque()
        self._n_characters = 0
        self._closed = False
        self._together = False  # whether the last batch was of several requests
        self._began: float | None = None
        self._rate = 0.0  # characters a second
        self.batches: deque[int] = deque(maxlen=1000)
        self._thread = threading.Thread(target=self._serve, name="clinlp-batcher", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

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
        """How long the batch that is at work has been so."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    async def submit(self, kind: Hashable, notes: Sequence[Note], *, whole: bool = False) -> list[Result]:
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
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _take(self, ticket: _Ticket) -> None:
        n_characters = sum(len(note.text) for note in ticket.notes)
        limits = self._limits
        with self._changed:
            if self._closed:
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
        seconds = self._n_characters / (2 * self._rate) if self._rate else 1.0
        return max(1, min(_LONGEST_S, math.ceil(seconds)))

    def _serve(self) -> None:
        if self._prepare is not None:
            self._prepare()
        while batch := self._next():
            self._began = began = time.monotonic()
            notes = [ticket.notes[at] for ticket, at in batch]
            results = self._done(batch[0][0].kind, notes)
            seconds = max(time.monotonic() - began, 1e-6)
            self._began = None
            rate = sum(len(note.text) for note in notes) / seconds
            self._rate = _FADE * self._rate + (1 - _FADE) * rate if self._rate else rate
            self.batches.append(len(batch))
            self._deliver(batch, results)

    def _done(self, kind: Hashable, notes: Sequence[Note]) -> Sequence[Result]:
        """Work; whatever goes wrong becomes a failure of each note, without what the error says."""
        try:
            results = self._work(kind, notes)
            if len(results) != len(notes):
                raise RuntimeError(f"{len(notes)} results needed, got {len(results)}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001  the thread has to go on
            return [Failure.of(error, stage="batch", note_id=note.note_id) for note in notes]
        return results

    def _next(self) -> list[tuple[_Ticket, int]]:
        """Wait for work and take a batch of it; nothing once all is done and the service ends."""
        with self._changed:
            while True:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._waiting and self._together and not self._closed:
                    end = time.monotonic() + self._limits.wait_s
                    while not self._full() and not self._closed and (left := end - time.monotonic()) > 0:
                        self._changed.wait(left)
                batch = self._collect()
                if batch or (self._closed and not self._waiting):
                    return batch

    def _full(self) -> bool:
        return len(self._waiting) >= self._limits.batch_notes or self._n_characters >= self._limits.batch_characters

    def _collect(self) -> list[tuple[_Ticket, int]]:
        """Take from the queue, in order, what may go together."""
        batch: list[tuple[_Ticket, int]] = []
        left: deque[tuple[_Ticket, int]] = deque()
        n_characters = 0
        self._together = len({id(ticket) for ticket, _ in self._waiting}) > 1
        for entry in self._waiting:
            ticket, at = entry
            length = len(ticket.notes[at].text)
            if ticket.gone:
                self._n_characters -= length
            elif not batch or self._fits(batch, ticket, n_characters + length):
                batch.append(entry)
                n_characters += length
            else:
                left.append(entry)
        self._waiting = left
        self._n_characters -= n_characters
        return batch

    def _fits(self, batch: Sequence[tuple[_Ticket, int]], ticket: _Ticket, n_characters: int) -> bool:
        first = batch[0][0]
        if first.whole or ticket.whole:
            return first is ticket
        limits = self._limits
        room = len(batch) < limits.batch_notes and n_characters <= limits.batch_characters
        return room and ticket.kind == first.kind

    def _deliver(self, batch: Sequence[tuple[_Ticket, int]], results: Sequence[Result]) -> None:
        finished: dict[asyncio.AbstractEventLoop, list[_Ticket]] = {}
        for (ticket, at), result in zip(batch, results, strict=True):
            ticket.results[at] = result
            ticket.n_left -= 1
            if not ticket.n_left:
                finished.setdefault(ticket.loop, []).append(ticket)
        for loop, tickets in finished.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, tickets)


def _answer(tickets: Sequence[_Ticket]) -> None:
    for ticket in tickets:
        if not ticket.done.done():
            ticket.done.set_result(None)
