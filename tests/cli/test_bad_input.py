"""Every kind of bad input: one clear line, the right exit code, and never a word of the note."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clinlp.records import from_record

from .cli_cases import NAME, RULES, SENTINEL, Command


def row(**more: Any) -> bytes:
    return json.dumps({"note_id": "n1", "text": f"Patient: {NAME}"} | more).encode() + b"\n"


class Bad(NamedTuple):
    name: str
    data: bytes
    code: int
    message: str


GOOD = row(note_id="good")
BAD_RECORDS = [  # one bad record among good ones: the job goes on
    Bad("broken.jsonl", GOOD + b'{"note_id": "n1", "text": "' + NAME.encode() + b"\n", 0, "record is not JSON"),
    Bad("list.jsonl", GOOD + b'["' + NAME.encode() + b'"]\n', 0, "record needs to be a JSON object, got list"),
    Bad("notext.jsonl", GOOD + b'{"note_id": "n1", "who": "' + NAME.encode() + b'"}\n', 0, 'record has no "text"'),
    Bad("number.jsonl", GOOD + row(text=5, who=NAME), 0, '"text" needs to be a string, got number'),
    Bad("twice.jsonl", GOOD + GOOD, 0, "note_id good came before"),
    Bad("past.jsonl", GOOD + row(entities=[[0, 999, "DISEASE"]]), 0, "entities span [0, 999) ends after character"),
    Bad("turned.jsonl", GOOD + row(phi=[[5, 2, NAME]]), 0, "span needs 0 <= start < end, got [5, 2)"),
    Bad("lang.jsonl", GOOD + row(lang=NAME), 0, '"lang" needs to be en or zh'),
    Bad("time.jsonl", GOOD + row(time=NAME), 0, '"time" needs a date'),
    Bad("surrogate.jsonl", GOOD + row(text=f"{NAME} \ud800"), 0, "lone surrogate"),
    Bad("long.jsonl", GOOD + row(text=f"{NAME} " * 400_000), 0, "at most 1,000,000 characters needed, got 5,600,000"),
    Bad("bytes.jsonl", GOOD + row() + b'{"note_id": "n2", "text": "\xff\xfe' + NAME.encode() + b'"}\n', 0, "utf-8"),
    Bad("cells.csv", f"id,text\n1,{NAME}\n2,{NAME},more\n".encode(), 0, "row needs 2 cells, got 3"),
]
BAD_FILES = [
    Bad("empty.jsonl", b"", 1, "a file with records needed, got an empty one"),
    Bad("all.jsonl", b"{\n" + NAME.encode() + b"\n", 1, "JSON Lines needed"),
    Bad("one.jsonl", b'{"note_id": "n1", "who": "' + NAME.encode() + b'"}\n', 1, "no record could be handled"),
    Bad("gb.csv", f"id,text\n1,姓名：李雷，{NAME}\n2,韩梅梅\n".encode("gb18030"), 1, "--encoding gb18030"),
    Bad("utf16.csv", f"id,text\n1,{NAME}\n".encode("utf-16"), 1, "got UTF-16"),
    Bad("headless.csv", f"1,{NAME}\n2,{NAME}\n".encode(), 2, 'no column "text" among 2'),
    Bad("what.bin", NAME.encode(), 2, "a name that tells the format needed"),
    Bad("fake.parquet", NAME.encode(), 1, "fake.parquet"),
    Bad("fake.jsonl.gz", NAME.encode(), 1, "gzip data needed"),
]
COMMANDS: dict[str, Callable[[Path], Sequence[str | Path]]] = {
    "annotate": lambda out: ("-o", out, *RULES),
    "deidentify": lambda out: ("-o", out / "released.jsonl"),
}


def everything_written(folder: Path) -> str:
    """All names and all bytes below a folder but released notes."""
    said = ""
    for path in folder.rglob("*"):
        said += str(path)
        if path.is_file() and not path.name.startswith(("part-", "released.jsonl")):
            said += path.read_text("utf-8")
    return said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("bad", [*BAD_RECORDS, *BAD_FILES], ids=lambda bad: bad.name)
def test_bad_input_is_one_clear_line_without_a_word_of_the_note(
    clinlp: Command, tmp_path: Path, bad: Bad, command: str
) -> None:
    path = tmp_path / "in" / bad.name
    path.parent.mkdir()
    path.write_bytes(bad.data)
    out = tmp_path / "out"
    out.mkdir()
    done = clinlp(command, path, *COMMANDS[command](out))
    assert done.code == bad.code
    assert any(bad.message in line and line.startswith("clinlp: ") for line in done.err.splitlines()), done.err
    assert len(done.err.splitlines()) <= 2
    assert SENTINEL not in done.out + done.err + everything_written(out)


@pytest.mark.parametrize("bad", BAD_RECORDS, ids=lambda bad: bad.name)
def test_a_bad_record_goes_to_quarantine_and_the_rest_to_output(clinlp: Command, tmp_path: Path, bad: Bad) -> None:
    path = tmp_path / bad.name
    path.write_bytes(bad.data)
    done = clinlp("annotate", path, "-o", tmp_path / "out", *RULES)
    n_records = len(bad.data.splitlines()) - bad.name.endswith(".csv")
    released = (tmp_path / "out" / "part-00000.jsonl").read_text("utf-8").splitlines()
    failed = (tmp_path / "out" / "quarantine.jsonl").read_text("utf-8").splitlines()
    assert len(released) + len(failed) == n_records
    assert set(json.loads(failed[-1])) == {"note_id", "source", "input", "line", "stage", "error", "reason"}
    assert json.loads(failed[-1])["line"] == n_records + bad.name.endswith(".csv")
    assert f"{len(failed)} of {n_records} records went to" in done.err


@pytest.mark.parametrize(
    "text",
    [
        f"{NAME}\x00 had a cold.\x00",
        "😀👩‍⚕️ cafe\u0301 \u0928\u093f 𠮷野家 e\u0301\u0302",
        "\u202e\ufeff\r\n\t \x0b",
        "",
    ],
)
@pytest.mark.parametrize("deid", ["tag", "mask", "off"])
def test_odd_characters_pass_with_valid_offsets(clinlp: Command, tmp_path: Path, text: str, deid: str) -> None:
    path = tmp_path / "odd.jsonl"
    text = f"Dr. Jane Doe {text} 王小明医生，电话13800138000"
    path.write_bytes(row(text=text))
    assert clinlp("annotate", path, "-o", tmp_path / "out", "--deid", deid, *RULES).code == 0
    record = json.loads((tmp_path / "out" / "part-00000.jsonl").read_text("utf-8"))
    note = from_record(record)
    assert record["text"] == text if deid == "off" else "Jane" not in record["text"]
    assert all(span.end <= len(note.text) for _, span in note.spans())
    covered = {at for start, end in record["tokens"] for at in range(start, end)}
    assert covered >= {
        at for at, character in enumerate(note.text) if not character.isspace() and character.isprintable()
    }


def usage(arguments: str, message: str, code: int = 2) -> Any:
    return pytest.param(arguments.split(), code, message, id=arguments)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        usage("annotate missing.jsonl -o OUT", "missing.jsonl: file or folder needed, got none"),
        usage("deidentify missing.jsonl -o OUT", "missing.jsonl: file or folder needed, got none"),
        usage("convert missing.jsonl OUT.csv", "missing.jsonl: file or folder needed, got none"),
        usage("evaluate missing GOOD", "missing: a model folder or one of"),
        usage("evaluate missing.jsonl GOOD", "missing.jsonl"),
        usage("evaluate rules GOOD --attribute entities", "rules: they find phi, got --attribute entities"),
        usage("annotate GOOD -o GOOD/below", "GOOD/below: "),
        usage("annotate GOOD -o GOOD", "a folder needed for the output, got a file"),
        usage("annotate GOOD -o FULL", "a new or empty folder needed, got one with files in it; or say --overwrite"),
        usage("deidentify GOOD -o FULL/file.csv/below.csv", "cannot be written"),
        usage("deidentify GOOD -o FULL/file.csv", "a new file needed for the output"),
        usage("deidentify GOOD -o OUT.xyz", "a name that tells the format needed, or --to jsonl"),
        usage(
            "evaluate rules GOOD --attribute phi --json GOOD", "an output beside the input needed, got the input itself"
        ),
        usage("evaluate GOOD FULL --json GOOD", "an output beside the input needed, got the input itself"),
        usage("compare FULL GOOD rules --json GOOD", "an output beside the input needed, got the input itself"),
        usage("evidence diagnosis-en GOOD --json GOOD", "an output beside the input needed, got the input itself"),
        usage("check FULL --dev GOOD --json GOOD", "an output beside the input needed, got the input itself"),
        usage("audit GOOD FULL --json GOOD", "an output beside the input needed, got the input itself"),
        usage("audit FULL GOOD --html GOOD", "an output beside the input needed, got the input itself"),
        usage("convert GOOD GOOD --overwrite", "an output beside the input needed, got the input itself"),
        usage("convert GOOD GOOD/below.csv", "cannot be written"),
        usage("annotate GOOD -o OUT --entities FULL", "no config.json; is this a model folder?"),
        usage("annotate GOOD -o OUT --diagnosis nowhere", "nowhere: a model folder or one of"),
        usage("annotate GOOD -o OUT --deid shred", "'--deid': 'shred' is not one of"),
        usage("annotate GOOD -o OUT --max-characters 0", "max_characters: Input should be greater than or equal to 1"),
        usage(
            "annotate GOOD -o OUT --device tpu:9 --entities off --diagnosis off --deit tag", "No such option: --deit"
        ),
        usage("annotate GOOD -o OUT --config BAD.toml", "unknown key 'entitis'; did you mean 'entities'?"),
        usage("annotate GOOD -o OUT --config GOOD", "TOML needed"),
        usage("annotate GOOD -o OUT --config none.toml", "none.toml: config file needed, got none"),
        usage("train entities --train GOOD -o OUT --config BAD.toml", "unknown key 'entitis'"),
        usage("train entities --train GOOD", "out needed, got none"),
        usage("train entities --train missing.jsonl -o OUT", "missing.jsonl: file or folder needed, got none"),
        usage("train entities --train GOOD --dev GOOD -o OUT", "training needs notes with entities, got none", 1),
        usage("train diagnosis --train GOOD --dev GOOD -o OUT", "GOOD: notes with diagnoses needed, got none", 1),
        usage("annotate GOOD", "Missing option '--out' / '-o'. See clinlp annotate --help."),
        usage("train entities --trian GOOD", "--train). See clinlp train entities --help."),
        usage("anotate GOOD", "No such command 'anotate'. Did you mean 'annotate'? See clinlp --help."),
    ],
)
def test_bad_usage_is_one_clear_line(
    clinlp: Command, tmp_path: Path, good: Path, arguments: list[str], code: int, message: str
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "file.csv").write_text("x")
    (tmp_path / "BAD.toml").write_text("entitis = 'off'\n")
    places = {"GOOD": str(good), "FULL": str(full), "OUT": str(tmp_path / "out"), "BAD": str(tmp_path / "BAD")}
    for name, place in places.items():
        arguments = [each.replace(name, place) for each in arguments]
        message = message.replace(name, place)
    done = clinlp(*arguments)
    assert done.code == code
    assert done.line.startswith("clinlp: ")
    assert message in done.line
    assert not (tmp_path / "out").exists()


def test_a_pattern_that_fits_the_output_is_refused(clinlp: Command, tmp_path: Path, good: Path) -> None:
    before = good.read_bytes()
    done = clinlp("deidentify", tmp_path / "*.jsonl", "-o", good, "--overwrite", "--phi", "off")
    assert (done.code, good.read_bytes()) == (2, before)
    assert "an output beside the input needed" in done.line


def test_an_unexpected_error_shows_its_place_and_not_its_message(
    clinlp: Command, tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(NAME)

    monkeypatch.setattr("clinlp.batch.worker.annotate_chunk", fail)
    done = clinlp("annotate", good, "-o", tmp_path / "out", *RULES)
    assert done.code == 1
    assert "unexpected RuntimeError at test_bad_input.py:" in done.line
    assert SENTINEL not in done.out + done.err + everything_written(tmp_path / "out")
