"""Train a model that ships with the package: `python scripts/train_bundled.py entities-en --data DIR --vectors FILE`.

`scripts/bench/bundled.py` then scores the model and writes its card.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clinlp.data.pieces import read_pieces
from clinlp.models.store import BUNDLED, load_model, save_model
from clinlp.records import write_notes
from clinlp.training.config import DiagnosisConfig, EntitiesConfig, PhiConfig
from clinlp.training.finetune import finetune_diagnosis, finetune_entities, finetune_phi
from corpora.mixes import ANNOTATED, partial_notes, public_notes, synthetic_notes

# Windows are short, so that the many of a note take each step together.
LSTM: dict[str, Any] = {
    "max_pieces": 128,
    "batch_pieces": 4096,
    "epochs": 9,
    "hidden": 160,
    "word_dropout": 0.1,
    "ema": 0.998,
}
CODES: dict[str, Any] = {
    "max_pieces": 128,
    "code_length": 3,
    "min_notes": 8,
    "batch_pieces": 4096,
    "learning_rate": 2e-3,  # twice and four times the usual: hundreds of codes, most of them in a few notes
    "head_learning_rate": 4e-3,
    "hidden": 96,
    "baselines": False,
}
BF16 = {"precision": "bf16"}  # on a CPU, half the time
# A linear head finds more of what other hands wrote than a CRF, and costs next to nothing.
PHI: dict[str, Any] = LSTM | {"epochs": 8, "word_dropout": 0.25, "max_words": 20_000, "head": "linear"} | BF16
MODELS: dict[str, tuple[int, dict[str, Any]]] = {  # synthetic notes, settings
    "entities-en": (3000, LSTM | {"max_words": 30_000, "annotated": ANNOTATED} | BF16),
    "entities-zh": (8000, LSTM | {"hidden": 96, "n_bigrams": 20_000} | BF16),
    "phi-en": (9_000, PHI | {"hidden": 256}),
    "phi-zh": (12_000, PHI | {"epochs": 12, "hidden": 64, "n_bigrams": 10_000}),  # small for 100,000 characters/s
    "diagnosis-en": (8000, CODES | {"max_words": 20_000, "epochs": 16} | BF16),
    "diagnosis-zh": (12_000, CODES | {"hidden": 64, "max_words": 20_000, "epochs": 10} | BF16),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public corpora, en/ and zh/")
    parser.add_argument("--vectors", help="word vectors (scripts/make_vectors.py)")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--to", type=Path, default=BUNDLED, help="folder that gets the model (default: the package)")
    options = parser.parse_args()
    name, (n_notes, settings), out = options.model, MODELS[options.model], options.out / options.model
    files = {part: out.parent / f"{name}-{part}.jsonl" for part in ("synthetic", "public", "partial", "dev")}
    out.parent.mkdir(parents=True, exist_ok=True)
    real = list(public_notes(name, options.data, "train"))
    write_notes(synthetic_notes(name, n_notes, 7, "train"), files["synthetic"])
    some = list(partial_notes(name, options.data))
    write_notes(real, files["public"])
    write_notes(some, files["partial"])
    dev = [
        *synthetic_notes(name, 300 if name.startswith("phi") else 100, 8, "heldout"),
        *public_notes(name, options.data, "dev"),
    ]
    write_notes(dev, files["dev"])
    # A public corpus is small beside the synthetic one: each of its notes is shown three times.
    times = 0 if not real else 1 if name.startswith("phi") else 3
    train = (files["synthetic"], *[files["public"]] * times, *[files["partial"]] * bool(some))
    given = {"train": train, "dev": (files["dev"],), "out": out, "vectors": options.vectors, **settings}
    if name.startswith("phi"):
        best = finetune_phi(PhiConfig.load(None, **given), tell=print)
    elif name.startswith("entities"):
        best = finetune_entities(EntitiesConfig.load(None, **given), tell=print)
    else:
        best = finetune_diagnosis(DiagnosisConfig.load(None, **given), tell=print)
    save_model(options.to / name, load_model(best), half=True)
    read_pieces(best).save(options.to / name)


if __name__ == "__main__":
    main()
