"""Write a synthetic corpus: `python scripts/make_corpus.py --lang en --notes 400 --seed 1 -o train.jsonl`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clinlp.records import to_record
from corpora.generator import make_notes
from corpora.queries import phi_notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", choices=("en", "zh"), required=True)
    parser.add_argument(
        "--kind",
        choices=("notes", "phi"),
        default="notes",
        help="notes: whole records with all gold (default); phi: short texts dense with identifiers, gold phi alone",
    )
    parser.add_argument("--notes", type=int, default=400, help="how many notes (default 400)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same notes (default 1)")
    parser.add_argument(
        "--part",
        choices=("train", "heldout"),
        default="train",
        help="train: nothing that is held out; heldout: held-out templates, sentences and words half of the time",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the JSON lines file to write")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("w", encoding="utf-8", newline="\n") as file:
        given = (options.lang, options.notes, options.seed, options.part)
        for record in make_notes(*given) if options.kind == "notes" else map(to_record, phi_notes(*given)):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
