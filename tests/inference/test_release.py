"""A released text is read like the original: surrogates change who it is about, not what it says."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from clinlp import Note, UsageError, read_notes
from clinlp.deid.keys import new_key
from clinlp.inference.pipeline import Pipeline, PipelineConfig

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
OFF = {"diagnosis": "off", "context": False, "sections": False}


def outside(note, phi):
    """Entities that share no character with what was replaced."""
    return {
        (s.start, s.end, s.label) for s in note.entities if not any(s.start < p.end and p.start < s.end for p in phi)
    }


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_entities_of_a_released_text_are_those_carried_to_it(lang, tmp_path):
    """A tagger reads what stands around, so a new name may move a border once in a hundred."""
    new_key(tmp_path / "key")
    notes = [Note(n.note_id, n.text, n.patient_id, lang) for n in islice(read_notes(CORPORA / lang / "dev.jsonl"), 20)]
    released = Pipeline(PipelineConfig(deid="surrogate", key_file=tmp_path / "key", **OFF))(notes)
    assert all(isinstance(note, Note) for note in released)
    again = Pipeline(PipelineConfig(deid="off", **OFF))([Note(n.note_id, n.text, lang=lang) for n in released])
    carried = {(n.note_id, *span) for n in released for span in outside(n, n.phi)}
    found = {(n.note_id, *span) for n, r in zip(again, released, strict=True) for span in outside(n, r.phi)}
    assert len(carried) > 100
    assert len(carried & found) >= 0.99 * len(carried | found)


@pytest.mark.parametrize(("given", "got"), [(["Dr. Okafor"], "str"), ("患者王小明", "str"), ([None], "NoneType")])
def test_what_is_no_note_does_not_come_back_as_if_it_were_released(given, got):
    rules = PipelineConfig(phi="off", entities="off", **OFF)
    with pytest.raises(UsageError, match=rf'pipeline: notes needed, such as Note\("n1", text\), got {got}$'):
        Pipeline(rules)(given)
    with pytest.raises(UsageError, match="pipeline: a list of notes needed, got one note"):
        Pipeline(rules)(Note("n1", "Dr. Okafor"))
