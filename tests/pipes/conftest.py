"""Small models that know a few notes by heart, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language

from clinlp.data.pieces import LexicalPieces
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.lstm import LstmConfig
from clinlp.models.store import save_model
from clinlp.models.tagger import Tagger, TaggerConfig
from clinlp.note import Note
from clinlp.spans import Span
from clinlp.tagging.scheme import encode_tags

CARD = "# A model of a test\n"
LABELS = ("DISEASE", "DRUG", "SYMPTOM")
CODES = ("I10", "J18.9")


def note(lang: str, text: str, *entities: tuple[str, str]) -> Note:
    spans = tuple(Span(text.index(words), text.index(words) + len(words), label) for words, label in entities)
    return Note("n", text, lang="zh" if lang == "zh" else "en", entities=spans)


NOTES = {
    "en": (
        note(
            "en",
            "No fever. He has severe chest pain and takes metoprolol 25mg.",
            ("fever", "SYMPTOM"),
            ("severe chest pain", "SYMPTOM"),
            ("metoprolol", "DRUG"),
        ),
        note("en", "Mother had hypertension.", ("hypertension", "DISEASE")),
    ),
    "zh": (
        note(
            "zh", "患者无发热，胸痛3天，服用美托洛尔。", ("发热", "SYMPTOM"), ("胸痛", "SYMPTOM"), ("美托洛尔", "DRUG")
        ),
        note("zh", "母亲患高血压。", ("高血压", "DISEASE")),
    ),
}
ALL = (*NOTES["en"], *NOTES["zh"])
TEXTS = {lang: [each.text for each in notes] for lang, notes in NOTES.items()}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def reader() -> LexicalPieces:
    return LexicalPieces.build([each.text for each in ALL] * 3)


def encoder(reader: LexicalPieces) -> LstmConfig:
    return LstmConfig(
        n_words=reader.n_words,
        n_characters=reader.n_characters,
        word_width=24,
        character_width=8,
        hidden=24,
        dropout=0.0,
    )


@pytest.fixture(scope="session")
def tagger_folder(reader: LexicalPieces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as fine-tuning leaves it, of a tagger that has learned `ALL`."""
    torch.manual_seed(1)
    model = Tagger(TaggerConfig(encoder=encoder(reader), labels=LABELS))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    read = [reader(each.text) for each in ALL]
    for _ in range(40):
        loss = torch.zeros(())
        for each, pieces in zip(ALL, read, strict=True):
            tags, _ = encode_tags(each.entities, pieces.offsets, LABELS)
            features = torch.from_numpy(pieces.features).long()[None]
            loss = loss + model(
                features, torch.ones(features.shape[:2], dtype=torch.bool), torch.from_numpy(tags)[None]
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return saved(tmp_path_factory.mktemp("tagger"), model.eval(), reader)


@pytest.fixture(scope="session")
def diagnoser_folder(reader: LexicalPieces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    model = Diagnoser(DiagnoserConfig(encoder=encoder(reader), codes=CODES, threshold=0.0001))
    return saved(tmp_path_factory.mktemp("diagnoser"), model.eval(), reader)


def saved(folder: Path, model: Tagger | Diagnoser, reader: LexicalPieces) -> Path:
    save_model(folder, model)
    reader.save(folder)
    (folder / "README.md").write_text(CARD, "utf-8")
    return folder


@pytest.fixture(params=["en", "zh"])
def lang(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def own_tokens() -> dict[str, Any]:
    """Config of a pipeline with the clinical tokenizer."""
    return {"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}}


@pytest.fixture
def nlp(lang: str, own_tokens: dict[str, Any]) -> Language:
    """An empty pipeline with the clinical tokenizer."""
    return spacy.blank(lang, config=own_tokens)
