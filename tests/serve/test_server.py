from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import uvicorn

from clinlp.errors import Failure, UsageError
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.note import Note
from clinlp.serve import Client, ServeConfig, ServiceError
from clinlp.serve.engine import Engine
from clinlp.serve.keys import Keys, new_key
from clinlp.serve.protocol import protocol
from clinlp.serve.server import check, listen, serve

from .serve_cases import EN, RULES, SENTINEL, ZH, running

CONFIG = ServeConfig(**RULES, port=0, read_s=0.3)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(CONFIG) as (url, _):
        yield url


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def test_the_client_gives_notes_and_failures(url: str) -> None:
    notes = [Note("a", EN), Note("b", "x" * 200_001), Note("c", ZH), Note("d", "")]
    with Client(url, batch_notes=3) as client:
        assert client.ready()
        released = client.deidentify(notes, "placeholder")
        wanted = Pipeline(PipelineConfig(**RULES, deid="placeholder", sections=False, max_characters=200_000))(notes)
        assert released == wanted
        assert isinstance(released[1], Failure)
        assert client.annotate(notes[:1], "off") == Pipeline(PipelineConfig(**RULES, deid="off"))(notes[:1])
        assert client.models()["default_deid"] == "tag"
        with pytest.raises(ServiceError, match="no such path") as refused:
            client.diagnose(notes)
    assert refused.value.status == 404


def test_the_client_sends_what_it_can(url: str) -> None:
    notes = [Note("a", EN), Note("b", "x \ud800"), *(Note(f"c{at}", "肺" * 190_000) for at in range(9)), Note("d", ZH)]
    with Client(url) as client:
        released = client.deidentify(iter(notes))
    assert [each.note_id for each in released] == [each.note_id for each in notes]
    assert [isinstance(each, Failure) for each in released] == [False, True, *[False] * 10]


@pytest.mark.parametrize(
    "wrong", ["ftp://x", "http://127.0.0.1:abc", "http://h:99999999", "http://[::1:80", "http://h/中"]
)
def test_the_client_refuses_what_is_no_url(wrong: str) -> None:
    with pytest.raises(UsageError, match="http://HOST:PORT"):
        Client(wrong)


def test_the_client_says_what_it_could_not_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", timeout_s=1) as client:
        assert not client.ready()
        with pytest.raises(ServiceError, match=f"127.0.0.1:{port}: a service that answers needed"):
            client.annotate([Note("a", "x")])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Note("a", SENTINEL), "client: a list of notes needed, got one note"),
        (SENTINEL, 'client: notes needed, such as Note("n1", text), got str'),
        ([Note("a", "x"), {"text": SENTINEL}], 'client: notes needed, such as Note("n1", text), got dict'),
    ],
)
def test_the_client_says_that_it_needs_notes(given: Any, said: str) -> None:
    with Client() as client, pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
        client.annotate(given)


@pytest.mark.parametrize("key", [f"{SENTINEL}\n", f"{SENTINEL} b", "钥匙"])
def test_a_key_that_is_none_is_not_quoted(key: str) -> None:
    with pytest.raises(UsageError, match="key: an API key of one word needed, got something else"):
        Client(key=key)


def test_an_answer_of_something_else_is_not_quoted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            with other.accept()[0] as client:
                client.recv(1 << 16)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + SENTINEL.encode())

        threading.Thread(target=answer).start()
        with (
            Client(f"http://127.0.0.1:{other.getsockname()[1]}", timeout_s=5) as client,
            pytest.raises(ServiceError, match="service: an answer of clinlp needed, got status 200") as refused,
        ):
            client.models()
    assert refused.value.__suppress_context__


