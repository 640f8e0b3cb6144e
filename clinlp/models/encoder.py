"""The encoders behind one interface: pieces and mask to a hidden state for every piece."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from clinlp.models.cnn import CnnConfig, CnnEncoder
from clinlp.models.int8 import to_int8
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.models.onnx import OnnxEncoder
from clinlp.models.stacked import StackedConfig, StackedEncoder
from clinlp.models.transformer import TransformerConfig, TransformerEncoder

EncoderConfig = Annotated[LstmConfig | CnnConfig | TransformerConfig | StackedConfig, Field(discriminator="kind")]
Encoder: TypeAlias = LstmEncoder | CnnEncoder | TransformerEncoder | StackedEncoder
"""An encoder that can be trained: `config`, `width`, `forward(pieces, mask)`, and `look_up(pieces)` for
pieces by themselves."""


def build_encoder(config: LstmConfig | CnnConfig | TransformerConfig | StackedConfig) -> Encoder | OnnxEncoder:
    """Make the encoder that a config describes, in its form, with fresh weights or an empty graph."""
    if isinstance(config, CnnConfig):
        return CnnEncoder(config)
    if isinstance(config, StackedConfig):
        return StackedEncoder(config)
    if config.form in ("onnx", "onnx-int8"):
        return OnnxEncoder(config)
    encoder = LstmEncoder(config) if isinstance(config, LstmConfig) else TransformerEncoder(config)
    if config.form == "int8":
        to_int8(encoder)
    return encoder
