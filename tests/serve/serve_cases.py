"""Notes that the service tests share, and how the service is called."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.testclient import TestClient

from clinlp.serve import Client, ServeConfig
from clinlp.serve.app import create_app
from clinlp.serve.protocol import protocol
from clinlp.serve.server import listen, settings

SENTINEL = "Zyxqwv"
EN = "Seen by Dr. Jane Doe on 03/12/2021. MRN: 4482913. Denies chest pain. Takes metformin 500 mg twice daily. 😀 café"
ZH = "姓名：王小明，住院号：20240318。主诉：反复胸闷2年。否认糖尿病。予阿司匹林100mg每日一次。𠮷野家"
RULES: dict[str, Any] = {"phi": "off", "entities": "off", "diagnosis": "off"}
NOTES: list[dict[str, Any]] = [
    {"note_id": "en", "text": EN, "patient_id": "p1", "ward": "7b"},
    {"note_id": "zh", "text": ZH, "time": "2024-03-18"},
    {"note_id": "both", "text": f"{EN}\n{ZH}"},
    {"note_id": "empty", "text": ""},
]


@contextmanager
def client_of(config: ServeConfig) -> Iterator[TestClient]:
    with TestClient(create_app(config), base_url="http://127.0.0.1", raise_server_exceptions=True) as client:
        end = time.monotonic() + 30
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.01)
        yield client


@contextmanager
def running(config: ServeConfig, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, uvicorn.Server]]:
    """The service on a port of its own, as `clinlp serve` runs it; gives its URL."""
    with listen(config) as listening:
        server = uvicorn.Server(settings(config, create_app(config), protocol(config.read_s)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        port = listening.getsockname()[1]
        url = f"http{'s' if config.tls_cert else ''}://127.0.0.1:{port}"
        with Client(url, context=context) as client:
            end = time.monotonic() + 30
            while not client.ready():
                assert time.monotonic() < end
                time.sleep(0.01)
        try:
            yield url, server
        finally:
            server.should_exit = True
            thread.join()
