"""Time taggers in every form with one thread: `python scripts/bench/export.py --notes-en FILE --notes-zh FILE`.

For each model: pieces a second from pieces and mask to emissions, over length-sorted windows of the
notes, of torch in float32 and bf16 and of every export; the size of the folder; how its answers compare
with those of float32. Forms take turns, and the best of the rounds counts: other work on the machine
can only slow a round down. Times are seconds of the computing thread, so that waiting for a core does not
count; the best wall clock is kept beside them. A second table times single layers, our int8 product
beside that of `torch.ao.quantization`. Models measured anew replace their rows in `scripts/bench/results/export.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import transformers
from torch import Tensor, nn

from clinlp.data.batches import by_length, pad
from clinlp.data.pieces import PieceReader, SubwordPieces, read_pieces
from clinlp.inference.export import compare
from clinlp.models.export import convert
from clinlp.models.int8 import Int8Linear
from clinlp.models.store import find_model, load_model, save_model
from clinlp.models.tagger import Tagger, TaggerConfig
from clinlp.models.transformer import TransformerConfig, TransformerEncoder, read_encoder
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.tagging.windows import overlapping

FORMS = ("onnx", "onnx-int8", "int8")
Run = Callable[[], object]


def windows_of(tagger: Tagger, reader: PieceReader, notes: Sequence[Note], most: int) -> list[tuple[Tensor, Tensor]]:
    """Give batches of windows as the predictor makes them, up to so many pieces."""
    shape = tagger.config.encoder
    read = [reader(note.text).features for note in notes]
    cut = [each[w.start : w.end] for each in read for w in overlapping(len(each), shape.max_pieces, shape.overlap)]
    cut = cut[: max(1, int(np.searchsorted(np.cumsum([len(each) for each in cut]), most)))]
    groups = by_length(np.array([len(each) for each in cut], np.int64), 8192)
    return [pad([cut[at] for at in group.tolist()]) for group in groups]


def times(runs: dict[str, Run], rounds: int) -> dict[str, tuple[float, float]]:
    """Give the least thread seconds and wall seconds of each."""
    best = dict.fromkeys(runs, (float("inf"), float("inf")))
    for _ in range(rounds + 1):  # the first makes ready and is seldom the best
        for name, run in runs.items():
            before = time.thread_time(), time.perf_counter()
            run()
            spent = time.thread_time() - before[0], time.perf_counter() - before[1]
            best[name] = min(best[name][0], spent[0]), min(best[name][1], spent[1])
    return best


def over(tagger: Tagger, batches: list[tuple[Tensor, Tensor]], *, autocast: bool = False) -> Run:
    """Give what scores all batches."""

    @torch.inference_mode()
    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            for pieces, mask in batches:
                tagger.emissions(pieces, mask)

    return run


def measure(name: str, tagger: Tagger, reader: PieceReader, notes: Sequence[Note], options: Any) -> dict[str, Any]:
    """Time all forms of one tagger."""
    batches = windows_of(tagger, reader, notes, options.pieces)
    n_pieces = sum(int(mask.sum()) for _, mask in batches)
    whole = Tagger(tagger.config)
    whole.load_state_dict(tagger.state_dict())
    models = {"float32": tagger, "bf16 (autocast)": tagger, "bf16 (weights)": whole.eval().bfloat16()}
    models |= {form: convert(tagger, form) for form in FORMS}
    found = times(
        {form: over(model, batches, autocast="autocast" in form) for form, model in models.items()}, options.rounds
    )
    rows = []
    for form, (thread_s, wall_s) in found.items():
        row = {"form": form, "pieces_per_s": round(n_pieces / thread_s), "pieces_per_wall_s": round(n_pieces / wall_s)}
        row["times_float32"] = round(found["float32"][0] / thread_s, 2)
        if form in FORMS:
            row |= answers(tagger, models[form], reader, notes, "untrained" not in name)
        rows.append(row)
        print(name, row, flush=True)
    return {"model": name, "n_pieces": n_pieces, "n_windows": sum(len(mask) for _, mask in batches), "forms": rows}


def answers(before: Tagger, after: Any, reader: PieceReader, notes: Sequence[Note], trained: bool) -> dict[str, Any]:
    """Compare an export with float32, and weigh its folder."""
    parity = compare(before, after, reader, notes)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), after)
        reader.save(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    facts = {"megabytes": round(size / 1e6, 1), "largest_emission_difference": float(f"{parity.difference:.3g}")}
    if not trained:  # what such a head finds is chance
        return facts
    return facts | {"n_spans": parity.n_before, "n_same": parity.n_same, "same": round(parity.same, 5)}


def trained(folder: Path) -> Tagger:
    """Load a model folder, which needs to be a tagger's."""
    tagger = load_model(folder)
    if not isinstance(tagger, Tagger):
        raise SystemExit(f"{folder}: a tagger needed, got a diagnoser")
    return tagger


