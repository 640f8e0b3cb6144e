"""A batch job in one process: files in, parts, quarantine and manifest out."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinlp.batch.config import BatchConfig
from clinlp.batch.output import (
    QUARANTINE,
    Parts,
    Quarantine,
    check_folder,
    digest,
    prepare_folder,
    versions,
    write_manifest,
)
from clinlp.batch.sinks import Lines, Output, Sink
from clinlp.batch.stop import Stop
from clinlp.batch.summary import Summary, Tell
from clinlp.batch.worker import Record, annotate_chunk, chunks, read_all
from clinlp.errors import DataError, Failure, UsageError
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.records import ReadOptions, WriteOptions, list_files
from clinlp.records.files import stem
from clinlp.records.formats import open_sink
from clinlp.text.tokens import tokenize

if TYPE_CHECKING:  # cryptography: loaded only for a vault
    from clinlp.deid.vault import VaultWriter


def annotate(
    inputs: Sequence[Path],
    out: Path,
    config: BatchConfig | None = None,
    *,
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Summary:
    """Annotate dumps; records land in their order in `OUT/part-NNNNN.jsonl`.

    A record that fails goes to `OUT/quarantine.jsonl`, as its id, line and error, never its text, and
    stops no other. After Ctrl-C the output holds what was finished. `OUT/manifest.json` says what made
    it all.

    Raises:
        UsageError: An input, the output or a model is not there or not as it needs to be.
        DataError: An input is broken as a whole; what was finished before is kept.
    """
    config = config or BatchConfig()
    check_folder(out, inputs, overwrite=overwrite)
    pipeline, records = _begin(inputs, config)
    prepare_folder(out)
    began = datetime.now(UTC)
    with _vault(config, out) as vault:
        job = _Job(pipeline, config, Quarantine(out / QUARANTINE), tell, vault)
        parts = Parts(out, config.part_notes)
        try:
            return job.run(records, inputs, Lines(parts, config, job.seconds), parts.close)
        finally:
            write_manifest(out, _facts(job, inputs, parts, began))


def deidentify(
    inputs: Sequence[Path],
    out: Path,
    config: BatchConfig | None = None,
    *,
    write: WriteOptions | None = None,
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Summary:
    """De-identify dumps by rules alone into one file of any format; no model and no torch is loaded.

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
    if any(path.exists() and out.resolve().is_relative_to(path.resolve()) for path in inputs):
        raise UsageError(f"{out}: an output beside the input needed, got the input itself or a place in it")
    pipeline, records = _begin(inputs, config)
    quarantine = Quarantine(out.with_name(f"{stem(out)}.{QUARANTINE}"))
    lost: Counter[str] = Counter()
    with _vault(config, out) as vault, open_sink(out, write or WriteOptions(), lost, tokenize) as sink:
        job = _Job(pipeline, config, quarantine, tell, vault)
        quarantine.path.unlink(missing_ok=True)
        summary = job.run(records, inputs, Sink(sink.write, job.seconds))
    summary.lost = {kind: n for kind, n in sorted(lost.items()) if n}
    return summary


def _begin(inputs: Sequence[Path], config: BatchConfig) -> tuple[Pipeline, Iterator[Record]]:
    """Find out what is wrong before anything is written: inputs first, for they are quick to see."""
    if not inputs:
        raise UsageError("input: a file or folder needed, got none")
    options = ReadOptions.model_validate({name: getattr(config, name) for name in ReadOptions.model_fields})
    for path in inputs:
        list_files(path, options)
    records = read_all(inputs, config)
    first = next(records, None)
    if first is None:
        raise DataError(f"{inputs[0]}: records needed, got none")
    return Pipeline(config), _again(first, records)


def _vault(config: BatchConfig, out: Path) -> AbstractContextManager[VaultWriter | None]:
    """Open the vault that the config names, apart from what is released.

    Raises:
        UsageError: It would lie in the output, or cannot be written.
    """
    if config.vault is None:
        return nullcontext()
    if config.vault.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{config.vault}: a vault apart from the output needed, got one in it")
    from clinlp.deid.keys import read_key
    from clinlp.deid.vault import VaultWriter

    return VaultWriter(config.vault, read_key(config.key_file))


