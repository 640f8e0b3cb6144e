"""Runs detectors over notes and joins what they found into disjoint PHI spans."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from clinlp.deid.categories import SPECIFICITY, PhiLabel
from clinlp.deid.edges import age_behind, completed, trimmed
from clinlp.deid.sweep import occurrences, phi_strings
from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Span, in_order
from clinlp.text.language import detect_language

Detector = Callable[[Sequence[Note]], Sequence[Sequence[Span]]]
"""Whole notes in, PHI spans of each note's text out, one sequence a note, in the notes' order."""

_RANK = {label.value: rank for rank, label in enumerate(SPECIFICITY)}
_UNKNOWN = len(_RANK)
THRESHOLD: Final = 0.5
"""The least score of a found span where no threshold of its label is given."""

_SAME = 1.0  # a span without a score was given by somebody, and is certain

_OF = r" (?:of(?: the)?|on the|de(?: la| los)?|del|du|di|da|am|&) |-(?:on|of|upon)-(?:the-)?| (?:Of|OF|DE) "

# What may stand between two spans of one label that are one thing: "John" + " " + "Smith".
_GLUE = {
    PhiLabel.NAME.value: re.compile(
        r"[ \t]{1,2}|, |\n|[·•.-]| (?:[sd]/o|bin(?:ti|te)?|bte?) |(?:(?<=\b[A-Z])|(?<=\bSt))\. "
    ),
    PhiLabel.LOCATION.value: re.compile(r"[ \t]{1,2}|,? ?\n ?|, ?|[-（(]"),
    PhiLabel.DATE.value: re.compile(r"[ \t]|, "),
    PhiLabel.HOSPITAL.value: re.compile(rf"[ \t]{{1,2}}|, |{_OF}"),
    PhiLabel.ORG.value: re.compile(rf" |, |{_OF}"),
    PhiLabel.BED.value: re.compile(" "),
}
_NAMED_PLACES: Final = frozenset((PhiLabel.LOCATION, PhiLabel.HOSPITAL, PhiLabel.ORG, PhiLabel.HEALTH_PLAN))
_BETWEEN = re.compile(rf" |, |{_OF}")
"""Between parts of one place that were found as places of two kinds: University of + St Andrews."""
_REACH: Final = 8  # characters of the longest such gap
_AROUND: Final = frozenset((PhiLabel.EMAIL, PhiLabel.URL))
"""Kinds that hold the names of people, and stay what they are however sure such a name is."""


def default_detectors(*, all_ages: bool = False) -> tuple[Detector, ...]:
    """Give the rules for both languages: patterns (numbers, dates, addresses) and gazetteers (names, places).

    Each note is read by `note.lang`, or by its script where the record does not say.

    Args:
        all_ages: Find every age, not only those over 89 that Safe Harbor names.
    """
    return partial(_find_patterns, all_ages=all_ages), _find_listed


def find_phi(
    notes: Sequence[Note], detectors: Sequence[Detector], thresholds: Mapping[str, float] | None = None
) -> list[Note]:
    """Give the notes with `phi` set to everything the detectors found and everything given, disjoint.

    A string of four characters or more that is PHI at one place is PHI wherever it stands in the note.

    Args:
        thresholds: The least score that a found span of a label needs; `THRESHOLD` where none is said.

    Raises:
        DataError: A detector gave no answer for a note, or a span that ends after the text.
    """
    found: list[list[Span]] = [list(note.phi) for note in notes]
    for detector in detectors:
        answers = detector(notes)
        if len(answers) != len(notes):
            raise DataError(f"detector needs to answer for {len(notes)} notes, got {len(answers)} answers")
        for note, spans, answer in zip(notes, found, answers, strict=True):
            sure = [completed(trimmed(span, note.text), note.text) for span in _sure(answer, thresholds or {})]
            sure += [age for span in sure if span.label == PhiLabel.NAME and (age := age_behind(span, note.text))]
            spans.extend(_beside_tags(note.text, sure))
    return [_everywhere(replace(note, phi=resolve(spans, note.text))) for note, spans in zip(notes, found, strict=True)]


def _sure(spans: Iterable[Span], thresholds: Mapping[str, float]) -> list[Span]:
    """Leave out what is too improbable."""
    return [span for span in spans if span.score is None or span.score >= thresholds.get(span.label, THRESHOLD)]


def _everywhere(note: Note) -> Note:
    """Add the other places at which the strings of a note's PHI stand."""
    starts = [span.start for span in note.phi]
    more = []
    for words, label in phi_strings(note).items():
        for at in occurrences(words, note.text):
            before = bisect_right(starts, at) - 1
            if before < 0 or note.phi[before].end < at + len(words):
                more.append(Span(at, at + len(words), label, THRESHOLD))
    return replace(note, phi=resolve((*note.phi, *more), note.text)) if more else note


