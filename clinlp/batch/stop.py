"""Ctrl-C and SIGTERM: stop soon, but never in the middle of a write."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """While entered, the two signals raise KeyboardInterrupt, at once or right after what is held.

    Outside the main thread, where Python takes no signals, nothing changes.

    Attributes:
        asked: The signal that came, 0 if none did.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._held = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._take) for each in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let what is inside end before a signal interrupts."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self.asked:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """Take no more signals: what is left to do is to close the files."""
        self._held = True

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  what a handler is given
        self.asked = number
        if not self._held:
            raise KeyboardInterrupt
