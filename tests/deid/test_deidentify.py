"""The three replacements, and what they leave alone."""

from __future__ import annotations

import pytest

from clinlp.deid import default_detectors, deidentify, find_phi
from clinlp.errors import UsageError
from clinlp.note import Diagnosis, Note
from clinlp.spans import Span

TEXT = "Ann Lee met BOB. ann  lee has asthma.\nBob left."
PHI = (Span(0, 7, "NAME"), Span(12, 15, "NAME"), Span(17, 25, "NAME"), Span(38, 41, "NAME"))
NOTE = Note(
    "n",
    TEXT,
    phi=PHI,
    entities=(Span(30, 36, "DISEASE"),),
    sections=(Span(0, len(TEXT), "other"),),
    diagnoses=(Diagnosis("J45", 0.9, (Span(30, 36, "DISEASE"),)),),
)


def test_off_changes_nothing() -> None:
    assert deidentify(NOTE, "off") is NOTE


def test_tag_writes_the_label() -> None:
    assert deidentify(NOTE, "tag").text == "[NAME] met [NAME]. [NAME] has asthma.\n[NAME] left."


def test_placeholder_numbers_the_same_words_alike() -> None:
    released = deidentify(NOTE, "placeholder")
    assert released.text == "[NAME-1] met [NAME-2]. [NAME-1] has asthma.\n[NAME-2] left."


def test_placeholder_numbers_each_label_apart() -> None:
    note = Note("n", "Ann 7", phi=(Span(0, 3, "NAME"), Span(4, 5, "ID")))
    assert deidentify(note, "placeholder").text == "[NAME-1] [ID-1]"


def test_mask_keeps_length_and_line_breaks() -> None:
    note = Note("n", "12 Elm St\nApt 4\r\nX 张伟", phi=(Span(0, 18, "LOCATION"), Span(19, 21, "NAME")))
    assert deidentify(note, "mask").text == "*********\n*****\r\n* **"


def test_every_span_set_comes_along() -> None:
    for mode in ("tag", "mask", "placeholder"):
        released = deidentify(NOTE, mode)
        words = [released.text[span.start : span.end] for span in released.entities]
        assert words == ["asthma"]
        assert released.diagnoses is not None
        assert released.diagnoses[0].evidence == released.entities
        assert released.sections == (Span(0, len(released.text), "other"),)
        assert all(released.text[span.start] in "[*" for span in released.phi)
        assert len(released.phi) == len(PHI)


def test_the_rules_leave_replacements_alone() -> None:
    text = (
        "Patient: Maria Gomez\nMRN: 448812, seen on 3/4/2021 at St. Mary's Hospital. 患者姓名：陈志强，住院号：448812。"
    )
    for mode in ("tag", "placeholder"):
        released = deidentify(find_phi([Note("n", text)], default_detectors())[0], mode)
        again = deidentify(find_phi([released], default_detectors())[0], mode)
        assert again.text == released.text
        bare = Note("n", released.text)
        assert deidentify(find_phi([bare], default_detectors())[0], mode).text == released.text


def test_an_unknown_mode_is_an_error_that_quotes_no_text() -> None:
    with pytest.raises(UsageError, match="mode needs one of off, tag, mask, placeholder"):
        deidentify(NOTE, "blur")  # type: ignore[arg-type]


def test_a_value_never_shows_in_a_repr() -> None:
    note = find_phi([Note("n", "Patient: Zebulon Quartermaine")], default_detectors())[0]
    assert note.phi
    assert "Zebulon" not in repr(note)
    assert "Zebulon" not in repr(deidentify(note, "placeholder"))
