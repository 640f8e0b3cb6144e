"""Rules and bundled taggers together: what they find on notes that neither was made with, the same by every road."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import spacy

import clinlp
from clinlp.inference.config import PipelineConfig
from clinlp.inference.pipeline import Pipeline
from clinlp.inference.release import Deidentifier
from clinlp.metrics.leakage import score_leakage
from clinlp.note import Note
from clinlp.spans import Span

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpora.written import written_notes


def unmarked(notes: list[Note]) -> list[Note]:
    return [Note(note.note_id, note.text, lang=note.lang) for note in notes]


@pytest.mark.parametrize(("lang", "least", "most"), [("en", 0.98, 0.01), ("zh", 0.99, 0.025)])
def test_unseen_notes_leak_little_and_lose_little_else(lang: str, least: float, most: float) -> None:
    gold = written_notes(lang, "test")
    bare = unmarked(gold)
    alone = score_leakage(gold, Deidentifier(PipelineConfig(phi="off")).find(bare))
    both = score_leakage(gold, Deidentifier(PipelineConfig()).find(bare))
    assert both.overall.character_recall >= max(least, alone.overall.character_recall)
    assert both.clean_share > alone.clean_share
    assert both.over_redaction <= most


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_python_pipeline_and_spacy_find_the_same(lang: str) -> None:
    notes = unmarked(written_notes(lang, "test")[:12])
    pipeline = Pipeline(PipelineConfig(entities="off", diagnosis="off", sections=False))
    released = [note.text for note in pipeline(notes) if isinstance(note, Note)]
    assert [clinlp.deidentify(note.text) for note in notes] == released
    nlp = spacy.blank(lang, config={"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}})
    nlp.add_pipe("clinlp_phi")
    found = Deidentifier(PipelineConfig()).find(notes)
    for note, doc in zip(found, nlp.pipe(note.text for note in notes), strict=True):
        spans = {Span(span.start_char, span.end_char, span.label_) for span in doc.spans["phi"]}
        for span in note.phi:  # a span of spaCy takes the tokens in that ours cuts
            assert any(s.start <= span.start and span.end <= s.end and s.label == span.label for s in spans)
        assert len(spans) <= len(note.phi)
