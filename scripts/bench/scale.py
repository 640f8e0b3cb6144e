"""Memory and speed of the batch annotator over its sizes: `python scripts/bench/scale.py size|workers|spark`.

`size` annotates dumps of short synthetic notes, 10,000 to 1,000,000 of them unless told otherwise, and says how
memory and the time of a note differ; what a job needs to start weighs on the smallest, so the notes that a worker
handles in a second once its models are loaded stand beside the notes of the job. `workers DUMP` annotates one
dump with each number of workers, `spark DUMP` with our own workers and with Spark's. Each job is a program of its
own; its peak memory is the sum of the high-water marks of it and of its workers. Beside wall time stands the
processor time of all processes, which other programs on the machine disturb less. Results are added to
`results/scale.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "scale.json"
OFF = {"phi": "off", "entities": "off", "diagnosis": "off"}
RULES = ("load", "sections", "phi", "entities", "context", "diagnosis", "release", "tokens", "sentences")
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
began = time.perf_counter()
from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
summary = annotate([Path(sys.argv[1])], Path(sys.argv[2]), BatchConfig(**json.loads(sys.argv[3])))
usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({
    "n_notes": summary.n_notes, "n_characters": summary.n_characters, "n_parts": summary.n_parts,
    "wall_s": summary.wall_s, "busy_s": summary.busy_s, "seconds": summary.seconds,
    "program_s": time.perf_counter() - began, "processor_s": sum(each.ru_utime + each.ru_stime for each in usage),
}))
"""
TEXTS = (
    "Seen on 03/12/2021. MRN: 4482913. Denies chest pain.",
    "姓名：王小明。主诉：反复胸闷2年。否认糖尿病。",
    "No fever. Takes metformin 500 mg twice daily.",
    "Stable overnight, tolerating diet, plan discharge.",
)


def job(dump: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Run a job in a program of its own, and watch its memory and that of its workers."""
    peaks: dict[int, int] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-W", "ignore", "-c", PROGRAM, str(dump), f"{folder}/out", json.dumps(config)],
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        ) as running,
    ):
        while running.poll() is None:
            for pid in family(running.pid):
                peaks[pid] = max(peaks.get(pid, 0), high_water(pid))
            time.sleep(0.2)
        data = running.stdout.read() if running.stdout else b""
    if running.returncode:
        sys.exit(f"job: exit code 0 needed, got {running.returncode}")
    found = dict(json.loads(data.splitlines()[-1]))
    mib = sorted((peak / 1024 for peak in peaks.values()), reverse=True)
    rules = sum(spent for stage, spent in found["seconds"].items() if stage in RULES)
    return found | {
        "config": config,
        "peak_mib": sum(mib),
        "peak_mib_each": [round(each, 1) for each in mib],
        "notes_per_s": found["n_notes"] / found["wall_s"],
        "notes_per_s_of_a_worker": found["n_notes"] / (found["busy_s"] - found["seconds"]["load"]),
        "processor_ms_per_note": 1000 * found["processor_s"] / found["n_notes"],
        "overhead": 1 - rules / found["busy_s"],
    }


def family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *map(int, children)]


def high_water(pid: int) -> int:
    try:
        marks = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    except OSError:
        return 0
    return int(marks[0].split()[1]) if marks else 0


def write_short(path: Path, n_notes: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for at in range(n_notes):
            file.write(json.dumps({"note_id": f"n{at}", "text": TEXTS[at % len(TEXTS)]}, ensure_ascii=False) + "\n")


def sizes(numbers: list[int], workers: int) -> dict[str, Any]:
    """The same job over dumps of several sizes."""
    runs = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / "dump.jsonl"
            write_short(dump, number)
            # parts of one size, so that only their number differs
            runs.append(job(dump, {**OFF, "workers": workers, "shard_bytes": 1 << 18}))
        show(runs[-1])
    kinds = ("peak_mib", "notes_per_s", "notes_per_s_of_a_worker", "processor_ms_per_note")
    ratios = [{kind: runs[-1][kind] / run[kind] for kind in kinds} for run in runs[:-1]]
    for run, ratio in zip(runs, ratios, strict=False):
        print(f"last to {run['n_notes']:,}:", {name: round(each, 3) for name, each in ratio.items()})
    return {"runs": runs, "last_to_each": ratios}


def scaling(dump: Path, configs: list[dict[str, Any]]) -> dict[str, Any]:
    """One dump with several configs; the first is what the others are compared with."""
    runs = []
    for config in configs:
        runs.append(job(dump, config))
        show(runs[-1])
    times = [runs[0]["wall_s"] / run["wall_s"] for run in runs]
    print("times the first:", [round(each, 2) for each in times])
    return {"dump": f"{dump.resolve().parent.name}/{dump.name}", "runs": runs, "times_the_first": times}


def show(run: dict[str, Any]) -> None:
    print(
        f"{run['n_notes']:>9,} notes, {run['config'].get('on') or str(run['config'].get('workers')) + ' workers'}: "
        f"{run['wall_s']:,.1f} s, {run['notes_per_s']:,.1f} notes/s, "
        f"{run['notes_per_s_of_a_worker']:,.1f} of a loaded worker, {run['processor_ms_per_note']:.2f} processor ms a "
        f"note, peak {run['peak_mib']:,.0f} MiB, overhead {run['overhead']:.1%}",
        flush=True,
    )


def machine() -> dict[str, Any]:
    """What the numbers were taken on; no name of it."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "clinlp": version("clinlp-emr"),
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["size", "workers", "spark"])
    parser.add_argument("dump", type=Path, nargs="?")
    parser.add_argument("--notes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--config", type=json.loads, default=OFF, help="options of the job, as JSON")
    parser.add_argument("--name", default="", help="added to the name of the result")
    given = parser.parse_args()
    before = machine()
    if given.what == "size":
        found = sizes(given.notes, given.workers[-1])
    elif given.dump is None:
        parser.error("a dump needed")
    elif given.what == "workers":
        found = scaling(given.dump, [{**given.config, "workers": number} for number in given.workers])
    else:
        number = given.workers[-1]
        on = f"local[{number}]"
        found = scaling(given.dump, [{**given.config, "workers": number}, {**given.config, "on": on}])
    held = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    held[f"{given.what} {given.name}".strip()] = {"machine": before, **found}
    RESULTS.write_text(json.dumps(held, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
