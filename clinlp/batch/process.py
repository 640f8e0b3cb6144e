"""A worker process: tasks come in frames, and what became of them goes out in frames."""

from __future__ import annotations

import os
from typing import IO, Any

from clinlp.batch.config import BatchConfig
from clinlp.batch.task import Mark, Task
from clinlp.batch.worker import Worker
from clinlp.inference.processes import begin, refusal, send


def main() -> None:
    """Serve until standard input ends."""
    frames, answers = begin()
    config, _ = frames.get()
    try:
        worker = Worker(BatchConfig.model_validate(config))
        if worker.pipeline.uses_models:
            from clinlp.inference.threads import compute_alone

            compute_alone()
    except Exception as error:  # noqa: BLE001  whatever it is, the other side is to know
        send(answers, refusal(error))
        return
    send(answers, {"ready": os.getpid()})
    while True:
        _serve(worker, *frames.get(), answers)


def _serve(worker: Worker, held: dict[str, Any], text: bytes | None, answers: IO[bytes]) -> None:
    """Do one task and say what became of it; never a word of what an unexpected error says."""

    def say(mark: Mark) -> None:
        send(answers, {"mark": list(mark)})

    try:
        answer: dict[str, Any] = {"done": worker.run(Task.of(held), say, text)}
    except Exception as error:  # noqa: BLE001  the other side decides what to do
        answer = refusal(error)
    send(answers, answer)
