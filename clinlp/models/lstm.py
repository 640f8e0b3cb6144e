"""A bidirectional LSTM over words, with character and word-pair features.

Source: Lample et al. (2016), arXiv 1603.01360; Ma & Hovy (2016), arXiv 1603.01354 (character CNN).
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from clinlp.config import Config
from clinlp.models.form import Form

_FACTOR: Final = 0x2545F4914F6CDD1D  # Vigna (2016), xorshift64*


class LstmConfig(Config):
    """The shape of an LSTM encoder. `n_...` count the rows of the vocabularies, padding included."""

    kind: Literal["lstm"] = "lstm"
    form: Form = "float"
    n_words: int
    n_characters: int = 0  # 0: no character features
    n_bigrams: int = 0  # 0: no word-pair features; else the number of hash buckets
    word_width: int = 128
    character_width: int = 64
    bigram_width: int = 64
    hidden: int = 200  # of each direction
    layers: int = 1
    dropout: float = 0.4
    word_dropout: float = 0.0  # share of words read as unknown while training, so that spelling is learned too
    max_pieces: int = 256
    overlap: int = 32

    @property
    def width(self) -> int:
        """Numbers of a hidden state."""
        return 2 * self.hidden


class LstmEncoder(nn.Module):
    """Reads features of words: feature 0 the word, 1 the word pair, the rest its characters."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        width = config.word_width
        self.words = nn.Embedding(config.n_words, config.word_width, padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.1)
        if config.n_bigrams:
            self.bigrams = nn.Embedding(config.n_bigrams, config.bigram_width)
            nn.init.zeros_(self.bigrams.weight)  # a pair never seen in training then says nothing
            width += config.bigram_width
        if config.n_characters:
            self.characters = nn.Embedding(config.n_characters, 32, padding_idx=0)
            self.convolution = nn.Conv1d(32, config.character_width, 3, padding=1)
            width += config.character_width
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(
            width,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Encode every piece in the light of its whole window.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real; padding is at the end.

        Returns:
            Hidden states, `(window, piece, 2 * hidden)`.
        """
        inputs = self.dropout(self._embed(pieces, mask))
        states = self._both_ways(inputs, mask) if inputs.device.type == "cpu" else self._packed(inputs, mask)
        dropped: Tensor = self.dropout(states)
        return dropped

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

    def _embed(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Join the features of every piece, `(window, piece, width)`."""
        words = pieces[..., 0]
        if self.training and self.config.word_dropout:
            hidden = torch.rand(words.shape, device=words.device) < self.config.word_dropout
            words = torch.where(hidden & mask, 1, words)
        parts = [self.words(words)]
        if self.config.n_bigrams:
            parts.append(self.bigrams(pieces[..., 1]))
        if self.config.n_characters:
            parts.append(self._spell(pieces[..., 2:], mask))
        return torch.cat(parts, -1)

    def _spell(self, characters: Tensor, mask: Tensor) -> Tensor:
        """Read each distinct spelling of the batch once: most words of a batch repeat."""
        real = characters[mask]
        # One number a spelling, a polynomial modulo 2^64: rows of numbers take many times as long to tell apart,
        # and of ten thousand spellings two meet by chance less than once in 10^11 batches.
        keys = real.new_zeros(len(real))
        for column in real.unbind(1):
            keys = keys * _FACTOR + column
        keys, index = torch.unique(keys, return_inverse=True)
        first = index.new_empty(len(keys)).scatter_(0, index, torch.arange(len(index), device=index.device))
        spellings = real[first]
        read = self.convolution(self.characters(spellings).transpose(1, 2))
        read = read.masked_fill((spellings == 0)[:, None, :], -1e4)  # padding never wins the maximum
        features = torch.relu(read.amax(2))
        spread = features.new_zeros(*mask.shape, features.shape[1])
        spread[mask] = features[index]
        return spread
