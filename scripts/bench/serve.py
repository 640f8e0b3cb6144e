"""Time the service: `python scripts/bench/serve.py [latency|load|overload|memory ...]`.

`latency`: one note of 2,000 characters through de-identification, entities and diagnosis with the bundled models,
in Python, one thread, warm; seconds of the processor and of the wall, and where they go. `load`: so many clients
ask on kept connections for so many seconds, each with one note of 200 or 1,000 characters after the other, of a service
that makes batches and of one that does not (`--batch-notes 1`), in turns; notes a second of the wall and of the
service's processor time; with `--workers N`, by N processes too. `overload`: the same with a queue that is too
short. `memory`: what the service, by rules alone, holds after so many requests. Notes are those of the synthetic
corpora, joined and cut. Results go to `results/serve.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, product
from pathlib import Path
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from clinlp.inference import pipeline as pipelines
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.note import Note
from clinlp.records import read_notes
from scripts.bench.annotate import machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results" / "serve.json"
PORT = 8799
HOW = {"batched": (), "unbatched": ("--batch-notes", "1")}
TICKS = os.sysconf("SC_CLK_TCK")


def texts(lang: str, n_characters: int, n_texts: int) -> list[str]:
    """Cut the corpus of a language into texts of one length."""
    held = "\n".join(note.text for note in read_notes(ROOT / "corpora" / lang / "test.jsonl"))
    held *= n_texts * n_characters // len(held) + 1
    return [held[at * n_characters : (at + 1) * n_characters] for at in range(n_texts)]


def measure_latency(lang: str, options: dict[str, Any], n_notes: int, rounds: int) -> dict[str, Any]:
    """Time notes one by one."""
    import torch

    torch.set_num_threads(1)
    pipeline = Pipeline(PipelineConfig(**options))
    notes = [Note(str(at), text, lang=lang) for at, text in enumerate(texts(lang, 2000, n_notes))]
    for note in notes[:5]:
        pipeline([note])
    pipelines.time = SimpleNamespace(perf_counter=time.process_time)  # stages in seconds of the processor
    pipeline.seconds.clear()
    cpu, wall = [], []
    for note in notes * rounds:
        began = time.perf_counter(), time.process_time()
        pipeline([note])
        wall.append(time.perf_counter() - began[0])
        cpu.append(time.process_time() - began[1])
    pipelines.time = time
    stages = {name: 1000 * seconds / len(cpu) for name, seconds in pipeline.seconds.items()}
    return {
        "n_notes": n_notes,
        "rounds": rounds,
        "cpu_ms": 1000 * median(cpu),
        "wall_ms": 1000 * median(wall),
        "best_wall_ms": 1000 * min(wall),
        "stages_cpu_ms": stages,
        "each_cpu_ms": [round(1000 * each, 2) for each in cpu],
    }


def around() -> dict[str, Any]:
    """On what a number was taken, and what else ran there."""
    return {"machine": machine(), "load_average": os.getloadavg()}


class Service:
    """A service in a process of its own, and its workers' processes."""

    def __init__(self, pid: int) -> None:
        self.pids = [pid]
        for path in Path("/proc").glob("[0-9]*/stat"):
            if int(path.read_text("ascii").rpartition(")")[2].split()[1]) == pid:
                self.pids.append(int(path.parent.name))

    def cpu_s(self) -> float:
        """Seconds of the processor so far."""
        fields = [Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split() for pid in self.pids]
        return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS

    def resident_mib(self) -> float:
        """Memory that they hold."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def all_ready(flags: Sequence[str]) -> bool:
    """Say whether every worker is there."""
    n_workers = flags[flags.index("--workers") + 1] if "--workers" in flags else "1"
    with urlopen(f"http://127.0.0.1:{PORT}/metrics") as answer:
        return f"clinlp_workers {n_workers}\n".encode() in answer.read()


@contextmanager
def service(*flags: str) -> Iterator[Service]:
    """Start it and wait until it is ready."""
    from clinlp.serve import Client

    command = [sys.executable, "-m", "clinlp", "serve", "--port", str(PORT), *flags]
    settings = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, env=settings)  # noqa: S603  our own
    try:
        with Client(f"http://127.0.0.1:{PORT}") as client:
            while not client.ready() or not all_ready(flags):
                time.sleep(0.2)
        yield Service(process.pid)
    finally:
        process.terminate()
        process.wait()


async def ask(path: str, bodies: Iterator[bytes], end: float, limit: int, seconds: list[float]) -> Counter[int]:
    """Post one body after the other on one connection, until the time or the number is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    statuses: Counter[int] = Counter()
    while time.perf_counter() < end and statuses.total() < limit:
        body = next(bodies)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        began = time.perf_counter()
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in answer.split(b"\r\n")[1:-2])
        await reader.readexactly(int(headers[b"content-length"]))
        status = int(answer[9:12])
        statuses[status] += 1
        if status == 200:
            seconds.append(time.perf_counter() - began)
        elif status == 429:
            await asyncio.sleep(0.05)  # sooner than it asks for: it has to bear that too
    writer.close()
    return statuses


