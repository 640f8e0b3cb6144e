"""Lines of banks to pieces: draws, choices and references; what a slot holds is for others to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from corpora.grammar import Bank, Choice, Node, Slot, parse
from corpora.pieces import NothingFitsError, Piece

if TYPE_CHECKING:
    import random

    from corpora.patient import Patient
    from corpora.vocabulary import Pool, Vocabulary

MAX_DEPTH: Final = 12


class LineWriter:
    """Expands lines for one note of one patient."""

    def __init__(self, vocabulary: Vocabulary, patient: Patient, part: str, rng: random.Random) -> None:
        self.vocabulary, self.patient, self.part, self.rng = vocabulary, patient, part, rng
        self.forced: dict[str, Any] = {}

    def force(self, kind: str, item: object) -> None:
        """Make the next slot of this kind take this item."""
        self.forced[kind] = item

    def draw(self, pool: Pool) -> str:
        """One alternative of a bank."""
        return self.rng.choice(pool.of(self.part, self.rng) or ("",))

    def draw_name(self, pool: Pool) -> str:
        """One of the names of an entry, the usual one half of the time."""
        return pool.items[0] if self.rng.random() < 0.45 else self.draw(pool)

    def _bank(self, *names: str) -> Pool:
        for name in names:
            if name in self.vocabulary.banks:
                return self.vocabulary.banks[name]
        raise KeyError(f"corpora/data/{self.vocabulary.lang}: a bank [{names[0]}] is needed, got none")

    def lines(self, bank: str, wanted: int) -> list[list[Piece]]:
        """That many different lines of a bank, expanded; fewer if no more fit."""
        pool = list(dict.fromkeys(self.rng.sample(all_ := self._bank(bank).of(self.part, self.rng), len(all_))))
        lines: list[list[Piece]] = []
        for line in pool:
            if len(lines) == wanted:
                break
            forced = dict(self.forced)
            try:
                lines.append(self.expand(parse(line)))
            except NothingFitsError:
                self.forced = forced
        return lines

    def expand(self, nodes: tuple[Node, ...], depth: int = 0) -> list[Piece]:
        """The pieces of a parsed line.

        Raises:
            NothingFitsError: A slot asks for what the patient does not have.
        """
        if depth > MAX_DEPTH:
            raise RecursionError("corpora: banks that do not refer to themselves are needed, got a circle")
        pieces: list[Piece] = []
        for node in nodes:
            if isinstance(node, str):
                pieces.append(Piece(node))
            elif isinstance(node, Choice):
                pieces.extend(self.expand(self.rng.choice(node.options), depth + 1))
            elif isinstance(node, Bank):
                pieces.extend(self._any_line(node.name, depth))
            elif node.name.isupper() and node.name != "SURNAME":
                pieces.extend(self._labelled(node))
            else:
                pieces.append(Piece(self._plain(node)))
        return pieces

    def _any_line(self, bank: str, depth: int) -> list[Piece]:
        for _ in range(6):
            try:
                return self.expand(parse(self.draw(self._bank(bank))), depth + 1)
            except NothingFitsError:
                continue
        raise NothingFitsError(bank)

    def words(self, line: str) -> str:
        """A line whose slots are all unlabelled."""
        return "".join(piece.text for piece in self.expand(parse(line)))

    def _labelled(self, slot: Slot) -> list[Piece]:
        raise NotImplementedError

    def _plain(self, slot: Slot) -> str:
        raise NotImplementedError
