"""Short notes written by hand, their identifiers marked as `[[LABEL:words]]`, and variations on them.

`corpora/written/LANG/NAME.txt` holds texts parted by lines of `=====`. A variation keeps a text's sentences and
says other identifiers in them: names of the same shape, other digits, other hospitals and places that were written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, cast

from clinlp.deid.words import listed
from clinlp.note import Lang, Note
from corpora.people import draw_chinese, draw_english, load_people
from corpora.pieces import PHI, Piece
from corpora.queries import joined
from corpora.spoil import Spoiler
from corpora.vocabulary import load_vocabulary

FOLDER: Final = Path(__file__).parent / "written"
SWAPPED: Final = frozenset({"HOSPITAL", "LOCATION", "ORG", "DATE", "SOCIAL", "PHOTO", "EMAIL", "URL", "DEPARTMENT"})
SWAP_RATE: Final = 0.6
LISTED: Final = {"HOSPITAL": "en_hospitals", "ORG": "en_orgs"}
"""Lists of the rules from which half of what is put in comes."""
_WIDE_FIRST: Final = "\u4e00"
_WIDE_LAST: Final = "\u9fff"


def written_notes(lang: str, name: str) -> list[Note]:
    """The notes of the files `NAME*.txt` with gold `phi`, in order.

    Raises:
        ValueError: A mark is open, or its label is not one of PHI.
    """
    notes = []
    for path in sorted((FOLDER / lang).glob(f"{name}*.txt")):
        texts = re.split("^=====$", path.read_text("utf-8"), flags=re.MULTILINE)
        for number, marked in enumerate(filter(None, (text.strip("\n") for text in texts)), 1):
            text, phi = joined(parse_marks(marked))
            notes.append(Note(f"{lang}-{path.stem}-{number:03d}", text, lang=cast("Lang", lang), phi=tuple(phi)))
    return notes


def parse_marks(marked: str) -> list[Piece]:
    """The pieces of a text with marks."""
    pieces, at = [], 0
    for match in _mark().finditer(marked):
        pieces += [Piece(marked[at : match.start()]), Piece(match[2], match[1])]
        at = match.end()
    pieces.append(Piece(marked[at:]))
    for piece in pieces:
        if (piece.label and piece.label not in PHI) or "[[" in piece.text or "]]" in piece.text:
            raise ValueError("a mark [[LABEL:words]] of PHI needed, got another one")
    return pieces


@cache
def _mark() -> re.Pattern[str]:
    return re.compile(r"\[\[([A-Z_]+):(.*?)\]\]", re.DOTALL)


def varied(notes: Sequence[Note], n_times: int, seed: int) -> Iterator[Note]:
    """Each note as it is, then `n_times` with other identifiers, some of them spoilt on the way.

    The same for the same seed.
    """
    yield from notes
    lang = notes[0].lang or "en"
    pools = _pools(notes)
    rng = random.Random(f"written {lang} {seed}")  # noqa: S311 - invented records, not secrets
    if lang == "en":
        for label, facts in LISTED.items():
            pools.setdefault(label, []).extend(rng.sample(sorted(listed(facts)), len(pools.get(label, ()))))
    for time in range(1, n_times + 1):
        for note in notes:
            other = _Variation(lang, rng, pools)
            pieces = [Piece(other.say(piece), piece.label) if piece.label else piece for piece in pieces_of(note)]
            text, phi = joined(Spoiler.draw(lang, rng).spoil(pieces))
            yield Note(f"{note.note_id}-{time}", text, lang=note.lang, phi=tuple(phi))


def pieces_of(note: Note) -> list[Piece]:
    """The note's text cut at its PHI."""
    pieces, at = [], 0
    for span in note.phi:
        pieces += [Piece(note.text[at : span.start]), Piece(note.text[span.start : span.end], span.label)]
        at = span.end
    return [*pieces, Piece(note.text[at:])]


def _pools(notes: Iterable[Note]) -> dict[str, list[str]]:
    """What was written under each label."""
    pools: dict[str, list[str]] = {}
    for note in notes:
        for piece in pieces_of(note):
            if piece.label:
                pools.setdefault(piece.label, []).append(piece.text)
    return pools


