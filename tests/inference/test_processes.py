"""Processes beside this one: whatever they do or do not do, nobody waits for them without an end."""

from __future__ import annotations

import os
import signal
import threading
from queue import SimpleQueue

import pytest

from clinlp.inference import processes
from clinlp.inference.processes import Child, Frame, environment

ECHO = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from clinlp.inference.processes import begin, send
frames, answers = begin()
while True:
    send(answers, *frames.get())
"""
TEXT = b"\n" * (1 << 22)  # more than a pipe holds


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[Frame | None]:
    monkeypatch.setattr(processes, "_PROGRAM", ECHO)
    return SimpleQueue()


def test_what_is_told_comes_in_order_and_whole(heard: SimpleQueue[Frame | None]) -> None:
    child = Child("", environment(0, None), heard.put)
    told = [({"n": 1}, None), ({"n": 2}, TEXT), ({"n": 3}, b"")]
    for message, text in told:
        child.tell(message, text)
    assert [heard.get(timeout=60) for _ in told] == told
    child.kill()
    assert heard.get(timeout=60) is None
    child.tell({"n": 4})  # nobody is there any more


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="has no such signal")
def test_a_process_that_reads_no_more_holds_up_nobody(heard: SimpleQueue[Frame | None]) -> None:
    child = Child("", environment(0, None), heard.put)
    child.tell({"n": 1})
    assert heard.get(timeout=60) == ({"n": 1}, None)
    os.kill(child.pid, signal.SIGSTOP)
    try:
        telling = threading.Thread(target=child.tell, args=({}, TEXT), daemon=True)
        telling.start()
        telling.join(10)
        assert not telling.is_alive()
    finally:
        child.kill()
    assert heard.get(timeout=60) is None
