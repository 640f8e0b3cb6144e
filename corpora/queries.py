"""Short, dense notes full of identifiers, and notes that only look so: what a PHI tagger learns from.

Only `phi` is annotated. Ages are AGE from 90 on and no identifier below, as HIPAA has it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, cast
from zlib import crc32

from clinlp.note import Lang, Note
from clinlp.spans import Span
from corpora.grammar import parse
from corpora.layout import wrap_at_spaces
from corpora.phi_values import PhiWriter, draw_subject
from corpora.pieces import NothingFitsError, Piece
from corpora.policy import under_policy
from corpora.spoil import Spoiler
from corpora.vocabulary import Vocabulary, load_vocabulary

Kind = Literal["query", "carriers", "paragraph", "negative"]
SHARES: Final[dict[Kind, int]] = {"query": 45, "carriers": 20, "paragraph": 20, "negative": 15}
CARRIERS: Final = (
    *("header", "signature", "referral", "phone", "letter", "slip", "table", "chat", "admission", "email", "file"),
    *("social", "sentence"),
)
CLINICAL: Final[dict[str, tuple[str, ...]]] = {
    "en": ("hpi_open", "hpi_more", "hpi_neg", "pmh", "fh", "sh", "exam", "assess", "plan", "course", "img", "dispo"),
    "zh": (
        *("hpi_open", "hpi_detail", "hpi_neg", "hpi_end", "hpi_general", "hpi_onc", "ph", "personal", "pe_abd"),
        *("progress", "course", "plan", "lab_text", "consult_ans", "nurse_note", "disc_plan", "dx_text", "rep_find"),
    ),
}
BUILT_RATE: Final = 0.4  # of the queries are put together from a person, a story and a question
WRAP_RATE: Final = 0.07
_MAX_TRIES: Final = 20


@dataclass(slots=True)
class Composer:
    """Writes one note after another; keeps the lines that the note in work was made from."""

    vocabulary: Vocabulary
    part: str
    rng: random.Random
    writer: PhiWriter
    used: list[str]

    @property
    def gap(self) -> str:
        """What stands between two sentences."""
        return " " if self.vocabulary.lang == "en" else ""

    def start(self) -> None:
        """Turn to a new patient."""
        self.writer = PhiWriter(self.vocabulary, draw_subject(self.vocabulary, self.rng), self.part, self.rng)
        self.used = []

    def line(self, bank: str) -> list[Piece]:
        """One line of a bank; a line that asks for what the patient does not have is drawn again, at last given up."""
        for _ in range(_MAX_TRIES):
            line = self.writer.draw(self.vocabulary.banks[bank])
            try:
                pieces = self.writer.expand(parse(line))
            except NothingFitsError:
                continue
            self.used.append(f"{bank}:{crc32(line.encode()):08x}")
            return pieces
        return []

    def compose(self, kind: Kind) -> list[Piece]:
        """The pieces of a note of this kind."""
        if kind == "query":
            return self._query()
        if kind == "carriers":
            return self._carriers()
        if kind == "paragraph":
            return self._paragraph()
        return self._negative()

    def _query(self) -> list[Piece]:
        pieces = self.line("t_built" if self.rng.random() < BUILT_RATE else "t_query")
        if self.rng.random() < 0.25:
            pieces = [*pieces, Piece(self.rng.choice((self.gap, "\n"))), *self.line("t_ask")]
        if self.rng.random() < 0.12:
            pieces = [*self.line("t_negative"), Piece(self.rng.choice((self.gap, "\n"))), *pieces]
        return pieces

    def _carriers(self) -> list[Piece]:
        pieces: list[Piece] = []
        gap = self.rng.choice(("\n", "\n", "\n\n", self.gap))
        for _ in range(self.rng.choice((1, 2, 2, 3, 3, 4, 5))):
            kind = self.rng.random()
            if kind < 0.68:
                more = self.line(f"t_{self.rng.choice(CARRIERS)}")
            elif kind < 0.8:
                more = self.line("t_negative")
            else:
                more = self.line(self.rng.choice(CLINICAL[self.vocabulary.lang]))
            pieces += [*more, Piece(gap)] if more else []
        return pieces[:-1]

    def _paragraph(self) -> list[Piece]:
        pieces: list[Piece] = []
        gap = self.rng.choice((self.gap, self.gap, self.gap, "\n"))
        for _ in range(self.rng.randint(2, 6)):
            kind = self.rng.random()
            if kind < 0.2:
                more = self.line("t_sentence")
            elif kind < 0.32:
                more = self.line("t_negative")
            else:
                more = self._with_carrier(self.line(self.rng.choice(CLINICAL[self.vocabulary.lang])))
            pieces += [*more, Piece(gap)] if more else []
        return pieces[:-1]

    def _with_carrier(self, sentence: list[Piece]) -> list[Piece]:
        """A clinical sentence with an identifier before it or inside it."""
        if (kind := self.rng.random()) < 0.2 and sentence:
            return [*self.line("t_lead"), *self._continued(sentence)]
        last = sentence[-1] if sentence else Piece("")
        if kind < 0.45 and not last.label and last.text.endswith((".", "。")):
            end = last.text[-1]
            return [*sentence[:-1], Piece(last.text[:-1]), *self.line("t_clause"), Piece(end)]
        if kind < 0.6:
            return self._renamed(sentence)
        return sentence

    def _continued(self, sentence: list[Piece]) -> list[Piece]:
        """The sentence without its capital, most of the time."""
        first = sentence[0]
        if first.label or not re.match("[A-Z][a-z]", first.text) or self.rng.random() < 0.2:
            return sentence
        return [Piece(first.text[0].lower() + first.text[1:]), *sentence[1:]]

    def _renamed(self, sentence: list[Piece]) -> list[Piece]:
        """The sentence with the patient's name for "the patient"."""
        for at, piece in enumerate(sentence):
            match = None if piece.label else re.search(r"\b[Tt]he patient\b|患者(?!家)|(?<![\w])Pt\b", piece.text)
            named = sentence[at + 1 : at + 2] and sentence[at + 1].label == "NAME"
            if match and not named:
                before, after = piece.text[: match.start()], piece.text[match.end() :]
                name = [Piece("患者"), *self.line("t_patient")] if match[0] == "患者" else self.line("t_patient")
                return [*sentence[:at], Piece(before), *name, Piece(after), *sentence[at + 1 :]]
        return sentence

    def _negative(self) -> list[Piece]:
        pieces: list[Piece] = []
        gap = self.rng.choice((self.gap, self.gap, "\n"))
        for _ in range(self.rng.choice((1, 1, 2, 3, 4, 5))):
            bare = self.rng.random() < 0.8
            more = self.line("t_negative" if bare else self.rng.choice(CLINICAL[self.vocabulary.lang]))
            if not more or any(piece.is_phi for piece in more):
                continue
            pieces += [*more, Piece(gap)]
        return pieces[:-1] or self.line("t_negative")


