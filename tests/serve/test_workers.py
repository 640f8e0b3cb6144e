from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from starlette.testclient import TestClient

from clinlp.errors import UsageError
from clinlp.inference import processes
from clinlp.serve import ServeConfig, batcher
from clinlp.serve.app import create_app
from clinlp.serve.logs import JsonLines

from .serve_cases import EN, NOTES, RULES, SENTINEL, ZH, client_of, running

TWO = ServeConfig(**RULES, workers=2, limit_s=20)
STUB = """
import json, os, signal, sys, time
from pathlib import Path
sys.path[:] = json.loads(sys.argv[1])
from clinlp.serve.engine import Engine
from clinlp.serve.process import main

def start(self):
    self.ready = True
    return {}

def answer(self, kind, notes):
    text = " ".join(note.text for note in notes)
    once = Path(os.environ["FAULTS"])
    if "KILLS" in text or ("ONCE" in text and not once.exists()):
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    while "HANGS" in text:
        pass
    time.sleep(0.01 * text.count("SLOW"))
    made = {"note_id": "1", "text": "", "entities": [], "phi": [], "sections": [], "fields": {}}
    return [json.dumps(made | {"note_id": note.note_id, "text": note.text.upper()}).encode() for note in notes]

Engine.start, Engine.answer = start, answer
main()
"""  # a worker that starts quickly, does next to nothing, and dies when it is told to
IDLE = """
import json, os, sys
sys.path[:] = json.loads(sys.argv[1])
from clinlp.inference.processes import begin, send
frames, answers = begin()
config, _ = frames.get()
send(answers, {"modes": ["off"], "whole_patients": False, "models": []})
if config["deid"] == "off":
    send(answers, {"wrong": {}})
frames.get()
"""  # one that starts more quickly still, and never gets ready if it is to release notes


@pytest.fixture(scope="module")
def two() -> Iterator[TestClient]:
    with client_of(TWO) as client:
        yield client


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_PROGRAM", STUB)
    monkeypatch.setenv("FAULTS", str(tmp_path / "once"))


