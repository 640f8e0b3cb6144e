"""Names in part: which words of a name a sentence holds."""

from __future__ import annotations

import json

import pytest

from clinlp import Note, UsageError
from clinlp.data.likeness import NameUnits

TABLE = {0: ["Pneumonia, unspecified organism", "细菌性肺炎"], 1: ["Fracture of the left femur"], 3: ["2型糖尿病"]}


@pytest.fixture
def units():
    return NameUnits.build(TABLE, [Note("a", "The left lung is clear."), Note("b", "既往糖尿病。")])


def test_words_of_a_name_may_stand_apart_but_in_one_sentence(units):
    together, where = units(Note("n", "He is well. The left knee hurts; the femur has a fracture."), 5)
    apart, _ = units(Note("n", "The femur hurts. He has fractures. It is on the left."), 5)
    assert together[1] == pytest.approx(1.0)
    assert where[1] == 1
    assert 0 < apart[1] < 0.6
    assert together[[0, 2, 3, 4]].tolist() == [0.0] * 4


def test_chinese_names_are_read_by_pairs_of_characters(units):
    shares, _ = units(Note("n", "患者无发热。诊断为细菌性肺炎，糖尿病。"), 5)
    assert shares[0] == pytest.approx(1.0)
    assert 0.3 < shares[3] < 1.0


def test_a_rare_word_says_more_than_a_common_one(units):
    left, _ = units(Note("n", "left"), 5)
    femur, _ = units(Note("n", "femur"), 5)
    assert 0 < left[1] < femur[1]


def test_marks_are_the_words_of_the_name(units):
    text = "A fracture, left femur; lungs clear."
    assert [text[start:end] for start, end in units.marks(text, 1)] == ["fracture", "left", "femur"]
    assert units.marks(text, 0) == []


def test_what_is_saved_reads_alike(units, tmp_path):
    units.save(tmp_path)
    note = Note("n", "Femur fracture. 细菌性肺炎")
    for one, other in zip(units(note, 5), NameUnits.load(tmp_path)(note, 5), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize(
    "held", [{}, [], {"units": {"a": 1.0}, "names": [[0, [1]]]}, {"units": {"a": "x"}, "names": []}]
)
def test_a_broken_file_is_told(tmp_path, held):
    with pytest.raises(UsageError, match=r"no likeness\.json"):
        NameUnits.load(tmp_path)
    (tmp_path / "likeness.json").write_text(json.dumps(held))
    with pytest.raises(UsageError, match=r"likeness\.json: units"):
        NameUnits.load(tmp_path)


def test_no_names_are_no_error():
    units = NameUnits.build({0: []}, [])
    assert units.n_codes == 0
    assert units(Note("n", "Femur."), 2)[0].tolist() == [0.0, 0.0]
