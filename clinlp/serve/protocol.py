"""uvicorn's HTTP protocol with limits on how long requests arrive and answers wait, and answers sent in one piece."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_GRACE_S: Final = 2.0  # the app gives up first, and says why


class _Gathering:
    """A transport that sends what is written in one turn of the loop together, and ends if nobody reads it.

    uvicorn writes a head, a body and an end apart, and each would be a call of the system and a packet. It
    waits for no reader, and neither would a connection that is closed while there is something to send.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, limit_s: float) -> None:
        self._transport, self._loop, self._limit_s = transport, loop, limit_s
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()
            self._watch(math.inf)

    def _watch(self, before: float) -> None:
        """Look again and again whether less is left to send than before."""
        n_bytes = self._transport.get_write_buffer_size()
        if n_bytes >= before:
            self._transport.abort()
        elif n_bytes:
            self._loop.call_later(self._limit_s, self._watch, n_bytes)


class TimedProtocol(H11Protocol):
    """Closes a connection whose request does not arrive whole in time, however steadily it drips.

    The app limits the time of a body, but is not asked before all headers are there: a client that
    sends one byte of them now and then would hold its connection for ever.
    """

    limit_s: float = 20.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the clock."""
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop, self.limit_s)))
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what came, and stop the clock if that was all."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.limit_s + _GRACE_S, self._give_up)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()


def protocol(limit_s: float) -> type[TimedProtocol]:
    """Make the protocol with its limit: uvicorn takes a class."""
    return type("TimedProtocol", (TimedProtocol,), {"limit_s": limit_s})
