"""Finds the identifiers that a record already tells: its patient's name, birth date, numbers, address, doctors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.detect import Detector
from clinlp.deid.known import dates, fuzzy, names, names_zh, numbers, places, readings
from clinlp.deid.known.columns import absent, column_value, guess_label, parse_known, values, whole_names
from clinlp.deid.known.page import HIDDEN, Form, Hit, Page, automaton_of, fold, is_han, search, squeeze
from clinlp.note import Note
from clinlp.spans import Span

__all__ = ["absent", "guess_label", "known_detector", "parse_known"]

_NUMBERS = frozenset(
    (PhiLabel.PHONE, PhiLabel.FAX, PhiLabel.SSN, PhiLabel.ID_CARD, PhiLabel.MRN, PhiLabel.HEALTH_PLAN, PhiLabel.ACCOUNT)
) | {PhiLabel.LICENSE, PhiLabel.VEHICLE, PhiLabel.DEVICE, PhiLabel.BIOMETRIC, PhiLabel.BED, PhiLabel.ID}


_LONGEST: Final = 8
"""The most words of a name: a column that holds more holds prose, whose words are no names."""


def known_detector(columns: Mapping[str, PhiLabel]) -> Detector:
    """Give a detector that finds every trace of the values in the named columns of each note's own record.

    Exact values score 1.0; parts, initials, nicknames and misspellings less. Nothing of a record is
    kept from one note to the next.

    Args:
        columns: Column of `Note.fields` -> label; `patient_id` and `note_id` are the note's own.
    """
    return partial(_find, columns=dict(columns))


def _find(notes: Sequence[Note], *, columns: Mapping[str, PhiLabel]) -> list[list[Span]]:
    answers, record, known = [], None, _Known({})
    for note in notes:
        own = {column: list(values(column_value(note, column), label)) for column, label in columns.items()}
        if own != record:  # the notes of one patient often follow each other
            record, known = own, _Known({(column, label): own[column] for column, label in columns.items()})
        answers.append(known.spans(note.text))
    return answers


def _outer(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Leave out hits that lie within one of the same label and no lower score."""
    reach: dict[str, tuple[int, float]] = {}
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, -hit.score)):
        end, score = reach.get(hit.label, (0, 0.0))
        if hit.end > end or hit.score > score:
            reach[hit.label] = hit.end, hit.score
            yield hit


def _span(page: Page, hit: Hit) -> Span:
    """Make a span of a hit; marks without a look of their own at its end belong to it."""
    end = hit.end
    while end < len(page.flat) and page.flat[end] == HIDDEN:
        end += 1
    return Span(hit.start, end, hit.label, round(min(hit.score, 1.0), 3))


class _Known:
    """The forms of one record's values, and what is kept beside them to find what is not written out."""

    def __init__(self, record: Mapping[tuple[str, PhiLabel], Sequence[str | date]]) -> None:
        self.forms: list[Form] = []
        self.names: list[tuple[names.Name, str]] = []
        self.spelled: list[tuple[names.Name, str]] = []
        """Chinese names in Latin letters, a syllable a part: 王建国 as W. J. G."""
        self.surnames: dict[str, str] = {}
        self.outlines: set[str] = set()
        self.numbers: dict[str, str] = {}
        for (_, label), several in record.items():
            for value in several:
                self.add(value, label)
        for name in whole_names({column: several for (column, label), several in record.items() if label == "NAME"}):
            self.add(name, PhiLabel.NAME)
        self.automaton = automaton_of(self.forms)

    def spans(self, text: str) -> list[Span]:
        """Find everything in a text."""
        if self.automaton is None or not text:
            return []
        page = Page(text)
        return [_span(page, hit) for hit in _outer(self.find(page))]

    def add(self, value: str | date, label: PhiLabel) -> None:
        """Write one value in all its forms."""
        if label is PhiLabel.NAME:
            self.add_name(str(value))
        elif label is PhiLabel.DATE or isinstance(value, date):
            self.add_date(value, label)
        elif label is PhiLabel.AGE:
            self.forms += dates.age_forms(value, label.value)
        elif label is PhiLabel.LOCATION:
            self.forms += places.forms(value, label.value)
        elif label in _NUMBERS:
            self.forms += numbers.number_forms(value, label.value)
            self.numbers[squeeze(value)] = label.value
        else:
            self.forms += numbers.literal_forms(value, label.value)

    def add_name(self, value: str) -> None:
        """Write a name; its Chinese and its Latin side each in their own way: 张伟 (Zhang Wei)."""
        label = PhiLabel.NAME.value
        chinese, latin = names_zh.sides(fold(value).replace(HIDDEN, ""), value)
        for name in map(names_zh.clean, chinese):
            self.outlines.add(name[:1] + name[-1:])
        for name in chinese:
            self.forms += names_zh.forms(name, label)
            taken = names_zh.parse(names_zh.clean(name))
            self.surnames[taken.surname] = label
            for whole, apart in readings.latin(taken.surname, taken.given):
                self.forms += [*names.forms(whole, label), *names.whole_forms(apart, label)]
                self.names.append((whole, label))
                self.spelled.append((apart, label))
        parsed = names.parse(latin)
        if parsed is not None and len(parsed.tokens) > _LONGEST:
            self.forms += numbers.literal_forms(latin, label)
        elif parsed is not None:
            self.forms += names.forms(parsed, label)
            self.names.append((parsed, label))

    def add_date(self, value: str | date, label: PhiLabel) -> None:
        """Write a date; what is no date stands as it is."""
        days = dates.read(value)
        for day in days:
            self.forms += dates.forms(day, label.value)
        if not days:
            self.forms += numbers.literal_forms(str(value), label.value)

    def find(self, page: Page) -> Iterator[Hit]:
        """Find everything on the page."""
        hits = places.beside(page, list(search(page, self.automaton)))
        yield from hits
        yield from numbers.masked(page, self.numbers)
        yield from names_zh.masked(page, self.surnames, self.outlines)
        if self.names:
            yield from self.find_names(page, [hit for hit in hits if hit.label == PhiLabel.NAME.value])

    def find_names(self, page: Page, hits: list[Hit]) -> Iterator[Hit]:
        """Find misspelt names, initials, and what stands between parts."""
        parts = {part: label for name, label in self.names for part in names.parts(name)}
        found = [*fuzzy.misspelt(page, parts)]
        found += fuzzy.beside(page, [*hits, *found], self.names)
        yield from found
        yield from fuzzy.initials(page, [*self.names, *self.spelled], _whole(page, hits))
        yield from fuzzy.bridges(page, [*hits, *found])


def _whole(page: Page, hits: Iterable[Hit]) -> list[Hit]:
    """The hits that are as good as the whole name: of high score, and long or Chinese."""
    least = {hit: 2 if is_han(page.flat[hit.start]) else 6 for hit in hits if hit.score >= 0.9}
    return [hit for hit, size in least.items() if hit.end - hit.start >= size]
