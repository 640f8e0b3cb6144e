"""Show that prose of any kind is read without an exception: `python scripts/bench/prose_holds.py [--seconds 3600]`.

`fuzz` runs `scripts/fuzz_prose.py` (atheris) for so many seconds; `cases` runs the hypothesis properties of
`tests/text/test_prose_holds.py` with so many cases each. What was run is added to `results/prose_holds.json`, with
the commit, the id of what `clinlp/text` held, and whether the files of the package differed. A run that was written
elsewhere (`--out`) is added by `--join FILE`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results" / "prose_holds.json"
PARTS = ("fuzz", "cases")
LIMITS = ("-timeout=60", f"-artifact_prefix={tempfile.gettempdir()}/prose-")


def commit() -> dict[str, Any]:
    """Name the code that was run."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603, S607

    changed = bool(git("status", "--porcelain", "--", "clinlp"))
    return {"commit": git("rev-parse", "HEAD").strip(), "text": text_of("HEAD"), "changed": changed}


def text_of(commit: str) -> str:
    """The id that git gives to what `clinlp/text` holds in a commit: alike in all commits with the same files."""
    words = ["git", "rev-parse", f"{commit}:clinlp/text"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def add(path: Path, part: str, record: dict[str, Any]) -> None:
    """Add a record to those of a file."""
    held = json.loads(path.read_text("utf-8")) if path.exists() else {}
    held.setdefault(part, []).append(record)
    path.write_text(json.dumps(held, indent=1) + "\n", "utf-8")


def fuzz(seconds: int) -> dict[str, Any]:
    """Fuzz for so many seconds; a failure leaves its case in a folder that the log names."""
    began = time.time()
    with tempfile.TemporaryDirectory() as corpus:
        done = subprocess.run(  # noqa: S603  a script of ours
            [sys.executable, str(ROOT / "scripts" / "fuzz_prose.py"), f"-max_total_time={seconds}", *LIMITS, corpus],
            capture_output=True,
            text=True,
            check=False,
            cwd=corpus,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    runs = re.findall(r"^Done (\d+) runs? in (\d+) second", done.stderr, re.MULTILINE)
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    if done.returncode or not runs:
        sys.stderr.write(done.stderr[-4000:])
    return {
        "executions": int(runs[-1][0]) if runs else None,
        "seconds": time.time() - began,
        "coverage": int(coverage[-1]) if coverage else None,
        "exceptions": 0 if done.returncode == 0 and runs else 1,
        "atheris": version("atheris"),
    }


def cases(count: int) -> dict[str, Any]:
    """Run every property with so many cases."""
    began = time.time()
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/text/test_prose_holds.py",
        "-k",
        "not linear",
    ]
    done = subprocess.run(  # noqa: S603  our own tests
        [*tests, "--hypothesis-show-statistics"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"CLINLP_CASES": str(count), "PYTHONPATH": str(ROOT)},
    )
    passing = re.findall(r"(\d+) passing, (\d+) failing", done.stdout)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:])
    return {
        "properties": len(re.findall(r"^tests/.*::.*:$", done.stdout, re.MULTILINE)),
        "cases": sum(int(good) for good, _ in passing),
        "failures": sum(int(bad) for _, bad in passing) + (done.returncode != 0),
        "seconds": time.time() - began,
        "hypothesis": version("hypothesis"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=int, default=3600, help="of fuzzing")
    parser.add_argument("--cases", type=int, default=25_000, help="of each property")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--join", type=Path, nargs="+", default=[], help="add runs written elsewhere; run nothing")
    given = parser.parse_args()
    for path in given.join:
        for part, held in json.loads(path.read_text("utf-8")).items():
            for record in held if isinstance(held, list) else [held]:
                add(given.out, part, record | {"text": text_of(record["commit"])})
    if given.join:
        return
    for part in given.parts:
        code = commit()
        made = fuzz(given.seconds) if part == "fuzz" else cases(given.cases)
        add(given.out, part, made | code | {"date": time.strftime("%Y-%m-%d"), "python": sys.version.split()[0]})
        print(f"{part}: {json.dumps(made)}")


if __name__ == "__main__":
    main()
