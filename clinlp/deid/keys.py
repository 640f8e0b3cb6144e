"""The secret behind surrogates, date shifts and the vault: read, made and divided by purpose."""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clinlp.errors import UsageError

VARIABLE: Final = "CLINLP_KEY"
"""The environment variable that holds the key where no file is named."""

_N_BYTES: Final = 32
_N_DIFFERENT: Final = 16  # of 32 random bytes, fewer different ones than this come once in 10^16 keys
_N_READ: Final = 4096  # of a key file; a key has 64 characters at most
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAKE_ONE: Final = "make one: clinlp key new FILE"
_WRITTEN: Final = "64 hex digits or the base64 of 32 bytes on one line"


@dataclass(frozen=True, slots=True)
class Key:
    """32 secret bytes, never used as they are: each purpose gets a key of its own from `derive`.

    A worker process reads the key itself, by its path, so that no secret goes through a queue.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if type(self.secret) is not bytes:
            raise UsageError(f"key needs {_N_BYTES} bytes, got {type(self.secret).__name__}")
        if len(self.secret) != _N_BYTES:
            raise UsageError(f"key needs {_N_BYTES} bytes, got {len(self.secret)}")

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose: the same each time, and of no help in finding the key or another purpose's.

        Source: Krawczyk & Eronen (2010), HKDF, RFC 5869; with SHA-256 and the purpose as `info`.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(algorithm=SHA256(), length=_N_BYTES, salt=None, info=f"clinlp {purpose}".encode()).derive(
            self.secret
        )


def read_key(path: Path | None = None) -> Key:
    """The key in a file, or without a file the one in the environment variable `CLINLP_KEY`.

    A file that others than its owner may read or write is refused, as ssh does. Where every file is
    open to all (a drive without access modes, a mounted secret), use the variable.

    Raises:
        UsageError: There is no key, it is not one, or others may read it. The message quotes nothing
            of what was read.
    """
    if path is not None:
        return _parse(_read_private(path), str(path))
    held = os.environ.get(VARIABLE)
    if not held:
        raise UsageError(f"key: a key file (--key-file) or {VARIABLE} needed, got neither; {_MAKE_ONE}")
    return _parse(os.fsencode(held), VARIABLE)


def new_key(path: Path) -> Key:
    """Write a new random key to a new file that only its owner may read, and give it.

    There is no way to replace a key: what it has sealed could never be opened again.

    Raises:
        UsageError: The file is there already, or cannot be written.
    """
    key = Key(secrets.token_bytes(_N_BYTES))
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path}: a new file needed for the key, got one that is there") from None
    except OSError as error:
        raise _cannot("written", path, error) from None
    try:
        with os.fdopen(number, "wb") as file:
            file.write(key.secret.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _cannot("written", path, error) from None
    return key


def _read_private(path: Path) -> bytes:
    """Read a file, after a look at who else may: at the file that is open, not at one put in its place since."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise UsageError(f"{path}: a key that only its owner may read needed; mend it: chmod 600 {path}")
            return file.read(_N_READ)
    except FileNotFoundError:
        raise UsageError(f"{path}: key file needed, got none; {_MAKE_ONE}") from None
    except OSError as error:
        raise _cannot("read", path, error) from None


def _parse(held: bytes, where: str) -> Key:
    words = held.removeprefix(b"\xef\xbb\xbf").strip()
    secret = b""
    if re.fullmatch(rb"[0-9a-fA-F]{64}", words):
        secret = bytes.fromhex(words.decode())
    elif re.fullmatch(rb"(?:[A-Za-z0-9+/]{43}|[A-Za-z0-9_-]{43})=?", words):
        secret = base64.b64decode(words[:43].translate(bytes.maketrans(b"-_", b"+/")) + b"=")
    if len(secret) != _N_BYTES:
        raise UsageError(f"{where}: a key needed ({_WRITTEN}), got something else; {_MAKE_ONE}")
    if len(set(secret)) < _N_DIFFERENT:
        raise UsageError(f"{where}: a random key needed, got one with a pattern; {_MAKE_ONE}")
    return Key(secret)


def _cannot(what: str, path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: key file cannot be {what} ({error.strerror or type(error).__name__})")
