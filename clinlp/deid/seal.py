"""Entries of the vault: what gives one note back, encrypted for that note and its released text alone.

An entry is encrypted with AES-256-GCM under a key derived for this purpose and a random nonce of 96
bits (NIST SP 800-38D allows 2^32 entries so under one key). The format's version, the SHA-256 of the
released text and the note's id are authenticated with it: moved to another note, or to a text that was
changed, an entry does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final

import orjson

from clinlp.deid.keys import Key
from clinlp.deid.undo import Taken, taken
from clinlp.errors import UsageError
from clinlp.note import Note
from clinlp.records.jsonl import dumps

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT: Final = "clinlp vault"
VERSION: Final = 1
_CIPHER: Final = "AES-256-GCM"
_N_NONCE: Final = 12  # bytes


def seal(original: Note, released: Note, key: Key) -> bytes:
    """One entry of a vault, as a line: all that gives the original note back, encrypted.

    Args:
        original: The note as it was read, with the `phi` from which the release was made.
        released: What is about to be released: the text of `deidentify`, and the columns, patient and
            time that may go with it.

    Raises:
        DataError: The original cannot be given back from this release; do not release it.
    """
    where = f"note {original.note_id}"
    data = dumps(taken(original, released), where)
    nonce = os.urandom(_N_NONCE)
    sealed = _cipher(key).encrypt(nonce, data, _bound_to(released))
    entry = {"v": VERSION, "note_id": released.note_id, "nonce": _base64(nonce), "data": _base64(sealed)}
    return dumps(entry, where, orjson.OPT_APPEND_NEWLINE)


def unseal(entry: dict[str, Any], released: Note, key: Key) -> Taken | None:
    """What an entry holds; None if it is not of this note and text, or was changed."""
    from cryptography.exceptions import InvalidTag

    try:
        nonce = base64.b64decode(entry["nonce"], validate=True)
        data = base64.b64decode(entry["data"], validate=True)
        held: Taken = orjson.loads(_cipher(key).decrypt(nonce, data, _bound_to(released)))
    except (InvalidTag, binascii.Error, ValueError):
        return None
    return held


def read_entry(line: bytes) -> dict[str, Any] | None:
    """The entry in a line of a vault, still encrypted; None if it is none, or not whole."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(entry, dict) or entry.get("v") != VERSION or "format" in entry:
        return None
    return entry if all(isinstance(entry.get(name), str) for name in ("note_id", "nonce", "data")) else None


def header(key: Key) -> bytes:
    """The first line of a vault."""
    held = {"format": FORMAT, "v": VERSION, "cipher": _CIPHER, "check": _check_of(key)}
    return dumps(held, FORMAT, orjson.OPT_APPEND_NEWLINE)


def is_header(line: bytes) -> bool:
    """Say whether a line begins as the first line of a vault does."""
    return line.startswith(b'{"format":"%b"' % FORMAT.encode())


def check_header(line: bytes, where: str, key: Key) -> None:
    """Refuse what is no vault, and a vault of another key.

    Raises:
        UsageError: So it is.
    """
    try:
        held = orjson.loads(line)
    except orjson.JSONDecodeError:
        held = None
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise UsageError(f"{where}: a vault needed, got another file")
    if held.get("v") != VERSION or held.get("cipher") != _CIPHER:
        raise UsageError(f"{where}: a vault of version {VERSION} needed, got one of another version of clinlp")
    if not compare_digest(str(held.get("check")).encode(), _check_of(key).encode()):
        raise UsageError(f"{where}: the key that the vault was made with needed, got another key")


@lru_cache(maxsize=4)
def _cipher(key: Key) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key.derive("vault"))


@lru_cache(maxsize=4)
def _check_of(key: Key) -> str:
    """Says whether a key is the right one, and nothing about it."""
    return _base64(key.derive("vault check")[:16])


def _bound_to(released: Note) -> bytes:
    """What an entry is bound to; the parts of fixed length come first, so that no two notes share it."""
    digest = sha256(released.text.encode("utf-8", "surrogatepass")).digest()
    return f"{FORMAT} {VERSION}\n".encode() + digest + released.note_id.encode("utf-8", "surrogatepass")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