@lru_cache(maxsize=1)
def _tag() -> re.Pattern[str]:
    return re.compile(rf"\[(?:{'|'.join(PhiLabel)})(?:-[0-9]+)?\]")


def _beside_tags(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Cut `[NAME]` and `[NAME-1]` out of spans: what is replaced already is not found again."""
    tags = [match.span() for match in _tag().finditer(text)] if "[" in text else []
    for span in spans:
        at = span.start
        for start, end in tags[max(0, bisect_left(tags, (at, at)) - 1) :]:
            if start >= span.end:
                break
            if end > at:
                if start > at:
                    yield replace(span, start=at, end=start)
                at = end
        if at < span.end:
            yield span if at == span.start else replace(span, start=at)


def resolve(spans: Iterable[Span], text: str = "") -> tuple[Span, ...]:
    """Join spans that share a character, then neighbours of one label that are parts of one thing.

    Every character of every span stays covered: the safe side. The label is that of the span with
    the highest score; of equals, the narrower kind (`SPECIFICITY`), then the longer, then the earlier. An address
    of mail or a page speaks for the names within it.

    Args:
        text: Their text; without it only overlaps are joined, not the parts of a name.
    """
    joined: list[Span] = []
    for span in in_order(spans):
        if joined and span.start < joined[-1].end:
            joined[-1] = _join(joined[-1], span)
        else:
            joined.append(span if span.context is None else replace(span, context=None))
    if not text:
        return tuple(joined)
    merged: list[Span] = []
    for span in joined:
        if merged and _is_one(merged[-1], span, text):
            merged[-1] = replace(merged[-1], end=span.end, score=_higher(merged[-1], span))
        else:
            merged.append(span)
    return tuple(merged)


def _join(first: Span, second: Span) -> Span:
    whole = first if first.start <= second.start and second.end <= first.end else second
    is_around = whole.label in _AROUND and whole.start <= first.start and first.end <= whole.end
    best = whole if is_around else min(first, second, key=_priority)
    return Span(first.start, max(first.end, second.end), best.label, best.score)


def _priority(span: Span) -> tuple[float, int, int, int]:
    score = _SAME if span.score is None else span.score
    return -score, _RANK.get(span.label, _UNKNOWN), -len(span), span.start


def _higher(first: Span, second: Span) -> float | None:
    if first.score is None or second.score is None:
        return None
    return max(first.score, second.score)


def _is_one(first: Span, second: Span, text: str) -> bool:
    if first.label != second.label:
        if first.label not in _NAMED_PLACES or second.label not in _NAMED_PLACES:
            return False
        glue: re.Pattern[str] | None = _BETWEEN
    elif first.end == second.start:
        return True
    else:
        glue = _GLUE.get(first.label)
    gap = second.start - first.end
    return glue is not None and 0 < gap <= _REACH and bool(glue.fullmatch(text, first.end, second.start))


def _find_patterns(notes: Sequence[Note], *, all_ages: bool) -> list[list[Span]]:
    from clinlp.deid import patterns
    from clinlp.deid.en import patterns as patterns_en
    from clinlp.deid.zh import patterns as patterns_zh

    answers = []
    for note in notes:
        text = patterns.narrow(note.text)
        spans = patterns.find_common(text)
        is_zh, has_other = _scripts(note)
        if is_zh or has_other:
            spans += patterns_zh.find(text, all_ages=all_ages)
        if not is_zh or has_other:
            spans += patterns_en.find(text, all_ages=all_ages)
        answers.append(spans)
    return answers


def _find_listed(notes: Sequence[Note]) -> list[list[Span]]:
    from clinlp.deid.en import names as names_en
    from clinlp.deid.en import places as places_en
    from clinlp.deid.en.around import is_standing
    from clinlp.deid.zh import names as names_zh
    from clinlp.deid.zh import places as places_zh

    answers = []
    for note in notes:
        is_zh, has_other = _scripts(note)
        spans: list[Span] = []
        if is_zh or has_other:
            spans += names_zh.find(note.text)
            spans += places_zh.find(note.text)
        if not is_zh or has_other:
            found = [*names_en.find(note.text), *places_en.find(note.text)]
            spans += [span for span in found if not is_standing(note.text, span)]
        answers.append(spans)
    return answers


@lru_cache(maxsize=1)
def _mixed() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(r"[\u4e00-\u9fff]{2}"), re.compile(r"[A-Z][a-z]{2,} [A-Za-z]{2,}")


def _scripts(note: Note) -> tuple[bool, bool]:
    """Say whether the note is Chinese, and whether it has words of the other language too."""
    is_zh = (note.lang or detect_language(note.text)) == "zh"
    if not is_zh and note.text.isascii():
        return False, False
    han, latin = _mixed()
    return is_zh, bool((latin if is_zh else han).search(note.text))
