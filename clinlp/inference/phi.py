"""A trained tagger as a detector of protected health information."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clinlp.deid.detect import THRESHOLD, Detector
from clinlp.deid.en.around import is_other
from clinlp.deid.stays import is_duration, is_nationwide, stays
from clinlp.inference.device import autocast
from clinlp.inference.windows import TaggerRunner
from clinlp.note import Lang, Note
from clinlp.spans import Span
from clinlp.tagging.scheme import Offsets
from clinlp.text.language import detect_language

NEARLY: Final = 0.999  # of a threshold: a label that is left to the rules never reaches it
SURE: Final = 0.5  # from here on a name may be a word of the dictionary (Serenity)
LEVELS: Final = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Probabilities at which spans are read off; a threshold between two acts like the higher one."""


class PhiTagger(TaggerRunner):
    """Gives the PHI of notes as candidates at every level of probability: a detector for `find_phi`.

    The candidates of a note nest: those with a score of at least t cover exactly the pieces that are
    PHI with a probability of the level at or above t, but for words that are known to identify nobody
    (`clinlp.deid.stays`). Lowering a threshold so can only remove more, which is what makes thresholds
    chosen by conformal risk control hold. Scores are stretched by the
    model's own thresholds: what it needs to be sure of a label comes to lie at `THRESHOLD`.
    """

    task = "phi"

    @torch.inference_mode()
    def __call__(self, notes: Sequence[Note]) -> list[list[Span]]:
        """Give the candidates of every note, in order."""
        found: list[list[Span]] = [[] for _ in notes]
        for at, pieces, (best, probable) in self.run([note.text for note in notes], self._predict):
            spans = candidates(best, probable, pieces.offsets, self.labels)
            text = notes[at].text
            found[at] = [
                Span(span.start, span.end, span.label, self._scaled(span), span.context)
                for span in spans
                if not stays(text[span.start : span.end], span.label, is_sure=(span.score or 0.0) >= SURE)
                and not is_other(text, span)
                and not is_nationwide(text, span)
                and not is_duration(text, span)
            ]
        return found

    def doubts(self, lang: Lang) -> Mapping[str, float]:
        """The highest score of each label at which a guess of the rules is nothing without a candidate."""
        return self.tagger.config.doubts.get(lang, {})

    def _scaled(self, span: Span) -> float:
        """Stretch a probability so that the label's own threshold comes to lie where that of all is."""
        score, even = span.score or 0.0, self.tagger.config.thresholds.get(span.label, THRESHOLD)
        if score < even or even >= 1:
            return min(score / even, NEARLY) * THRESHOLD
        return THRESHOLD + (1 - THRESHOLD) * (score - even) / (1 - even)

    def _predict(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest label of every piece, and the probability that it is PHI of any label."""
        with autocast(self.device, self.precision, self.tagger.config.encoder.kind):
            labels = self.tagger.label_probabilities(pieces.to(self.device), mask.to(self.device)).float()
        return labels.argmax(2), labels.sum(2)


def beside(rules: Sequence[Detector], tagger_of: Callable[[Lang], PhiTagger]) -> Detector:
    """Rules and taggers as one detector, in which a tagger may doubt what the rules guessed.

    A guess is a span of Latin letters with a score that the model's config names for its label and the note's
    language (`doubts`). It is left out where the tagger has no candidate in it, not even the least probable.

    Args:
        tagger_of: The tagger for notes of a language.
    """

    def find(notes: Sequence[Note]) -> list[list[Span]]:
        answers = [rule(notes) for rule in rules]
        found = [[span for spans in answer for span in spans] for answer in zip(*answers, strict=True)]
        langs = [note.lang or detect_language(note.text) for note in notes]
        for lang in sorted(set(langs)):
            tagger = tagger_of(lang)
            places = [at for at, its in enumerate(langs) if its == lang]
            for at, spans in zip(places, tagger([notes[at] for at in places]), strict=True):
                found[at] = _agreed(found[at], spans, notes[at].text, tagger.doubts(lang)) + spans
        return found

    return find


def _agreed(spans: Sequence[Span], seen: Sequence[Span], text: str, doubts: Mapping[str, float]) -> list[Span]:
    """Leave out the guesses in which there is no candidate, but for words that a surer span of the label has too."""
    kept: list[Span] = []
    guesses: list[Span] = []
    for span in spans:
        is_guess = span.score is not None and span.score <= doubts.get(span.label, 0.0)
        (guesses if is_guess and not _wide().search(text, span.start, span.end) else kept).append(span)
    for guess in guesses:
        if any(span.start < guess.end and guess.start < span.end for span in seen):
            kept.append(guess)
            continue
        words = text[guess.start : guess.end].lower()
        if any(span.label == guess.label and words in text[span.start : span.end].lower() for span in kept):
            kept.append(guess)
    return kept


@cache
def _wide() -> re.Pattern[str]:
    return re.compile("[\u2e80-\uffef]")


def candidates(
    best: NDArray[np.int64], probable: NDArray[np.float32], offsets: Offsets, labels: Sequence[str]
) -> list[Span]:
    """Read spans off at every level: runs of pieces of one label that are at least so probable.

    Args:
        best: `(piece,)`, the likeliest label of each.
        probable: `(piece,)`, how probable it is that the piece is PHI.
        offsets: `(piece, 2)`, characters.

    Returns:
        Each run once, with the highest level at which it is one as its score.
    """
    spans: dict[tuple[int, int], Span] = {}
    for level in LEVELS:
        inside = np.flatnonzero(probable >= level)
        if not len(inside):
            continue
        breaks = np.flatnonzero((np.diff(inside) > 1) | (np.diff(best[inside]) != 0)) + 1
        firsts, lasts = inside[np.r_[0, breaks]], inside[np.r_[breaks - 1, -1]]
        starts, ends, names = offsets[firsts, 0].tolist(), offsets[lasts, 1].tolist(), best[firsts].tolist()
        for start, end, name in zip(starts, ends, names, strict=True):
            if (start, end) not in spans:
                spans[start, end] = Span(start, end, labels[name], level)
    return list(spans.values())
