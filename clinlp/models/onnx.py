"""An encoder that onnxruntime computes, behind the interface of the package. Heads stay with torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clinlp.errors import MissingExtraError, UsageError
from clinlp.models.lstm import LstmConfig
from clinlp.models.transformer import TransformerConfig

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxEncoder(nn.Module):
    """From pieces and mask to hidden states by an ONNX graph, which holds the weights too.

    Attributes:
        graph: The ONNX file.
    """

    def __init__(self, config: LstmConfig | TransformerConfig, graph: bytes = b"") -> None:
        super().__init__()
        self.config, self.graph = config, graph
        self.width = config.width
        self._session: InferenceSession | None = None
        self._process = 0

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Encode every piece in the light of its whole window.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real; padding is at the end.

        Returns:
            Hidden states, `(window, piece, hidden)`; rows of padding hold no meaning.
        """
        [hidden] = self.open().run(["hidden"], {"pieces": pieces.numpy(), "mask": mask.numpy()})
        return torch.from_numpy(hidden)

    def open(self) -> InferenceSession:
        """Make onnxruntime ready, once in each process: its threads do not survive a fork.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            UsageError: It cannot read the graph.
        """
        if self._session is None or self._process != os.getpid():
            try:
                import onnxruntime
            except ImportError:
                raise MissingExtraError("onnxruntime", "onnx") from None
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # cores are shared with others
            options.log_severity_level = 3
            try:
                self._session = onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # noqa: BLE001  onnxruntime has a kind of its own for every way to fail
                raise UsageError(
                    f"encoder.onnx: a graph that this onnxruntime reads needed, got {type(error).__name__}"
                ) from None
            self._process = os.getpid()
        return self._session

    def __getstate__(self) -> dict[str, Any]:
        """Copy without the session, which belongs to one process."""
        return self.__dict__ | {"_session": None}
