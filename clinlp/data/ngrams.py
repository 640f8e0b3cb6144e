"""N-grams of notes: words, pairs of words and parts of words, and runs of up to four Han characters.

Digits count alike, so that neither a reading nor a number that names somebody becomes a feature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import UsageError
from clinlp.models.store import write_whole
from clinlp.text.language import HAN

FILE: Final = "ngrams.json"
_LONGEST_HAN: Final = 4  # characters
_PARTS: Final = (3, 4, 5)  # characters of a part of a word, its borders included
_GAPS: Final = frozenset(("", " ", "-", "  ", "\n", " \n", "\r\n", "\u3000"))  # between two words that make a pair
_LONGEST_WORD: Final = 40  # characters: longer ones are no words

Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ngrams:
    """The known n-grams of a text, one entry for each time that one occurs.

    Attributes:
        offsets: `(token, 2)`, int64, characters: words, and Han characters one by one.
        features: `(entry,)`, which n-gram.
        first: `(entry,)`, its first token.
        last: `(entry,)`, its last token.
    """

    offsets: Longs
    features: Longs
    first: Longs
    last: Longs


class NgramReader:
    """Known n-grams and how telling each is; from a text to its TF-IDF values.

    Source: Manning, Raghavan & Schuetze (2008), Introduction to Information Retrieval, section 6.4.3
    (sublinear tf, idf, cosine normalisation), with scikit-learn's smoothed idf; training may have weighed the idf by
    what n-grams tell of codes.
    """

    def __init__(self, ngrams: Sequence[str], idf: Sequence[float] | NDArray[np.float64]) -> None:
        self.ngrams, self.idf = list(ngrams), np.asarray(idf, np.float64)
        self._places = {ngram: at for at, ngram in enumerate(self.ngrams)}
        self._known: dict[str, Longs] = {}

    def __call__(self, text: str) -> Ngrams:
        """Find the known n-grams of a text."""
        tokens, offsets, runs = _cut(text)
        parts = [self._of(token) for token in tokens]
        at = np.repeat(np.arange(len(tokens)), [len(part) for part in parts])
        found = [(self._places.get(key, -1), first, last) for key, first, last in runs]
        held = np.array(found, np.int64).reshape(-1, 3)
        held = held[held[:, 0] >= 0]
        features = np.concatenate([*parts, held[:, 0]])
        return Ngrams(offsets, features, np.concatenate([at, held[:, 1]]), np.concatenate([at, held[:, 2]]))

    def values(self, found: Ngrams) -> tuple[Longs, NDArray[np.float64], Longs]:
        """Give the distinct features of a text, their TF-IDF values, and how often each occurs."""
        features, counts = np.unique(found.features, return_counts=True)
        values = (1 + np.log(counts)) * self.idf[features]
        length = float(np.sqrt(values @ values))
        return features, values / length if length else values, counts

    def save(self, folder: Path) -> None:
        """Write the n-grams beside a model."""
        held = {"ngrams": self.ngrams, "idf": self.idf.tolist()}
        write_whole(folder / FILE, json.dumps(held, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> NgramReader:
        """Read the n-grams of a model folder.

        Raises:
            UsageError: They are not there, or broken.
        """
        try:
            held: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
            reader = cls([str(ngram) for ngram in held["ngrams"]], held["idf"])
        except FileNotFoundError:
            raise UsageError(f"{folder}: no {FILE}; is this a model of n-grams?") from None
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{folder}/{FILE}: n-grams and idf needed, got {type(error).__name__}") from None
        if reader.idf.shape != (len(reader.ngrams),):
            raise UsageError(f"{folder}/{FILE}: as many idf as n-grams needed, got {reader.idf.size}")
        return reader

    def _of(self, token: str) -> Longs:
        """The features of one token: itself and its parts."""
        held = self._known.get(token)
        if held is None:
            if len(self._known) > 200_000:  # bounds memory
                self._known.clear()
            places = (self._places.get(key, -1) for key in _spell(token))
            held = self._known[token] = np.array([at for at in places if at >= 0], np.int64)
        return held


def ngrams(text: str) -> list[str]:
    """Give all n-grams of a text, each as often as it occurs: what counts the n-grams of a training set."""
    tokens, _, runs = _cut(text)
    return [key for token in tokens for key in _spell(token)] + [key for key, _, _ in runs]


def _cut(text: str) -> tuple[list[str], Longs, list[tuple[str, int, int]]]:
    """Give the tokens, their offsets, and all n-grams of several tokens with the first and the last of them."""
    spans = [match.span() for match in _pattern().finditer(text)]
    tokens = [_digits().sub("0", text[start:end].lower()) for start, end in spans]
    is_han = [text[start] >= "\u2e80" for start, _ in spans]
    runs: list[tuple[str, int, int]] = []
    reach = 0  # the first token of the run of Han characters that the current one ends
    for at in range(1, len(spans)):
        if is_han[at] and is_han[at - 1] and spans[at - 1][1] == spans[at][0]:
            first = max(reach, at - _LONGEST_HAN + 1)
            runs += [(text[spans[begin][0] : spans[at][1]], begin, at) for begin in range(first, at)]
            continue
        reach = at
        if text[spans[at - 1][1] : spans[at][0]] in _GAPS:
            runs.append((f"{tokens[at - 1]} {tokens[at]}", at - 1, at))
    return tokens, np.array(spans, np.int64).reshape(-1, 2), runs


@lru_cache(maxsize=100_000)
def _spell(word: str) -> tuple[str, ...]:
    """Give a word and its parts, which are marked as such; of a Han character itself alone."""
    if word[0] >= "\u2e80":
        return (word,)
    if len(word) > _LONGEST_WORD:
        return ()
    held = f" {word} "
    parts = (f"~{held[at : at + n]}" for n in _PARTS for at in range(len(held) - n + 1))
    return (word, *parts)


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(f"[{HAN}]|[^\\W{HAN}]+")


@cache
def _digits() -> re.Pattern[str]:
    return re.compile(r"\d")
