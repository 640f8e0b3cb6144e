"""The encrypted file that makes a release reversible: one sealed entry a note, readable with the key alone.

The file is JSON Lines: a header with a check of the key, then one entry a line (`clinlp.deid.seal`):

    {"format": "clinlp vault", "v": 1, "cipher": "AES-256-GCM", "check": ...}
    {"v": 1, "note_id": ..., "nonce": ..., "data": ...}

Two vaults made with the same key may be joined with `cat`.

How a job writes one: `seal` gives an entry as bytes, wherever the note was released (a worker process
reads the key by its path), and one process appends them, before the released notes are written:

    with VaultWriter(path, key) as vault:
        for lines, notes in chunks:  # lines: seal(original, released, key) of each note
            vault.write(lines)
            output.write(notes)

Not hidden: how many notes there are, their ids, and about how much was taken from each.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, Final, Self

from clinlp.deid.keys import Key
from clinlp.deid.seal import check_header, header, is_header, read_entry, seal, unseal
from clinlp.deid.undo import give_back
from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note
from clinlp.records.files import lock

__all__ = ["Vault", "VaultWriter", "read_vault", "reidentify", "restore", "seal"]

_N_HEADER: Final = 4096  # bytes at most


class VaultWriter:
    """Appends sealed entries to a vault; one job at a time may hold it.

    A new vault is readable by its owner alone. One that is there is added to if it was made with the
    same key, and never replaced: a release made before would no longer be reversible.
    """

    def __init__(self, path: Path, key: Key) -> None:
        """Open the vault, new or old.

        Raises:
            UsageError: It cannot be written, is no vault, is one of another key, or another job holds it.
        """
        self.path = path
        try:
            self._file = FileIO(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600), "a"
            )
        except OSError as error:
            raise _cannot("written", path, error) from None
        try:
            self._append(self._take(key))
        except BaseException:
            self._file.close()
            raise

    def write(self, lines: Iterable[bytes]) -> None:
        """Append entries, each from `seal`; when this returns they are on the disk.

        Raises:
            UsageError: The disk takes no more, say; what was written before stays good.
        """
        self._append(b"".join(lines))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, key: Key) -> bytes:
        """Take the vault for this process alone and check its key; give what is to be written before any entry."""
        if not lock(self._file.fileno()):
            raise UsageError(f"{self.path}: a vault of its own needed, got one that another job is writing to")
        if not os.fstat(self._file.fileno()).st_size:
            return header(key)
        with _open(self.path) as file:
            check_header(file.readline(_N_HEADER), str(self.path), key)
            file.seek(-1, os.SEEK_END)
            # a job before was cut off: what follows must not join its last line
            return b"" if file.read(1) == b"\n" else b"\n"

    def _append(self, data: bytes) -> None:
        if not data:
            return
        size = os.fstat(self._file.fileno()).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(size)  # no half entry stays
            raise _cannot("written", self.path, error) from None


class Vault:
    """A vault opened for reading: gives originals back, in any order of the notes.

    Of each entry only 16 bytes are held in memory: a digest of its note's id, and where it lies.

    Attributes:
        n_entries: Entries in the file.
        n_broken: Lines that are none, such as one that was cut off when a job was killed.
    """

    def __init__(self, path: Path, key: Key) -> None:
        """Check the key and list the entries.

        Raises:
            UsageError: There is no vault, or it was made with another key.
        """
        self.path, self._key = path, key
        self.n_broken = 0
        digests, places = array("Q"), array("Q")
        self._file = _open(path)
        try:
            check_header(self._file.readline(_N_HEADER), str(path), key)
            at = self._file.tell()
            for line in self._file:
                entry = read_entry(line)
                if entry is not None:
                    digests.append(_digest(entry["note_id"]))
                    places.append(at)
                elif is_header(line):  # two vaults joined
                    check_header(line, str(path), key)
                elif line.strip():
                    self.n_broken += 1
                at += len(line)
        except OSError as error:
            self._file.close()
            raise _cannot("read", path, error) from None
        except UsageError:
            self._file.close()
            raise
        self.n_entries = len(places)
        self._index(digests, places)

    def restore(self, released: Note) -> Note:
        """The original of a released note; of several entries for it, the last that fits counts.

        Raises:
            DataError: There is no entry for this note, or none that fits this text: nothing is restored.
        """
        n_found = 0
        for entry in self._entries(released.note_id):
            n_found += 1
            if (held := unseal(entry, released, self._key)) is not None:
                return give_back(released, held)
        if n_found:
            raise DataError(
                f"note {released.note_id}: the text as it was released needed, got one that does not fit its entry; "
                "the text or the vault was changed"
            )
        raise DataError(f"note {released.note_id}: an entry in the vault needed, got none")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _index(self, digests: array[int], places: array[int]) -> None:
        import numpy as np

        by_digest = np.frombuffer(digests, np.uint64) if digests else np.empty(0, np.uint64)
        order = np.argsort(by_digest, kind="stable")  # stable: of one note, the later entry stays behind
        self._digests = by_digest[order]
        self._places = (np.frombuffer(places, np.uint64) if places else np.empty(0, np.uint64))[order]

    def _entries(self, note_id: str) -> Iterator[dict[str, Any]]:
        """The entries of a note, the last one first."""
        digest = self._digests.dtype.type(_digest(note_id))
        first = int(self._digests.searchsorted(digest, "left"))
        after = int(self._digests.searchsorted(digest, "right"))
        for place in reversed(self._places[first:after].tolist()):
            self._file.seek(place)
            entry = read_entry(self._file.readline())
            if entry is not None and entry["note_id"] == note_id:
                yield entry


def read_vault(path: Path, key: Key) -> Vault:
    """Open a vault for reading.

    Raises:
        UsageError: There is no vault, or it was made with another key.
    """
    return Vault(path, key)


def reidentify(released: Iterable[Note | Failure], vault: Path, key: Key) -> Iterator[Note | Failure]:
    """The original of each released note, in order; a note that cannot be restored whole is a failure.

    Nothing is restored by halves: a note without an entry, or with a text that is not the one that was
    released, gives a `Failure`, as does whatever else goes wrong with it. What came as a failure stays one.

    Raises:
        UsageError: There is no vault, or it was made with another key; raised before any note is read.
    """
    return _restored(released, Vault(vault, key))


def restore(vault: Vault, released: Note) -> Note | Failure:
    """The original of a released note, or why there is none."""
    try:
        return vault.restore(released)
    except Exception as error:  # noqa: BLE001  one bad note never stops the others
        return Failure.of(error, stage="reidentify", note_id=released.note_id)


def _restored(released: Iterable[Note | Failure], vault: Vault) -> Iterator[Note | Failure]:
    with vault:
        for note in released:
            yield restore(vault, note) if isinstance(note, Note) else note


def _digest(note_id: str) -> int:
    """A digest of 8 bytes; two ids that share it cost one look more, for the entry itself tells."""
    return int.from_bytes(blake2b(note_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _open(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UsageError(f"{path}: vault needed, got none") from None
    except OSError as error:
        raise _cannot("read", path, error) from None


def _cannot(what: str, path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: vault cannot be {what} ({error.strerror or type(error).__name__})")
