"""Peers in a benchmark are given what they need: gold tags and spans that survive the way there and back."""

import runpy
from pathlib import Path

import pytest

from clinlp.note import Diagnosis, Note
from clinlp.records import write_notes
from clinlp.spans import Span
from clinlp.training.config import DiagnosisConfig

PEERS = runpy.run_path(str(Path(__file__).parent.parent / "scripts" / "bench" / "trainers.py"))
NAMES = ["O", "B-drug", "I-drug", "B-sign", "I-sign"]


@pytest.mark.parametrize(
    ("text", "spans", "lang"),
    [
        ("Gave oral iron. Chest pain and fever; no rash.", (Span(5, 14, "drug"), Span(16, 26, "sign")), "en"),
        ("头痛三天。予布洛芬口服。", (Span(0, 2, "sign"), Span(6, 9, "drug")), "zh"),
        ("Iron aspirin.", (Span(0, 4, "drug"), Span(5, 12, "drug")), "en"),
    ],
)
def test_tags_of_words_give_the_spans_back(text, spans, lang):
    found = []
    for sentence, inside, start in PEERS["sentences_of"](Note("a", text, lang=lang, entities=spans)):
        _, tags, offsets = PEERS["words_of"](sentence, inside, NAMES)
        found += PEERS["spans_of"]([NAMES[tag] for tag in tags], offsets, start)
    assert tuple(found) == spans


def test_only_the_first_piece_of_a_word_has_its_tag():
    assert PEERS["first_pieces"]([None, 0, 0, 1, 1, 2, None], [3, 4, 0]) == [-100, 3, -100, 4, -100, 0, -100]


def test_an_inside_tag_that_follows_nothing_begins_a_span():
    offsets = [(0, 2), (3, 5), (6, 8)]
    found = PEERS["spans_of"](["I-drug", "I-sign", "O"], offsets, 10)
    assert list(found) == [Span(10, 12, "drug"), Span(13, 15, "sign")]


DIAGNOSIS = runpy.run_path(str(Path(__file__).parent.parent / "scripts" / "bench" / "diagnosis.py"))


def test_jobs_of_diagnosis_are_configs_of_their_language():
    for name, job in DIAGNOSIS["JOBS"].items():
        settings = {key: value for key, value in job.items() if key not in ("set", "text", "begins", "both")}
        config = DiagnosisConfig.load(None, train=("train.jsonl",), out="out", **settings)
        assert config.encoder == ("lstm" if "both" in job else name.split("-")[1])
        assert job.get("both", name.replace("-both", "-lstm")) in DIAGNOSIS["JOBS"]
        assert "minilm" not in (config.encoder, config.vectors) or job["set"].startswith("en/")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_corpus_without_dev_gives_a_fifth_by_hash(tmp_path, lang):
    notes = [
        Note(f"n{at}", "x", lang=lang, diagnoses=(Diagnosis("a:1"), Diagnosis("b:2")), fields={"said": f"y{at}"})
        for at in range(200)
    ]
    write_notes(notes, tmp_path / "train.jsonl")
    train, scored = DIAGNOSIS["read_corpus"](tmp_path, {"text": "said", "begins": "a:"})
    assert {note.note_id for note in train}.isdisjoint(note.note_id for note in scored)
    assert len(train) + len(scored) == 200 and 20 <= len(scored) <= 60
    assert all(note.text == f"y{note.note_id[1:]}" and [d.code for d in note.diagnoses] == ["a:1"] for note in scored)


CODES = runpy.run_path(str(Path(__file__).parent.parent / "scripts" / "bench" / "codes.py"))


def test_label_attention_is_timed_against_its_products():
    found = CODES["attention"](20, 64, 16, 8)
    assert found["times_the_floor"] == pytest.approx(found["step_s"] / found["floor_s"])
    assert found["gflop"] == pytest.approx(6 * 64 * 20 * 24 / 1e9)
