"""`clinlp calibrate`: thresholds with a promise, or a plain word why there is none."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from clinlp import Note, Span, write_notes
from clinlp.cli.calibrate import calibrate
from clinlp.inference.config import PipelineConfig


def notes(n, missed=0):
    """Notes with a date that the rules find, and as many as said with a name that no rule does."""
    made = []
    for at in range(n):
        date = f"0{at % 9 + 1}/1{at % 8 + 1}/2021"
        text, phi = f"Seen on {date}, stable.", [Span(8, 8 + len(date), "DATE")]
        if at < missed:
            text += " zorblatt came."
            phi.append(Span(text.index("zorblatt"), text.index("zorblatt") + 8, "NAME"))
        made.append(Note(f"n{at}", text, phi=tuple(phi)))
    return made


def test_thresholds_are_chosen_and_used(clinlp, tmp_path):
    write_notes(notes(120), tmp_path / "gold.jsonl")
    done = clinlp("calibrate", tmp_path / "gold.jsonl", "-o", tmp_path / "t.json", "--phi", "off", "--alpha", "0.05")
    assert done.code == 0
    assert "of a note's PHI characters leak, on average" in done.out
    held = json.loads((tmp_path / "t.json").read_text())
    assert held["bound"] <= 0.05
    assert held["observed"] == 0.0
    assert 0 < held["thresholds"]["DATE"] <= 1
    released = tmp_path / "r.jsonl"
    done = clinlp("deidentify", tmp_path / "gold.jsonl", "-o", released, "--thresholds", tmp_path / "t.json")
    assert done.code == 0
    assert "2021" not in released.read_text()


@pytest.mark.parametrize(
    ("n", "missed", "options", "message"),
    [
        (
            20,
            0,
            ("--alpha", "0.01"),
            "99 notes or more needed to promise 0.01, got [0-9]+; about half of the gold notes count",
        ),
        (120, 90, ("--alpha", "0.05"), "no detector gives a candidate for the rest"),
    ],
)
def test_what_cannot_be_promised_is_said(clinlp, tmp_path, n, missed, options, message):
    write_notes(notes(n, missed), tmp_path / "gold.jsonl")
    done = clinlp("calibrate", tmp_path / "gold.jsonl", "-o", tmp_path / "t.json", "--phi", "off", *options)
    assert done.code == 1
    assert re.search(message, done.err)
    assert "zorblatt" not in done.out + done.err
    assert not (tmp_path / "t.json").exists()


def test_thresholds_are_chosen_for_the_release_that_is_made_by_default():
    """A tagger may doubt what the rules guess: what is promised of the rules alone does not hold beside it."""
    assert inspect.signature(calibrate).parameters["phi"].default == PipelineConfig().phi


def test_notes_without_phi_are_refused(clinlp, tmp_path):
    write_notes([Note("n", "No PHI.")], tmp_path / "gold.jsonl")
    done = clinlp("calibrate", tmp_path / "gold.jsonl", "-o", tmp_path / "t.json", "--phi", "off")
    assert (done.code, "notes with phi needed" in done.err) == (1, True)
