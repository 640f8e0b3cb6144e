"""What stands before every route: who may ask, how much, how slowly; request ids, logs, counts and errors.

Nothing of a body, a query, a header or an exception's words goes into a log, a metric or an error.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
import uuid
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clinlp.serve.config import ServeConfig
from clinlp.serve.keys import Keys
from clinlp.serve.logs import error_facts, tell
from clinlp.serve.metrics import Metrics

OPEN_PATHS: Final = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/files.js",
    "/page.css",
    "/page.js",
    "/report.css",
    "/service.js",
    "/words.js",
)
_OWN_ID: Final = r"[0-9a-fA-F-]{16,64}"  # an id of a client is taken only if it cannot be a name
_SAFE: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refusal(Exception):  # noqa: N818  a proper answer
    """A request that gets no more than a status and one line."""

    def __init__(self, status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.headers = status, kind, message, headers or {}


@dataclass(slots=True)
class Exchange:
    """One request and its answer."""

    request_id: str
    began: float = field(default_factory=time.perf_counter)
    status: int = 0
    n_bytes: int = 0
    n_notes: int = 0
    owner: str | None = None
    refused: str | None = None


def error_body(refusal: Refusal, request_id: str, **more: str | None) -> bytes:
    """Write the body of an answer that is no success."""
    return orjson.dumps({"error": {"type": refusal.kind, "message": refusal.message, "request_id": request_id, **more}})


class Guard:
    """Middleware around the whole app."""

    def __init__(self, app: ASGIApp, config: ServeConfig, keys: Keys, metrics: Metrics, paths: Sequence[str]) -> None:
        self._app, self._config, self._keys, self._metrics = app, config, keys, metrics
        self._paths = frozenset(paths)
        self._hosts = frozenset(name.lower() for name in config.hosts(with_keys=bool(keys)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it; either way say so in the log."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        exchange = Exchange(given if re.fullmatch(_OWN_ID, given) else _new_id())
        scope.setdefault("state", {})["exchange"] = exchange
        answer = _Answer(send, exchange, self._config.read_s)
        try:
            self._check(scope, headers, exchange)
            body = _Body(receive, exchange, self._config)
            await self._app(scope, body.receive, answer.send)
        except Refusal as refusal:
            await answer.refuse(refusal)
        except Exception as error:  # noqa: BLE001  what it says may quote a note: it must not get to the server's log
            tell("error", {"request_id": exchange.request_id} | error_facts(error), level=logging.ERROR)
            await answer.refuse(Refusal(500, "internal", "unexpected error; the log has its place"))
        finally:
            self._count(scope, exchange)

    def _check(self, scope: Scope, headers: Headers, exchange: Exchange) -> None:
        """Refuse what need not be read."""
        if self._hosts and _host(headers.get("host", "")) not in self._hosts:
            raise Refusal(421, "host", "another name of this service needed in Host")
        if self._keys and scope["path"] not in OPEN_PATHS and scope["method"] != "OPTIONS":
            exchange.owner = self._keys.owner(_key(headers))
            if exchange.owner is None:
                asks = {"WWW-Authenticate": "Bearer"}
                raise Refusal(401, "key", "an API key needed: Authorization: Bearer KEY", asks)
        if scope["method"] == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise Refusal(415, "content-type", "application/json needed", {"Connection": "close"})
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._config.max_body_bytes:
            raise _too_large(self._config)

    def _count(self, scope: Scope, exchange: Exchange) -> None:
        path = scope["path"] if scope["path"] in self._paths else "other"
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        seconds = time.perf_counter() - exchange.began
        self._metrics.answered(path, exchange.status, seconds)
        if exchange.refused is not None:
            self._metrics.refused[exchange.refused] += 1
        if path in ("/healthz", "/readyz", "/metrics") and exchange.status == 200:
            return  # asked every few seconds for ever
        facts: dict[str, object] = {
            "request_id": exchange.request_id,
            "method": method,
            "path": path,
            "status": exchange.status,
            "ms": round(1000 * seconds, 1),
            "n_bytes": exchange.n_bytes,
            "n_notes": exchange.n_notes,
            "key": exchange.owner,
            "refused": exchange.refused,
        }
        tell("request", {name: value for name, value in facts.items() if value is not None})


class _Body:
    """Receives a body of a limited size in a limited time."""

    def __init__(self, receive: Receive, exchange: Exchange, config: ServeConfig) -> None:
        self._receive, self._exchange, self._config = receive, exchange, config
        self._deadline = asyncio.get_running_loop().time() + config.read_s
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:  # what comes now says that the client has gone
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(
                408, "slow", f"a request within {self._config.read_s:g} s needed", {"Connection": "close"}
            ) from None
        if message["type"] == "http.disconnect":
            raise gone()
        if message["type"] == "http.request":
            self._exchange.n_bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._exchange.n_bytes > self._config.max_body_bytes:
                raise _too_large(self._config)
        return message


class _Answer:
    """Sends an answer with the headers that all of them have; gives up on a client that does not read it."""

    def __init__(self, send: Send, exchange: Exchange, limit_s: float) -> None:
        self._send, self._exchange, self._limit_s = send, exchange, limit_s

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._exchange.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._exchange.request_id
            for name, value in _SAFE.items():
                headers.setdefault(name, value)
        async with asyncio.timeout(self._limit_s):
            await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with an error, if nothing was answered yet."""
        if self._exchange.status:
            self._exchange.refused = "broken"
            return
        self._exchange.refused = refusal.kind
        body = error_body(refusal, self._exchange.request_id)
        given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refusal.headers}
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})


def _new_id() -> str:
    """Make an id that no other request has; it is no secret, so it need not cost a call of the system."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def gone() -> Refusal:
    """What is said to a client that is not there to hear it: the log and the counts have it."""
    return Refusal(499, "gone", "the client has gone")


def _too_large(config: ServeConfig) -> Refusal:
    asks = {"Connection": "close"}  # or the rest of the body would be taken all the same
    return Refusal(413, "size", f"at most {config.max_body_bytes:,} bytes needed; send fewer notes at once", asks)


def _host(value: str) -> str:
    """The name in a Host header, without its port."""
    return (re.sub(r":\d+$", "", value) if not value.endswith("]") else value).strip("[]").lower()


def _key(headers: Headers) -> bytes:
    """The key that a request names; none is as wrong as any other."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    key = given.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    return key.encode("utf-8", "surrogateescape")
