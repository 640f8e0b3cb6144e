"""Pieces of a pretrained vocabulary, and rows of their own for characters that it lacks."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from clinlp.data.cuts import NO_CUTS, Cuts, cuts, save_cuts
from clinlp.data.rows import Ints, Pieces, Rows
from clinlp.errors import UsageError
from clinlp.text.language import HAN
from clinlp.text.tokens import Offsets, tokenize

_HAN = re.compile(f"[{HAN}]")
_SURROGATES = re.compile("[\ud800-\udfff]")  # cannot be handed to a tokenizer written in another language


class SubwordPieces:
    """Pieces of a Hugging Face tokenizer, read from its `tokenizer.json`; needs no transformers.

    A word is read whole, as in pretraining; a piece that must be cut is read again in parts.
    """

    kind = "transformer"

    def __init__(self, specification: str, cuts: Cuts = NO_CUTS) -> None:
        """Take a tokenizer.

        Args:
            specification: What its `tokenizer.json` holds.
            cuts: Those inside words that were learned.
        """
        from tokenizers import Tokenizer

        self.cuts = cuts

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
        self._continues = str(held["model"].get("continuing_subword_prefix") or "")
        self.n_pieces = self._tokenizer.get_vocab_size()
        self.first = self._id("[CLS]", "<s>")
        self.last = self._id("[SEP]", "</s>")
        self.pad = self._id("[PAD]", "<pad>")
        self.unknown = self._id("[UNK]", "<unk>")
        self.blank = self._id("[MASK]", "<mask>", "[UNK]", "<unk>")  # something stands here, and nobody says what
        self.n_added = 0  # characters that the vocabulary lacked
        self._rows = Rows(self._spell, 1)

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
        """Write `tokenizer.json`, and the cuts that were learned."""
        (folder / "tokenizer.json").write_text(self._specification, "utf-8")
        save_cuts(folder, self.cuts)

    def lacks(self, texts: Iterable[str]) -> list[str]:
        """Give the characters of the texts that are tokens and no pieces of the vocabulary, the most frequent first.

        These are Han characters and signs. A letter is none: it has a place in pieces, if not alone.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        alone = (each for each in counts if _HAN.match(each) or unicodedata.category(each)[0] in "PS")
        lacking = [each for each in alone if [piece for piece, _ in self._read(each)] == [self.unknown]]
        return sorted(lacking, key=lambda each: (-counts[each], each))

    def with_characters(self, characters: Iterable[str]) -> tuple[SubwordPieces, dict[int, list[int]]]:
        """Add characters behind the vocabulary, as pieces that any reader of `tokenizer.json` knows.

        Returns:
            The reader that has them; and for each new piece those of the vocabulary that are like it: the
            single Han characters for one of them, all other single characters for a sign.
        """
        held = json.loads(self._specification)
        alike: dict[bool, list[int]] = {True: [], False: []}
        for piece, at in sorted(self._tokenizer.get_vocab().items(), key=lambda item: item[1]):
            if len(piece) == 1:
                alike[bool(_HAN.match(piece))].append(at)
        new = list(characters)
        plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
        more = [{"id": at, "content": character, **plain} for at, character in enumerate(new, self.n_pieces)]
        held["added_tokens"] = [*held.get("added_tokens", ()), *more]
        grown = SubwordPieces(json.dumps(held, ensure_ascii=False), self.cuts)
        grown.n_added = len(new)
        every = [*alike[True], *alike[False]]
        return grown, {grown._id(each): alike[bool(_HAN.match(each))] or every for each in new}

    def _id(self, *names: str) -> int:
        """The id of a special piece under any of its usual names."""
        for name in names:
            found = self._tokenizer.token_to_id(name)
            if found is not None:
                return int(found)
        raise UsageError(f"tokenizer.json: a special piece {' or '.join(names)} is needed, got none")

    def _spell(self, token: str) -> tuple[Ints, Ints]:
        shift, borders = int(token[0].isspace()), self._borders(token)
        held: list[tuple[int, Offsets]] = []
        for piece, (start, end) in self._read(token):
            edges = [start, *(at for at in borders if start < at < end), end]
            if len(edges) == 2:
                held.append((piece, (start, end)))
            else:
                held.extend(part for left, right in pairwise(edges) for part in self._part(token, left, right))
        if not held:  # nothing is left of the token (a bare accent, say): it still takes a place
            held = [(self.unknown, (shift, len(token)))]
        return np.array([[piece] for piece, _ in held], np.int32), np.array([cell for _, cell in held], np.int32)

    def _borders(self, token: str) -> list[int]:
        """The places at which a token, perhaps with the space before it, is cut."""
        shift = int(token[0].isspace())
        return [shift + at for at in cuts(token[shift:], self.cuts)]

    def _read(self, words: str) -> list[tuple[int, Offsets]]:
        """Give the pieces of a stretch with their places in it; a space before it makes it a word's start."""
        shift = int(words[0].isspace())
        read = self._tokenizer.encode(_SURROGATES.sub("\ufffd", words), add_special_tokens=False)
        cells = [(max(start, shift), end) for start, end in read.offsets]
        return [(piece, cell) for piece, cell in zip(read.ids, cells, strict=True) if cell[0] < cell[1]]

    def _part(self, token: str, left: int, right: int) -> list[tuple[int, Offsets]]:
        """Give the pieces of a part of a token: as inside a word where the vocabulary has it so, else as a word."""
        shift = int(token[0].isspace())
        if left <= shift:
            return self._read(token[:right]) or [(self.unknown, (shift, right))]
        part = token[left:right]
        if self._continues:
            normalizer = self._tokenizer.normalizer
            plain = part if normalizer is None else normalizer.normalize_str(part)
            found = self._tokenizer.token_to_id(self._continues + plain)
            if found is not None:
                return [(int(found), (left, right))]
        read = [(piece, (left + start, left + end)) for piece, (start, end) in self._read(part)]
        return read or [(self.unknown, (left, right))]