@dataclass(slots=True)
class _Variation:
    """What the identifiers of one note become: the same words the same in the whole note."""

    lang: str
    rng: random.Random
    pools: dict[str, list[str]]
    said: dict[str, str] = field(default_factory=dict)

    def say(self, piece: Piece) -> str:
        """Other words for an identifier."""
        words, label = piece.text, piece.label
        if words not in self.said:
            if label == "NAME":
                self.said[words] = self._chinese(words) if _is_han(words) else self._latin(words)
            elif label in SWAPPED and "\n" not in words and self.rng.random() < SWAP_RATE:
                self.said[words] = self.rng.choice(self.pools[label])
            elif label in SWAPPED or label in ("AGE", "BED"):
                self.said[words] = words
            else:
                self.said[words] = self._coded(words)
        return self.said[words]

    def _coded(self, words: str) -> str:
        """The same format with other digits, and with other letters where digits stand in the word too."""
        rng = self.rng
        words = re.sub("[1-9]", lambda _: rng.choice("123456789"), words)
        return re.sub(
            r"\b(?=\w*[0-9])[A-Z]{1,3}(?=[0-9-])",
            lambda match: "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in match[0]),
            words,
        )

    def _latin(self, words: str) -> str:
        """A name of as many parts, in the same letters: `MOSS, J.` may become `TANAKA, B.` here."""
        parts = re.split(r"([^\W\d_]+(?:['’][^\W\d_]+)*)", words)
        n_parts = len(parts) // 2
        for at in range(1, len(parts), 2):
            old = parts[at]
            if old.lower() not in self.said:
                self.said[old.lower()] = self._word(old, is_last=at == 2 * n_parts - 1 and (n_parts > 1))
            new = self.said[old.lower()]
            parts[at] = new.lower() if old.islower() else new.upper() if old.isupper() and len(old) > 1 else new
        return "".join(parts)

    def _word(self, old: str, *, is_last: bool) -> str:
        if len(old) == 1:
            return self.rng.choice("ABCDEFGHIJKLMNOPRSTVWYZ")
        if len(old) == 2 and old.isupper():
            return "".join(self.rng.choice("ABCDEFGHJKLMNPRSTW") for _ in old)
        if old.lower() in _PARTICLES:
            return old
        person = draw_english(load_vocabulary("en"), load_people("en"), "train", self.rng, male=self.rng.random() < 0.5)
        name = person.surname if is_last or self.rng.random() < 0.3 else person.given
        return re.split("[ -]", name)[-1]

    def _chinese(self, words: str) -> str:
        """A name of the same form: 小王 may become 小陈, 欧阳玉珂 may become 李玉珂 or 张建国."""
        rng = self.rng
        vocabulary, people = load_vocabulary("zh"), load_people("zh")
        person = draw_chinese(vocabulary, people, "train", rng, male=rng.random() < 0.5)
        surname, bare = person.surname, re.sub(r"\s", "", words)
        called = _called().fullmatch(bare)
        if called and (called[1] or called[3] or len(bare) == 1):
            return words.replace(called[2], surname[0]) if called[2] in people.surnames else words
        if "·" in bare or len(bare) > 4 or (bare[0] not in people.surnames and bare[:2] not in people.surnames):
            alike = [name for name in self.pools["NAME"] if ("·" in name) == ("·" in bare) and _is_rare(name)]
            return rng.choice(alike) if alike and rng.random() < SWAP_RATE else words
        size = len(bare) - (2 if bare[:2] in people.surnames else 1)
        given = (person.given * 2)[:size] if size else ""
        new = surname + given
        if gap := re.search(r"\s+", words):
            at = rng.randrange(1, len(new)) if len(new) > 1 else 1
            return gap[0].join(new) if len(re.findall(r"\s+", words)) > 1 else new[:at] + gap[0] + new[at:]
        return new


_PARTICLES: Final = frozenset(
    (
        "de",
        "da",
        "do",
        "di",
        "del",
        "van",
        "von",
        "der",
        "den",
        "ter",
        "la",
        "le",
        "al",
        "el",
        "bin",
        "binti",
        "ibn",
        "o",
    )
)


def _is_han(words: str) -> bool:
    return any(_WIDE_FIRST <= c <= _WIDE_LAST for c in words)


def _is_rare(name: str) -> bool:
    """Say whether a written name does not start with a listed surname."""
    surnames = load_people("zh").surnames
    return _is_han(name) and name[0] not in surnames and name[:2] not in surnames


@cache
def _called() -> re.Pattern[str]:
    """What somebody is called by: 小王, 李姐, 老周."""
    return re.compile("([小老阿]?)([\u4e00-\u9fff])(某+|氏|老|工|总|姐|哥|姨|叔|伯|师傅|阿姨|大爷|大妈)?")
