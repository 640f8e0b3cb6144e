"""What goes wrong with machines, really done: processes killed, hung, out of memory; disks full or unreadable."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
from clinlp.batch.pool import Done, Processes
from clinlp.batch.task import Task
from clinlp.errors import UsageError
from clinlp.inference import processes
from clinlp.inference.processes import Child, environment, receive, send

from .batch_cases import EN, ZH, lines, records, released
from .test_resume import output

Dump = Callable[..., Path]
RULES: dict[str, Any] = {"phi": "off", "entities": "off", "diagnosis": "off", "shard_bytes": 3000, "chunk_notes": 8}
FAULTY = """
import ctypes, json, os, resource, signal, sys
sys.path[:] = json.loads(sys.argv[1])
from clinlp.batch.process import main
from clinlp.inference.pipeline import Pipeline
from clinlp.inference.release import Deidentifier
sections, find = Pipeline._add_sections, Deidentifier.find

def eat():
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, before[1]))
    try:
        return bytearray(1 << 31)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)

def faulty_sections(self, note):
    text = note.text
    if "KILLS" in text:
        os.kill(os.getpid(), signal.SIGKILL)  # what the system does to a process that takes too much memory
    if "CRASHES" in text:
        ctypes.string_at(0)
    if "EATS" in text:
        eat()
    while "HANGS" in text:
        pass
    return sections(self, note)

def faulty_find(self, notes):
    if len(notes) > 1 and any("TOGETHER" in note.text for note in notes):
        os.kill(os.getpid(), signal.SIGKILL)
    return find(self, notes)

Pipeline._add_sections, Deidentifier.find = faulty_sections, faulty_find
main()
"""


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROGRAM", FAULTY)


def with_faults(faults: dict[int, str], n_notes: int = 60) -> list[dict[str, Any]]:
    rows = records(n_notes)
    for at, word in faults.items():
        rows[at]["text"] += f" {word}"
    return rows


def quarantined(out: Path) -> list[tuple[str, int, str, str]]:
    return [(each["note_id"], each["line"], each["stage"], each["error"]) for each in lines(out / "quarantine.jsonl")]


@pytest.mark.slow
@pytest.mark.usefixtures("faulty")
def test_notes_that_hang_or_kill_are_found_and_no_other_is_lost(dump: Dump, tmp_path: Path) -> None:
    path = dump(with_faults({20: "KILLS", 41: "HANGS", 50: "EATS"}))
    summary = annotate([path], tmp_path / "out", BatchConfig(**RULES, workers=2, limit_s=1.0))
    assert quarantined(tmp_path / "out") == [
        ("n20", 21, "annotate", "WorkerLost"),
        ("n41", 42, "annotate", "TimeoutError"),
        ("n50", 51, "sections", "MemoryError"),
    ]
    assert (summary.n_records, summary.n_notes, summary.complete) == (60, 57, True)
    good = dump([row for at, row in enumerate(records(60)) if at not in (20, 41, 50)], "good.jsonl")
    annotate([good], tmp_path / "good", BatchConfig(**RULES, workers=0))
    assert released(tmp_path / "out") == released(tmp_path / "good")


@pytest.mark.slow
@pytest.mark.usefixtures("faulty")
def test_many_faults_at_once(dump: Dump, tmp_path: Path) -> None:
    faults = {0: "KILLS", 1: "KILLS", 7: "HANGS", 8: "CRASHES", 25: "TOGETHER", 59: "KILLS"}
    config = BatchConfig(**RULES, workers=2, limit_s=2.0)
    annotate([dump(with_faults(faults))], tmp_path / "out", config)
    assert [(note_id, error) for note_id, _, _, error in quarantined(tmp_path / "out")] == [
        ("n0", "WorkerLost"),
        ("n1", "WorkerLost"),
        ("n7", "TimeoutError"),
        ("n8", "WorkerLost"),
        ("n59", "WorkerLost"),
    ]
    assert len(released(tmp_path / "out")) == 55


@pytest.mark.slow
def test_a_worker_that_is_killed_from_outside_costs_nothing(dump: Dump, tmp_path: Path) -> None:
    path = dump(records(3000))
    config = RULES | {"shard_bytes": 40_000}
    annotate([path], tmp_path / "whole", BatchConfig(**config, workers=0))
    kill = threading.Thread(target=_kill_children, args=(3,))
    kill.start()
    summary = annotate([path], tmp_path / "out", BatchConfig(**config, workers=2))
    kill.join()
    assert output(tmp_path / "out") == output(tmp_path / "whole")
    assert summary.n_failures == 0


def _kill_children(n: int) -> None:
    psutil = pytest.importorskip("psutil")
    for _ in range(n):
        time.sleep(1.5)
        if children := psutil.Process().children():
            children[0].send_signal(signal.SIGKILL)


def test_what_the_disk_does_not_give_goes_to_quarantine(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in (("a", EN), ("c", ZH)):
        (folder / f"{name}.txt").write_text(text, "utf-8")
    (folder / "b.txt").symlink_to("/proc/self/mem")  # reads fail with EIO
    (folder / "d.txt").symlink_to(folder / "gone.txt")
    annotate([folder], tmp_path / "out", BatchConfig(**RULES, workers=0))
    assert [record["note_id"] for record in released(tmp_path / "out")] == ["a", "c"]
    assert [(note_id, line) for note_id, line, *_ in quarantined(tmp_path / "out")] == [("b", 2)]
    assert "Input/output error" in lines(tmp_path / "out" / "quarantine.jsonl")[0]["reason"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a part or two."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder], check=False).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("to", ["jsonl", "parquet"])
def test_a_full_disk_keeps_what_is_finished_and_the_job_goes_on(
    dump: Dump, tmp_path: Path, small_disk: Path, to: str
) -> None:
    path, config = dump(records(150)), BatchConfig(**RULES, workers=0, to=to)
    annotate([path], tmp_path / "whole", config)
    out = small_disk / "out"
    with pytest.raises(UsageError, match=r"cannot be written \(No space left on device\)"):
        annotate([path], out, config)
    assert list(out.glob("part-*"))
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    annotate([path], out, config)
    assert output(out) == output(tmp_path / "whole")


def test_a_limit_on_files_is_one_line_too(dump: Dump, tmp_path: Path) -> None:
    """The same where nobody may mount: the system refuses to let a file grow."""
    program = (
        "import resource, sys; from pathlib import Path; from clinlp.batch.config import BatchConfig\n"
        "from clinlp.batch.local import annotate; from clinlp.errors import UsageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n"
        "try:\n    annotate([Path(sys.argv[1])], Path(sys.argv[2]), "
        f"BatchConfig(**{RULES | {'shard_bytes': 100_000, 'workers': 0}!r}))\n"
        "except UsageError as error:\n    sys.exit(str(error))\n"
    )
    arguments = [sys.executable, "-c", program, str(dump(records(60))), str(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "cannot be written (File too large)" in done.stderr
    assert not list((tmp_path / "out").glob("part-*"))


def test_a_worker_that_cannot_start_is_one_line(dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROGRAM", "import sys; sys.exit(3)")
    with pytest.raises(UsageError, match="a process that starts needed, got one that ends"):
        annotate([dump(records(3))], tmp_path / "out", BatchConfig(**RULES, workers=1))
    assert not (tmp_path / "out").exists()


def test_nothing_stays_at_work_when_the_program_is_killed(dump: Dump, tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    program = (
        "import sys; from pathlib import Path; from clinlp.batch.config import BatchConfig\n"
        "from clinlp.batch.local import annotate\n"
        f"annotate([Path(sys.argv[1])], Path(sys.argv[2]), BatchConfig(**{RULES!r}, workers=2))"
    )
    running = subprocess.Popen([sys.executable, "-c", program, str(dump(records(4000))), str(tmp_path / "out")])
    until = time.monotonic() + 30
    while not list((tmp_path / "out").glob("part-*")) and time.monotonic() < until:
        time.sleep(0.02)
    children = psutil.Process(running.pid).children()
    assert len(children) == 2
    running.kill()
    running.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []


def test_workers_share_the_gpus_one_each_in_turn(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    seen = [environment(number, None)["CUDA_VISIBLE_DEVICES"] for number in range(3)]
    assert seen == ["2", "5", "2"]
    assert environment(1, "cpu")["CUDA_VISIBLE_DEVICES"] == "2,5"
    assert {environment(0, None)[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")} == {"1"}


CHILD = """
import json, resource, sys
sys.path[:] = json.loads(sys.argv[1])
from clinlp.inference.processes import begin, send
told, answers = begin()
send(answers, {"core": resource.getrlimit(resource.RLIMIT_CORE)})
if told.get()[0]["waits"]:
    told.get()
