"""A job that is stopped goes on, and its output is byte for byte that of one that was not."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinlp.batch import plan
from clinlp.batch.config import BatchConfig
from clinlp.batch.journal import Journal
from clinlp.batch.local import annotate
from clinlp.batch.retry import retry
from clinlp.batch.sources import Source
from clinlp.deid.keys import new_key
from clinlp.errors import DataError, UsageError
from clinlp.records import WriteOptions, convert

from .batch_cases import EN, ZH, lines, records, released

Dump = Callable[..., Path]
RULES: dict[str, Any] = {"phi": "off", "entities": "off", "diagnosis": "off", "shard_bytes": 2000, "chunk_notes": 4}


def output(out: Path) -> dict[str, bytes]:
    """All bytes of an output, but for the manifest's times."""
    found = {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    manifest = json.loads(found.pop("manifest.json"))
    found = {name: data for name, data in found.items() if not name.startswith(".clinlp")}
    for name in ("began", "seconds", "seconds_by_stage", "config"):
        del manifest[name]
    return found | {"manifest.json": json.dumps(manifest).encode()}


def run_in_process(path: Path, out: Path, workers: int) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from pathlib import Path; from clinlp.batch.config import BatchConfig; "
        "from clinlp.batch.local import annotate; "
        f"annotate([Path(sys.argv[1])], Path(sys.argv[2]), BatchConfig(**{RULES!r}, workers={workers}))"
    )
    return subprocess.Popen([sys.executable, "-c", program, str(path), str(out)], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("workers", "kills"), [(0, (2,)), (2, (3,)), pytest.param(2, (1, 2, 4, 6, 8), marks=pytest.mark.slow)]
)
def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_twice(
    dump: Dump, tmp_path: Path, workers: int, kills: tuple[int, ...]
) -> None:
    rows: list[Any] = [*records(120)]
    rows[17], rows[66] = rows[3], b"{"
    path = dump(rows)
    annotate([path], tmp_path / "whole", BatchConfig(**RULES, workers=0))
    out = tmp_path / "out"
    for n_parts in kills:
        running = run_in_process(path, out, workers)
        until = time.monotonic() + 30
        while running.poll() is None and len(list(out.glob("part-*"))) < n_parts and time.monotonic() < until:
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.wait()
    annotate([path], out, BatchConfig(**RULES, workers=0))
    assert output(out) == output(tmp_path / "whole")
    assert len(released(out)) == 118


@pytest.mark.parametrize(
    "name", ["d.csv", "d.csv.gz", "d.jsonl.zst", "d.parquet", "d", pytest.param("d.spacy", marks=pytest.mark.slow)]
)
def test_every_format_is_cut_without_loss(dump: Dump, tmp_path: Path, name: str) -> None:
    """Shards hold what the file holds, line by line, quoted line breaks and all."""
    rows = records(40)
    for at, row in enumerate(rows):
        row["text"] = f'{row["text"]}\r\n"quoted", \n\n and, more {at}'
    write = WriteOptions(format=None if "." in name else "txt")
    convert(dump(rows), tmp_path / name, write=write)
    annotate([tmp_path / name], tmp_path / "small", BatchConfig(**RULES, workers=0))
    annotate([tmp_path / name], tmp_path / "one", BatchConfig(**RULES | {"shard_bytes": 1 << 20}, workers=0))
    small, one = released(tmp_path / "small"), released(tmp_path / "one")
    assert len(one) == 40
    assert sorted(map(json.dumps, small)) == sorted(map(json.dumps, one))
    if name != "d":
        assert [record["note_id"] for record in small] == [f"n{at}" for at in range(40)]
    assert len(list((tmp_path / "small").glob("part-*"))) > 2 or name == "d.spacy"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_lines_are_told_as_they_stand_in_the_file(tmp_path: Path, ending: str) -> None:
    data = b"".join(b'{"text": "%s"}\n\n' % (b"x" * 400) for _ in range(12)) + b"{broken\n"
    path = tmp_path / f"dump.jsonl{ending}"
    path.write_bytes(gzip.compress(data) if ending else data)
    annotate([path], tmp_path / "out", BatchConfig(**RULES, workers=0))
    assert [record["note_id"] for record in released(tmp_path / "out")] == [f"dump-{2 * at + 1}" for at in range(12)]
    [bad] = lines(tmp_path / "out" / "quarantine.jsonl")
    assert (bad["line"], bad["note_id"]) == (25, "dump-25")