def test_who_leaves_before_all_is_sent_is_no_error_of_the_service(url: str) -> None:
    def counts() -> str:
        with urlopen(f"{url}/metrics") as answer:  # noqa: S310  our own
            return str(answer.read(), "utf-8")

    head = (
        b"POST /v1/annotate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    with socket.create_connection(address(url), timeout=5) as client:
        client.sendall(head)
    end = time.monotonic() + 5
    while 'refused_total{reason="gone"} 1' not in (held := counts()):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert 'status="500"' not in held


@pytest.mark.parametrize("reads", [False, True])
def test_who_reads_no_answer_is_cut_off_and_who_reads_slowly_is_not(*, reads: bool) -> None:
    n_bytes = 1 << 25

    async def large(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(n_bytes).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(n_bytes)})

    with listen(CONFIG) as listening:
        server = uvicorn.Server(uvicorn.Config(large, http=protocol(0.3), log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with socket.create_connection(listening.getsockname(), timeout=5) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                time.sleep(0 if reads else 1)
                n_read = 0
                with suppress(ConnectionResetError):
                    while data := client.recv(1 << 20):
                        n_read += len(data)
                        time.sleep(0.02 if reads else 0)
        finally:
            server.should_exit = True
            thread.join()
    assert (n_read > n_bytes) == reads


@pytest.mark.parametrize("slow", [b"POST /v1/annotate HTTP/1.1\r\nHost: localhost\r\n", b""])
def test_who_drips_headers_is_cut_off(url: str, slow: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinlp.serve.protocol._GRACE_S", 0.1)
    with socket.create_connection(address(url), timeout=5) as client:
        client.sendall(slow)
        try:
            while True:
                client.settimeout(0.05)
                try:
                    assert client.recv(100) == b""
                    break
                except TimeoutError:
                    client.sendall(b"X" if slow else b"")
        except OSError:
            pass


def test_who_drips_a_body_is_told(url: str) -> None:
    head = b"POST /v1/annotate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(address(url), timeout=5) as client:
        client.sendall(head + b"Content-Length: 99\r\n\r\n{")
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "line", [b"\x16\x03\x01\x02", b"GET / HTTP/x\r\nHost: localhost", b"POST /v1/annotate\r\n\r\n"]
)
def test_what_is_no_http_is_refused(url: str, line: bytes) -> None:
    with socket.create_connection(address(url), timeout=5) as client:
        client.sendall(line + b"\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_it_ends_once_what_it_took_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    work, began = Engine.__call__, threading.Event()

    def slowly(self: Engine, kind: Any, notes: Any) -> Any:
        began.set()
        time.sleep(0.3)
        return work(self, kind, notes)

    results: list[Any] = []
    with running(CONFIG) as (url, server):
        monkeypatch.setattr(Engine, "__call__", slowly)

        def ask() -> None:
            with Client(url) as client:
                results.extend(client.deidentify([Note("a", EN)]))

        asking = threading.Thread(target=ask)
        asking.start()
        assert began.wait(5)
        server.should_exit = True
    asking.join()
    assert [type(result) for result in results] == [Note]


def test_what_nobody_waits_for_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, began = threading.Event(), threading.Event()
    done: list[str] = []

    def waits(self: Engine, kind: Any, notes: Any) -> Any:
        began.set()
        assert gate.wait(10)
        done.extend(note.note_id for note in notes)
        return notes

    with running(CONFIG) as (url, _):
        monkeypatch.setattr(Engine, "__call__", waits)
        with (
            socket.create_connection(address(url), timeout=5) as first,
            socket.create_connection(address(url), timeout=5) as second,
        ):
            ask(first, "first")
            assert began.wait(5)
            ask(second, "second")
            time.sleep(0.2)
            second.close()
            time.sleep(0.2)
            gate.set()
            assert first.recv(100).startswith(b"HTTP/1.1 200 ")
    assert done == ["first"]


def ask(client: socket.socket, note_id: str) -> None:
    body = json.dumps({"note_id": note_id, "text": "x"}).encode()
    head = b"POST /v1/deidentify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    client.sendall(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def test_keys_are_hashed_and_told_once(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    key = new_key(path, "ward-7b")
    other = new_key(path, "lab")
    assert key not in path.read_text("ascii")
    assert path.stat().st_mode & 0o077 == 0
    keys = Keys.load(path)
    assert (keys.owner(key.encode()), keys.owner(other.encode())) == ("ward-7b", "lab")
    assert keys.owner(b"") is keys.owner(key[:-1].encode()) is None
    assert key not in repr(keys)
    with pytest.raises(UsageError, match="a new name needed, got lab"):
        new_key(path, "lab")
    with pytest.raises(UsageError, match="NAME"):
        new_key(path, "Jane Doe")
    path.write_text(path.read_text("ascii").rstrip(), "ascii")
    assert Keys.load(path).owner(new_key(path, "er").encode()) is None
    assert Keys.load(path).owner(key.encode()) == "ward-7b"


@pytest.mark.parametrize("text", [SENTINEL, f"ward {SENTINEL}", "ward 12ab", "", "刘 ab"])
def test_a_broken_file_of_keys_is_named_without_what_it_holds(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError) as refused:
        Keys.load(path)
    assert str(refused.value).startswith(str(path))
    assert SENTINEL not in str(refused.value)


def test_a_file_of_keys_that_others_may_write_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "keys", "a")
    (tmp_path / "keys").chmod(0o666)
    with pytest.raises(UsageError, match="only its owner may write"):
        Keys.load(tmp_path / "keys")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "host: API keys needed to listen on 0.0.0.0"),  # noqa: S104
        ({"tls_cert": "x.pem"}, "tls_cert: a certificate and its key needed"),
        ({"vault": "v"}, "vault: none needed"),
        ({"max_notes": 5000}, r"max_notes: at most queue_notes \(1024\) needed, got 5000"),
        ({"cors_origins": ("*",)}, "cors_origins: origins such as"),
        ({"cors_origins": ("https://emr.example.org/",)}, "cors_origins: origins such as"),
        ({"cors_origins": ("https://EMR.example.org",)}, "cors_origins: origins such as"),
        ({"port": 70_000}, "port"),
        ({"queue_note": 1}, "did you mean 'queue_notes'"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(ServeConfig.load(None, **options))


def test_files_and_ports_are_looked_at_first(tmp_path: Path) -> None:
    broken = tmp_path / "x.pem"
    broken.write_text("nothing", "ascii")
    with pytest.raises(UsageError, match="a certificate and its key in PEM form needed"):
        check(ServeConfig(tls_cert=broken, tls_key=broken))
    with pytest.raises(UsageError, match="file in PEM form needed, got none"):
        check(ServeConfig(tls_cert=tmp_path / "no.pem", tls_key=broken))
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UsageError, match="a free port of this machine needed"),
    ):
        serve(ServeConfig(**RULES, port=taken.getsockname()[1]))
    with pytest.raises(UsageError, match="a model folder"):
        serve(ServeConfig(**RULES | {"entities": "nowhere"}, port=0))
