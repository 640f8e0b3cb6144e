from __future__ import annotations

import asyncio
import threading
from collections.abc import Hashable, Sequence

import pytest

from clinlp.errors import Failure
from clinlp.note import Note
from clinlp.serve.batcher import Batcher, Closing, Limits, Overloaded

from .serve_cases import SENTINEL

Result = Note | Failure


class Worker:
    """Upper-cases notes; waits for `gate` first, so that a test says when a batch ends."""

    alive = True

    def __init__(self, *, opened: bool = True) -> None:
        self.gate, self.began = threading.Event(), threading.Event()
        self.batches: list[tuple[Hashable, list[str]]] = []
        if opened:
            self.gate.set()

    def prepare(self) -> bool:
        return True

    def __call__(self, kind: Hashable, notes: Sequence[Note]) -> Sequence[Result]:
        self.batches.append((kind, [note.text for note in notes]))
        self.began.set()
        assert self.gate.wait(10)
        if any(note.text == SENTINEL for note in notes):
            raise ValueError(SENTINEL)
        return [Note(note.note_id, note.text.upper()) for note in notes]


def notes(*texts: str) -> list[Note]:
    return [Note("1", text) for text in texts]


def texts(results: Sequence[Result]) -> list[str]:
    return [result.text if isinstance(result, Note) else result.error for result in results]


async def begun(worker: Worker) -> None:
    assert await asyncio.to_thread(worker.began.wait, 10)


def test_notes_that_wait_together_go_together_and_answers_find_their_way() -> None:
    worker = Worker(opened=False)

    async def run() -> list[list[Result]]:
        batcher: Batcher[Note] = Batcher(Limits(batch_notes=4))
        batcher.start([worker])
        first = asyncio.create_task(batcher.submit("a", notes("x")))
        await begun(worker)
        others = [asyncio.create_task(batcher.submit("a", notes(f"n{at}", f"m{at}"))) for at in range(3)]
        await asyncio.sleep(0)
        worker.gate.set()
        results = [await first, *[await other for other in others]]
        await batcher.close()
        return results

    results = asyncio.run(run())
    assert [texts(result) for result in results] == [["X"], ["N0", "M0"], ["N1", "M1"], ["N2", "M2"]]
    assert [held for _, held in worker.batches] == [["x"], ["n0", "m0", "n1", "m1"], ["n2", "m2"]]


def test_kinds_and_whole_requests_stay_apart() -> None:
    worker = Worker(opened=False)

    async def run() -> None:
        batcher: Batcher[Note] = Batcher(Limits(batch_notes=2))
        batcher.start([worker])
        tasks = [asyncio.create_task(batcher.submit("a", notes("x")))]
        await begun(worker)
        tasks += [asyncio.create_task(batcher.submit(kind, notes(kind))) for kind in "aba"]
        tasks.append(asyncio.create_task(batcher.submit("a", notes("w1", "w2", "w3"), whole=True)))
        await asyncio.sleep(0)
        worker.gate.set()
        await asyncio.gather(*tasks)
        await batcher.close()

    asyncio.run(run())
    assert worker.batches[1:] == [("a", ["a", "a"]), ("b", ["b"]), ("a", ["w1", "w2", "w3"])]


def test_what_does_not_fit_is_refused_and_nothing_taken_is_lost() -> None:
    worker = Worker(opened=False)

    async def run() -> tuple[list[list[Result]], int]:
        batcher: Batcher[Note] = Batcher(Limits(queue_notes=3, queue_characters=8))
        batcher.start([worker])
        tasks = [asyncio.create_task(batcher.submit("a", notes("x")))]
        await begun(worker)
        tasks.append(asyncio.create_task(batcher.submit("a", notes("y", "z"))))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await batcher.submit("a", notes("1", "2"))
        with pytest.raises(Overloaded):
            await batcher.submit("a", notes("123456789"))
        worker.gate.set()
        results = [await task for task in tasks]
        results.append(await batcher.submit("a", notes("123456789")))  # alone, whatever its length
        assert (batcher.n_waiting, batcher.n_characters) == (0, 0)
        await batcher.close()
        return results, refused.value.retry_s

    results, retry_s = asyncio.run(run())
    assert [texts(result) for result in results] == [["X"], ["Y", "Z"], ["123456789"]]
    assert retry_s >= 1