def test_another_config_or_a_changed_input_is_refused(dump: Dump, tmp_path: Path) -> None:
    path, out = dump(records(8)), tmp_path / "out"
    annotate([path], out, BatchConfig(**RULES))
    with pytest.raises(UsageError, match=r"deid was tag, now it is mask\); take another folder, or --overwrite"):
        annotate([path], out, BatchConfig(**RULES, deid="mask"))
    before = path.read_bytes()
    os.utime(path)  # the same bytes at another time
    summary = annotate([path], out, BatchConfig(**RULES, workers=2, max_errors=0.5))
    assert (summary.n_records, summary.n_before) == (8, 8)
    path.write_bytes(before.replace(b"Jane", b"Joan", 1))
    with pytest.raises(UsageError, match=r"dump.jsonl has changed"):
        annotate([path], out, BatchConfig(**RULES))
    other = dump(records(3), "other.jsonl")
    with pytest.raises(UsageError, match="the input had 1 files, now it has others"):
        annotate([path, other], out, BatchConfig(**RULES))


def test_a_file_of_rules_that_has_changed_is_refused(dump: Dump, tmp_path: Path) -> None:
    path, out, rules = dump(records(8)), tmp_path / "out", tmp_path / "ours.toml"
    rules.write_text('[context.negated]\nbefore = ["nary a"]\n', "utf-8")
    annotate([path], out, BatchConfig(**RULES, rules=rules))
    rules.write_text('[context.negated]\nbefore = ["never a"]\n', "utf-8")
    with pytest.raises(UsageError, match="models"):
        annotate([path], out, BatchConfig(**RULES, rules=rules))


def test_a_part_that_is_gone_is_made_again(dump: Dump, tmp_path: Path) -> None:
    path, out = dump(records(30)), tmp_path / "out"
    annotate([path], out, BatchConfig(**RULES))
    whole = output(out)
    (out / "part-00001.jsonl").unlink()
    (out / "part-00002.jsonl").write_bytes(b"cut")
    annotate([path], out, BatchConfig(**RULES))
    assert output(out) == whole


def test_a_torn_line_of_the_journal_is_cut_off(tmp_path: Path) -> None:
    folder = tmp_path / ".clinlp"
    folder.mkdir()
    with Journal(folder) as journal:
        journal.add({"shard": 0, "n": 1})
        with pytest.raises(UsageError, match="another job is at work"):
            Journal(folder)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"shard": 1, "n"')
    with Journal(folder) as journal:
        assert list(journal.done) == [0]
        journal.add({"shard": 2, "n": 3})
    assert lines(folder / "journal.jsonl") == [{"shard": 0, "n": 1}, {"shard": 2, "n": 3}]


