"""Erase evidence from notes, read what is left, and say what that does to the probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clinlp.inference.attribution import Explainer
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.metrics.faithfulness import SHARES, Erasure, Faithfulness, first_tokens, score_faithfulness
from clinlp.note import Note

Ranks = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trial:
    """How faithful evidence is, beside random tokens of the same notes.

    Attributes:
        evidence: Of the method.
        floor: Of tokens in random order.
        n_short: Notes of fewer than two tokens, from which nothing can be erased, and which count nowhere.
    """

    evidence: Faithfulness
    floor: Faithfulness
    n_short: int


def measure_faithfulness(
    predictor: DiagnosisPredictor,
    explainer: Explainer,
    notes: Sequence[Note],
    *,
    top: int = 1,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> Trial:
    """Erase from each note the tokens that its most probable codes rest on, and as many at random.

    A token is erased from the text itself, which is then read anew: nothing of the model is touched, and
    what a word did to the reading of its neighbours goes with it.

    Args:
        predictor: The model that reads what is left; that of the explainer, or another.
        top: How many codes of each note are asked about.
    """
    whole = _all_codes(predictor, notes)
    generator = np.random.default_rng(seed)
    found: list[Erasure] = []
    drawn: list[Erasure] = []
    n_short = 0
    for note, scores in zip(notes, whole, strict=True):
        codes = list(scores)[:top]
        made = explainer.explain(note.text, codes, note.fields) if codes else []
        if not made or len(made[0].offsets) < 2:
            n_short += 1
            continue
        n_tokens = len(made[0].offsets)
        ranks = [np.argsort(-each.scores, kind="stable") for each in made]
        ranks.append(generator.permutation(n_tokens))
        counts = first_tokens(n_tokens, shares)
        rest = _all_codes(predictor, _erased(note, made[0].offsets, ranks, counts))
        step = 2 * len(counts)
        for at, code in enumerate(codes):
            for first, into in ((at * step, found), (len(codes) * step, drawn)):
                read = [each.get(code, 0.0) for each in rest[first : first + step]]
                into.append(Erasure(scores[code], tuple(read[: len(counts)]), tuple(read[len(counts) :])))
    return Trial(score_faithfulness(found, shares), score_faithfulness(drawn, shares), n_short)


def erase(text: str, offsets: NDArray[np.int32], gone: Sequence[int] | Ranks) -> str:
    """Take tokens out of a text; those around never grow together into one.

    >>> erase("BP 120/80, no fever", np.array([[0, 2], [3, 9], [9, 10], [11, 13], [14, 19]]), [1, 3])
    'BP , fever'
    """
    parts, at = [], 0
    for start, end in sorted(offsets[np.asarray(gone, np.int64)].tolist()):
        parts.append(text[at:start])
        at = end
        if text[at : at + 1].isspace() and (not text[:start] or text[start - 1].isspace()):
            at += 1  # one of the two spaces around it goes too
        elif _latin(text[start - 1 : start]) and _latin(text[end : end + 1]):
            parts.append(" ")
    return "".join([*parts, text[at:]])


def _latin(character: str) -> bool:
    """Whether a character can be one of several in a token."""
    return bool(character) and not character.isspace() and character < "\u2e80"


def _erased(note: Note, offsets: NDArray[np.int32], ranks: Sequence[Ranks], counts: Sequence[int]) -> list[Note]:
    """For each order of tokens: the notes without the first ones, then those of the first ones alone."""
    made = []
    for order in ranks:
        kinds = [order[:count] for count in counts] + [order[count:] for count in counts]
        made += [erase(note.text, offsets, gone) for gone in kinds]
    return [
        replace(note, note_id=f"{at}", text=text, entities=(), phi=(), sections=(), diagnoses=None)
        for at, text in enumerate(made)
    ]


def _all_codes(predictor: DiagnosisPredictor, notes: Sequence[Note]) -> list[dict[str, float]]:
    """Give the probability of every code in each note, the most probable first."""
    before = predictor.top, predictor.evidence
    predictor.top, predictor.evidence = len(predictor.codes), False
    try:
        read = predictor(notes)
    finally:
        predictor.top, predictor.evidence = before
    return [{each.code: each.score or 0.0 for each in note.diagnoses or ()} for note in read]
