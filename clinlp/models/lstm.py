"""A bidirectional LSTM over words.

Source: Lample et al. (2016), arXiv 1603.01360.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from clinlp.models.lexical import LexicalConfig, LexicalEncoder
from clinlp.models.lstm_memory import Memory
from clinlp.models.lstm_numpy import Weights, both_ways, embedded, pack

_FEW = 64  # windows that numpy reads at least as fast as torch with as many threads as it likes


class LstmConfig(LexicalConfig):
    """The shape of an LSTM encoder."""

    kind: Literal["lstm"] = "lstm"
    hidden: int = 200  # of each direction
    layers: int = 1
    beside: int = 0  # numbers of another encoder's state, joined to the features of every piece

    @property
    def width(self) -> int:
        """Numbers of a hidden state."""
        return 2 * self.hidden


class LstmEncoder(LexicalEncoder):
    """Reads a window from both ends, word by word."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.config = config
        self.width = config.width
        self.lstm = nn.LSTM(
            config.embedding_width + config.beside,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self._packed_weights: tuple[tuple[int, ...], Weights, tuple[Memory, Memory]] | None = None

    def forward(self, pieces: Tensor, mask: Tensor, beside: Tensor | None = None) -> Tensor:
        """Encode every piece in the light of its whole window.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real; padding is at the end.
            beside: States of another encoder, `(window, piece, beside)`.

        Returns:
            Hidden states, `(window, piece, 2 * hidden)`.
        """
        if beside is None and self._by_numpy(pieces):
            pairs = self.bigrams.weight.detach().numpy() if self.n_bigrams else None
            words = self.words.weight.detach().numpy()
            weights, memories = self._weights()
            given = words, pairs, pieces.numpy(), mask.numpy(), weights
            if len(pieces) > 1:
                return torch.from_numpy(both_ways(*given, memories))
            return self._both_ways(torch.from_numpy(embedded(*given)), mask)  # steps so small are torch's
        inputs = self.dropout(self.embed(pieces, mask))
        if beside is not None:
            inputs = torch.cat([inputs, beside.to(inputs.dtype)], 2)
        states = self._both_ways(inputs, mask) if inputs.device.type == "cpu" else self._packed(inputs, mask)
        dropped: Tensor = self.dropout(states)
        return dropped

    def _by_numpy(self, pieces: Tensor) -> bool:
        """Whether this is a plain network on a CPU that nobody trains, changes or asks for gradients."""
        if self.inputs._forward_hooks:  # noqa: SLF001  somebody gives the features of pieces other values
            return False
        if self.training or torch.is_grad_enabled() or pieces.device.type != "cpu" or self.config.layers > 1:
            return False
        plain = self.config.form == "float" and self.words.weight.dtype == torch.float32
        few = len(pieces) <= _FEW or torch.get_num_threads() == 1
        return plain and few and not torch.is_autocast_enabled("cpu")

    def _weights(self) -> tuple[Weights, tuple[Memory, Memory]]:
        """The weights as numpy reads them, laid out anew whenever they have changed."""
        spelling = (self.characters.weight, *self.convolution.parameters()) if self.n_characters else ()
        paired = (self.bigrams.weight,) if self.n_bigrams else ()
        used = (self.words.weight, *paired, *self.lstm.parameters(), *spelling)
        if any(each.is_inference() for each in used):  # nobody counts their changes
            self._packed_weights = None
        state = tuple(number for each in used for number in (each.data_ptr(), _version(each)))
        if self._packed_weights is None or self._packed_weights[0] != state:
            letters = (self.characters.weight, self.convolution) if self.n_characters else (None, None)
            n_pairs = self.bigrams.embedding_dim if self.n_bigrams else 0
            weights = pack(self.lstm, self.words.embedding_dim, n_pairs, *letters)
            n_gates = 4 * self.config.hidden
            self._packed_weights = state, weights, (Memory(n_gates), Memory(n_gates, shut=False))
        return self._packed_weights[1:]

    def train(self, mode: bool = True) -> Self:
        """Forget how weights were laid out: an optimiser's fused step changes them and counts nothing."""
        self._packed_weights = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, object]:
        """Copies lay weights out for themselves."""
        return self.__dict__ | {"_packed_weights": None}

    def _packed(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Run the LSTM without its padding."""
        packed = pack_padded_sequence(inputs, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        states, _ = self.lstm(packed)
        padded, _ = pad_packed_sequence(states, batch_first=True, total_length=mask.shape[1])
        return padded

    def _both_ways(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Give what `_packed` does, with padding: on a CPU, a packed step's gradient costs as much as the whole batch.

        Forwards, padding comes last and reaches nothing; backwards, each window is turned round first,
        and its states are turned back.
        """
        rows, width = mask.shape
        places = torch.arange(width, device=mask.device)
        lengths = mask.sum(1, keepdim=True)
        turned = torch.where(places < lengths, lengths - 1 - places, places)
        # Whole rows are picked by number: a gather spread over the features takes ten times as long.
        turned = (turned + width * torch.arange(rows, device=mask.device)[:, None]).ravel()
        weights = list(self.lstm.parameters())  # by layer, four for each direction, in the order of torch.lstm
        start = inputs.new_zeros(1, rows, self.config.hidden)
        states = inputs
        for layer in range(self.config.layers):
            held = weights[8 * layer : 8 * layer + 8]
            back = states.flatten(0, 1).index_select(0, turned).view_as(states)
            # has_biases, one layer, no dropout inside it, training, one direction, batch first
            ways = [
                torch.lstm(each, (start, start), list(four), True, 1, 0.0, self.training, False, True)[0]
                for each, four in ((states, held[:4]), (back, held[4:]))
            ]
            ways[1] = ways[1].flatten(0, 1).index_select(0, turned).view_as(ways[1])
            states = torch.cat(ways, 2)
            if layer + 1 < self.config.layers:
                states = self.dropout(states)
        return states * mask[:, :, None]


def _version(held: Tensor) -> int:
    """How often a tensor was changed in place."""
    return 0 if held.is_inference() else held._version  # noqa: SLF001  torch's own count has no other name
