from __future__ import annotations

import json
from pathlib import Path

import pytest

from .cli_cases import Command


@pytest.fixture
def clinlp(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    return Command(capsys)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Two notes, one a language."""
    path = tmp_path / "good.jsonl"
    rows = (
        {"note_id": "a", "text": "Seen by Dr. Jane Doe on 03/12/2021.", "ward": "7b"},
        {"note_id": "b", "text": "姓名：王小明，住院号：20240318。"},
    )
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path
