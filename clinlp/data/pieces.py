"""From text to what a model reads: pieces with their features and their characters.

Both readers cut the text with the clinical tokenizer first and look every distinct token up once, so
pieces never cross a token border (an entity border seldom cuts one), each Han character stands alone,
and offsets are exact in the untouched text.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import UsageError
from clinlp.text.tokens import tokenize

Ints = NDArray[np.int32]
_CACHE_ROWS = 500_000  # pieces of distinct tokens remembered, then forgotten all at once: bounds memory
_PAD, _UNKNOWN = 0, 1
_N_CHARACTERS = 16  # of a word: its first 12 and last 4
_DIGITS = re.compile(r"\d")
_SURROGATES = re.compile("[\ud800-\udfff]")  # cannot be handed to a tokenizer written in another language


@dataclass(frozen=True, slots=True)
class Pieces:
    """One text as a model reads it."""

    features: Ints  # (piece, feature)
    offsets: Ints  # (piece, 2), characters, half-open

    def __len__(self) -> int:
        return len(self.offsets)


class _Rows(dict[str, tuple[int, int]]):
    """Distinct token -> the rows `[first, first + n)` of a growing table that hold its pieces."""

    def __init__(self, spell: Callable[[str], tuple[Ints, Ints]], n_features: int) -> None:
        super().__init__()
        self.spell = spell
        self.features = np.zeros((1024, n_features), np.int32)
        self.offsets = np.zeros((1024, 2), np.int32)
        self.n_rows = 0

    def __missing__(self, token: str) -> tuple[int, int]:
        features, offsets = self.spell(token)
        first, stop = self.n_rows, self.n_rows + len(offsets)
        if stop > len(self.offsets):
            size = max(stop, 2 * len(self.offsets))
            self.features = np.resize(self.features, (size, self.features.shape[1]))
            self.offsets = np.resize(self.offsets, (size, 2))
        self.features[first:stop], self.offsets[first:stop] = features, offsets
        self.n_rows = stop
        self[token] = rows = (first, stop - first)
        return rows

    def read(self, tokens: list[str], starts: Ints) -> Pieces:
        """Put the pieces of all tokens in a row.

        Args:
            starts: `(token,)`, the character at which the offsets of each token's pieces count from 0.
        """
        if not tokens:
            return Pieces(self.features[:0].copy(), self.offsets[:0].copy())
        if self.n_rows > _CACHE_ROWS:
            self.clear()
            self.n_rows = 0
        found = np.array(list(map(self.__getitem__, tokens)), np.int64)
        firsts, counts = found[:, 0], found[:, 1]
        if counts.max() == 1:
            rows = firsts
        else:
            before = np.cumsum(counts) - counts
            rows = np.arange(counts.sum()) + np.repeat(firsts - before, counts)
            starts = np.repeat(starts, counts)
        return Pieces(self.features[rows], self.offsets[rows] + starts[:, None])


class LexicalPieces:
    """Words of a vocabulary, one piece a token, with character and word-pair features.

    Feature 0 is the word, 1 the hashed pair with the word before, 2 to 17 the characters.
    """

    kind = "lstm"

    def __init__(self, words: list[str], characters: str, n_bigrams: int) -> None:
        self.words, self.characters, self.n_bigrams = words, characters, n_bigrams
        self._word_ids = {word: at for at, word in enumerate(words, 2)}
        self._character_ids = {character: at for at, character in enumerate(characters, 2)}
        self._rows = _Rows(self._spell, 2 + _N_CHARACTERS)

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        *,
        min_count: int = 1,
        max_words: int = 50_000,
        n_bigrams: int = 0,
        known: Iterable[str] = (),
    ) -> LexicalPieces:
        """Take the words of the texts, the most frequent first, then known words until the table is full."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text[start:end] for start, end in tokenize(text))
        characters: Counter[str] = Counter()
        words: Counter[str] = Counter()
        for word, n in counts.items():
            words[_normal(word)] += n
            for character in word:
                characters[character] += n
        ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:max_words]
        spelled = "".join(sorted(c for c, n in characters.items() if n >= 3 and not _is_surrogate(c)))
        taken = dict.fromkeys(word for word, n in ranked if n >= min_count)
        for word in known:
            if len(taken) >= max_words:
                break
            taken.setdefault(_normal(word))
        return cls(list(taken), spelled, n_bigrams)

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
        offsets = np.array(tokenize(text), np.int32).reshape(-1, 2)
        pieces = self._rows.read([text[start:end] for start, end in offsets.tolist()], offsets[:, 0])
        if self.n_bigrams and len(pieces):
            hashes = pieces.features[:, 1].astype(np.int64)
            before = np.concatenate([[0], hashes[:-1]])
            pieces.features[:, 1] = (before * 31 + hashes) % self.n_bigrams
        return pieces

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json`."""
        held = {"words": self.words, "characters": self.characters, "n_bigrams": self.n_bigrams}
        (folder / "vocabulary.json").write_text(json.dumps(held, ensure_ascii=False), "utf-8")

    def _spell(self, token: str) -> tuple[Ints, Ints]:
        word = _normal(token)
        row = np.zeros((1, 2 + _N_CHARACTERS), np.int32)
        row[0, 0] = self._word_ids.get(word, _UNKNOWN)
        row[0, 1] = zlib.crc32(word.encode("utf-8", "replace")) & 0x7FFFFFF
        letters = token if len(token) <= _N_CHARACTERS else token[:12] + token[-4:]
        row[0, 2 : 2 + len(letters)] = [self._character_ids.get(letter, _UNKNOWN) for letter in letters]
        return row, np.array([[0, len(token)]], np.int32)


class SubwordPieces:
    """Pieces of a Hugging Face tokenizer, read from its `tokenizer.json`; needs no transformers."""

    kind = "transformer"

    def __init__(self, specification: str) -> None:
        from tokenizers import Tokenizer

        held = json.loads(specification)
        splitter = held.get("pre_tokenizer") or {}
        self._spaced = '"Metaspace"' in json.dumps(splitter) or '"ByteLevel"' in json.dumps(splitter)
        for part in (splitter, *splitter.get("pretokenizers", ())):
            if part.get("type") == "Metaspace":  # a token inside a word must not look like a word's start
                part["prepend_scheme"] = "never"
            if part.get("type") == "ByteLevel":
                part["add_prefix_space"] = False
        held |= {"truncation": None, "padding": None}
        self._specification = specification
        self._tokenizer = Tokenizer.from_str(json.dumps(held))
        self.n_pieces = self._tokenizer.get_vocab_size()
        self.first = self._id("[CLS]", "<s>")
        self.last = self._id("[SEP]", "</s>")
        self.pad = self._id("[PAD]", "<pad>")
        self.unknown = self._id("[UNK]", "<unk>")
        self._rows = _Rows(self._spell, 1)

    def __call__(self, text: str) -> Pieces:
        """Read one text."""
        offsets = tokenize(text)
        starts = [start for start, _ in offsets]
        if self._spaced:
            starts = [start - (start > 0 and text[start - 1].isspace()) for start in starts]
            tokens = [text[start:end] for start, (_, end) in zip(starts, offsets, strict=True)]
            if tokens and starts[0] == 0 and not tokens[0][0].isspace():  # the first word is a word's start too
                tokens[0], starts[0] = " " + tokens[0], -1
        else:
            tokens = [text[start:end] for start, end in offsets]
        return self._rows.read(tokens, np.array(starts, np.int32))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        (folder / "tokenizer.json").write_text(self._specification, "utf-8")

    def _id(self, *names: str) -> int:
        """The id of a special piece under any of its usual names."""
        for name in names:
            found = self._tokenizer.token_to_id(name)
            if found is not None:
                return int(found)
        raise UsageError(f"tokenizer.json: a special piece {' or '.join(names)} is needed, got none")

    def _spell(self, token: str) -> tuple[Ints, Ints]:
        read = self._tokenizer.encode(_SURROGATES.sub("\ufffd", token), add_special_tokens=False)
        shift = int(token[0].isspace())
        cells = [(max(start, shift), end) for start, end in read.offsets]
        held = [(piece, cell) for piece, cell in zip(read.ids, cells, strict=True) if cell[0] < cell[1]]
        if not held:  # nothing is left of the token (a bare accent, say): it still takes a place
            held = [(self.unknown, (shift, len(token)))]
        return np.array([[piece] for piece, _ in held], np.int32), np.array([cell for _, cell in held], np.int32)


PieceReader = LexicalPieces | SubwordPieces


def read_pieces(folder: Path) -> PieceReader:
    """Load the piece reader of a model folder.

    Raises:
        UsageError: The folder has neither `vocabulary.json` nor `tokenizer.json`.
    """
    if (folder / "vocabulary.json").is_file():
        held = json.loads((folder / "vocabulary.json").read_text("utf-8"))
        return LexicalPieces(held["words"], held["characters"], held["n_bigrams"])
    if (folder / "tokenizer.json").is_file():
        return SubwordPieces((folder / "tokenizer.json").read_text("utf-8"))
    raise UsageError(f"{folder}: vocabulary.json or tokenizer.json needed, got neither; is this a model folder?")


def _normal(word: str) -> str:
    """Fold what a word vocabulary need not tell apart: case and the digits of numbers."""
    return _DIGITS.sub("0", word).lower()


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"
