"""Time one tagger in every harness: `python scripts/bench/inference.py --data DATA --minilm DIR`.

The same encoder, with one thread or on a GPU, over the same notes: alone over the windows, sorted by length,
that we read (`bare`: notes are cut and stacked before the clock starts); in our `EntityPredictor`, from notes
to notes; and in the token classification pipeline of Hugging Face, which reads windows of the same size and
overlap, a note at a time or so many windows at a time (`-8`, `-32`). Weights of the head are random, with a
bias against entities, or those of a trained tagger (`--model`). Sides take turns in one process; medians of the
rounds count: seconds of the processor, or of the wall with a GPU. Results go to `results/inference.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from torch import nn

from clinlp.data.batches import by_length, pad
from clinlp.data.subwords import SubwordPieces
from clinlp.inference.device import autocast
from clinlp.inference.entities import EntityPredictor
from clinlp.models.tagger import Tagger, TaggerConfig
from clinlp.models.transformer import TransformerConfig, TransformerEncoder, read_encoder
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.tagging.windows import overlapping
from scripts.bench.annotate import machine

RESULTS = Path(__file__).parent / "results" / "inference.json"
PRECISIONS = ("fp32", "bf16")
Batch = tuple[torch.Tensor, torch.Tensor]


def make_tagger(folder: Path, head: Any, max_pieces: int) -> tuple[Tagger, SubwordPieces]:
    """Put a random head on a pretrained encoder."""
    torch.manual_seed(1)
    encoder, shape = read_encoder(str(folder))
    reader = SubwordPieces((folder / "tokenizer.json").read_text("utf-8"))
    around = {"first": reader.first, "last": reader.last, "pad": reader.pad}
    config = TransformerConfig(model=shape, **around, max_pieces=max_pieces, overlap=max_pieces // 4)
    shaped = TaggerConfig(encoder=config, head=head, labels=("problem", "test", "treatment"))
    tagger = Tagger(shaped, TransformerEncoder(config, encoder))
    if tagger.emit is not None:
        nn.init.constant_(tagger.emit.bias[:1], 4.0)  # most pieces are of no entity, as in notes
    return tagger.eval(), reader


def stack(predictor: EntityPredictor, notes: list[Note]) -> tuple[list[Batch], int, list[int]]:
    """Cut notes into the windows that the predictor reads, in its batches.

    Returns:
        Ids and mask of each batch, the pieces around each window included; how many pieces the notes have; and
        the lengths of all windows.
    """
    config = predictor.tagger.config.encoder
    read = [predictor.reader(note.text).features for note in notes]
    windows = [
        pieces[window.start : window.end, 0]
        for pieces in read
        for window in overlapping(len(pieces), *predictor.tagger.config.windowing)
    ]
    whole = [np.array([[config.first], *([piece] for piece in window), [config.last]]) for window in windows]
    lengths = np.array([len(window) for window in windows], np.int64)
    batches = []
    for group in by_length(lengths, predictor.batch_pieces):
        pieces, mask = pad([whole[item] for item in group.tolist()])
        batches.append((pieces[..., 0].to(predictor.device), mask.long().to(predictor.device)))
    return batches, sum(map(len, read)), (lengths + 2).tolist()


def make_pipeline(predictor: EntityPredictor, folder: Path, size: int, dtype: torch.dtype) -> Callable[..., Any]:
    """Give the pipeline of Hugging Face over the same encoder, with windows like ours."""
    import transformers as hf

    inside, overlap = predictor.tagger.config.windowing
    bare = predictor.tagger.encoder.encoder
    names = ["O", *(f"{part}-{label}" for label in predictor.labels for part in "BI")]
    shape = hf.AutoConfig.from_pretrained(folder, num_labels=len(names), id2label=dict(enumerate(names)))
    model = hf.AutoModelForTokenClassification.from_config(shape)
    model.base_model.load_state_dict(bare.state_dict(), strict=False)
    nn.init.constant_(model.classifier.bias[:1], 4.0)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = inside + 2
    options = {"aggregation_strategy": "simple", "stride": overlap, "batch_size": size, "device": predictor.device}
    return hf.pipeline("token-classification", model=model.eval().to(dtype), tokenizer=tokenizer, **options)


def make_sides(given: argparse.Namespace, notes: list[Note]) -> tuple[dict[str, Callable[[], Any]], dict[str, Any]]:
    """Give what is timed, and what it reads."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sides: dict[str, Callable[[], Any]] = {}
    if given.model is None:
        tagger, reader = make_tagger(given.minilm, given.head, given.max_pieces)
        tagger.to(device)
        ours = {kind: EntityPredictor(tagger, reader, precision=kind) for kind in PRECISIONS}
    else:
        ours = {kind: EntityPredictor.load(given.model, precision=kind) for kind in PRECISIONS}
    batches, n_pieces, lengths = stack(ours["fp32"], notes)
    bare = ours["fp32"].tagger.encoder.encoder

    def forward(kind: Any) -> None:
        with torch.inference_mode():
            for ids, mask in batches:
                with autocast(device, kind, "transformer"):
                    bare(input_ids=ids, attention_mask=mask)

    for kind in PRECISIONS:
        sides[f"bare {kind}"] = lambda kind=kind: forward(kind)
        sides[f"clinlp {kind}"] = lambda kind=kind: ours[kind](notes)
    texts = [note.text for note in notes]
    for kind, size in (("fp32", 1), ("fp32", given.pipeline_batch), ("bf16", given.pipeline_batch)):
        run = make_pipeline(ours["fp32"], given.minilm, size, torch.float32 if kind == "fp32" else torch.bfloat16)
        sides[f"pipeline {kind}{'' if size == 1 else f' x{size}'}"] = lambda run=run: run(texts)
    read = {
        "n_notes": len(notes),
        "n_characters": sum(map(len, texts)),
        "n_pieces": n_pieces,
        "n_windows": len(lengths),
        "n_window_pieces": sum(lengths),
        "padding_share": 1 - sum(lengths) / sum(mask.numel() for _, mask in batches),
        "flops": flops(bare, lengths),
        "n_found": {kind: sum(len(note.entities) for note in predict(notes[:10])) for kind, predict in ours.items()},
    }
    return sides, read


