"""What a job leaves when it ends: the quarantine and the manifest, made from its journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from clinlp.batch.config import BatchConfig
from clinlp.batch.journal import Journal
from clinlp.batch.output import QUARANTINE, write_manifest, write_quarantine
from clinlp.batch.plan import Plan
from clinlp.batch.summary import Summary

_SHOWN: Final = ("note_id", "source", "input", "line", "stage", "error", "reason")
_ORDER: Final = (
    *("load", "read", "sections", "phi", "entities", "context", "diagnosis", "release"),
    *("tokens", "sentences", "write"),
)


def failures(journal: Journal) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """What is in quarantine now: the shard, the record in it, and why; in the order of the records.

    What a retry handled is no longer there, or there for what the last retry said of it.
    """
    latest: dict[tuple[int, int], dict[str, Any] | None] = {}
    for entry in journal.entries():
        if entry.get("retry"):
            latest |= dict.fromkeys(map(tuple, entry["handled"]))
            latest |= {tuple(entry["handled"][each["at"]]): each for each in entry["failures"]}
    for entry in journal.entries():
        if entry.get("retry"):
            return
        for each in entry["failures"]:
            key = entry["shard"], each["at"]
            held = latest.get(key, each)
            if held is not None:
                yield *key, held


def finish(out: Path, config: BatchConfig, plan: Plan, journal: Journal, summary: Summary, began: datetime) -> None:
    """Write quarantine and manifest.

    Raises:
        UsageError: They cannot be written.
    """
    summary.recount(each for _, _, each in failures(journal))
    held = ({name: each[name] for name in _SHOWN} for _, _, each in failures(journal))
    if write_quarantine(out, held):
        summary.quarantine = out / QUARANTINE
    summary.seconds = {stage: summary.seconds[stage] for stage in _ORDER if stage in summary.seconds}
    write_manifest(out, _facts(config, plan, journal, summary, began))


def _facts(config: BatchConfig, plan: Plan, journal: Journal, summary: Summary, began: datetime) -> dict[str, Any]:
    """What the manifest holds."""
    models: set[str] = set()
    parts: dict[str, Any] = {}
    retries: list[dict[str, Any]] = []
    for entry in journal.entries():
        models |= set(entry["models"])
        if entry.get("retry"):
            retries.append({"part": entry["part"] or None, "records": len(entry["handled"]), "with": entry["with"]})
        if not entry["part"]:
            continue
        parts[entry["part"]] = {"notes": entry["counts"].get("notes", 0)} | {
            name: entry[name] for name in ("bytes", "sha256")
        }
    weights = plan.made_by["models"]
    return {
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(summary.wall_s, 3),
        "complete": summary.complete,
        "inputs": [
            {
                "input": source.input + 1,
                "name": Path(source.path).name,
                "files": len(source.names) or 1,
                "bytes": source.size or None,
                "sha256": digest,
            }
            for source, digest in zip(plan.sources, plan.digests, strict=False)
        ],
        "versions": plan.made_by["versions"],
        "config": config.model_dump(mode="json"),
        "models": {name: weights[name] for name in sorted(models) if name in weights},
        "counts": {
            "records": summary.n_records,
            "notes": summary.n_notes,
            "quarantined": summary.n_failures,
            "characters": summary.n_characters,
            "phi": summary.n_phi,
            "entities": summary.n_entities,
            "diagnoses": summary.n_diagnoses,
        },
        "failures": [
            {"stage": stage, "error": error, "n": n} for (stage, error), n in sorted(summary.failures.items())
        ],
        "left_out": dict(sorted(summary.left_out.items())),
        "lost": dict(sorted(summary.lost.items())),
        "parts": parts,
        "retries": retries,
        "seconds_by_stage": {stage: round(seconds, 3) for stage, seconds in summary.seconds.items()},
    }
