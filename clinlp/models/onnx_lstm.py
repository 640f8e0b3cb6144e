"""The LSTM encoder as an ONNX graph, written node by node: ONNX has an operator for each of its parts.

No tracer is needed, and the operator LSTM takes lengths, so that padding never reaches a state.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clinlp.models.lstm import LstmEncoder

OPSET: Final = 20
_N_LETTERS: Final = 16  # of a word, as the piece reader gives them
_PRIME: Final = (1 << 47) - 115
_FACTOR: Final = 32749
"""Spellings are told apart by a polynomial of their characters modulo a prime: no product of a number
below 2^47 and a character's below 2^15 leaves 63 bits, and of ten thousand spellings two meet in less
than one batch of a million."""


class _Graph:
    """Nodes and constants of a graph that grows."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def hold(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, kind: str, inputs: list[str], outputs: str, options: dict[str, Any] | None = None) -> str:
        """Add a node; give its last output, which is the only one that most have."""
        from onnx import helper

        names = outputs.split(",")
        self.nodes.append(helper.make_node(kind, inputs, names, **(options or {})))
        return names[-1]

    def look_up(self, name: str, table: NDArray[Any], rows: str) -> str:
        """Add a table and look its rows up."""
        return self.add("Gather", [self.hold(f"{name}_table", table), rows], name)


def lstm_graph(encoder: LstmEncoder) -> Any:
    """Give the ONNX model of an encoder: inputs `pieces` and `mask`, output `hidden`."""
    from onnx import TensorProto, helper

    config = encoder.config
    weights = {name: value.detach().float().numpy() for name, value in encoder.state_dict().items()}
    graph = _Graph()
    parts = [graph.look_up("words", weights["words.weight"], _feature(graph, "word", 0))]
    if config.n_bigrams:
        parts.append(graph.look_up("bigrams", weights["bigrams.weight"], _feature(graph, "bigram", 1)))
    if config.n_characters:
        parts.append(_spell(graph, weights))
    graph.add("Concat", parts, "features", {"axis": -1})
    graph.add("Transpose", ["features"], "layer0", {"perm": [1, 0, 2]})
    graph.add("Cast", ["mask"], "mask32", {"to": TensorProto.INT32})
    graph.hold("over_pieces", np.array([1]))
    graph.add("ReduceSum", ["mask32", "over_pieces"], "lengths", {"keepdims": 0})
    for layer in range(config.layers):
        _both_ways(graph, weights, layer, config.hidden)
    graph.add("Transpose", [f"layer{config.layers}"], "hidden", {"perm": [1, 0, 2]})
    made = helper.make_graph(
        graph.nodes,
        "lstm",
        [
            helper.make_tensor_value_info("pieces", TensorProto.INT64, ["window", "piece", "feature"]),
            helper.make_tensor_value_info("mask", TensorProto.BOOL, ["window", "piece"]),
        ],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["window", "piece", 2 * config.hidden])],
        graph.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def _feature(graph: _Graph, name: str, number: int) -> str:
    """Take one feature of every piece, `(window, piece)`."""
    return graph.add("Gather", ["pieces", graph.hold(f"{name}_at", np.array(number))], name, {"axis": 2})


def _spell(graph: _Graph, weights: dict[str, NDArray[Any]]) -> str:
    """Read each distinct spelling once, as the encoder does; `(window, piece, character feature)`."""
    for name, value in (("first_letter", 2), ("past_letters", 1 << 31), ("letter_axis", 2)):
        graph.hold(name, np.array([value]))
    graph.add("Slice", ["pieces", "first_letter", "past_letters", "letter_axis"], "letters_of_all")
    graph.hold("flat", np.array([-1, _N_LETTERS]))
    graph.add("Reshape", ["letters_of_all", "flat"], "letters")
    powers = [pow(_FACTOR, power, _PRIME) for power in range(_N_LETTERS)]
    graph.hold("powers", np.array(powers, np.int64))
    graph.add("Mul", ["letters", "powers"], "terms")
    graph.add("Mod", ["terms", graph.hold("prime", np.array(_PRIME, np.int64))], "small_terms")
    graph.add("ReduceSum", ["small_terms", graph.hold("over_letters", np.array([1]))], "keys", {"keepdims": 0})
    graph.add("Unique", ["keys"], "distinct,firsts,which", {"sorted": 1})
    graph.add("Gather", ["letters", "firsts"], "spellings")
    graph.look_up("letter_features", weights["characters.weight"], "spellings")
    graph.add("Transpose", ["letter_features"], "letter_columns", {"perm": [0, 2, 1]})
    for name in ("weight", "bias"):
        graph.hold(f"convolution_{name}", weights[f"convolution.{name}"])
    graph.add(
        "Conv", ["letter_columns", "convolution_weight", "convolution_bias"], "read", {"pads": [1, 1], "strides": [1]}
    )
    graph.add("Equal", ["spellings", graph.hold("no_letter", np.array(0))], "no_letters")
    graph.add("Unsqueeze", ["no_letters", graph.hold("feature_axis", np.array([1]))], "padding")
    graph.add("Where", ["padding", graph.hold("never", np.array(-1e4, np.float32)), "read"], "real_read")
    graph.add("ReduceMax", ["real_read", graph.hold("along", np.array([2]))], "most", {"keepdims": 0})
    graph.add("Relu", ["most"], "spelled")
    graph.add("Gather", ["spelled", "which"], "spelled_pieces")
    graph.add("Shape", ["mask"], "shape")
    graph.add("Concat", ["shape", graph.hold("rest", np.array([-1]))], "full_shape", {"axis": 0})
    return graph.add("Reshape", ["spelled_pieces", "full_shape"], "characters")


def _both_ways(graph: _Graph, weights: dict[str, NDArray[Any]], layer: int, hidden: int) -> None:
    """Add one layer, from `layerN` to `layerN+1`, both `(piece, window, width)`."""

    def gates(kind: str) -> NDArray[Any]:
        ways = [weights[f"lstm.{kind}_l{layer}{way}"] for way in ("", "_reverse")]
        # torch's order is input, forget, cell, output; that of ONNX input, output, forget, cell
        ordered = [np.split(each, 4) for each in ways]
        return np.stack([np.concatenate([each[0], each[3], each[1], each[2]]) for each in ordered])

    for name, kind in (("W", "weight_ih"), ("R", "weight_hh")):
        graph.hold(f"{name}{layer}", gates(kind))
    graph.hold(f"B{layer}", np.concatenate([gates("bias_ih"), gates("bias_hh")], 1))
    inputs = [f"layer{layer}", *(f"{name}{layer}" for name in "WRB"), "lengths"]
    graph.add("LSTM", inputs, f"states{layer}", {"hidden_size": hidden, "direction": "bidirectional"})
    graph.add("Transpose", [f"states{layer}"], f"by_piece{layer}", {"perm": [0, 2, 1, 3]})
    graph.add("Reshape", [f"by_piece{layer}", graph.hold(f"join{layer}", np.array([0, 0, -1]))], f"layer{layer + 1}")
