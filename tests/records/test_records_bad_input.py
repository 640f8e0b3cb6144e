"""Each bad record is one failure and each bad file one clear line; none of them shows any text."""

from __future__ import annotations

import codecs
import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note
from clinlp.records import ReadOptions, WriteOptions, convert, from_record, read_notes, read_records, write_notes
from clinlp.records.options import Encoding
from clinlp.spans import Span

from .record_cases import CHINESE, ENGLISH, JSON, NAMES

SENTINEL = "Zebedee赵钱孙"


def lines(path: Path, records: Iterable[Any]) -> Path:
    """A JSON Lines file of records, or of lines that are given as bytes."""
    raw = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def only_failure(path: Path, options: ReadOptions | None = None) -> Failure:
    """The one failure of a dump, of which nothing shows the sentinel."""
    found = [each for _, each in read_records(path, options or ReadOptions())]
    (failure,) = [each for each in found if isinstance(each, Failure)]
    assert SENTINEL not in repr(failure)
    assert "Zebedee" not in repr(failure)
    return failure


RECORDS: list[tuple[Any, str]] = [
    (b'{"note_id": "b", "text": "Zebedee', "record is not JSON"),
    (b'{"note_id": "b", "text": "Zebedee", "score": NaN}', "NaN"),
    (b"[" * 5000, "record is not JSON"),
    (b'"Zebedee"', "needs to be a JSON object, got string"),
    (b'{"note_id": "b", "text": "Zebedee \xe9t\xe9 \xff"}', "utf-8 needed, got other bytes; try --encoding gb18030"),
    (b'{"note_id": "b", "text": "Zebedee \\ud800"}', "lone surrogate, which UTF-8 cannot hold"),
    (b'{"note_id": "b", "text": "Zebedee", "fields": {"n": 123456789012345678901}}', "beyond 64 bits"),
    ({"note_id": "b"}, 'record has no "text"'),
    ({"note_id": "b", "text": None}, 'record has no "text"'),
    ({"note_id": "b", "text": [SENTINEL]}, '"text" needs to be a string, got list'),
    ({"note_id": ["b"], "text": SENTINEL}, '"note_id" needs to be a string, got list'),
    ({"note_id": True, "text": SENTINEL}, '"note_id" needs to be a string, got true or false'),
    ({"note_id": "b", "text": SENTINEL, "lang": SENTINEL}, '"lang" needs to be en or zh'),
    (
        {"note_id": "b", "text": SENTINEL, "time": SENTINEL},
        "got another string; under another name the column is carried as it is",
    ),
    ({"note_id": "b", "text": SENTINEL, "time": "2024-02-30"}, '"time" needs a date'),
    ({"note_id": "b", "text": SENTINEL, "time": 20240131}, '"time" needs a date'),
    ({"note_id": "b", "text": SENTINEL, "entities": SENTINEL}, '"entities" needs to be a list, got string'),
    ({"note_id": "b", "text": SENTINEL, "entities": [SENTINEL]}, '"entities" needs spans as start, end, label'),
    (
        {"note_id": "b", "text": SENTINEL, "entities": [[0, 99, "X"]]},
        r"entities span \[0, 99\) ends after character 10",
    ),
    ({"note_id": "b", "text": SENTINEL, "phi": [[3, 3, "X"]]}, "0 <= start < end"),
    ({"note_id": "b", "text": SENTINEL, "phi": [[-1, 3, "X"]]}, "0 <= start < end"),
    ({"note_id": "b", "text": SENTINEL, "phi": [["0", "3", "X"]]}, "whole numbers as start and end, got string"),
    ({"note_id": "b", "text": SENTINEL, "phi": [[True, 3, "X"]]}, "whole numbers as start and end, got true or false"),
    ({"note_id": "b", "text": SENTINEL, "phi": [[0, 3, None]]}, "a string as label, got null"),
    ({"note_id": "b", "text": SENTINEL, "phi": [[0, 3, ""]]}, "needs a label, got none"),
    (
        {"note_id": "b", "text": SENTINEL, "phi": [{"start": 0, "end": 3, "label": "X", "score": 2}]},
        "score from 0 to 1",
    ),
    ({"note_id": "b", "text": SENTINEL, "phi": [{"start": 0, "end": 3, "label": "X", "score": "hi"}]}, '"score" needs'),
    (
        {"note_id": "b", "text": SENTINEL, "diagnoses": [{"code": SENTINEL, "score": 2}]},
        "diagnosis needs a score from 0 to 1",
    ),
    ({"note_id": "b", "text": SENTINEL, "codes": SENTINEL}, '"codes" needs to be a list'),
    ({"note_id": "b", "text": SENTINEL, "codes": [1]}, '"codes" needs a string as code'),
    ({"note_id": "b", "text": SENTINEL, "codes": [], "diagnoses": []}, '"diagnoses" or "codes", got both'),
    ({"note_id": "b", "text": SENTINEL, "fields": SENTINEL}, '"fields" needs an object'),
    ({"note_id": "b", "text": SENTINEL, "ward": 1, "fields": {"ward": SENTINEL}}, '"ward" twice'),
    ({"note_id": "a", "text": SENTINEL}, "note_id a came before"),
]
CONTEXTS = [
    ({"negated": SENTINEL}, '"negated" needs true or false'),
    ({"experiencer": SENTINEL}, "experiencer patient, family or other"),
    ({"experiencer": [SENTINEL]}, "experiencer patient, family or other"),
    ({"denied": True}, '"context" knows negated'),
    (SENTINEL, '"context" needs an object'),
]


