"""Processes of this package beside the one that started them, and the frames that both sides talk in.

Frames are JSON, each with bytes behind it or none. A child hears on standard input, answers on standard
output, and ends when its standard input does, whatever it is doing: nothing is left at work when the
program that started it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from struct import Struct
from typing import IO, Any, Final, TypeAlias

import orjson

from clinlp.errors import DataError, MissingExtraError, UsageError

Frame: TypeAlias = tuple[dict[str, Any], bytes | None]
_HEAD: Final = Struct("<QQ")  # bytes of the JSON, and of what is behind it
_PROGRAM: Final = (  # the packages that are found here are found there
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from importlib import import_module; import_module(sys.argv[2]).main()"
)


def send(file: IO[bytes], message: Mapping[str, Any], text: bytes | None = None) -> None:
    """Write a frame."""
    _write(file, _packed(message, text))


def _packed(message: Mapping[str, Any], text: bytes | None) -> tuple[bytes, ...]:
    try:
        data = orjson.dumps(message)
    except TypeError:  # half of a surrogate pair: of the name of a file, whose bytes are no UTF-8
        data = json.dumps(message).encode()
    if text is None:
        return _HEAD.pack(len(data), 0), data
    return _HEAD.pack(len(data), len(text) + 1), data, b"\n", text


def _write(file: IO[bytes], frame: tuple[bytes, ...]) -> None:
    file.writelines(frame)
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
    try:
        held = orjson.loads(data)
    except orjson.JSONDecodeError:
        held = json.loads(data)
    return held, text[1:] if n_text else None


class Child:
    """A process that is told things and answers; its own words go nowhere, for they may quote a note."""

    def __init__(self, module: str, variables: Mapping[str, str], heard: Callable[[Frame | None], None]) -> None:
        """Start the process.

        Args:
            module: Its `main` is run there.
            variables: Its environment.
            heard: Told each answer, in a thread of its own; None once the process has ended, or at once if the
                system gives no process.
        """
        self._heard = heard
        self._told: SimpleQueue[tuple[bytes, ...] | None] = SimpleQueue()
        self._running: subprocess.Popen[bytes] | None = None
        try:
            self._running = subprocess.Popen(  # noqa: S603  this program itself
                [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path), module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(variables),
            )
            threading.Thread(target=self._listen, args=(self._running.stdout,), daemon=True).start()
            threading.Thread(target=self._speak, args=(self._running.stdin,), daemon=True).start()
        except (OSError, RuntimeError):  # no memory, or too many processes, threads or open files
            self.kill()
            heard(None)

    @property
    def pid(self) -> int:
        """The number of the process; 0 if there is none."""
        return 0 if self._running is None else self._running.pid

    def tell(self, message: Mapping[str, Any], text: bytes | None = None) -> None:
        """Send a message, and wait for nothing: a process that does not read is one that does not answer.

        That it is gone will be heard of; how long an answer may take is for the one who waits for it to say.
        """
        if self._running is not None:
            self._told.put(_packed(message, text))

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        if self._running is None:
            return
        self._told.put(None)
        self._running.kill()
        self._running.wait()
        for pipe in (self._running.stdin, self._running.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _speak(self, file: IO[bytes]) -> None:
        with suppress(OSError, ValueError):  # ValueError: it was ended here
            while (frame := self._told.get()) is not None:
                _write(file, frame)

    def _listen(self, file: IO[bytes]) -> None:
        try:
            with suppress(OSError, ValueError):
                while (frame := receive(file)) is not None:
                    self._heard(frame)
        finally:
            self._heard(None)


def begin() -> tuple[SimpleQueue[Frame], IO[bytes]]:
    """Make this process a child: give what it is told, as it comes, and where its answers go."""
    for number in (signal.SIGINT, signal.SIGTERM):  # of a terminal: they are for the program that started this
        signal.signal(number, signal.SIG_IGN)
    with suppress(ImportError, OSError, ValueError):  # where there is such a thing: a core dump would hold notes
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a package prints is no answer
    told: SimpleQueue[Frame] = SimpleQueue()
    file = os.fdopen(0, "rb", closefd=False)  # not sys.stdin: Python aborts if a thread reads that at the end
    threading.Thread(target=_hear, args=(file, told), daemon=True).start()
    return told, answers


def _hear(file: IO[bytes], told: SimpleQueue[Frame]) -> None:
    """Take frames as they come; when the other side is gone, go too, in the middle of whatever is done."""
    try:
        while (frame := receive(file)) is not None:
            told.put(frame)
    finally:
        os._exit(0)


def refusal(error: Exception) -> dict[str, Any]:
    """Say what went wrong in a child; never a word of what an unexpected error says."""
    if isinstance(error, MissingExtraError):
        return {"missing": [error.package, error.extra]}
    if isinstance(error, UsageError):
        return {"stop": str(error)}
    return {"lost": str(error) if isinstance(error, DataError) else type(error).__name__}


def raise_refusal(answer: Mapping[str, Any]) -> None:
    """Raise what a child said was wrong with what it was started with, if that is what it says.

    Raises:
        MissingExtraError: A package is not there.
        UsageError: An option, a file or a model is not as it needs to be.
    """
    if "missing" in answer:
        raise MissingExtraError(*answer["missing"])
    if "stop" in answer:
        raise UsageError(answer["stop"])


def environment(number: int, device: str | None, n_threads: int = 1) -> dict[str, str]:
    """The variables of the child with a number: so many threads, and one GPU."""
    variables = os.environ | {
        "OMP_NUM_THREADS": str(n_threads),
        "MKL_NUM_THREADS": str(n_threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
    }
    gpus = _gpus()
    if device in (None, "cuda") and len(gpus) > 1:
        variables["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return variables


def _gpus() -> list[str]:
    """The GPUs of this machine, or those of them that may be used."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [each for each in named.split(",") if each]
    return [str(number) for number, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]