def flops(encoder: nn.Module, lengths: list[int]) -> int:
    """Multiplications and additions of the products in one forward, without padding."""
    linear = sum(part.weight.numel() for part in encoder.modules() if isinstance(part, nn.Linear))
    shape: Any = encoder.config
    attention = 2 * shape.num_hidden_layers * shape.hidden_size
    return sum(2 * length * (linear + attention * length) for length in lengths)


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the most multiplications and additions a second: one large product, the best of several."""
    size = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(20):
        wall, cpu = clock(lambda: left @ right)
        seconds.append(wall if device.type == "cuda" else cpu)
    return 2 * size**3 / min(seconds)


def clock(run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the wall and of the processor."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def summarise(times: dict[str, list[tuple[float, float]]], read: dict[str, Any], peaks: dict[str, float]) -> Any:
    """The medians of every side, and how ours stand to those of the others."""
    gpu = torch.cuda.is_available()
    sides: dict[str, Any] = {}
    for name, rounds in times.items():
        wall, cpu = (median(each[at] for each in rounds) for at in range(2))
        seconds = wall if gpu else cpu
        precision = name.split()[1]
        sides[name] = {
            "wall_s": wall,
            "cpu_s": cpu,
            "notes_per_s": read["n_notes"] / seconds,
            "pieces_per_s": read["n_pieces"] / seconds,
            "share_of_peak": read["flops"] / seconds / peaks[precision],
            "rounds": rounds,
        }
    for kind in PRECISIONS:
        speed, bare = (sides[f"{side} {kind}"]["notes_per_s"] for side in ("clinlp", "bare"))
        sides[f"clinlp {kind}"]["over_bare"] = speed / bare
        sides[f"clinlp {kind}"]["over_pipelines"] = {
            name: speed / side["notes_per_s"] for name, side in sides.items() if name.startswith("pipeline")
        }
    return sides


def show(sides: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{'side':<18}{'cpu s':>9}{'wall s':>9}{'notes/s':>10}{'pieces/s':>11}{'of peak':>9}")
    for name, side in sides.items():
        print(
            f"{name:<18}{side['cpu_s']:>9.2f}{side['wall_s']:>9.2f}{side['notes_per_s']:>10.1f}"
            f"{side['pieces_per_s']:>11,.0f}{side['share_of_peak']:>9.0%}"
        )
    for name, side in sides.items():
        if "over_bare" in side:
            ratios = ", ".join(f"{ratio:.1f} of {peer}" for peer, ratio in side["over_pipelines"].items())
            print(f"{name}: {side['over_bare']:.3f} of the bare forward; {ratios}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with en/mtsamples ...")
    parser.add_argument("--notes", default="en/mtsamples/notes.jsonl")
    parser.add_argument("--n-notes", type=int, default=60, help="evenly from all")
    parser.add_argument("--minilm", type=Path, required=True, help="folder of all-MiniLM-L6-v2, or of another encoder")
    parser.add_argument("--model", type=Path, help="a tagger trained from that encoder; else a random head")
    parser.add_argument("--head", default="crf", choices=["crf", "linear"], help="of the random head")
    parser.add_argument("--max-pieces", type=int, default=254)
    parser.add_argument("--pipeline-batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    every = [*read_notes(given.data / given.notes)]
    notes = [*islice(every[:: max(1, len(every) // given.n_notes)], given.n_notes)]
    sides, read = make_sides(given, notes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        for run in sides.values():  # kernels are chosen in the first pass
            run()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for at in range(given.rounds):
        for name in list(sides)[:: -1 if at % 2 else 1]:
            times[name].append(clock(sides[name]))
    peaks = {kind: peak(device, dtype) for kind, dtype in zip(PRECISIONS, (torch.float32, torch.bfloat16), strict=True)}
    found = summarise(times, read, peaks)
    show(found)
    where = torch.cuda.get_device_name() if device.type == "cuda" else "one thread"
    head = given.head if given.model is None else "trained"
    held = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    held[f"{Path(given.notes).parent.name}, {head} head, {where}"] = {
        "machine": machine() | {"device": where, "transformers": version("transformers")},
        "settings": {"encoder": given.minilm.resolve().parent.name, "max_pieces": given.max_pieces, "head": head},
        "read": read,
        "peak_flops": peaks,
        "sides": found,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(held, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
