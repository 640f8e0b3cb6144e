"""The vault: nothing at all for a wrong key, note or text, and a file that survives what happens to files."""

from __future__ import annotations

import base64
import json
import os
import stat
import traceback
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from clinlp.deid.seal import read_entry, unseal
from clinlp.deid.vault import VaultWriter, read_vault, reidentify, seal
from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note

from .vault_cases import BOTH, EN, KEY, MODES, OTHER, SENTINELS, ZH, make, no_phi, release

# fail closed


@pytest.mark.parametrize("note", BOTH, ids=lambda note: note.lang)
def test_a_text_that_was_changed_restores_nothing(tmp_path: Path, note: Note) -> None:
    released = release(note)
    path = make(tmp_path / "v", [note], [released])
    for changed in (
        replace(released, text=released.text + " "),
        replace(released, text=released.text.replace("哮", "喘").replace("asthma", "asthmA")),
        note,
    ):
        [failure] = reidentify([changed], path, KEY)
        assert isinstance(failure, Failure)
        assert "the text as it was released needed, got one that does not fit its entry" in failure.reason
        assert no_phi(repr(failure))


def test_a_note_that_is_not_in_the_vault_restores_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    [failure] = reidentify([release(ZH)], path, KEY)
    assert failure == Failure(
        "", None, "中-1", "reidentify", "DataError", "note 中-1: an entry in the vault needed, got none"
    )


def test_an_entry_that_was_moved_to_another_note_opens_nothing(tmp_path: Path) -> None:
    twin = replace(EN, note_id="en-2", text=EN.text.replace("Zyxqwv", "Rolvak"))
    released = [release(EN), release(twin)]
    assert released[0].text == released[1].text
    path = make(tmp_path / "v", [EN, twin], released)
    header, *lines = path.read_bytes().splitlines(keepends=True)
    swapped = [lines[0].replace(b"en-1", b"en-2"), lines[1].replace(b"en-2", b"en-1")]
    path.write_bytes(header + b"".join(swapped))
    results = list(reidentify(released, path, KEY))
    assert all(isinstance(result, Failure) for result in results)


def test_any_flipped_bit_opens_nothing(tmp_path: Path) -> None:
    released = release(ZH)
    path = make(tmp_path / "v", [ZH], [released])
    header, line = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(line)
    random = Random(7)  # noqa: S311  which bits, not a secret
    for name in ("nonce", "data"):
        held = bytearray(base64.b64decode(entry[name]))
        for _ in range(20):
            at, bit = random.randrange(len(held)), 1 << random.randrange(8)
            held[at] ^= bit
            path.write_bytes(header + json.dumps({**entry, name: base64.b64encode(held).decode()}).encode() + b"\n")
            held[at] ^= bit
            [failure] = reidentify([released], path, KEY)
            assert isinstance(failure, Failure)
    path.write_bytes(header + json.dumps({**entry, "data": entry["data"][:8]}).encode() + b"\n")
    [failure] = reidentify([released], path, KEY)
    assert isinstance(failure, Failure)


def test_a_wrong_key_is_said_before_any_note_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])

    def never() -> Iterable[Note]:
        pytest.fail("a note was read")
        yield EN

    with pytest.raises(UsageError, match="the key that the vault was made with needed, got another key"):
        reidentify(never(), path, OTHER)
    with pytest.raises(UsageError, match="got another key"):
        VaultWriter(path, OTHER)


def test_a_wrong_key_opens_no_entry_behind_a_right_header() -> None:
    released = release(EN)
    entry = read_entry(seal(EN, released, OTHER))
    assert entry is not None
    assert unseal(entry, released, KEY) is None
    assert unseal(entry, released, OTHER) is not None


@pytest.mark.parametrize("data", [b"", b"{}", b'{"note_id": "n", "text": "x"}\n', b"\x89PNG\r\n", b"[1]\n"])
def test_what_is_no_vault_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "v"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="v: a vault needed, got another file"):
        read_vault(path, KEY)
    if data:
        with pytest.raises(UsageError, match="v: a vault needed, got another file"):
            VaultWriter(path, KEY)
    assert path.read_bytes() == data


