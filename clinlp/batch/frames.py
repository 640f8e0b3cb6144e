"""Rows of other programs' tables through the pipeline: Spark DataFrames, datasets, any batches of Arrow.

Every row gives a row, in order: the annotated note, or its id and why there is none. Ids are not compared:
nobody sees the whole of such a table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from clinlp.batch.columns import schema, to_row
from clinlp.batch.config import BatchConfig
from clinlp.errors import Failure, UsageError
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.records.canonical import from_record
from clinlp.records.layout import record_id
from clinlp.records.parquet import batch_records
from clinlp.records.rows import Broken


class Annotator:
    """Annotates columns; fits `datasets.Dataset.map(annotator, batched=True)` and travels to other processes.

    A dataset in its own format gives and takes lists; one `with_format("arrow")` gives and takes tables,
    which keeps every type, also of columns that are empty.

    The models are loaded once a process, where the first rows come.
    """

    def __init__(self, config: BatchConfig | None = None) -> None:
        """Keep the options.

        Raises:
            UsageError: They ask for what a table cannot give: a vault, or a model that reads patients.
        """
        self.config = config or BatchConfig()
        if self.config.vault is not None:
            raise UsageError("vault: a job of `clinlp annotate` needed, for one process writes it; got a table's rows")
        if self.config.reads_patients:
            raise UsageError(
                f"{self.config.diagnosis}: a model that reads notes one by one needed for a table, whose rows may lie "
                "anywhere, got one that reads patients"
            )

    @property
    def schema(self) -> Any:
        """The Arrow schema of what comes out; `datasets.Features.from_arrow_schema` takes it."""
        return schema(offsets=self.config.tokens, failure=True)

    def __call__(self, columns: Any) -> Any:
        """Give the columns of the annotated notes for columns of records, as lists or as an Arrow table."""
        import pyarrow as pa

        if isinstance(columns, pa.Table):
            made = list(self.batches(columns.combine_chunks().to_batches()))
            return pa.Table.from_batches(made, self.schema)
        names = list(columns)
        records = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        rows = self._rows(records)
        return {name: [row.get(name) for row in rows] for name in self.schema.names}

    def batches(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Give a batch of annotated notes for each chunk of rows of Arrow batches."""
        import pyarrow as pa

        rows = (row for batch in batches for row in batch_records(batch))
        while chunk := list(islice(rows, self.config.chunk_notes)):
            yield pa.RecordBatch.from_pylist(self._rows(chunk), self.schema)

    def _rows(self, records: Iterable[Mapping[str, Any] | Broken]) -> list[dict[str, Any]]:
        """Annotate records and make rows of what became of them."""
        read = [self._read(record) for record in records]
        done = iter(_pipeline(self.config.model_dump_json())([note for note in read if isinstance(note, Note)]))
        return [self._row(next(done) if isinstance(note, Note) else note) for note in read]

    def _read(self, record: Mapping[str, Any] | Broken) -> Note | Failure:
        if isinstance(record, Broken):
            return Failure.of(record.error, stage="read", note_id=record.note_id)
        try:
            return from_record(record, options=self.config)
        except Exception as error:  # noqa: BLE001  what it says may quote a note, and one stops no other
            return Failure.of(error, stage="read", note_id=record_id(record, self.config))

    def _row(self, result: Note | Failure) -> dict[str, Any]:
        if isinstance(result, Note):
            try:
                return to_row(result, offsets=self.config.tokens, seconds=defaultdict(float))
            except Exception as error:  # noqa: BLE001  as above
                result = Failure.of(error, stage="write", note_id=result.note_id)
        said = {"stage": result.stage, "error": result.error, "reason": result.reason}
        return {"note_id": result.note_id, "failure": said}


@lru_cache(maxsize=2)
def _pipeline(config: str) -> Pipeline:
    """Load the pipeline of a process that works beside others."""
    pipeline = Pipeline(BatchConfig.model_validate_json(config))
    if pipeline.uses_models:
        from clinlp.inference.threads import compute_alone

        compute_alone()
    return pipeline
