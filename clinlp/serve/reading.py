"""Bodies to notes and notes to bodies, by the records' own reader and writer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import orjson

from clinlp.errors import DataError, Failure
from clinlp.note import Note
from clinlp.records import from_record, to_record
from clinlp.records.jsonl import check_exact, dumps, is_inexact
from clinlp.records.layout import record_id
from clinlp.serve.guard import Refusal, error_body
from clinlp.text.language import detect_language
from clinlp.text.sentences import split_sentences
from clinlp.text.tokens import tokenize

_OFFSETS: Final = ("tokens", "sentences")  # what an answer may hold beside a note


class Asked(NamedTuple):
    """The notes of a request; those that cannot be read are failures."""

    notes: list[Note | Failure]
    many: bool


def read_notes(body: bytes) -> Asked:
    """Read a request of one note, or of many under `notes`.

    Raises:
        Refusal: The body is no JSON in UTF-8, or the one note cannot be read.
    """
    try:
        held = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(400, "json", "a JSON object in UTF-8 needed") from None
    if not isinstance(held, dict):
        raise Refusal(422, "json", "a note as a JSON object, or notes as a list under notes, needed")
    records, many = _records(held)

    @cache
    def exact() -> list[Any] | None:
        """Read the body by `json`: slow, and needed for large numbers alone."""
        try:
            return _records(json.loads(body))[0]
        except RecursionError:
            return None

    return Asked([_read(record, at, exact) for at, record in enumerate(records)], many)


def _records(held: dict[str, Any]) -> tuple[list[Any], bool]:
    """Give the records of a body, and whether it may hold many."""
    if isinstance(held.get("notes"), list) and not isinstance(held.get("text"), str):
        return held["notes"], True
    return [held], False


def _refuse_inexact(record: Any, at: int, exact: Callable[[], list[Any] | None]) -> None:
    """Refuse a record with a whole number that is not what the body says; the body is read again at most once."""
    if is_inexact(record):
        others = exact()
        if others is None:
            raise DataError("record has a large number and stands beside one that is too deeply nested")
        check_exact(record, others[at])


def _read(record: Any, at: int, exact: Callable[[], list[Any] | None]) -> Note | Failure:
    note_id = str(at + 1)
    try:
        _refuse_inexact(record, at, exact)
        note = from_record(record, note_id=note_id)
        dumps(dict(note.fields), f"note {note.note_id}")  # one that no answer could hold: others are not to meet it
    except Exception as error:  # noqa: BLE001  one bad note never stops the others
        return Failure.of(error, stage="read", note_id=record_id(record) or note_id)
    return note


def written(result: Note | Failure, *, tokens: bool) -> bytes | Failure:
    """Write a note as the answers hold it; a failure stays one."""
    if isinstance(result, Failure):
        return result
    record: dict[str, Any] = to_record(result)
    for name in _OFFSETS:
        record["fields"].pop(name, None)  # of another run, over another text
    if tokens:
        record["tokens"] = tokenize(result.text)
        record["sentences"] = split_sentences(result.text, result.lang or detect_language(result.text))
    try:
        return dumps(record, f"note {result.note_id}")
    except DataError as error:
        return Failure.of(error, stage="write", note_id=result.note_id)


def answer_one(result: bytes | Failure, request_id: str) -> tuple[int, bytes]:
    """Give the answer to the one note of a request, and the status that says what became of it."""
    if isinstance(result, bytes):
        return 200, result
    refusal = Refusal(_status(result), result.error, result.reason or f"the note failed in stage {result.stage}")
    return refusal.status, error_body(refusal, request_id, note_id=result.note_id, stage=result.stage)


def answer_many(results: Sequence[bytes | Failure]) -> bytes:
    """Give the answer to many notes, in their order."""
    return b'{"notes":[' + b",".join(map(_entry, results)) + b"]}"


def _entry(result: bytes | Failure) -> bytes:
    if isinstance(result, bytes):
        return result
    failure = {"stage": result.stage, "error": result.error, "reason": result.reason}
    return orjson.dumps({"note_id": result.note_id, "failure": failure})


def _status(failure: Failure) -> int:
    """The client's fault where the note cannot be read or our own error says so of it, else ours."""
    ours = failure.error in ("UsageError", "MissingExtraError")  # a model that does not load, say
    return 422 if failure.stage == "read" or (failure.reason and not ours) else 500