def untrained(folder: Path) -> tuple[Tagger, PieceReader]:
    """Put an untrained head of ten labels on an encoder: as fast as a trained one."""
    torch.manual_seed(1)
    encoder, model = read_encoder(str(folder))
    reader = SubwordPieces((folder / "tokenizer.json").read_text("utf-8"))
    shape = TransformerConfig(model=model, first=reader.first, last=reader.last, pad=reader.pad)
    labels = tuple(f"L{number}" for number in range(10))
    return Tagger(TaggerConfig(encoder=shape, labels=labels), TransformerEncoder(shape, encoder)).eval(), reader


def layers(rounds: int) -> list[dict[str, Any]]:
    """Time single layers: ours beside those of `torch.ao.quantization`, which is due to be deleted."""
    rows = []
    for n_pieces, wide, out in ((2048, 384, 384), (2048, 384, 1536), (2048, 1536, 384)):
        torch.manual_seed(1)
        linear, inputs = nn.Linear(wide, out).eval(), torch.randn(n_pieces, wide)
        made = {"float32": linear, "bf16": nn.Linear(wide, out).bfloat16().eval(), "int8": Int8Linear(linear)}
        rows.append(_layer(f"linear {wide} to {out}, {n_pieces} pieces", made, inputs, nn.Linear, rounds))
    lstm, inputs = nn.LSTM(256, 200, batch_first=True, bidirectional=True).eval(), torch.randn(32, 128, 256)
    half = nn.LSTM(256, 200, batch_first=True, bidirectional=True).bfloat16().eval()
    pair = {"float32": lstm, "bf16": half}
    rows.append(_layer("LSTM 256 to 2 x 200, 32 x 128 pieces", pair, inputs, nn.LSTM, rounds))
    return rows


def _layer(name: str, made: dict[str, Any], inputs: Tensor, kind: type[nn.Module], rounds: int) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.ao.quantization import quantize_dynamic

        old = quantize_dynamic(nn.Sequential(made["float32"]), {kind}, dtype=torch.qint8)
    given = {form: inputs.bfloat16() if form == "bf16" else inputs for form in made}
    runs: dict[str, Run] = {form: partial(module, given[form]) for form, module in made.items()}
    runs[f"int8, torch.ao ({torch.backends.quantized.engine})"] = partial(old, inputs)
    with torch.inference_mode():
        found = times(runs, 3 * rounds)
    return {"layer": name, "ms": {form: round(1000 * each[0], 3) for form, each in found.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes-en", type=Path, help="notes for the bundled tagger and for --encoder-en")
    parser.add_argument("--notes-zh", type=Path, help="notes for the bundled tagger and for --encoder-zh")
    parser.add_argument("--encoder-en", type=Path, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--encoder-zh", type=Path, help="folder of an encoder that reads Chinese")
    parser.add_argument("--tagger-en", type=Path, help="model folder of a trained transformer tagger")
    parser.add_argument("--notes-tagger", type=Path)
    parser.add_argument("--pieces", type=int, default=6000, help="pieces that every form reads in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "export.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for lang in ("en", "zh"):
        if getattr(options, f"notes_{lang}") is not None:
            notes = list(read_notes(getattr(options, f"notes_{lang}")))
            folder = find_model(f"entities-{lang}")
            found.append(measure(f"entities-{lang}", trained(folder), read_pieces(folder), notes, options))
            if (folder := getattr(options, f"encoder_{lang}")) is not None:
                found.append(measure(f"{folder.name}, untrained head", *untrained(folder), notes[:10], options))
    if (folder := options.tagger_en) is not None:
        notes = list(read_notes(options.notes_tagger))
        found.append(measure("MiniLM, trained", trained(folder), read_pieces(folder), notes, options))
    held = json.loads(options.results.read_text("utf-8"))["models"] if options.results.is_file() else []
    done = {row["model"] for row in found}
    held = [row for row in held if row["model"] not in done]
    facts = {
        "cpu": _cpu(),
        "threads": 1,
        "load": [round(each, 1) for each in os.getloadavg()],
        "versions": {each.__name__: each.__version__ for each in (torch, onnxruntime, transformers)},
        "python": platform.python_version(),
        "layers": layers(options.rounds),
        "models": held + found,
    }
    options.results.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _cpu() -> dict[str, Any]:
    """Name the CPU and what of it matters here."""
    said = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").is_file() else ""
    lines = dict(line.split(":", 1) for line in said.split("\n\n")[0].splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines.items()}
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
    flags = facts.get("flags", "").split()
    return {"model": facts.get("model name", platform.processor()), **{flag: flag in flags for flag in wanted}}


if __name__ == "__main__":
    main()
