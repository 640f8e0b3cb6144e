"""A worker process of the service: batches come in frames, and the answers to their notes go out in frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clinlp.errors import Failure
from clinlp.inference.processes import begin, refusal, send
from clinlp.records import from_record
from clinlp.serve.config import ServeConfig
from clinlp.serve.engine import Engine, Kind
from clinlp.serve.workers import pack


def main() -> None:
    """Work until standard input ends."""
    frames, answers = begin()
    config, _ = frames.get()
    try:
        engine = Engine(ServeConfig.model_validate(config))
        send(answers, engine.offer.held())
    except Exception as error:  # noqa: BLE001  whatever it is, the other side is to know
        send(answers, refusal(error))
        return
    send(answers, {"wrong": engine.start()})
    while True:
        held, _ = frames.get()
        send(answers, *_work(engine, held))


def _work(engine: Engine, held: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        notes = [from_record(record) for record in held["notes"]]
        found: Sequence[bytes | Failure] = engine.answer(Kind(*held["kind"]), notes)
    except Exception as error:  # noqa: BLE001  the process goes on; what the error says may quote a note
        found = [Failure.of(error, stage="batch", note_id=record["note_id"]) for record in held["notes"]]
    results, written = pack(found)
    return {"results": results, "seconds": engine.seconds}, written
