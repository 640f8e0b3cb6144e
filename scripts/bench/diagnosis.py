"""Train and score diagnosers on public corpora: `python scripts/bench/diagnosis.py JOB... --data DIR`.

A job is a corpus and an encoder. The part that is scored chooses nothing: a tenth of train is held out for the
epoch, the thresholds, the calibration and the weights of the ensemble. The network, the TF-IDF baseline, the
names of codes, in part and whole, and the ensemble of all are scored side by side; a gold code that train lacks counts
as missed. A job `-both` weighs the BiLSTM and the CNN of jobs done before, in the same --out, in one ensemble. Macro F1
is the mean over all codes that gold or predicted notes have, and, as `learned`, over those that ten training notes
have or more. Results are added to `scripts/bench/results/diagnosis.json`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from clinlp.data.splits import split
from clinlp.inference.decision import choice
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.metrics.diagnosis import DiagnosisScores, score_diagnoses
from clinlp.metrics.intervals import interval
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.training.beside import train_beside
from clinlp.training.config import DiagnosisConfig
from clinlp.training.finetune import finetune_diagnosis
from clinlp.training.runs import gold_notes

TRANSFORMER: dict[str, Any] = {"max_pieces": 508, "learning_rate": 1e-4, "precision": "bf16", "ema": 0.99}
ENCODERS: dict[str, dict[str, Any]] = {  # paths are named here and come from the command line
    "minilm": {"encoder": "minilm", **TRANSFORMER},
    "e5": {"encoder": "e5", **TRANSFORMER},
    "lstm": {"encoder": "lstm", "max_pieces": 256},
    "cnn": {"encoder": "cnn", "max_pieces": 1024},
}
# Name: corpus, what is read of it (a text in `fields`, codes that begin so), settings, epochs of a transformer and
# of the others. A corpus without a dev part gives a fifth of its notes, chosen by a hash of their ids.
SETS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "codiesp": ({"set": "en/codiesp_en", "batch_pieces": 4096}, (40, 15)),
    "codiesp3": ({"set": "en/codiesp_en", "batch_pieces": 4096, "code_length": 3}, (40, 15)),
    "openi": ({"set": "en/openi_iu_xray", "batch_pieces": 2048}, (20, 30)),
    "symptoms": ({"set": "en/symptom2disease", "batch_pieces": 1024, "single": True}, (20, 20)),
    "tcm": ({"set": "zh/tcm_tbosd", "begins": "disease:", "batch_pieces": 8192, "single": True}, (15, 25)),
    "dialogues": ({"set": "zh/dialogues", "text": "patient_text", "batch_pieces": 4096, "single": True}, (10, 8)),
    # the same notes whole: a doctor often says the diagnosis, so that this is coding rather than diagnosis
    "chats": ({"set": "zh/dialogues", "batch_pieces": 4096, "single": True}, (10, 8)),
    "triage": ({"set": "zh/triage_2022", "batch_pieces": 4096, "single": True}, (5, 5)),
}


SCRATCH = ("lstm", "cnn")
SLOW: dict[str, Any] = {"learning_rate": 1e-3, "head_learning_rate": 1e-3}
FAST: dict[str, dict[str, Any]] = {"codiesp3-lstm": {"batch_pieces": 2048, "epochs": 25}}
"""Networks from scratch that take the package's rates, and what else they have of their own; the rest is at `SLOW`."""
NAMED = ("minilm", "e5", "icd")
"""Settings whose value is the name of an option that holds a path."""
LEARNED = 10
"""Training notes from which on a code is one of the `learned`."""


def _jobs() -> dict[str, dict[str, Any]]:
    """Give the settings of every corpus with every encoder of its language."""
    jobs: dict[str, dict[str, Any]] = {}
    for name, (settings, epochs) in SETS.items():
        english = settings["set"].startswith("en/")
        for encoder in ("minilm", "e5", "lstm", "cnn") if english else ("e5", "lstm", "cnn"):
            held = settings | ENCODERS[encoder] | {"epochs": epochs[encoder in SCRATCH]}
            if encoder in SCRATCH:
                held |= FAST.get(f"{name}-{encoder}", SLOW)
                held["vectors"] = "minilm" if english else "e5"
                held |= {} if english else {"n_bigrams": 50_000}
            jobs[f"{name}-{encoder}"] = held
            if name.startswith("codiesp"):  # codes start from their names, which the dictionary knows too
                jobs[f"{name}-{encoder}-names"] = held | {"code_names": "icd"}
    for name in [name for name in jobs if "-lstm" in name]:
        jobs[name.replace("-lstm", "-both")] = jobs[name] | {"both": name}
    return jobs


