"""Exported models in spaCy: they travel with a pipeline like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from clinlp.inference.export import export_model

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

PROBES = {
    "en": ["No fever. He has severe chest pain.", "Mother had hypertension.", ""],
    "zh": ["患者无发热，胸痛3天。", "母亲患高血压。", ""],
}


@pytest.fixture(scope="module", params=["int8", "onnx", "onnx-int8"])
def folder(request: pytest.FixtureRequest, tagger_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / request.param
    export_model(tagger_folder, out, request.param)
    return out


def shown(doc: Doc) -> list[tuple[object, ...]]:
    return [(span.start_char, span.end_char, span.label_, span._.score) for span in doc.spans["entities"]]


def test_an_exported_model_travels_with_the_pipeline(
    lang: str, nlp: Language, folder: Path, tmp_path: Path, tagger_folder: Path, own_tokens: dict[str, object]
) -> None:
    nlp.add_pipe("clinlp_entities", config={"model": str(folder)})
    wanted = [shown(nlp(text)) for text in PROBES[lang]]
    plain = spacy.blank(lang, config=own_tokens)
    plain.add_pipe("clinlp_entities", config={"model": str(tagger_folder), "device": "cpu"})
    found = [shown(plain(text)) for text in PROBES[lang]]
    assert [[each[:3] for each in spans] for spans in wanted] == [[each[:3] for each in spans] for spans in found]
    assert wanted[0]
    nlp.to_disk(tmp_path / "nlp")
    assert (tmp_path / "nlp" / "clinlp_entities" / "encoder.onnx").is_file() == ("onnx" in folder.name)
    again = spacy.load(tmp_path / "nlp")
    assert [shown(again(text)) for text in PROBES[lang]] == wanted
    from_bytes = spacy.blank(lang, config=own_tokens)
    from_bytes.add_pipe("clinlp_entities", config={"model": "no-longer-there"})
    from_bytes.from_bytes(nlp.to_bytes())
    assert [shown(from_bytes(text)) for text in PROBES[lang]] == wanted


def test_workers_answer_as_one_process(nlp: Language, lang: str, folder: Path) -> None:
    nlp.add_pipe("clinlp_entities", config={"model": str(folder)})
    wanted = [shown(nlp(text)) for text in PROBES[lang]]
    assert [shown(doc) for doc in nlp.pipe(PROBES[lang], n_process=2, batch_size=1)] == wanted
