"""Encoders as ONNX graphs: the same states as from torch, in windows of any number and length."""

from __future__ import annotations

import copy

import pytest
import torch

from clinlp.errors import UsageError
from clinlp.models.export import to_onnx
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.onnx import OnnxEncoder
from clinlp.models.transformer import TransformerConfig, TransformerEncoder

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SIZES = [(1, 1), (1, 9), (4, 1), (3, 30)]
LSTMS = {
    "words": {},
    "words, characters": {"n_characters": 30},
    "all, two layers": {"n_characters": 30, "n_bigrams": 40, "layers": 2},
}


def batch(windows, pieces, n_features):
    """Random pieces, of which window after window has fewer."""
    generator = torch.Generator().manual_seed(windows * 100 + pieces)
    mask = torch.arange(pieces)[None] < torch.linspace(pieces, 1, windows)[:, None]
    values = torch.randint(1, 30, (windows, pieces, n_features), generator=generator)
    if n_features > 2:
        values[..., 6:][torch.rand(values[..., 6:].shape, generator=generator) < 0.7] = 0  # short words
    return values * mask[..., None], mask


def compare(encoder, graph, n_features):
    for size in SIZES:
        pieces, mask = batch(*size, n_features)
        with torch.inference_mode():
            found, wanted = graph(pieces, mask)[mask], encoder(pieces, mask)[mask]
        assert torch.allclose(found, wanted, atol=2e-6), size


@pytest.mark.parametrize("features", LSTMS)
def test_an_lstm_graph_gives_the_states_of_the_encoder(features):
    torch.manual_seed(7)
    config = LstmConfig(n_words=30, word_width=8, character_width=6, bigram_width=4, hidden=5, **LSTMS[features])
    encoder = LstmEncoder(config).eval()
    for weight in encoder.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    compare(encoder, OnnxEncoder(config, to_onnx(encoder)), 18)


@pytest.mark.slow
def test_a_transformer_graph_gives_the_states_of_the_encoder():
    torch.manual_seed(8)
    shape = {
        "model_type": "bert",
        "vocab_size": 40,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 40,
    }
    config = TransformerConfig(model=shape, first=30, last=31, max_pieces=38, overlap=8)
    encoder = TransformerEncoder(config).eval()
    compare(encoder, OnnxEncoder(config, to_onnx(encoder)), 1)


def test_a_copy_opens_the_graph_anew():
    config = LstmConfig(n_words=30, hidden=5)
    one = OnnxEncoder(config, to_onnx(LstmEncoder(config).eval()))
    session = one.open()
    other = copy.deepcopy(one)
    assert other.open() is not session
    assert one.open() is session


def test_what_is_no_graph_is_told_in_a_line():
    with pytest.raises(UsageError, match=r"encoder.onnx: a graph that this onnxruntime reads needed, got \w+$"):
        OnnxEncoder(LstmConfig(n_words=3), b"no graph").open()
