"""Requests made up from the service's own description: none may end in a status of 500 or above."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from clinlp.serve import ServeConfig

from .serve_cases import RULES, running

schemathesis = pytest.importorskip("schemathesis")
pytestmark = pytest.mark.slow


CHECKS = (
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.response_schema_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.status_code_conformance,
)


@pytest.fixture(scope="module")
def described() -> Iterator[Any]:
    with running(ServeConfig(**RULES, port=0)) as (url, _):
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


def test_no_request_breaks_the_service(described: Any) -> None:
    names = []
    for result in described.get_all_operations():
        operation = result.ok()
        names.append(operation.label)

        @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        ask()
    assert "POST /v1/annotate" in names
