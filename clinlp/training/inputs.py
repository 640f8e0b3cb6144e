"""What a run is made of, as numbers that change with it: a run that goes on must find all as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from clinlp.note import Note
from clinlp.training.config import FROM_SCRATCH, DiagnosisConfig, TrainConfig


def digests(config: TrainConfig, notes: Sequence[Note], dev: Sequence[Note]) -> dict[str, str]:
    """Give a number for the notes to train on, those to choose the best epoch on, and each option that names files."""
    return {"train": digest(notes), "dev": digest(dev)} | _files(config)


def digest(notes: Iterable[Note]) -> str:
    """Give a number that changes when anything of a note does that a run may read."""
    made = hashlib.blake2b(digest_size=16)
    for note in notes:
        read = (note.note_id, note.patient_id, note.lang, note.time, note.text, note.entities, note.phi, note.diagnoses)
        made.update(repr((read, dict(note.fields))).encode("utf-8", "surrogatepass"))
    return made.hexdigest()


def _files(config: TrainConfig) -> dict[str, str]:
    """Give a number of the contents of every file, other than of notes to learn, that decides what is learned."""
    encoder = () if config.encoder in FROM_SCRATCH else _paths(config.encoder)
    named = {"text": config.text, "vectors": _paths(config.vectors), "encoder": encoder}
    if isinstance(config, DiagnosisConfig):
        named |= {"codes": _paths(config.codes), "code_names": _paths(config.code_names)}
    found = {}
    for name, paths in named.items():
        made = hashlib.blake2b(digest_size=16)
        files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
        for file in (file for file in files if file.is_file()):
            with file.open("rb") as opened:
                made.update(hashlib.file_digest(opened, "blake2b").digest())
        if files:
            found[name] = made.hexdigest()
    return found


def _paths(name: str | Path | None) -> tuple[Path, ...]:
    """A path that is there; none for a hub id or no name."""
    return () if name is None or not Path(name).exists() else (Path(name),)
