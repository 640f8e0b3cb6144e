"""The engine behind its queue: how it starts, works and ends, and what is counted of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from clinlp.errors import Failure
from clinlp.serve.batcher import Batcher, Closing, Limits, Overloaded
from clinlp.serve.config import ServeConfig
from clinlp.serve.engine import Engine, Kind, Task
from clinlp.serve.guard import Exchange, Refusal
from clinlp.serve.logs import error_facts, tell
from clinlp.serve.metrics import Metrics
from clinlp.serve.reading import Asked


class Service:
    """The engine behind its queue, and how they start and end."""

    def __init__(self, config: ServeConfig) -> None:
        self.config, self.engine, self.metrics = config, Engine(config), Metrics()
        limits = Limits(
            config.queue_notes,
            config.queue_characters,
            config.batch_notes,
            config.batch_characters,
            config.batch_wait_ms / 1000,
        )
        self.batcher = Batcher(self.engine, limits, prepare=self._load)
        self.closing = False
        self.metrics.stages = lambda: self.engine.seconds
        self.metrics.gauges |= {
            "clinlp_queue_notes": ("Notes that wait.", lambda: self.batcher.n_waiting),
            "clinlp_queue_characters": ("Characters that wait.", lambda: self.batcher.n_characters),
            "clinlp_ready": ("Whether the models work.", lambda: float(self.engine.ready)),
        }

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Load the models beside the event loop; at the end, finish what was taken."""
        self.batcher.start()
        try:
            yield
        finally:
            self.closing = True
            await self.batcher.close()

    def _load(self) -> None:
        """Load the models in the thread that works: how many threads it computes with is its own."""
        try:
            if self.engine.uses_models:
                from clinlp.inference.threads import compute_with

                compute_with(self.config.threads)
            self.engine.warm_up()
        except Exception as error:  # noqa: BLE001  the service goes on, to say of each note why it fails
            tell("not ready", error_facts(error), level=logging.ERROR)
        else:
            tell("ready")

    async def work(self, asked: Asked, kind: Kind, exchange: Exchange) -> list[Any]:
        """Give what became of each note that was asked for.

        Raises:
            Refusal: The queue is full, the time is over, or the service ends.
        """
        if kind.deid not in self.engine.modes:
            raise Refusal(422, "deid", "surrogates need a key that this service does not have")
        for task, name in kind.named.items():
            if name not in self.engine.choices[task]:
                raise Refusal(422, "model", f"{task}: a model that /v1/models lists under choices needed")
        if len(asked.notes) > self.config.max_notes:
            raise Refusal(413, "notes", f"at most {self.config.max_notes} notes needed in one request")
        exchange.n_notes = len(asked.notes)
        notes = [note for note in asked.notes if not isinstance(note, Failure)]
        try:
            async with asyncio.timeout(self.config.limit_s):
                done = iter(await self.batcher.submit(kind, notes, whole=self.engine.whole_patients))
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

    def _count(self, task: Task, results: Sequence[Any]) -> None:
        for result in results:
            outcome = result.error if isinstance(result, Failure) else "done"
            self.metrics.notes[task, outcome] += 1
        while self.batcher.batches:
            self.metrics.batches.add(self.batcher.batches.popleft())
