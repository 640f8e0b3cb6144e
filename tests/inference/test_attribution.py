"""Evidence by what words add: laws of each method, and models that learned planted words."""

from __future__ import annotations

import json
import sys
from functools import cache

import numpy as np
import pytest
import torch

from clinlp import DataError, Diagnosis, Note, UsageError
from clinlp.data.batches import join
from clinlp.data.pieces import LexicalPieces
from clinlp.data.subwords import SubwordPieces
from clinlp.errors import MissingExtraError
from clinlp.inference.attribution import AGAINST, Explainer
from clinlp.inference.attributors import Effort
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.evidence import LABEL
from clinlp.inference.gates import GatedNote
from clinlp.inference.network import NoteRanker
from clinlp.models.cnn import CnnConfig
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.lstm import LstmConfig
from clinlp.models.transformer import TransformerConfig
from clinlp.tagging.windows import overlapping

NOTES = [
    ("Seen in the ward today, pneumonia is likely, sleeps well.", "J18", "pneumonia"),
    ("Seen in the ward today, gastritis is likely, sleeps well.", "K29", "gastritis"),
    ("今日查房，考虑肺炎，睡眠可。", "J18", "肺炎"),
    ("今日查房，考虑胃炎，睡眠可。", "K29", "胃炎"),
]
CODES = ("J18", "K29")  # exactly one a note: what both share speaks for neither
METHODS = ("gradients", "shapley", "lime")


def lexical():
    reader = LexicalPieces.build([text for text, *_ in NOTES] * 3)
    shape = LstmConfig(
        n_words=reader.n_words, hidden=8, word_width=12, dropout=0.0, word_dropout=0.3, max_pieces=8, overlap=4
    )
    return reader, shape


def convolution():
    reader, _ = lexical()
    shape = CnnConfig(
        n_words=reader.n_words, channels=8, word_width=12, filter_widths=(1, 3), layers=0, dropout=0.0,
        word_dropout=0.3, max_pieces=8, overlap=4,
    )  # fmt: skip
    return reader, shape


