from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinlp.batch.config import BatchConfig
from clinlp.batch.lines import to_output
from clinlp.errors import DataError, Failure, UsageError
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.records import from_record, to_record
from clinlp.serve.reading import answer_one
from clinlp.serve.schemas import ErrorAnswer, ModelsRecord, NoteRecord, NotesRecord

from .serve_cases import EN, NOTES, SENTINEL, ZH


def same(one: Any, other: Any) -> bool:
    """Equal, scores to what sums in another order may differ by."""
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=1e-5)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("annotate", {}),
        ("annotate?deid=off", {"deid": "off"}),
        ("annotate?deid=placeholder", {"deid": "placeholder"}),
        ("deidentify?deid=mask", {"deid": "mask", "entities": "off", "diagnosis": "off", "sections": False}),
        ("diagnose", {"entities": "off", "sections": False, "context": False}),
    ],
)
def test_the_service_gives_what_the_python_call_gives(bundled: TestClient, path: str, options: dict[str, Any]) -> None:
    pipeline = Pipeline(PipelineConfig().model_copy(update=options))
    wanted = [to_record(note) for note in pipeline([from_record(record) for record in NOTES])]
    answer = bundled.post(f"/v1/{path}", json={"notes": NOTES})
    assert answer.status_code == 200
    assert same(answer.json()["notes"], wanted)
    for record, one in zip(NOTES, wanted, strict=True):
        assert same(bundled.post(f"/v1/{path}", json=record).json(), one)
    NotesRecord.model_validate_json(answer.content)


def test_with_tokens_the_service_gives_what_the_batch_annotator_writes(bundled: TestClient) -> None:
    notes = Pipeline(BatchConfig())([from_record(record) for record in NOTES])
    written = [to_output(note, offsets=True, seconds=defaultdict(float)) for note in notes]
    wanted = json.loads(json.dumps(written))
    assert same(bundled.post("/v1/annotate?tokens=true", json={"notes": NOTES}).json()["notes"], wanted)


@pytest.mark.parametrize(("text", "name"), [(EN, "Jane"), (ZH, "王小明")])
def test_one_note_is_released(bundled: TestClient, text: str, name: str) -> None:
    answer = bundled.post("/v1/annotate", json={"text": text})
    held = NoteRecord.model_validate_json(answer.content)
    assert name not in answer.text
    assert "[NAME]" in held.text
    assert held.entities
    assert held.diagnoses is not None


def test_a_note_that_fails_is_an_entry_and_stops_no_other(rules: TestClient) -> None:
    bad = {"note_id": "bad", "text": SENTINEL, "entities": [{"start": 0, "end": 99, "label": "X"}]}
    answer = rules.post("/v1/annotate", json={"notes": [{"text": EN}, bad, 7, {"text": ZH}]})
    assert answer.status_code == 200
    first, second, third, last = answer.json()["notes"]
    assert first["note_id"] == "1"
    assert last["note_id"] == "4"
    assert second["note_id"] == "bad"
    assert second["failure"]["error"] == "DataError"
    assert "ends after character" in second["failure"]["reason"]
    assert third["note_id"] == "3"
    assert SENTINEL not in answer.text
    NotesRecord.model_validate_json(answer.content)


def test_the_one_note_that_fails_is_an_error(rules: TestClient) -> None:
    bad = {"note_id": "bad", "text": SENTINEL, "phi": [{"start": 3, "end": 3, "label": "X"}]}
    answer = rules.post("/v1/deidentify", json=bad)
    assert answer.status_code == 422
    assert SENTINEL not in answer.text
    assert ErrorAnswer.model_validate_json(answer.content).error.note_id == "bad"


@pytest.mark.parametrize(("error", "status"), [(UsageError, 500), (DataError, 422), (ValueError, 500)])
def test_what_is_wrong_with_the_service_is_not_the_clients_fault(error: type[Exception], status: int) -> None:
    assert answer_one(Failure.of(error("why"), stage="entities"), "id")[0] == status


def test_a_column_that_nobody_named_is_left_out(rules: TestClient) -> None:
    held = rules.post("/v1/deidentify", json=NOTES[0]).json()
    assert held["fields"] == {}
    assert "patient_id" not in held
    assert rules.post("/v1/annotate?deid=off", json=NOTES[0]).json()["fields"] == {"ward": "7b"}


def test_the_page_of_states(bundled: TestClient) -> None:
    assert bundled.get("/healthz").json() == {"status": "ok"}
    assert bundled.get("/readyz").json() == {"status": "ok"}
    held = ModelsRecord.model_validate_json(bundled.get("/v1/models").content)
    assert {model.name for model in held.models} >= {"phi-en", "phi-zh", "entities-en", "diagnosis-zh"}
    assert "surrogate" not in held.deid


def test_metrics_are_prometheus_text(rules: TestClient) -> None:
    rules.post("/v1/deidentify", json={"text": EN})
    text = rules.get("/metrics").text
    assert 'clinlp_requests_total{path="/v1/deidentify",status="200"}' in text
    assert 'clinlp_notes_total{task="deidentify",outcome="done"}' in text
    assert "clinlp_batch_notes_count" in text
    for line in text.splitlines():
        assert line.startswith("# ") or len(line.split(" ")) == 2, line


