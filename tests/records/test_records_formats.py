"""Textbook files of every format, read and written by hand."""

from __future__ import annotations

import datetime as dt
import gc
import json
import tracemalloc
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinlp.errors import DataError
from clinlp.note import Diagnosis, Note
from clinlp.records import (
    FORMATS,
    ReadOptions,
    WriteOptions,
    from_record,
    list_files,
    read_notes,
    read_records,
    to_record,
    write_notes,
)
from clinlp.spans import Context, Span

from .record_cases import CHINESE, ENGLISH, NOTES, PLAIN

# the canonical form


def test_the_canonical_form() -> None:
    assert to_record(ENGLISH) == {
        "note_id": "en-1",
        "text": ENGLISH.text,
        "patient_id": "p1",
        "lang": "en",
        "time": "2024-01-31",
        "entities": [
            {
                "start": 4,
                "end": 14,
                "label": "SYMPTOM",
                "score": 0.75,
                "context": {
                    "negated": False,
                    "uncertain": False,
                    "historical": False,
                    "hypothetical": False,
                    "experiencer": "patient",
                },
            },
            {"start": 4, "end": 9, "label": "ANATOMY"},
            {
                "start": 19,
                "end": 24,
                "label": "SYMPTOM",
                "context": {
                    "negated": True,
                    "uncertain": False,
                    "historical": False,
                    "hypothetical": False,
                    "experiencer": "patient",
                },
            },
            {
                "start": 40,
                "end": 47,
                "label": "DRUG",
                "context": {
                    "negated": False,
                    "uncertain": False,
                    "historical": True,
                    "hypothetical": False,
                    "experiencer": "family",
                },
            },
        ],
        "phi": [{"start": 30, "end": 33, "label": "NAME", "score": 0.5}],
        "sections": [{"start": 4, "end": 15, "label": "chief_complaint"}],
        "diagnoses": [
            {"code": "R07.9", "score": 0.9, "evidence": [{"start": 4, "end": 14, "label": "evidence"}]},
            {"code": "I20"},
        ],
        "fields": dict(ENGLISH.fields),
    }
    assert to_record(PLAIN) == {
        "note_id": "plain",
        "text": "",
        "entities": [],
        "phi": [],
        "sections": [],
        "fields": {},
    }


@pytest.mark.parametrize("note", NOTES)
def test_the_canonical_form_comes_back(note: Note) -> None:
    assert from_record(to_record(note)) == note


def test_short_forms_and_unknown_columns() -> None:
    record = {
        "note_id": "a",
        "text": "胸痛 and fever",
        "entities": [[7, 12, "SYMPTOM"], [0, 2, "症状"]],
        "codes": ["R07.9", "8"],
        "phi_hipaa": [[0, 1, "NAME"]],
        "fields": {"part": 1},
        "x": None,
    }
    note = from_record(record)
    assert note.entities == (Span(0, 2, "症状"), Span(7, 12, "SYMPTOM"))
    assert note.diagnoses == (Diagnosis("R07.9"), Diagnosis("8"))
    assert note.fields == {"part": 1, "phi_hipaa": [[0, 1, "NAME"]], "x": None}


def test_not_annotated_differs_from_annotated_with_none() -> None:
    assert from_record({"note_id": "a", "text": ""}).diagnoses is None
    assert from_record({"note_id": "a", "text": "", "codes": []}).diagnoses == ()


def test_a_context_may_say_only_what_is_true() -> None:
    span = {"start": 0, "end": 1, "label": "X", "context": {"negated": True}}
    (entity,) = from_record({"note_id": "a", "text": "x", "entities": [span]}).entities
    assert entity.context == Context(negated=True)


@pytest.mark.parametrize(
    ("value", "hour"),
    [
        ("2024-01-05", 0),
        ("2024-01-05T13:45:00+08:00", 1),
        ("2024-01-05 00:00:00", 0),
        ("20240105", 0),
        ("2024/1/5", 0),
        ("2024年1月5日", 0),
        ("2024年1月5日 13时20分", 1),
        (dt.date(2024, 1, 5), 0),
        (dt.datetime(2024, 1, 5, 7, tzinfo=dt.UTC), 1),
    ],
)
def test_times(value: object, hour: int) -> None:
    lost: Counter[str] = Counter()
    assert from_record({"note_id": "a", "text": "", "time": value}, lost=lost).time == dt.date(2024, 1, 5)
    assert lost["time_of_day"] == hour


