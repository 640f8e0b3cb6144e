"""What a patient's history brings, and what long histories cost: `python scripts/bench/patients.py JOB...`.

`history`: simulated patients whose visits are sentences, English or Chinese by patient. Which code the next visit has
is decided, four times in five, by the visit before this one, so no note tells it alone. A model of notes, n-grams, an
ensemble of both, and a model of patients forecast it for other patients. `memory`: one training step on a patient of
1 to 500 notes of 512 pieces, by a transformer of the size of BERT-base on a GPU; with bounded memory, and with all
hidden states kept.

Results are added to `scripts/bench/results/patients.json`.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clinlp.data.patients import Cohort, next_codes, patients_of
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.metrics.diagnosis import score_diagnoses
from clinlp.models.patients import PatientConfig, PatientDiagnoser
from clinlp.models.transformer import TransformerConfig
from clinlp.note import Diagnosis, Note
from clinlp.training.config import DiagnosisConfig
from clinlp.training.finetune import finetune_diagnosis

WORDS = {
    "R10": ("abdominal pain", "腹痛"),
    "R11": ("nausea and vomiting", "恶心呕吐"),
    "R50": ("fever", "发热"),
    "R53": ("fatigue", "乏力"),
}
CODES = tuple(WORDS)
SENTENCES = (
    ("Seen for {}.", "Presents with {} since yesterday.", "Follow-up: {}, no other complaints.", "Reports {} again."),
    ("因{}就诊。", "昨日起{}，门诊复查。", "复诊：{}，余无不适。", "再次出现{}。"),
)
SURE = 0.8
CEILING = SURE + (1 - SURE) / len(CODES)
PARTS = {"train": (11, 200), "dev": (12, 50), "test": (13, 200)}  # seed, patients
MODELS = {"network": "best", "tfidf": "tfidf", "ensemble": "ensemble"}
NOTES = (1, 10, 100, 500)
PIECES = 512
BASE = {
    "model_type": "bert",
    "vocab_size": 30_522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
}


def walk(draw: random.Random, n_visits: int) -> list[str]:
    """The codes of a patient's visits: each is decided, four times in five, by the visit before the last."""
    made: list[str] = []
    for visit in range(n_visits):
        sure = visit >= 2 and draw.random() < SURE
        made.append(CODES[(CODES.index(made[-2]) + 1) % len(CODES)] if sure else draw.choice(CODES))
    return made


def ward(seed: int, n_patients: int) -> list[Note]:
    """Simulated patients, in turn English and Chinese."""
    draw = random.Random(seed)  # noqa: S311
    made = []
    for patient in range(n_patients):
        lang = patient % 2
        day = date(2020, 1, 1)
        for visit, code in enumerate(walk(draw, draw.randint(3, 7))):
            day += timedelta(draw.randint(7, 300))
            name = f"{seed}-{patient}"
            text = draw.choice(SENTENCES[lang]).format(WORDS[code][lang])
            made.append(Note(f"{name}-{visit}", text, name, time=day, diagnoses=(Diagnosis(code),)))
    return made


def history(seed: int, out: Path, encoder: str) -> dict[str, Any]:
    """Train both kinds on the same patients, and score forecasts from the second visit on."""
    wards = {part: ward(100 * seed + number, n_patients) for part, (number, n_patients) in PARTS.items()}
    gold = forecasts(wards["test"])
    models: dict[str, Any] = {}
    for kind in ("notes", "patients"):
        folder = out / f"history-{encoder}-{kind}-{seed}"
        parts = wards["train"], wards["dev"]
        if kind == "notes":  # what is to be forecast stands at the note itself
            parts = next_codes(parts[0]), next_codes(parts[1])
        config = DiagnosisConfig.load(
            None,
            train=(folder,),
            out=folder,
            encoder=encoder,
            patients="next" if kind == "patients" else None,
            single=True,
            batch_pieces=256,
            learning_rate=3e-3,
            head_learning_rate=3e-3,
            epochs=25,
            patience=8,
            baselines=kind == "notes",
            seed=seed,
        )
        began = time.perf_counter()
        finetune_diagnosis(config, parts=parts)
        seconds = time.perf_counter() - began
        for name, at in MODELS.items() if kind == "notes" else [("network", "best")]:
            predictor = DiagnosisPredictor.load(folder / at, top=len(CODES), precision="fp32")
            predictor.evidence = False
            scores = score_diagnoses(gold, predictor(wards["test"]), single=True)
            models[f"{kind} {name}"] = {"top1": scores.top1, "map": scores.map}
        models[f"{kind} network"]["seconds"] = round(seconds, 1)
    n_notes = {part: len(notes) for part, notes in wards.items()}
    n_scored = sum(note.diagnoses is not None for note in gold)
    facts = {"n_patients": {part: each[1] for part, each in PARTS.items()}, "n_notes": n_notes, "n_scored": n_scored}
    return {"job": f"history {encoder}", "seed": seed, **facts, "ceiling": CEILING, "models": models}