@pytest.mark.parametrize(("record", "reason"), RECORDS)
def test_a_bad_record_is_one_failure(record: Any, reason: str, tmp_path: Path) -> None:
    path = lines(tmp_path / "dump.jsonl", [{"note_id": "a", "text": "ok"}, record, {"note_id": "c", "text": "ok"}])
    failure = only_failure(path)
    assert (failure.source, failure.line, failure.stage, failure.error) == (str(path), 2, "read", "DataError")
    assert failure.note_id in ("a", "b", "dump-2")
    with pytest.raises(DataError, match=reason) as caught:
        list(read_notes(path))
    assert str(caught.value) == f"{path}:2: {failure.reason}"
    assert caught.value.__cause__ is None
    report = convert(path, tmp_path / "out.parquet")
    assert (report.n_notes, report.n_failures, report.failures) == (2, 1, (failure,))


@pytest.mark.parametrize(("context", "reason"), CONTEXTS)
def test_a_bad_context(context: Any, reason: str) -> None:
    span = {"start": 0, "end": 3, "label": "X", "context": context}
    with pytest.raises(DataError, match=reason):
        from_record({"note_id": "a", "text": SENTINEL, "entities": [span]})


KEYS = [
    "note_id",
    "text",
    "patient_id",
    "lang",
    "time",
    "entities",
    "phi",
    "sections",
    "diagnoses",
    "codes",
    "fields",
    "x",
]
SPAN_LIKE = st.lists(
    st.dictionaries(st.sampled_from(["start", "end", "label", "score", "context", "code", "evidence"]), JSON)
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYS), JSON | SPAN_LIKE | st.lists(st.lists(JSON, min_size=3, max_size=3))))
def test_any_json_gives_a_note_or_a_data_error(record: dict[str, Any]) -> None:
    try:
        note = from_record({"text": "a text"} | record, note_id="x")
    except DataError:
        return
    assert isinstance(note, Note)


def test_failures_keep_the_id_where_there_is_one(tmp_path: Path) -> None:
    path = lines(tmp_path / "d.jsonl", [b'{"id": 7, "text": "\\udc00"}', b"{", {"x": 1}])
    assert [each.note_id for _, each in read_records(path)] == ["7", "d-2", "d-3"]


def test_nul_emoji_and_combining_characters_are_text(tmp_path: Path) -> None:
    text = "a\x00b 😀 e\u0301 胸\u200d痛"
    path = lines(tmp_path / "d.jsonl", [{"text": text, "entities": [[4, 5, "X"], [9, 10, "X"]]}])
    (note,) = read_notes(path)
    assert note.text == text
    assert [note.text[span.start : span.end] for span in note.entities] == ["😀", "胸"]


def test_duplicate_ids_may_be_kept(tmp_path: Path) -> None:
    path = lines(tmp_path / "d.jsonl", [{"note_id": "a", "text": "1"}, {"note_id": "a", "text": "2"}])
    assert len(list(read_notes(path, ReadOptions(duplicate_ids="keep")))) == 2


