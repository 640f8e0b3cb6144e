"""Train the same tagger by us and by others, turn and turn about: `python scripts/bench/training.py --data DATA ...`.

Every side is a process of its own with one thread, and trains one epoch when it is its turn, so that what
else the machine does falls on all alike. All have the same encoder, notes, epochs, rate of the encoder and, on
average, pieces a batch. Peers: the token classification recipe of Hugging Face (its Trainer over words of which
the first piece is tagged, in batches of so many sentences at random, cut at the longest window) and the trainer
of edsnlp (`eds.transformer`, `eds.ner_crf`; `--edsnlp` names the Python that has it). A side that ends in `-bf16`
or `-fp32` has that precision; `clinlp` alone takes bf16 where the core multiplies it itself, the others float32.
What is scored, by our scorer, is the model after the last epoch. Results are added to `results/training.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout, where a script is started from

from clinlp.records import read_notes, write_notes
from scripts.bench.annotate import machine
from scripts.bench.trainers import OURS, PEERS

RESULTS = Path(__file__).parent / "results" / "training.json"
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


class Side:
    """A trainer in a process of its own, asleep unless it is its turn."""

    def __init__(self, name: str, python: str, options: dict[str, Any]) -> None:
        self.name, self.epochs, self.end = name, [], None
        self.log = Path(options["work"]) / f"{name}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603  a script of ours
                [python, str(Path(__file__).with_name("trainers.py")), name, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            )

    def listen(self) -> None:
        """Wait for what it says next."""
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: ended early: {self.log.read_text('utf-8')[-2000:]}")
        said = json.loads(line)
        if (event := said.pop("event")) == "epoch":
            self.epochs.append(said)
            print(f"{self.name:<18}{said['wall_s']:>8.1f} s{said['cpu_s']:>8.1f} s of the processor", flush=True)
        elif event == "end":
            self.end = said

    def turn(self) -> None:
        """Let it go on to the end of its next epoch, or of all."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.listen()

    def result(self) -> dict[str, Any]:
        """Sum up; the first epoch, in which much is done once, counts as every other."""
        self.process.communicate("\n")
        cpu, wall = (median(epoch[f"{clock}_s"] for epoch in self.epochs) for clock in ("cpu", "wall"))
        n_pieces, n_padded = (sum(epoch[name] for epoch in self.epochs) for name in ("n_pieces", "n_padded"))
        return {
            "epoch_cpu_s": cpu,
            "epoch_wall_s": wall,
            "pieces_per_cpu_s": n_pieces / len(self.epochs) / cpu,
            "padding_share": 1 - n_pieces / n_padded,
            **self.end,
            "epochs": self.epochs,
        }


def prepare(given: argparse.Namespace, work: Path) -> dict[str, int]:
    """Write the notes of both parts where all sides read them; of train every so many."""
    counts = {}
    for part, every in (("train", given.every), ("dev", 1)):
        notes = [*read_notes(given.data / given.set / f"{part}.jsonl")][::every]
        write_notes(notes, work / f"{part}.jsonl")
        counts[part] = len(notes)
    return counts


def compare(sides: dict[str, Any]) -> dict[str, Any]:
    """Our time over that of each peer and of the faster, and what F1 differs by."""
    found = {}
    peers = {name: side for name, side in sides.items() if name in PEERS}
    for name in (name for name in sides if name in OURS):
        ours = sides[name]
        ratios = {peer: ours["epoch_cpu_s"] / held["epoch_cpu_s"] for peer, held in peers.items()}
        usual = {peer: ratio for peer, ratio in ratios.items() if not peer.endswith("-bf16")}
        found[name] = {
            "time_over": ratios,
            "time_over_the_faster": max(usual.values(), default=None),
            "f1_less_the_best": ours["f1"] - max((held["f1"] for held in peers.values()), default=0.0),
        }
    return found


def show(sides: dict[str, Any], compared: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{'side':<18}{'s/epoch':>9}{'wall':>9}{'pieces/s':>10}{'padding':>9}{'strict F1':>11}  precision")
    for name, side in sides.items():
        print(
            f"{name:<18}{side['epoch_cpu_s']:>9.2f}{side['epoch_wall_s']:>9.2f}{side['pieces_per_cpu_s']:>10,.0f}"
            f"{side['padding_share']:>9.1%}{side['f1']:>11.3f}  {side['precision_used']}"
        )
    for name, found in compared.items():
        ratios = ", ".join(f"{ratio:.2f} of {peer}" for peer, ratio in found["time_over"].items())
        print(f"{name}: {ratios}; F1 {found['f1_less_the_best']:+.3f} to the best peer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with en/ncbi_disease ...")
    parser.add_argument("--set", default="en/ncbi_disease")
    parser.add_argument("--minilm", type=Path, required=True, help="folder of all-MiniLM-L6-v2, or of another encoder")
    parser.add_argument("--every", type=int, default=10, help="train on every so many notes; 1 for all")
    parser.add_argument("--sides", nargs="+", choices=[*OURS, *PEERS], help="else clinlp and all peers that are there")
    parser.add_argument("--edsnlp", metavar="PYTHON", help="Python of an environment with edsnlp; else it is left out")
    parser.add_argument("--head", default="crf", choices=["crf", "linear"], help="of our tagger")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--batch-pieces", type=int, default=512)
    parser.add_argument("--max-pieces", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    names = given.sides or ["clinlp", "huggingface", "huggingface-bf16", "edsnlp"]
    if given.edsnlp is None:
        names = [name for name in names if not name.startswith("edsnlp")]
        print("edsnlp is left out: no --edsnlp")
    shared = ("head", "epochs", "learning_rate", "batch_pieces", "max_pieces", "seed")
    settings = {name: getattr(given, name) for name in shared}
    with tempfile.TemporaryDirectory() as folder:
        counts = prepare(given, Path(folder))
        options = settings | {"work": folder, "minilm": str(given.minilm.resolve())}
        pythons = [given.edsnlp if name.startswith("edsnlp") else sys.executable for name in names]
        running = [Side(name, python, options) for name, python in zip(names, pythons, strict=True)]
        for side in running:
            side.listen()  # until it has read its notes
        for _ in range(given.epochs + 1):  # the last turn is for scoring
            for side in running:
                side.turn()
        sides = {side.name: side.result() for side in running}
    compared = compare(sides)
    show(sides, compared)
    packages = {name: version(name) for name in ("transformers", "accelerate", "datasets")}
    made = {
        "machine": machine() | packages,
        "notes": counts,
        "settings": settings | {"encoder": given.minilm.resolve().parent.name},
        "compared": compared,
        "sides": sides,
    }
    held = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    share = "" if given.every == 1 else f", 1 of {given.every} notes of train"
    held[f"{Path(given.set).name}{share}"] = made
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(held, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
