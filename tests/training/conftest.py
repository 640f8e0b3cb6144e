"""Four notes that a model can learn by heart, and configs small enough to do it in seconds."""

from __future__ import annotations

import json

import pytest

from clinlp import Diagnosis, Note, Span, write_notes

CASES = [
    (
        "Fever and cough for 3 days. Denies chest pain.",
        [("Fever", "SYMPTOM"), ("cough", "SYMPTOM"), ("chest pain", "SYMPTOM")],
        "J18",
    ),
    ("Type 2 diabetes, on metformin 500 mg.", [("Type 2 diabetes", "DISEASE"), ("metformin", "DRUG")], "E11"),
    ("患者咳嗽3天，诊断为肺炎。", [("咳嗽", "SYMPTOM"), ("肺炎", "DISEASE")], "J18"),
    ("既往糖尿病，口服二甲双胍。", [("糖尿病", "DISEASE"), ("二甲双胍", "DRUG")], "E11"),
]


@pytest.fixture(autouse=True, scope="module")
def learning_by_heart():
    """Here dev is train nearly everywhere; that a run says so is tested with the command."""
    with pytest.MonkeyPatch.context() as patched:
        for module in ("finetune", "diagnosis"):
            patched.setattr(f"clinlp.training.{module}.shared_notes", lambda *_: [])
        yield


@pytest.fixture(scope="session")
def four_notes(tmp_path_factory):
    """The four notes as a JSON Lines file."""
    path = tmp_path_factory.mktemp("four") / "notes.jsonl"
    notes = []
    for at, (text, mentions, code) in enumerate(CASES):
        spans = tuple(Span(text.index(words), text.index(words) + len(words), label) for words, label in mentions)
        notes.append(Note(f"n{at}", text, entities=spans, diagnoses=(Diagnosis(code),)))
    write_notes(notes, path)
    return path


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A folder with a random BERT of two layers, as a hub id would give it."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    characters = sorted({character.lower() for text, _, _ in CASES for character in text if not character.isspace()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters, *(f"##{c}" for c in characters)]
    shape = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(shape, add_pooling_layer=False).save_pretrained(folder)
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {piece: at for at, piece in enumerate(pieces)},
    }
    held = {
        "version": "1.0",
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(held))
    return folder


@pytest.fixture(scope="session")
def ward(tmp_path_factory):
    """Twelve patients with two notes each, in turn English and Chinese, with entities, PHI and codes."""
    path = tmp_path_factory.mktemp("ward") / "ward.jsonl"
    notes = []
    for at in range(24):
        text, mentions, code = CASES[at // 2 % 2 + 2 * (at % 2)]
        name = ("Jo Quoxly", "向彩霞")[at % 2]
        spans = tuple(Span(text.index(words), text.index(words) + len(words), label) for words, label in mentions)
        full = f"{text} {name}"
        phi = (Span(len(text) + 1, len(full), "NAME"),)
        notes.append(
            Note(f"n{at}", full, patient_id=f"p{at // 2}", entities=spans, phi=phi, diagnoses=(Diagnosis(code),))
        )
    write_notes(notes, path)
    return path
