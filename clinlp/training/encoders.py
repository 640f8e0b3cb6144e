"""The piece reader and the encoder that a run starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clinlp.data.pieces import LexicalPieces, PieceReader
from clinlp.data.subwords import SubwordPieces
from clinlp.errors import UsageError
from clinlp.models.cnn import CnnConfig, CnnEncoder, reach
from clinlp.models.encoder import Encoder
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.transformer import TransformerConfig, TransformerEncoder, add_rows, hub_file, read_encoder
from clinlp.models.vectors import static_vectors, vector_words
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.records.codes import read_codes
from clinlp.training.config import FROM_SCRATCH, DiagnosisConfig, TrainConfig


def start_encoder(config: TrainConfig, notes: Sequence[Note]) -> tuple[PieceReader, Encoder]:
    """Build the piece reader and the encoder that a run starts from."""
    import torch

    torch.manual_seed(config.seed)
    if config.encoder not in FROM_SCRATCH:
        return _pretrained(config, [note.text for note in notes])
    more = [(note.text for path in config.text for note in read_notes(path))]
    if isinstance(config, DiagnosisConfig) and config.code_names is not None:
        more.append(name for names in read_codes(config.code_names).values() for name in names)
    texts = [note.text for note in notes]
    reader = LexicalPieces.build(
        (text for source in (texts, *more) for text in source),
        min_count=config.min_count,
        max_words=config.max_words,
        n_bigrams=config.n_bigrams,
        known=vector_words(config.vectors),
    )
    encoder = _lexical(config, reader)
    if config.vectors is not None:
        encoder.words.weight.data[2:] = static_vectors(config.vectors, reader.words, config.word_width)
    return reader, encoder


def _lexical(config: TrainConfig, reader: LexicalPieces) -> LstmEncoder | CnnEncoder:
    """Make an encoder over words with fresh weights."""
    shape: dict[str, Any] = {
        "n_words": reader.n_words,
        "n_characters": reader.n_characters,
        "n_bigrams": config.n_bigrams,
        "word_width": config.word_width,
        "layers": config.layers,
        "word_dropout": config.word_dropout,
        "max_pieces": config.max_pieces,
        "overlap": config.max_pieces // 8,
    }
    if config.dropout is not None:
        shape["dropout"] = config.dropout
    if config.encoder == "lstm":
        return LstmEncoder(LstmConfig(hidden=config.hidden, **shape))
    # As much overlap as makes every piece see all that it would see in one window, but half a window at most.
    seen = min(2 * reach(config.filter_widths, config.layers), config.max_pieces // 2)
    shape |= {"overlap": max(seen, config.max_pieces // 8), "channels": config.channels}
    return CnnEncoder(CnnConfig(filter_widths=config.filter_widths, **shape))


def _pretrained(config: TrainConfig, texts: Sequence[str]) -> tuple[PieceReader, TransformerEncoder]:
    """Load a pretrained encoder and its pieces from a folder or the hub; add what the texts need and it lacks."""
    source = Path(config.encoder)
    file = source / "tokenizer.json"
    if source.is_dir() and not file.is_file():
        raise UsageError(f"{source}: tokenizer.json needed beside the encoder, got none")
    if not source.is_dir() and (source.is_absolute() or config.encoder.count("/") > 1):
        raise UsageError(f"{source}: `lstm`, `cnn`, a folder with an encoder or a hub id needed, got none of them")
    encoder, shape = read_encoder(config.encoder)
    if not source.is_dir():
        file = hub_file(config.encoder, "tokenizer.json")
    reader = SubwordPieces(file.read_text("utf-8"))
    if new := reader.lacks(texts)[: config.new_characters] if config.new_characters else []:
        reader, sorts = reader.with_characters(new)
        shape["vocab_size"] = add_rows(encoder, sorts)
    # Two places go to the pieces around a window; RoBERTa's kin count theirs from 2.
    max_pieces = min(config.max_pieces, int(shape.get("max_position_embeddings", 512)) - 4)
    held = TransformerConfig(
        model=shape,
        first=reader.first,
        last=reader.last,
        pad=reader.pad,
        dropout=0.1 if config.dropout is None else config.dropout,
        max_pieces=max_pieces,
        overlap=max_pieces // 4,
    )
    return reader, TransformerEncoder(held, encoder)


def grown(reader: PieceReader) -> list[str]:
    """Say how many characters were added to a pretrained vocabulary, if any."""
    n = reader.n_added if isinstance(reader, SubwordPieces) else 0
    return [f"{n:,} characters that the encoder did not know have pieces of their own"] if n else []
