"""What a job leaves behind beside its parts: the quarantine and the manifest."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, version
from io import FileIO
from pathlib import Path
from typing import Any, Final

from clinlp.errors import Failure, UsageError

QUARANTINE: Final = "quarantine.jsonl"
MANIFEST: Final = "manifest.json"
JOURNAL: Final = "journal.jsonl"
STATE: Final = ".clinlp"
"""The folder, in that of the output, with what a job needs to go on."""
_OWN: Final = ("part-*", QUARANTINE, MANIFEST, f".{MANIFEST}.tmp", f".{QUARANTINE}.tmp", f"{STATE}/*")
_PACKAGES: Final = ("clinlp-emr", "torch", "transformers", "tokenizers", "safetensors", "numpy", "orjson", "pyarrow")


def check_folder(out: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse a folder that holds something but a job that may go on, or something of the input.

    Raises:
        UsageError: So it is.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a folder needed for the output, got a file")
    for path in inputs:
        if path.exists() and path.resolve().is_relative_to(out.resolve()):
            raise UsageError(f"{out}: an output folder beside the input needed, got one that holds {path}")
    with cannot_write(out):
        if not overwrite and out.is_dir() and not (out / STATE).is_dir() and any(out.iterdir()):
            raise UsageError(f"{out}: a new or empty folder needed, got one with files in it; or say --overwrite")


def clear_folder(out: Path) -> None:
    """Remove what a job before left there, but for its journal, which is held; other files stay."""
    with cannot_write(out):
        for pattern in _OWN:
            for path in out.glob(pattern):
                if path.name != JOURNAL:
                    remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """Turn what the system says while writing into one line.

    Raises:
        UsageError: The target cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or type(error).__name__})") from None


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # has no such thing
        return
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class Quarantine:
    """Writes failures, one JSON object a line; the file is there only if there are any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    def write(self, failures: Sequence[Failure]) -> None:
        """Write failures to the end.

        Raises:
            UsageError: The file cannot be written.
        """
        if not failures:
            return
        lines = "".join(_line(quarantined(each)) for each in failures)
        with cannot_write(self.path):
            if self._file is None:
                self._file = FileIO(self.path, "w")
            _write_all(self._file, lines.encode("utf-8", "backslashreplace"))  # a lone surrogate as its JSON escape

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def write_quarantine(folder: Path, held: Iterable[Mapping[str, Any]]) -> bool:
    """Write the failures of a job, all or none; say whether there are any."""
    temporary, path = folder / f".{QUARANTINE}.tmp", folder / QUARANTINE
    n_failures = 0
    with cannot_write(folder):
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for each in held:
                file.write(_line(each))
                n_failures += 1
        if n_failures:
            temporary.replace(path)
        else:
            temporary.unlink()
            path.unlink(missing_ok=True)
    return n_failures > 0


def quarantined(failure: Failure) -> dict[str, Any]:
    """What quarantine holds of a failure: of its source the file's name alone, for folders may name patients."""
    return {
        "note_id": failure.note_id,
        "source": Path(failure.source).name,
        "line": failure.line,
        "stage": failure.stage,
        "error": failure.error,
        "reason": failure.reason,
    }


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what is needed to say where an output came from."""
    temporary = folder / f".{MANIFEST}.tmp"
    with cannot_write(folder):
        text = json.dumps(facts, indent=1, ensure_ascii=False, default=str)
        temporary.write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")
        temporary.replace(folder / MANIFEST)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that an output depends on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def weights(name: str) -> dict[str, str]:
    """Say which weights a model has: a name may mean others tomorrow."""
    from clinlp.models.store import WEIGHT_FILES, find_model

    folder = find_model(name)
    own, graph = (folder / file for file in WEIGHT_FILES)
    held = {"sha256": digest(own)} | ({"graph_sha256": digest(graph)} if graph.is_file() else {})
    members = sorted(folder.glob(f"*/{own.name}"))  # of an ensemble
    return held | {f"{path.parent.name}_sha256": digest(path) for path in members}


def _line(held: Mapping[str, Any]) -> str:
    return json.dumps(held, ensure_ascii=False) + "\n"


def _write_all(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
