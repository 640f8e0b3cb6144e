"""Pieces to text and spans: headings, lists, wraps, capitals and typing errors, with exact offsets."""

from __future__ import annotations

import random
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from corpora.pieces import Piece

Lines = list[list[Piece]]


@dataclass(slots=True)
class Style:
    """How one note is set."""

    joiner: str
    heading: str
    heading_upper: bool
    gap: str
    list_rate: float
    bullet: str
    number: str
    width: int
    upper: bool
    capitals: float
    typo: float
    letters: str
    cuts_words: bool

    @classmethod
    def draw(cls, given: dict[str, Any], rng: random.Random) -> Style:
        """A style for a note, from what the language's `style.toml` allows."""
        return cls(
            joiner=given.get("joiner", " "),
            heading=rng.choice(given.get("heading", ["{}:"])),
            heading_upper=rng.random() < given.get("heading_upper", 0.3),
            gap=rng.choice(("\n", "\n", "\n\n", "\n\n", "\n\n\n")),
            list_rate=rng.choice((0.0, 0.0, 0.3, 1.0)),
            bullet=rng.choice(given.get("bullets", ["- "])),
            number=rng.choice(given.get("numbers", ["{}. "])),
            width=rng.randint(*given.get("widths", (60, 100))) if rng.random() < given.get("wrap", 0.2) else 0,
            upper=rng.random() < given.get("upper", 0.03),
            capitals=rng.choice((0.2, 0.9, 1.0)),
            typo=given.get("typo", 0.004) * rng.choice((0, 0, 1, 1, 1, 3)),
            letters=given.get("letters", "abcdefghilmnoprstu"),
            cuts_words=not given.get("joiner", " "),
        )


@dataclass(slots=True)
class Page:
    """A note in the making: its pieces in order, with the sections' borders."""

    style: Style
    rng: random.Random
    pieces: list[Piece] = field(default_factory=list)
    sections: list[tuple[int, int, str]] = field(default_factory=list)  # borders as piece numbers

    def add(self, label: str, heading: str, lines: Lines, layout: str) -> None:
        """Set one section; without a heading it is no section."""
        lines = [line for line in lines if line]
        if not lines:
            return
        if self.pieces:
            self.pieces.append(Piece(self.style.gap))
        layout = layout or self._layout(len(lines))
        if heading:
            text = heading.upper() if self.style.heading_upper else heading
            own_line = layout != "text" or self.rng.random() < 0.3
            self.pieces.append(Piece(self.style.heading.format(text) + ("\n" if own_line else self.style.joiner)))
        first = len(self.pieces)
        for number, line in enumerate(lines, 1):
            if number > 1:
                self.pieces.append(Piece(self.style.joiner if layout == "text" else "\n"))
            mark = {"bullets": self.style.bullet, "numbers": self.style.number.format(number)}.get(layout)
            self.pieces += [Piece(mark), *line] if mark else line
        if heading:
            self.sections.append((first, len(self.pieces), label))

    def _layout(self, n_lines: int) -> str:
        if n_lines > 1 and self.rng.random() < self.style.list_rate:
            return self.rng.choice(("bullets", "numbers", "lines"))
        return "text"

    def finish(self) -> tuple[str, list[tuple[int, int]], list[tuple[int, int, str]]]:
        """The text, the borders of each piece in it, and the sections."""
        self._capitalise()
        for piece in self.pieces:
            self._spoil(piece)
        borders: list[tuple[int, int]] = []
        at = 0
        for piece in self.pieces:
            borders.append((at, at + len(piece.text)))
            at += len(piece.text)
        text = "".join(piece.text for piece in self.pieces)
        sections = [(borders[a][0], borders[b - 1][1], label) for a, b, label in self.sections]
        if not self.style.width:
            return text, borders, sections
        if not self.style.cuts_words:
            return wrap_at_spaces(text, self.style.width), borders, sections
        cuts = _cuts(text, self.style.width, [b for b, p in zip(borders, self.pieces, strict=True) if p.label])
        moved = [(s + bisect_left(cuts, s + 1), e + bisect_left(cuts, e)) for s, e in borders]
        shifted = [(s + bisect_left(cuts, s + 1), e + bisect_left(cuts, e), label) for s, e, label in sections]
        bits = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        return "\n".join(bits), moved, shifted

    def _capitalise(self) -> None:
        """Start most sentences with a capital; names such as pH keep their form."""
        if self.style.cuts_words:
            return
        before = "\n"
        for piece in self.pieces:
            starts = re.search(r"(?<!\bDr)(?<!y\.o)(?<!\bMr)(?<!\bMs)\. $|\n$", before) and re.match(
                "[a-z]{3}", piece.text
            )
            if starts and not piece.is_phi and self.rng.random() < self.style.capitals:
                piece.text = piece.text[0].upper() + piece.text[1:]
            before = piece.text or before

    def _spoil(self, piece: Piece) -> None:
        """Put typing errors into a piece that identifies nobody."""
        rate = 0.0 if piece.is_phi else self.style.typo * (0.5 if piece.label else 1.0)
        if rate and self.style.cuts_words:
            piece.text = _swap_look_alikes(piece.text, rate, self.style.letters, self.rng)
        elif rate:
            piece.text = re.sub(r"[A-Za-z]{5,}", lambda m: self._typo(m[0], rate), piece.text)
        if self.style.upper:
            piece.text = piece.text.upper()

    def _typo(self, word: str, rate: float) -> str:
        if self.rng.random() >= rate:
            return word
        at = self.rng.randrange(1, len(word) - 1)
        kind = self.rng.randrange(4)
        if kind == 0:
            return word[:at] + word[at + 1 :]
        if kind == 1:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 2:
            return word[:at] + word[at] + word[at:]
        return word[:at] + self.rng.choice(self.style.letters) + word[at + 1 :]


def _swap_look_alikes(text: str, rate: float, pairs: str, rng: random.Random) -> str:
    table = {a: b for pair in pairs.split() if len(pair) == 2 for a, b in (tuple(pair), tuple(reversed(pair)))}
    return "".join(table[c] if c in table and rng.random() < rate * 8 else c for c in text)


def wrap_at_spaces(text: str, width: int) -> str:
    """The text with the last space before each width turned into a line break: offsets stay."""
    signs = list(text)
    start, space = 0, -1
    for at, sign in enumerate(signs):
        if sign == "\n":
            start, space = at + 1, -1
        elif sign == " ":
            if at - start > width and space > start:
                signs[space] = "\n"
                start = space + 1
            space = at
    return "".join(signs)


def _cuts(text: str, width: int, spans: list[tuple[int, int]]) -> list[int]:
    """Where to put line breaks into text without spaces: every `width` characters, never inside a span."""
    inside = {at for start, end in spans for at in range(start + 1, end)}
    cuts, start = [], 0
    for at, sign in enumerate(text):
        if sign == "\n":
            start = at + 1
        elif at - start >= width and at not in inside and sign not in ",。;、:)？！ ":
            cuts.append(at)
            start = at
    return cuts
