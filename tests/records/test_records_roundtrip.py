"""What is written is what is read, for every format and all that it can hold."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from clinlp.note import Note
from clinlp.records import ReadOptions, WriteOptions, WriteReport, convert, read_notes, write_notes
from clinlp.spans import Context, Span

from .record_cases import CHINESE, ENGLISH, NOTES, dumps, scores

WHOLE = ["d.jsonl", "d.json", "d.jsonl.gz", "d.jsonl.zst", "d.parquet", "d.pq", "d.arrow", "d.feather", "d.spacy"]


def through(
    notes: Sequence[Note],
    name: str,
    write: WriteOptions | None = None,
    read: ReadOptions | None = None,
) -> tuple[list[Note], WriteReport]:
    """Write notes and read them again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        report = write_notes(notes, path, write or WriteOptions())
        assert [each.name for each in Path(folder).iterdir()] == [name]
        return list(read_notes(path, read or ReadOptions())), report


@pytest.mark.parametrize("name", WHOLE)
def test_formats_that_hold_everything(name: str) -> None:
    notes, report = through(NOTES, name)
    assert notes == list(NOTES)
    assert [scores(note) for note in notes] == [scores(note) for note in NOTES]
    assert report == WriteReport(3)


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.csv.gz", "d.tsv.zst"])
def test_tables_hold_everything(name: str) -> None:
    notes, report = through(NOTES, name)
    assert [scores(note) for note in notes] == [scores(note) for note in NOTES]
    assert notes[0] == NOTES[0]
    assert notes[1] == replace(NOTES[1], fields={"科室": "心内科", "ward": ""})  # a column has a cell in every row
    assert report.lost == {"absent_fields": 2}


@pytest.mark.parametrize("name", ["d.parquet", "d.arrow", "d.jsonl"])
def test_a_field_named_like_a_role_stays_a_field(name: str) -> None:
    notes = [Note("0", "words", fields={"记录时间": "2024-01-31", "visit_date": False})]
    assert through(notes, name)[0] == notes


@pytest.mark.parametrize("name", ["d.jsonl", "d.parquet", "d.arrow", "d.spacy"])
@settings(max_examples=60)
@given(notes=dumps())
def test_everything_comes_back(name: str, notes: list[Note]) -> None:
    found, report = through(notes, name)
    assert found == notes
    assert [scores(note) for note in found] == [scores(note) for note in notes]
    assert report == WriteReport(len(notes))


@pytest.mark.parametrize("name", ["d.csv", "d.tsv"])
@settings(max_examples=60)
@given(notes=dumps())
def test_tables_hold_everything_but_that_a_field_is_absent(name: str, notes: list[Note]) -> None:
    found, report = through(notes, name)
    added = 0
    for new, old in zip(found, notes, strict=True):
        extra = {key: value for key, value in new.fields.items() if key not in old.fields}
        assert set(extra.values()) <= {""}
        added += len(extra)
        assert replace(new, fields=old.fields) == old
        assert {key: new.fields[key] for key in old.fields} == dict(old.fields)
    assert report.lost.get("absent_fields", 0) == added


@settings(max_examples=60)
@given(notes=dumps())
def test_brat_holds_texts_ids_and_spans_with_context(notes: list[Note]) -> None:
    notes = [replace(note, note_id=f"{number}{note.note_id}") for number, note in enumerate(notes)]
    found, report = through(notes, "d", WriteOptions(format="brat"))
    by_id = {note.note_id: note for note in notes}
    for new in found:
        old = by_id.pop(new.note_id)
        assert (new.text, new.entities, new.phi, new.sections) == (old.text, old.entities, old.phi, old.sections)
    assert not by_id
    assert report.lost.get("patient_id", 0) == sum(note.patient_id is not None for note in notes)
    assert report.lost.get("diagnoses", 0) == sum(len(note.diagnoses or ()) for note in notes)
    n_scores = sum(span.score is not None for note in notes for span in (*note.entities, *note.phi, *note.sections))
    assert report.lost.get("scores", 0) == n_scores


