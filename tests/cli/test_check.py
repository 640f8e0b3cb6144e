"""`clinlp check`: what it shows and writes, its exit codes, and never a word of a note unasked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from .cli_cases import NAME, SENTINEL, Command

EN = f"Seen: {NAME}, with chest pain and fever. {NAME} denies chest pain."
ZH = f"患者{SENTINEL}，胸痛伴发热3天。{SENTINEL}否认胸痛。"


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def troubled(tmp_path: Path) -> tuple[Path, Path]:
    """Train and dev with something of nearly every kind, in both languages."""
    rows = []
    for note_id, text, name in (("en", EN, NAME), ("zh", ZH, SENTINEL)):
        start, end = text.index(name), text.index(name) + len(name)
        spans = [[start, end, "[NAME]"], [start, end + 1, "ORG"], [start + 1, end, "X"], [start, end, "Y"]]
        rows.append(
            {"note_id": note_id, "text": text, "entities": spans, "codes": ["A1", "A1"], "patient_id": SENTINEL}
        )
    bad = {"note_id": "bad", "text": EN, "entities": [[3, 3, "X"]], "codes": ["A1"]}
    train = write(tmp_path / "train.jsonl", [*rows, *rows, bad])
    dev = write(tmp_path / "dev.jsonl", [row | {"text": f"{row['text']} .", "codes": ["B2"]} for row in rows])
    return train, dev


def test_nothing_of_a_note_is_shown_or_written_unasked(
    clinlp: Command, troubled: tuple[Path, Path], tmp_path: Path
) -> None:
    train, dev = troubled
    out = tmp_path / "found.json"
    done = clinlp("check", train, "--dev", dev, "--json", out)
    assert done.code == 0
    assert "[NAME]" in done.out
    assert "near_duplicate" in done.out
    assert SENTINEL.lower() not in (done.out + done.err + out.read_text("utf-8")).lower()
    found = json.loads(out.read_text("utf-8"))
    kinds = {each["kind"] for each in found["findings"]}
    assert {"shared_patient", "duplicate_id", "nested_span", "edge_punctuation", "empty_span"} <= kinds
    assert {"unseen_code", "differing_labels", "missing_span", "relabelled_span", "repeated_code"} <= kinds
    assert found["parts"]["train"]["n_notes"] == 4


def test_words_are_shown_when_asked_for(clinlp: Command, troubled: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    done = clinlp("check", troubled[0], "--show-text", "--json", out)
    assert SENTINEL.lower() in done.out.lower()
    assert f'"text": "{NAME},"' in out.read_text("utf-8")


def test_strict_is_for_scripts(clinlp: Command, troubled: tuple[Path, Path], good: Path) -> None:
    assert clinlp("check", troubled[0], "--strict").code == 1
    assert clinlp("check", good, "--strict").code == 0


def test_kinds_may_be_ignored(clinlp: Command, tmp_path: Path) -> None:
    text = "Chest pain. 胸痛。"
    spans = [[0, 10, "S"], [0, 5, "B"], [12, 14, "S"], [12, 13, "B"]]
    path = write(tmp_path / "nested.jsonl", [{"note_id": "a", "text": text, "entities": spans}])
    assert clinlp("check", path, "--strict").code == 1
    done = clinlp("check", path, "--strict", "--ignore", "nested_span", "--ignore", "lost_to_overlap")
    assert done.code == 0
    assert "nothing found" in done.out
    done = clinlp("check", path, "--ignore", "nested")
    assert done.code == 2
    assert "--ignore: a kind of finding needed, got nested; known are" in done.line


def test_phi_is_pointed_to_where_there_is_nothing_else(clinlp: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "phi.jsonl", [{"note_id": "a", "text": EN, "phi": [[6, 12, "NAME"]]}])
    assert clinlp("check", path).line == "clinlp: no entities; --spans phi checks the 1 PHI spans"
    done = clinlp("check", path, "--spans", "phi")
    assert done.err == ""
    assert "NAME" in done.out


@pytest.mark.parametrize(
    ("name", "data", "code", "message"),
    [
        ("none.jsonl", None, 2, "file or folder needed, got none"),
        ("empty.jsonl", b"", 1, "a file with records needed, got an empty one"),
        ("what.bin", NAME.encode(), 2, "a name that tells the format needed"),
        ("gb.csv", f"id,text\n1,姓名：李雷，{NAME}\n".encode("gb18030"), 1, "--encoding gb18030"),
        ("bad.jsonl", b'{"note_id": "a", "who": "' + NAME.encode() + b'"}\n', 1, 'line 1: record has no "text"'),
    ],
)
@pytest.mark.parametrize("as_dev", [False, True])
def test_bad_files_are_one_clear_line(
    clinlp: Command, good: Path, tmp_path: Path, name: str, data: bytes | None, code: int, message: str, as_dev: bool
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    done = clinlp("check", *((good, "--dev", path) if as_dev else (path,)))
    assert done.code == code
    assert message in done.line
    assert SENTINEL not in done.out + done.err


def test_bad_options_are_one_clear_line(clinlp: Command, good: Path, tmp_path: Path) -> None:
    assert "--encoder" not in clinlp("check", good).err
    done = clinlp("check", good, "--encoder", tmp_path / "none")
    assert (done.code, "a folder with an encoder or a hub id needed" in done.line) == (2, True)
    done = clinlp("check", good, "--similarity", "0.1")
    assert (done.code, "similarity" in done.line) == (2, True)
    done = clinlp("check", good, "--json", tmp_path / "no" / "folder.json")
    assert (done.code, "cannot be written" in done.line) == (2, True)


def test_a_bad_record_stops_nothing(clinlp: Command, good: Path) -> None:
    good.write_text(
        good.read_text("utf-8") + f'{{"note_id": "c", "text": "{NAME}", "entities": [[5, 2, "X"]]}}\n', "utf-8"
    )
    done = clinlp("check", good)
    assert done.code == 0
    assert "unreadable" in done.out
    assert "line 3: span needs 0 <= start < end, got [5, 2)" in done.out
    assert SENTINEL not in done.out
