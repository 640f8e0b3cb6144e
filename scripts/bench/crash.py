"""Kill a batch job again and again, and compare its output with that of one that was left alone.

`python scripts/bench/crash.py [--notes 20000] [--kills 100]` writes short synthetic notes, some of them broken
and some twice, annotates them by rules with two workers, and then does the same job while SIGKILL strikes at
random moments: the program, or one of its workers. After each kill of the program it is started again. When a
job comes to its end before all kills are done, its output is compared and another is begun. Each kill is a
line of `results/crash.log`; what came of it all is in `results/crash.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PROGRAM = """
import sys
from pathlib import Path
from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
off = {"phi": "off", "entities": "off", "diagnosis": "off"}
annotate([Path(sys.argv[1])], Path(sys.argv[2]), BatchConfig(**off, workers=int(sys.argv[3]), shard_bytes=60_000))
"""
TEXTS = (
    "Seen by Dr. Jane Doe on 03/12/2021. MRN: 4482913. Denies chest pain. Takes metformin 500 mg twice daily.",
    "姓名：王小明，住院号：20240318。主诉：反复胸闷2年。否认糖尿病。予阿司匹林100mg每日一次。",
    "Follow-up after appendectomy. No fever. Call (507) 555-0123 with any questions.",
)


def write_dump(path: Path, n_notes: int, seed: int = 0) -> None:
    """Write short notes; one of a hundred is broken and one of a hundred has an id that came before."""
    chance = random.Random(seed)  # noqa: S311
    with path.open("w", encoding="utf-8") as file:
        for at in range(n_notes):
            if (draw := chance.random()) < 0.01:
                file.write('{"note_id": "broken", "text": \n')
                continue
            note_id = f"n{chance.randrange(at)}" if draw < 0.02 and at else f"n{at}"
            text = f"{TEXTS[at % len(TEXTS)]} {at}"
            file.write(json.dumps({"note_id": note_id, "text": text}, ensure_ascii=False) + "\n")


def checksums(out: Path) -> dict[str, str]:
    """SHA-256 of every file of an output; of the manifest without its times."""
    found = {}
    for path in sorted(out.iterdir()):
        if path.is_file() and path.name != "manifest.json":
            found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    for name in ("began", "seconds", "seconds_by_stage"):
        del manifest[name]
    found["manifest.json"] = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
    return found


def start(dump: Path, out: Path, workers: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", PROGRAM, str(dump), str(out), str(workers)], env=environment
    )


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def strike(running: subprocess.Popen[bytes], chance: random.Random, share: float) -> str | None:
    """Kill the program, or one of its workers; None if it had come to its end."""
    try:
        workers = children(running.pid)
    except FileNotFoundError:
        return None
    if running.poll() is not None:
        return None
    if workers and chance.random() < share:
        os.kill(chance.choice(workers), signal.SIGKILL)
        return "worker"
    running.kill()
    running.wait()
    return "program"


def torture(dump: Path, folder: Path, whole: dict[str, str], given: argparse.Namespace) -> dict[str, Any]:
    """Kill until enough was killed, then let the last job end; say what was the same."""
    chance = random.Random(given.seed)  # noqa: S311
    kills = {"program": 0, "worker": 0}
    jobs: list[dict[str, Any]] = []
    out, running, since, n_here = folder / "out-0", None, time.monotonic(), 0
    log = (RESULTS / "crash.log").open("w", encoding="utf-8")
    while True:
        if running is None:
            running = start(dump, out, given.workers)
        done = sum(kills.values()) >= given.kills
        try:
            running.wait(None if done else chance.uniform(0.0, given.longest_s))
        except subprocess.TimeoutExpired:
            if (target := strike(running, chance, given.share)) is not None:
                kills[target] += 1
                n_here += 1
                parts = len(list(out.glob("part-*"))) if out.exists() else 0
                line = {"kill": sum(kills.values()), "of": target, "job": len(jobs), "parts": parts}
                log.write(json.dumps(line | {"at_s": round(time.monotonic() - since, 2)}) + "\n")
                log.flush()
                running = None if target == "program" else running
            continue
        same = running.returncode == 0 and checksums(out) == whole
        jobs.append({"kills": n_here, "exit": running.returncode, "identical": same})
        log.write(json.dumps({"job": len(jobs) - 1, "ended": True, "identical": same}) + "\n")
        log.flush()
        if done or not same:
            log.close()
            return {"kills": kills, "jobs": jobs, "seconds": round(time.monotonic() - since, 1)}
        shutil.rmtree(out)
        out, running, n_here = folder / f"out-{len(jobs)}", None, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--longest-s", type=float, default=8.0, help="longest wait before a kill")
    parser.add_argument("--share", type=float, default=0.5, help="of the kills that strike a worker")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dump = folder / "dump.jsonl"
        write_dump(dump, given.notes)
        began = time.monotonic()
        if start(dump, folder / "whole", given.workers).wait():
            sys.exit("the job that is left alone needs to succeed")
        alone_s, whole = time.monotonic() - began, checksums(folder / "whole")
        counts = json.loads((folder / "whole" / "manifest.json").read_text("utf-8"))["counts"]
        found = torture(dump, folder, whole, given)
    result = {
        "notes": given.notes,
        "workers": given.workers,
        "files": len(whole),
        "counts": counts,
        "left_alone_s": round(alone_s, 1),
        **found,
        "identical": all(job["identical"] for job in found["jobs"]),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }
    (RESULTS / "crash.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))
    if not result["identical"]:
        sys.exit("output differs")


if __name__ == "__main__":
    main()