@settings(max_examples=60)
@given(notes=dumps())
def test_text_folders_hold_texts_and_ids(notes: list[Note]) -> None:
    found, report = through(notes, "d", WriteOptions(format="txt"))
    assert {note.note_id: note.text for note in found} == {note.note_id: note.text for note in notes}
    assert report.lost.get("entities", 0) == sum(len(note.entities) for note in notes)


@settings(max_examples=60)
@given(notes=dumps())
def test_conll_keeps_the_words_of_every_span_it_does_not_count(notes: list[Note]) -> None:
    found, report = through(notes, "d.conll")
    n_given = n_found = 0
    for new, old in zip(found, notes, strict=True):
        assert "".join(new.text.split()) == "".join(old.text.split())
        words = [("".join(old.text[span.start : span.end].split()), span.label) for span in old.entities]
        for span in new.entities:
            words.remove(("".join(new.text[span.start : span.end].split()), span.label))
        n_given += len(old.entities)
        n_found += len(new.entities)
    assert n_given == n_found + report.lost.get("overlapping", 0) + report.lost.get("token_cut", 0)


def test_conll_once_read_stays_as_it_is() -> None:
    once, _ = through(NOTES, "d.conll")
    twice, report = through(once, "d.conll")
    assert twice == once
    assert report == WriteReport(3)


def test_conll_writes_the_set_that_was_asked_for() -> None:
    found, report = through([ENGLISH], "d.bio", WriteOptions(spans="phi"), ReadOptions(spans="phi"))
    assert [found[0].text[span.start : span.end] for span in found[0].phi] == ["Doe"]
    assert report.lost["entities"] == 4


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.conll", "d"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_encodings(name: str, encoding: str) -> None:
    write = WriteOptions.load(None, encoding=encoding, format="brat" if name == "d" else None)
    read = ReadOptions.load(None, encoding="utf-8" if encoding == "utf-8-sig" else encoding)
    notes, _ = through([CHINESE], name, write, read)
    assert notes[0].note_id == "中文-1"
    assert "".join(notes[0].text.split()) == "".join(CHINESE.text.split())


def test_a_context_without_a_mark_differs_from_none_in_brat() -> None:
    note = Note("a", "fever", entities=(Span(0, 5, "S", context=Context()), Span(0, 4, "S")))
    assert through([note], "d", WriteOptions(format="brat"))[0] == [note]


def test_convert_through_every_format_and_back(tmp_path: Path) -> None:
    write_notes(NOTES, tmp_path / "0.jsonl")
    names = ["1.parquet", "2.csv", "3.spacy", "4.arrow", "5.tsv.zst", "6.jsonl.gz"]
    for number, name in enumerate(names):
        source = "0.jsonl" if number == 0 else names[number - 1]
        report = convert(tmp_path / source, tmp_path / name)
        assert (report.n_notes, report.n_failures) == (3, 0)
    back = list(read_notes(tmp_path / names[-1]))
    assert [replace(note, fields={}) for note in back] == [replace(note, fields={}) for note in NOTES]
    assert all(note.fields.items() <= new.fields.items() for new, note in zip(back, NOTES, strict=True))


def test_the_same_notes_give_the_same_packed_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_notes(NOTES, tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


@pytest.mark.parametrize("name", ["d.jsonl", "d.csv", "d.parquet"])
def test_a_note_of_five_million_characters(name: str) -> None:
    text = "胸痛 no fever\n" * 420_000
    note = Note("long", text, entities=(Span(len(text) - 6, len(text) - 1, "SYMPTOM"),))
    found, _ = through([note], name)
    assert len(found[0].text) == len(text) == 5_040_000
    span = found[0].entities[0]
    assert found[0].text[span.start : span.end] == "fever"