def test_the_notes_of_one_who_left_are_dropped() -> None:
    worker = Worker(opened=False)

    async def run() -> None:
        batcher: Batcher[Note] = Batcher()
        batcher.start([worker])
        first = asyncio.create_task(batcher.submit("a", notes("x")))
        await begun(worker)
        gone = asyncio.create_task(batcher.submit("a", notes("gone")))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        worker.gate.set()
        await first
        await batcher.submit("a", notes("y"))
        assert batcher.n_characters == 0
        await batcher.close()

    asyncio.run(run())
    assert [held for _, held in worker.batches] == [["x"], ["y"]]


def test_whatever_goes_wrong_fails_its_notes_and_the_thread_goes_on() -> None:
    async def run() -> tuple[list[Result], list[Result]]:
        batcher: Batcher[Note] = Batcher()
        batcher.start([Worker()])
        bad = await batcher.submit("a", notes(SENTINEL))
        good = await batcher.submit("a", notes("x"))
        await batcher.close()
        return bad, good

    bad, good = asyncio.run(run())
    assert bad == [Failure("", None, "1", "batch", "ValueError")]
    assert texts(good) == ["X"]


def test_at_the_end_what_was_taken_is_finished_and_no_more_is_taken() -> None:
    worker = Worker(opened=False)

    async def run() -> list[Result]:
        batcher: Batcher[Note] = Batcher()
        batcher.start([worker])
        first = asyncio.create_task(batcher.submit("a", notes("x")))
        await begun(worker)
        second = asyncio.create_task(batcher.submit("a", notes("y")))
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0.01)
        with pytest.raises(Closing):
            await batcher.submit("a", notes("z"))
        worker.gate.set()
        await closing
        return [*await first, *await second]

    assert texts(asyncio.run(run())) == ["X", "Y"]


def test_workers_that_are_free_share_what_waits() -> None:
    workers = [Worker(opened=False), Worker(opened=False)]

    async def run() -> list[Result]:
        batcher: Batcher[Note] = Batcher(Limits(batch_notes=8))
        batcher.start(workers)
        while batcher.n_idle < 2:
            await asyncio.sleep(0.001)
        task = asyncio.create_task(batcher.submit("a", notes(*"abcdef")))
        for worker in workers:
            await begun(worker)
        for worker in workers:
            worker.gate.set()
        results = await task
        await batcher.close()
        return results

    assert texts(asyncio.run(run())) == list("ABCDEF")
    assert [len(worker.batches[0][1]) for worker in workers] == [3, 3]


def test_a_worker_that_died_gets_nothing_until_it_is_made_ready_again() -> None:
    dead, good = Worker(), Worker()
    dead.prepare, dead.alive = (lambda: False), False  # type: ignore[method-assign]

    async def run() -> list[Result]:
        batcher: Batcher[Note] = Batcher(Limits())
        batcher.start([dead, good])
        results = [each for at in range(20) for each in await batcher.submit("a", notes(str(at)))]
        await batcher.close()
        return results

    assert texts(asyncio.run(run())) == [str(at) for at in range(20)]
    assert not dead.batches


def test_what_no_worker_could_do_is_answered_at_the_end() -> None:
    dead = Worker()
    dead.prepare = lambda: False  # type: ignore[method-assign]

    async def run() -> list[Result]:
        batcher: Batcher[Note] = Batcher(Limits())
        batcher.start([dead])
        waiting = asyncio.create_task(batcher.submit("a", notes("x")))
        await asyncio.sleep(0.01)
        await batcher.close()
        return await waiting

    assert texts(asyncio.run(run())) == ["Closing"]
