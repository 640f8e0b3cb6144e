"""`clinlp key` and `clinlp reidentify`: whole originals in every format, and one clear line for what is wrong."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from clinlp.deid import deidentify
from clinlp.deid.keys import VARIABLE, Key, new_key, read_key
from clinlp.deid.vault import VaultWriter, seal
from clinlp.note import Note
from clinlp.records import WriteOptions, read_notes, write_notes
from clinlp.spans import Span

from .cli_cases import NAME, SENTINEL, Command

ZH_NAME = "祁缇澜"
ORIGINALS = (
    Note(
        "a", f"{NAME}, 7b, has asthma.\r\nSeen.", "p1", "en", phi=(Span(0, 13, "NAME"),), fields={"ward": NAME, "n": 3}
    ),
    Note("b", f"患者{ZH_NAME}，患哮喘。", None, "zh", phi=(Span(2, 5, "NAME"),), fields={"ward": ZH_NAME, "n": 4}),
)


class Place:
    """A folder with a key, a vault and a release."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key_file, self.vault = folder, folder / "clinic.key", folder / "clinic.vault"
        self.key = new_key(self.key_file)
        self.released = [
            replace(deidentify(note), patient_id=None, fields={"n": note.fields["n"]}) for note in ORIGINALS
        ]
        with VaultWriter(self.vault, self.key) as vault:
            vault.write(seal(*pair, self.key) for pair in zip(ORIGINALS, self.released, strict=True))

    def release(self, name: str, notes: Sequence[Note] | None = None, options: WriteOptions | None = None) -> Path:
        path = self.folder / name
        write_notes(self.released if notes is None else notes, path, options or WriteOptions())
        return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv(VARIABLE, raising=False)
    return Place(tmp_path)


def test_a_new_key_is_made_once_and_not_shown(clinlp: Command, tmp_path: Path) -> None:
    path = tmp_path / "clinic.key"
    done = clinlp("key", "new", path)
    assert done.code == 0
    assert f"a new key is in {path}; keep a copy apart from the vault" in done.out
    secret = read_key(path).secret.hex()
    again = clinlp("key", "new", path)
    assert again.code == 2
    assert again.line == f"clinlp: {path}: a new file needed for the key, got one that is there"
    assert read_key(path).secret.hex() == secret
    assert not any(secret[:8] in said for said in (*done, *again) if isinstance(said, str))


@pytest.mark.parametrize("command", [("key",), ("key", "new"), ("reidentify",)])
def test_help_shows(clinlp: Command, command: tuple[str, ...]) -> None:
    done = clinlp(*command, "-h")
    assert done.code == 0
    assert "Usage: clinlp" in done.out


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "csv", "tsv", "parquet", "arrow"])
def test_every_format_comes_back_whole(clinlp: Command, place: Place, ending: str) -> None:
    released = place.release(f"released.{ending}")
    out = place.folder / f"back.{ending}"
    done = clinlp("reidentify", released, "--vault", place.vault, "--key-file", place.key_file, "-o", out)
    assert (done.code, done.err) == (0, "")
    assert f"2 notes restored in {out}" in done.out
    assert list(read_notes(out)) == list(ORIGINALS)


@pytest.mark.parametrize("kind", ["txt", "brat"])
def test_a_folder_of_texts_comes_back(clinlp: Command, place: Place, kind: str) -> None:
    released = place.release("released", options=WriteOptions(format=kind))
    out = place.folder / "back.jsonl"
    done = clinlp(
        "reidentify", released, "--from", kind, "--vault", place.vault, "--key-file", place.key_file, "-o", out
    )
    assert (done.code, done.err) == (0, "")
    back = list(read_notes(out))
    assert [note.text for note in back] == [note.text for note in ORIGINALS]
    assert [note.patient_id for note in back] == ["p1", None]
    assert [dict(note.fields) for note in back] == [dict(note.fields) for note in ORIGINALS]


def test_the_key_may_come_from_the_environment(clinlp: Command, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, place.key.secret.hex())
    out = place.folder / "back.jsonl"
    released = place.release("released.jsonl", place.released[::-1])
    assert clinlp("reidentify", released, "--vault", place.vault, "-o", out).code == 0
    assert list(read_notes(out)) == list(ORIGINALS[::-1])


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
def test_what_is_restored_is_for_its_owner_alone(clinlp: Command, place: Place) -> None:
    changed = [place.released[0], replace(place.released[1], text=f"{NAME} was here")]
    out = place.folder / "back.jsonl"
    before = os.umask(0o022)
    try:
        arguments = ("--vault", place.vault, "--key-file", place.key_file, "-o", out)
        assert clinlp("reidentify", place.release("r.jsonl", changed), *arguments).code == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.folder.glob("back.*")} == {0o600}


def test_what_cannot_be_restored_goes_to_quarantine(clinlp: Command, place: Place) -> None:
    released = place.release(
        "released.jsonl",
        [
            replace(place.released[0], text=f"{NAME} was here"),
            place.released[1],
            replace(place.released[1], note_id="c"),
        ],
    )
    with released.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"note_id": "d", "who": NAME}) + "\n")
    out = place.folder / "back.jsonl"
    done = clinlp("reidentify", released, "--vault", place.vault, "--key-file", place.key_file, "-o", out)
    assert done.code == 0
    assert list(read_notes(out)) == [ORIGINALS[1]]
    quarantine = place.folder / "back.quarantine.jsonl"
    assert done.line.startswith(
        f"clinlp: 3 of 4 records went to {quarantine}; the first: {released}:1: note a: the text"
    )
    failures = [json.loads(line) for line in quarantine.read_text("utf-8").splitlines()]
    assert [(each["note_id"], each["line"], each["stage"]) for each in failures] == [
        ("a", 1, "reidentify"),
        ("c", 3, "reidentify"),
        ("d", 4, "read"),
    ]
    assert {each["source"] for each in failures} == {released.name}
    assert SENTINEL not in done.out + done.err + quarantine.read_text("utf-8")


