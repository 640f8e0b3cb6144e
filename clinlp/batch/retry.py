"""The records in quarantine once more: with a higher limit, more memory, or a clinlp that has been mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from clinlp.batch.config import OPERATION, BatchConfig
from clinlp.batch.finish import failures
from clinlp.batch.identity import made_by
from clinlp.batch.job import Job
from clinlp.batch.journal import Journal
from clinlp.batch.local import open_vault, start
from clinlp.batch.output import STATE
from clinlp.batch.plan import Plan, changes, load_plan
from clinlp.batch.sources import find_inputs
from clinlp.batch.summary import Summary, TellJob
from clinlp.batch.task import Piece, Task
from clinlp.errors import UsageError

FREE: Final = (*OPERATION, "max_characters", "device", "precision", "chunk_notes", "chunk_characters", "thresholds")
"""Options that a retry may have otherwise than the job: they change what is possible, not what is done."""
_PART: Final = 1000  # records of one part of a retry


def retry(
    inputs: Sequence[Path], out: Path, given: Mapping[str, Any] | None = None, *, tell: TellJob | None = None
) -> Summary:
    """Handle the records in `OUT/quarantine.jsonl` again; those that succeed become parts behind the last.

    The other parts stay as they are. Records whose id came before are not among those that are tried.

    Args:
        given: Options to change, of those in `FREE`.

    Raises:
        UsageError: There is no finished job in `out`, the input has changed, or an option may not change.
    """
    given = {name: value for name, value in (given or {}).items() if value is not None}
    if wrong := sorted(given.keys() - set(FREE)):
        raise UsageError(f"{wrong[0]}: one of {', '.join(FREE)} needed for a retry; for others run the job anew")
    plan = load_plan(out / STATE)
    if plan is None:
        raise UsageError(f"{out}: the folder of a job needed, got one without a plan")
    inputs = find_inputs(inputs)
    before = BatchConfig.load(None, **plan.identity)
    if before.reads_patients:
        raise UsageError(
            f"{out}: a model that reads notes one by one needed for a retry, got one that reads patients, whose other "
            "notes it would not see; run the job anew"
        )
    config = BatchConfig.load(None, **(plan.identity | given))
    now = made_by(before.model_copy(update={"key_file": config.key_file}))
    plan.made_by = plan.made_by | {"versions": now["versions"]}  # a newer clinlp is a reason to try again
    if changed := changes(plan, inputs, before, now):
        raise UsageError(f"{out}: the job and the input as they were needed, got others ({'; '.join(changed[:3])})")
    with open_vault(config, out) as vault, Journal(out / STATE) as journal:
        failed = [(shard, at) for shard, at, _ in failures(journal)]
        again = {shard: frozenset(plan.duplicates(shard)) for shard, _ in failed}
        todo = [(shard, at) for shard, at in failed if at not in again[shard]]
        runner = start(config, small=len(todo) < _PART)
        try:
            job = Retry(out, before, plan, journal, runner, vault=vault, tell=tell)
            job.given = config.model_dump(mode="json", include=set(given))
            job.left()  # counts what was finished before, and sees which parts are gone
            if len(journal.done) < len(plan.shards):
                raise UsageError(
                    f"{out}: a finished job needed, got one with {len(journal.done):,} of {len(plan.shards):,} parts"
                )
            return job.run(job.tasks(todo))
        finally:
            runner.close()


class Retry(Job):
    """Carries records in quarantine to a runner."""

    given: Mapping[str, Any]
    """Options that were changed."""

    def tasks(self, todo: Sequence[tuple[int, int]]) -> Iterator[Task]:
        """Give tasks of records, each a shard and its place there, in order."""
        self._handled: dict[int, list[tuple[int, int]]] = {}
        for number, handled in enumerate(_grouped(self.plan, todo), self.journal.next_number):
            self._handled[number] = handled
            pieces = tuple(
                self._piece(shard, [at for _, at in each]) for shard, each in groupby(handled, itemgetter(0))
            )
            yield Task(number, str(self.temporary / self.part(number)), pieces, retry=1)

    def facts(self, task: Task) -> dict[str, Any]:
        """What was tried, and with what."""
        return {"retry": task.retry, "handled": self._handled.pop(task.number), "with": dict(self.given)}

    def _piece(self, number: int, only: list[int]) -> Piece:
        whole = self.task(number).pieces[0]
        return whole._replace(only=only)


def _grouped(plan: Plan, todo: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Cut the records into parts; of a packed source, where shards end, for its bytes come shard by shard."""
    part: list[tuple[int, int]] = []
    for shard, each in groupby(todo, itemgetter(0)):
        packed = plan.sources[plan.shards[shard].source].packed
        if part and (packed or len(part) >= _PART):
            yield part
            part = []
        part += each
        if packed:
            yield part
            part = []
    if part:
        yield part
