"""Ctrl-C, really sent: what is finished is kept, whole and in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .cli_cases import NAME, RULES, SENTINEL

N_NOTES = 20_000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "big.jsonl"
    text = f"Patient: Mr. {NAME}. Seen by Dr. Jane Doe on 03/12/2021. Denies chest pain. " * 4
    with path.open("w") as file:
        for at in range(N_NOTES):
            file.write(json.dumps({"note_id": f"n{at}", "text": text}) + "\n")
    return path


def interrupted(arguments: list[str], started: Callable[[], bool], number: int) -> subprocess.CompletedProcess[str]:
    """Run the command, send it a signal once it writes, and wait for its end."""
    with subprocess.Popen(
        [sys.executable, "-m", "clinlp", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        for _ in range(1200):
            if started() or running.poll() is not None:
                break
            time.sleep(0.05)
        os.kill(running.pid, number)
        out, err = running.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, running.returncode, out, err)


@pytest.mark.parametrize(("number", "code", "workers"), [(signal.SIGINT, 130, "0"), (signal.SIGTERM, 143, "2")])
def test_annotate_keeps_what_is_finished(big: Path, tmp_path: Path, number: int, code: int, workers: str) -> None:
    out = tmp_path / "out"
    arguments = ["annotate", str(big), "-o", str(out), *RULES, "--phi", "off", "--workers", workers]
    arguments += ["--shard-bytes", "60000", "--chunk-notes", "64"]
    done = interrupted(arguments, (out / "part-00001.jsonl").exists, number)
    assert done.returncode == code
    assert SENTINEL not in done.stdout + done.stderr
    assert sorted(path.name for path in (out / ".clinlp").iterdir()) == ["duplicates.u64", "journal.jsonl", "plan.json"]
    ids = [int(json.loads(line)["note_id"][1:]) for part in sorted(out.glob("part-*")) for line in part.open()]
    assert 100 < len(ids) < N_NOTES  # a part at least: of two workers the second may be the first to finish
    assert ids == sorted(set(ids))
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["complete"], manifest["counts"]["notes"]) == (False, len(ids))
    assert f"stopped early: {len(ids):,} notes are finished and kept" in done.stderr


def test_deidentify_keeps_what_is_finished(big: Path, tmp_path: Path) -> None:
    out = tmp_path / "released.jsonl"
    arguments = ["deidentify", str(big), "-o", str(out), "--chunk-notes", "64"]
    done = interrupted(
        arguments, lambda: any(path.stat().st_size for path in tmp_path.glob(".released*")), signal.SIGINT
    )
    assert done.returncode == 130
    ids = [json.loads(line)["note_id"] for line in out.open()]
    assert 0 < len(ids) < N_NOTES
    assert ids == [f"n{at}" for at in range(len(ids))]
    assert [path.name for path in tmp_path.iterdir()] == ["released.jsonl"]
