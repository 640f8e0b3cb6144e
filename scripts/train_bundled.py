"""Train a model that ships with the package: `python scripts/train_bundled.py entities-en --data DIR --vectors FILE`.

Trains on a large synthetic set made on the spot, plus, in English, public corpora whose licence lets
weights ship; `scripts/bench/bundled.py` then scores the model and writes its card.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clinlp.data.pieces import read_pieces
from clinlp.labels import ENTITY_LABELS
from clinlp.models.store import BUNDLED, load_model, save_model
from clinlp.note import Diagnosis, Note
from clinlp.records import from_record, read_notes, write_notes
from clinlp.spans import Span
from clinlp.training.config import DiagnosisConfig, EntitiesConfig
from clinlp.training.finetune import finetune_diagnosis, finetune_entities
from corpora.generator import make_notes

FINE = {"Duration": "DURATION", "Frequency": "FREQUENCY"}  # finer types of maccrobat2020 that its 12 labels leave out
LSTM: dict[str, Any] = {"max_pieces": 128, "batch_pieces": 4096, "epochs": 9, "hidden": 160, "word_dropout": 0.1}
CODES: dict[str, Any] = {
    "code_length": 3,
    "min_notes": 8,
    "hidden": 128,
    "epochs": 14,
    "batch_pieces": 8192,
    "max_words": 20_000,
}
MODELS: dict[str, tuple[int, dict[str, Any]]] = {  # synthetic notes, settings
    "entities-en": (3000, LSTM | {"max_words": 30_000}),
    "entities-zh": (8000, LSTM | {"n_bigrams": 20_000}),
    "diagnosis-en": (8000, CODES),
    "diagnosis-zh": (12_000, CODES),
}


def public_notes(name: str, data: Path, part: str) -> Iterator[Note]:
    """Give the notes of public corpora that fit the task, under the package's labels."""
    if name == "entities-en":
        for note in read_notes(data / "en" / "maccrobat2020" / f"{part}.jsonl"):
            spans = [span for span in note.entities if span.label in ENTITY_LABELS]
            fine = [Span(start, end, FINE[kind]) for start, end, kind in note.fields["entities_fine"] if kind in FINE]
            yield replace(note, entities=(*spans, *fine))
    if name == "diagnosis-en":
        yield from read_notes(data / "en" / "codiesp_en" / f"{part}.jsonl")


def synthetic(lang: str, n_notes: int, seed: int, part: str) -> Iterator[Note]:
    """Make notes; a note without a diagnosis is a note annotated with none."""
    for record in make_notes(lang, n_notes, seed, part):
        note = from_record(record)
        yield replace(note, diagnoses=tuple(Diagnosis(d.code) for d in note.diagnoses or ()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--data", type=Path, required=True, help="folder with en/maccrobat2020 and en/codiesp_en")
    parser.add_argument("--vectors", help="word vectors (scripts/make_vectors.py)")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--to", type=Path, default=BUNDLED, help="folder that gets the model (default: the package)")
    options = parser.parse_args()
    name, (n_notes, settings), out = options.model, MODELS[options.model], options.out / options.model
    out.mkdir(parents=True, exist_ok=True)
    lang = name.rsplit("-", 1)[1]
    write_notes(synthetic(lang, n_notes, 7, "train"), out / "synthetic.jsonl")
    real = list(public_notes(name, options.data, "train"))
    if real:
        write_notes(real, out / "public.jsonl")
    # The public corpus is small beside the synthetic one: each of its notes is shown three times.
    train = (out / "synthetic.jsonl", *[out / "public.jsonl"] * (3 if real else 0))
    dev = out / "dev.jsonl"
    write_notes([*synthetic(lang, 100, 8, "heldout"), *public_notes(name, options.data, "dev")], dev)
    given = {"train": train, "dev": (dev,), "out": out, "vectors": options.vectors, **settings}

    def tell(said: object) -> None:
        print(name, said, flush=True)

    if name.startswith("entities"):
        best = finetune_entities(EntitiesConfig.load(None, **given), tell=tell)
    else:
        best = finetune_diagnosis(DiagnosisConfig.load(None, **given), tell=tell)
    save_model(options.to / name, load_model(best), half=True)
    read_pieces(best).save(options.to / name)


if __name__ == "__main__":
    main()