@pytest.mark.parametrize(
    ("value", "lang"), [("en", "en"), ("zh-CN", "zh"), ("EN_us", "en"), ("中文", "zh"), ("", None)]
)
def test_languages(value: str, lang: str | None) -> None:
    assert from_record({"note_id": "a", "text": "", "lang": value}).lang == lang


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"ROW_ID": 7, "SUBJECT_ID": 3, "TEXT": "t", "CHARTDATE": "2150-01-02"}, ("7", "3", dt.date(2150, 1, 2), {})),
        ({"记录编号": "甲", "患者编号": "乙", "病历内容": "t", "科室": "内"}, ("甲", "乙", None, {"科室": "内"})),
        ({"id": "x", "note_id": "y", "note_text": "t", "note": "n"}, ("y", None, None, {"id": "x", "note": "n"})),
        ({"note_id": "", "text": "t", "content": "c"}, ("made", None, None, {"content": "c"})),
    ],
)
def test_usual_column_names(record: dict[str, object], expected: tuple[object, ...]) -> None:
    note = from_record(record, note_id="made")
    assert (note.text, note.note_id, note.patient_id, note.time, note.fields) == ("t", *expected)


def test_named_columns_win() -> None:
    record = {"text": "a", "body": "b", "nr": 5, "id": 6, "l": "zh", "who": "w", "when": "2024-01-05"}
    options = ReadOptions(text_column="body", id_column="nr", lang_column="l", patient_column="who", time_column="when")
    note = from_record(record, options=options)
    assert (note.note_id, note.text, note.lang, note.patient_id) == ("5", "b", "zh", "w")
    assert note.fields == {"text": "a", "id": 6}


def test_ids_are_made_from_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "dump.v2.jsonl").write_text('{"text": "a"}\n\n{"text": "b"}\n')
    assert [note.note_id for note in read_notes(tmp_path / "dump.v2.jsonl")] == ["dump.v2-1", "dump.v2-3"]


# tables


