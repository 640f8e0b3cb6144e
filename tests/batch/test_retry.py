"""Records in quarantine, tried again: what succeeds comes behind the last part, what was finished stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
from clinlp.batch.retry import retry
from clinlp.errors import UsageError

from .batch_cases import EN, ZH, lines, records, released

Dump = Callable[..., Path]
RULES: dict[str, Any] = {"phi": "off", "entities": "off", "diagnosis": "off", "shard_bytes": 2000, "chunk_notes": 4}


@pytest.fixture(params=["dump.jsonl", "dump.jsonl.gz"])
def long_notes(request: pytest.FixtureRequest, dump: Dump, tmp_path: Path) -> Path:
    rows: list[Any] = records(30)
    rows[4]["text"], rows[5]["text"], rows[21]["text"] = EN * 20, ZH * 40, EN * 60
    rows[9], rows[20] = rows[2], b"{"
    path = dump(rows)
    if request.param.endswith(".gz"):
        import gzip

        (tmp_path / request.param).write_bytes(gzip.compress(path.read_bytes()))
    return tmp_path / request.param


def ids(held: list[dict[str, Any]]) -> list[str]:
    return [each["note_id"] for each in held]


def test_what_succeeds_comes_behind_the_rest_which_stays(long_notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = BatchConfig(**RULES, max_characters=1000, workers=0)
    annotate([long_notes], out, config)
    before = {path.name: path.read_bytes() for path in out.glob("part-*")}
    assert ids(lines(out / "quarantine.jsonl")) == ["n4", "n5", "n2", "dump-21", "n21"]
    summary = retry([long_notes], out, {"max_characters": 3000})
    assert (summary.n_records, summary.n_notes, summary.n_failures) == (30, 27, 3)
    assert ids(lines(out / "quarantine.jsonl")) == ["n2", "dump-21", "n21"]
    assert {name: (out / name).read_bytes() for name in before} == before
    assert ids(released(out))[-2:] == ["n4", "n5"]
    summary = retry([long_notes], out, {"max_characters": 10_000, "workers": 0})
    assert (summary.n_notes, ids(lines(out / "quarantine.jsonl"))) == (28, ["n2", "dump-21"])
    annotate([long_notes], tmp_path / "at_once", BatchConfig(**RULES, max_characters=10_000))
    key = lambda each: each["note_id"]  # noqa: E731
    assert sorted(released(out), key=key) == sorted(released(tmp_path / "at_once"), key=key)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert [each["with"]["max_characters"] for each in manifest["retries"]][-1] == 10_000
    assert manifest["config"]["max_characters"] == 1000


def test_only_limits_may_change_and_only_a_finished_job_is_tried_again(dump: Dump, tmp_path: Path) -> None:
    path, out = dump(records(3)), tmp_path / "out"
    with pytest.raises(UsageError, match="the folder of a job needed"):
        retry([path], out)
    annotate([path], out, BatchConfig(**RULES))
    with pytest.raises(UsageError, match=r"deid: one of .* needed for a retry"):
        retry([path], out, {"deid": "off"})
    assert retry([path], out).n_failures == 0
    part = (out / "part-00000.jsonl").read_bytes()
    (out / "part-00000.jsonl").unlink()
    with pytest.raises(UsageError, match="a finished job needed, got one with 0 of 1 parts"):
        retry([path], out)
    (out / "part-00000.jsonl").write_bytes(part)
    path.write_bytes(path.read_bytes().replace(b"Doe", b"Poe"))
    with pytest.raises(UsageError, match="has changed"):
        retry([path], out)
