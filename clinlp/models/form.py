"""In which form a model's encoder is kept and computed."""

from __future__ import annotations

from typing import Literal, TypeAlias

Form: TypeAlias = Literal["float", "int8", "onnx", "onnx-int8"]
"""`float`: as it was trained; the others are exports for a CPU: int8 weights, an ONNX graph, or both."""
