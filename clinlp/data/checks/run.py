"""One check: the parts of the data read twice, each time as a stream."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Final

from clinlp.data.checks.alike import Alike
from clinlp.data.checks.config import CheckConfig
from clinlp.data.checks.findings import Findings, LabelUse, Lengths, Pair, Part, Place, Tally
from clinlp.data.checks.near import normal
from clinlp.data.checks.spans import Cut, Cutter, arrangement, edges, fit, read_cutter
from clinlp.data.checks.strings import Strings
from clinlp.errors import DataError, Failure
from clinlp.note import Note
from clinlp.records import read_records
from clinlp.spans import Span

Tell = Callable[[str, int], None]
"""Is told what is being done and how many notes have been read for it."""

_EMPTY: Final = re.compile(r"span needs 0 <= start < end, got \[(\d+), \1\)")
_TOLD: Final = 500  # notes between two news


def check(parts: Mapping[str, Path], config: CheckConfig | None = None, *, tell: Tell | None = None) -> Findings:
    """Look for all that is wrong with annotated notes.

    The files are read as streams, two times (more if very many notes are alike); kept are, of each
    note, its id, lengths and a signature of its text (about 700 bytes in all), and the distinct
    strings that are spans.

    Args:
        parts: Name and file of each part; the first is what a model is trained on.

    Raises:
        DataError: A file is broken as a whole, or no record of it can be read.
        UsageError: A file or the encoder is not there.
    """
    return _Check(dict(parts), config or CheckConfig(), tell).run()


class _PartSoFar:
    """What is kept of a part while it is read."""

    def __init__(self) -> None:
        self.n_records = self.n_spans = self.n_other_spans = self.n_without_spans = 0
        self.n_windowed = self.n_unknown_pieces = self.n_annotated = self.n_with_codes = 0
        self.characters, self.pieces = array("q"), array("q")
        self.label_spans: Counter[str] = Counter()
        self.label_notes: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.without_codes: list[str] = []

    def done(self) -> Part:
        """Sum up."""
        return Part(
            n_records=self.n_records,
            n_notes=len(self.characters),
            n_spans=self.n_spans,
            n_without_spans=self.n_without_spans,
            n_other_spans=self.n_other_spans,
            n_windowed=self.n_windowed,
            n_unknown_pieces=self.n_unknown_pieces,
            n_annotated=self.n_annotated,
            n_with_codes=self.n_with_codes,
            labels={label: LabelUse(n, self.label_notes[label]) for label, n in self.label_spans.most_common()},
            codes=dict(self.codes.most_common()),
            characters=Lengths.of(self.characters),
            pieces=Lengths.of(self.pieces),
        )


class _Check:
    """The work of one check."""

    def __init__(self, paths: Mapping[str, Path], config: CheckConfig, tell: Tell | None) -> None:
        self._paths, self._config, self._tell = paths, config, tell
        self._cutter: Cutter = read_cutter(config.encoder, config.max_pieces)
        self._tally = Tally(config.examples)
        self._strings = Strings()
        self._alike = Alike(tuple(paths), config.similarity)
        self._parts = {name: _PartSoFar() for name in paths}
        self._ids: list[str] = []

    def run(self) -> Findings:
        """Read, look again, compare, and sum up."""
        for name in self._paths:
            for note in self._read(name):
                self._add(name, note)
        self._alike.prepare()
        while True:  # once, unless the notes to compare fill more memory than they may
            first = self._alike.n_rounds == 0
            for number, note in enumerate(self._read_again()):
                if first:
                    self._strings.look(number, note.text, self._spans(note))
                self._alike.look(number, note.text)
            if self._alike.compared():
                break
        done = {name: part.done() for name, part in self._parts.items()}
        self._compare_labels_and_codes(done)
        pairs = self._alike.report(self._tally, self._ids, self._config.examples)
        return self._findings(done, pairs)

    def _findings(self, done: Mapping[str, Part], pairs: tuple[Pair, ...]) -> Findings:
        totals = self._strings.totals()
        self._tally.count("differing_labels", "all", n=totals.n_minority)
        self._tally.count("missing_span", "all", n=totals.n_missing)
        self._tally.count("unusual_span", "all", n=totals.n_unusual)
        sizes: dict[tuple[str, str], int] = {("spans", "all"): totals.n_labelled}
        for name, part in done.items():
            sizes |= {
                ("records", name): part.n_records,
                ("notes", name): part.n_notes,
                ("spans", name): part.n_spans,
                ("codes", name): sum(part.codes.values()),
                ("labels", name): len(next(iter(done.values())).labels),
                ("patients", name): self._alike.n_patients(name),
            }
        most, show_text = self._config.examples, self._config.show_text
        return Findings(
            done,
            self._tally.findings(sizes),
            self._strings.differing(self._ids, most, show_text=show_text),
            self._strings.partly(self._ids, most, show_text=show_text),
            pairs,
        )

    def _read(self, name: str) -> Iterator[Note]:
        """Read a part for the first time: count what is no note."""
        part, path = self._parts[name], self._paths[name]
        lost: Counter[str] = Counter()
        n_notes, first = 0, ""
        for line, note in read_records(path, self._config, lost=lost):
            part.n_records += 1
            if self._tell is not None and part.n_records % _TOLD == 0:
                self._tell(f"reading {name}", part.n_records)
            if isinstance(note, Failure):
                why = note.reason or note.error
                first = first or f"the first: line {line}: {why}"
                place = Place(note.note_id or f"line {line}", other=f"line {line}: {why}")
                self._tally.count("unreadable", name, place)
                if _EMPTY.search(why):
                    self._tally.count("empty_span", name, place)
                continue
            n_notes += 1
            yield note
        if not n_notes:
            raise DataError(
                f"{path}: notes needed, got none that can be read; {first}" if first else f"{path}: no notes"
            )
        for kind, n in sorted(lost.items()):
            self._tally.count("not_held", name, Place("all", other=f"{n:,} {kind}"), n)

    def _read_again(self) -> Iterator[Note]:
        """Read the notes of all parts once more, in the same order."""
        number = 0
        for name, path in self._paths.items():
            for _, note in read_records(path, self._config):
                if isinstance(note, Failure):
                    continue
                if number >= len(self._ids) or note.note_id != self._ids[number]:
                    raise DataError(f"{path}: the same notes needed each time it is read, got others")
                number += 1
                if self._tell is not None and number % _TOLD == 0:
                    self._tell(f"comparing {name}", number)
                yield note

    def _spans(self, note: Note) -> tuple[Span, ...]:
        return note.entities if self._config.spans == "entities" else note.phi

    def _add(self, name: str, note: Note) -> None:
        """Look at one note by itself and remember what others will be compared with."""
        part, spans = self._parts[name], self._spans(note)
        number = len(self._ids)
        self._ids.append(note.note_id)
        for kind, where, other in self._alike.add(name, note, self._annotation(note, spans)):
            self._tally.count(kind, where, Place(note.note_id, other=self._ids[other]))
        cut = self._cutter.cut(note.text)
        part.characters.append(len(note.text))
        part.pieces.append(len(cut.offsets))
        part.n_windowed += len(cut.offsets) > self._cutter.max_pieces
        part.n_unknown_pieces += int(cut.unknown.sum())
        if not len(cut.offsets):
            self._tally.count("no_words", name, Place(note.note_id))
        part.n_spans += len(spans)
        part.n_without_spans += not spans
        part.n_other_spans += len(note.phi if self._config.spans == "entities" else note.entities)
        labels = Counter(span.label for span in spans)
        part.label_spans.update(labels)
        part.label_notes.update(labels.keys())
        self._strings.add(number, note.text, spans)
        self._look_at_spans(name, note, spans, cut)
        self._look_at_codes(name, note)

    def _annotation(self, note: Note, spans: tuple[Span, ...]) -> Hashable:
        """What the note says of its text: words with labels, and codes."""
        words = tuple((span.label, normal(note.text[span.start : span.end])) for span in spans)
        length = self._config.code_length
        codes = None if note.diagnoses is None else frozenset(each.code[:length] for each in note.diagnoses)
        return words, codes

    def _look_at_spans(self, name: str, note: Note, spans: tuple[Span, ...], cut: Cut) -> None:
        if not spans:
            return
        for found in (arrangement(spans), edges(note.text, spans), fit(spans, cut, self._cutter.max_pieces)):
            for kind, span in found:
                text = note.text[span.start : span.end] if self._config.show_text else None
                self._tally.count(kind, name, Place(note.note_id, span.start, span.end, span.label, text=text))

    def _look_at_codes(self, name: str, note: Note) -> None:
        part = self._parts[name]
        if note.diagnoses is None:
            if len(part.without_codes) < self._config.examples:
                part.without_codes.append(note.note_id)
            return
        part.n_annotated += 1
        part.n_with_codes += bool(note.diagnoses)
        given = Counter(diagnosis.code for diagnosis in note.diagnoses)
        for code, n in given.items():
            if n > 1:
                self._tally.count("repeated_code", name, Place(note.note_id, other=code), n - 1)
            if code != code.strip():
                self._tally.count("code_space", name, Place(note.note_id, other=code), n)
        part.codes.update({code[: self._config.code_length] for code in given})

    def _compare_labels_and_codes(self, done: Mapping[str, Part]) -> None:
        """Hold the other parts against the first, and notes without codes against those that have them."""
        (first, train), *others = done.items()
        for name, part in done.items():
            without = part.n_notes - part.n_annotated
            if any(each.n_annotated for each in done.values()) and without:
                for note_id in self._parts[name].without_codes:
                    self._tally.count("no_codes", name, Place(note_id))
                self._tally.count("no_codes", name, n=without - len(self._parts[name].without_codes))
        for name, part in others:
            where = f"{name}/{first}"
            for label in sorted(part.labels.keys() - train.labels.keys()):
                self._tally.count("unseen_label", where, Place("all", label=label), part.labels[label].n_spans)
            for label in sorted(train.labels.keys() - part.labels.keys()):
                self._tally.count("untested_label", where, Place("all", label=label))
            for code, n in part.codes.items():
                if code not in train.codes:
                    self._tally.count("unseen_code", where, Place("all", other=code), n)
