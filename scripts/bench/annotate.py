"""Time every stage of the annotator on one core: `python scripts/bench/annotate.py DUMP [--repeat-to 2000 20000]`.

Each run is a process of its own, bound to one core. Stages are timed on chunks of 256 notes as the batch
annotator makes them; the peak memory of a stage is the high-water mark of the process while that stage
runs, models and interpreter included. `--repeat-to` repeats the dump's notes under new ids to each size and
runs the batch annotator over them, rules only. Results are added to `results/annotate.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results" / "annotate.json"
RULES = ("phi", "tokens", "sentences")
OFF = {"phi": "off", "entities": "off", "diagnosis": "off"}


class Meter:
    """Seconds and peak memory by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peak_mib: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is inside, and take its peak memory."""
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        began = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began
        [mark] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        self.peak_mib[stage] = max(self.peak_mib.get(stage, 0.0), int(mark.split()[1]) / 1024)


def time_stages(dump: Path, phi: str, entities: str, diagnosis: str) -> dict[str, Any]:
    """Run all stages over a dump, chunk by chunk, and say what each took."""
    from dataclasses import replace

    from clinlp.batch.config import BatchConfig
    from clinlp.batch.single import chunks, read_all
    from clinlp.deid import deidentify
    from clinlp.inference.config import PipelineConfig
    from clinlp.inference.release import Deidentifier
    from clinlp.note import Note
    from clinlp.records import to_record
    from clinlp.records.jsonl import dumps
    from clinlp.text.context import add_context
    from clinlp.text.language import detect_language
    from clinlp.text.sections import find_sections
    from clinlp.text.sentences import split_sentences
    from clinlp.text.tokens import tokenize

    meter, finder = Meter(), Deidentifier(PipelineConfig(phi=phi, device="cpu"))
    predictors = {"entities": predictor("entities", entities), "diagnosis": predictor("diagnosis", diagnosis)}
    n_notes = n_characters = n_bytes = 0
    stream = chunks(read_all([dump], BatchConfig()), BatchConfig(), {})
    finder.find(
        [Note("warm", "Dr. Jane Doe"), Note("warm too", "患者王小明")]
    )  # word lists and models are loaded once a process
    while True:
        with meter("read"):
            chunk = next(stream, None)
        if chunk is None:
            break
        notes = [record.note for record in chunk if isinstance(record.note, Note)]
        with meter("language"):
            notes = [replace(note, lang=note.lang or detect_language(note.text)) for note in notes]
        with meter("sections"):
            notes = [replace(note, sections=find_sections(note.text, note.lang or "en")) for note in notes]
        with meter("phi"):
            notes = finder.find(notes)
        for stage, predict in predictors.items():
            if predict is not None:
                with meter(stage):
                    notes = predict(notes)
            if stage == "entities":
                with meter("context"):
                    notes = [
                        replace(note, entities=add_context(note.text, note.entities, note.lang or "en", note.sections))
                        for note in notes
                    ]
        n_notes, n_characters = n_notes + len(notes), n_characters + sum(len(note.text) for note in notes)
        with meter("release"):
            notes = [deidentify(note, "tag") for note in notes]
        with meter("tokens"):
            tokens = [tokenize(note.text) for note in notes]
        with meter("sentences"):
            sentences = [split_sentences(note.text, note.lang or "en") for note in notes]
        with meter("write"):
            for note, words, ends in zip(notes, tokens, sentences, strict=True):
                n_bytes += len(dumps(to_record(note) | {"tokens": words, "sentences": ends}, note.note_id))
    return {
        "n_notes": n_notes,
        "n_characters": n_characters,
        "n_bytes_out": n_bytes,
        "seconds": meter.seconds,
        "peak_mib": meter.peak_mib,
        "process_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def predictor(task: str, model: str) -> Callable[[list[Any]], list[Any]] | None:
    """Give what predicts for a chunk: one model, or the bundled one of each language."""
    if model == "off":
        return None
    import torch

    from clinlp.inference.diagnosis import DiagnosisPredictor
    from clinlp.inference.entities import EntityPredictor

    torch.set_num_threads(1)
    kind: Any = EntityPredictor if task == "entities" else DiagnosisPredictor
    by_lang = {
        lang: kind.load(f"{task}-{lang}" if model == "bundled" else model, device="cpu") for lang in ("en", "zh")
    }

    def predict(notes: list[Any]) -> list[Any]:
        found = list(notes)
        for lang, one in by_lang.items():
            places = [at for at, note in enumerate(notes) if note.lang == lang]
            if places:
                for at, note in zip(places, one([notes[at] for at in places]), strict=True):
                    found[at] = note
        return found

    return predict


def time_job(dump: Path, n_notes: int) -> dict[str, Any]:
    """Run the batch annotator, rules only, over the dump's notes repeated to a number."""
    from dataclasses import replace

    from clinlp.batch.config import BatchConfig
    from clinlp.batch.local import annotate
    from clinlp.records import read_notes, write_notes

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dump.jsonl"
        repeated = (note for _ in cycle([0]) for note in read_notes(dump))
        write_notes((replace(note, note_id=f"n{at}") for at, note in enumerate(islice(repeated, n_notes))), path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        summary = annotate([path], Path(folder) / "out", BatchConfig.load(None, **OFF))
    return {
        "n_notes": summary.n_notes,
        "n_characters": summary.n_characters,
        "wall_s": summary.wall_s,
        "notes_per_s": summary.n_notes / summary.wall_s,
        "seconds": summary.seconds,
        "peak_before_mib": before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def alone(arguments: list[str]) -> dict[str, Any]:
    """Run this script in a new process, on one core, and read what it found."""
    core = min(os.sched_getaffinity(0))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(  # noqa: S603  this script itself
        [sys.executable, __file__, *arguments, "--core", str(core)],
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
    )
    return dict(json.loads(done.stdout))


def machine() -> dict[str, Any]:
    """What the numbers were taken on; no name of it."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.machine(),
        "cores": os.cpu_count(),
        "cores_used": 1,
        "python": platform.python_version(),
        "clinlp": version("clinlp-emr"),
        "torch": version("torch"),
        "date": time.strftime("%Y-%m-%d"),
    }


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of the runs, for each stage."""
    first = runs[0]
    seconds = {stage: median(run["seconds"][stage] for run in runs) for stage in first["seconds"]}
    total = sum(seconds.values())
    stages = {
        stage: {
            "seconds": spent,
            "share": spent / total,
            "notes_per_s": first["n_notes"] / spent if spent else None,
            "characters_per_s": first["n_characters"] / spent if spent else None,
            "peak_mib": median(run["peak_mib"][stage] for run in runs),
        }
        for stage, spent in seconds.items()
    }
    rules = sum(seconds[stage] for stage in RULES)
    return {
        "n_notes": first["n_notes"],
        "n_characters": first["n_characters"],
        "stages": stages,
        "rules_characters_per_s": first["n_characters"] / rules,
        "all_notes_per_s": first["n_notes"] / total,
        "all_characters_per_s": first["n_characters"] / total,
    }


def show(scores: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{'stage':<11}{'seconds':>9}{'share':>8}{'notes/s':>11}{'characters/s':>15}{'peak MiB':>10}")
    for stage, held in scores["stages"].items():
        print(
            f"{stage:<11}{held['seconds']:>9.2f}{held['share']:>8.1%}{held['notes_per_s']:>11,.0f}"
            f"{held['characters_per_s']:>15,.0f}{held['peak_mib']:>10.0f}"
        )
    print(f"{' + '.join(RULES)}: {scores['rules_characters_per_s']:,.0f} characters/s")
    print(f"all: {scores['all_notes_per_s']:,.1f} notes/s, {scores['all_characters_per_s']:,.0f} characters/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path)
    parser.add_argument("--phi", default="bundled", help="bundled, off or a model folder")
    parser.add_argument("--entities", default="bundled", help="bundled, off or a model folder")
    parser.add_argument("--diagnosis", default="bundled", help="bundled, off or a model folder")
    parser.add_argument("--runs", type=int, default=3, help="runs whose median is shown")
    parser.add_argument("--repeat-to", type=int, nargs="*", default=[], metavar="N")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.core is not None:  # a process of one run
        os.sched_setaffinity(0, {given.core})
        models = given.phi, given.entities, given.diagnosis
        print(json.dumps(time_job(given.dump, given.job) if given.job else time_stages(given.dump, *models)))
        return
    models = ["--phi", given.phi, "--entities", given.entities, "--diagnosis", given.diagnosis]
    runs = [alone([str(given.dump), *models]) for _ in range(given.runs)]
    scores = summarise(runs)
    show(scores)
    sizes = [alone([str(given.dump), "--job", str(n)]) for n in given.repeat_to]
    for size in sizes:
        print(f"{size['n_notes']:>8,} notes: {size['notes_per_s']:,.0f} notes/s, peak {size['peak_mib']:.0f} MiB")
    name = f"{given.dump.resolve().parent.name}/{given.dump.name}"
    held = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    if given.phi == given.entities == given.diagnosis == "off":
        name += ", rules only"
    kinds = {
        "phi": Path(given.phi).name,
        "entities": Path(given.entities).name,
        "diagnosis": Path(given.diagnosis).name,
    }
    held[name] = {"machine": machine(), "models": kinds, "median": scores, "runs": runs, "repeated": sizes}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(held, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
