"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("clinlp", deadline=None, max_examples=100)  # a busy machine is not a failure
settings.load_profile("clinlp")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development corpora: `$CLINLP_SHARED/data`, or `shared/data` beside the checkout."""
    given = os.environ.get("CLINLP_SHARED")
    folder = (Path(given) if given else ROOT.parent / "shared") / "data"
    if not folder.is_dir():
        pytest.skip("the development corpora are not here; CLINLP_SHARED names their folder")
    return folder
