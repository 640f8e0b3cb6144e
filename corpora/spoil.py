"""What happens to a dense note on its way: capitals lost, typing and scanning errors, broken lines, wide digits."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final, Self

from corpora.pieces import Piece

_SCANNED: Final = {"0": "O", "O": "0", "1": "l", "l": "1", "5": "S", "S": "5", "8": "B", "B": "8", "I": "l", "2": "Z"}
_SCANNED_PAIRS: Final = (("rn", "m"), ("m", "rn"), ("cl", "d"), ("vv", "w"), ("li", "h"))
_HIDDEN: Final = "\u200b\u200e\u00ad\ufeff"  # zero width, left-to-right mark, soft hyphen, byte order mark
_WIDE: Final = str.maketrans(
    "0123456789-()", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff0d\uff08\uff09"
)
_HALF: Final = str.maketrans("，：；（）", ",:;()")


@dataclass(slots=True)
class Spoiler:
    """How one note is spoilt; most are not at all."""

    rng: random.Random
    case: str = ""  # "lower" and "upper": all; "names": identifiers alone are lower case; "loud": alone upper case
    typo: float = 0.0
    scan: float = 0.0
    broken: float = 0.0
    wide: bool = False
    half: bool = False
    hidden: bool = False

    @classmethod
    def draw(cls, lang: str, rng: random.Random) -> Self:
        """A way for one note."""
        case = rng.choices(("", "lower", "upper", "names", "loud"), (80, 8, 4, 4, 4))[0]
        return cls(
            rng,
            case=case,
            typo=0.03 if lang == "en" and rng.random() < 0.12 else 0.0,
            scan=rng.choice((0.02, 0.06)) if rng.random() < 0.03 else 0.0,
            broken=0.3 if rng.random() < 0.03 else 0.0,
            wide=lang == "zh" and rng.random() < 0.03,
            half=lang == "zh" and rng.random() < 0.15,
            hidden=rng.random() < 0.004,
        )

    def spoil(self, pieces: list[Piece]) -> list[Piece]:
        """The same pieces with other characters: what a piece is does not change."""
        return [
            Piece(self._spoilt(piece.text, phi=piece.is_phi), piece.label if piece.is_phi else "") for piece in pieces
        ]

    def _spoilt(self, text: str, *, phi: bool) -> str:
        if self.case == "lower" or (self.case == "names" and phi):
            text = text.lower()
        elif self.case == "upper" or (self.case == "loud" and phi):
            text = text.upper()
        if self.typo and not phi:
            text = re.sub(r"[A-Za-z]{5,}", self._typo, text)
        if self.scan:
            text = self._scanned(text)
        if self.broken and phi and self.rng.random() < self.broken:
            text = self._broken(text)
        if self.wide:
            text = text.translate(_WIDE)
        if self.half:
            text = text.translate(_HALF)
        if self.hidden and phi and len(text) > 3:
            at = self.rng.randrange(1, len(text) - 1)
            text = f"{text[:at]}{self.rng.choice(_HIDDEN)}{text[at:]}"
        return text

    def _broken(self, text: str) -> str:
        """The text over two lines: cut at a blank or, if it is Chinese, anywhere."""
        if spaces := [match.start() for match in re.finditer(" ", text)]:
            at = self.rng.choice(spaces)
            return f"{text[:at]}\n{text[at + 1 :]}"
        if len(text) > 1 and "\u4e00" <= text[0] <= "\u9fff":
            at = self.rng.randrange(1, len(text))
            return f"{text[:at]}\n{text[at:]}"
        return text

    def _typo(self, match: re.Match[str]) -> str:
        word = match[0]
        if self.rng.random() >= self.typo:
            return word
        at = self.rng.randrange(1, len(word) - 1)
        before, here, after = word[:at], word[at], word[at + 1 :]
        return self.rng.choice((before + after, before + after[:1] + here + after[1:], before + here + here + after))

    def _scanned(self, text: str) -> str:
        text = "".join(_SCANNED[c] if c in _SCANNED and self.rng.random() < self.scan else c for c in text)
        if self.rng.random() < self.scan:
            old, new = self.rng.choice(_SCANNED_PAIRS)
            text = text.replace(old, new, 1)
        return text