def test_what_was_finished_before_is_forgotten_before_there_is_another_plan(
    dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out, seen = dump(records(3)), tmp_path / "out", list[str]()
    annotate([path], out, BatchConfig(**RULES))
    fsync = os.fsync
    names = {(out / ".clinlp" / "journal.jsonl").stat().st_ino: "journal"}
    monkeypatch.setattr(os, "fsync", lambda file: seen.append(names.get(os.fstat(file).st_ino, "other")) or fsync(file))
    annotate([path], out, BatchConfig(**RULES), overwrite=True)
    assert seen[:2] == ["journal", "other"]


def test_a_disk_without_locks_takes_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    with Journal(tmp_path) as journal:
        journal.add({"shard": 0})


def test_the_journal_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows a file of text would grow by a byte a line, and no line would stand where it is looked for."""
    flags, opened = list[int](), os.open
    monkeypatch.setattr(os, "O_BINARY", os.O_NOFOLLOW, raising=False)
    monkeypatch.setattr(os, "open", lambda path, how, mode: flags.append(how) or opened(path, how, mode))
    Journal(tmp_path).close()
    assert flags[0] & os.O_NOFOLLOW


def test_a_stop_while_it_is_planned_leaves_files_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{at}.jsonl" for at in range(9)]
    for path in paths:
        path.write_text('{"text": "a"}\n', "utf-8")
    read = list[str]()

    def slow(source: Source) -> str:
        read.append(source.path)
        time.sleep(0.1)
        return ""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "checksum", slow)
    monkeypatch.setattr(plan, "_cut", stopped)
    with pytest.raises(KeyboardInterrupt):
        plan.make_plan(paths, BatchConfig(**RULES), {}, tmp_path)
    assert len(read) <= 2


def test_an_id_counts_from_its_first_good_record_in_any_input(dump: Dump, tmp_path: Path) -> None:
    paths = [
        dump([{"note_id": "a"}, *records(20)], "a.jsonl"),
        dump([{"note_id": "a", "text": EN}, *records(3)], "b.jsonl"),
    ]
    annotate(paths, tmp_path / "out", BatchConfig(**RULES))
    assert [record["note_id"] for record in released(tmp_path / "out")] == [*(f"n{at}" for at in range(20)), "a"]
    bad = lines(tmp_path / "out" / "quarantine.jsonl")
    assert [(each["note_id"], each["source"], each["input"]) for each in bad] == [
        ("a", "a.jsonl", 1),
        *((f"n{at}", "b.jsonl", 2) for at in range(3)),
    ]


def test_patterns_take_their_files_in_order(dump: Dump, tmp_path: Path) -> None:
    for name in "ba":
        dump([{"note_id": name, "text": ZH}], f"{name}.jsonl")
    annotate([tmp_path / "?.jsonl"], tmp_path / "out", BatchConfig(**RULES))
    assert [record["note_id"] for record in released(tmp_path / "out")] == ["a", "b"]
    with pytest.raises(UsageError, match="files that fit the pattern needed"):
        annotate([tmp_path / "*.csv"], tmp_path / "none", BatchConfig(**RULES))


def test_a_share_of_errors_stops_the_job_and_a_higher_one_ends_it(dump: Dump, tmp_path: Path) -> None:
    path, out = dump([*records(9), b"{"]), tmp_path / "out"
    with pytest.raises(DataError, match=r"at most 5.00% of the records in quarantine needed .* got 1 of 10"):
        annotate([path], out, BatchConfig(**RULES, max_errors=0.05))
    assert annotate([path], out, BatchConfig(**RULES, max_errors=0.1)).complete


def test_no_folder_of_the_input_is_written_down(dump: Dump, tmp_path: Path) -> None:
    folder = tmp_path / "Zyxqwv, Quoxly"
    folder.mkdir()
    path = folder / "notes.jsonl"
    path.write_bytes(dump([*records(3), b"{"]).read_bytes())
    annotate([path], tmp_path / "out", BatchConfig(**RULES))
    held = b"".join(each.read_bytes() for each in (tmp_path / "out").rglob("*") if each.is_file())
    assert b"Zyxqwv" not in held


@pytest.mark.parametrize("planned", [True, False])
def test_a_folder_where_a_job_is_at_work_is_left_alone(dump: Dump, tmp_path: Path, planned: bool) -> None:
    path, out = dump(records(3)), tmp_path / "out"
    config = BatchConfig(phi="off", entities="off", diagnosis="off", workers=0)
    annotate([path], out, config)
    if not planned:
        (out / ".clinlp" / "plan.json").unlink()
    before = output(out), sorted((out / ".clinlp").iterdir())
    with Journal(out / ".clinlp"):  # the other job
        for overwrite in (True, False):
            with pytest.raises(UsageError, match="another job is at work"):
                annotate([path], out, config, overwrite=overwrite)
    assert (output(out), sorted((out / ".clinlp").iterdir())) == before


def test_a_wrong_model_leaves_the_output_before_it_as_it_was(dump: Dump, tmp_path: Path) -> None:
    path, out = dump(records(3)), tmp_path / "out"
    config = BatchConfig(phi="off", entities="off", diagnosis="off", workers=0)
    annotate([path], out, config)
    before = output(out)
    for wrong in ({"entities": "nowhere"}, {"vault": tmp_path / "vault", "key_file": tmp_path / "nokey"}):
        with pytest.raises(UsageError):
            annotate([path], out, config.model_copy(update=wrong), overwrite=True)
        assert output(out) == before
    assert annotate([path], out, config).n_before == 3


def test_a_job_of_surrogates_does_not_go_on_with_another_key(dump: Dump, tmp_path: Path) -> None:
    path, out = dump([*records(3), {"note_id": "bad"}]), tmp_path / "out"
    for name in ("key", "other"):
        new_key(tmp_path / name)
    config = BatchConfig(**RULES, deid="surrogate", key_file=tmp_path / "key", workers=0)
    annotate([path], out, config)
    before = output(out)
    other = {"key_file": tmp_path / "other"}
    with pytest.raises(UsageError, match="key checksum was"):
        annotate([path], out, config.model_copy(update=other))
    with pytest.raises(UsageError, match="key checksum was"):
        retry([path], out, other)
    assert output(out) == before
    assert annotate([path], out, config).n_before == 4
    assert retry([path], out, {"key_file": tmp_path / "key"}).n_failures == 1
