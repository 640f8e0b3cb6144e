from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from starlette.testclient import TestClient

from clinlp.serve import ServeConfig

from .serve_cases import RULES, client_of


@pytest.fixture(scope="session")
def rules() -> Iterator[TestClient]:
    """The service by rules alone: at once there."""
    with client_of(ServeConfig(**RULES)) as client:
        yield client


@pytest.fixture(scope="session")
def bundled() -> Iterator[TestClient]:
    """The service with the models that ship with the package."""
    with client_of(ServeConfig()) as client:
        yield client
