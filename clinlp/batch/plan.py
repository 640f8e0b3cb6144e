"""The plan of a job: the input cut into shards, known down to its bytes before anything is annotated.

One pass over the input finds where shards begin and which ids came before. The plan is kept beside the
output, so that a job that was stopped goes on with the very same shards, or refuses to. Of the input's
places it holds the names of files alone: folders are often called after patients.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from clinlp.batch.config import BatchConfig
from clinlp.batch.duplicates import Ids
from clinlp.batch.identity import checksum, differences
from clinlp.batch.output import cannot_write, sync
from clinlp.batch.sources import Source, find_sources, read_table
from clinlp.batch.stretches import Place, Row, scan
from clinlp.errors import DataError, Failure
from clinlp.note import Note
from clinlp.records.canonical import from_record
from clinlp.records.files import stem
from clinlp.records.layout import record_id
from clinlp.records.options import ReadOptions
from clinlp.records.rows import Broken

PLAN: Final = "plan.json"
_DUPLICATES: Final = "duplicates.u64"
_STRAYS: Final = "strays.u64"
_SHARDS: Final = 32  # at least so many of an input that is large enough
_LEAST, _MOST = 1 << 18, 1 << 23  # bytes of a shard
_FORMAT: Final = 1


_Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"


class Shard(NamedTuple):
    """A stretch of a source: bytes, rows or files; its first line; its first record's number and their number."""

    source: int
    start: int
    end: int
    line: int
    first: int
    n_records: int


@dataclass(slots=True)
class Plan:
    """What is to be done.

    Attributes:
        digests: A checksum of each source.
        broken: What is wrong with a source that breaks off; what came before it is in the shards.
        repeated: How many records have an id that came before.
        strays: How often notes of a patient come again after those of another; counted for models that read patients.
    """

    identity: dict[str, Any]
    made_by: dict[str, Any]
    sources: list[Source]
    digests: list[str] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)
    broken: str = ""
    repeated: int = 0
    strays: int = 0
    folder: Path = Path()

    @property
    def n_records(self) -> int:
        """Records of all shards."""
        return sum(shard.n_records for shard in self.shards)

    def duplicates(self, number: int) -> list[int]:
        """Which of a shard's records have an id that came before."""
        return self._in_shard(number, _DUPLICATES) if self.repeated else []

    def strays_of(self, number: int) -> list[int]:
        """At which of a shard's records the notes of a patient come again, apart from the others."""
        return self._in_shard(number, _STRAYS) if self.strays else []

    def _in_shard(self, number: int, name: str) -> list[int]:
        shard = self.shards[number]
        found = np.memmap(self.folder / name, np.uint64, "r")
        first, after = np.searchsorted(found, np.array([shard.first, shard.first + shard.n_records], np.uint64))
        return [int(number) - shard.first for number in found[first:after]]

    def save(self, duplicates: _Numbers, strays: _Numbers) -> None:
        """Write the plan to its folder; it is there when it is whole."""
        facts = {
            "format": _FORMAT,
            "identity": self.identity,
            "made_by": self.made_by,
            "sources": [asdict(each) | {"path": Path(each.path).name} for each in self.sources],
            "digests": self.digests,
            "shards": self.shards,
            "broken": self.broken,
            "repeated": self.repeated,
            "strays": self.strays,
        }
        with cannot_write(self.folder.parent):
            for name, numbers in ((_DUPLICATES, duplicates), *(((_STRAYS, strays),) if len(strays) else ())):
                numbers.tofile(self.folder / name)
                sync(self.folder / name)
            temporary = self.folder / f"{PLAN}.tmp"
            temporary.write_text(json.dumps(facts), "utf-8", "surrogatepass")
            sync(temporary)
            temporary.replace(self.folder / PLAN)
            sync(self.folder)


