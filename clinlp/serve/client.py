"""A thin client of the service: notes in, notes or failures out; the standard library alone."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import orjson

from clinlp.deid import Mode
from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note
from clinlp.records import from_record, to_record
from clinlp.records.jsonl import dumps

_LOCAL: Final = "http://127.0.0.1:8000"
_AGAIN: Final = (429, 503)
_BATCH_BYTES: Final = 4 * 2**20  # half of what a service takes by default


class ServiceError(RuntimeError):
    """The service cannot be reached, or refuses.

    Attributes:
        status: Of its answer; 0 where there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Asks the service of notes, over one connection.

    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     [released] = client.deidentify([Note("1", "Seen by Dr. Jane Doe.")])
    """

    def __init__(
        self,
        url: str = _LOCAL,
        *,
        key: str | None = None,
        timeout_s: float = 120.0,
        context: ssl.SSLContext | None = None,
        batch_notes: int = 32,
    ) -> None:
        """Connect with the first request.

        Args:
            url: Where the service is; what it has in front of `/v1` is kept.
            key: API key.
            timeout_s: How long one request may take, and how long in all a busy service is asked again.
            context: How the certificate of `https` is checked; by default by the system's authorities.
            batch_notes: Notes in one request.

        Raises:
            UsageError: This is no URL of a service, or no key.
        """
        try:
            parts = urlsplit(url)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isascii()
        except ValueError:  # a port that is none, an open bracket
            is_url = False
        if not is_url or parts.hostname is None:
            raise UsageError("url: http://HOST:PORT or https://HOST:PORT needed, got something else")
        if key and re.fullmatch(r"[!-~]+", key) is None:  # what http.client says of it would quote it
            raise UsageError("key: an API key of one word needed, got something else")
        if batch_notes < 1:
            raise UsageError(f"batch_notes: at least 1 needed, got {batch_notes}")
        self._prefix, self._timeout_s, self._batch_notes = parts.path.rstrip("/"), timeout_s, batch_notes
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout_s, context=context or ssl.create_default_context()
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)

    def annotate(self, notes: Iterable[Note], deid: Mode | None = None) -> list[Note | Failure]:
        """De-identify, find entities and their context, and predict diagnoses; results are in order.

        Args:
            deid: How PHI is replaced; by default as the service says.

        Raises:
            ServiceError: The service cannot be reached, or refuses.
            UsageError: Something else than notes is there, such as a text or one note without a list.
        """
        return self._ask("annotate", notes, deid)

    def deidentify(self, notes: Iterable[Note], deid: Mode | None = None) -> list[Note | Failure]:
        """Find PHI and replace it; as `annotate` otherwise."""
        return self._ask("deidentify", notes, deid)

    def diagnose(self, notes: Iterable[Note], deid: Mode | None = None) -> list[Note | Failure]:
        """Predict diagnoses with their evidence; as `annotate` otherwise."""
        return self._ask("diagnose", notes, deid)

    def models(self) -> dict[str, Any]:
        """Say which models the service has, and the ways in which it may replace PHI."""
        held: dict[str, Any] = self._send("GET", "/v1/models", None)
        return held

    def ready(self) -> bool:
        """Whether the service is there and can work."""
        try:
            self._once("GET", "/readyz", None)
        except ServiceError:
            return False
        return True

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, task: str, notes: Iterable[Note], deid: Mode | None) -> list[Note | Failure]:
        if isinstance(notes, Note):
            raise UsageError("client: a list of notes needed, got one note")
        notes = list(notes)
        for each in notes:
            if not isinstance(each, Note):
                raise UsageError(f'client: notes needed, such as Note("n1", text), got {type(each).__name__}')
        path = f"/v1/{task}" + (f"?{urlencode({'deid': deid})}" if deid else "")
        records = [_record(note) for note in notes]
        sent = [record for record in records if isinstance(record, bytes)]
        answers = (result for some in self._chunks(sent) for result in self._some(path, some))
        return [next(answers) if isinstance(record, bytes) else record for record in records]

    def _chunks(self, records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
        """Cut records into requests of so many notes, and of so many bytes if there is more than one."""
        some: list[bytes] = []
        size = 0
        for record in records:
            if some and (len(some) == self._batch_notes or size + len(record) > _BATCH_BYTES):
                yield some
                some, size = [], 0
            some.append(record)
            size += len(record)
        if some:
            yield some

    def _some(self, path: str, records: Sequence[bytes]) -> Iterator[Note | Failure]:
        answered = self._send("POST", path, b'{"notes":[' + b",".join(records) + b"]}")["notes"]
        if len(answered) != len(records):
            raise ServiceError(f"service: answers to {len(records)} notes needed, got {len(answered)}")
        for held in answered:
            failure = held.get("failure")
            if failure is None:
                yield from_record(held)
            else:
                yield Failure("", None, held["note_id"], failure["stage"], failure["error"], failure["reason"])

    def _send(self, method: str, path: str, body: bytes | None) -> Any:
        """Ask, and ask again as long as the service says that it is busy."""
        end = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._once(method, path, body)
            except _BusyError as busy:
                if time.monotonic() + busy.retry_s > end:
                    raise
                time.sleep(busy.retry_s)

    def _once(self, method: str, path: str, body: bytes | None) -> Any:
        try:
            answer, data = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            where = f"{self._connection.host}:{self._connection.port}"
            raise ServiceError(f"{where}: a service that answers needed, got {type(error).__name__}") from None
        if answer.status != 200:
            retry = answer.getheader("Retry-After", "")
            message = _message(data, answer.status)
            if answer.status in _AGAIN and retry.isdecimal():
                raise _BusyError(message, answer.status, int(retry))
            raise ServiceError(message, answer.status)
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:  # holds what came
            raise ServiceError(_message(data, answer.status), answer.status) from None

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[http.client.HTTPResponse, bytes]:
        kept = self._connection.sock is not None
        for last in (not kept, True):  # a connection that was kept may have been closed meanwhile: once more
            try:
                self._connection.request(method, self._prefix + path, body, self._headers)
                answer = self._connection.getresponse()
                return answer, answer.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self._connection.close()
                if last:
                    raise
        raise http.client.RemoteDisconnected("no answer")


class _BusyError(ServiceError):
    """The service asks to come back."""

    def __init__(self, message: str, status: int, retry_s: int) -> None:
        super().__init__(message, status)
        self.retry_s = retry_s


def _message(data: bytes, status: int) -> str:
    """What the service says; of an answer that is not its own, the status alone."""
    try:
        return f"service: {orjson.loads(data)['error']['message']} ({status})"
    except (ValueError, KeyError, TypeError):
        return f"service: an answer of clinlp needed, got status {status}"


def _record(note: Note) -> bytes | Failure:
    """Write a note; one that JSON cannot hold is a failure, and the others are sent."""
    try:
        return dumps(to_record(note), f"note {note.note_id}")
    except DataError as error:
        return Failure.of(error, stage="write", note_id=note.note_id)
