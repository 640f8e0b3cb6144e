"""What many codes and long notes cost: `python scripts/bench/codes.py --minilm DIR --data DIR`.

Four measurements, on a GPU if there is one, else with one thread:

- `attention`: a training step of label attention alone against its floor, which is the products of matrices that it
  cannot do without, timed by themselves in the same shapes and precision.
- `step`: a whole training step, encoder and 10,000 codes, on one note of 8,000 pieces; the memory it takes.
- `long_notes`: notes of several thousand pieces through our predictor, against a loop that encodes the windows of one
  note after the other in float32, pads each to its full length and keeps the attention of every code.
- `tfidf`: the codes of codiesp_en, fitted all at once, against one regression of scikit-learn after the other (some
  codes of all, drawn evenly by how many notes have them, counted up).

Sides take turns; medians count. Results go to `results/codes.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from clinlp.data.batches import join
from clinlp.data.splits import split
from clinlp.data.subwords import SubwordPieces
from clinlp.inference.device import autocast
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.network import NoteRanker
from clinlp.models.codes import CodesConfig
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.label_attention import LabelAttention
from clinlp.models.transformer import TransformerConfig, TransformerEncoder, read_encoder
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.tagging.windows import overlapping
from clinlp.training.baselines import fit_tfidf, targets
from scripts.bench.annotate import machine

RESULTS = Path(__file__).parent / "results" / "codes.json"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
GPU = DEVICE.type == "cuda"
MAX_PIECES = 508


def seconds_of(*sides: Callable[[], object], rounds: int = 5) -> list[float]:
    """Time calls in turn, after one that does not count; give the median of each."""
    taken: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds + 1):
        for side, times in zip(sides, taken, strict=True):
            began = clock()
            side()
            if turn:
                times.append(clock() - began)
    return [median(times) for times in taken]


def clock() -> float:
    """Seconds: of the wall once a GPU is done, else of this process."""
    if not GPU:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def attention(n_codes: int, n_pieces: int, width: int = 384, inner: int = 128) -> dict[str, Any]:
    """Hold a training step of label attention against the products in it."""
    torch.manual_seed(1)
    model = LabelAttention(width, n_codes, inner).to(DEVICE)
    hidden = torch.randn(1, n_pieces, width, device=DEVICE, requires_grad=True)
    mask = torch.ones(1, n_pieces, dtype=torch.bool, device=DEVICE)
    kind = torch.bfloat16 if GPU else torch.float32
    keys, states, queries, read, table = (
        torch.randn(shape, device=DEVICE, dtype=kind)
        for shape in ((n_pieces, inner), (n_pieces, width), (n_codes, inner), (n_codes, width), (n_pieces, n_codes))
    )

    def step() -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=GPU):
            model.score(hidden, mask).sum().backward()

    def floor() -> None:
        for side, codes in ((keys, queries), (states, read)):
            side @ codes.T  # the scores or values of all pieces
            table @ codes  # what a piece gets back
            table.T @ side  # what a code gets back

    ours, least = seconds_of(step, floor)
    n_flops = 6 * n_pieces * n_codes * (width + inner)
    return {
        "codes": n_codes,
        "pieces": n_pieces,
        "step_s": ours,
        "floor_s": least,
        "times_the_floor": ours / least,
        "gflop": n_flops / 1e9,
        "gflop_per_s": n_flops / 1e9 / ours,
        "groups_of_codes": -(-n_codes // max(1, model.most_cells // n_pieces)),
    }


def make_diagnoser(folder: Path, n_codes: int) -> tuple[Diagnoser, SubwordPieces]:
    """Put a random head for so many codes on a pretrained encoder."""
    torch.manual_seed(1)
    encoder, shape = read_encoder(str(folder))
    reader = SubwordPieces((folder / "tokenizer.json").read_text("utf-8"))
    around = {"first": reader.first, "last": reader.last, "pad": reader.pad}
    config = TransformerConfig(model=shape, **around, max_pieces=MAX_PIECES, overlap=MAX_PIECES // 4)
    codes = tuple(f"C{at:05}" for at in range(n_codes))
    return Diagnoser(DiagnoserConfig(encoder=config, codes=codes), TransformerEncoder(config, encoder)).to(
        DEVICE
    ), reader


def step(folder: Path, n_codes: int, n_pieces: int) -> dict[str, Any]:
    """Train one step on one long note; give its time and the most memory."""
    model, _ = make_diagnoser(folder, n_codes)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
    pieces = np.random.default_rng(1).integers(1000, 2000, (n_pieces, 1)).astype(np.int32)
    batch = join([(pieces, overlapping(n_pieces, MAX_PIECES, MAX_PIECES // 4))])
    held = [part.to(DEVICE) for part in (batch.pieces, batch.mask, batch.places)]
    gold = torch.zeros(1, n_codes, device=DEVICE)
    gold[0, ::700] = 1.0
    model.train()
    times = []
    for _ in range(4 if GPU else 1):
        began = clock()
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=GPU):
            loss = model(*held, gold)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(clock() - began)
    peak = torch.cuda.max_memory_allocated() if GPU else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"codes": n_codes, "pieces": n_pieces, "step_s": times[-1], "peak_gib": peak / 2**30, "loss": loss.item()}


def long_notes(folder: Path, texts: list[str], n_codes: int, n_notes: int, n_pieces: int) -> dict[str, Any]:
    """Hold our predictor against a loop over the windows of each note."""
    model, reader = make_diagnoser(folder, n_codes)
    model.eval()
    notes, joined = [], ""
    for text in texts:
        joined += f"{text}\n"
        if len(reader(joined)) >= n_pieces * (1 + len(notes) % 4) / 2.5:  # lengths differ, as those of notes do
            notes.append(Note(f"n{len(notes)}", joined))
            joined = ""
        if len(notes) == n_notes:
            break
    predictor = DiagnosisPredictor(NoteRanker(model, reader, precision="auto"), top=5, evidence=False)

    def ours() -> None:
        predictor(notes)

    def loop() -> None:
        with torch.inference_mode():
            for note in notes:
                read = reader(note.text).features
                states = []
                for begin in range(0, len(read), MAX_PIECES):
                    part = torch.zeros(1, MAX_PIECES, 1, dtype=torch.int64)
                    mask = torch.zeros(1, MAX_PIECES, dtype=torch.bool)
                    window = torch.from_numpy(read[begin : begin + MAX_PIECES].astype(np.int64))
                    part[0, : len(window)], mask[0, : len(window)] = window, True
                    states.append(model.encoder(part.to(DEVICE), mask.to(DEVICE))[0, : len(window)])
                hidden = torch.cat(states)[None]
                logits, looked = model.attention(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=DEVICE))
                (torch.sigmoid(logits).cpu().numpy(), looked.cpu().numpy())  # as usual code does: evidence of all codes

    lengths = [len(reader(note.text)) for note in notes]
    mine, naive = seconds_of(ours, loop, rounds=3 if GPU else 1)
    with autocast(DEVICE, "auto", "transformer") as cast:
        precision = "fp32" if cast is None and not torch.is_autocast_enabled(DEVICE.type) else "bf16"
    return {
        "codes": n_codes,
        "notes": len(notes),
        "pieces": sum(lengths),
        "longest": max(lengths),
        "precision": precision,
        "predictor_s": mine,
        "loop_s": naive,
        "times_faster": naive / mine,
    }


def tfidf(folder: Path, n_alone: int) -> dict[str, Any]:
    """Fit the codes of a corpus all at once, and some of them one by one."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from clinlp.data.ngrams import ngrams

    notes, _ = split(read_notes(folder / "train.jsonl"), 0.1)
    codes = tuple(sorted({each.code for note in notes for each in note.diagnoses or ()}))
    began = clock()
    model, reader = fit_tfidf(notes, CodesConfig(codes=codes))
    whole = clock() - began
    began = clock()
    vectorizer = TfidfVectorizer(analyzer=ngrams, sublinear_tf=True, min_df=2, vocabulary=reader.ngrams)
    values = vectorizer.fit_transform([note.text for note in notes])
    reading = clock() - began
    gold = targets(notes, codes, None)
    usual = np.argsort(-gold.sum(0), kind="stable")
    chosen = usual[np.linspace(0, len(codes) - 1, n_alone).astype(int)]
    began = clock()
    for code in chosen.tolist():
        LogisticRegression(C=300.0, max_iter=1000).fit(values, gold[:, code])
    each = (clock() - began) / n_alone
    off = 0.0
    for code in chosen[::8].tolist():  # as it stops by itself it is far from the optimum
        alone = LogisticRegression(C=300.0, max_iter=10_000, tol=1e-9).fit(values, gold[:, code])
        said = values @ (alone.coef_[0] - model.weight[:, code].numpy()) + alone.intercept_[0] - float(model.bias[code])
        off = max(off, float(np.abs(said).max()))
    return {
        "notes": len(notes),
        "codes": len(codes),
        "features": values.shape[1],
        "reading_s": reading,
        "all_at_once_s": whole - reading,
        "one_by_one_s": each * len(codes),
        "times_faster": each * len(codes) / (whole - reading),
        "codes_fitted_alone": n_alone,
        "largest_difference_of_log_odds_from_the_optimum": off,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder with en/codiesp_en")
    parser.add_argument("--only", nargs="+", choices=("attention", "step", "long_notes", "tfidf"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    corpus = options.data / "en" / "codiesp_en"
    texts = [note.text for note in read_notes(corpus / "dev.jsonl")]
    shapes = ((50, 8192), (1000, 8192), (10_000, 8192)) if GPU else ((50, 4096), (1000, 2048), (10_000, 512))
    parts: dict[str, Callable[[], Any]] = {
        "attention": lambda: [attention(*shape) for shape in shapes],
        "step": lambda: step(options.minilm, 10_000, 8000),
        "long_notes": lambda: [
            long_notes(options.minilm, texts, n_codes, *((32, 6000) if GPU else (4, 1500)))
            for n_codes in (1000, 10_000)
        ],
        "tfidf": lambda: tfidf(corpus, 40),
    }
    device = torch.cuda.get_device_name() if GPU else "cpu, one thread"
    held = json.loads(options.out.read_text("utf-8")) if options.out.is_file() else {}
    made = held.get(device, {}) | {"machine": machine()}
    for name in options.only or parts:
        made[name] = parts[name]()
        print(name, json.dumps(made[name], indent=1), flush=True)
        options.out.write_text(json.dumps(held | {device: made}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
