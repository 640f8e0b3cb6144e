"""Keys: read from a file or the environment, made once, divided by purpose, and never shown."""

from __future__ import annotations

import base64
import os
import stat
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from clinlp.deid.keys import VARIABLE, Key, new_key, read_key
from clinlp.errors import UsageError

SECRET = bytes(range(200, 232))


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def key_file(folder: Path, words: bytes, mode: int = 0o600) -> Path:
    path = folder / "clinic.key"
    path.write_bytes(words)
    path.chmod(mode)
    return path


FORMS = {
    "hex": SECRET.hex().encode(),
    "capitals": SECRET.hex().upper().encode(),
    "base64": base64.b64encode(SECRET),
    "url": base64.urlsafe_b64encode(SECRET),
    "bare": base64.b64encode(SECRET).rstrip(b"="),
    "windows": b"\xef\xbb\xbf" + SECRET.hex().encode() + b"\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_read_from_a_file(tmp_path: Path, form: str) -> None:
    assert read_key(key_file(tmp_path, FORMS[form])) == Key(SECRET)


@pytest.mark.parametrize("form", ["hex", "base64", "url"])
def test_a_key_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv(VARIABLE, FORMS[form].decode())
    assert read_key() == Key(SECRET)


def test_the_file_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no key at all")
    assert read_key(key_file(tmp_path, FORMS["hex"])) == Key(SECRET)


def test_without_a_key_it_says_how_to_make_one() -> None:
    with pytest.raises(
        UsageError, match=r"a key file \(--key-file\) or CLINLP_KEY needed, got neither; make one: clin"
    ):
        read_key()


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.key: key file needed, got none; make one: clinlp key new FILE"):
        read_key(tmp_path / "none.key")


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="key file cannot be read"):
        read_key(tmp_path)


BAD = {
    "empty": b"",
    "short": SECRET.hex().encode()[:-2],
    "long": SECRET.hex().encode() + b"ab",
    "lines": SECRET.hex().encode() + b"\n" + SECRET.hex().encode(),
    "words": b"correct horse battery staple",
    "base64 of 33": base64.b64encode(SECRET + b"x"),
    "both alphabets": b"-_+/" + base64.b64encode(SECRET)[4:],
    "binary": SECRET,
    "utf-16": SECRET.hex().encode("utf-16"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_key_is_said_and_not_shown(tmp_path: Path, bad: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_key(key_file(tmp_path, BAD[bad]))
    message = str(caught.value)
    assert "a key needed (64 hex digits or the base64 of 32 bytes on one line), got something else" in message
    assert shown(message, BAD[bad]) == []
    assert caught.value.__cause__ is None
    assert shown("".join(traceback.format_exception(caught.value)), BAD[bad]) == []


def shown(message: str, secret: bytes) -> list[str]:
    """Parts of a secret, of six characters, that a message quotes."""
    words = secret.decode("latin-1")
    return [words[at : at + 6] for at in range(len(words) - 5) if words[at : at + 6] in message]


@pytest.mark.parametrize("pattern", [b"\0" * 32, b"abcd" * 8, b"0123456789abcdef"[:15] * 3])
def test_a_key_that_somebody_typed_is_refused(tmp_path: Path, pattern: bytes) -> None:
    with pytest.raises(UsageError, match="a random key needed, got one with a pattern"):
        read_key(key_file(tmp_path, pattern[:32].hex().encode()))


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, FORMS["hex"], mode)
    with pytest.raises(UsageError, match="a key that only its owner may read needed; mend it: chmod 600"):
        read_key(path)
    path.chmod(0o400)
    assert read_key(path) == Key(SECRET)


def test_a_new_key_is_private_random_and_read_back(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys = {name: new_key(tmp_path / name) for name in ("a.key", "b.key")}
    finally:
        os.umask(before)
    assert keys["a.key"] != keys["b.key"]
    for name, key in keys.items():
        assert read_key(tmp_path / name) == key
        if os.name == "posix":
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    path = key_file(tmp_path, FORMS["hex"])
    with pytest.raises(UsageError, match="a new file needed for the key, got one that is there"):
        new_key(path)
    assert path.read_bytes() == FORMS["hex"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="key file cannot be written"):
        new_key(tmp_path / "nowhere" / "clinic.key")


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(33), bytearray(32), "ab" * 16])
def test_a_key_has_32_bytes(secret: bytes) -> None:
    with pytest.raises(UsageError, match="key needs 32 bytes, got"):
        Key(secret)


def test_a_derived_key_is_hkdf_with_the_purpose() -> None:
    import hashlib
    import hmac

    extracted = hmac.digest(bytes(32), SECRET, hashlib.sha256)  # RFC 5869, section 2.2: no salt is a salt of zeros
    expected = HKDFExpand(algorithm=SHA256(), length=32, info=b"clinlp vault").derive(extracted)
    assert Key(SECRET).derive("vault") == expected


@given(st.text(max_size=20), st.text(max_size=20))
def test_each_purpose_has_its_own_key(one: str, other: str) -> None:
    key = Key(SECRET)
    assert len(key.derive(one)) == 32
    assert (key.derive(one) == key.derive(other)) == (one == other)
    assert key.derive(one) != SECRET


def test_the_secret_never_shows() -> None:
    assert repr(Key(SECRET)) == str(Key(SECRET)) == "Key()"