def test_ids_are_unique_over_the_files_of_a_dump(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        lines(tmp_path / name, [{"note_id": "same", "text": "1"}])
    failure = only_failure(tmp_path)
    assert failure.source == str(tmp_path / "b.jsonl")


# whole files


@pytest.mark.parametrize(
    "name", ["d.jsonl", "d.csv", "d.parquet", "d.arrow", "d.conll", "d.spacy", "d.txt", "d.jsonl.gz"]
)
def test_missing_and_empty_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(UsageError, match="file or folder needed, got none"):
        read_records(path)
    path.touch()
    with pytest.raises(DataError, match="file with records needed, got an empty one"):
        read_records(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("d.parquet", "parquet data needed"),
        ("d.arrow", "arrow data needed"),
        ("d.spacy", "a spaCy DocBin needed"),
        ("d.jsonl.gz", "gzip data needed"),
        ("d.jsonl.zst", "cut off or damaged"),
        ("d.csv", "no column"),
    ],
)
def test_files_of_another_kind(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f"{SENTINEL}\n" * 30, "utf-8")
    with pytest.raises((DataError, UsageError), match=reason) as caught:
        read_records(tmp_path / name)
    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_packed_file_that_is_cut_off(ending: str, tmp_path: Path) -> None:
    raw = b"".join(json.dumps({"text": f"note {number * 7919}"}).encode() + b"\n" for number in range(5000))
    packed = gzip.compress(raw) if ending == ".gz" else zstandard.compress(raw)
    path = tmp_path / f"d.jsonl{ending}"
    path.write_bytes(packed + packed)
    assert len(list(read_notes(path))) == 10_000
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="cut off or damaged"):
        list(read_records(path))


@pytest.mark.parametrize("name", ["d.jsonl", "d.csv", "d.conll", "d.txt"])
def test_a_file_in_another_encoding(name: str, tmp_path: Path) -> None:
    content = {
        "d.jsonl": '{"text": "患者否认发热"}\n' * 3,
        "d.csv": "id,text\n1,患者否认发热\n",
        "d.conll": "患\tO\n者\tO\n",
        "d.txt": "患者否认发热",
    }[name]
    path = tmp_path / name
    path.write_bytes(content.encode("gb18030"))
    with pytest.raises(DataError, match=f"{name}: utf-8 needed, got other bytes; try --encoding gb18030"):
        list(read_records(path))
    notes = list(read_notes(path, ReadOptions(encoding="gb18030")))
    assert notes[0].text.startswith("患者")
    path.write_bytes(content.encode("utf-16"))
    with pytest.raises(DataError, match="UTF-16; save it as UTF-8"):
        list(read_records(path))


