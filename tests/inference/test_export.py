"""Exported model folders: they work like any other, and say how they differ from the model as it was trained."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import pytest
import torch

from clinlp import DataError, Note, Span, UsageError
from clinlp.data.pieces import LexicalPieces
from clinlp.errors import MissingExtraError
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.export import export_model
from clinlp.inference.phi import PhiTagger
from clinlp.models.decision import SetsConfig
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.lstm import LstmConfig
from clinlp.models.store import load_model, read_config, save_model
from clinlp.models.tagger import Tagger, TaggerConfig
from clinlp.tagging.scheme import encode_tags

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

FORMS = ("int8", "onnx", "onnx-int8")
LABELS = ("DISEASE", "SYMPTOM")
TEXTS = {
    "en": ["No fever, no cough.", "Mother had asthma. Fever and cough again. " * 12, "", "Fine."],
    "zh": ["患者无发热，咳嗽3天。", "母亲患哮喘，再次发热、咳嗽。" * 12, " \n", "好。"],
}
MENTIONS = {"fever": 1, "cough": 1, "asthma": 0, "Fever": 1, "发热": 1, "咳嗽": 1, "哮喘": 0}


def notes_of(lang):
    return [Note(f"{lang}{at}", text, lang=lang) for at, text in enumerate(TEXTS[lang])]


def marked(text):
    found = []
    for words, label in MENTIONS.items():
        at = text.find(words)
        while at >= 0:
            found.append(Span(at, at + len(words), LABELS[label]))
            at = text.find(words, at + 1)
    return tuple(sorted(found, key=lambda span: span.start))


@pytest.fixture(scope="module")
def reader():
    return LexicalPieces.build([text for texts in TEXTS.values() for text in texts] * 3, n_bigrams=50)


def shape(reader):
    return LstmConfig(
        n_words=reader.n_words,
        n_characters=reader.n_characters,
        n_bigrams=50,
        word_width=16,
        character_width=8,
        bigram_width=8,
        hidden=16,
        dropout=0.0,
        max_pieces=40,
        overlap=10,
    )


def save(folder, model, reader):
    save_model(folder, model.eval())
    reader.save(folder)
    (folder / "README.md").write_text("# A model\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def tagger(reader, tmp_path_factory):
    """A tagger that knows its mentions by heart."""
    torch.manual_seed(1)
    model = Tagger(TaggerConfig(encoder=shape(reader), labels=LABELS))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    texts = [
        "No fever, no cough. Mother had asthma. Fever again. Fine.",
        "患者无发热，咳嗽3天。母亲患哮喘，再次发热。好。",
    ]
    read = [(reader(text), marked(text)) for text in texts]
    for _ in range(25):
        optimizer.zero_grad()
        for pieces, spans in read:
            tags, _ = encode_tags(spans, pieces.offsets, LABELS)
            features = torch.from_numpy(pieces.features).long()[None]
            real = torch.ones(features.shape[:2], dtype=torch.bool)
            model(features, real, torch.from_numpy(tags)[None]).backward()
        optimizer.step()
    return save(tmp_path_factory.mktemp("tagger"), model, reader)


@pytest.fixture(scope="module")
def exported(tagger, tmp_path_factory):
    """The tagger in every form."""
    folder = tmp_path_factory.mktemp("exported")
    for form in FORMS:
        export_model(tagger, folder / form, form)
    return folder


@pytest.mark.parametrize("lang", TEXTS)
@pytest.mark.parametrize("form", FORMS)
def test_an_export_finds_what_the_model_finds(form, lang, tagger, exported):
    notes = notes_of(lang)
    wanted = [note.entities for note in EntityPredictor.load(tagger)(notes)]
    found = [note.entities for note in EntityPredictor.load(exported / form)(notes)]
    assert found == wanted == [marked(note.text) for note in notes]
    scores = [[span.score for spans in side for span in spans] for side in (found, wanted)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4 if form == "onnx" else 0.1)


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_says_its_form_and_holds_no_pickle(form, exported):
    folder = exported / form
    assert json.loads((folder / "config.json").read_text())["encoder"]["form"] == form
    assert read_config(folder).encoder.form == form
    graphs = {"encoder.onnx"} if "onnx" in form else set()
    rest = {"config.json", "labels.json", "model.safetensors", "vocabulary.json", "README.md"}
    assert {path.name for path in folder.iterdir()} == rest | graphs
    assert (folder / "README.md").read_text().startswith(f"# A model\n\nExported as {form}")


@pytest.mark.parametrize("form", FORMS)
def test_an_export_is_saved_and_loaded_again(form, exported, reader, tmp_path):
    model = load_model(exported / form)
    again = load_model(save(tmp_path, model, reader))
    pieces = torch.from_numpy(reader(TEXTS["zh"][0]).features).long()[None]
    mask = torch.ones(pieces.shape[:2], dtype=torch.bool)
    with torch.inference_mode():
        assert torch.equal(model.emissions(pieces, mask), again.emissions(pieces, mask))
    assert again.config == model.config


def test_int8_weights_are_int8_and_the_head_is_not(exported):
    held = load_model(exported / "int8").state_dict()
    assert held["encoder.words.weight"].dtype == torch.int8
    assert held["emit.weight"].dtype == torch.float32


@pytest.mark.parametrize("form", ["int8", "onnx"])
def test_a_phi_tagger_is_exported_alike(form, tagger, reader, tmp_path):
    model = load_model(tagger)
    phi = Tagger(TaggerConfig(task="phi", encoder=model.config.encoder, labels=("NAME", "DATE"))).eval()
    phi.load_state_dict(model.state_dict())
    folder = save(tmp_path / "phi", phi, reader)
    parity = export_model(folder, tmp_path / "out", form, notes_of("en") + notes_of("zh"), max_different=0.01)
    assert parity.n_same == parity.n_before > 10
    assert any(PhiTagger.load(tmp_path / "out")(notes_of("zh")))


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("form", ["int8", "onnx"])
def test_a_diagnoser_is_exported_alike(form, single, reader, tmp_path):
    torch.manual_seed(2)
    sets = SetsConfig(method="lac" if single else "share", least=0.1, alpha=0.1, bound=0.1, observed=0.05, n_notes=99)
    codes = ("A00", "B00", "C00")
    config = DiagnoserConfig(encoder=shape(reader), codes=codes, threshold=0.04, single=single, sets=sets)
    folder = save(tmp_path / "diagnoser", Diagnoser(config), reader)
    parity = export_model(folder, tmp_path / "out", form, notes_of("en"), max_different=0.2)
    assert load_model(tmp_path / "out").config.sets is None  # their promise was made of other probabilities
    assert parity.n_before == 3 if single else parity.n_before >= 3
    assert parity.difference < (1e-4 if form == "onnx" else 0.02)
    found = DiagnosisPredictor.load(tmp_path / "out")(notes_of("en"))
    wanted = DiagnosisPredictor.load(folder)(notes_of("en"))
    if form == "onnx":
        assert [[diagnosis.code for diagnosis in note.diagnoses] for note in found] == [
            [diagnosis.code for diagnosis in note.diagnoses] for note in wanted
        ]


def test_a_comparison_counts_spans_and_emissions(tagger, tmp_path):
    notes = notes_of("en") + notes_of("zh")
    gold = [replace(note, entities=(Span(0, 1, "OTHER"),)) for note in notes if note.text.strip()]
    parity = export_model(tagger, tmp_path / "out", "onnx", notes + gold)
    spans = 2 * sum(len(marked(note.text)) for note in notes)
    assert (parity.n_before, parity.n_after, parity.n_same, parity.same) == (spans, spans, spans, 1.0)
    assert 0 < parity.difference < 1e-4
    assert [speed.form for speed in parity.speeds] == ["float", "onnx"]
    assert all(speed.characters_per_s > 0 for speed in parity.speeds)


@pytest.mark.parametrize("lang", TEXTS)
def test_an_export_that_answers_otherwise_is_refused_and_leaves_nothing(lang, tagger, reader, tmp_path):
    model = load_model(tagger)
    with torch.no_grad():  # a number in each row that nothing reads, so large that rounding loses the others
        model.encoder.words.weight[:, 0] = 1e5
        model.encoder.characters.weight[:, 0] = 1e5
        model.encoder.convolution.weight[:, 0] = 0
        model.encoder.lstm.weight_ih_l0[:, 0] = model.encoder.lstm.weight_ih_l0_reverse[:, 0] = 0
    folder = save(tmp_path / "tagger", model, reader)
    with pytest.raises(DataError, match=r"at most 1 % of the answers on dev may differ, got \d+"):
        export_model(folder, tmp_path / "out", "int8", notes_of(lang), max_different=0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["tagger"]


def test_a_comparison_without_answers_is_refused(tagger, tmp_path):
    with pytest.raises(DataError, match=r"dev: notes in which .* finds something needed, got 1 without"):
        export_model(tagger, tmp_path / "out", "onnx", [Note("a", "")])
    assert list(tmp_path.iterdir()) == []


def test_what_is_exported_already_is_refused(exported, tmp_path):
    with pytest.raises(UsageError, match=r"onnx: a model as it was trained needed, got one in the form onnx$"):
        export_model(exported / "onnx", tmp_path / "out", "int8")


def test_a_folder_that_is_there_is_left_alone(tagger, tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(UsageError, match="a folder to make needed, got one that is there"):
        export_model(tagger, tmp_path, "int8")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("missing", ["onnxruntime", "onnx"])
def test_a_missing_package_is_named_with_its_extra(missing, tagger, exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=rf"^{missing}: needed here .*clinlp-emr\[onnx\]"):
        export_model(tagger, tmp_path / "out", "onnx")
    if missing == "onnxruntime":
        with pytest.raises(MissingExtraError, match=r"^onnxruntime: needed here"):
            load_model(exported / "onnx")


@pytest.mark.parametrize("form", FORMS)
def test_an_export_stays_on_the_cpu_in_its_own_precision(form, exported):
    with pytest.raises(UsageError, match=f"device: cpu needed for a model in the form {form}, got 'cuda'"):
        EntityPredictor.load(exported / form, device="cuda")
    with pytest.raises(UsageError, match=f"precision: auto or fp32 needed for a model in the form {form}, got bf16"):
        EntityPredictor.load(exported / form, precision="bf16")


def test_a_lost_or_broken_graph_is_told_in_a_line(exported, tmp_path):
    folder = shutil.copytree(exported / "onnx", tmp_path / "copy")
    (folder / "encoder.onnx").write_bytes(b"no graph")
    with pytest.raises(UsageError, match=r"copy/encoder.onnx: a graph that this onnxruntime reads needed, got"):
        load_model(folder)
    (folder / "encoder.onnx").unlink()
    with pytest.raises(UsageError, match=r"copy: no encoder.onnx, which its config.json asks for"):
        load_model(folder)
