"""Rules and bundled taggers together: what they find on notes that neither was made with, the same by every road."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import spacy

import clinlp
from clinlp.deid import find_phi
from clinlp.inference.config import PipelineConfig
from clinlp.inference.phi import PhiTagger
from clinlp.inference.pipeline import Pipeline
from clinlp.inference.release import Deidentifier
from clinlp.metrics.leakage import score_leakage
from clinlp.models.store import find_model
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.spans import Span

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpora.written import written_notes


def unmarked(notes: list[Note]) -> list[Note]:
    return [Note(note.note_id, note.text, lang=note.lang) for note in notes]


def test_queries_that_clinicians_ask_leak_little_and_keep_what_is_medicine() -> None:
    """Drugs, doses, scores, trials, eponyms and guidelines stay; names, ages over 89, places and numbers go."""
    path = Path(__file__).resolve().parents[1] / "cases" / "queries_en.jsonl"
    gold = list(read_notes(path))
    scores = score_leakage(gold, Deidentifier(PipelineConfig()).find(unmarked(gold)))
    assert len(gold) >= 100
    assert scores.overall.character_recall >= 0.995
    assert scores.clean_share >= 0.97
    assert scores.over_redaction <= 0.008


@pytest.mark.parametrize("text", ["9 y/o boy, Conners positive for ADHD, no fever.", "Cobb 22, Nash positive on film."])
def test_a_tagger_that_may_doubt_does_so_by_every_road(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "phi-en"
    shutil.copytree(find_model("phi-en"), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"doubts": {"en": {"NAME": 0.7}}}), "utf-8")
    alone = Deidentifier(PipelineConfig(phi="off")).find([Note("a", text, lang="en")])
    [both] = Deidentifier(PipelineConfig(phi=str(folder))).find([Note("a", text, lang="en")])
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}})
    nlp.add_pipe("clinlp_phi", config={"model": str(folder)})
    doc = nlp(text)
    assert alone[0].phi
    assert not both.phi
    assert not doc.spans["phi"]


@pytest.mark.parametrize(("lang", "least", "most"), [("en", 0.99, 0.0095), ("zh", 0.995, 0.005)])
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


@pytest.mark.parametrize(
    ("lang", "filler", "sentence", "name"),
    [
        ("en", "mild edema noted. ", "She lives with her brother Tomasz Wrona in town. ", "Tomasz Wrona"),
        ("zh", "双肺呼吸音清，", "患者王志强今日诉胸闷，", "王志强"),
    ],
)
def test_a_name_is_found_wherever_a_window_ends(lang: str, filler: str, sentence: str, name: str) -> None:
    """A window holds 128 pieces: the name is moved over its border piece by piece."""
    tagger = PhiTagger.load(f"phi-{lang}")
    before = 24 if lang == "en" else 16  # sentences until a border is near
    notes = []
    for more in range(12):
        text = filler * (before + more) + sentence + filler * 30
        notes.append(Note(f"n{more}", text, lang=lang))  # type: ignore[arg-type]
    for note, found in zip(notes, find_phi(notes, [tagger]), strict=True):
        at = note.text.index(name)
        assert any(span.start <= at and at + len(name) <= span.end for span in found.phi), note.note_id
