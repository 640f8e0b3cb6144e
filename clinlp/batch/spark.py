"""The same work on a Spark cluster: rows of a DataFrame, or the shards of a job, through `mapInArrow`.

Spark decides where and when; a shard gives the very part that it gives on one machine. clinlp has to be
installed on the workers. Models, rules and thresholds are sent to them; the input and the output of a job and
the key file, which is sent nowhere, have to be where all workers reach them under the same name.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clinlp.batch.config import BatchConfig
from clinlp.batch.frames import Annotator
from clinlp.batch.task import Mark, Task
from clinlp.batch.worker import Worker
from clinlp.errors import DataError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from clinlp.batch.pool import Done, Step, Text

_SENT: Final = ("phi", "entities", "diagnosis", "context_model", "rules", "thresholds")
_NAME: Final = "clinlp-"  # of what is sent to the workers


def annotate_dataframe(df: Any, config: BatchConfig | None = None) -> Any:
    """Annotate the notes of a Spark DataFrame; every row gives a row.

    Args:
        df: With columns as those of a dump; the usual names are found, the others told by the config.

    Returns:
        A DataFrame with the columns of the Parquet output, and `failure` (stage, error, reason) for rows
        of which no note came.

    Raises:
        UsageError: The config asks for what a table cannot give.
        MissingExtraError: pyspark is not installed.
    """
    _need_spark()
    from pyspark.sql.pandas.types import from_arrow_schema

    annotator = Annotator(config)
    config = _ship(df.sparkSession, annotator.config)
    return df.mapInArrow(_Rows(config.model_dump_json()), from_arrow_schema(annotator.schema))


class Cluster:
    """Does tasks on Spark, each as a job of its own, as many at once as there are cores."""

    def __init__(self, config: BatchConfig, master: str) -> None:
        """Connect to the cluster.

        Raises:
            UsageError: It cannot be reached, or the config asks for what it cannot give.
            MissingExtraError: pyspark is not installed.
        """
        _need_spark()
        from pyspark.sql import SparkSession

        if master.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        try:
            self._spark: Any = (
                SparkSession.builder.master(master)
                .appName("clinlp annotate")
                .config("spark.ui.showConsoleProgress", "false")
                .getOrCreate()
            )
        except Exception as error:  # noqa: BLE001  whatever Spark's Java side says
            raise UsageError(f"{master}: a Spark cluster needed, got {type(error).__name__}") from None
        self._config = _ship(self._spark, config).model_dump_json()
        self._width = config.workers or int(self._spark.sparkContext.defaultParallelism)

    def run(self, tasks: Iterator[Task], text: Text, step: Step) -> Iterator[Done]:
        """Do the tasks, in the order in which they are finished; a few are always waiting."""
        from clinlp.batch.pool import Done

        running: dict[Future[dict[str, Any]], Task] = {}
        left = True
        with (
            ThreadPoolExecutor(self._width + 1) as threads,
            closing(self),
        ):  # else threads wait for what nobody asks for
            while left or running:
                while left and len(running) <= self._width:
                    task = next(tasks, None)
                    if task is None:
                        left = False
                    else:
                        running[threads.submit(self._do, task, text(task))] = task
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    answer = future.result()
                    if "stop" in answer:
                        raise UsageError(answer["stop"])
                    entry = answer.get("done", {})
                    step(task.number, Mark(-1, -1, 0, entry.get("counts", {}).get("records", 0), 0))
                    yield Done(task, entry, answer.get("lost", ""))

    def close(self) -> None:
        """Stop what is running; the session stays, for it may be another program's."""
        self._spark.sparkContext.cancelAllJobs()

    def _do(self, task: Task, text: bytes | None) -> dict[str, Any]:
        """Do one task wherever Spark has room."""
        rows = [(json.dumps(task.held()), text)]
        df = self._spark.createDataFrame(rows, "task string, text binary").coalesce(1)
        try:
            [row] = df.mapInArrow(_Tasks(self._config), "answer string").collect()
        except Exception as error:  # noqa: BLE001  a worker that died; what Spark says of it may quote a note
            return {"lost": f"its process on the cluster ended ({type(error).__name__})"}
        answer: dict[str, Any] = json.loads(row["answer"])
        return answer


class _Rows:
    """What a worker does with the rows of a partition."""

    def __init__(self, config: str) -> None:
        self._config = config

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        yield from Annotator(_unpacked(self._config)).batches(batches)


class _Tasks:
    """What a worker does with tasks of a job."""

    def __init__(self, config: str) -> None:
        self._config = config

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        for batch in batches:
            for row in batch.to_pylist():
                answer = _do_task(self._config, Task.of(json.loads(row["task"])), row["text"])
                yield pa.RecordBatch.from_pylist([{"answer": json.dumps(answer)}])


def _do_task(config: str, task: Task, text: bytes | None) -> dict[str, Any]:
    """Do a task; of an unexpected error only its kind is told, for its words may quote a note."""
    try:
        return {"done": _worker(config).run(task, lambda _: None, None if text is None else bytes(text))}
    except UsageError as error:
        return {"stop": str(error)}
    except Exception as error:  # noqa: BLE001  the other side decides what to do
        return {"lost": str(error) if isinstance(error, DataError) else type(error).__name__}


@lru_cache(maxsize=1)
def _worker(config: str) -> Worker:
    worker = Worker(_unpacked(config))
    if worker.pipeline.uses_models:
        from clinlp.inference.threads import compute_alone

        compute_alone()
    return worker


def _need_spark() -> None:
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        raise MissingExtraError("pyspark", "spark")


def _ship(spark: Any, config: BatchConfig) -> BatchConfig:
    """Send the models and files that are here to the workers; give the config with their names there."""
    names: dict[str, Any] = {} if config.key_file is None else {"key_file": config.key_file.resolve()}
    for option in _SENT:
        held = getattr(config, option)
        if held in (None, "bundled", "off", "rules") or not Path(held).exists():
            continue
        path = Path(held).resolve()
        newest = max(
            each.stat().st_mtime_ns for each in (path, *path.rglob("*"))
        )  # else a model trained anew is not sent
        name = _NAME + sha256(f"{path}\0{newest}".encode()).hexdigest()[:16]
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)  # not before: Spark takes it from there
        copy = Path(folder) / name
        if path.is_dir():
            spark.sparkContext.addArchive(f"{shutil.make_archive(str(copy), 'zip', path)}#{name}")
        else:
            spark.sparkContext.addFile(str(shutil.copyfile(path, copy)))
        names[option] = name if path.is_dir() else Path(name)
    return config.model_copy(update=names)


def _unpacked(config: str) -> BatchConfig:
    """The config with the places where the models and files are on this worker."""
    from pyspark import SparkFiles

    read = BatchConfig.model_validate_json(config)
    held = {option: getattr(read, option) for option in _SENT}
    sent = {option: name for option, name in held.items() if str(name).startswith(_NAME)}
    return read.model_copy(update={option: type(name)(SparkFiles.get(str(name))) for option, name in sent.items()})
