"""A trained model in another form: int8 weights, or its encoder as an ONNX graph. Heads stay as they are."""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from clinlp.errors import MissingExtraError, UsageError
from clinlp.models.cnn import CnnConfig
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.form import Form
from clinlp.models.int8 import to_int8
from clinlp.models.lstm import LstmEncoder
from clinlp.models.onnx import OnnxEncoder
from clinlp.models.stacked import StackedConfig
from clinlp.models.tagger import Tagger

_MAX_BYTES: Final = 2_000_000_000  # of one protobuf message is 2^31; the graph takes its share


def convert(model: Tagger | Diagnoser, form: Form) -> Tagger | Diagnoser:
    """Give a model whose encoder is in another form; the model itself stays as it is.

    Args:
        model: In evaluation mode, on the CPU, in float32.

    Raises:
        UsageError: The model is no longer in the form in which it was trained, or cannot take the other.
        MissingExtraError: ONNX is asked for and not installed.
    """
    encoder, config = model.encoder, model.config.encoder
    if isinstance(config, (CnnConfig, StackedConfig)):
        raise UsageError(f"{form}: an LSTM or a transformer alone needed, got a model of kind {config.kind}")
    if config.form != "float":
        raise UsageError(f"a model as it was trained needed, got one in the form {config.form}")
    if form == "int8":
        made: Any = copy.deepcopy(encoder)
        to_int8(made)
    else:
        graph = to_onnx(encoder)
        made = OnnxEncoder(config, int8_graph(graph) if form == "onnx-int8" else graph)
    changed: dict[str, Any] = {"encoder": config.model_copy(update={"form": form})}
    if isinstance(model, Diagnoser):
        changed["sets"] = None  # what they promise was promised of the probabilities before
    shape = model.config.model_copy(update=changed)
    made.config = shape.encoder
    converted = type(model)(shape, made)  # type: ignore[arg-type]
    heads = {name: value for name, value in model.state_dict().items() if not name.startswith("encoder.")}
    converted.load_state_dict(heads, strict=False)
    return converted.eval()


def to_onnx(encoder: nn.Module) -> bytes:
    """Give an encoder as an ONNX file: from pieces and mask to hidden states, in windows of any number and length.

    Raises:
        MissingExtraError: The packages that write ONNX are not installed.
        UsageError: The encoder is too large for one file, or holds what ONNX cannot say.
    """
    _need("onnx", "onnxscript", "onnxruntime")
    if sum(weight.numel() for weight in encoder.state_dict().values()) * 4 > _MAX_BYTES:
        raise UsageError("onnx: an encoder of less than 2 GB needed, got a larger one; int8 has no limit")
    if isinstance(encoder, LstmEncoder):
        from clinlp.models.onnx_lstm import lstm_graph

        written: bytes = lstm_graph(encoder).SerializeToString()
        return written
    with _quiet():
        try:
            return _traced(encoder)
        except torch.onnx.errors.OnnxExporterError:
            pass
    raise UsageError("onnx: an encoder of operators that ONNX knows needed, got others; int8 may do")


def int8_graph(graph: bytes) -> bytes:
    """Give an ONNX file whose products and tables are int8, quantised dynamically by onnxruntime."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(graph)
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm", "Gather", "LSTM"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


def _traced(encoder: nn.Module) -> bytes:
    """Trace a transformer with torch's exporter."""
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, 5:] = False
    any_size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    program: Any = torch.onnx.export(
        encoder,
        (torch.full((2, 7, 1), 5), mask),
        dynamo=True,
        dynamic_shapes=(any_size, any_size),
        input_names=["pieces", "mask"],
        output_names=["hidden"],
        verbose=False,
    )
    written: bytes = program.model_proto.SerializeToString()
    return written


def _need(*packages: str) -> None:
    """Refuse in one line where a package of the extra is missing."""
    from importlib.util import find_spec

    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(package, "onnx")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the remarks of exporters, which say nothing that a user could act on, off the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