@pytest.mark.parametrize("start", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize(("encoding", "words"), [("gb18030", "患者王建国来诊"), ("cp1252", "fièvre 38°C")])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.conll"])
def test_utf8_under_another_name(name: str, encoding: Encoding, words: str, start: bytes, tmp_path: Path) -> None:
    """It decodes as well, mostly, to words in which no name is found."""
    rows = {
        "a.csv": f"id,text\na,fine\nb,{words}\n",
        "a.tsv": f"id\ttext\nb\t{words}\n",
        "a.jsonl": f'{{"text": "{words}"}}\n',
        "a.conll": "".join(f"{word} O\n" for word in words.split()),
    }
    path = tmp_path / name
    path.write_bytes(start + rows[name].encode())
    with pytest.raises(DataError, match=f"{name}: {encoding} needed, got UTF-8; leave out --encoding") as error:
        list(read_notes(path, ReadOptions(encoding=encoding)))
    assert words not in str(error.value)
    assert words.split(maxsplit=1)[0] in next(text for note in read_notes(path) if (text := note.text) != "fine")


@pytest.mark.parametrize("encoding", ["gb18030", "cp1252"])
def test_a_text_in_utf8_under_another_name(encoding: Encoding, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"plain")
    (tmp_path / "b.txt").write_text("患者 fièvre", "utf-8")
    read = [record for _, record in read_records(tmp_path, ReadOptions(format="txt", encoding=encoding))]
    assert [type(record) for record in read] == [Note, Failure]


def test_one_line_in_another_encoding_is_one_failure(tmp_path: Path) -> None:
    rows = [b"id,text", b"1,good", "2,患者".encode(), f"3,{SENTINEL}".encode("gb18030"), b"4,good", b'5,"two\nlines"']
    path = tmp_path / "d.csv"
    path.write_bytes(b"\n".join(rows))
    failure = only_failure(path)
    assert (failure.line, failure.note_id) == (4, "3")


def test_a_byte_order_mark_is_taken_off(tmp_path: Path) -> None:
    for name, content in (("d.jsonl", '{"text": "x"}'), ("d.csv", "text\nx"), ("d.txt", "x"), ("d.conll", "x\tO")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content.encode())
        assert [note.text for note in read_notes(tmp_path / name)] == ["x"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b'[{"text": "x"}]', "got a JSON list"), (b'{\n  "text": "x"\n}', "got a record over several lines")],
)
def test_json_that_is_not_json_lines(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        list(read_records(tmp_path / "d.json"))


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_cell_that_python_cannot_hold_breaks_its_row_alone(kind: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    dates = pa.array([0, 10**9, 1], pa.date32())
    held = pa.table({"note_id": ["a", "b", "c"], "text": ["x", "Zyxqwv", "无发热"], "born": dates})
    path = tmp_path / f"d.{kind}"
    pa.parquet.write_table(held, path) if kind == "parquet" else pa.feather.write_feather(held, path)
    (_, good), (number, bad), (_, other) = read_records(path)
    assert isinstance(good, Note) and isinstance(other, Note)
    assert (good.fields["born"], other.text) == ("1970-01-01", "无发热")
    assert isinstance(bad, Failure)
    assert (number, bad.reason) == (2, "row holds a number or date that Python cannot hold")


def test_a_column_of_uuids_is_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    uuids = pa.array([bytes(range(16))], pa.uuid())
    pa.parquet.write_table(pa.table({"note_id": ["a"], "text": ["x"], "visit": uuids}), tmp_path / "d.parquet")
    [note] = read_notes(tmp_path / "d.parquet")
    assert note.fields["visit"] == "00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d.jsonl")
    with pytest.raises(UsageError, match="a file that can be read twice needed, got a device or a pipe"):
        read_records(tmp_path / "d.jsonl")
    with pytest.raises(UsageError, match="a file or folder needed for the output, got a device or a pipe"):
        write_notes([ENGLISH], tmp_path / "d.jsonl")
    assert (tmp_path / "d.jsonl").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


@pytest.mark.parametrize("name", ["d.docx", "d", "d.gz", "d.parquet.gz"])
def test_formats_that_a_name_does_not_tell(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match=r"a name that tells the format needed, or --format jsonl\|csv"):
        read_records(tmp_path / name)
    with pytest.raises(UsageError, match=r"a name that tells the format needed, or --to jsonl\|csv"):
        write_notes([ENGLISH], tmp_path / name)


def test_folders_without_notes_or_with_two_formats(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"files of a known format .* needed, got none"):
        read_records(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    lines(tmp_path / "a.jsonl", [{"text": "y"}])
    with pytest.raises(UsageError, match="one format needed, got jsonl, txt; choose with --format"):
        read_records(tmp_path)
    assert [note.text for note in read_notes(tmp_path, ReadOptions(format="txt"))] == ["x"]


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        ("a,b\n1,2\n", {}, r'no column "text" among 2; name the text with --text-column'),
        ("id,text\n1,2\n", {"text_column": "body"}, r'no column "body" among 2'),
        ("id,text\n1,2\n", {"id_column": "nr"}, r'no column "nr" among 2; name the note_id with --id-column'),
        ("text,text\n1,2\n", {}, "column names need to differ"),
    ],
)
def test_tables_without_the_columns(content: str, options: dict[str, str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(content)
    with pytest.raises((DataError, UsageError), match=reason):
        list(read_records(tmp_path / "d.csv", ReadOptions.load(None, **options)))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"2,{SENTINEL},3", "row needs 2 cells, got 3"),
        (SENTINEL, "row needs 2 cells, got 1"),
        (f'2,"{SENTINEL}"x', "broken quotes"),
    ],
    ids=["more", "fewer", "quotes"],  # not the row: the name of the test is part of the path
)
def test_a_bad_row(row: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"id,text\n1,x\n{row}\n4,y\n", "utf-8")
    failure = only_failure(path)
    assert (failure.line, failure.reason) == (3, failure.reason)
    assert reason in failure.reason
    assert len(list(read_records(path))) == 3


def test_a_bad_cell_of_spans(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f'id,text,entities\n1,x,"[[0,{SENTINEL}"\n', "utf-8")
    assert '"entities" needs JSON' in only_failure(path).reason


# targets


