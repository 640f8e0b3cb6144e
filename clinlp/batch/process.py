"""A worker process: tasks come on standard input, what became of them goes to standard output.

Frames of JSON, each with bytes behind it or none. The process ends when its standard input does, whatever
it is doing: nothing is left at work when the program that started it is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from queue import SimpleQueue
from struct import Struct
from typing import IO, Any, Final

import orjson

from clinlp.batch.config import BatchConfig
from clinlp.batch.task import Mark, Task
from clinlp.batch.worker import Worker
from clinlp.errors import DataError, MissingExtraError, UsageError

_HEAD: Final = Struct("<QQ")  # bytes of the JSON, and of what is behind it
Frame = tuple[dict[str, Any], bytes | None]


def send(file: IO[bytes], message: Mapping[str, Any], text: bytes | None = None) -> None:
    """Write a frame."""
    data = orjson.dumps(message)
    file.write(_HEAD.pack(len(data), 0 if text is None else len(text) + 1) + data)
    if text is not None:
        file.write(b"\n")
        file.write(text)
    file.flush()


def receive(file: IO[bytes]) -> Frame | None:
    """Read a frame; None when there are no more."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    n_json, n_text = _HEAD.unpack(head)
    data, text = file.read(n_json), file.read(n_text)
    if len(data) < n_json or len(text) < n_text:
        return None
    return orjson.loads(data), text[1:] if n_text else None


def main() -> None:
    """Serve until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # of a terminal: they are for the program that started this
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a package prints is no answer
    frames: SimpleQueue[Frame] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, frames), daemon=True).start()
    config, _ = frames.get()
    try:
        worker = Worker(BatchConfig.model_validate(config))
        if worker.pipeline.uses_models:
            from clinlp.inference.threads import compute_alone

            compute_alone()
    except Exception as error:  # noqa: BLE001  whatever it is, the other side is to know
        send(answers, _refusal(error))
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
        answer = _refusal(error)
    send(answers, answer)


def _refusal(error: Exception) -> dict[str, Any]:
    if isinstance(error, MissingExtraError):
        return {"missing": [error.package, error.extra]}
    if isinstance(error, UsageError):
        return {"stop": str(error)}
    return {"lost": str(error) if isinstance(error, DataError) else type(error).__name__}


def _listen(file: IO[bytes], frames: SimpleQueue[Frame]) -> None:
    """Take frames as they come; when the other side is gone, go too, in the middle of whatever is done."""
    while (frame := receive(file)) is not None:
        frames.put(frame)
    os._exit(0)


if __name__ == "__main__":
    main()