def subwords():
    characters = sorted({character.lower() for text, *_ in NOTES for character in text if not character.isspace()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{each}" for each in characters)]
    held = {
        "version": "1.0",
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {piece: at for at, piece in enumerate(pieces)},
        },
    }
    bert = {
        "model_type": "bert",
        "vocab_size": len(pieces),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
    }
    shape = TransformerConfig(model=bert, first=2, last=3, dropout=0.0, max_pieces=24, overlap=8)
    return SubwordPieces(json.dumps(held)), shape


@cache
def trained(make):
    """A model that learned the four notes by heart, with windows smaller than a note."""
    reader, shape = make()
    torch.manual_seed(3)
    model = Diagnoser(DiagnoserConfig(encoder=shape, codes=CODES, single=True)).train()
    read = [reader(text) for text, *_ in NOTES]
    batch = join([(each.features, overlapping(len(each), shape.max_pieces, shape.overlap)) for each in read])
    targets = torch.tensor([[float(code == each) for each in CODES] for _, code, _ in NOTES])
    optimizer = torch.optim.AdamW(model.parameters(), 0.02)
    for _ in range(50 if shape.kind == "transformer" else 120):
        optimizer.zero_grad()
        model(batch.pieces, batch.mask, batch.places, targets).backward()
        optimizer.step()
    return DiagnosisPredictor(NoteRanker(model.eval(), reader))


@pytest.fixture(params=[lexical, convolution, subwords])
def predictor(request):
    return trained(request.param)


@pytest.fixture(params=[lexical, subwords])
def learned(request):
    """Those that have nothing but the planted words to tell the notes by."""
    return trained(request.param)


@pytest.fixture(scope="module")
def captum():
    return pytest.importorskip("captum")


def gated(predictor, text, codes=(0, 1)):
    return GatedNote(predictor.ranker.model, predictor.ranker.reader, text, codes)


def test_open_gates_change_nothing(predictor):
    for text, *_ in NOTES:
        [note] = DiagnosisPredictor(predictor.ranker, top=2)([Note("a", text)])
        scores = {each.code: each.score for each in note.diagnoses}
        gates = torch.ones(3, len(gated(predictor, text).offsets))
        odds = gated(predictor, text)(gates)
        for row in torch.sigmoid(odds).tolist():
            assert row == pytest.approx([scores[code] for code in CODES], abs=1e-5)


def test_rows_of_gates_do_not_touch_each_other(predictor):
    note = gated(predictor, NOTES[0][0])
    gates = torch.rand(5, note.n_words, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = note(gates)
        alone = torch.cat([note(row[None]) for row in gates])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert not predictor.ranker.model.training
    assert len({tuple(row) for row in together.tolist()}) == 5


@pytest.mark.parametrize("at", [0, 3])
def test_integrated_gradients_are_complete(captum, predictor, at):
    made = Explainer(predictor, "gradients", effort=Effort(n_steps=128)).explain(NOTES[at][0], CODES)
    for each in made:
        assert each.change is not None
        assert float(each.scores.sum()) * each.scale == pytest.approx(each.change, abs=0.02 + 0.02 * abs(each.change))
        assert np.abs(each.scores).sum() == pytest.approx(1.0)
        assert (each.scores > 0).any()
        assert (each.scores < 0).any()


def test_shapley_values_are_efficient(captum, predictor):
    """What the words add sums to the whole, exactly, however few orders are drawn and whoever shares a score."""
    for n_alone in (4, 100):
        made = Explainer(predictor, "shapley", effort=Effort(n_orders=2, n_alone=n_alone)).explain(NOTES[2][0], CODES)
        for each in made:
            assert float(each.scores.sum()) * each.scale == pytest.approx(each.change, abs=1e-3)


def test_lime_is_exact_where_the_model_is_a_line(captum):
    slopes = torch.tensor([[3.0, -1.0, 0.0, 2.0]])

    class Line:
        n_words, codes, device = 4, torch.tensor([0]), torch.device("cpu")

        def __call__(self, gates):
            return gates @ slopes.T + 5

    from clinlp.inference.attributors import lime, shapley_values

    torch.manual_seed(0)
    fitted = lime(Line(), torch.arange(4), Effort(n_samples=1000), 512)
    torch.testing.assert_close(fitted, slopes, atol=0.15, rtol=0.0)
    values = shapley_values(Line(), torch.tensor([0, 1, 2, 2]), Effort(), 3)
    torch.testing.assert_close(values, torch.tensor([[3.0, -1.0, 1.0, 1.0]]))


@pytest.mark.parametrize("method", METHODS)
def test_planted_words_are_found(captum, learned, method):
    explainer = Explainer(learned, method, effort=Effort(n_samples=200, n_orders=8))
    for text, code, planted in NOTES:
        [made] = explainer.explain(text, [code])
        start, end = text.index(planted), text.index(planted) + len(planted)
        inside = (made.offsets[:, 0] >= start) & (made.offsets[:, 1] <= end)
        assert inside[made.scores.argmax()]
        assert made.scores[inside].sum() > 2 * made.scores[~inside].max()


@pytest.mark.parametrize("method", ["attention", *METHODS])
def test_evidence_lies_on_words_of_the_note(captum, learned, method):
    notes = [Note(f"n{at}", text, diagnoses=(Diagnosis(code, 0.9),)) for at, (text, code, _) in enumerate(NOTES)]
    explainer = Explainer(learned, method, effort=Effort(n_samples=64, n_orders=2), against=True)
    again = explainer(notes)
    assert again == explainer(notes)  # drawn anew, and the same
    for note, (text, code, planted) in zip(again, NOTES, strict=True):
        [diagnosis] = note.diagnoses
        assert (note.text, diagnosis.code, diagnosis.score) == (text, code, 0.9)
        labels = {span.label for span in diagnosis.evidence}
        assert LABEL in labels
        assert labels <= {LABEL, AGAINST}
        if method == "gradients":
            best = max((span for span in diagnosis.evidence if span.label == LABEL), key=lambda span: span.score)
            assert text[best.start : best.end] in planted or planted in text[best.start : best.end]


def test_words_in_two_windows_count_once(captum, predictor):
    text = " ".join(text for text, *_ in NOTES)
    note = gated(predictor, text)
    assert note._mask.shape[0] > 3
    [made] = Explainer(predictor, "gradients").explain(text, ["J18"])
    assert len(made.scores) == len(made.offsets) == note.n_words
    assert float(made.scores.sum()) * made.scale == pytest.approx(made.change, abs=0.1 + 0.03 * abs(made.change))


def test_a_softmax_is_explained_against_the_other_codes(captum):
    reader, shape = lexical()
    torch.manual_seed(5)
    model = Diagnoser(DiagnoserConfig(encoder=shape, codes=("A", "B", "C"), single=True)).eval()
    note = GatedNote(model, reader, NOTES[0][0], [0, 2])
    with torch.no_grad():
        odds = note(torch.ones(1, note.n_words))
    [found] = DiagnosisPredictor(NoteRanker(model, reader), top=3)([Note("a", NOTES[0][0])])
    scores = {each.code: each.score for each in found.diagnoses}
    assert torch.sigmoid(odds)[0].tolist() == pytest.approx([scores["A"], scores["C"]], abs=1e-6)


def test_a_note_without_diagnoses_is_predicted_first_and_a_strange_code_keeps_no_evidence(captum, predictor):
    explainer = Explainer(predictor, "gradients", effort=Effort(n_steps=8))
    strange = Note("b", NOTES[0][0], diagnoses=(Diagnosis("Z99"),))
    first, second = explainer([Note("a", NOTES[0][0]), strange])
    assert [each.code for each in first.diagnoses] == ["J18"]
    assert first.diagnoses[0].evidence
    assert second.diagnoses == (Diagnosis("Z99"),)


def test_what_cannot_be_asked_is_said(predictor, monkeypatch):
    with pytest.raises(UsageError, match="one of attention, gradients, shapley, lime needed, got 'tea'"):
        Explainer(predictor, "tea")
    with pytest.raises(UsageError, match="codes of the model needed, got 'Z99'"):
        Explainer(predictor, "attention").explain("x", ["Z99"])
    with pytest.raises(DataError, match=r"^evidence: a text with words needed, got none$"):
        Explainer(predictor, "attention").explain(" ", ["K29"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(MissingExtraError, match=r"captum: needed here .*clinlp-emr\[explain\]"):
        Explainer(predictor, "lime")
