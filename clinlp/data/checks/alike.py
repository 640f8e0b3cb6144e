"""Notes that should not stand apart, or not twice: the same id, patient or text, in one part or in two."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Hashable, Iterator, Sequence
from heapq import heappush, heappushpop
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clinlp.data.checks.findings import Pair, Place, Tally
from clinlp.data.checks.near import N_HASHES, Hashes, MinHash, Pairs, candidates, jaccard, normal, shingles
from clinlp.note import Note

_MEMORY: Final = 1 << 26  # shingles held at once, of 4 bytes each


class Alike:
    """Remembers of each note a number for its id, its patient and its text, and of each distinct text a signature."""

    def __init__(self, parts: Sequence[str], similarity: float) -> None:
        self._parts, self._similarity = list(parts), similarity
        self._first_ids: dict[int, int] = {}
        self._patients: dict[int, list[int]] = {}  # patient -> the first note in each part, -1 for none
        self._texts: dict[int, int] = {}  # text -> its number
        self._part_of, self._text_of = array("b"), array("q")  # of each note
        self._annotation_of = array("q")  # of each note, a number for what it says of its text
        self._sizes, self._signatures = array("q"), bytearray()  # of each distinct text
        self._minhash = MinHash()
        self._pending: Pairs = np.zeros((0, 2), np.int64)
        self._held: dict[int, Hashes | None] = {}  # text -> its shingles, for the pairs of this round
        self._n_now = 0
        self._lows, self._highs, self._shares = array("q"), array("q"), array("d")  # of each pair found
        self.n_rounds = 0

    def add(self, part: str, note: Note, annotation: Hashable) -> Iterator[tuple[str, str, int]]:
        """Remember a note; give the kind of finding, where, and the number of the note before it.

        Args:
            annotation: What is annotated, without offsets: texts count as the same though spaces differ.
        """
        number, place = len(self._part_of), self._parts.index(part)
        before = self._first_ids.setdefault(hash(note.note_id), number)
        if before != number:
            other = self._parts[self._part_of[before]]
            yield "duplicate_id", part if other == part else f"{part}/{other}", before
        if note.patient_id is not None:
            firsts = self._patients.setdefault(hash(note.patient_id), [-1] * len(self._parts))
            if firsts[place] < 0:
                firsts[place] = number
                for other, first in zip(self._parts[:place], firsts, strict=False):
                    if first >= 0:
                        yield "shared_patient", f"{part}/{other}", first
        text = normal(note.text)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        at = self._texts.setdefault(int.from_bytes(digest, "big"), len(self._sizes))
        if at == len(self._sizes):
            found = shingles(text)
            self._sizes.append(len(found))
            self._signatures += self._minhash.sign(found).tobytes() if len(found) else bytes(4 * N_HASHES)
        self._part_of.append(place)
        self._text_of.append(at)
        self._annotation_of.append(hash(annotation))

    def n_patients(self, part: str) -> int:
        """Count the patients of a part."""
        place = self._parts.index(part)
        return sum(firsts[place] >= 0 for firsts in self._patients.values())

    def prepare(self) -> None:
        """Find the pairs of texts that may be alike, once all notes were added."""
        n_texts = len(self._sizes)
        signatures = np.frombuffer(self._signatures, np.uint32).reshape(n_texts, -1)
        parts = list(self._firsts() >= 0)
        self._pending = candidates(signatures, np.array(self._sizes, np.int64), parts, self._similarity)
        self._next()

    def look(self, number: int, text: str) -> None:
        """Take the shingles of a note that is to be compared in this round."""
        at = self._text_of[number]
        if at in self._held and self._held[at] is None:
            self._held[at] = shingles(normal(text))

    def compared(self) -> bool:
        """Compare the pairs of this round; say whether all are done."""
        for low, high in self._pending[: self._n_now].tolist():
            one, other = self._held[low], self._held[high]
            if one is not None and other is not None and (share := jaccard(one, other)) >= self._similarity:
                self._lows.append(low)
                self._highs.append(high)
                self._shares.append(share)
        self._pending = self._pending[self._n_now :]
        self.n_rounds += 1
        self._next()
        return not len(self._pending)

    def report(self, tally: Tally, ids: Sequence[str], n_pairs: int) -> tuple[Pair, ...]:
        """Count, within each part and between each two, the notes that another is like.

        Within a part a note counts if one before it is like it: so many could be left out.

        Returns:
            The first pairs: those of two parts, then the most alike.
        """
        firsts = self._firsts()
        near = [(self._nearest(first, earlier=False), self._nearest(first, earlier=True)) for first in firsts]
        best: list[tuple[bool, float, int, int]] = []
        for number, (place, text) in enumerate(zip(self._part_of, self._text_of, strict=True)):
            for other in range(place + 1):
                twin, share, kind = int(firsts[other, text]), 1.0, "same_text"
                if twin in (-1, number):
                    twins, shares = near[other][other == place]
                    twin, share, kind = int(twins[text]), float(shares[text]), "near_duplicate"
                if twin < 0:
                    continue
                where = self._parts[place] if other == place else f"{self._parts[place]}/{self._parts[other]}"
                place_of = Place(ids[number], other=ids[twin])
                tally.count(kind, where, place_of)
                if kind == "same_text" and self._annotation_of[number] != self._annotation_of[twin]:
                    tally.count("same_text_differs", where, place_of)
                if n_pairs:
                    pair = (other != place, share, -number, -twin)
                    (heappush if len(best) < n_pairs else heappushpop)(best, pair)
        names = [self._parts[place] for place in self._part_of]
        return tuple(
            Pair(names[-number], ids[-number], names[-twin], ids[-twin], round(share, 4))
            for _, share, number, twin in sorted(best, reverse=True)
        )

    def _firsts(self) -> NDArray[np.int64]:
        """The first note of each text in each part, -1 for none: `(part, text)`."""
        n_texts = len(self._sizes)
        places = np.array(self._part_of, np.int64) * n_texts + np.array(self._text_of, np.int64)
        held, firsts = np.unique(places, return_index=True)
        first = np.full(len(self._parts) * n_texts, -1, np.int64)
        first[held] = firsts
        return first.reshape(-1, n_texts)

    def _nearest(self, first: Pairs, *, earlier: bool) -> tuple[Pairs, NDArray[np.float64]]:
        """Of each text the note of a part that is most like it, -1 for none, and how much.

        Args:
            first: The part's first note of each text.
            earlier: Whether it has to come before the text's own first note in the part.
        """
        low, high = np.array(self._lows, np.int64), np.array(self._highs, np.int64)
        text, partner = np.concatenate([low, high]), np.concatenate([high, low])
        shares = np.tile(np.array(self._shares), 2)
        there = first[partner] >= 0
        if earlier:
            there &= first[partner] < first[text]
        text, twins, shares = text[there], first[partner[there]], shares[there]
        order = np.lexsort((twins, -shares, text))
        texts, at = np.unique(text[order], return_index=True)
        nearest, share = np.full(len(first), -1, np.int64), np.zeros(len(first))
        nearest[texts], share[texts] = twins[order][at], shares[order][at]
        return nearest, share

    def _next(self) -> None:
        """Choose the pairs whose shingles fit the memory, at least one."""
        self._held, self._n_now, n_held = {}, 0, 0
        for pair in self._pending.tolist():
            new = [text for text in pair if text not in self._held]
            n_held += sum(self._sizes[text] for text in new)
            if n_held > _MEMORY and self._n_now:
                break
            self._held |= dict.fromkeys(new)
            self._n_now += 1