async def ask_all(path: str, bodies: list[bytes], n_clients: int, wall_s: float, limit: int) -> dict[str, Any]:
    """Let all clients ask at once."""
    seconds: list[float] = []
    stream, began = cycle(bodies), time.perf_counter()
    asked = [ask(path, stream, began + wall_s, limit, seconds) for _ in range(n_clients)]
    statuses = sum(await asyncio.gather(*asked), Counter())
    took = time.perf_counter() - began
    cuts = quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
    return {
        "n_clients": n_clients,
        "wall_s": took,
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "notes_per_s": statuses[200] / took,
        "p50_ms": 1000 * cuts[49],
        "p99_ms": 1000 * cuts[98],
    }


def load(path: str, lang: str, length: int, wall_s: float, *flags: str) -> dict[str, Any]:
    """Load a service by 64 clients with notes of one length, and say what it did and what that cost it."""
    bodies = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in texts(lang, length, 64)]
    with service(*flags) as served:
        asyncio.run(ask_all(path, bodies, 8, 2.0, 10**9))  # warm
        before = served.cpu_s()
        done = asyncio.run(ask_all(path, bodies, 64, wall_s, 10**9))
        cpu_s = served.cpu_s() - before
        n_done = done["statuses"].get("200", 0)
        return done | {
            "flags": list(flags),
            "cpu_s": cpu_s,
            "notes_per_cpu_s": n_done / cpu_s,
            "resident_mib": served.resident_mib(),
        }


def memory(n_requests: int, steps: int) -> dict[str, Any]:
    """Say what the service, by rules alone, holds after so many requests, each of other words."""
    held = []
    with service("--phi", "off", "--entities", "off", "--diagnosis", "off") as served:
        for step in range(steps):
            pieces = texts("en", 200, 512) + texts("zh", 60, 512)
            bodies = [
                json.dumps({"note_id": f"{step}-{at}", "text": f"{at} {text}", f"column {step} {at}": at}).encode()
                for at, text in enumerate(pieces)
            ]
            done = asyncio.run(ask_all("/v1/annotate", bodies, 64, 1e9, -(-n_requests // steps // 64)))
            held.append({"n_requests": sum(done["statuses"].values()), "resident_mib": served.resident_mib()})
            sys.stderr.write(f"{step} {held[-1]}\n")
    return {"steps": held}


def main() -> None:
    """Measure what is asked for, and keep the other results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["latency", "load", "overload", "memory"])
    parser.add_argument("--seconds", type=float, default=20.0, help="of one side of `load`")
    parser.add_argument("--workers", type=int, default=1, help="processes of `load`, beside one")
    parser.add_argument("--requests", type=int, default=100_000, help="of `memory`")
    given = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    found = {name: held for name, held in found.items() if name.split()[0] not in given.what}
    ways = {"all": {}, "PHI by rules alone": {"phi": "off"}, "all, bf16": {"precision": "bf16"}}
    for lang in ("en", "zh"):
        for way, options in ways.items():
            if "latency" in given.what:
                found[f"latency {lang}, {way}"] = measure_latency(lang, options, 20, 2) | around()
        if "load" in given.what:
            for length in (200, 1000):
                for n_workers, how in product(sorted({1, given.workers}), HOW):
                    flags = (*HOW[how], *(("--workers", str(n_workers)) if n_workers > 1 else ()))
                    held = load("/v1/annotate", lang, length, given.seconds, *flags) | around()
                    by = f", {n_workers} workers" if n_workers > 1 else ""
                    found[f"load {lang}, {length} characters{by}, {how}"] = held
        if "overload" in given.what:
            flags = ("--queue-notes", "16", "--max-notes", "16")
            found[f"overload {lang}"] = load("/v1/annotate", lang, 1000, given.seconds / 2, *flags) | around()
    if "memory" in given.what:
        found["memory"] = memory(given.requests, 10) | around()
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for name, held in found.items():
        shown = {key: round(value, 1) for key, value in held.items() if isinstance(value, float)}
        print(name, shown)


if __name__ == "__main__":
    main()
