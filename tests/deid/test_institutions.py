"""Hospitals and employers by the short names that people use, and the same words where they mean something else."""

from __future__ import annotations

import pytest

from clinlp.deid import default_detectors, find_phi
from clinlp.note import Note


def found(text: str) -> dict[str, str]:
    [note] = find_phi([Note("n", text, lang="en")], default_detectors())
    return {text[span.start : span.end]: span.label for span in note.phi}


@pytest.mark.parametrize(
    ("text", "words", "label"),
    [
        ("cath film is from Cedars-Sinai, not ours", "Cedars-Sinai", "HOSPITAL"),
        ("records of UCSF arrived", "UCSF", "HOSPITAL"),
        ("transferred to CHOP overnight", "CHOP", "HOSPITAL"),
        ("seen at Mayo in the spring", "Mayo", "HOSPITAL"),
        ("she drives for UPS", "UPS", "ORG"),
        ("a FedEx driver with back pain", "FedEx", "ORG"),
    ],
)
def test_short_names_are_found(text: str, words: str, label: str) -> None:
    assert found(text).get(words) == label


@pytest.mark.parametrize(
    "text",
    [
        "completed R-CHOP, six cycles",
        "four cycles of CHOP were given",
        "instruments on the Mayo stand",
        "a St. Jude valve in mitral position",
        "RVH by voltage criteria on ECG",
        "bought a cuff on Amazon last week",
        "the Mayo score was 6",
    ],
)
def test_the_same_words_elsewhere_are_none(text: str) -> None:
    assert not {"HOSPITAL", "ORG"} & set(found(text).values())
