"""The piece reader and the encoder that a run starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from clinlp.data.cuts import NO_CUTS, Cuts, learn_cuts
from clinlp.data.pieces import LexicalPieces, PieceReader, StackedPieces
from clinlp.data.subwords import SubwordPieces
from clinlp.errors import UsageError
from clinlp.models.cnn import CnnConfig, CnnEncoder, reach
from clinlp.models.encoder import Encoder
from clinlp.models.lexical import LexicalEncoder
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.stacked import StackedConfig, StackedEncoder
from clinlp.models.transformer import TransformerConfig, TransformerEncoder, add_rows, hub_file, read_encoder
from clinlp.models.vectors import static_vectors, vector_words
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.records.codes import read_codes
from clinlp.training.config import FROM_SCRATCH, DiagnosisConfig, EntitiesConfig, TrainConfig


def start_encoder(config: TrainConfig, notes: Sequence[Note]) -> tuple[PieceReader, Encoder]:
    """Build the piece reader and the encoder that a run starts from."""
    import torch

    torch.manual_seed(config.seed)
    texts = [note.text for note in notes]
    cuts = learn_cuts(notes) if isinstance(config, EntitiesConfig) else NO_CUTS
    if config.encoder not in FROM_SCRATCH:
        reader, encoder = _pretrained(config, texts, cuts)
        return _stacked(config, texts, reader, encoder) if config.stacked else (reader, encoder)
    words = _words(config, texts, cuts)
    return words, _with_vectors(config, words, _lexical(config, words))


def _words(config: TrainConfig, texts: Sequence[str], cuts: Cuts) -> LexicalPieces:
    """Build the vocabulary of an encoder over words."""
    more = [(note.text for path in config.text for note in read_notes(path))]
    if isinstance(config, DiagnosisConfig) and config.code_names is not None:
        more.append(name for names in read_codes(config.code_names).values() for name in names)
    return LexicalPieces.build(
        (text for source in (texts, *more) for text in source),
        min_count=config.min_count,
        max_words=config.max_words,
        n_bigrams=config.n_bigrams,
        known=vector_words(config.vectors),
        cuts=cuts,
    )


_Lexical = TypeVar("_Lexical", bound=LexicalEncoder)


def _with_vectors(config: TrainConfig, reader: LexicalPieces, encoder: _Lexical) -> _Lexical:
    """Let an encoder over words start from the vectors that the config names."""
    if config.vectors is not None:
        encoder.words.weight.data[2:] = static_vectors(config.vectors, reader.words, config.word_width)
    return encoder


def _stacked(
    config: TrainConfig, texts: Sequence[str], reader: SubwordPieces, encoder: TransformerEncoder
) -> tuple[StackedPieces, StackedEncoder]:
    """Put an LSTM over words and a transformer's states on top of it."""
    words = _words(config, texts, reader.cuts)
    lstm = LstmConfig(hidden=config.hidden, beside=encoder.width, **_word_shape(config, words))
    stacked = StackedEncoder(StackedConfig(transformer=encoder.config, words=lstm), encoder)
    _with_vectors(config, words, stacked.words)
    return StackedPieces(reader, words), stacked


def _lexical(config: TrainConfig, reader: LexicalPieces) -> LstmEncoder | CnnEncoder:
    """Make an encoder over words with fresh weights."""
    shape = _word_shape(config, reader)
    if config.dropout is not None:
        shape["dropout"] = config.dropout
    if config.encoder == "lstm":
        return LstmEncoder(LstmConfig(hidden=config.hidden, **shape))
    # As much overlap as makes every piece see all that it would see in one window, but half a window at most.
    seen = min(2 * reach(config.filter_widths, config.layers), config.max_pieces // 2)
    shape |= {"overlap": max(seen, config.max_pieces // 8), "channels": config.channels}
    return CnnEncoder(CnnConfig(filter_widths=config.filter_widths, **shape))


def _word_shape(config: TrainConfig, reader: LexicalPieces) -> dict[str, Any]:
    """Say what encoders over words have in common."""
    return {
        "n_words": reader.n_words,
        "n_characters": reader.n_characters,
        "n_bigrams": config.n_bigrams,
        "word_width": config.word_width,
        "layers": config.layers,
        "word_dropout": config.word_dropout,
        "max_pieces": config.max_pieces,
        "overlap": config.max_pieces // 8,
    }


def _pretrained(config: TrainConfig, texts: Sequence[str], cuts: Cuts) -> tuple[SubwordPieces, TransformerEncoder]:
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
    reader = SubwordPieces(file.read_text("utf-8"), cuts)
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
    n = 0 if isinstance(reader, LexicalPieces) else reader.n_added
    return [f"{n:,} characters that the encoder did not know have pieces of their own"] if n else []