def children() -> set[int]:
    """Processes that this one has started and that live."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text("ascii").rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.add(int(path.parent.name))
    return found


def metric(client: TestClient, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    "path", ["annotate", "annotate?deid=off&tokens=true", "deidentify?deid=placeholder", "deidentify?deid=mask"]
)
def test_answers_are_the_same_whatever_the_number_of_workers(two: TestClient, rules: TestClient, path: str) -> None:
    bad = [
        {"text": 7},
        {"note_id": "bad", "text": "x", "phi": [[0, 9, "NAME"]]},
        {"text": "x" * 200_001},
        {"text": "a", "n": 2**70},
    ]
    odd = {"note_id": 5, "text": EN, "lang": "en", "known": None, "n": 2**64 - 1, "deep": {"a": [1, 2.5, "二"]}}
    many = {"notes": [*NOTES, *bad, odd]}
    assert two.post(f"/v1/{path}", json=many).content == rules.post(f"/v1/{path}", json=many).content
    for one in (*NOTES, odd):
        assert two.post(f"/v1/{path}", json=one).content == rules.post(f"/v1/{path}", json=one).content
    for one in bad:
        mine, other = two.post(f"/v1/{path}", json=one), rules.post(f"/v1/{path}", json=one)
        assert mine.status_code == other.status_code
        assert mine.json()["error"] | {"request_id": ""} == other.json()["error"] | {"request_id": ""}
    assert two.get("/v1/models").json() == rules.get("/v1/models").json()


def test_a_note_that_is_too_deep_to_be_sent_on_fails_alone(two: TestClient, rules: TestClient) -> None:
    deep = b'{"text":"a","deep":' + b"[" * 1000 + b"]" * 1000 + b"}"
    body = b'{"notes":[{"text":"a"},' + deep + b',{"text":"b"}]}'
    for client in (two, rules):
        answer = client.post("/v1/annotate", content=body, headers={"Content-Type": "application/json"})
        first, second, third = answer.json()["notes"]
        assert (first["text"], second["failure"]["stage"], third["text"]) == ("a", "read", "b")


@pytest.mark.slow
def test_with_models_answers_are_the_same_too(bundled: TestClient) -> None:
    with client_of(ServeConfig(workers=2)) as client:
        for query in ("", "?deid=off", "?entities=entities-zh&diagnosis=diagnosis-zh", "?phi=phi-zh"):
            for record in NOTES:
                mine = client.post(f"/v1/annotate{query}", json=record)
                assert mine.content == bundled.post(f"/v1/annotate{query}", json=record).content
        assert client.get("/v1/models").json() == bundled.get("/v1/models").json()
        refused = client.post("/v1/annotate?phi=entities-en", json={"text": "a"})
        assert refused.status_code == 422


@pytest.mark.usefixtures("stub")
def test_an_idle_worker_that_dies_is_replaced() -> None:
    before = children()
    with client_of(TWO) as client:
        until(lambda: metric(client, "clinlp_workers") == 2)
        own = children() - before
        assert len(own) == 2
        for pid in own:
            os.kill(pid, signal.SIGKILL)
        assert client.post("/v1/annotate", json={"text": EN}).status_code == 200
        until(lambda: metric(client, "clinlp_workers") == 2)
        assert metric(client, "clinlp_workers_lost") == 2
        assert len((children() - before) - own) == 2
        assert metric(client, "clinlp_resident_bytes") > 1e8
    assert children() <= before


def test_where_the_system_gives_no_process_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(batcher, "_PAUSE_S", 0.05)
    monkeypatch.setattr(processes, "_PROGRAM", IDLE)
    before = children()
    with client_of(TWO.model_copy(update={"deid": "off"})) as client:
        until(lambda: metric(client, "clinlp_workers") == 2)
        with monkeypatch.context() as patched:
            patched.setattr(processes.subprocess, "Popen", none)
            for pid in children() - before:
                os.kill(pid, signal.SIGKILL)
            until(lambda: metric(client, "clinlp_workers_lost") > 2)
            assert client.get("/readyz").json() == {"status": "loading"}
        until(lambda: metric(client, "clinlp_workers") == 2)


def test_a_worker_that_never_gets_ready_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROGRAM", IDLE)
    before = children()
    with TestClient(create_app(TWO), base_url="http://127.0.0.1") as client:
        assert client.get("/readyz").status_code == 503
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert children() <= before


@pytest.mark.usefixtures("stub")
def test_over_which_a_worker_dies_only_that_note_fails(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with client_of(TWO) as client:
        notes = [{"text": EN}, {"text": f"{SENTINEL} KILLS"}, {"text": ZH}]
        first, second, third = client.post("/v1/annotate", json={"notes": notes}).json()["notes"]
        assert second["failure"] == {"stage": "batch", "error": "WorkerLost", "reason": ""}
        assert (first["text"], third["text"]) == (EN.upper(), ZH.upper())
        assert client.post("/v1/annotate", json={"text": f"{SENTINEL} ONCE", "note_id": "x"}).json()["note_id"] == "x"
        answer = client.post("/v1/annotate", json=notes[1])
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "WorkerLost")
        assert SENTINEL not in answer.text + client.get("/metrics").text
    written = "\n".join(JsonLines().format(record) for record in caplog.records if record.name != "httpx2")
    assert '"event": "worker lost"' in written
    assert SENTINEL not in written


@pytest.mark.usefixtures("stub")
def test_a_worker_that_nobody_waits_for_any_more_is_replaced() -> None:
    with client_of(TWO.model_copy(update={"limit_s": 1.0})) as client:
        answer = client.post("/v1/annotate", json={"text": "HANGS"})
        assert answer.status_code == 504
        assert client.post("/v1/annotate", json={"text": EN}).status_code == 200  # by the other one
        until(lambda: metric(client, "clinlp_workers_lost") == 1 and metric(client, "clinlp_workers") == 2)


@pytest.mark.usefixtures("stub")
def test_a_worker_that_is_stopped_is_replaced() -> None:
    """It reads no more either: of many notes, it does not even take what is sent to it."""
    before = children()
    with client_of(TWO.model_copy(update={"limit_s": 1.0})) as client:
        until(lambda: metric(client, "clinlp_workers") == 2)
        for pid in children() - before:
            os.kill(pid, signal.SIGSTOP)
        assert client.post("/v1/annotate", json={"text": EN * 1000}).status_code == 504
        until(lambda: metric(client, "clinlp_workers_lost") == 1 and metric(client, "clinlp_workers") == 2)


@pytest.mark.usefixtures("stub")
def test_at_the_end_what_was_taken_is_finished_and_no_process_is_left() -> None:
    before, found = children(), list[Any]()
    body = json.dumps({"notes": [{"note_id": str(at), "text": "SLOW"} for at in range(250)]}).encode()  # for a second
    with running(TWO.model_copy(update={"port": 0})) as (url, server):

        def ask() -> None:
            asked = Request(f"{url}/v1/annotate", body, {"Content-Type": "application/json"})  # noqa: S310  our own
            with urlopen(asked) as answer:  # noqa: S310  our own
                found.extend(json.load(answer)["notes"])

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: b"clinlp_queue_notes 0\n" not in urlopen(f"{url}/metrics").read())  # noqa: S310  our own
        server.should_exit = True
        asking.join()
    assert [note["note_id"] for note in found] == [str(at) for at in range(250)]
    assert children() <= before


def test_what_is_wrong_with_the_options_is_said_before_anything_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLINLP_KEY", raising=False)
    with pytest.raises(UsageError, match="key"):
        create_app(TWO.model_copy(update={"deid": "surrogate"}))
    monkeypatch.setattr(processes, "_PROGRAM", "import sys; sys.exit(3)")
    with pytest.raises(UsageError, match="workers: a process that starts needed"):
        create_app(TWO)
    monkeypatch.setenv("HUGE", "x" * (1 << 22))  # more than the system takes
    with pytest.raises(UsageError, match="workers: a process that starts needed"):
        create_app(TWO)
