"""The last look before a release: what survives, and what only PHI looks like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clinlp.deid import Mode, default_detectors, deidentify, find_phi
from clinlp.deid.sweep import check_release, occurrences, sweep
from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.spans import Span

ZERO_WIDTH = "\u200b"


def marked(text, *words, label="NAME"):
    return Note("n1", text, phi=tuple(Span(text.index(w), text.index(w) + len(w), label) for w in words))


@pytest.mark.parametrize("text", ["Okafor came. Later Okafor left.", "欧阳明月来诊。欧阳明月离院。"])
def test_a_string_that_survives_stops_the_release(text):
    note = marked(text, text[:6] if text[0] == "O" else text[:4])
    with pytest.raises(DataError, match=r"note n1: a text without its PHI needed, got NAME again at \[") as error:
        check_release(note, deidentify(note, "tag"))
    assert "Okafor" not in str(error.value)
    assert "欧阳" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("write to a.b@clinic.org", "EMAIL"),
        ("see https://example.org/x", "URL"),
        ("number 123-45-6789 given", "SSN"),
        ("call (507) 555-0123 now", "PHONE"),
        ("电话13812345678。", "PHONE"),
        ("电话１３８１２３４５６７８。", "PHONE"),
        (f"电话138{ZERO_WIDTH}1234{ZERO_WIDTH}5678。", "PHONE"),
        ("证号110105194912310021", "ID_CARD"),
        ("2021年3月5日复查", "DATE"),
        ("seen 2021-03-05", "DATE"),
        ("seen 3/5/2021", "DATE"),
        ("on March 5, 2021", "DATE"),
        ("on 5 Mar 2021", "DATE"),
    ],
)
def test_what_only_phi_looks_like_stops_the_release(text, label):
    assert [span.label for span in sweep(text, ())] == [label]
    with pytest.raises(DataError, match=f"got what looks like {label} at"):
        check_release(Note("n1", text), Note("n1", text))


@pytest.mark.parametrize("text", ["BP 120/80, 10/325 mg, ratio 3/5", "WBC 12345, 2021 guideline", "血压120/80，3天前"])
def test_what_medicine_looks_like_does_not(text):
    assert list(sweep(text, ())) == []


def test_a_replacement_is_not_looked_at():
    text = "seen 2021-03-05"
    assert list(sweep(text, (Span(5, 15, "DATE"),))) == []


def test_the_place_is_that_of_the_text_as_it_is():
    text = f"x{ZERO_WIDTH}电话１３８１２３４５６７８"
    assert list(sweep(text, ())) == [Span(4, 15, "PHONE")]


@pytest.mark.parametrize("mode", ["tag", "mask", "placeholder"])
def test_what_the_rules_release_passes(mode: Mode):
    text = "Dr. Jane Okafor, MRN 123456, seen 3/5/2021.\n患者姓名：欧阳明月，电话13812345678，2021年3月5日。"
    [note] = find_phi([Note("n1", text)], default_detectors())
    check_release(note, deidentify(note, mode))


def test_a_name_found_once_is_found_everywhere():
    text = "Okafor stable. 4512-77 and Okafor-like; xOkafory. Okafor"
    [note] = find_phi([Note("n1", text, phi=(Span(0, 6, "NAME"),))], [])
    assert [text[s.start : s.end] for s in note.phi] == ["Okafor", "Okafor", "Okafor"]
    assert list(occurrences("Okafor", text)) == [0, 27, 50]


@pytest.mark.parametrize(
    ("note_id", "text", "words"),
    [
        ("okafor, ada", "Seen by Okafor, Ada.", "Okafor, Ada"),
        ("王建国_2021", "患者王建国来诊。", "王建国"),
        ("visit-4482913", "MRN 4482913.", "4482913"),
    ],
)
def test_an_id_that_says_who_it_is_stops_the_release(note_id, text, words):
    note = replace(marked(text, words), note_id=note_id)
    with pytest.raises(DataError, match="an id without the note's PHI needed, for it is released too, got NAME in it"):
        check_release(note, deidentify(note, "tag"))


@pytest.mark.parametrize("note_id", ["n1", "4482913001", "Okaforson", "12", "王"])
def test_an_id_that_only_looks_alike_does_not(note_id):
    note = replace(marked("Okafor 4482913, room 12. 王建国", "Okafor", "4482913", "12", "王建国"), note_id=note_id)
    check_release(note, deidentify(note, "tag"))
