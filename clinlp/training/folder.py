"""The folder of a run: its config, its log, its best model; each whole or as it was before."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clinlp.data.pieces import PieceReader
from clinlp.errors import DataError, UsageError
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.patients import PatientDiagnoser
from clinlp.models.store import save_model, write_whole
from clinlp.models.tagger import Tagger
from clinlp.note import Note
from clinlp.training.config import DiagnosisConfig, TrainConfig
from clinlp.training.inputs import digest, digests

FREE = frozenset(
    {"out", "checkpoint_steps", "keep_checkpoints", "tracker", "baselines", "join"}
)  # have no part in the weights
_LOG = "log.jsonl"
_INPUTS = "inputs.json"


def prepare(config: TrainConfig, notes: Sequence[Note], dev: Sequence[Note], *, resume: bool) -> None:
    """Make the run's folder and keep there what the run is made of; a resumed run must be made of the same.

    Args:
        notes: Those to train on.
        dev: Those to choose the best epoch on.

    Raises:
        UsageError: The folder cannot be written or holds another run, or what the resumed run is made of differs.
    """
    said = config.model_dump(mode="json")
    kept, inputs = config.out / "config.json", config.out / _INPUTS
    read = digests(config, notes, dev)
    if resume and kept.is_file():
        held = _held(kept)
        # an option that came after the run was begun has its default there
        fields = {key: field for key, field in type(config).model_fields.items() if not field.is_required()}
        blank = {key: json.loads(json.dumps(field.default, default=str)) for key, field in fields.items()}
        for key in (key for key in said if held.get(key, blank.get(key)) != said[key] and key not in FREE):
            raise UsageError(f"{kept}: --resume needs the same {key}, got another value")
        before = _held(inputs) if inputs.is_file() else read  # a run of an older version did not keep them
        for key in (key for key in read if before.get(key) != read[key]):
            raise UsageError(f"{inputs}: --resume needs the same {key} as when the run began, got other contents")
        return
    if (config.out / "best").exists() or any(config.out.glob("checkpoint-*")):
        raise UsageError(f"{config.out}: a new folder needed, got one with a run; --resume goes on with it")
    try:
        config.out.mkdir(parents=True, exist_ok=True)
        write_whole(inputs, json.dumps(read, indent=1))
        write_whole(kept, json.dumps(said, indent=1))
        (config.out / _LOG).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{config.out}: a folder that can be written needed, got {error.strerror}") from None


def joined_inputs(config: DiagnosisConfig, notes: Sequence[Note], dev: Sequence[Note]) -> list[str]:
    """See that models to be joined learned from the same notes: one that saw dev would weigh too much.

    Returns:
        Which of them do not say what they learned from.

    Raises:
        UsageError: One learned from other notes.
    """
    said = []
    read = {"train": digest(notes), "dev": digest(dev)} if config.join else {}
    for folder in config.join:
        kept = folder.resolve().parent / _INPUTS
        held = _held(kept) if kept.is_file() else {}
        for name in (name for name, number in read.items() if held.get(name, number) != number):
            raise UsageError(f"join: {folder}: the {name} notes of this run needed, got others")
        if not held:
            said.append(f"join: {folder} does not say which notes it learned from; they need to be those of this run")
    return said


def _held(path: Path) -> dict[str, Any]:
    """Read what a run keeps of how it was begun.

    Raises:
        UsageError: The file is damaged.
    """
    try:
        held: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return dict(held)
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{path}: the file that the run wrote needed, got a damaged one; begin anew elsewhere"
        ) from None


def is_whole(folder: Path) -> bool:
    """Whether `save_epoch` wrote all of a folder: what it moves there comes out of one beside it, which goes last."""
    return folder.is_dir() and not folder.with_name(f"{folder.name}.part").exists()


def save_epoch(
    folder: Path, model: Tagger | Diagnoser | PatientDiagnoser, reader: PieceReader, scores: Mapping[str, float]
) -> None:
    """Write the best model so far, or the last; the one before it goes when the new one is whole.

    Raises:
        DataError: It could not be written.
    """
    with writing(folder.with_name(f"{folder.name}.part"), f"the {folder.name} model") as part:
        save_model(part, model)
        reader.save(part)
        write_whole(part / "scores.json", json.dumps(dict(scores), indent=1))
        folder.mkdir(exist_ok=True)
        for file in sorted(part.iterdir()):
            file.replace(folder / file.name)
        part.rmdir()


def append_log(out: Path, line: Mapping[str, Any]) -> None:
    """Add one epoch to the log.

    Raises:
        DataError: It could not be written.
    """
    try:
        with (out / _LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise DataError(f"{out / _LOG}: room for a line needed, got {error.strerror}") from None


def cut_log(out: Path, n_epochs: int) -> None:
    """Keep the lines of the first epochs: what came after the last checkpoint is run again."""
    path = out / _LOG
    if path.is_file():
        lines = path.read_text("utf-8").splitlines(keepends=True)
        write_whole(path, "".join(lines[:n_epochs]))


@contextmanager
def writing(part: Path, what: str) -> Iterator[Path]:
    """Give an empty folder to write to, which is moved to its place by the caller when all is well.

    Raises:
        DataError: Something could not be written; what was there is removed, for a disk may be full of it.
    """
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise DataError(
            f"{part.parent}: room for {what} needed, got {error.strerror or type(error).__name__}; "
            "what was written before is whole"
        ) from None


def sync(folder: Path) -> None:
    """Bring a folder's files to the disk, so that a loss of power cannot leave them empty once it has its last name."""
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