"""


QUICK = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from clinlp.inference.processes import begin, send
told, answers = begin()
told.get()
send(answers, {"ready": 1})
told.get()
send(answers, {"mark": [0, 0, 1, 0, 0]})
send(answers, {"done": {"n": 1}})
told.get()
"""


def test_a_worker_is_not_too_slow_because_its_program_was_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROGRAM", QUICK)
    pool, task, pauses = Processes(BatchConfig(**RULES, limit_s=0.2), 1), Task(0, "none", ()), iter([0.5])
    try:
        pool.check()
        done = list(pool.run(iter([task]), lambda _: None, lambda *_: time.sleep(next(pauses, 0))))
    finally:
        pool.close()
    assert done == [Done(task, {"n": 1})]


@pytest.mark.parametrize("waits", [False, True])
def test_a_child_ends_in_order_and_leaves_no_core(monkeypatch: pytest.MonkeyPatch, *, waits: bool) -> None:
    monkeypatch.setattr(processes, "_PROGRAM", CHILD)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    said: SimpleQueue[Any] = SimpleQueue()
    try:
        child = Child("none", environment(0, None), said.put)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    try:
        assert said.get(timeout=10) == ({"core": [0, 0]}, None)
        child.tell({"waits": waits})
        if waits:  # for a frame that is none
            os.write(child._running.stdin.fileno(), b"\2" + bytes(15) + b"{[")
        assert said.get(timeout=10) is None
        assert child._running.wait(10) == 0
    finally:
        child.kill()


def test_where_no_thread_can_listen_no_process_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(processes, "_PROGRAM", CHILD)
    monkeypatch.setattr(threading.Thread, "start", none)
    said: SimpleQueue[Any] = SimpleQueue()
    child = Child("none", environment(0, None), said.put)
    assert said.get(timeout=5) is None
    assert child._running.poll() == -signal.SIGKILL


def test_a_frame_holds_the_name_of_any_file() -> None:
    file = BytesIO()
    send(file, {"name": os.fsdecode("病历".encode("gb18030"))}, b"text")
    send(file, {"name": "病历"})
    file.seek(0)
    assert receive(file) == ({"name": os.fsdecode("病历".encode("gb18030"))}, b"text")
    assert receive(file) == ({"name": "病历"}, None)
    assert receive(file) is None
