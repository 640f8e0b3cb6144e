"""How much of a code's name a sentence holds, whatever stands between its words.

A name counts by the weight of its units that stand in one sentence, over that of all its units: the square of
their inverse document frequency (Salton & Buckley 1988), as in the cosine of a binary query. Units are words without
the s of a plural, and pairs of Han characters.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clinlp.errors import UsageError
from clinlp.models.store import write_whole
from clinlp.note import Note
from clinlp.text.language import HAN, detect_language
from clinlp.text.sentences import split_sentences

FILE: Final = "likeness.json"
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class NameUnits:
    """Units of names with their weights, and the code of each name."""

    def __init__(self, units: Mapping[str, float], names: Iterable[tuple[int, Sequence[int]]]) -> None:
        """Take the units, each with its weight, and for each name the place of its code and the places of its units."""
        self.units = dict(units)
        held = sorted({(code, tuple(sorted(set(places)))) for code, places in names if places})
        self.names = held
        self._places = {unit: at for at, unit in enumerate(self.units)}
        self._weights = weights = np.array(list(self.units.values()), np.float64)
        owners = np.array([code for code, _ in held], np.int64)
        self._owners = owners
        self.codes, self._first_names = np.unique(owners, return_index=True)
        # From each unit to the names that have it, with the share of each name that it is.
        counts = np.array([len(places) for _, places in held], np.int64)
        flat = np.fromiter((place for _, places in held for place in places), np.int64, int(counts.sum()))
        of_name = np.repeat(np.arange(len(held)), counts)
        shares = weights[flat] / np.bincount(of_name, weights[flat], len(held))[of_name] if held else weights[:0]
        order = np.argsort(flat, kind="stable")
        self._of_unit = np.searchsorted(flat[order], np.arange(len(self.units) + 1))
        self._name, self._share = of_name[order], shares[order]

    @property
    def n_codes(self) -> int:
        """One more than the last place of a code."""
        return int(self.codes.max(initial=-1)) + 1

    @classmethod
    def build(cls, table: Mapping[int, Iterable[str]], notes: Iterable[Note]) -> NameUnits:
        """Weigh the units of names by how many names and notes have them.

        Args:
            table: The names of each code, by the place of the code.
        """
        read = [
            (code, frozenset(found for found, _, _ in _units(name))) for code, names in table.items() for name in names
        ]
        n_with, n_all = Counter[str](), len(read)
        for _, units in read:
            n_with.update(units)
        wanted = frozenset(n_with)
        for note in notes:
            n_all += 1
            n_with.update(wanted.intersection(found for found, _, _ in _units(note.text)))
        weights = {unit: (math.log((1 + n_all) / (1 + n_with[unit])) + 1) ** 2 for unit in sorted(n_with)}
        places = {unit: at for at, unit in enumerate(weights)}
        return cls(weights, [(code, [places[unit] for unit in units]) for code, units in read])

    def __call__(self, note: Note, n_codes: int) -> tuple[Floats, NDArray[np.int32]]:
        """Say how much of each code's likest name stands in one sentence, and in which.

        Returns:
            `(code,)`, 0 to 1; and the place of the sentence among those of `sentences`, `(code,)`.
        """
        best, where = np.zeros(n_codes, np.float32), np.zeros(n_codes, np.int32)
        if not self.names:
            return best, where
        for at, (start, end) in enumerate(sentences(note)):
            found = {self._places[unit] for unit, _, _ in _units(note.text[start:end]) if unit in self._places}
            if not found:
                continue
            rows = np.concatenate([np.arange(self._of_unit[unit], self._of_unit[unit + 1]) for unit in sorted(found)])
            held = np.bincount(self._name[rows], self._share[rows], len(self.names))
            here = np.maximum.reduceat(held, self._first_names)
            better = here > best[self.codes]
            best[self.codes[better]], where[self.codes[better]] = here[better], at
        return best, where

    def marks(self, text: str, code: int) -> list[tuple[int, int]]:
        """Give where a sentence has units of the name of a code that it holds most of."""
        cells = [(self._places.get(unit, -1), start, end) for unit, start, end in _units(text)]
        held = {place for place, _, _ in cells}
        best: tuple[float, frozenset[int]] = (0.0, frozenset())
        first, stop = np.searchsorted(self._owners, (code, code + 1)).tolist()
        for _, places in self.names[first:stop]:
            inside = frozenset(held.intersection(places))
            share = float(self._weights[sorted(inside)].sum() / self._weights[list(places)].sum())
            best = max(best, (share, inside), key=lambda each: each[0])
        return [(start, end) for place, start, end in cells if place in best[1]]

    def save(self, folder: Path) -> None:
        """Write units and names beside a model."""
        held = {"units": self.units, "names": [[code, list(places)] for code, places in self.names]}
        write_whole(folder / FILE, json.dumps(held, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> NameUnits:
        """Read what `save` wrote.

        Raises:
            UsageError: It is not there, or broken.
        """
        try:
            held: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
            units = {str(unit): float(weight) for unit, weight in held["units"].items()}
            names = [(int(code), [int(place) for place in places]) for code, places in held["names"]]
            if all(0 <= place < len(units) for _, places in names for place in places):
                return cls(units, names)
        except FileNotFoundError:
            raise UsageError(f"{folder}: no {FILE}; is this a model of names?") from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{folder}/{FILE}: units and names needed, got {type(error).__name__}") from None
        raise UsageError(f"{folder}/{FILE}: units of every name needed, got others")


def sentences(note: Note) -> list[tuple[int, int]]:
    """Where the sentences of a note are."""
    return split_sentences(note.text, note.lang or detect_language(note.text))


def _units(text: str) -> list[tuple[str, int, int]]:
    """Give the units of a text with their offsets."""
    found = []
    for match in _words().finditer(text):
        word, start = match[0].lower(), match.start()
        if match.lastgroup == "han":
            found += [(word[at : at + 2], start + at, start + at + 2) for at in range(len(word) - 1)]
        elif word not in _common():
            plain = word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "su" else word
            found.append((plain, start, match.end()))
    return found


@cache
def _words() -> re.Pattern[str]:
    return re.compile(rf"(?P<han>[{HAN}]{{2,}})|(?P<word>[^\W\d_]{{2,}}|\d+)".replace(r"[^\W\d_]", rf"[^\W\d_{HAN}]"))


@cache
def _common() -> frozenset[str]:
    return frozenset(
        (
            *(
                "a",
                "an",
                "and",
                "or",
                "of",
                "in",
                "on",
                "at",
                "to",
                "by",
                "for",
                "from",
                "with",
                "without",
                "the",
                "is",
            ),
            *("as", "not", "other", "unspecified", "due", "during", "elsewhere", "specified", "classified", "type"),
            *("nos", "nec"),
        )
    )