def load_plan(folder: Path) -> Plan | None:
    """Read the plan of a job that was begun; None if there is none.

    Raises:
        DataError: It is damaged, or of another version.
    """
    try:
        held = json.loads((folder / PLAN).read_text("utf-8", "surrogatepass"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        raise DataError(f"{folder / PLAN}: the plan of a job needed, got something else") from None
    if held.get("format") != _FORMAT:
        raise DataError(f"{folder / PLAN}: a plan of format {_FORMAT} needed, got one of {held.get('format')}")
    return Plan(
        held["identity"],
        held["made_by"],
        [Source.of(each) for each in held["sources"]],
        held["digests"],
        [Shard(*each) for each in held["shards"]],
        held["broken"],
        held["repeated"],
        held.get("strays", 0),
        folder,
    )


def make_plan(inputs: Sequence[Path], config: BatchConfig, made_by: dict[str, Any], folder: Path) -> Plan:
    """Cut the input into shards and find the ids that came before.

    Raises:
        UsageError: An input is not there or not as it needs to be.
        DataError: There is not one record.
    """
    sources = find_sources(inputs, config)
    plan = Plan(config.identity(), made_by, sources, folder=folder)
    with ExitStack() as ends, cannot_write(folder.parent):
        beside = ThreadPoolExecutor(1)
        ends.callback(beside.shutdown, cancel_futures=True)  # after Ctrl-C, no file is read that was not begun
        digests = [beside.submit(checksum, source) for source in sources]
        ids = Ids(folder / "ids")
        patients = Ids(folder / "patients") if config.reads_patients else None
        _cut(plan, config, ids, patients)
        repeated = ids.repeated()
        strays = repeated[:0] if patients is None else patients.repeated()
        if len(repeated) and config.duplicate_ids == "refuse":  # rare: only then is it asked which records are good
            ids = Ids(folder / "ids")
            _add_good(plan, config, ids)
            repeated = ids.repeated()
        else:
            repeated = repeated[:0]
        plan.digests = [each.result() for each in digests]
    if not plan.n_records:
        raise DataError(plan.broken or f"{inputs[0]}: records needed, got none")
    plan.repeated, plan.strays = len(repeated), len(strays)
    plan.save(repeated, strays)
    return plan


def changes(plan: Plan, inputs: Sequence[Path], config: BatchConfig, made_by: dict[str, Any]) -> list[str]:
    """Say what is no longer as it was when the plan was made."""
    found = differences("", plan.identity, config.identity())
    found += differences("", plan.made_by, made_by)
    now = find_sources(inputs, config)
    if [Path(source.path).name for source in now] != [Path(source.path).name for source in plan.sources]:
        return [*found, f"the input had {len(plan.sources):,} files, now it has others ({len(now):,})"]
    for at, (before, after) in enumerate(zip(plan.sources, now, strict=True)):
        same = (before.size, before.modified) == (after.size, after.modified) and not after.names
        if not same and checksum(after) != plan.digests[at]:
            found.append(f"{after.path} has changed")
        plan.sources[at] = Source.of(asdict(after) | {"header": before.header, "delimiter": before.delimiter})
    return found


def _cut(plan: Plan, config: BatchConfig, ids: Ids, patients: Ids | None) -> None:
    """Find the shards, and the ids of all records, good or not.

    Args:
        patients: Gets the patient of every stretch of notes of one, of which no shard holds a part; None: nobody asks.
    """
    limit = config.shard_bytes or min(_MOST, max(_LEAST, _size(plan.sources) // _SHARDS))
    number = 0
    for at, source in enumerate(plan.sources):
        begin, first = Place(0, 1, 0), number
        last = end = begin
        due = False
        patient: str | None = None
        try:
            plan.sources[at] = read_table(source, config)
            for line, row, end in scan(source, config):
                before, patient = patient, _patient(row, config, patient) if patients is not None else None
                if due and (patient is None or patient != before):
                    plan.shards.append(Shard(at, begin.end, last.end, begin.line, first, number - first))
                    begin, first = last, number
                if patients is not None and patient is not None and patient != before:
                    patients.add(patient, number)
                if (note_id := _id(source, line, row, config)) is not None:
                    ids.add(note_id, number)
                number += 1
                last, due = end, end.free and end.n_bytes - begin.n_bytes >= limit and source.cuts
        except DataError as error:
            plan.broken = str(error)
        if number > first:
            plan.shards.append(Shard(at, begin.end, end.end, begin.line, first, number - first))
        if plan.broken:
            del plan.sources[at + 1 :]
            return


def _add_good(plan: Plan, config: BatchConfig, ids: Ids) -> None:
    """Give the ids of all good records: a broken one takes no id away."""
    number = 0
    for at, source in enumerate(plan.sources):
        try:
            for line, row, _ in scan(source, config):
                note_id = _id(source, line, row, config)
                if note_id is not None and _good(row, note_id, config):
                    ids.add(note_id, number)
                number += 1
                if number >= plan.n_records:
                    return
        except DataError:
            if at < len(plan.sources) - 1:
                raise


def _id(source: Source, line: int, row: Row, options: ReadOptions) -> str | None:
    """The id that a record will have; None for one that is no note."""
    if isinstance(row, Note):
        return row.note_id
    if isinstance(row, (Broken, Failure)):
        return None
    return record_id(row, options) or f"{stem(Path(source.path))}-{line}"


def _patient(row: Row, options: ReadOptions, before: str | None) -> str | None:
    """The patient of a record; a broken one stands with those around it."""
    note = _note(row, "any", options)
    return before if note is None else note.patient_id


def _good(row: Row, note_id: str, options: ReadOptions) -> bool:
    return _note(row, note_id, options) is not None


def _note(row: Row, note_id: str, options: ReadOptions) -> Note | None:
    """The note of a record; None if it is broken."""
    if isinstance(row, Note):
        return row
    if isinstance(row, (Broken, Failure)):
        return None
    try:
        return from_record(row, note_id=note_id, options=options, lost=Counter())
    except DataError:
        return None


def _size(sources: Sequence[Source]) -> int:
    """Bytes of all sources, as far as they can be told."""
    total = 0
    for source in sources:
        names = source.names if len(source.names) <= 1000 else source.names[:1000]
        some = sum((Path(source.path) / name).stat().st_size for name in names)
        total += source.size + (some * len(source.names) // len(names) if names else 0)
    return total