def forecasts(notes: Sequence[Note]) -> list[Note]:
    """Gold of the next visit, where a note before this one could decide it."""
    first = {patient.notes[0] for patient in patients_of(notes)}
    return [replace(note, diagnoses=None) if at in first else note for at, note in enumerate(next_codes(notes))]


def memory() -> Iterator[dict[str, Any]]:
    """Take a training step on ever longer histories."""
    shape = TransformerConfig(model=BASE, first=101, last=102, max_pieces=PIECES - 4, overlap=PIECES // 4)
    for n_notes in NOTES:
        for bounded in (True, False):
            torch.manual_seed(1)
            config = PatientConfig(encoder=shape, codes=tuple(f"C{at}" for at in range(1000)), target="next")
            model = PatientDiagnoser(config).cuda().train()
            model.most_pieces = 16_384 if bounded else 1 << 40
            row = {"job": "memory", "n_notes": n_notes, "n_pieces": n_notes * PIECES, "bounded": bounded, "seed": 1}
            batch = _patient(config, n_notes)
            try:
                for _ in range(2):  # the first pays for what is made once
                    torch.cuda.reset_peak_memory_stats()
                    torch.cuda.synchronize()
                    began = time.perf_counter()
                    with torch.autocast("cuda", torch.bfloat16):
                        loss = model(**batch)
                    loss.backward()
                    torch.cuda.synchronize()
                    row["seconds"] = round(time.perf_counter() - began, 3)
                row["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
            except torch.OutOfMemoryError:
                row["peak_gib"] = None  # more than there is
            del model, batch
            torch.cuda.empty_cache()
            yield row


def _patient(config: PatientConfig, n_notes: int) -> dict[str, Any]:
    """One patient's notes of random pieces, on the GPU."""
    draw = np.random.default_rng(1)
    notes = [Note(f"n{at}", "", "p") for at in range(n_notes)]
    read = [draw.integers(1000, 30_000, (PIECES, 1)).astype(np.int32) for _ in notes]
    cohort = Cohort(read, patients_of(notes), (config.encoder.max_pieces, config.encoder.overlap))
    chunks, order = cohort.chunks([0], 16_384)
    steps = cohort.steps([0], order, np.ones(n_notes, bool))
    batch: dict[str, Any] = {"targets": (torch.rand(n_notes, len(config.codes)) < 0.01).float(), **steps}
    batch = {name: each.cuda() for name, each in batch.items()}
    return batch | {"chunks": [{name: each.cuda() for name, each in chunk.items()} for chunk in chunks]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="+", choices=("history", "memory"))
    parser.add_argument("--encoder", choices=("lstm", "cnn"), default="lstm", help="of history")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "patients.json")
    options = parser.parse_args()
    if "memory" in options.jobs:
        for row in memory():
            keep(row, options.results)
    if "history" in options.jobs:
        for seed in options.seeds:
            keep(history(seed, options.out, options.encoder), options.results)


def keep(row: dict[str, Any], file: Path) -> None:
    """Add a result to the file, in place of an older one of the same job, and show it."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu"
    row |= {"device": device, "torch": torch.__version__}
    names = ("job", "seed", "n_notes", "bounded") if row["job"] == "memory" else ("job", "seed")
    held = json.loads(file.read_text("utf-8")) if file.is_file() else []
    held = [each for each in held if any(each.get(name) != row[name] for name in names)] + [row]
    file.write_text(json.dumps(held, indent=1) + "\n", "utf-8")
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