JOBS = _jobs()
MODELS = {"network": "best"} | {name: name for name in ("tfidf", "likeness", "dictionary", "ensemble")}
"""Models of a run, and their folders."""


def read_corpus(folder: Path, job: dict[str, Any]) -> tuple[list[Note], list[Note]]:
    """Read the notes to train on and those to score on, and take what the job does not read out of them."""
    text, begins = job.get("text"), job.get("begins", "")
    train = list(read_notes(folder / "train.jsonl"))
    train, scored = (train, list(read_notes(folder / "dev.jsonl"))) if _has_dev(folder) else split(train, 0.2, 5)

    def cut(note: Note) -> Note:
        codes = tuple(each for each in note.diagnoses or () if each.code.startswith(begins))
        words = note.text if text is None else str(note.fields[text])
        return Note(note.note_id, words, patient_id=note.patient_id, lang=note.lang, diagnoses=codes)

    return [cut(note) for note in train], [cut(note) for note in scored]


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train one job and score its models."""
    job = dict(JOBS[name]) | ({"epochs": options.epochs} if options.epochs else {})
    folder, out = options.data / job["set"], options.out / f"{name}-{options.seed}"
    train, gold = read_corpus(folder, job)
    kept, dev = split(train, 0.1)
    settings = {key: value for key, value in job.items() if key not in ("set", "text", "begins", "both")}
    settings |= {key: str(getattr(options, value)) for key, value in settings.items() if value in NAMED}
    config = DiagnosisConfig.load(
        None, train=(folder / "train.jsonl",), out=out, seed=options.seed, baselines=False, **settings
    )
    gold = gold_notes(config, gold)
    if "both" in job:
        config = _both(config, job["both"], options)
    resume = "both" in job or (options.resume and out.is_dir())
    finetune_diagnosis(config, resume=resume, tell=lambda said: print(name, said, flush=True), parts=(kept, dev))
    epochs = map(json.loads, (out / "log.jsonl").read_text("utf-8").splitlines())
    seconds = {"network": round(sum(each["seconds"] for each in epochs), 1)}
    if options.baselines:
        began = time.perf_counter()
        corpus = name.partition("-")[0] + "-names" * ("code_names" in job)
        _beside(config, kept, dev, options.out / "beside" / corpus)
        seconds["baselines"] = round(time.perf_counter() - began, 1)
    seen = Counter(code for note in gold_notes(config, kept) for code in {each.code for each in note.diagnoses or ()})
    learned = {code for code, n in seen.items() if n >= LEARNED}
    codes = [each.code for note in gold for each in note.diagnoses or ()]
    return {
        "job": name,
        "seed": options.seed,
        "scored_on": f"{folder.name} {'dev' if _has_dev(folder) else 'a fifth by hash'}",
        "n_notes": {"train": len(kept), "chosen_on": len(dev), "scored": len(gold)},
        "n_codes": len(seen),
        "gold_codes_in_train": sum(code in seen for code in codes) / len(codes),
        "models": {
            model: _scores(out / at, gold, learned)
            for model, at in MODELS.items()
            if (out / at / "config.json").is_file()
        },
        "seconds": seconds,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
        "torch": torch.__version__,
        "settings": job,
    }


def _both(config: DiagnosisConfig, lstm: str, options: argparse.Namespace) -> DiagnosisConfig:
    """Take the run of a BiLSTM as it was, and the network of the CNN to be weighed beside it."""
    lstm_run, cnn_run = (options.out / f"{job}-{options.seed}" for job in (lstm, lstm.replace("-lstm", "-cnn")))
    for run in (lstm_run, cnn_run):
        if not (run / "best" / "config.json").is_file():
            raise FileNotFoundError(f"{run}: a run needed, got none; its job comes first")
    shutil.copytree(lstm_run, config.out, dirs_exist_ok=True)
    return config.model_copy(update={"join": (cnn_run / "best",)})


def _beside(config: DiagnosisConfig, kept: Sequence[Note], dev: Sequence[Note], shared: Path) -> None:
    """Train what stands beside a network; what depends on the corpus alone is fitted once for all its networks."""
    for name in ("tfidf", "likeness", "dictionary"):
        if (shared / name).is_dir():
            shutil.copytree(shared / name, config.out / name, dirs_exist_ok=True)
    train_beside(config, kept, gold_notes(config, dev), resume=True)
    for name in ("tfidf", "likeness", "dictionary"):
        if (config.out / name).is_dir() and not (shared / name).is_dir():
            part = shared / f"{name}.{os.getpid()}"  # a job beside this one sees it whole or not at all
            shutil.copytree(config.out / name, part)
            with suppress(OSError):
                part.rename(shared / name)


def _scores(folder: Path, gold: Sequence[Note], learned: set[str]) -> dict[str, Any]:
    """Score one model: its ranking of all codes, and the codes that its own thresholds choose.

    Args:
        learned: Codes over which macro F1 is given once more.
    """
    predictor = DiagnosisPredictor.load(folder, precision="fp32", top=1)
    predictor.top, predictor.evidence = len(predictor.codes), False
    decision = choice(predictor.config)
    began = time.perf_counter()
    predicted = predictor(gold)
    seconds = time.perf_counter() - began
    scores = score_diagnoses(gold, predicted, decision, ks=(1, 5, 8, 15), single=predictor.config.single)
    held = scores.to_dict()
    kept = ("micro", "macro", "exact", "top1", "precision_at", "recall_at", "map")
    return {
        **{key: held[key] for key in kept},
        "learned": {"n_codes": len(scores.codes.keys() & learned), "f1": scores.macro_over(learned)},
        "intervals": _intervals(scores),
        "chosen": str(decision),
        "predict_seconds": round(seconds, 2),
    }


def _intervals(scores: DiagnosisScores) -> dict[str, Any]:
    """Give 95 % bootstrap intervals over notes."""
    columns = {name: [note.shares[name] for note in scores.notes] for name in ("map", "top1", "exact")}
    counts = [list(note.labels.values()) for note in scores.notes]
    columns["micro_f1"] = [
        (2.0 * sum(each.n_correct for each in row), float(sum(each.n_gold + each.n_predicted for each in row)))
        for row in counts
    ]
    return {name: interval(*zip(*column, strict=True)).to_dict() for name, column in columns.items()}


def _has_dev(folder: Path) -> bool:
    return (folder / "dev.jsonl").is_file()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="+", choices=JOBS, metavar="JOB", help=", ".join(JOBS))
    parser.add_argument("--data", type=Path, required=True, help="folder with en/codiesp_en, zh/tcm_tbosd ...")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2; English word vectors come of it too")
    parser.add_argument("--e5", type=Path, help="folder of an English and Chinese e5-small; Chinese vectors too")
    parser.add_argument(
        "--icd",
        type=Path,
        help="table of ICD-10-CM, columns code and name (of simple-icd-10-cm, say), for jobs on names",
    )
    parser.add_argument("--no-baselines", dest="baselines", action="store_false", help="train the network alone")
    parser.add_argument("--resume", action="store_true", help="go on with networks that are in --out")
    parser.add_argument("--epochs", type=int, help="for a trial: other than the job's")
    parser.add_argument("--at-once", type=int, default=1, help="jobs that run side by side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "diagnosis.json")
    options = parser.parse_args()
    needed = {value for name in options.jobs for value in JOBS[name].values() if value in NAMED}
    for value in sorted(needed):
        if getattr(options, value) is None:
            parser.error(f"--{value}: needed for {', '.join(options.jobs)}, got none")
    # A process a job: it keeps no memory of the GPU, and what one asks of accelerate does not bind the next.
    context = multiprocessing.get_context("spawn")
    failed = 0
    with ProcessPoolExecutor(options.at_once, context, max_tasks_per_child=1) as pool:
        jobs = {pool.submit(run, name, options): name for name in dict.fromkeys(options.jobs)}
        for done in as_completed(jobs):
            if error := done.exception():  # the others go on
                print(jobs[done], f"{type(error).__name__}: {error}", flush=True)
                failed = 1
            else:
                _keep(done.result(), options.results)
    sys.exit(failed)


def _keep(result: dict[str, Any], file: Path) -> None:
    """Add a result to the file, in place of an older one of the same job and seed, and show it."""
    name, seed = result["job"], result["seed"]
    held = json.loads(file.read_text("utf-8")) if file.is_file() else []
    held = [row for row in held if (row["job"], row["seed"]) != (name, seed)] + [result]
    file.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for model, scores in result["models"].items():
        shown = {"MAP": scores["map"], "micro F1": scores["micro"]["f1"], "macro F1": scores["macro"]["f1"]}
        shown["exact"] = scores["exact"]
        print(name, model, *(f"{key} {100 * value:.2f}" for key, value in shown.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
