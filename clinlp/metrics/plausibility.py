"""Whether evidence is what people marked: agreement with gold evidence in tokens and in spans.

Source: DeYoung et al. (2020), ERASER, arXiv 1911.03429, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clinlp.metrics.pairing import pair_notes
from clinlp.metrics.prf import Prf, mean
from clinlp.note import Diagnosis, Note
from clinlp.spans import Span

_SAME = 0.5  # of the tokens of both together: a span is found


@dataclass(frozen=True, slots=True)
class Plausibility:
    """Agreement over the codes of notes that have gold evidence and were explained.

    Attributes:
        tokens: Of all, counted together.
        token_f1: Mean F1 over the codes of notes, each counted alike.
        spans: A predicted and a gold span are one if they share half of the tokens of both together.
        touching: They are one if they share any token.
        n: Codes of notes.
        n_not_explained: Those with gold evidence that have no prediction.
    """

    tokens: Prf
    token_f1: float
    spans: Prf
    touching: Prf
    n: int
    n_not_explained: int

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        return {
            "n": self.n,
            "n_not_explained": self.n_not_explained,
            "tokens": self.tokens.to_dict() | {"mean_f1": self.token_f1},
            "spans": self.spans.to_dict(),
            "touching": self.touching.to_dict(),
        }


def score_plausibility(
    gold: Iterable[Note],
    predicted: Iterable[Note],
    tokenize: Callable[[str], Sequence[tuple[int, int]]],
    *,
    label: str = "EVIDENCE",
) -> Plausibility:
    """Score evidence against gold evidence, notes paired by id and codes by their names.

    Codes without gold evidence count nowhere; a code that was predicted without evidence counts as
    found by no token.

    Args:
        tokenize: Gives the tokens of a text; a token belongs to a span that shares a character with it.
        label: Of predicted spans, those that support the code.

    Raises:
        DataError: A note is missing, extra or there twice, or the texts differ.
    """
    tokens, spans, touching = Prf(), Prf(), Prf()
    each_f1: list[float] = []
    n_missed = 0
    for note, other in pair_notes(gold, predicted):
        wanted = {code: held for code, held in _evidence(note.diagnoses).items() if held}
        if not wanted:
            continue
        found = _evidence(other.diagnoses, label)
        offsets = tokenize(note.text)
        for code, marked in wanted.items():
            if code not in found:
                n_missed += 1
                continue
            ours = [_tokens(span, offsets) for span in found[code]]
            theirs = [_tokens(span, offsets) for span in marked]
            counted = _count(set().union(*theirs), set().union(*ours))
            tokens, each_f1 = tokens + counted, [*each_f1, counted.f1]
            spans += _pair(theirs, ours, _SAME)
            touching += _pair(theirs, ours, 0.0)
    return Plausibility(tokens, mean(each_f1), spans, touching, len(each_f1), n_missed)


def _evidence(diagnoses: Sequence[Diagnosis] | None, label: str | None = None) -> dict[str, list[Span]]:
    """The evidence of each code, that of a code given twice together."""
    found: dict[str, list[Span]] = {}
    for each in diagnoses or ():
        spans = [span for span in each.evidence if label in (None, span.label)]
        found.setdefault(each.code, []).extend(span for span in spans if span not in found[each.code])
    return found


def _tokens(span: Span, offsets: Sequence[tuple[int, int]]) -> set[int]:
    return {at for at, (start, end) in enumerate(offsets) if start < span.end and span.start < end}


def _count(gold: set[int], found: set[int]) -> Prf:
    return Prf(len(gold), len(found), len(gold & found))


def _pair(gold: Sequence[set[int]], found: Sequence[set[int]], least: float) -> Prf:
    """Pair spans that share more than nothing and at least so much, the most alike first, each once."""
    alike = [
        (len(a & b) / len(a | b), i, j)
        for i, a in enumerate(gold)
        for j, b in enumerate(found)
        if a & b and len(a & b) / len(a | b) >= least
    ]
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, i, j in sorted(alike, key=lambda pair: (-pair[0], pair[1:])):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
    return Prf(len(gold), len(found), len(taken[0]))