def test_nothing_restored_is_bad_data(clinlp: Command, place: Place) -> None:
    released = place.release("released.jsonl", [Note("x", NAME)])
    out = place.folder / "back.jsonl"
    done = clinlp("reidentify", released, "--vault", place.vault, "--key-file", place.key_file, "-o", out)
    assert done.code == 1
    assert "no note could be restored; see" in done.err
    assert SENTINEL not in done.out + done.err


def test_a_cut_vault_is_said_and_the_rest_restored(clinlp: Command, place: Place) -> None:
    place.vault.write_bytes(place.vault.read_bytes()[:-20])
    out = place.folder / "back.jsonl"
    released = place.release("released.jsonl")
    done = clinlp("reidentify", released, "--vault", place.vault, "--key-file", place.key_file, "-o", out)
    assert done.code == 0
    assert f"clinlp: {place.vault}: 1 of its entries is cut off or damaged and cannot be used" in done.err
    assert list(read_notes(out)) == [ORIGINALS[0]]


def usage(arguments: str, message: str, code: int = 2) -> object:
    return pytest.param(arguments.split(), message, code, id=arguments)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        usage(
            "RELEASED --vault VAULT --key-file WRONG -o OUT", "the key that the vault was made with needed, got anot", 2
        ),
        usage("RELEASED --vault VAULT -o OUT", "a key file (--key-file) or CLINLP_KEY needed, got neither"),
        usage("RELEASED --vault VAULT --key-file VAULT -o OUT", "a key needed (64 hex digits"),
        usage("RELEASED --vault VAULT --key-file OPEN -o OUT", "a key that only its owner may read needed"),
        usage("RELEASED --vault VAULT --key-file nowhere -o OUT", "nowhere: key file needed, got none"),
        usage("RELEASED --vault RELEASED --key-file KEY -o OUT", "a vault needed, got another file"),
        usage("RELEASED --vault nowhere --key-file KEY -o OUT", "nowhere: vault needed, got none"),
        usage("nowhere --vault VAULT --key-file KEY -o OUT", "nowhere: file or folder needed, got none"),
        usage("RELEASED --vault VAULT --key-file KEY -o out.xyz", "a name that tells the format needed"),
        usage("RELEASED --vault VAULT --key-file KEY -o RELEASED", "a new file needed for the output, got one that is"),
        usage("RELEASED --vault VAULT --key-file KEY -o RELEASED --overwrite", "an output beside the release needed"),
        usage("RELEASED --vault VAULT --key-file KEY -o VAULT --overwrite", "an output beside the release needed"),
        usage("RELEASED --vault VAULT --key-file KEY -o KEY --overwrite", "an output beside the release needed"),
        usage("RELEASED --key-file KEY -o OUT", "Missing option '--vault'"),
        usage("RELEASED --vault VAULT --key-file KEY", "Missing option '--out'"),
    ],
)
def test_bad_usage_is_one_clear_line(
    clinlp: Command, place: Place, arguments: list[str], message: str, code: int
) -> None:
    released, out = place.release("released.jsonl"), place.folder / "back.jsonl"
    new_key(place.folder / "wrong.key")
    (place.folder / "open.key").write_text(place.key.secret.hex())
    (place.folder / "open.key").chmod(0o644)
    places = {
        "RELEASED": released,
        "VAULT": place.vault,
        "WRONG": place.folder / "wrong.key",
        "OPEN": place.folder / "open.key",
        "KEY": place.key_file,
        "OUT": out,
    }
    before = {path: path.read_bytes() for path in place.folder.iterdir()}
    done = clinlp("reidentify", *(places.get(each, each) for each in arguments))
    assert done.code == code
    assert done.line.startswith("clinlp: ")
    assert message in done.line
    assert {path: path.read_bytes() for path in place.folder.iterdir()} == before
    assert no_secret(done.out + done.err, place.key)
    assert SENTINEL not in done.out + done.err


def no_secret(said: str, key: Key) -> bool:
    return key.secret.hex()[:8] not in said and repr(key.secret)[2:-1] not in said


N_NOTES = 20_000


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupt_keeps_what_is_restored(tmp_path: Path) -> None:
    key, vault, out = new_key(tmp_path / "key"), tmp_path / "clinic.vault", tmp_path / "back.jsonl"
    originals = [replace(ORIGINALS[at % 2], note_id=f"n{at}") for at in range(N_NOTES)]
    released = [deidentify(note) for note in originals]
    with VaultWriter(vault, key) as writer:
        writer.write(seal(*pair, key) for pair in zip(originals, released, strict=True))
    write_notes(released, tmp_path / "released.jsonl")
    arguments = ["reidentify", "released.jsonl", "--vault", "clinic.vault", "--key-file", "key", "-o", "back.jsonl"]
    with subprocess.Popen(
        [sys.executable, "-m", "clinlp", *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as running:
        while running.poll() is None and not any(part.stat().st_size for part in tmp_path.glob(".back.jsonl.*")):
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "notes are finished and kept in back.jsonl" in err
    back = list(read_notes(out))
    assert 0 < len(back) < N_NOTES
    assert back == originals[: len(back)]
    assert not list(tmp_path.glob(".*"))
