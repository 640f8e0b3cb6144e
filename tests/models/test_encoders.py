"""Encoders: padding and company in a batch change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from clinlp.errors import UsageError
from clinlp.models.cnn import CnnConfig, CnnEncoder, reach
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.stacked import StackedConfig, StackedEncoder
from clinlp.models.transformer import TransformerConfig, TransformerEncoder, read_encoder

BERT = {
    "model_type": "bert",
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}


def lstm():
    torch.manual_seed(1)
    return LstmEncoder(LstmConfig(n_words=60, n_characters=60, n_bigrams=60, hidden=12, word_width=16)).eval()


def cnn(**options):
    torch.manual_seed(1)
    shape = {"n_words": 60, "n_characters": 60, "n_bigrams": 60, "channels": 5, "word_width": 16, "layers": 2}
    return CnnEncoder(CnnConfig(**shape | options)).eval()


def transformer():
    torch.manual_seed(1)
    return TransformerEncoder(TransformerConfig(model=BERT, first=2, last=3)).eval()


def stacked():
    torch.manual_seed(1)
    words = LstmConfig(n_words=60, n_characters=60, n_bigrams=60, hidden=12, word_width=16, beside=32)
    return StackedEncoder(StackedConfig(transformer=transformer().config, words=words)).eval()


@pytest.mark.parametrize(("make", "n_features"), [(lstm, 18), (cnn, 18), (transformer, 1), (stacked, 19)])
def test_a_window_is_read_alike_alone_and_in_a_padded_batch(make, n_features):
    encoder = make()
    generator = torch.Generator().manual_seed(2)
    pieces = torch.randint(4, 60, (3, 9, n_features), generator=generator)
    mask = torch.ones(3, 9, dtype=torch.bool)
    mask[1, 4:] = False
    mask[2, 1:] = False
    together = encoder(pieces, mask)
    assert together.shape == (3, 9, encoder.width)
    for row, length in enumerate((9, 4, 1)):
        alone = encoder(pieces[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-5, rtol=1e-4)


def test_the_transformer_sees_its_own_special_pieces():
    encoder = transformer()
    pieces = torch.tensor([[[7], [8]]])
    ids = torch.tensor([[2, 7, 8, 3]])
    expected = encoder.encoder(input_ids=ids).last_hidden_state[:, 1:-1]
    torch.testing.assert_close(encoder(pieces, torch.ones(1, 2, dtype=torch.bool)), expected)


@pytest.mark.parametrize("make", [lstm, cnn])
def test_every_piece_depends_on_both_sides(make):
    encoder = make()
    pieces = torch.randint(4, 60, (1, 7, 18), generator=torch.Generator().manual_seed(2))
    mask = torch.ones(1, 7, dtype=torch.bool)
    for changed, read in ((0, 6), (6, 0)):
        other = pieces.clone()
        other[0, changed, 0] = 5 if pieces[0, changed, 0] != 5 else 6
        assert not torch.allclose(encoder(pieces, mask)[0, read], encoder(other, mask)[0, read])


def test_a_folder_without_an_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bert: an encoder in a local folder, or a hub id .*needed, got \w+Error$"):
        (tmp_path / "bert").mkdir()
        read_encoder(str(tmp_path / "bert"))


@pytest.mark.parametrize("layers", [1, 2])
def test_an_lstm_with_padding_reads_and_learns_as_one_without(layers):
    """On a CPU each direction runs over padded windows; a GPU gets them packed. Both are the same function."""
    torch.manual_seed(3)
    encoder = LstmEncoder(LstmConfig(n_words=60, hidden=12, word_width=16, layers=layers, dropout=0.0))
    mask = torch.arange(9) < torch.tensor([9, 4, 1, 7])[:, None]
    inputs = torch.randn(4, 9, 16)
    packed, padded = encoder._packed(inputs, mask), encoder._both_ways(inputs, mask)
    torch.testing.assert_close(padded, packed, atol=1e-6, rtol=1e-5)
    weights = list(encoder.lstm.parameters())
    for one, other in zip(
        torch.autograd.grad(packed.square().sum(), weights),
        torch.autograd.grad(padded.square().sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-4)


KINDS = {
    "bert": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
    "electra": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "embedding_size": 8},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "deberta-v2": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
}


@pytest.mark.parametrize("kind", KINDS)
def test_encoders_of_other_kinds_than_bert_are_read_and_built_anew(kind, tmp_path):
    from transformers import AutoConfig, AutoModel

    AutoModel.from_config(AutoConfig.for_model(kind, vocab_size=40, **KINDS[kind])).save_pretrained(tmp_path)
    bare, shape = read_encoder(str(tmp_path))
    config = TransformerConfig(model=shape, first=1, last=2)
    read, built = TransformerEncoder(config, bare).eval(), TransformerEncoder(config).eval()
    built.load_state_dict(read.state_dict())
    pieces, mask = torch.randint(3, 40, (2, 6, 1)), torch.ones(2, 6, dtype=torch.bool)
    mask[1, 4:] = False
    with torch.no_grad():
        states = read(pieces, mask)
        assert states.shape == (2, 6, 16)
        assert torch.equal(states, built(pieces, mask))


def test_what_stands_in_padding_changes_no_state_of_a_cnn():
    encoder = cnn(filter_widths=(3, 9))
    generator = torch.Generator().manual_seed(4)
    pieces = torch.randint(4, 60, (2, 12, 18), generator=generator)
    mask = torch.arange(12) < torch.tensor([[12], [5]])
    other = torch.where(mask[..., None], pieces, torch.randint(4, 60, pieces.shape, generator=generator))
    assert torch.equal(encoder(pieces, mask), encoder(other, mask))
    longer = torch.cat([pieces, pieces], 1)
    states = encoder(longer, torch.cat([mask, mask.new_zeros(2, 12)], 1))
    torch.testing.assert_close(states[:, :12], encoder(pieces, mask), atol=1e-6, rtol=1e-5)
    assert not states[:, 12:].any()


def test_a_cnn_block_is_two_convolutions_and_a_shortcut():
    """Li & Yu (2020), equations 1 to 4, with an identity as the shortcut; one filter as wide as a word."""
    encoder = cnn(n_bigrams=0, n_characters=0, filter_widths=(1,), layers=1)
    words = torch.tensor([[[7], [9]]])
    [only] = encoder.filters
    [block] = only.blocks
    for at in range(2):
        first, second, third = (
            lambda x, each=each: each.weight[..., 0] @ x + each.bias for each in (only.first, block.inner, block.outer)
        )
        start = torch.tanh(first(encoder.words.weight[words[0, at, 0]]))
        expected = torch.tanh(start + third(torch.tanh(second(start))))
        torch.testing.assert_close(encoder(words, torch.ones(1, 2, dtype=torch.bool))[0, at], expected)


@pytest.mark.parametrize(("filter_widths", "layers"), [((3,), 0), ((3, 5), 1), ((9, 1), 2)])
def test_a_cnn_sees_exactly_its_reach(filter_widths, layers):
    encoder = cnn(filter_widths=filter_widths, layers=layers)
    far = reach(filter_widths, layers)
    pieces = torch.randint(4, 60, (1, 2 * far + 3, 18), generator=torch.Generator().manual_seed(5))
    mask = torch.ones(pieces.shape[:2], dtype=torch.bool)
    other = pieces.clone()
    other[0, 0] = 3
    changed = (encoder(pieces, mask) != encoder(other, mask)).any(2)[0]
    assert changed.tolist() == [at <= far for at in range(2 * far + 3)]


def test_filters_without_a_middle_are_refused():
    with pytest.raises(ValueError, match=r"filter_widths: odd numbers needed, got \[3, 4\]"):
        CnnConfig(n_words=3, filter_widths=(3, 4))
