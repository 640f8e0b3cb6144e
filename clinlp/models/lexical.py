"""What encoders over words share: the word, word-pair and character features of every piece.

Source: Lample et al. (2016), arXiv 1603.01360; Ma & Hovy (2016), arXiv 1603.01354 (character CNN).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from clinlp.config import Config
from clinlp.models.form import Form

_FACTOR: Final = 0x2545F4914F6CDD1D  # Vigna (2016), xorshift64*


class LexicalConfig(Config):
    """The shape of word features. `n_...` count the rows of the vocabularies, padding included."""

    form: Form = "float"
    n_words: int
    n_characters: int = 0  # 0: no character features
    n_bigrams: int = 0  # 0: no word-pair features; else the number of hash buckets
    word_width: int = 128
    character_width: int = 64
    bigram_width: int = 64
    dropout: float = 0.4
    word_dropout: float = 0.0  # share of words read as unknown while training, so that spelling is learned too
    max_pieces: int = 256
    overlap: int = 32

    @property
    def embedding_width(self) -> int:
        """Numbers of a piece's features, before it is read in the light of its neighbours."""
        width = self.word_width
        width += self.bigram_width if self.n_bigrams else 0
        return width + (self.character_width if self.n_characters else 0)


class LexicalEncoder(nn.Module):
    """Reads features of words: feature 0 the word, 1 the word pair, the rest its characters.

    The encoders made of it add what reads a piece in the light of its neighbours.
    """

    def __init__(self, config: LexicalConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.n_words, config.word_width, padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.1)
        if config.n_bigrams:
            self.bigrams = nn.Embedding(config.n_bigrams, config.bigram_width)
            nn.init.zeros_(self.bigrams.weight)  # a pair never seen in training then says nothing
        if config.n_characters:
            self.characters = nn.Embedding(config.n_characters, 32, padding_idx=0)
            self.convolution = nn.Conv1d(32, config.character_width, 3, padding=1)
        self.inputs = nn.Identity()  # what the features of pieces pass: hooked to ask what each word adds
        self.dropout = nn.Dropout(config.dropout)
        self.word_dropout = config.word_dropout
        self.n_bigrams, self.n_characters = config.n_bigrams, config.n_characters

    def embed(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Join the features of every piece, each by itself.

        Args:
            pieces: `(window, piece, feature)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real.

        Returns:
            `(window, piece, embedding)`.
        """
        words = pieces[..., 0]
        if self.training and self.word_dropout:
            hidden = torch.rand(words.shape, device=words.device) < self.word_dropout
            words = torch.where(hidden & mask, 1, words)
        parts = [self.words(words)]
        if self.n_bigrams:
            parts.append(self.bigrams(pieces[..., 1]))
        if self.n_characters:
            parts.append(self._spell(pieces[..., 2:], mask))
        embedded: Tensor = self.inputs(torch.cat(parts, -1))
        return embedded

    def look_up(self, pieces: Tensor) -> Tensor:
        """Give the vector of every word as it stands in the table, `(window, piece, word)`; zero for an unknown one."""
        words = pieces[..., 0]
        vectors: Tensor = self.words(words) * (words > 1)[..., None]
        return vectors

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
