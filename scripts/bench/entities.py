"""Train and score taggers on public corpora: `python scripts/bench/entities.py JOB... --data DIR`.

Each job trains on a corpus's train part, chooses its epoch on dev and scores once on the part named in
the table below; one marked `whole` learns from all that it is given, for the epochs that it names, and its last
epoch counts. Results are added to `scripts/bench/results/entities.json`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clinlp.data.features import without_shared_pieces
from clinlp.data.splits import split
from clinlp.inference.entities import EntityPredictor
from clinlp.metrics.entities import score_entities
from clinlp.metrics.tags import score_tags
from clinlp.note import Note
from clinlp.records import read_notes, write_notes
from clinlp.spans import flatten
from clinlp.tagging.scheme import encode_tags, tag_names
from clinlp.text.tokens import tokenize
from clinlp.training.config import EntitiesConfig
from clinlp.training.finetune import finetune_entities

LSTM: dict[str, Any] = {"max_pieces": 128, "epochs": 20}
MINILM: dict[str, Any] = {
    "encoder": "minilm",
    "batch_pieces": 512,
    "learning_rate": 2e-4,
    "ema": 0.995,
    "precision": "bf16",
}
STACKED: dict[str, Any] = MINILM | {"stacked": True, "whole": True, "learning_rate": 1e-4, "epochs": 8}
E5: dict[str, Any] = {"encoder": "e5", "batch_pieces": 1024, "learning_rate": 2e-4, "precision": "bf16"}
# Name: corpus, part scored, settings; encoders and vectors are named here and come from the command line.
JOBS: dict[str, dict[str, Any]] = {
    "ncbi-lstm": {"set": "en/ncbi_disease", "on": "test", **LSTM, "vectors": "en", "batch_pieces": 800},
    "ncbi-minilm": {
        "set": "en/ncbi_disease",
        "on": "test",
        "encoder": "minilm",
        "epochs": 8,
        "batch_pieces": 1024,
        "learning_rate": 2e-4,
    },
    "ncbi-stacked": {"set": "en/ncbi_disease", "on": "test", **STACKED},
    "bc5cdr-lstm": {"set": "en/bc5cdr", "on": "test", **LSTM, "vectors": "en", "batch_pieces": 800},
    "bc5cdr-minilm": {"set": "en/bc5cdr", "on": "test", **MINILM, "epochs": 8},
    "bc5cdr-stacked": {"set": "en/bc5cdr", "on": "test", **STACKED},
    "maccrobat-lstm": {"set": "en/maccrobat2020", "on": "dev", **LSTM, "vectors": "en", "batch_pieces": 800},
    "maccrobat-minilm": {"set": "en/maccrobat2020", "on": "dev", **MINILM, "epochs": 12},
    "yidu-lstm": {
        "set": "zh/yidu_s4k",
        "on": "dev",
        **LSTM,
        "whole": True,
        "epochs": 8,
        "ema": 0.998,
        "vectors": "zh",
        "batch_pieces": 1024,
        "n_bigrams": 50_000,
    },
    "yidu-e5": {"set": "zh/yidu_s4k", "on": "dev", **E5, "epochs": 6, "max_pieces": 508},
    "yidu-stacked": {
        "set": "zh/yidu_s4k",
        "on": "dev",
        **E5,
        "stacked": True,
        "whole": True,
        "batch_pieces": 2048,
        "layer_decay": 0.9,
        "ema": 0.99,
        "epochs": 6,
        "max_pieces": 508,
        "vectors": "zh",
        "n_bigrams": 50_000,
    },
    "cmeee-e5": {"set": "zh/cmeee_v1", "on": "dev", **E5, "epochs": 4, "head": "pointer"},
}
NAMED = ("minilm", "e5", "en", "zh")
"""Settings whose value is the name of an option that holds a path."""


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train one job and score it."""
    job = dict(JOBS[name])
    folder, part, whole = options.data / job.pop("set"), job.pop("on"), job.pop("whole", False)
    out = options.out / f"{name}-{options.seed}"
    job |= {key: str(getattr(options, value)) for key, value in job.items() if value in NAMED}
    train, dev = (folder / "train.jsonl",), folder / "dev.jsonl"
    if whole and part == "test":
        train = (*train, dev)
    if part == "dev":  # the scored part must not choose the epoch: hold a tenth of train out for that
        out.mkdir(parents=True, exist_ok=True)
        parts = dict(zip(("train", "dev"), split(read_notes(train[0]), 0.1), strict=True))
        for side, notes in parts.items():
            write_notes(notes, out / f"{side}.jsonl")
        train, dev = train if whole else (out / "train.jsonl",), out / "dev.jsonl"
    began = time.perf_counter()
    config = EntitiesConfig.load(None, train=train, dev=(dev,), out=out, seed=options.seed, **job)
    best = finetune_entities(config, resume=options.resume, tell=lambda said: print(name, said, flush=True))
    seconds = time.perf_counter() - began
    gold = list(read_notes(folder / f"{part}.jsonl"))
    predicted = EntityPredictor.load(best.with_name("last") if whole else best, precision="fp32")(gold)
    scores = {match: score_entities(gold, predicted, match) for match in ("strict", "overlap")}
    labels = sorted({span.label for note in gold for span in note.entities})
    seqeval = score_tags(*([_tags(note, labels) for note in side] for side in (gold, predicted)))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu"
    return {
        "job": name,
        "seed": options.seed,
        "scored_on": f"{folder.name} {part}",
        **{match: score.to_dict() for match, score in scores.items()},
        "seqeval_strict_f1": seqeval.f1,
        "seconds": round(seconds, 1),
        "device": device,
        "torch": torch.__version__,
        "settings": JOBS[name],
    }


def _tags(note: Note, labels: list[str]) -> list[str]:
    """Write a note's entities as tags; one that cuts a token is widened, and of two in one token the first stays."""
    names, offsets = tag_names(labels), np.array(tokenize(note.text), np.int32).reshape(-1, 2)
    spans = without_shared_pieces(flatten(note.entities), offsets)
    return [names[tag] for tag in encode_tags(spans, offsets, labels)[0].tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="+", choices=JOBS)
    parser.add_argument("--data", type=Path, required=True, help="folder with en/ncbi_disease, zh/yidu_s4k ...")
    parser.add_argument("--en", type=Path, help="English word vectors (scripts/make_vectors.py)")
    parser.add_argument("--zh", type=Path, help="Chinese word vectors")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--e5", type=Path, help="folder of an English and Chinese e5-small")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run, score a finished one")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "entities.json")
    options = parser.parse_args()
    needed = {value for name in options.jobs for value in JOBS[name].values() if value in NAMED}
    for value in sorted(needed):
        if getattr(options, value) is None:
            parser.error(f"--{value}: needed for {', '.join(options.jobs)}, got none")
    for name in options.jobs:
        result = run(name, options)
        held = json.loads(options.results.read_text("utf-8")) if options.results.is_file() else []
        held = [row for row in held if (row["job"], row["seed"]) != (name, options.seed)] + [result]
        options.results.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(name, json.dumps(result["strict"]["micro"]), "seqeval", result["seqeval_strict_f1"])


if __name__ == "__main__":
    main()
