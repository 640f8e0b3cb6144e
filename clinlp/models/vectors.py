"""Static word vectors for an LSTM to start from: a file of them, or read out of a pretrained encoder.

From an encoder, each word is encoded alone and its pieces averaged; the vectors are then centred and turned onto
their principal axes. Close to Bommasani, Davis & Cardie (2020), "Interpreting Pretrained
Contextualized Representations via Reductions to Static Embeddings".
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import torch
from torch import Tensor

from clinlp.errors import UsageError
from clinlp.models.transformer import hub_file, read_encoder

_FILE: Final = {".vec", ".txt", ".gz", ".bin", ".zip"}  # what no hub id ends in


def static_vectors(source: str, words: Sequence[str], width: int) -> Tensor:
    """Give one vector a word, from a word2vec text file (`.vec`, `.txt`, plain or `.gz`) or an encoder.

    Words that a file lacks get small random vectors.

    Args:
        source: The file, or the folder or hub id of an encoder with a `tokenizer.json`.

    Returns:
        `(word, width)`.

    Raises:
        UsageError: The file's vectors have another width, or it is no such file.
    """
    path = Path(source)
    if not path.is_file():
        if not path.is_dir() and (path.is_absolute() or source.count("/") > 1 or _FILE & set(path.suffixes)):
            raise UsageError(
                f"{source}: a file of vectors, a folder with an encoder or a hub id needed, got none of them"
            )
        return distil(source, words, width)
    places = {word: at for at, word in enumerate(words)}
    table = torch.randn(len(words), width) * 0.1
    with _opened(path) as file:
        for line, row in enumerate(file, 1):
            word, _, rest = row.rstrip("\n").partition(" ")
            at = places.get(word)
            if at is None or (line == 1 and len(rest.split()) == 1):  # the first line may count rows and columns
                continue
            try:
                vector = torch.tensor([float(number) for number in rest.split()])
            except ValueError:
                raise UsageError(f"{path}:{line}: a word and its numbers needed, got something else") from None
            if len(vector) != width:
                raise UsageError(f"{path}:{line}: {width} numbers needed (the config's word_width), got {len(vector)}")
            table[at] = vector
    return table


def vector_words(source: str | None) -> Iterator[str]:
    """Give the words that a file of vectors knows; none for an encoder, which can read any word."""
    if source is not None and Path(source).is_file():
        with _opened(Path(source)) as file:
            for row in file:
                word, _, rest = row.partition(" ")
                if " " in rest:  # the first line may count rows and columns
                    yield word


def _opened(path: Path) -> IO[str]:
    opener: Callable[..., IO[str]] = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8")


@torch.inference_mode()
def distil(source: str, words: Sequence[str], width: int) -> Tensor:
    """Give one vector a word.

    Args:
        source: Folder or hub id of an encoder with a `tokenizer.json`.

    Returns:
        `(word, width)`, of unit variance over the whole table.
    """
    from tokenizers import Tokenizer

    encoder, _ = read_encoder(source)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder.to(device).eval()
    folder = Path(source)
    file = folder / "tokenizer.json" if folder.is_dir() else hub_file(source, "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    order = sorted(range(len(words)), key=lambda at: len(words[at]))
    vectors: Tensor | None = None
    for first in range(0, len(order), 1024):
        chosen = order[first : first + 1024]
        encoded = tokenizer.encode_batch([words[at] for at in chosen])
        longest = min(64, max(len(read.ids) for read in encoded))
        ids = torch.zeros(len(chosen), longest, dtype=torch.int64)
        mask = torch.zeros(len(chosen), longest, dtype=torch.int64)
        for row, read in enumerate(encoded):
            kept = read.ids[:longest]
            ids[row, : len(kept)] = torch.tensor(kept)
            mask[row, : len(kept)] = 1
        with torch.autocast(device.type, torch.bfloat16):
            hidden = encoder(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
        inner = mask.clone()  # the pieces between [CLS] and [SEP]
        inner[:, 0] = 0
        inner[torch.arange(len(chosen)), mask.sum(1) - 1] = 0
        weights = inner.to(device, torch.float32)[:, :, None]
        mean = (hidden.float() * weights).sum(1) / weights.sum(1).clamp_min(1.0)
        if vectors is None:
            vectors = torch.zeros(len(words), mean.shape[1])
        vectors[torch.tensor(chosen)] = mean.cpu()
    if vectors is None:
        return torch.zeros(0, width)
    centred = vectors - vectors.mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    turned = centred @ axes.flip(1)[:, :width]
    turned = torch.nn.functional.pad(turned, (0, width - turned.shape[1]))
    return turned / turned.std().clamp_min(1e-6)