def test_another_version_is_said(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    path.write_bytes(path.read_bytes().replace(b'"v":1', b'"v":2', 1))
    with pytest.raises(UsageError, match="a vault of version 1 needed, got one of another version"):
        read_vault(path, KEY)


def test_a_missing_vault_or_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none: vault needed, got none"):
        reidentify([], tmp_path / "none", KEY)
    with pytest.raises(UsageError, match="vault cannot be read"):
        read_vault(tmp_path, KEY)
    with pytest.raises(UsageError, match="vault cannot be written"):
        VaultWriter(tmp_path / "nowhere" / "v", KEY)


def test_a_vault_that_another_job_writes_to_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "v"
    for _ in range(2):  # new, and added to
        with VaultWriter(path, KEY) as vault:
            vault.write([seal(EN, release(EN), KEY)])
            before = path.read_bytes()
            for key in (KEY, OTHER):
                with pytest.raises(UsageError, match=r"v: a vault of its own needed, got one that another job"):
                    VaultWriter(path, key)
            assert path.read_bytes() == before
    assert list(reidentify([release(EN)], path, KEY)) == [EN]


def test_a_failure_stays_one(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    failure = Failure("dump.jsonl", 1, "x", "read", "DataError")
    assert list(reidentify([failure, release(EN)], path, KEY)) == [failure, EN]


# the file


@pytest.mark.parametrize("n_lost", [1, 2, 30, 150])
def test_a_vault_that_was_cut_off_keeps_the_other_entries(tmp_path: Path, n_lost: int) -> None:
    released = [release(note) for note in BOTH]
    path = make(tmp_path / "v", BOTH, released)
    path.write_bytes(path.read_bytes()[:-n_lost])
    with read_vault(path, KEY) as vault:
        whole = n_lost == 1  # the line's end alone
        assert (vault.n_entries, vault.n_broken) == (1 + whole, 1 - whole)
    results = list(reidentify(released, path, KEY))
    assert results[0] == EN
    assert isinstance(results[1], Note) == whole
    make(path, [ZH], [released[1]])  # the job goes on
    assert list(reidentify(released, path, KEY)) == list(BOTH)


def test_no_plain_word_is_in_the_vault(tmp_path: Path) -> None:
    released = [release(note, mode) for note in BOTH for mode in MODES]
    path = make(tmp_path / "v", [note for note in BOTH for _ in MODES], released)
    data = path.read_bytes()
    for words in (*SENTINELS, "asthma", "哮喘", "2019", "ward", "p-90417735"):
        assert words.encode() not in data
        assert json.dumps(words).strip('"').encode() not in data
        for shift in range(3):  # in base64 a word looks like one of three things
            packed = base64.b64encode(b"\0" * shift + words.encode()).decode()
            assert packed[4:-4].encode() not in data or len(packed) <= 12
    assert KEY.secret not in data
    assert KEY.secret.hex().encode() not in data
    assert base64.b64encode(KEY.secret) not in data


def test_no_nonce_comes_twice() -> None:
    released = release(EN)
    entries = [read_entry(seal(EN, released, KEY)) for _ in range(200)]
    nonces = {entry["nonce"] for entry in entries if entry is not None}
    assert len(nonces) == 200
    assert all(len(base64.b64decode(nonce)) == 12 for nonce in nonces)


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
def test_a_vault_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = make(tmp_path / "v", [EN], [release(EN)])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_disk_is_said() -> None:
    with pytest.raises(UsageError, match="vault cannot be written"):
        VaultWriter(Path("/dev/full"), KEY)


@pytest.mark.skipif(os.name != "posix", reason="no limit of a file's size here")
def test_an_entry_that_did_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    import resource

    path = make(tmp_path / "v", [EN], [release(EN)])
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with VaultWriter(path, KEY) as vault:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
        try:
            with pytest.raises(UsageError, match="vault cannot be written"):
                vault.write([seal(ZH, release(ZH), KEY)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before


def test_errors_hold_neither_words_nor_key(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    bad = replace(release(EN), text=EN.text)
    said = []
    for act in (
        lambda: read_vault(path, OTHER),
        lambda: read_vault(path, KEY).restore(bad),
        lambda: seal(EN, bad, KEY),
    ):
        with pytest.raises((UsageError, DataError)) as caught:
            act()
        said.append("".join(traceback.format_exception(caught.value)))
        assert repr(caught.value.args)
    for words in (*SENTINELS, KEY.secret.hex(), repr(KEY.secret), OTHER.secret.hex(), repr(OTHER.secret)):
        assert not any(words in each.replace(str(tmp_path), "") for each in said)
