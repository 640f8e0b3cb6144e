"""What a job leaves behind: parts that appear whole, the quarantine, the manifest."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, version
from io import FileIO
from pathlib import Path
from typing import Any, Final

from clinlp.errors import Failure, UsageError

QUARANTINE: Final = "quarantine.jsonl"
MANIFEST: Final = "manifest.json"
_OWN: Final = ("part-*.jsonl", ".part-*.jsonl.tmp", QUARANTINE, MANIFEST)
_PACKAGES: Final = ("clinlp-emr", "torch", "transformers", "tokenizers", "safetensors", "numpy", "orjson", "pyarrow")


def check_folder(out: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse a folder that holds something, or something of the input.

    Raises:
        UsageError: So it is.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a folder needed for the output, got a file")
    for path in inputs:
        if path.exists() and path.resolve().is_relative_to(out.resolve()):
            raise UsageError(f"{out}: an output folder beside the input needed, got one that holds {path}")
    with cannot_write(out):
        if not overwrite and out.is_dir() and any(out.iterdir()):
            raise UsageError(f"{out}: a new or empty folder needed, got one with files in it; or say --overwrite")


def prepare_folder(out: Path) -> None:
    """Make the folder, and remove what a job before left there; other files stay."""
    with cannot_write(out):
        out.mkdir(parents=True, exist_ok=True)
        for pattern in _OWN:
            for path in out.glob(pattern):
                path.unlink()


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


class Parts:
    """Writes `part-NNNNN.jsonl`, each under a temporary name until it is full.

    Attributes:
        written: Notes of each part that has its name.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        """Write parts of at most `limit` notes."""
        self._folder, self._limit = folder, limit
        self._file: FileIO | None = None
        self._n = self._size = 0  # notes and bytes that are whole in the open part
        self.written: dict[str, int] = {}

    def write(self, lines: Sequence[bytes]) -> None:
        """Write lines to the end.

        Raises:
            UsageError: The disk takes no more, say; what was written before stays good.
        """
        with cannot_write(self._folder):
            while lines:
                if self._n == self._limit:
                    self._publish()
                if self._file is None:
                    self._file = FileIO(self._temporary(), "w")
                now, lines = lines[: self._limit - self._n], lines[self._limit - self._n :]
                data = b"".join(now)
                _write_all(self._file, data)
                self._n, self._size = self._n + len(now), self._size + len(data)

    def close(self) -> None:
        """Give the open part its name, without what a full disk left of a line."""
        if self._file is None:
            return
        with cannot_write(self._folder):
            self._file.truncate(self._size)
            if self._n:
                self._publish()
            else:
                self._file.close()
                self._temporary().unlink()

    def _publish(self) -> None:
        """Give the open part its name."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            temporary, name = self._temporary(), f"part-{len(self.written):05}.jsonl"
            temporary.replace(self._folder / name)
            self.written[name] = self._n
        self._file, self._n, self._size = None, 0, 0

    def _temporary(self) -> Path:
        return self._folder / f".part-{len(self.written):05}.jsonl.tmp"


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
        lines = "".join(json.dumps(_quarantined(each), ensure_ascii=False) + "\n" for each in failures)
        with cannot_write(self.path):
            if self._file is None:
                self._file = FileIO(self.path, "w")
            _write_all(self._file, lines.encode("utf-8", "backslashreplace"))  # a lone surrogate as its JSON escape

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


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


def _write_all(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _quarantined(failure: Failure) -> dict[str, Any]:
    held = asdict(failure)
    return {name: held[name] for name in ("note_id", "source", "line", "stage", "error", "reason")}
