"""The workers behind their queue: how they start, work and end, and what is counted of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from clinlp.errors import Failure
from clinlp.serve.batcher import Batcher, Closing, Limits, Overloaded
from clinlp.serve.config import ServeConfig
from clinlp.serve.engine import Kind, Task
from clinlp.serve.guard import Exchange, Refusal
from clinlp.serve.metrics import Metrics, resident_bytes
from clinlp.serve.reading import Asked
from clinlp.serve.workers import added, start_workers


class Service:
    """Workers behind one queue, and how they start and end."""

    def __init__(self, config: ServeConfig) -> None:
        """Start the workers.

        Raises:
            UsageError: Something in the config is not as it needs to be.
        """
        self.config, self.metrics = config, Metrics()
        limits = Limits(
            config.queue_notes,
            config.queue_characters,
            config.batch_notes,
            config.batch_characters,
            config.batch_wait_ms / 1000,
        )
        self.batcher: Batcher[bytes] = Batcher(limits)
        self.workers = start_workers(config, self.batcher.wake)
        self.offer = self.workers[0].offer
        self.closing = False
        self.metrics.stages = self._seconds
        self.metrics.gauges |= {
            "clinlp_queue_notes": ("Notes that wait.", lambda: self.batcher.n_waiting),
            "clinlp_queue_characters": ("Characters that wait.", lambda: self.batcher.n_characters),
            "clinlp_ready": ("Whether the models work.", lambda: float(self.ready)),
            "clinlp_resident_bytes": ("Memory of the process and its workers.", self._resident_bytes),
            "clinlp_workers": ("Workers that are ready.", lambda: sum(each.ready for each in self.workers)),
            "clinlp_workers_lost": ("Workers that ended so far.", lambda: sum(each.n_lost for each in self.workers)),
        }

    @property
    def ready(self) -> bool:
        """Whether any worker's models work."""
        return any(worker.ready for worker in self.workers)

    def _seconds(self) -> dict[str, float]:
        return added(worker.seconds for worker in self.workers)

    def _resident_bytes(self) -> float:
        return resident_bytes() + sum(worker.resident_bytes for worker in self.workers)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Let the workers load beside the event loop; at the end, finish what was taken."""
        self.batcher.start(self.workers)
        try:
            yield
        finally:
            self.closing = True
            for worker in self.workers:
                if not worker.ready:  # nothing that was taken waits for its models any more
                    worker.close()
            await self.batcher.close()
            for worker in self.workers:
                worker.close()

    async def work(self, asked: Asked, kind: Kind, exchange: Exchange) -> list[bytes | Failure]:
        """Give what became of each note that was asked for.

        Raises:
            Refusal: The queue is full, the time is over, or the service ends.
        """
        if kind.deid not in self.offer.modes:
            raise Refusal(422, "deid", "surrogates need a key that this service does not have")
        for task, name in kind.named.items():
            if name not in self.config.choices[task]:
                raise Refusal(422, "model", f"{task}: a model that /v1/models lists under choices needed")
        if kind.codes is not None and (self.config.sets or self.config.max_set is not None):
            raise Refusal(422, "codes", "prediction sets are given here, and no number of codes")
        if len(asked.notes) > self.config.max_notes:
            raise Refusal(413, "notes", f"at most {self.config.max_notes} notes needed in one request")
        exchange.n_notes = len(asked.notes)
        notes = [note for note in asked.notes if not isinstance(note, Failure)]
        try:
            async with asyncio.timeout(self.config.limit_s):
                done = iter(await self.batcher.submit(kind, notes, whole=self.offer.whole_patients))
        except TimeoutError:
            raise Refusal(504, "time", f"not done within {self.config.limit_s:g} s") from None
        except Overloaded as error:
            waiting = {"Retry-After": str(error.retry_s)}
            raise Refusal(429, "overload", f"queue is full; come back in {error.retry_s} s", waiting) from None
        except Closing:
            raise Refusal(503, "closing", "the service ends", {"Retry-After": "5"}) from None
        results = [note if isinstance(note, Failure) else next(done) for note in asked.notes]
        self._count(kind.task, results)
        return results

    def _count(self, task: Task, results: Sequence[bytes | Failure]) -> None:
        for result in results:
            outcome = result.error if isinstance(result, Failure) else "done"
            self.metrics.notes[task, outcome] += 1
        while self.batcher.batches:
            self.metrics.batches.add(self.batcher.batches.popleft())
