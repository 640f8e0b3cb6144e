"""The course of a job: tasks go to a runner, what is done gets its place, and the end is written down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clinlp.batch.config import BatchConfig
from clinlp.batch.finish import finish
from clinlp.batch.journal import Journal
from clinlp.batch.output import STATE, cannot_write, remove, sync
from clinlp.batch.plan import Plan
from clinlp.batch.pool import Done, Runner
from clinlp.batch.sinks import ENDINGS, n_bytes
from clinlp.batch.sources import Source, Unpacked
from clinlp.batch.stop import Stop
from clinlp.batch.summary import Summary, TellJob
from clinlp.batch.task import Mark, Piece, Task
from clinlp.errors import DataError

if TYPE_CHECKING:  # cryptography: loaded only for a vault
    from clinlp.deid.vault import VaultWriter

_EARLY: Final = 1000  # records before a share of errors says something


class Job:
    """Carries tasks to a runner, and what is done to its place."""

    def __init__(
        self,
        out: Path,
        config: BatchConfig,
        plan: Plan,
        journal: Journal,
        runner: Runner,
        *,
        vault: VaultWriter | None = None,
        tell: TellJob | None = None,
    ) -> None:
        self.out, self.config, self.plan, self.journal, self.runner = out, config, plan, journal, runner
        self.vault, self._tell = vault, tell
        self.summary = Summary()
        self._unpacked = Unpacked()
        self._marks: dict[int, Mark] = {}
        self.temporary = out / STATE / "tmp"
        remove(self.temporary)
        self.temporary.mkdir()

    def left(self) -> Iterator[Task]:
        """Count what was finished before, and give the tasks that are left, in order."""
        for entry in self.journal.entries():
            if not entry["part"] or n_bytes(self.out / entry["part"]) == entry["bytes"]:
                self.summary.add(entry, new=False)
            else:
                self.journal.forget(entry)
        return (self.task(number) for number in range(len(self.plan.shards)) if number not in self.journal.done)

    def run(self, tasks: Iterator[Task]) -> Summary:
        """Work until the tasks end or a signal comes, then write down how far it came.

        Raises:
            DataError: An input breaks off, a part of it cannot be read, or too many records failed.
        """
        began, at = datetime.now(UTC), time.perf_counter()
        summary = self.summary
        with Stop() as stop:
            try:
                for done in self.runner.run(tasks, self._text, self._step):
                    with stop.held():
                        self._keep(done)
                    self._check_share(end=False)
                summary.complete = not self.plan.broken and not summary.unread
            except KeyboardInterrupt:
                if not stop.asked:
                    raise
            finally:
                stop.ignore()
                self.runner.close()
                self._unpacked.close()
                summary.wall_s, summary.interrupted = time.perf_counter() - at, stop.asked
                remove(self.temporary)
                finish(self.out, self.config, self.plan, self.journal, summary, began)
        if not summary.interrupted:
            self._check_end()
        return summary

    def part(self, number: int) -> str:
        """The name of a part."""
        return f"part-{number:05}{ENDINGS[self.config.to]}"

    def task(self, number: int) -> Task:
        """The task that makes the part of a shard."""
        shard = self.plan.shards[number]
        source = self.plan.sources[shard.source]
        names = (shard.start, shard.end) if source.names else (0, 0)
        piece = Piece(source.part(*names), (shard.start, shard.end, shard.line))
        known = tuple(self.plan.duplicates(number)), tuple(self.plan.strays_of(number))
        return Task(number, str(self.temporary / self.part(number)), (piece,), *known)

    def facts(self, task: Task) -> dict[str, Any]:  # noqa: ARG002  what a retry knows more
        """What else the journal is to hold of a task."""
        return {}

    def _text(self, task: Task) -> bytes | None:
        source, (start, end, _) = Source.of(task.pieces[0].source), task.pieces[0].stretch
        if not source.packed:
            return None
        source.check()
        return self._unpacked.take(source.path, start, end)

    def _step(self, number: int, mark: Mark) -> None:
        self._marks[number] = mark
        if self._tell is not None:
            ahead = sum(each.n_done for each in self._marks.values())
            self._tell(self.summary, ahead, sum(each.n_failed for each in self._marks.values()), self.plan.n_records)

    def _keep(self, done: Done) -> None:
        """Give a part its name and write it down; entries of the vault come first.

        Whatever happens on the way, what was released can be undone, and what was written down is there.
        """
        task, entry = done.task, done.entry
        self._marks.pop(task.number, None)
        if done.lost:
            where = ", ".join(f"{each.source['path']} from line {each.stretch[2]:,}" for each in task.pieces[:1])
            self.summary.unread.append(f"{where}: {done.lost}")
            return
        temporary, path = Path(task.path), self.out / Path(task.path).name
        with cannot_write(self.out):
            if entry.pop("sealed") and self.vault is not None:
                sealed = Path(f"{task.path}.vault")
                with sealed.open("rb") as file:
                    self.vault.write(file)
                sealed.unlink()
            if path.is_dir():
                remove(path)
            if task.retry and not entry["counts"].get("notes"):
                path = Path()  # nothing that was tried again succeeded
            else:
                temporary.replace(path)
            sync(self.out)
        entry = {"shard": task.number, "part": path.name, **entry, **self.facts(task)}
        self.journal.add(entry)
        self.summary.add(entry, new=True)

    def _check_share(self, *, end: bool) -> None:
        n_failures, n_records = self.summary.n_failures, self.summary.n_records
        if (end or n_records >= _EARLY) and n_failures > self.config.max_errors * n_records:
            raise DataError(
                f"{self.out}: at most {self.config.max_errors:.2%} of the records in quarantine needed (--max-errors), "
                f"got {n_failures:,} of {n_records:,}; what is finished is kept, and the job goes on when run again"
            )

    def _check_end(self) -> None:
        self._check_share(end=True)
        if self.plan.broken:
            raise DataError(f"{self.plan.broken}; what came before it is in {self.out}")
        if self.summary.unread:
            n = len(self.summary.unread)
            raise DataError(
                f"{self.summary.unread[0]}; {n:,} of {len(self.plan.shards):,} parts {'is' if n == 1 else 'are'} not "
                "done, and tried when the job is run again"
            )
