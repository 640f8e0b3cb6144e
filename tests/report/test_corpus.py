"""The report of a corpus: counts that can be checked by hand, and no word of a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinlp.errors import DataError
from clinlp.note import Diagnosis, Note
from clinlp.report.corpus import report_corpus
from clinlp.report.document import Report
from clinlp.spans import Context, Span

pytest.importorskip("matplotlib")
SENTINELS = ("Quoxly", "若兰")


def notes() -> list[Note]:
    denied = Context(negated=True)
    english = Note(
        "en-1",
        "Mrs Quoxly denies severe chest pain.",
        patient_id="p1",
        lang="en",
        entities=(Span(18, 35, "SYMPTOM", None, denied), Span(25, 30, "ANATOMY")),
        phi=(Span(4, 10, "NAME"),),
        sections=(Span(0, 36, "assessment"),),
        diagnoses=(Diagnosis("I10"), Diagnosis("J18.9")),
        fields={"ward": "7b"},
    )
    chinese = Note(
        "zh-1", "患者欧阳若兰发热。", patient_id="p2", lang="zh", entities=(Span(6, 8, "SYMPTOM"),), diagnoses=()
    )
    return [english, chinese, Note("zh-2", "咳嗽。", patient_id="p2", lang="zh")]


@pytest.fixture(scope="module")
def made() -> Report:
    return report_corpus(notes(), by="ward")


def test_counts(made: Report) -> None:
    numbers = made.numbers
    assert numbers["lengths"]["zh"] == {"n": 2, "min": 3, "median": 6.0, "mean": 6.0, "max": 9}
    assert numbers["entities"]["SYMPTOM"] == {
        "n_spans": 2,
        "n_notes": 2,
        "n_characters": 19,
        "n_nested": 0,
        "context": {"negated": 1},
    }
    assert numbers["entities"]["ANATOMY"]["n_nested"] == 1
    assert numbers["codes"] == {"I10": 1, "J18.9": 1}
    assert numbers["bands"] == {"head": 0, "torso": 0, "tail": 2}
    assert numbers["sections"] == {"assessment": 1}
    assert numbers["groups"] == {"(not said)": 2, "7b": 1}
    assert numbers["n_patients"] == 2


def test_figures_of_what_is_there(made: Report) -> None:
    names = {picture.name for picture in made.pictures}
    assert {"lengths", "patients", "entities_labels", "phi_labels", "codes", "chapters", "sections"} <= names
    assert [picture.name for picture in report_corpus([Note("n", "")]).pictures] == ["lengths"]


def test_no_word_of_a_note(made: Report, tmp_path: Path) -> None:
    for path in made.write(tmp_path):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            assert not [word for word in SENTINELS if word.encode() in file.read_bytes()], file.name


def test_no_note() -> None:
    with pytest.raises(DataError, match="corpus: notes needed, got none"):
        report_corpus([])