def phi_notes(lang: str, n: int, seed: int, part: str = "train") -> Iterator[Note]:
    """That many notes with gold `phi`; the same for the same seed, fewer are a prefix of more.

    Args:
        part: `train` uses nothing that is held out; `heldout` draws it about half of the time.
    """
    vocabulary = load_vocabulary(lang)
    rng = random.Random(f"phi {lang} {seed} {part}")  # noqa: S311 - invented records, not secrets
    composer = Composer(vocabulary, part, rng, PhiWriter(vocabulary, draw_subject(vocabulary, rng), part, rng), [])
    kinds, weights = tuple(SHARES), tuple(SHARES.values())
    for number in range(1, n + 1):
        composer.start()
        kind = rng.choices(kinds, weights)[0]
        pieces = Spoiler.draw(lang, rng).spoil(composer.compose(kind))
        text, phi = joined(pieces)
        if lang == "en" and rng.random() < WRAP_RATE:
            text = wrap_at_spaces(text, rng.randint(30, 90))  # offsets stay
        note = Note(
            note_id=f"phi-{lang}-{seed}-{number:06d}",
            text=text,
            lang=cast("Lang", lang),
            phi=tuple(phi),
            fields={"kind": kind, "templates": " ".join(composer.used)},
        )
        yield under_policy(note)


def joined(pieces: list[Piece]) -> tuple[str, list[Span]]:
    """The text, and the spans of its identifiers without white space at their borders."""
    spans: list[Span] = []
    text, at = "".join(piece.text for piece in pieces), 0
    for piece in pieces:
        words = piece.text.strip()
        if piece.is_phi and words:
            start = at + piece.text.index(words)
            spans.append(Span(start, start + len(words), piece.label))
        at += len(piece.text)
    return text, spans
