"""From text to what a model reads: pieces with their features and their characters.

Both readers cut the text with the clinical tokenizer first and look every distinct token up once, so
pieces never cross a token border, each Han character stands alone, and offsets are exact in the
untouched text. A piece that crosses one of the borders inside a word at which labels end is cut there.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from operator import itemgetter
from pathlib import Path

import numpy as np

from clinlp.data.cuts import NO_CUTS, Cuts, parts, read_cuts, save_cuts
from clinlp.data.rows import Ints, Pieces, Rows
from clinlp.data.subwords import SubwordPieces
from clinlp.errors import UsageError
from clinlp.text.tokens import tokenize

_PAD, _UNKNOWN = 0, 1
_N_CHARACTERS = 16  # of a word: its first 12 and last 4
_DIGITS = re.compile(r"\d")
_SHORT = 4096  # characters of a text whose tokens are remembered: of all that are, less than 20 MB


class LexicalPieces:
    """Words of a vocabulary, one piece a word, with character and word-pair features.

    Feature 0 is the word, 1 the hashed pair with the word before, 2 to 17 the characters.
    """

    kind = "lstm"

    def __init__(
        self, words: list[str], characters: str, n_bigrams: int, *, inside: bool = True, cuts: Cuts = NO_CUTS
    ) -> None:
        """Take the vocabulary.

        Args:
            inside: Whether tokens are cut inside; not so in a vocabulary that was built before they were.
            cuts: Those that were learned.
        """
        self.words, self.characters, self.n_bigrams, self.inside = words, characters, n_bigrams, inside
        self.cuts = cuts
        self._word_ids = {word: at for at, word in enumerate(words, 2)}
        self._character_ids = {character: at for at, character in enumerate(characters, 2)}
        self._rows = Rows(self._spell, 2 + _N_CHARACTERS)

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        *,
        min_count: int = 1,
        max_words: int = 50_000,
        n_bigrams: int = 0,
        known: Iterable[str] = (),
        cuts: Cuts = NO_CUTS,
    ) -> LexicalPieces:
        """Take the words of the texts, the most frequent first, then known words until the table is full."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text[start:end] for start, end in tokenize(text))
        characters: Counter[str] = Counter()
        words: Counter[str] = Counter()
        for token, n in counts.items():
            for start, end in parts(token, cuts):
                words[_normal(token[start:end])] += n
            for character in token:
                characters[character] += n
        ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:max_words]
        spelled = "".join(sorted(c for c, n in characters.items() if n >= 3 and not _is_surrogate(c)))
        taken = dict.fromkeys(word for word, n in ranked if n >= min_count)
        for word in known:
            if len(taken) >= max_words:
                break
            taken.setdefault(_normal(word))
        return cls(list(taken), spelled, n_bigrams, cuts=cuts)

    @property
    def n_words(self) -> int:
        """Rows of the word table: padding and unknown come first."""
        return len(self.words) + 2

    @property
    def n_characters(self) -> int:
        """Rows of the character table: padding and unknown come first."""
        return len(self.characters) + 2

    def __call__(self, text: str) -> Pieces:
        """Read one text."""
        pieces = self._rows.read(*(_remembered if len(text) <= _SHORT else _cut)(text))
        if self.n_bigrams and len(pieces):
            hashes = pieces.features[:, 1].astype(np.int64)
            before = np.concatenate([[0], hashes[:-1]])
            pieces.features[:, 1] = (before * 31 + hashes) % self.n_bigrams
        return pieces

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json`, and the cuts that were learned."""
        held = {
            "words": self.words,
            "characters": self.characters,
            "n_bigrams": self.n_bigrams,
            "inside": self.inside,
        }
        (folder / "vocabulary.json").write_text(json.dumps(held, ensure_ascii=False), "utf-8")
        save_cuts(folder, self.cuts)

    def _spell(self, token: str) -> tuple[Ints, Ints]:
        cells = parts(token, self.cuts) if self.inside else [(0, len(token))]
        rows = np.zeros((len(cells), 2 + _N_CHARACTERS), np.int32)
        for row, (start, end) in zip(rows, cells, strict=True):
            word, letters = _normal(token[start:end]), token[start:end]
            row[0] = self._word_ids.get(word, _UNKNOWN)
            row[1] = zlib.crc32(word.encode("utf-8", "replace")) & 0x7FFFFFF
            letters = letters if len(letters) <= _N_CHARACTERS else letters[:12] + letters[-4:]
            row[2 : 2 + len(letters)] = [self._character_ids.get(letter, _UNKNOWN) for letter in letters]
        return rows, np.array(cells, np.int32)


class StackedPieces:
    """Pieces of a pretrained vocabulary, each with the features of the word that it is a part of.

    Feature 0 is the piece, the rest are those of `LexicalPieces`.
    """

    kind = "stacked"

    def __init__(self, pieces: SubwordPieces, words: LexicalPieces) -> None:
        self.pieces, self.words = pieces, words

    @property
    def n_added(self) -> int:
        """Characters that the pretrained vocabulary lacked."""
        return self.pieces.n_added

    def __call__(self, text: str) -> Pieces:
        """Read one text."""
        read, words = self.pieces(text), self.words(text)
        if not len(read):
            return Pieces(np.zeros((0, 1 + words.features.shape[1]), np.int32), read.offsets)
        # Both cut the same tokens at the same borders: the word of a piece is the last that begins at or before it.
        of_word = np.searchsorted(words.offsets[:, 0], read.offsets[:, 0], side="right") - 1
        return Pieces(np.hstack([read.features, words.features[np.maximum(of_word, 0)]]), read.offsets)

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` and `vocabulary.json`."""
        self.pieces.save(folder)
        self.words.save(folder)


PieceReader = LexicalPieces | SubwordPieces | StackedPieces


def read_pieces(folder: Path) -> PieceReader:
    """Load the piece reader of a model folder.

    Raises:
        UsageError: The folder has neither `vocabulary.json` nor `tokenizer.json`.
    """
    words, pieces = (folder / name for name in ("vocabulary.json", "tokenizer.json"))
    learned = read_cuts(folder)
    subwords = SubwordPieces(pieces.read_text("utf-8"), learned) if pieces.is_file() else None
    if words.is_file():
        held = json.loads(words.read_text("utf-8"))
        inside = bool(held.get("inside", False))
        lexical = LexicalPieces(held["words"], held["characters"], held["n_bigrams"], inside=inside, cuts=learned)
        return lexical if subwords is None else StackedPieces(subwords, lexical)
    if subwords is not None:
        return subwords
    raise UsageError(f"{folder}: vocabulary.json or tokenizer.json needed, got neither; is this a model folder?")


def _cut(text: str) -> tuple[list[str], Ints]:
    """Give the tokens of a text, and the character at which each begins."""
    tokens = tokenize(text)
    return [text[start:end] for start, end in tokens], np.fromiter(map(itemgetter(0), tokens), np.int32, len(tokens))


_remembered = lru_cache(maxsize=64)(_cut)  # the models of a pipeline read the same texts one after the other


def _normal(word: str) -> str:
    """Fold what a word vocabulary need not tell apart: case and the digits of numbers."""
    return _DIGITS.sub("0", word).lower()


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"
