"""A real local Spark with two workers: the very output of one machine, models sent along."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clinlp.batch import BatchConfig, annotate
from clinlp.batch.task import Task
from clinlp.errors import MissingExtraError

from .batch_cases import records
from .test_resume import output

Dump = Callable[..., Path]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("no Java here")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dump.jsonl", "dump.csv.gz"])
def test_a_job_on_spark_gives_the_bytes_of_a_local_one(
    spark: Any, dump: Dump, tmp_path: Path, models: dict[str, Path], name: str
) -> None:
    from clinlp.records import convert

    rows: list[Any] = records(24)
    rows[5] = rows[2]
    path = dump(rows, "raw.jsonl")
    convert(path, tmp_path / name) if name.endswith("gz") else shutil.copy(path, tmp_path / name)
    (tmp_path / "rules.toml").write_text('[context.negated]\nbefore = ["nary a"]\n', "utf-8")
    given: dict[str, Any] = {kind: str(folder) for kind, folder in models.items()} | {"phi": "off", "shard_bytes": 1500}
    given["rules"] = tmp_path / "rules.toml"
    annotate([tmp_path / name], tmp_path / "local", BatchConfig(**given, workers=0))
    summary = annotate([tmp_path / name], tmp_path / "spark", BatchConfig(**given, on="local[2]"))
    assert (summary.n_records, summary.complete, summary.n_parts > 1) == (24 - name.endswith("gz"), True, True)
    here, there = output(tmp_path / "local"), output(tmp_path / "spark")
    del here["manifest.json"], there["manifest.json"]  # models have another place there
    assert here == there
    assert annotate([tmp_path / name], tmp_path / "spark", BatchConfig(**given)).n_before == summary.n_records


@pytest.mark.slow
def test_a_dataframe_gives_a_row_for_every_row(
    spark: Any, tmp_path: Path, dump: Dump, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinlp.batch import annotate_dataframe
    from clinlp.deid.keys import new_key

    new_key(tmp_path / "key")
    monkeypatch.chdir(tmp_path)
    key_file = Path("key")
    rows = records(20)
    rows[4]["text"] = None
    chosen = {kind: str(folder) for kind, folder in models.items()}
    config = BatchConfig(phi="off", chunk_notes=3, deid="surrogate", key_file=key_file, **chosen)
    df = spark.createDataFrame(rows, "note_id string, text string, patient_id string, ward string").repartition(4)
    made = annotate_dataframe(df, config)
    assert dict(made.dtypes)["phi"].startswith("array<struct<start:bigint,end:bigint,label:string,score:double")
    found = {row["note_id"]: row.asDict(recursive=True) for row in made.collect()}
    assert len(found) == 20
    assert found["n4"]["failure"]["reason"] == 'record has no "text"'
    annotate([dump(rows)], tmp_path / "out", config)
    for line in (tmp_path / "out" / "part-00000.jsonl").read_text("utf-8").splitlines():
        held = json.loads(line)
        row = found[held["note_id"]]
        assert row["text"] == held["text"]
        assert [(span["start"], span["end"], span["label"]) for span in row["entities"]] == [
            (span["start"], span["end"], span["label"]) for span in held["entities"]
        ]


class Sent:
    """The side of a Spark session that takes files for the workers."""

    def __init__(self) -> None:
        self.sparkContext = self
        self.names: list[str] = []

    def addFile(self, path: str) -> None:  # noqa: N802  Spark's name
        self.names.append(Path(path).name)

    def addArchive(self, path: str) -> None:  # noqa: N802
        self.names.append(path.rpartition("#")[2])


def test_models_and_files_are_sent_under_new_names_when_they_change(
    tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinlp.batch.spark import _ship

    rules = tmp_path / "rules.toml"
    rules.write_text("[context.negated]\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    config = BatchConfig(context_model=str(models["diagnosis"]), rules=Path("rules.toml"), key_file=Path("key"))
    sent = Sent()
    first = _ship(sent, config)
    assert sent.names == [first.context_model, str(first.rules)]
    assert first.key_file == tmp_path / "key"
    os.utime(rules, (1, 1))
    again = _ship(sent, config)
    assert (again.context_model, again.rules != first.rules) == (first.context_model, True)


def test_nothing_that_was_sent_is_left_behind(
    tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinlp.batch.spark import _ship

    at_end = list[Callable[[], Any]]()
    monkeypatch.setattr(atexit, "register", lambda *what, **how: at_end.append(partial(*what, **how)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _ship(Sent(), BatchConfig(context_model=str(models["diagnosis"])))
    assert len(list(tmp_path.iterdir())) == 1
    for each in at_end:
        each()
    assert not list(tmp_path.iterdir())


def test_tasks_and_answers_hold_the_name_of_any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from clinlp.batch import spark

    name = os.fsdecode("病历".encode("gb18030"))
    monkeypatch.setattr(spark, "_do_task", lambda _, task, text: {"lost": task.path, "text": text})
    task = json.dumps(Task(0, name, ()).held())
    [answer] = spark._Tasks("{}")([pa.RecordBatch.from_pylist([{"task": task, "text": None}])])
    assert json.loads(answer.to_pylist()[0]["answer"]) == {"lost": name, "text": None}


def test_without_pyspark_the_extra_is_named(tmp_path: Path, dump: Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pyspark.*clinlp-emr\[spark\]"):
        annotate([dump(records(2))], tmp_path / "out", BatchConfig(phi="off", on="spark://nowhere:7077"))
    assert not (tmp_path / "out").exists()