def test_csv_with_quoted_newlines_and_its_own_columns(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes('编号,文本,科室\r\n1,"主诉：\r\n""胸痛""",内科\r\n\r\n2,无,\r\n'.encode())
    found = list(read_records(path))
    assert [line for line, _ in found] == [2, 5]
    assert found[0][1] == Note("1", '主诉：\r\n"胸痛"', fields={"科室": "内科"})
    assert found[1][1] == Note("2", "无", fields={"科室": ""})


@pytest.mark.parametrize(("name", "sign"), [("d.csv", ";"), ("d.csv", "\t"), ("d.tsv", "\t"), ("d.csv", "|")])
def test_delimiters(name: str, sign: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f'id{sign}text{sign}n\n1{sign}"a, b{sign}c"{sign}2\n')
    assert list(read_notes(tmp_path / name)) == [Note("1", f"a, b{sign}c", fields={"n": "2"})]


def test_what_a_csv_looks_like(tmp_path: Path) -> None:
    write_notes([CHINESE, PLAIN], tmp_path / "d.csv")
    rows = (tmp_path / "d.csv").read_bytes().decode().split("\n")
    assert rows[0] == "note_id,text,patient_id,lang,time,entities,phi,sections,diagnoses,科室,fields"
    assert rows[-2] == "plain,,,,,,,,,,"


def test_a_column_of_free_text_under_the_name_of_spans_is_a_field(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("text,diagnoses\nx,高血压\n", "utf-8")
    (note,) = read_notes(tmp_path / "d.csv")
    assert (note.diagnoses, note.fields) == (None, {"diagnoses": "高血压"})
    write_notes([note], tmp_path / "e.csv")
    assert list(read_notes(tmp_path / "e.csv")) == [note]


def test_parquet_has_typed_columns(tmp_path: Path) -> None:
    write_notes(NOTES, tmp_path / "d.parquet")
    schema = pq.read_schema(tmp_path / "d.parquet")
    assert schema.field("time").type == pa.date32()
    span = schema.field("entities").type.value_type
    assert [field.name for field in span] == ["start", "end", "label", "score", "context"]
    assert schema.field("diagnoses").type.value_type.field("evidence").type.value_type == span
    own = {name: str(schema.field(name).type) for name in ("ward", "age", "seen", "科室")}
    assert own == {"ward": "string", "age": "int64", "seen": "bool", "科室": "string"}


def test_parquet_from_elsewhere(tmp_path: Path) -> None:
    table = pa.table(
        {
            "note_id": [1, 2],
            "text": ["a", "b"],
            "seen": [dt.datetime(2024, 1, 5, 7), None],  # noqa: DTZ001
            "price": [Decimal("1.50"), None],
            "value": [float("nan"), 2.5],
            "tags": [["x"], []],
            "raw": [b"\x00", None],
            "entities": [[{"start": 0, "end": 1, "label": "X"}], None],
        }
    )
    pq.write_table(table, tmp_path / "d.parquet")
    one, two = read_notes(tmp_path / "d.parquet")
    fields = {"seen": "2024-01-05T07:00:00", "price": "1.50", "value": None, "tags": ["x"], "raw": "AA=="}
    assert one == Note("1", "a", entities=(Span(0, 1, "X"),), fields=fields)
    assert two.fields == {"seen": None, "price": None, "value": 2.5, "tags": [], "raw": None}
    with pa.ipc.new_stream(tmp_path / "d.arrow", table.schema) as stream:
        stream.write_table(table)
    assert list(read_notes(tmp_path / "d.arrow")) == [one, two]


# brat

ANN = """T1\tSYMPTOM 0 5;14 18\tchest pain
T2\tDRUG 19 26\taspirin
T3\tNAME 8 11\tDoe
E1\tSYMPTOM:T1 Arg:T2
R1\tTREATS Arg1:T2 Arg2:T1
A1\tNegated T2
A2\tNegation E1 false
A3\tExperiencer T2 Family
A4\tSet T3 phi
A5\tConfidence T3 High
#1\tAnnotatorNotes T1\tlook again
*\tEquiv T1 T2
"""


def test_brat_by_hand(tmp_path: Path) -> None:
    (tmp_path / "n 1.txt").write_text("chest, Doe's, pain aspirin", "utf-8")
    (tmp_path / "n 1.ann").write_text(ANN, "utf-8")
    (tmp_path / "n 2.txt").write_text("无", "utf-8")
    lost: Counter[str] = Counter()
    one, two = (note for _, note in read_records(tmp_path, lost=lost))
    assert one == Note(
        "n 1",
        "chest, Doe's, pain aspirin",
        entities=(
            Span(0, 18, "SYMPTOM", context=Context(negated=False)),
            Span(19, 26, "DRUG", context=Context(negated=True, experiencer="family")),
        ),
        phi=(Span(8, 11, "NAME"),),
    )
    assert two == Note("n 2", "无")
    counted = {"discontinuous": 1, "events": 1, "relations": 1, "attributes": 1, "comments": 1, "equivalences": 1}
    assert lost == counted | {"words_differ": 1}
    for name in ("n 1.txt", "n 1.ann"):
        assert list(read_notes(tmp_path / name)) == [one]


def test_what_brat_looks_like(tmp_path: Path) -> None:
    note = Note("a/b", "No chest\npain, Doe", entities=(Span(3, 13, "SYMPTOM", context=Context(negated=True)),))
    report = write_notes([note], tmp_path / "out", WriteOptions(format="brat"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a%2Fb.ann", "a%2Fb.txt", "annotation.conf"]
    ann = (tmp_path / "out" / "a%2Fb.ann").read_text()
    assert ann == "T1\tSYMPTOM 3 8;9 13\tchest pain\nA1\tNegated T1\nA2\tExperiencer T1 Patient\n"
    assert "[entities]\nSYMPTOM\n" in (tmp_path / "out" / "annotation.conf").read_text()
    lost: Counter[str] = Counter()
    assert [each for _, each in read_records(tmp_path / "out", lost=lost)] == [note]
    assert not lost
    assert not report.lost


@pytest.mark.parametrize("line", ["T1 X 0 1 x", "T1\tX 0 1;\tx", "Z1\tX", "T1\tX\tx"])
def test_brat_lines_of_another_form(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.ann").write_text(f"\n{line}\n")
    ((number, failure),) = read_records(tmp_path)
    assert number == 1
    assert "a.ann:2: " in failure.reason


def test_an_ann_file_without_text(tmp_path: Path) -> None:
    (tmp_path / "a.ann").write_text("T1\tX 0 1\tx\n")
    ((_, failure),) = read_records(tmp_path)
    assert (failure.note_id, failure.reason) == ("a", "a.txt: cannot be read (No such file or directory)")


# CoNLL


@pytest.mark.parametrize(
    "tags",
    [
        ["O", "B-S", "I-S", "B-S", "O", "B-A"],  # IOB2
        ["O", "I-S", "I-S", "B-S", "O", "I-A"],  # IOB1
        ["O", "B-S", "E-S", "S-S", "O", "S-A"],  # BIOES
        ["O", "B-S", "L-S", "U-S", "O", "U-A"],  # BILOU
    ],
)
def test_tags_of_every_scheme(tags: list[str], tmp_path: Path) -> None:
    tokens = ["No", "chest", "pain", "fever", "but", "胸"]
    rows = [f"{token}\tNN\t{tag}" for token, tag in zip(tokens, tags, strict=True)]
    (tmp_path / "d.conll").write_text("\n".join(rows) + "\n\n\nNext O\n", "utf-8")
    one, two = read_notes(tmp_path / "d.conll")
    assert one.text == "No chest pain fever but胸"
    spans = (Span(3, 13, "S"), Span(14, 19, "S"), Span(23, 24, "A"))
    assert one == Note("d-1", one.text, entities=spans)
    assert two == Note("d-9", "Next")


def test_what_conll_looks_like(tmp_path: Path) -> None:
    note = Note("n1", "No fever.\n\n胸痛", entities=(Span(3, 8, "S"), Span(11, 13, "S")))
    write_notes([note, Note("n2", "x")], tmp_path / "d.conll")
    rows = ["-DOCSTART-\tn1\tO", "", "No\tO", "fever\tB-S", ".\tO", "", "", "胸\tB-S", "痛\tI-S", ""]
    rows += ["-DOCSTART-\tn2\tO", "", "x\tO", "", ""]
    assert (tmp_path / "d.conll").read_text("utf-8") == "\n".join(rows)
    found = list(read_notes(tmp_path / "d.conll"))
    assert [each.note_id for each in found] == ["n1", "n2"]
    assert found[0].text == "No fever .\n\n胸痛"


def test_conll_of_2003(tmp_path: Path) -> None:
    rows = ["-DOCSTART- -X- -X- O", "", "EU NNP B-NP B-ORG", "rejects VBZ B-VP O", "", "Peter NNP B-NP B-PER", ""]
    (tmp_path / "d.bio").write_text("\n".join([*rows, *rows]))
    one, two = read_notes(tmp_path / "d.bio")
    assert one == Note("d-1", "EU rejects\nPeter", entities=(Span(0, 2, "ORG"), Span(11, 16, "PER")))
    assert (two.note_id, two.text) == ("d-8", one.text)


def test_a_tsv_of_tags_is_conll_and_one_with_a_header_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("BRCA1\tO\nis\tO\n")
    (tmp_path / "b.tsv").write_text("id\ttext\nx\ty\n")
    assert [note.text for note in read_notes(tmp_path / "a.tsv")] == ["BRCA1 is"]
    assert [note.text for note in read_notes(tmp_path / "b.tsv")] == ["y"]


@pytest.mark.parametrize("row", ["token", "token\tDRUG", "token\tBDRUG", "\tO"])
def test_conll_lines_of_another_form(row: str, tmp_path: Path) -> None:
    (tmp_path / "d.conll").write_text(f"a\tO\n\nb\tO\n{row}\n\nc\tO\n")
    found = list(read_records(tmp_path / "d.conll"))
    assert [line for line, _ in found] == [1, 3, 6]
    assert found[1][1].reason.startswith("line 4: a t")


def test_the_caller_may_bring_a_tokenizer(tmp_path: Path) -> None:
    note = Note("n", "阿司匹林100mg", entities=(Span(0, 4, "DRUG"),))
    write_notes([note], tmp_path / "d.conll", tokenize=lambda _: [(0, 4), (4, 7), (7, 9)])
    assert "阿司匹林\tB-DRUG\n100\tO\nmg\tO" in (tmp_path / "d.conll").read_text("utf-8")


# DocBin


def test_a_docbin_is_what_spacy_works_with(tmp_path: Path) -> None:
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    write_notes(NOTES, tmp_path / "d.spacy")
    one, two, three = DocBin().from_disk(tmp_path / "d.spacy").get_docs(Vocab())
    assert (one.text, two.text, three.text) == tuple(note.text for note in NOTES)
    assert [token.text for token in one][:6] == ["CC", ":", "chest", "pain", ".", "\n"]
    assert [(ent.text, ent.label_) for ent in one.ents] == [
        ("chest pain", "SYMPTOM"),
        ("fever", "SYMPTOM"),
        ("aspirin", "DRUG"),
    ]
    assert [span.text for span in one.spans["entities"]] == ["chest pain", "chest", "fever", "aspirin"]
    assert [span.text for span in two.spans["phi"]] == ["王某"]
    assert one.cats == {"R07.9": 0.9, "I20": 1.0}


def test_a_docbin_that_was_changed_in_spacy(tmp_path: Path) -> None:
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    write_notes([ENGLISH], tmp_path / "d.spacy")
    (doc,) = DocBin().from_disk(tmp_path / "d.spacy").get_docs(Vocab())
    doc.spans["entities"] = [*list(doc.spans["entities"])[2:], doc.char_span(0, 2, "NEW")]
    doc.cats = {"I20": 0.5, "I21": 0.25, "I22": 0.0}
    DocBin(store_user_data=True, docs=[doc]).to_disk(tmp_path / "e.spacy")
    (note,) = read_notes(tmp_path / "e.spacy")
    assert note.entities == (Span(0, 2, "NEW"), *ENGLISH.entities[2:])
    assert [(each.code, each.score) for each in note.diagnoses or ()] == [("I20", 0.5), ("I21", 0.25)]
    assert (note.note_id, note.fields, note.time) == (ENGLISH.note_id, ENGLISH.fields, ENGLISH.time)


def test_a_docbin_shows_scores_and_context_in_spacy_and_brings_them_back(tmp_path: Path) -> None:
    import spacy
    from spacy.tokens import DocBin

    from clinlp.pipes import register_extensions

    entity = Span(3, 8, "SYMPTOM", 0.9, Context(negated=True))
    write_notes([Note("n", "No fever.", entities=(entity,), diagnoses=(Diagnosis("R50", 0.7),))], tmp_path / "d.spacy")
    register_extensions()
    nlp = spacy.blank("en")
    [doc] = DocBin().from_disk(tmp_path / "d.spacy").get_docs(nlp.vocab)
    assert (doc.ents[0]._.score, doc.ents[0]._.negated, doc._.diagnoses) == (0.9, True, (Diagnosis("R50"),))
    del doc.user_data["clinlp"]  # as a pipeline leaves a Doc, which knows no note
    DocBin(store_user_data=True, docs=[doc]).to_disk(tmp_path / "e.spacy")
    [back] = read_notes(tmp_path / "e.spacy")
    assert (back.entities, back.entities[0].score, back.diagnoses) == ((entity,), 0.9, (Diagnosis("R50"),))


def test_a_docbin_from_elsewhere(tmp_path: Path) -> None:
    from spacy.tokens import Doc, DocBin
    from spacy.vocab import Vocab

    vocab = Vocab()
    doc = Doc(vocab, ["Chest", "pain", "today", "."], [True, True, False, False])
    other = Doc(vocab, ["Fine", "."], [False, False])
    doc.ents = [doc.char_span(0, 10, "SYMPTOM")]
    other.spans["sc"] = [other.char_span(0, 4, "RESULT")]
    other.spans["rulers"] = [other.char_span(0, 4, "X")]
    DocBin(docs=[doc, other]).to_disk(tmp_path / "d.spacy")
    lost: Counter[str] = Counter()
    notes = [note for _, note in read_records(tmp_path / "d.spacy", lost=lost)]
    assert notes == [
        Note("d-1", "Chest pain today.", entities=(Span(0, 10, "SYMPTOM"),)),
        Note("d-2", "Fine.", entities=(Span(0, 4, "RESULT"),)),
    ]
    assert +lost == {"span_groups": 1}


# folders


def test_a_folder_of_texts(tmp_path: Path) -> None:
    for name, text in (("b.txt", "two\r\n"), ("a.txt", "一"), (".hidden.txt", "x"), ("readme.md", "x")):
        (tmp_path / name).write_bytes(text.encode())
    assert list(read_records(tmp_path)) == [(1, Note("a", "一")), (2, Note("b", "two\r\n"))]
    assert [path.name for path in list_files(tmp_path, ReadOptions())] == ["a.txt", "b.txt"]


def test_a_text_that_cannot_be_decoded_is_one_failure(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("患者".encode("gb18030"))
    (tmp_path / "b.txt").write_bytes("患者".encode())
    (_, failure), (_, note) = read_records(tmp_path)
    assert failure.reason == "a.txt: utf-8 needed, got other bytes; try --encoding gb18030"
    assert note.text == "患者"


def test_a_folder_of_a_dump_in_parts(tmp_path: Path) -> None:
    for number in (1, 0):
        write_notes([Note(f"n{number}", "x")], tmp_path / f"part-0000{number}.jsonl")
    (tmp_path / "part-00002.jsonl").touch()
    (tmp_path / "quarantine.jsonl").write_text(json.dumps({"note_id": "q", "line": 3}))
    (tmp_path / "_SUCCESS").touch()
    assert [(line, note.note_id) for line, note in read_records(tmp_path)] == [(1, "n0"), (1, "n1")]


# all


@pytest.mark.parametrize("name", ["d.jsonl", "d.csv", "d.arrow", "d.conll"])
def test_memory_does_not_grow_with_the_dump(name: str, tmp_path: Path) -> None:
    """Reading and writing 2,000 notes of 10 kB takes a few MB, not 20."""
    text = "患者 denies fever. " * 600
    peaks = []
    for n_notes in (500, 2000):
        gc.collect()
        tracemalloc.start()
        write_notes(
            (Note(str(number), text) for number in range(n_notes)), tmp_path / name, tokenize=lambda _: [(0, 2)]
        )
        assert sum(1 for _ in read_records(tmp_path / name)) == n_notes
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3 + 1e6


def test_every_format_can_be_asked_for_by_name(tmp_path: Path) -> None:
    for kind in FORMATS:
        path = tmp_path / kind
        write_notes([CHINESE], path, WriteOptions(format=kind))
        (note,) = read_notes(path, ReadOptions(format=kind))
        assert "".join(note.text.split()) == "".join(CHINESE.text.split())


@pytest.mark.shared
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("en/ncbi_disease/conll/devel.tsv", "en/ncbi_disease/dev.jsonl"),
        ("en/bc5cdr/conll/devel.tsv", "en/bc5cdr/dev.jsonl"),
    ],
)
def test_public_conll_files_read_as_their_notes(one: str, other: str, shared_data: Path) -> None:
    for note, known in zip(read_notes(shared_data / one), read_notes(shared_data / other), strict=True):
        assert note.text == known.text
        assert [(span.start, span.end) for span in note.entities] == [(s.start, s.end) for s in known.entities]


def test_brat_spans_of_another_version_of_the_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("a fever and a cough", "utf-8")
    (tmp_path / "n.ann").write_text("T1\tSIGN 3 8\tfever\nT2\tSIGN 15 19\tcough\n", "utf-8")
    with pytest.raises(DataError, match=r"n\.ann: spans of this text needed, got 2 of 2 whose words"):
        list(read_notes(tmp_path))


@pytest.mark.parametrize("name", ["entities", "phi"])
def test_a_cell_of_spans_that_is_no_list_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "notes.csv"
    spans = '" [{""start"": 0, ""end"": 5, ""label"": ""SIGN""}]"'
    path.write_text(f"note_id,text,{name}\na,fever,{spans}\nb,fever,\nc,fever,SIGN 0 5\n", "utf-8")
    first, second, third = (note for _, note in read_records(path))
    assert getattr(first, name) == (Span(0, 5, "SIGN"),)
    assert isinstance(second, Note)
    assert (third.line, third.reason) == (4, f'"{name}" needs JSON (broken at character 1)')
