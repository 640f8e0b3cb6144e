"""Notes whose texts are the same or nearly: MinHash over character 5-grams, banded, then the exact share.

Source: Broder (1997), On the resemblance and containment of documents; Leskovec, Rajaraman & Ullman,
Mining of Massive Datasets, section 3.4 (banding).

Time and memory grow linearly with the number of texts: in a bucket of texts of one band, a text is
compared with its neighbours in size alone, of each part, and a pair has as many chances as there are
bands. A bucket of up to nine texts of a part is compared whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]
Pairs = NDArray[np.int64]

N_HASHES: Final = 128
_SHINGLE: Final = 5  # characters
_NEIGHBOURS: Final = 8  # on either side, in a bucket ordered by size
_RECALL: Final = 0.99  # of a pair at the wanted similarity, over all bands
_CHUNK: Final = 1 << 17  # pairs whose signatures are compared at once


def normal(text: str) -> str:
    """Bring a text to the form in which it is compared: small letters, and one space for white space."""
    return " ".join(text.lower().split())


def shingles(text: str) -> Hashes:
    """Hash every run of five characters of a normal text, each once, ascending; of a shorter text, all of it."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    if not len(points):
        return np.zeros(0, np.uint32)
    if len(points) < _SHINGLE:
        points = np.pad(points, (0, _SHINGLE - len(points)))
    n = len(points) - _SHINGLE + 1
    hashes = np.zeros(n, np.uint64)
    for at in range(_SHINGLE):
        hashes = _mixed(hashes ^ points[at : at + n])
    short = np.sort((hashes >> np.uint64(32)).astype(np.uint32))  # np.unique takes several times as long
    return short[np.concatenate(([True], short[1:] != short[:-1]))]


def jaccard(one: Hashes, other: Hashes) -> float:
    """The exact share of shingles of either text that both hold."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    every = len(one) + len(other) - common
    return common / every if every else 1.0


class MinHash:
    """Signatures of which any two agree in about the share of shingles that their texts share."""

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        # Odd factors, so that each is a permutation of 32 bits; the shingles themselves are mixed already.
        self._factors = generator.integers(0, 1 << 32, (N_HASHES, 1), np.uint32) | np.uint32(1)
        self._shifts = generator.integers(0, 1 << 32, (N_HASHES, 1), np.uint32)

    def sign(self, found: Hashes) -> Hashes:
        """Sign the shingles of a text that has any: `(hash,)`."""
        signature: Hashes = (self._factors * found + self._shifts).min(axis=1)
        return signature


def rows_of(similarity: float) -> int:
    """Hashes a band may have so that 99 of 100 pairs of this similarity share a band."""
    rows = 1
    for more in range(2, N_HASHES // 4 + 1):
        if 1 - (1 - similarity**more) ** (N_HASHES // more) < _RECALL:
            break
        rows = more
    return rows


def candidates(
    signatures: Hashes, sizes: NDArray[np.int64], parts: Sequence[NDArray[np.bool_]], similarity: float
) -> Pairs:
    """Pairs of texts that may be alike: they share a band, and signatures and sizes do not speak against it.

    Args:
        signatures: `(text, hash)`.
        sizes: `(text,)`, distinct shingles.
        parts: Of each part, `(text,)`, which texts it holds.

    Returns:
        `(pair, 2)`, the lower text first, each pair once, ascending.
    """
    n_texts, rows = len(signatures), rows_of(similarity)
    least = similarity - 4 * math.sqrt(similarity * (1 - similarity) / N_HASHES)
    found = [np.zeros(0, np.int64)]
    for band in range(N_HASHES // rows):
        keys = np.zeros(n_texts, np.uint64)
        for column in range(band * rows, (band + 1) * rows):
            keys = _mixed(keys ^ signatures[:, column])
        pairs = _neighbours(keys, sizes, parts)
        low, high = pairs // n_texts, pairs % n_texts
        near = np.minimum(sizes[low], sizes[high]) >= similarity * np.maximum(sizes[low], sizes[high])
        pairs = pairs[near]
        found.append(pairs[_alike(signatures, pairs // n_texts, pairs % n_texts, least)])
    every = np.unique(np.concatenate(found))
    return np.stack([every // max(1, n_texts), every % max(1, n_texts)], axis=1)


def _neighbours(keys: NDArray[np.uint64], sizes: NDArray[np.int64], parts: Sequence[NDArray[np.bool_]]) -> Pairs:
    """Pair each text with those of its bucket that are next to it in size, of each part: `low * n + high`."""
    n_texts = len(keys)
    order = np.lexsort((sizes, keys))
    ordered = keys[order]
    found = [np.zeros(0, np.int64)]
    for held in parts:
        places = np.flatnonzero(held[order])
        ranks = np.searchsorted(places, np.arange(n_texts))
        for offset in range(-_NEIGHBOURS, _NEIGHBOURS + 1):
            at = ranks + offset
            valid = np.flatnonzero((at >= 0) & (at < len(places)))
            other = places[at[valid]]
            same = (ordered[valid] == ordered[other]) & (valid != other)
            one, two = order[valid[same]], order[other[same]]
            found.append(np.minimum(one, two) * n_texts + np.maximum(one, two))
    return np.unique(np.concatenate(found))


def _alike(signatures: Hashes, low: Pairs, high: Pairs, least: float) -> NDArray[np.bool_]:
    """Which pairs of signatures agree in at least this share of hashes."""
    shares = np.empty(len(low))
    for at in range(0, len(low), _CHUNK):
        chunk = slice(at, at + _CHUNK)
        shares[chunk] = (signatures[low[chunk]] == signatures[high[chunk]]).mean(axis=1)
    return shares >= least


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all 64 (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