def _again(first: Record, records: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from records


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

    def run(
        self,
        records: Iterator[Record],
        inputs: Sequence[Path],
        output: Output,
        close: Callable[[], None] = lambda: None,
    ) -> Summary:
        """Work until the records end or a signal comes; the output is closed either way."""
        began = time.perf_counter()
        places = {str(path): number for number, path in enumerate(inputs)}
        with Stop() as stop, closing(self.quarantine):
            try:
                for chunk in chunks(records, self.config, self.seconds):
                    if not self.summary.n_records:
                        self._check_columns(chunk)
                    results = annotate_chunk(self.pipeline, chunk)
                    with stop.held():
                        self._keep(chunk, results, output)
                    if self.tell is not None:
                        self.tell(self.summary, places[chunk[-1].source], chunk[-1].line)
                self.summary.complete = True
            except KeyboardInterrupt:
                if not stop.asked:
                    raise
            finally:
                stop.ignore()
                close()
                self._finish(time.perf_counter() - began, stop.asked)
        return self.summary

    def _check_columns(self, chunk: Sequence[Record]) -> None:
        """Refuse a known column that no record has: a slip of the pen would let its identifiers through."""
        if not self.pipeline.deidentifier.known:
            return
        from clinlp.deid.known import absent

        notes = [record.note for record in chunk if isinstance(record.note, Note)]
        if notes and (missing := absent(self.pipeline.deidentifier.known, notes)):
            raise UsageError(
                f"{chunk[0].source}: a column {missing[0]!r} needed (--known), got none in the first "
                f"{len(notes):,} records"
            )

    def _keep(self, chunk: Sequence[Record], results: list[Note | Failure], output: Output) -> None:
        """Write a chunk: its notes to the output, its failures, those of writing too, to quarantine.

        Entries of the vault come first: whatever happens then, what was released can be undone.
        """
        sealed = self.pipeline.deidentifier.sealed
        if self.vault is not None:
            self.vault.write(sealed)
        sealed.clear()
        written = iter(output.write([result for result in results if isinstance(result, Note)]))
        for at, record in enumerate(chunk):
            result = results[at]
            if isinstance(result, Note):
                result = next(written)
                if isinstance(result, Failure):
                    result = replace(result, source=record.source, line=record.line)
                results[at] = result
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


def _facts(job: _Job, inputs: Sequence[Path], parts: Parts, began: datetime) -> dict[str, Any]:
    """What the manifest holds."""
    summary = job.summary
    read = [{"path": str(path), "bytes": path.stat().st_size if path.is_file() else None} for path in inputs]
    return {
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(summary.wall_s, 3),
        "complete": summary.complete,
        "inputs": read,
        "versions": versions(),
        "config": job.config.model_dump(mode="json"),
        "models": {name: _weights(name) for name in job.pipeline.models},
        "counts": {
            "records": summary.n_records,
            "notes": summary.n_notes,
            "quarantined": summary.n_failures,
            "characters": summary.n_characters,
            "phi": summary.n_phi,
            "entities": summary.n_entities,
            "diagnoses": summary.n_diagnoses,
        },
        "failures": [{"stage": stage, "error": error, "n": n} for (stage, error), n in summary.failures.items()],
        "left_out": summary.left_out,
        "parts": parts.written,
        "seconds_by_stage": {stage: round(seconds, 3) for stage, seconds in summary.seconds.items()},
    }


def _weights(name: str) -> dict[str, str]:
    """Say which weights a model has: a name may mean others tomorrow."""
    from clinlp.models.store import WEIGHT_FILES, find_model

    folder = find_model(name)
    weights, graph = (folder / file for file in WEIGHT_FILES)
    held = {"sha256": digest(weights)} | ({"graph_sha256": digest(graph)} if graph.is_file() else {})
    members = sorted(folder.glob(f"*/{weights.name}"))  # of an ensemble
    return held | {f"{path.parent.name}_sha256": digest(path) for path in members}