@pytest.mark.parametrize("name", ["no/such/d.jsonl", "file/d.jsonl", "folder.jsonl"])
def test_targets_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(UsageError, match=r"d?\.jsonl: cannot be written \("):
        write_notes([ENGLISH], tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder.jsonl"]


def test_a_folder_with_files_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    for kind in ("txt", "brat"):
        with pytest.raises(UsageError, match="a new or empty folder needed"):
            write_notes([ENGLISH], tmp_path, WriteOptions.load(None, format=kind))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "name", ["d.jsonl", "d.jsonl.gz", "d.jsonl.zst", "d.csv", "d.parquet", "d.arrow", "d.conll", "d.spacy"]
)
def test_a_lone_surrogate_cannot_be_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"as it was")
    bad = Note("bad", f"{SENTINEL} \ud800")
    with pytest.raises(DataError, match="note bad: ") as caught:
        write_notes([ENGLISH, bad, CHINESE], path)
    assert SENTINEL not in str(caught.value)
    assert path.read_bytes() == b"as it was"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_an_interrupt_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    def interrupted() -> Iterable[Note]:
        yield ENGLISH
        raise KeyboardInterrupt

    for name in ("d.jsonl", "d.parquet", "d.spacy", "d"):
        with pytest.raises(KeyboardInterrupt):
            write_notes(interrupted(), tmp_path / name, WriteOptions.load(None, format="brat" if name == "d" else None))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["txt", "brat"])
def test_notes_that_have_no_file_of_their_own(kind: str, tmp_path: Path) -> None:
    ids = ["a", "a", "../up", "x" * 300, ".hidden", "a/b", "é"]
    path = lines(tmp_path / "d.jsonl", [{"note_id": each, "text": "t", "phi": [[0, 1, "X"]]} for each in ids])
    options = ReadOptions(duplicate_ids="keep")
    report = convert(path, tmp_path / "out", options, WriteOptions.load(None, format=kind))
    assert [failure.line for failure in report.failures] == [2, 4]
    assert "note a: a file of this name was written before" in report.failures[0].reason
    found = {note.note_id for note in read_notes(tmp_path / "out")}
    assert found == {"a", "../up", ".hidden", "a/b", "é"}


def test_a_field_that_json_cannot_hold(tmp_path: Path) -> None:
    note = Note("n", "x", fields={"f": {1, 2}})
    with pytest.raises(DataError, match="note n: Type is not JSON serializable: set"):
        write_notes([note], tmp_path / "d.jsonl")


def test_convert_shows_the_first_failures_and_counts_all(tmp_path: Path) -> None:
    path = lines(tmp_path / "d.jsonl", [{"text": "x"}, *[{"x": 1}] * 25])
    report = convert(path, tmp_path / "o.csv")
    assert (report.n_notes, report.n_failures) == (1, 25)
    assert [failure.line for failure in report.failures] == list(range(2, 12))


@given(name=NAMES, label=st.text(min_size=1))
def test_labels_with_any_signs_reach_no_crash(name: str, label: str) -> None:
    try:
        from_record({"note_id": name, "text": "x", "entities": [[0, 1, label]]})
    except DataError as error:
        assert "label" in str(error)


def test_a_span_that_overlaps_is_counted_not_dropped(tmp_path: Path) -> None:
    note = Note("n", "chest pain", entities=(Span(0, 10, "S"), Span(0, 5, "A"), Span(7, 9, "X")))
    assert write_notes([note], tmp_path / "d.conll").lost == {"overlapping": 2}
    note = Note("n", "chest pain", entities=(Span(0, 5, "A"), Span(7, 9, "X")))
    assert write_notes([note], tmp_path / "d.conll").lost == {"token_cut": 1}


def test_a_number_beyond_64_bits_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(
        '{"id": "甲", "text": "x", "n": 123456789012345678901}\n{"text": "x", "n": 1e300}\n'.encode("gb18030")
    )
    failure = only_failure(path, ReadOptions(encoding="gb18030"))
    assert (failure.note_id, failure.line) == ("甲", 1)


def test_an_open_quote_says_how_far_it_reaches(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"open\n2,gone with it\n3,"closed" so\n4,"ok"\n', "utf-8")
    assert [line for line, _ in read_records(path)] == [2, 5]
    [failure, note] = [record for _, record in read_records(path)]
    assert isinstance(failure, Failure)
    assert isinstance(note, Note)
    assert (failure.reason, note.note_id) == ("row has broken quotes to line 4", "4")
