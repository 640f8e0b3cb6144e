"""Read word vectors out of an encoder: `python scripts/make_vectors.py ENCODER NOTES... -o words.vec.gz`.

An LSTM then starts from them: `clinlp train entities --vectors words.vec.gz ...`.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

from clinlp.data.pieces import LexicalPieces
from clinlp.models.vectors import distil
from clinlp.records import read_notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", help="folder or hub id of a transformer encoder")
    parser.add_argument("notes", type=Path, nargs="+", help="notes whose words get a vector")
    parser.add_argument("--words", type=Path, nargs="*", default=[], help="text files with more words, one a line")
    parser.add_argument("--width", type=int, default=128, help="numbers a vector (default 128)")
    parser.add_argument("--max-words", type=int, default=60_000)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .vec.gz file to write")
    options = parser.parse_args()
    texts = [note.text for path in options.notes for note in read_notes(path)]
    texts += [path.read_text("utf-8") for path in options.words]
    words = LexicalPieces.build(texts, max_words=options.max_words).words
    vectors = distil(options.encoder, words, options.width)
    with gzip.open(options.output, "wt", encoding="utf-8") as file:
        for word, vector in zip(words, vectors.tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{number:.3f}' for number in vector)}\n")
    print(f"{options.output}: {len(words):,} words, {options.width} numbers each")


if __name__ == "__main__":
    main()