def test_openapi_describes_bodies_and_answers(rules: TestClient) -> None:
    held = rules.get("/openapi.json").json()
    schemas = held["components"]["schemas"]
    assert {"NoteIn", "NotesIn", "NoteRecord", "SpanRecord", "ErrorAnswer"} <= schemas.keys()
    assert "requestBody" in held["paths"]["/v1/annotate"]["post"]
    assert "/v1/diagnose" not in held["paths"]
    assert "securitySchemes" not in held["components"]  # no keys, none asked for


def test_what_is_asked_for_needs_to_be_there(rules: TestClient) -> None:
    assert rules.post("/v1/diagnose", json={"text": EN}).status_code == 404
    assert rules.post("/v1/deidentify?deid=off", json={"text": EN}).status_code == 422
    assert rules.post("/v1/deidentify?deid=surrogate", json={"text": EN}).status_code == 422
    answer = rules.post(f"/v1/annotate?deid={SENTINEL}", json={"text": EN})
    assert answer.status_code == 422
    assert SENTINEL not in answer.text


def test_a_request_may_name_a_bundled_model(bundled: TestClient) -> None:
    choices = bundled.get("/v1/models").json()["choices"]
    assert choices == {task: [f"{task}-en", f"{task}-zh"] for task in ("phi", "entities", "diagnosis")}
    own = bundled.post("/v1/annotate", json={"text": ZH}).json()
    for task in choices:
        same_one = bundled.post(f"/v1/annotate?{task}={task}-zh", json={"text": ZH}).json()
        assert same(same_one, own)
    other = bundled.post("/v1/annotate?entities=entities-en", json={"text": ZH}).json()
    assert other["entities"] != own["entities"]
    assert (
        bundled.post("/v1/diagnose?diagnosis=diagnosis-zh", json={"text": ZH}).json()["diagnoses"] == own["diagnoses"]
    )
    assert "王小明" not in bundled.post("/v1/deidentify?phi=phi-zh", json={"text": ZH}).json()["text"]


@pytest.mark.parametrize("name", ["phi-en", "../models", "/etc/passwd", ""])
def test_no_other_model_can_be_named(bundled: TestClient, rules: TestClient, name: str) -> None:
    for client in (bundled, rules):
        answer = client.post("/v1/annotate", params={"entities": name}, json={"text": EN})
        assert answer.status_code == 422
        assert ErrorAnswer.model_validate_json(answer.content).error.type == "model"
        assert name not in answer.text or not name


def test_codes_below_the_models_threshold_come_when_asked_for(bundled: TestClient) -> None:
    for record in NOTES[:2]:
        usual = bundled.post("/v1/diagnose?deid=off", json=record).json()["diagnoses"]
        many = bundled.post("/v1/diagnose?deid=off&codes=12", json=record).json()["diagnoses"]
        assert len(many) == 12 > len(usual)
        assert [each["score"] for each in many] == sorted((each["score"] for each in many), reverse=True)
        assert {each["code"] for each in usual} <= {each["code"] for each in many}
        assert same(bundled.post("/v1/diagnose?deid=off", json=record).json()["diagnoses"], usual)
    assert bundled.post("/v1/diagnose?codes=0", json=NOTES[0]).status_code == 422


@pytest.mark.parametrize(
    ("text", "kept", "gone"), [(EN, "Jane Doe", ("03/12/2021", "4482913")), (ZH, "王小明", ("20240318",))]
)
def test_of_a_checked_note_only_its_own_phi_is_replaced(
    rules: TestClient, text: str, kept: str, gone: tuple[str, ...]
) -> None:
    spans = [{"start": text.index(words), "end": text.index(words) + len(words), "label": "ID"} for words in gone]
    note = {"text": text, "phi": spans}
    assert kept not in rules.post("/v1/deidentify", json=note).json()["text"]
    released = rules.post("/v1/deidentify?checked=true", json=note).json()["text"]
    assert kept in released
    assert not [words for words in gone if words in released]
    refused = rules.post("/v1/deidentify?checked=true", json={"text": "Seen on 03/12/2021."})
    assert refused.status_code == 422  # the last look stands, whoever has checked


@pytest.mark.parametrize("query", ["mode=mask", f"deid=mask&{SENTINEL}=1", "codes=3"])
def test_a_query_that_would_do_nothing_is_refused(rules: TestClient, query: str) -> None:
    answer = rules.post(f"/v1/deidentify?{query}", json={"text": EN})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "query: deid, phi, checked needed, got another name"
    assert SENTINEL not in answer.text


def test_whole_numbers_that_would_change_are_refused(rules: TestClient) -> None:
    body = '{"notes":[{"text":"a","n":123456789012345678901},{"text":"b","n":18446744073709551615,"x":1e300}]}'
    first, second = rules.post("/v1/annotate", content=body, headers={"Content-Type": "application/json"}).json()[
        "notes"
    ]
    assert first["failure"]["reason"] == "record has a whole number beyond 64 bits; write it as a string"
    assert second["text"] == "b"
    deep = b'{"text":"c","deep":' + b"[" * 1000 + b"]" * 1000 + b"}"
    beside = b'{"notes":[{"text":"a","n":1e300},' + deep + b',{"text":"b"}]}'
    answer = rules.post("/v1/annotate", content=beside, headers={"Content-Type": "application/json"}).json()
    assert "too deeply nested" in answer["notes"][0]["failure"]["reason"]
    assert answer["notes"][2]["text"] == "b"
