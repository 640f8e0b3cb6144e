"""The work on one task: a stretch of records through the pipeline into a part.

Knows no other processes, so the same code serves this process, a worker beside it and a cluster.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from clinlp.batch.config import BatchConfig
from clinlp.batch.output import cannot_write, quarantined
from clinlp.batch.sinks import Output, facts_of, open_part
from clinlp.batch.sources import Source
from clinlp.batch.stretches import read_stretch
from clinlp.batch.summary import counts_of
from clinlp.batch.task import Mark, Task
from clinlp.errors import DataError, Failure
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.text.language import detect_language


class Record(NamedTuple):
    """One record with the place that it came from.

    Attributes:
        at: Its number among the records that are read, from 0.
        input: Which of the inputs it is of, from 0.
        n_characters: Of its text as it came, also where the note is not to be touched: that one is left out
            must not move the borders of chunks, for it may be known by its chunk.
    """

    at: int
    source: str
    input: int
    line: int
    note: Note | Failure
    n_characters: int


MOST_NOTES: Final = 10_000
"""Of a patient, whom a model reads at once."""
_WARM: Final[dict[str, str]] = {
    "en": "Seen by Dr. Jane Doe on 03/12/2021. Denies chest pain, takes metformin.",
    "zh": "患者王小明，2021年3月12日入院，否认胸痛，口服二甲双胍。",
}
Say = Callable[[Mark], None]


class Worker:
    """Does tasks with one pipeline, loaded once."""

    def __init__(self, config: BatchConfig) -> None:
        """Load what the config asks for.

        Raises:
            UsageError: A model that it names is none, say.
        """
        self.config = config
        self.pipeline = Pipeline(config)
        self._warm: set[str] = set()

    def warm(self, notes: Sequence[Note]) -> None:
        """Load the word lists and models of the notes' languages: no note's time is to pay for that."""
        for lang in {note.lang or detect_language(note.text) for note in notes} - self._warm:
            self._warm.add(lang)
            spent = dict(self.pipeline.seconds)
            self.pipeline([Note("warm", _WARM[lang], lang=lang)])
            self.pipeline.seconds.clear()
            self.pipeline.seconds.update(spent)
            self.pipeline.deidentifier.sealed.clear()

    def run(self, task: Task, say: Say, text: bytes | None = None) -> dict[str, Any]:
        """Write a task's part and give what is to be known of it, ready for JSON.

        Args:
            say: Told before each chunk, and before each record that is handled alone.
            text: Of a packed source, the bytes of the stretch.

        Raises:
            UsageError: The part cannot be written.
            DataError: The source has changed, or cannot be read.
        """
        began = time.perf_counter()
        job = _Job(self, task, say)
        with open_part(Path(task.path), self.config, job.lost, job.seconds) as output:
            for number, chunk in enumerate(job.chunks(text)):
                job.handle(number, chunk, output)
            job.say()
        return job.facts() | facts_of(Path(task.path)) | {"busy_s": time.perf_counter() - began}


class _Job:
    """One task while it is done."""

    def __init__(self, worker: Worker, task: Task, say: Say) -> None:
        self.pipeline, self.config, self.task, self._say = worker.pipeline, worker.config, task, say
        self._warm = worker.warm
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.lost: Counter[str] = Counter()
        self._failures: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()
        self._before = self._totals()
        self._vault = Path(f"{task.path}.vault")
        with cannot_write(self._vault):
            self._vault.unlink(missing_ok=True)  # of a try whose process was lost: the last entry may be cut off
        self.pipeline.deidentifier.sealed.clear()

    def chunks(self, text: bytes | None) -> Iterator[list[Record]]:
        """Group the task's records by notes and characters."""
        chunk: list[Record] = []
        n_characters = 0
        stream = self._records(text)
        while True:
            began = time.perf_counter()
            record = next(stream, None)
            self.seconds["read"] += time.perf_counter() - began
            if record is None:
                break
            full = len(chunk) >= self.config.chunk_notes or n_characters >= self.config.chunk_characters
            if full and not (self.pipeline.whole_patients and _goes_on(chunk, record)):
                yield chunk
                chunk, n_characters = [], 0
            chunk.append(record)
            n_characters += record.n_characters
        if chunk:
            yield chunk

    def handle(self, number: int, chunk: Sequence[Record], output: Output) -> None:
        """Annotate a chunk, all at once or one record after the other, and write it."""
        began = time.perf_counter()
        self._warm([record.note for record in chunk if isinstance(record.note, Note)])
        self.seconds["load"] += time.perf_counter() - began
        if number not in self.task.apart:
            self.say(number, -1, chunk)
            results = annotate_chunk(self.pipeline, chunk)
        else:
            results = []
            for records in self._apart(chunk):
                self.say(number, records[0].at, records)
                results += annotate_chunk(self.pipeline, records)
        self.say()
        self._keep(chunk, results, output)

    def _apart(self, chunk: Sequence[Record]) -> Iterator[list[Record]]:
        """Give each record alone, or the records of each patient where a model reads patients."""
        apart: list[Record] = []
        for record in chunk:
            if apart and not (self.pipeline.whole_patients and _goes_on(apart, record)):
                yield apart
                apart = []
            apart.append(record)
        if apart:
            yield apart

    def say(self, number: int = -1, record: int = -1, chunk: Sequence[Record] = ()) -> None:
        """Say what is begun."""
        n_characters = sum(len(each.note.text) for each in chunk if isinstance(each.note, Note))
        self._say(Mark(number, record, n_characters, self._counts["records"], len(self._failures)))

    def facts(self) -> dict[str, Any]:
        """What is to be known of the part, but its size and checksum."""
        now = self._totals()
        spent = {stage: now["seconds"][stage] - self._before["seconds"].get(stage, 0.0) for stage in now["seconds"]}
        left_out = Counter(now["left_out"])
        left_out.subtract(self._before["left_out"])
        spent["read"] = spent.get("read", 0.0) + self.seconds.pop("read", 0.0)
        return {
            "counts": dict(self._counts) | {"given": now["given"] - self._before["given"]},
            "failures": self._failures,
            "left_out": {name: n for name, n in left_out.items() if n},
            "lost": {kind: n for kind, n in self.lost.items() if n},
            "models": list(self.pipeline.models),
            "seconds": {stage: round(each, 6) for stage, each in (spent | self.seconds).items()},
            "sealed": self._vault.exists(),
        }

    def _records(self, text: bytes | None) -> Iterator[Record]:
        """Every record that is meant; one that must not be touched is a failure from the start."""
        at = 0
        duplicates, strays = set(self.task.duplicates), _Strays(self.task.strays)
        for piece in self.task.pieces:
            source = Source.of(piece.source)
            only = None if piece.only is None else set(piece.only)
            name = "" if source.names else source.file(0)
            for k, (line, note) in enumerate(read_stretch(source, piece.stretch, self.config, self.lost, text)):
                if only is not None and k not in only:
                    continue
                where = note.source if isinstance(note, Failure) and note.source else name or source.file(k)
                n_characters = len(note.text) if isinstance(note, Note) else 0
                said = strays.refuse(at, note) if isinstance(note, Note) else None
                if isinstance(note, Note) and said is not None:
                    note = _apart(note, line, said)  # noqa: PLW2901
                elif isinstance(note, Note) and at in duplicates:
                    note = came_before(note, line)  # noqa: PLW2901
                elif isinstance(note, Note) and at in self.task.skip:
                    note = _untouchable(note, line, self.task.skip[at])  # noqa: PLW2901
                yield Record(at, where, source.input, line, note, n_characters)
                at += 1

    def _keep(self, chunk: Sequence[Record], results: list[Note | Failure], output: Output) -> None:
        """Write a chunk: its notes to the output, entries of the vault, its failures."""
        sealed = self.pipeline.deidentifier.sealed
        if sealed:
            with cannot_write(self._vault), self._vault.open("ab") as file:
                file.writelines(sealed)
            sealed.clear()
        written = iter(output.write([result for result in results if isinstance(result, Note)]))
        results = [next(written) if isinstance(result, Note) else result for result in results]
        self._counts.update(counts_of(results))
        for record, result in zip(chunk, results, strict=True):
            if isinstance(result, Failure):
                placed = replace(result, source=record.source, line=record.line)
                self._failures.append(quarantined(placed) | {"input": record.input + 1, "at": record.at})

    def _totals(self) -> dict[str, Any]:
        """What the pipeline has counted so far."""
        deidentifier = self.pipeline.deidentifier
        return {
            "seconds": dict(self.pipeline.seconds),
            "left_out": dict(deidentifier.left_out),
            "given": deidentifier.n_given,
        }


