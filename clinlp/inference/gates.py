"""A note as a function of how much of each word is left: what evidence is asked from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from clinlp.data.batches import join
from clinlp.data.pieces import PieceReader
from clinlp.data.rows import Ints
from clinlp.data.subwords import SubwordPieces
from clinlp.errors import DataError, UsageError
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.lexical import LexicalEncoder
from clinlp.models.stacked import StackedEncoder
from clinlp.tagging.windows import overlapping
from clinlp.text.tokens import tokenize

_MOST_NUMBERS: Final = 1 << 26  # of one tensor of pieces by codes: 256 MB


class GatedNote:
    """Gives the log-odds of codes when each word of a note is left as it is, taken out, or anything between.

    A word at gate 1 has its own embedding, at 0 the blank one, and between them a mixture, in every
    window that holds it. The blank of a word encoder is nothing at all (zeros), that of a transformer
    its mask piece.

    Attributes:
        offsets: `(word, 2)`, characters: the tokens of the note.
    """

    def __init__(
        self,
        diagnoser: Diagnoser,
        reader: PieceReader,
        text: str,
        codes: Sequence[int],
        fields: Tensor | None = None,
    ) -> None:
        """Read a note.

        Args:
            diagnoser: In evaluation mode.
            codes: Which codes are asked about, by their places in the code set.
            fields: `(1, column)`, what the model reads beside the text, which stays as it is.

        Raises:
            DataError: The text has no words.
            UsageError: The model's encoder cannot be asked.
        """
        self.diagnoser, self.codes = diagnoser, torch.tensor(codes, dtype=torch.int64)
        self._inputs, self._blank = _inputs(diagnoser, reader)
        read, encoder = reader(text), diagnoser.config.encoder
        if not len(read):
            raise DataError("evidence: a text with words needed, got none")
        self.offsets: Ints = np.array(tokenize(text), np.int32).reshape(-1, 2)
        self.words = torch.from_numpy(np.searchsorted(self.offsets[:, 0], read.offsets[:, 0], "right") - 1)
        windows = overlapping(len(read), encoder.max_pieces, encoder.overlap)
        device = next(diagnoser.parameters()).device
        batch = join([(read.features, windows)])
        self._pieces, self._mask, self._places = (each.to(device) for each in (batch.pieces, batch.mask, batch.places))
        slots = torch.full(batch.mask.shape, len(self.offsets))  # padding has a gate of its own, always open
        for row, window in enumerate(windows):
            slots[row, : len(window)] = self.words[window.start : window.end]
        self._slots = slots.to(device)
        self._fields = None if fields is None else fields.to(device)
        self.device = device

    @property
    def n_words(self) -> int:
        """How many gates there are."""
        return len(self.offsets)

    def rows(self, batch_pieces: int) -> int:
        """Say how many settings of the gates fit in a batch."""
        n_pieces = self._mask.numel()
        n_numbers = n_pieces * max(len(self.diagnoser.config.codes), 1)
        return max(1, min(batch_pieces // n_pieces, _MOST_NUMBERS // n_numbers))

    def __call__(self, gates: Tensor) -> Tensor:
        """Score the codes for each setting of the gates.

        Args:
            gates: `(row, word)`, 0 to 1.

        Returns:
            `(row, code)`: log-odds before any calibration, of the codes asked about.
        """
        n_rows, (n_windows, width) = len(gates), self._mask.shape
        open_end = nn.functional.pad(gates.to(self.device), (0, 1), value=1.0)
        left = open_end[:, self._slots.flatten()].view(n_rows * n_windows, width)
        places = (
            self._places.expand(n_rows, -1) + torch.arange(n_rows, device=self.device)[:, None] * self._mask.numel()
        )
        with _dimmed(self._inputs, left, self._blank), _slopes(self.device, self.diagnoser.config.encoder.kind):
            logits, _ = self.diagnoser.logits(
                self._pieces.repeat(n_rows, 1, 1),
                self._mask.repeat(n_rows, 1),
                places.contiguous(),
                None if self._fields is None else self._fields.repeat(n_rows, 1),
            )
        return self._log_odds(logits)

    def attention(self) -> Tensor:
        """Give the share of each code's attention that lies on each word, `(code, word)`."""
        with torch.no_grad():
            _, attention = self.diagnoser.logits(self._pieces, self._mask, self._places, self._fields)
        chosen = attention[0, self.codes.to(self.device)].float()
        shares = chosen.new_zeros(len(chosen), self.n_words)
        return shares.index_add_(1, self.words.to(self.device), chosen)

    def _log_odds(self, logits: Tensor) -> Tensor:
        """The logit of a sigmoid; of a softmax, the logit against all other codes."""
        chosen = logits.float()[:, self.codes.to(self.device)]
        if not self.diagnoser.config.single or logits.shape[1] < 2:
            return chosen
        others = logits.float()[:, None, :].repeat(1, len(self.codes), 1)
        others[:, torch.arange(len(self.codes)), self.codes] = -torch.inf
        return chosen - others.logsumexp(2)


def _inputs(diagnoser: Diagnoser, reader: PieceReader) -> tuple[nn.Module, Tensor]:
    """Find the part of an encoder that gives the embedding of pieces, and the embedding that says nothing."""
    encoder: Any = diagnoser.encoder
    form = diagnoser.config.encoder.form
    if form != "float":
        raise UsageError(
            f"evidence: a model in the form float needed to weigh its words, got {form}; attention asks none"
        )
    if isinstance(encoder, LexicalEncoder):
        return encoder.inputs, torch.zeros((), device=next(diagnoser.parameters()).device)
    if isinstance(encoder, StackedEncoder):
        raise UsageError("evidence: a transformer or an LSTM alone needed to weigh words, got both")
    inner: Any = encoder.encoder.get_input_embeddings()
    blank = reader.blank if isinstance(reader, SubwordPieces) else 0
    piece = torch.tensor([blank], device=next(diagnoser.parameters()).device)
    with torch.no_grad():
        return inner, inner(piece)[0]


@contextmanager
def _dimmed(inputs: nn.Module, left: Tensor, blank: Tensor) -> Iterator[None]:
    """Mix the embeddings of pieces with the blank while the context lasts.

    Args:
        left: `(window, piece)`, the share of each piece's own embedding.
    """

    def mix(_module: nn.Module, _given: Any, embedded: Tensor) -> Tensor:
        around = embedded.shape[1] - left.shape[1]  # pieces that the encoder itself puts around a window stay
        share = nn.functional.pad(left, (around // 2, around - around // 2), value=1.0)[:, :, None]
        return blank + share.to(embedded.dtype) * (embedded - blank)

    handle = inputs.register_forward_hook(mix)
    try:
        yield
    finally:
        handle.remove()


def _slopes(device: torch.device, kind: str) -> Any:
    """On a GPU, cuDNN's LSTM gives no gradient in evaluation mode; torch's own does."""
    if device.type == "cuda" and kind == "lstm":
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()
