"""Predictors: the same answer alone and in company, on notes of any length."""

from __future__ import annotations

import pytest
import torch

from clinlp import Note, UsageError
from clinlp.data.pieces import LexicalPieces
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.evidence import attended_spans
from clinlp.inference.network import NoteRanker
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.lstm import LstmConfig
from clinlp.models.store import list_bundled, load_model, save_model
from clinlp.models.tagger import Tagger, TaggerConfig

TEXTS = ["No fever, no cough.", "", "   \n", "患者无发热，咳嗽3天。", "Pain " * 400, "发热" * 300, "a"]


@pytest.fixture(scope="module")
def reader():
    return LexicalPieces.build(TEXTS * 3, n_bigrams=100)


def shape(reader):
    torch.manual_seed(4)
    return LstmConfig(
        n_words=reader.n_words,
        n_characters=reader.n_characters,
        n_bigrams=100,
        hidden=10,
        word_width=8,
        max_pieces=32,
        overlap=8,
    )


@pytest.fixture(scope="module")
def tagger(reader):
    return Tagger(TaggerConfig(encoder=shape(reader), labels=("DISEASE", "DRUG"))).eval()


@pytest.fixture(scope="module")
def diagnoser(reader):
    return Diagnoser(DiagnoserConfig(encoder=shape(reader), codes=("A00", "B00", "C00"), threshold=0.01)).eval()


def test_a_note_is_tagged_alike_alone_and_in_a_batch(tagger, reader):
    notes = [Note(f"n{at}", text) for at, text in enumerate(TEXTS)]
    predictor = EntityPredictor(tagger, reader, batch_pieces=200)
    together = predictor(notes)
    assert [note.note_id for note in together] == [note.note_id for note in notes]
    assert together == [predictor([note])[0] for note in notes]
    assert any(note.entities for note in together)


def test_a_note_is_diagnosed_alike_alone_and_in_a_batch(diagnoser, reader):
    notes = [Note(f"n{at}", text) for at, text in enumerate(TEXTS)]
    predictor = DiagnosisPredictor(NoteRanker(diagnoser, reader, batch_pieces=200))
    together = predictor(notes)
    for note, alone in zip(together, (predictor([note])[0] for note in notes), strict=True):
        assert [d.code for d in note.diagnoses] == [d.code for d in alone.diagnoses]
        assert [d.score for d in note.diagnoses] == pytest.approx([d.score for d in alone.diagnoses], abs=1e-5)
    assert together[1].diagnoses == ()


def test_the_top_codes_come_ranked(diagnoser, reader):
    [note] = DiagnosisPredictor(NoteRanker(diagnoser, reader), top=2)([Note("a", TEXTS[0])])
    scores = [diagnosis.score for diagnosis in note.diagnoses]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)


def test_a_saved_model_predicts_the_same(tagger, reader, tmp_path):
    save_model(tmp_path, tagger)
    reader.save(tmp_path)
    notes = [Note("a", TEXTS[0]), Note("b", TEXTS[3])]
    assert EntityPredictor.load(tmp_path, device="cpu")(notes) == EntityPredictor(tagger, reader)(notes)


def test_half_size_weights_load_and_stay_near(tagger, tmp_path):
    save_model(tmp_path, tagger, half=True)
    again = load_model(tmp_path)
    for name, weight in tagger.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weight, atol=1e-3, rtol=1e-3)


def test_evidence_joins_words_that_touch_and_skips_punctuation():
    text = "severe chest pain , denies fever"
    offsets = torch.tensor([[0, 6], [7, 12], [13, 17], [18, 19], [20, 26], [27, 32]], dtype=torch.int32).numpy()
    attention = torch.tensor([0.02, 0.3, 0.28, 0.3, 0.0, 0.1]).numpy()
    spans = attended_spans(attention, offsets, text)
    assert [text[span.start : span.end] for span in spans] == ["chest pain", "fever"]
    assert spans[0].score == pytest.approx(0.58)


def into_run(folder):
    """Make the folder of a model that of a run, whose best model it is."""
    files = list(folder.iterdir())
    (folder / "best").mkdir()
    for file in files:
        file.rename(folder / "best" / file.name)
    (folder / "config.json").write_text("{}")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: (folder / "labels.json").unlink(), "no labels.json; is this a model folder"),
        (into_run, r": no labels\.json; that of a run is .*best$"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json of this version needed"),
        (lambda folder: (folder / "config.json").write_text('{"task": "poetry"}'), "entities, phi or diagnosis needed"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 20), "weights of its config.json needed"),
        (lambda folder: (folder / "vocabulary.json").unlink(), "vocabulary.json or tokenizer.json needed"),
    ],
)
def test_a_broken_model_folder_says_what_is_wrong(tagger, reader, tmp_path, break_it, said):
    save_model(tmp_path, tagger)
    reader.save(tmp_path)
    break_it(tmp_path)
    with pytest.raises(UsageError, match=said):
        EntityPredictor.load(tmp_path)


def test_a_model_of_the_other_task_is_refused(diagnoser, reader, tmp_path):
    save_model(tmp_path, diagnoser)
    reader.save(tmp_path)
    with pytest.raises(UsageError, match="a model of entities needed, got one of diagnosis"):
        EntityPredictor.load(tmp_path)


def test_a_name_that_is_neither_bundled_nor_a_folder_is_refused():
    with pytest.raises(UsageError, match="nonsense: a model folder or one of"):
        EntityPredictor.load("nonsense")
    assert list_bundled() == sorted(list_bundled())


def test_a_device_that_is_not_there_is_refused(tagger, reader, tmp_path):
    save_model(tmp_path, tagger)
    reader.save(tmp_path)
    with pytest.raises(UsageError, match="device: cpu or a CUDA device"):
        EntityPredictor.load(tmp_path, device="abacus")


@pytest.mark.parametrize("single", [False, True])
def test_many_codes_are_ranked_in_groups_and_looked_up_one_by_one(single):
    torch.manual_seed(3)
    texts = ["Cough and fever for two days.", "患者咳嗽、发热2天，伴胸痛。"]
    reader = LexicalPieces.build(texts)
    shape = LstmConfig(n_words=reader.n_words, n_characters=reader.n_characters, hidden=8, word_width=8)
    codes = tuple(f"C{at}" for at in range(40))
    model = Diagnoser(DiagnoserConfig(encoder=shape, codes=codes, single=single)).eval()
    notes = [Note(f"n{at}", text) for at, text in enumerate(texts)]
    predictor = DiagnosisPredictor(NoteRanker(model, reader), top=3)
    whole = predictor(notes)
    model.attention.most_cells = 64  # a few codes at a time
    assert predictor(notes) == whole
    for note, read in zip(whole, map(reader, texts), strict=True):
        pieces = torch.from_numpy(read.features.astype("int64"))[None]
        places = torch.arange(len(read))[None]
        probabilities, looked = model.predict(pieces, torch.ones(1, len(read), dtype=torch.bool), places)
        for diagnosis in note.diagnoses:
            at = codes.index(diagnosis.code)
            assert diagnosis.score == pytest.approx(float(probabilities[0, at]), rel=1e-5)
            assert diagnosis.evidence == attended_spans(looked[0, at].numpy(), read.offsets, note.text)
