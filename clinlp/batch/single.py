"""De-identification in one process: files in, one file of any format and a quarantine out."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from clinlp.batch.config import BatchConfig
from clinlp.batch.local import check_columns, open_vault
from clinlp.batch.output import QUARANTINE, Quarantine
from clinlp.batch.sinks import Output, Sink
from clinlp.batch.sources import find_inputs
from clinlp.batch.stop import Stop
from clinlp.batch.summary import Summary, Tell
from clinlp.batch.worker import Record, annotate_chunk, came_before
from clinlp.errors import DataError, Failure, UsageError
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.records import ReadOptions, WriteOptions, list_files, read_records
from clinlp.records.files import stem
from clinlp.records.formats import open_sink
from clinlp.text.tokens import tokenize

if TYPE_CHECKING:  # cryptography: loaded only for a vault
    from clinlp.deid.vault import VaultWriter


def deidentify(
    inputs: Sequence[Path],
    out: Path,
    config: BatchConfig | None = None,
    *,
    write: WriteOptions | None = None,
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Summary:
    """De-identify dumps into one file of any format; no model but the PHI tagger is loaded, with `phi` off none.

    Failures go to a file beside the output: `released.quarantine.jsonl` for `released.csv`. After
    Ctrl-C the output holds what was finished.

    Raises:
        UsageError: An input or the output is not there or not as it needs to be.
        DataError: An input is broken as a whole; then nothing is written.
    """
    off = {"entities": "off", "diagnosis": "off", "sections": False, "context": False}
    config = (config or BatchConfig()).model_copy(update=off)
    if out.exists() and not overwrite:
        raise UsageError(f"{out}: a new file needed for the output, got one that is there; or say --overwrite")
    inputs = find_inputs(inputs)
    if any(path.exists() and out.resolve().is_relative_to(path.resolve()) for path in inputs):
        raise UsageError(f"{out}: an output beside the input needed, got the input itself or a place in it")
    pipeline, records = _begin(inputs, config)
    quarantine = Quarantine(out.with_name(f"{stem(out)}.{QUARANTINE}"))
    lost: Counter[str] = Counter()
    with open_vault(config, out) as vault, open_sink(out, write or WriteOptions(), lost, tokenize) as sink:
        job = _Job(pipeline, config, quarantine, tell, vault)
        quarantine.path.unlink(missing_ok=True)
        summary = job.run(records, Sink(sink.write, job.seconds))
    summary.lost = {kind: n for kind, n in sorted(lost.items()) if n}
    return summary


def _begin(inputs: Sequence[Path], config: BatchConfig) -> tuple[Pipeline, Iterator[Record]]:
    """Find out what is wrong before anything is written: inputs first, for they are quick to see."""
    options = ReadOptions.model_validate({name: getattr(config, name) for name in ReadOptions.model_fields})
    for path in inputs:
        list_files(path, options)
    check_columns(inputs, config)
    records = read_all(inputs, config)
    first = next(records, None)
    if first is None:
        raise DataError(f"{inputs[0]}: records needed, got none")
    return Pipeline(config), _again(first, records)


def _again(first: Record, records: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from records


def read_all(inputs: Sequence[Path], config: BatchConfig) -> Iterator[Record]:
    """Every record of every input in order; an id that came before, in any input, is a failure.

    Of an id only a digest of 8 bytes is kept.
    """
    options = config.model_copy(update={"duplicate_ids": "keep"})
    seen: set[int] | None = set() if config.duplicate_ids == "refuse" else None
    at = count()
    for number, path in enumerate(inputs):
        for line, note in read_records(path, options):
            n_characters = len(note.text) if isinstance(note, Note) else 0
            if isinstance(note, Note) and seen is not None:
                digest = blake2b(note.note_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                key = int.from_bytes(digest, "little")
                if key in seen:
                    note = came_before(note, line)  # noqa: PLW2901
                seen.add(key)
            yield Record(next(at), str(path), number, line, note, n_characters)


def chunks(
    records: Iterable[Record], config: BatchConfig, seconds: MutableMapping[str, float]
) -> Iterator[list[Record]]:
    """Group records by notes and characters; time spent on reading goes to `seconds["read"]`."""
    stream = iter(records)
    chunk: list[Record] = []
    n_characters = 0
    broken: DataError | None = None
    while True:
        began = time.perf_counter()
        try:
            record = next(stream, None)
        except DataError as error:  # the rest of the input is lost, what was read of it is not
            record, broken = None, error
        seconds["read"] = seconds.get("read", 0.0) + time.perf_counter() - began
        if record is None:
            break
        chunk.append(record)
        n_characters += record.n_characters
        if len(chunk) >= config.chunk_notes or n_characters >= config.chunk_characters:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk
    if broken is not None:
        raise broken


class _Job:
    """Carries chunks from the records through the pipeline to an output."""

    def __init__(
        self,
        pipeline: Pipeline,
        config: BatchConfig,
        quarantine: Quarantine,
        tell: Tell | None,
        vault: VaultWriter | None,
    ) -> None:
        self.pipeline, self.config, self.quarantine, self.tell = pipeline, config, quarantine, tell
        self.vault = vault
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.summary = Summary(quarantine=quarantine.path)

    def run(self, records: Iterator[Record], output: Output) -> Summary:
        """Work until the records end or a signal comes; the output is closed either way."""
        began = time.perf_counter()
        with Stop() as stop, closing(self.quarantine):
            try:
                for chunk in chunks(records, self.config, self.seconds):
                    results = annotate_chunk(self.pipeline, chunk)
                    with stop.held():
                        self._keep(chunk, results, output)
                    if self.tell is not None:
                        self.tell(self.summary, chunk[-1].input, chunk[-1].line)
                self.summary.complete = True
            except KeyboardInterrupt:
                if not stop.asked:
                    raise
            finally:
                stop.ignore()
                self._finish(time.perf_counter() - began, stop.asked)
        return self.summary

    def _keep(self, chunk: Sequence[Record], results: list[Note | Failure], output: Output) -> None:
        """Write a chunk: its notes to the output, its failures, those of writing too, to quarantine.

        Entries of the vault come first: whatever happens then, what was released can be undone.
        """
        sealed = self.pipeline.deidentifier.sealed
        if self.vault is not None:
            self.vault.write(sealed)
        sealed.clear()
        written = iter(output.write([result for result in results if isinstance(result, Note)]))
        done = (next(written) if isinstance(result, Note) else result for result in results)
        results = [_placed(result, record) for result, record in zip(done, chunk, strict=True)]
        self.quarantine.write([result for result in results if isinstance(result, Failure)])
        self.summary.count(results)

    def _finish(self, wall_s: float, asked: int) -> None:
        summary = self.summary
        spent = {**self.seconds, **self.pipeline.seconds}
        spent["read"] = self.seconds["read"] + self.pipeline.seconds.get("read", 0.0)
        last = ("tokens", "sentences", "write")
        order = ["read", *(stage for stage in self.pipeline.seconds if stage != "read"), *last]
        summary.seconds = {stage: spent[stage] for stage in order if stage in spent}
        summary.n_given = self.pipeline.deidentifier.n_given
        summary.left_out = dict(self.pipeline.deidentifier.left_out)
        summary.wall_s, summary.interrupted = wall_s, asked


def _placed(result: Note | Failure, record: Record) -> Note | Failure:
    """Say of a failure where its record stood, if the reader has not said it better: which file of a folder."""
    if isinstance(result, Note) or result.source:
        return result
    return replace(result, source=record.source, line=record.line)