class _Strays:
    """Tells notes that do not stand with the others of their patient, of whom a model must read all together."""

    def __init__(self, begins: Sequence[int]) -> None:
        self._begins = frozenset(begins)
        self._patient: str | None = None
        self._stray, self._n = False, 0

    def refuse(self, at: int, note: Note) -> str | None:
        """Say why a note cannot be read with its patient's others; None if it can."""
        if note.patient_id is None or note.patient_id != self._patient:
            self._patient, self._stray, self._n = note.patient_id, False, 0
        self._stray |= at in self._begins
        self._n += 1
        if self._stray:
            return "notes of a patient need to stand together for a model that reads patients; sort by patient_id"
        if note.patient_id is not None and self._n > MOST_NOTES:
            return f"at most {MOST_NOTES:,} notes of a patient needed, got more"
        return None


def _goes_on(records: Sequence[Record], record: Record) -> bool:
    """Whether a record is of the patient of the records before it; a broken one stands with them."""
    if isinstance(record.note, Failure):
        return True
    last = next((each.note for each in reversed(records) if isinstance(each.note, Note)), None)
    return last is not None and last.patient_id is not None and last.patient_id == record.note.patient_id


def annotate_chunk(pipeline: Pipeline, chunk: Sequence[Record]) -> list[Note | Failure]:
    """Give what became of each record, in order."""
    notes = iter(pipeline([record.note for record in chunk if isinstance(record.note, Note)]))
    return [record.note if isinstance(record.note, Failure) else next(notes) for record in chunk]


def came_before(note: Note, line: int) -> Failure:
    """Refuse a note whose id another one has."""
    error = DataError(f"note_id {note.note_id} came before; ids need to be unique")
    return Failure.of(error, stage="read", note_id=note.note_id, line=line)


def _apart(note: Note, line: int, said: str) -> Failure:
    return Failure.of(DataError(said), stage="read", note_id=note.note_id, line=line)


def _untouchable(note: Note, line: int, reason: str) -> Failure:
    error, _, said = reason.partition(": ")
    return Failure("", line, note.note_id, "annotate", error, said)
