"""The words that say what a context says: where they stand, and that they travel with the note."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.pipes import doc_to_note, note_to_doc
from clinlp.records import WriteOptions, from_record, read_notes, to_record, write_notes
from clinlp.rewrite import Edit, rewrite
from clinlp.spans import Context, Cue, Span
from clinlp.text.context import add_context


def note_of(text: str, words: str, lang: str = "en") -> Note:
    spans = [Span(text.index(words), text.index(words) + len(words), "X")]
    return Note("n", text, lang=lang, entities=add_context(text, spans, lang))


def cues_of(note: Note) -> list[tuple[str, str]]:
    [entity] = note.entities
    assert entity.context is not None
    return [(note.text[cue.start : cue.end], cue.effect) for cue in entity.context.cues]


@pytest.mark.parametrize(
    ("text", "words", "lang", "cues"),
    [
        ("He has fever.", "fever", "en", []),
        ("No fever.", "fever", "en", [("No", "negated")]),
        ("No chills, no fever.", "fever", "en", [("no", "negated")]),
        ("No no no fever.", "fever", "en", [("no", "negated")]),
        ("Fever was ruled out.", "Fever", "en", [("was ruled out", "negated")]),
        (
            "His mother had asthma as a child.",
            "asthma",
            "en",
            [("mother", "experiencer"), ("as a child", "historical")],
        ),
        ("Denies:\n- fever\n- chills", "chills", "en", [("Denies", "negated")]),
        ("Seen for old infarct.", "old infarct", "en", [("old", "historical")]),
        ("无咳嗽、发热。", "发热", "zh", [("无", "negated")]),
        ("肺癌不除外。", "肺癌", "zh", [("不除外", "uncertain")]),
        ("母亲患乳腺癌。", "乳腺癌", "zh", [("母亲", "experiencer")]),
        ("否认：\n1. 高血压\n2. 糖尿病", "糖尿病", "zh", [("否认", "negated")]),
        ("见陈旧性脑梗死。", "陈旧性脑梗死", "zh", [("陈旧性", "historical")]),
    ],
)
def test_the_words_are_those_that_say_so(text: str, words: str, lang: str, cues: list[tuple[str, str]]) -> None:
    assert cues_of(note_of(text, words, lang)) == cues


def test_cues_are_no_part_of_equality() -> None:
    assert Context(negated=True) == Context(negated=True, cues=(Cue(0, 2, "negated"),))


def test_a_cue_moves_with_its_text() -> None:
    note = rewrite(note_of("Mr. Li denies any fever.", "fever"), [Edit(0, 6, "[NAME]"), Edit(14, 17, "all")])
    assert note.text == "[NAME] denies all fever."
    assert cues_of(note) == [("denies", "negated")]


@pytest.mark.parametrize("name", ["n.jsonl", "n.parquet", "n.arrow", "n.spacy", "n.csv"])
@pytest.mark.parametrize(("text", "words", "lang"), [("No fever.", "fever", "en"), ("患者否认头痛。", "头痛", "zh")])
def test_files_hold_the_cues(name: str, text: str, words: str, lang: str, tmp_path: Path) -> None:
    note = note_of(text, words, lang)
    report = write_notes([note], tmp_path / name)
    [back] = read_notes(tmp_path / name)
    assert cues_of(back) == cues_of(note) != []
    assert not report.lost


def test_brat_counts_the_cues_that_it_cannot_hold(tmp_path: Path) -> None:
    assert write_notes([note_of("No fever.", "fever")], tmp_path / "o", WriteOptions(format="brat")).lost["cues"] == 1


def test_a_record_without_cues_is_read_as_before() -> None:
    record = to_record(note_of("No fever.", "fever"))
    del record["entities"][0]["context"]["cues"]
    [entity] = from_record(record).entities
    assert entity.context == Context(negated=True)
    assert entity.context.cues == ()


@pytest.mark.parametrize(
    ("cues", "message"),
    [
        (3, '"cues" needs to be a list, got number'),
        ([3], '"cues" needs cues as start, end, effect, got number'),
        ([[0, 2]], '"cues" needs cues as start, end, effect, got list'),
        ([[0, 2, "denied"]], '"cues" needs an effect of negated, uncertain'),
        ([{"start": 2, "end": 2, "effect": "negated"}], r"cue needs 0 <= start < end, got \[2, 2\)"),
        ([[0, 99, "negated"]], r"cue \[0, 99\) ends after character 9"),
    ],
)
def test_cues_that_are_none(cues: object, message: str) -> None:
    record = to_record(note_of("No fever.", "fever"))
    record["entities"][0]["context"]["cues"] = cues
    with pytest.raises(DataError, match=message):
        from_record(record)


def test_a_doc_holds_the_cues_and_a_part_of_it_its_own() -> None:
    nlp = spacy.blank("en")
    doc = note_to_doc(note_of("He is well. He has no fever now.", "fever"), nlp)
    assert doc.ents[0]._.cues == (Cue(19, 21, "negated"),)
    assert cues_of(doc_to_note(doc)) == [("no", "negated")]
    part = doc[4:].as_doc(copy_user_data=True)
    assert [part.text[start:end] for start, end, _ in part.ents[0]._.cues] == ["no"]
    alone = doc.ents[0].as_doc(copy_user_data=True)
    assert alone.ents[0]._.cues == ()
    assert alone.ents[0]._.negated


@pytest.mark.parametrize(
    ("repeated", "phrase", "words", "lang"),
    [
        ("denies ", "since yesterday ", "fever", "en"),  # ends the past, and the word in it all else
        ("friend ", "she was ", "fever", "en"),
        ("history of ", "diagnosis of ", "asthma", "en"),
        ("否认", "今天", "发热", "zh"),
        ("母亲", "入院时", "发热", "zh"),
        ("既往", "现有", "哮喘", "zh"),
    ],
)
def test_of_repeated_cues_none_is_lost_that_begins_where_another_does(
    repeated: str, phrase: str, words: str, lang: str
) -> None:
    few, many = (note_of(f"{repeated * n}{phrase}{words}.", words, lang) for n in (3, 70))
    assert few.entities[0].context == Context()
    assert many.entities[0].context == Context()


@given(
    st.lists(
        st.sampled_from(
            [
                "no ",
                "denies ",
                "无",
                "未见",
                "，",
                ". ",
                "。",
                "\n",
                "fever",
                "但",
                "ruled out",
                ": ",
                "- ",
                "\x00",
                "既往",
                "母亲",
            ]
        ),
        max_size=20,
    ),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=6),
    st.sampled_from(["en", "zh"]),
)
def test_every_cue_lies_in_the_text_and_outside_other_entities(
    pieces: list[str], places: list[tuple[int, int]], lang: str
) -> None:
    text = "".join(pieces)
    spans = [Span(at, min(at + n, len(text)), "X") for at, n in places if at < len(text)]
    for span in add_context(text, spans, lang):
        assert span.context is not None
        flagged = {
            name for name in ("negated", "uncertain", "historical", "hypothetical") if getattr(span.context, name)
        }
        assert flagged <= {cue.effect for cue in span.context.cues}
        for cue in span.context.cues:
            assert cue.end <= len(text)
            assert text[cue.start : cue.end].strip()
            inside = span.start <= cue.start and cue.end <= span.end
            assert inside or not any(other.start < cue.end and cue.start < other.end for other in spans)
    assert replace(Note("n", text), entities=tuple(add_context(text, spans, lang)))
