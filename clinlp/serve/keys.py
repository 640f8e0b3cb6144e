"""API keys: hashed where they are kept, compared in constant time, shown once when they are made.

A key is 32 random bytes, so that one SHA-256 of it is as hard to turn back as a slow hash of a password.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clinlp.errors import UsageError

VARIABLE: Final = "CLINLP_API_KEY"
"""The environment variable that may hold one key."""
_LEAST: Final = 20  # characters of a key that somebody chose
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_LINE: Final = rf"({_NAME})\s+([0-9a-f]{{64}})"
_FORM: Final = "NAME and 64 hex digits needed (clinlp serve-key)"


class Keys:
    """Who may ask: names and the SHA-256 of their keys."""

    def __init__(self, hashes: Mapping[str, bytes]) -> None:
        self._hashes = dict(hashes)

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def __repr__(self) -> str:
        return f"Keys({len(self._hashes)})"

    def owner(self, key: bytes) -> str | None:
        """Give the name whose key this is; every hash is compared, so that time tells nothing."""
        hashed, found = hashlib.sha256(key).digest(), None
        for name, held in self._hashes.items():
            if hmac.compare_digest(hashed, held):
                found = name
        return found

    @classmethod
    def load(cls, path: Path | None) -> Keys:
        """Read the file of keys, and the key in the environment.

        Raises:
            UsageError: The file is missing or broken, or others may write it; or the key is too short.
        """
        hashes = {} if path is None else _read(path)
        if path is not None and not hashes:
            raise UsageError(f"{path}: keys needed, got none; make one: clinlp serve-key NAME --keys {path}")
        if (given := os.environ.get(VARIABLE)) is not None:
            if len(given) < _LEAST:
                raise UsageError(f"{VARIABLE}: a key of at least {_LEAST} characters needed, got {len(given)}")
            hashes.setdefault("environment", hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest())
        return cls(hashes)


def new_key(path: Path, name: str) -> str:
    """Make a key, add its hash to a file that only its owner may read, and give the key, which is kept nowhere.

    Raises:
        UsageError: The name is taken or none, or the file cannot be written.
    """
    if re.fullmatch(_NAME, name) is None:
        raise UsageError("NAME: up to 64 letters, digits, dots, dashes and underscores needed, got something else")
    if path.exists() and name in _read(path):
        raise UsageError(f"{path}: a new name needed, got {name}, which has a key; remove its line first")
    key = secrets.token_urlsafe(32)
    line = f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"
    try:
        if path.exists() and not path.read_bytes().endswith((b"\n", b"\r")):  # as some editors leave it
            line = f"\n{line}"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(line)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or type(error).__name__})") from None
    return key


def _read(path: Path) -> dict[str, bytes]:
    try:
        mode = path.stat().st_mode
        lines = path.read_text("ascii").splitlines()
    except FileNotFoundError:
        raise UsageError(f"{path}: file of keys needed, got none") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: {_FORM}, got something else") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(f"{path}: a file that only its owner may write needed; chmod go-w it")
    hashes: dict[str, bytes] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = re.fullmatch(_LINE, line.strip())
        if match is None:
            raise UsageError(f"{path}:{number}: {_FORM}, got something else")
        if match[1] in hashes:
            raise UsageError(f"{path}:{number}: a name of its own needed, got {match[1]} again")
        hashes[match[1]] = bytes.fromhex(match[2])
    return hashes
