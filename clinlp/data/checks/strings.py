"""The same words labelled in one way here, in another or not at all there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clinlp.data.checks.findings import Place, StringUse
from clinlp.spans import Span
from clinlp.text.matcher import Matcher


class Totals(NamedTuple):
    """Sums over all strings."""

    n_minority: int  # spans whose words mostly have another label
    n_labelled: int
    n_missing: int  # places without a span whose words mostly are one
    n_unusual: int  # spans whose words mostly are none


class _Label:
    """Uses of one label for one string, and the first of them."""

    __slots__ = ("n", "note", "span")

    def __init__(self, note: int, span: Span) -> None:
        self.n, self.note, self.span = 0, note, span


class Strings:
    """Every string that is a span somewhere, with its labels; grows with the number of distinct strings.

    Strings are compared in small letters, with one space for white space. Notes are held by number.
    """

    def __init__(self) -> None:
        self._labels: dict[str, dict[str, _Label]] = {}
        self._keys: dict[str, int] = {}  # string -> its number, once all notes were added
        self._unlabelled: list[int] = []
        self._first: dict[int, tuple[int, int, int]] = {}  # string -> note, start, end
        self._matcher: Matcher[int] | None = None

    def add(self, note: int, text: str, spans: Sequence[Span]) -> None:
        """Count the labels of a note's strings."""
        for span in spans:
            key = " ".join(text[span.start : span.end].lower().split())
            if not key:
                continue
            uses = self._labels.setdefault(key, {})
            use = uses.get(span.label)
            if use is None:
                use = uses[span.label] = _Label(note, span)
            use.n += 1

    def look(self, note: int, text: str, spans: Sequence[Span]) -> None:
        """Count the strings in a note where no span touches them; once all notes were added."""
        if self._matcher is None:
            self._keys = {key: number for number, key in enumerate(self._labels)}
            self._unlabelled = [0] * len(self._keys)
            self._matcher = Matcher(self._keys.items())
        at, reach = 0, 0
        for start, end, string in self._matcher.find(text):
            while at < len(spans) and spans[at].start < end:
                reach = max(reach, spans[at].end)
                at += 1
            # Spans begin in order, so one that reaches past `start` and begins before `end` touches the match.
            if reach <= start:
                self._unlabelled[string] += 1
                self._first.setdefault(string, (note, start, end))

    def totals(self) -> Totals:
        """Add up."""
        n_minority = n_labelled = n_missing = n_unusual = 0
        for key, uses in self._labels.items():
            counts = [use.n for use in uses.values()]
            labelled, unlabelled = sum(counts), self._n_unlabelled(key)
            n_labelled += labelled
            n_minority += labelled - max(counts)
            if labelled >= unlabelled:
                n_missing += unlabelled
            else:
                n_unusual += labelled
        return Totals(n_minority, n_labelled, n_missing, n_unusual)

    def differing(self, ids: Sequence[str], most: int, *, show_text: bool) -> tuple[StringUse, ...]:
        """The strings with several labels, those first that most often have another than their usual one."""
        found = []
        for key, uses in self._labels.items():
            if len(uses) > 1:
                counts = [use.n for use in uses.values()]
                found.append((sum(counts) - max(counts), sum(counts), key, uses))
        found.sort(key=lambda item: (-item[0], -item[1]))
        return tuple(self._use(key, uses, ids, show_text=show_text) for _, _, key, uses in found[:most])

    def partly(self, ids: Sequence[str], most: int, *, show_text: bool) -> tuple[StringUse, ...]:
        """The strings that are most often labelled and most often not, by the lesser of the two."""
        found = []
        for key, uses in self._labels.items():
            if n := self._n_unlabelled(key):
                found.append((min(n, sum(use.n for use in uses.values())), n, key))
        found.sort(key=lambda item: (-item[0], -item[1]))
        return tuple(self._use(key, self._labels[key], ids, show_text=show_text) for _, _, key in found[:most])

    def _use(self, key: str, uses: Mapping[str, _Label], ids: Sequence[str], *, show_text: bool) -> StringUse:
        ranked = sorted(uses.items(), key=lambda item: -item[1].n)
        places = [Place(ids[use.note], use.span.start, use.span.end, label) for label, use in ranked]
        n_unlabelled = self._n_unlabelled(key)
        if n_unlabelled:
            note, start, end = self._first[self._keys[key]]
            places.append(Place(ids[note], start, end))
        counts = {label: use.n for label, use in ranked}
        return StringUse(counts, n_unlabelled, tuple(places), key if show_text else None)

    def _n_unlabelled(self, key: str) -> int:
        return self._unlabelled[self._keys[key]] if self._keys else 0
