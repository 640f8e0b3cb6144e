"""A one-layer LSTM over words in numpy: what a CPU computes without gradients.

What a word's features add to the gates is computed once for each distinct word of a batch, for texts repeat their
words; both directions take each step together, and a step of a few windows is smaller than what it costs to call
torch for it. The numbers are those of `LstmEncoder` but for the last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clinlp.models.lstm_memory import Floats, Ints, Memory

_FACTOR: Final = 0x2545F4914F6CDD1D  # Vigna (2016), xorshift64*
_SMALL: Final = 1_000_000  # multiplications of a product that OpenBLAS does at once, without packing or threads
_BLOCK: Final = 32  # rows of a product, or a multiple of them
_AHEAD: Final = 1 << 16  # numbers of gates gathered ahead of their steps: half of a core's second cache


@dataclass(frozen=True, slots=True)
class Weights:
    """An encoder's weights as the steps need them: gates in the order input, forget, output, cell.

    The first three are halved, since `sigmoid(x) = (1 + tanh(x / 2)) / 2`; so are the weights of states, since what
    the steps hold is twice a state.

    Attributes:
        words: `(way, word + spelled, gates)`, from features of words; a way is a direction.
        pairs: `(way, pair, gates)`, from those of pairs of words.
        bias: `(way, 1, gates)`.
        back: `(gate, way, hidden, hidden)`, from a state to the next one's gates.
        letters: `(3, character + 1, spelled)`, what the one before, at and behind a place adds to it; zeros come last.
    """

    words: Floats
    pairs: Floats
    bias: Floats
    back: Floats
    letters: Floats
    letter_bias: Floats


def pack(lstm: nn.LSTM, n_words: int, n_pairs: int, characters: Tensor | None, spell: nn.Conv1d | None) -> Weights:
    """Lay weights out anew.

    Args:
        n_words: Features of a word by its number, which come first.
        n_pairs: Features of a pair of words, which come next.
    """
    width = lstm.hidden_size
    order = np.r_[0 : 2 * width, 3 * width : 4 * width, 2 * width : 3 * width]
    scale = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), width)
    found = {name: value.detach().numpy()[order].T * scale for name, value in lstm.named_parameters()}
    into, back, one, two = (
        np.stack([found[f"{kind}_l0"], found[f"{kind}_l0_reverse"]])
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    letters, letter_bias = np.zeros((3, 1, 0), np.float32), np.zeros(0, np.float32)
    if characters is not None and spell is not None:
        table = nn.functional.pad(characters.detach(), (0, 0, 0, 1))
        letters = torch.einsum("ce,dew->wcd", table, spell.weight.detach()).contiguous().numpy()
        letter_bias = (torch.zeros(1) if spell.bias is None else spell.bias.detach()).numpy()
    apart = (back * np.float32(0.5)).reshape(2, width, 4, width).transpose(2, 0, 1, 3)
    return Weights(
        np.concatenate([into[:, :n_words], into[:, n_words + n_pairs :]], 1),
        np.ascontiguousarray(into[:, n_words : n_words + n_pairs]),
        (one + two)[:, None],
        np.ascontiguousarray(apart),
        letters,
        letter_bias,
    )


def both_ways(
    words: Floats,
    pairs: Floats | None,
    pieces: Ints,
    mask: NDArray[np.bool_],
    weights: Weights,
    memories: tuple[Memory, Memory],
) -> Floats:
    """Encode every piece in the light of its whole window.

    Args:
        words: `(row, word)`, the table of words.
        pairs: `(row, pair)`, the table of word pairs.
        pieces: `(window, piece, feature)`.
        mask: `(window, piece)`, True where a piece is real; padding is at the end.
        memories: Of words and of pairs read before, by the same weights.

    Returns:
        Hidden states, `(window, piece, 2 * hidden)`; zeros where a piece is padding.
    """
    real = pieces[mask]
    first, of_word = distinct(real, slice(2, None))
    seen = real[first]
    table, rows = memories[0].find(
        [kind.tobytes() for kind in np.delete(seen, 1, axis=1)],  # the pair with the word before is no part of it
        lambda missing: _gates(_features(words, seen[missing], weights), weights.words, weights.bias),
    )
    tables, kinds = [table], [rows[of_word]]
    if pairs is not None:
        buckets, of_pair = np.unique(real[:, 1], return_inverse=True)
        added, rows = memories[1].find(
            buckets.tolist(), lambda missing: _gates(pairs[buckets[missing]], weights.pairs, None)
        )
        tables.append(added)
        kinds.append(rows[of_pair])
    places = []
    for kind in kinds:
        at = np.zeros(mask.shape, np.int64)  # row 0 is padding's
        at[mask] = kind
        places.append(np.ascontiguousarray(at.T))
    return _steps(tables, places, weights.back)


def embedded(words: Floats, pairs: Floats | None, pieces: Ints, mask: NDArray[np.bool_], weights: Weights) -> Floats:
    """Give the features of every piece, `(window, piece, feature)`, as `LexicalEncoder.embed` does."""
    real = pieces[mask]
    first, of_word = distinct(real, slice(2, None))
    rows = _features(words, real[first], weights)[of_word]
    if pairs is not None:
        rows = np.hstack([rows[:, : words.shape[1]], pairs[real[:, 1]], rows[:, words.shape[1] :]])
    made = np.zeros((*mask.shape, rows.shape[1]), np.float32)
    made[mask] = rows
    return made


def _features(words: Floats, kinds: Ints, weights: Weights) -> Floats:
    """What distinct words are by themselves, `(kind, word + spelled)`."""
    looked_up = words[kinds[:, 0]]
    return np.hstack([looked_up, spelled(kinds[:, 2:], weights)]) if weights.letters.shape[2] else looked_up


def distinct(real: Ints, letters: slice) -> tuple[Ints, Ints]:
    """Tell words apart by their number and their letters.

    Returns:
        A place where each distinct word stands, and which of them stands at each place.
    """
    # One number a word, a polynomial modulo 2^64: rows of numbers take many times as long to tell apart, and of ten
    # thousand words two meet by chance less than once in 10^11 batches.
    keys = real[:, 0].copy()
    for column in real[:, letters].T:
        keys *= _FACTOR
        keys += column
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return first, which


@np.errstate(all="ignore")  # what is no number is told at the end
def spelled(characters: Ints, weights: Weights) -> Floats:
    """Read spellings as a convolution of width 3 does, and give the greatest of each feature, or zero.

    Args:
        characters: `(spelling, place)`; 0 is padding.

    Returns:
        `(spelling, feature)`.
    """
    n_spellings = len(characters)
    outside = np.full((n_spellings, 1), weights.letters.shape[1] - 1)
    around = np.hstack([outside, characters, outside])
    row, place = np.nonzero(characters)
    before, here, behind = (weights.letters[at][around[row, place + at]] for at in range(3))
    before += here
    before += behind
    before += weights.letter_bias
    features = np.zeros((n_spellings, before.shape[1]), np.float32)
    firsts = np.flatnonzero(np.diff(row, prepend=-1))
    if len(firsts):
        features[row[firsts]] = np.maximum(np.maximum.reduceat(before, firsts, axis=0), 0)
    return features


def _gates(features: Floats, weights: Floats, bias: Floats | None) -> Floats:
    """What features of words or of pairs add to the gates, `(way, kind, gates)`."""
    # A product of few rows is summed in another order. What a word adds must not hang on how many others were new
    # with it: a job that was killed would go on with other last bits.
    n_kinds = len(features)
    filled = np.zeros((-(-n_kinds // _BLOCK) * _BLOCK, features.shape[1]), np.float32)
    filled[:n_kinds] = features
    rows, right = torch.from_numpy(filled).expand(2, -1, -1), torch.from_numpy(weights)  # torch's threads: ours to set
    product = rows @ right if bias is None else torch.baddbmm(torch.from_numpy(bias), rows, right)
    return product[:, :n_kinds].numpy()


def _steps(tables: Sequence[Floats], places: Sequence[Ints], back: Floats) -> Floats:
    """Go through the pieces, forwards and backwards at once.

    Args:
        tables: `(way, kind, gates)`, what kinds of words and of pairs add to the gates.
        places: `(piece, window)`, the kind of each.
        back: `(gate, way, hidden, hidden)`.
    """
    n_pieces, n_windows = places[0].shape
    width = back.shape[3]
    states = np.zeros((n_pieces + 1, 2, n_windows, width), np.float32)  # twice each state; 0 is before the first
    gates = np.empty((4, 2, n_windows, width), np.float32)
    opened, (put, keep, show, cell) = gates[:3], gates
    held, made = np.zeros((2, 2, n_windows, width), np.float32)  # the memory, and what comes to it
    one, half = np.array(1, np.float32), np.array(0.5, np.float32)
    multiply = _multiplier(states, back, gates)
    ahead = max(1, _AHEAD // gates.size)
    for begin in range(0, n_pieces, ahead):
        said = _gathered(tables, places, slice(begin, min(n_pieces, begin + ahead)), width)
        for piece, coming in enumerate(said, begin):
            multiply(piece)
            np.add(gates, coming, out=gates)
            np.tanh(gates, out=gates)
            np.add(opened, one, out=opened)
            np.multiply(held, keep, out=held)
            np.multiply(put, cell, out=made)
            np.add(held, made, out=held)
            np.multiply(held, half, out=held)
            np.tanh(held, out=made)
            np.multiply(show, made, out=states[piece + 1])
    joined = np.empty((n_windows, n_pieces, 2 * width), np.float32)
    np.multiply(states[1:, 0].transpose(1, 0, 2), half, out=joined[:, :, :width])
    np.multiply(states[:0:-1, 1].transpose(1, 0, 2), half, out=joined[:, :, width:])
    return joined


def _gathered(tables: Sequence[Floats], places: Sequence[Ints], steps: slice, width: int) -> Floats:
    """What words and pairs add to the gates of some steps, `(step, gate, way, window, hidden)`."""
    n_windows, n_gates = places[0].shape[1], tables[0].shape[2]
    said = np.empty((2, steps.stop - steps.start, n_windows, n_gates), np.float32)
    rows = np.empty(said.shape[1:], np.float32)
    for at, (table, kinds) in enumerate(zip(tables, places, strict=True)):
        for way, chosen in enumerate((kinds[steps], kinds[::-1][steps])):
            np.take(table[way], chosen, axis=0, out=rows if at else said[way], mode="clip")
            if at:
                said[way] += rows
    return said.reshape(*said.shape[:3], 4, width).transpose(1, 3, 0, 2, 4)


def _multiplier(states: Floats, back: Floats, gates: Floats) -> Callable[[int], object]:
    """Give what multiplies the states before a step into `gates`."""
    n_windows, size = gates.shape[2], back.shape[2] * back.shape[3]
    n_parts = -(-n_windows * size // _SMALL)
    quick = "AVX512" in torch.backends.cpu.get_cpu_capability() and size <= _SMALL
    if quick and n_parts == 1:
        return lambda piece: np.matmul(states[piece], back, out=gates)
    if quick and torch.get_num_threads() == 1:
        rows = -(-n_windows // n_parts)
        parts = [(slice(at, at + rows), gates[:, :, at : at + rows]) for at in range(0, n_windows, rows)]
        return lambda piece: [np.matmul(states[piece][:, part], back, out=out) for part, out in parts]
    held, weights, out = (torch.from_numpy(each) for each in (states, back, gates))
    return lambda piece: [torch.bmm(held[piece], one, out=to) for one, to in zip(weights, out, strict=True)]
