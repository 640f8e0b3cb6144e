from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinlp.note import Note
from clinlp.serve import ServeConfig
from clinlp.serve.engine import Engine
from clinlp.serve.keys import VARIABLE, new_key
from clinlp.serve.logs import JsonLines
from clinlp.serve.schemas import ErrorAnswer

from .serve_cases import EN, RULES, SENTINEL, client_of

JSON = {"Content-Type": "application/json"}
SMALL = ServeConfig(**RULES, max_body_bytes=1000, max_notes=3, max_characters=300)


@pytest.fixture(scope="module")
def small() -> Iterator[TestClient]:
    with client_of(SMALL) as client:
        yield client


def chunks() -> Iterator[bytes]:
    yield from [b" " * 300] * 5


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * 1001, JSON, 413),
        (chunks(), JSON, 413),
        (b'{"text": "\xff\xfe"}', JSON, 400),
        (b'{"text": "\\ud800"}', JSON, 400),
        (b'{"text": "a", "x": NaN}', JSON, 400),
        (b"[" * 999, JSON, 400),
        (b'{"text":' * 100, JSON, 400),
        (b"", JSON, 400),
        (b"[]", JSON, 422),
        (b"null", JSON, 422),
        (b"{}", JSON, 422),
        (b'{"text": 7}', JSON, 422),
        (b'{"notes": "many"}', JSON, 422),
        (b'{"notes": [{}, {}, {}, {}]}', JSON, 413),
        (json.dumps({"text": "x" * 301}).encode(), JSON, 422),
        (b'{"text": "a"}', {"Content-Type": "text/plain"}, 415),
        (b'{"text": "a"}', {}, 415),
        (b'{"text": "a"}', JSON | {"Host": "elsewhere.example"}, 421),
        (b'{"text": "a"}', JSON | {"Host": "[::1]:99"}, 200),
        (b'{"notes": []}', JSON, 200),
    ],
)
def test_what_is_wrong_is_refused_in_one_form(
    small: TestClient, body: Any, headers: dict[str, str], status: int
) -> None:
    answer = small.post("/v1/deidentify", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    if status != 200:
        held = ErrorAnswer.model_validate_json(answer.content).error
        assert held.request_id == answer.headers["x-request-id"]


def test_other_paths_and_methods(small: TestClient) -> None:
    assert small.get(f"/{SENTINEL}").status_code == 404
    assert small.get("/v1/annotate").status_code == 405
    assert small.get("/docs").status_code == 404


def test_an_id_that_could_be_a_name_is_not_taken(small: TestClient) -> None:
    given = "0123456789abcdef0123456789abcdef"
    assert small.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] == given
    assert small.get("/healthz", headers={"X-Request-ID": SENTINEL}).headers["x-request-id"] != SENTINEL


def test_no_other_site_may_read_unless_it_is_named(small: TestClient) -> None:
    asks = {"Origin": "https://emr.example.org", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in small.options("/v1/annotate", headers=asks).headers
    with client_of(SMALL.model_copy(update={"cors_origins": ("https://emr.example.org",)})) as client:
        allowed = client.options("/v1/annotate", headers=asks).headers["access-control-allow-origin"]
        other = client.get("/healthz", headers={"Origin": "https://elsewhere.example"}).headers
        refused = client.post("/v1/annotate", content=b"x", headers={"Origin": "https://emr.example.org"})
    assert allowed == "https://emr.example.org"
    assert "access-control-allow-origin" not in other
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (415, "https://emr.example.org")


def test_with_keys_only_who_has_one_may_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key(tmp_path / "keys", "ward")
    monkeypatch.setenv(VARIABLE, "a-key-of-the-environment")
    with client_of(SMALL.model_copy(update={"keys": tmp_path / "keys"})) as client:

        def status(**headers: str) -> int:
            named = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
            return client.post("/v1/deidentify", json={"text": "a"}, headers=named).status_code

        assert status(Authorization=f"Bearer {key}") == 200
        assert status(X_API_Key=key) == 200
        assert status(X_API_Key="a-key-of-the-environment") == 200
        assert status() == 401
        assert status(Authorization=f"Bearer {key}x") == 401
        assert status(Authorization=f"Basic {key}") == 401
        assert status(X_API_Key="naïve") == 401
        assert client.get("/v1/models").status_code == 401
        assert client.get("/openapi.json").status_code == 401
        held = client.get("/openapi.json", headers={"X-API-Key": key}).json()
        assert held["components"]["securitySchemes"].keys() == {"bearer", "header"}
        assert held["paths"]["/v1/annotate"]["post"]["security"] == [{"bearer": []}, {"header": []}]
        assert "security" not in held["paths"]["/healthz"]["get"]
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").status_code == 200
        assert client.get("/healthz", headers={"Host": "any.example"}).status_code == 200


def test_nothing_of_a_note_is_in_a_log_a_metric_or_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    work = Engine.__call__

    def breaks(self: Engine, kind: Any, notes: Sequence[Note]) -> Any:
        if any(note.note_id == "raise" for note in notes):
            raise ValueError(SENTINEL)
        return work(self, kind, notes)

    answers = []
    with client_of(SMALL) as client:
        monkeypatch.setattr(Engine, "__call__", breaks)
        for record in (
            {"note_id": "raise", "text": SENTINEL},
            {"text": f"Dr. {SENTINEL} saw her", "entities": [{"start": 0, "end": 9999, "label": SENTINEL}]},
            {"text": SENTINEL, "time": SENTINEL},
            {"text": SENTINEL, "lang": SENTINEL},
            {"text": SENTINEL * 100},
            {"text": [SENTINEL]},
            {SENTINEL: SENTINEL},
            [SENTINEL],
        ):
            answers.append(client.post("/v1/deidentify", json=record))
            answers.append(client.post("/v1/annotate", json={"notes": [record]}))
        answers.append(client.post(f"/v1/{SENTINEL}?{SENTINEL}={SENTINEL}", json={"text": SENTINEL}))
        answers.append(client.post(f"/v1/annotate?tokens={SENTINEL}&deid={SENTINEL}", json={"text": SENTINEL}))
        answers.append(client.post("/v1/annotate", json={"text": SENTINEL}, headers={SENTINEL: SENTINEL}))
        monkeypatch.setattr("clinlp.serve.app.answer_one", lambda *_, **__: (_ for _ in ()).throw(KeyError(SENTINEL)))
        answers.append(client.post("/v1/annotate", json={"text": SENTINEL}))
        metrics = client.get("/metrics").text
    assert answers[0].status_code == 500  # the note's own failure, of an unexpected kind
    assert answers[-1].json()["error"]["type"] == "internal"
    ok = [answer for answer in answers if answer.status_code == 200 and "failure" not in answer.text]
    assert all(SENTINEL not in answer.text for answer in answers if answer not in ok)
    written = [JsonLines().format(record) for record in caplog.records]
    assert any('"error": "KeyError"' in line for line in written)
    own = [line for record, line in zip(caplog.records, written, strict=True) if record.name != "httpx2"]
    assert SENTINEL not in "\n".join(own)
    assert SENTINEL not in metrics


def test_a_note_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gate = threading.Event()
    with client_of(SMALL.model_copy(update={"limit_s": 0.05})) as client:
        monkeypatch.setattr(Engine, "__call__", lambda *_: gate.wait(10))
        answer = client.post("/v1/deidentify", json={"text": EN[:100]})
        state = client.get("/readyz")
        gate.set()
    assert answer.status_code == 504
    assert state.json() == {"status": "busy"}
    assert state.status_code == 503
