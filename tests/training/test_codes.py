"""Diagnosers and taggers with a CNN; code sets, names and losses by option; bad data."""

from __future__ import annotations

import json

import pytest
import spacy
import torch
from typer.testing import CliRunner

from clinlp import DataError, Diagnosis, Note, UsageError, read_notes, write_notes
from clinlp.cli import app
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.export import export_model
from clinlp.metrics.entities import score_entities
from clinlp.models.store import load_model
from clinlp.training.codes import find_names
from clinlp.training.config import DiagnosisConfig, EntitiesConfig
from clinlp.training.finetune import finetune_diagnosis, finetune_entities

SMALL = {
    "encoder": "cnn",
    "channels": 16,
    "filter_widths": (3, 5),
    "word_width": 16,
    "dropout": 0.0,
    "learning_rate": 0.02,
}
NAMES = "code\tname\nJ18\tPneumonia\nJ18\t肺炎\nE11\tType 2 diabetes\nE11\t2型糖尿病\nE10\tType 1 diabetes\n"


def config(path, out, **options):
    return DiagnosisConfig.load(
        None, train=(path,), dev=(path,), out=out, head_learning_rate=0.02, **SMALL | {"epochs": 1} | options
    )


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text(NAMES, "utf-8")
    return path


def written(tmp_path, *notes):
    """English and Chinese notes of given codes."""
    texts = ("Cough and fever for 3 days.", "咳嗽发热3天。")
    path = tmp_path / "notes.jsonl"
    write_notes(
        [Note(f"n{at}", texts[at % 2], diagnoses=tuple(map(Diagnosis, codes))) for at, codes in enumerate(notes)], path
    )
    return path


@pytest.mark.parametrize(
    ("n_train", "n_dev", "message"),
    [
        (0, None, r"train\.jsonl: notes with diagnoses needed, got none"),
        (0, 0, r"train\.jsonl: notes with diagnoses needed, got none"),
        (0, 40, r"train\.jsonl: notes with diagnoses needed, got none"),
        (40, 0, r"dev\.jsonl: notes with diagnoses needed, got none"),
        (1, None, r"train: notes with diagnoses of several patients needed to hold a dev part out, got too few"),
    ],
)
def test_a_file_without_diagnoses_is_named(tmp_path, n_train, n_dev, message):
    paths = {}
    for name, n in {"train": n_train, "dev": n_dev}.items():
        if n is not None:
            notes = [Note(f"n{at}", "发热。", diagnoses=(Diagnosis("R50"),) if at < n else None) for at in range(40)]
            paths[name] = (tmp_path / f"{name}.jsonl",)
            write_notes(notes, *paths[name])
    with pytest.raises(DataError, match=message):
        finetune_diagnosis(DiagnosisConfig.load(None, out=tmp_path / "run", **SMALL | paths))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("loss", ["bce", "asymmetric", "balanced"])
def test_a_cnn_diagnoser_learns_four_notes_by_heart(four_notes, names, tmp_path, loss):
    options = {"epochs": 30, "loss": loss} | ({"code_names": names} if loss == "bce" else {})
    best = finetune_diagnosis(config(four_notes, tmp_path / "run", **options))
    predicted = DiagnosisPredictor.load(best)(list(read_notes(four_notes)))
    assert [[item.code for item in note.diagnoses] for note in predicted] == [["J18"], ["E11"], ["J18"], ["E11"]]
    assert all(item.evidence for note in predicted for item in note.diagnoses)


def test_a_cnn_tagger_learns_four_notes_by_heart(four_notes, tmp_path):
    options = SMALL | {"epochs": 50, "batch_pieces": 64, "head_learning_rate": 0.02}
    run = EntitiesConfig.load(None, train=(four_notes,), dev=(four_notes,), out=tmp_path / "run", **options)
    notes = list(read_notes(four_notes))
    assert score_entities(notes, EntityPredictor.load(finetune_entities(run))(notes)).micro.f1 == 1.0


def test_windows_overlap_so_far_that_a_cnn_reads_them_as_one(four_notes, tmp_path):
    best = finetune_diagnosis(config(four_notes, tmp_path / "run", max_pieces=64))
    predictor = DiagnosisPredictor.load(best, top=2)
    long = [Note(note.note_id, note.text * 20) for note in read_notes(four_notes)]
    cut = predictor(long)
    shape = predictor.ranker.model.config
    assert shape.encoder.overlap == 12
    whole = shape.encoder.model_copy(update={"max_pieces": 4096})
    predictor.ranker.model.config = shape.model_copy(update={"encoder": whole})
    for one, other in zip(cut, predictor(long), strict=True):
        assert [item.score for item in one.diagnoses] == pytest.approx([item.score for item in other.diagnoses])


def test_a_resumed_run_of_an_older_version_counts_new_options_as_their_defaults(four_notes, tmp_path):
    run = config(four_notes, tmp_path / "run")
    finetune_diagnosis(run)
    kept = tmp_path / "run" / "config.json"
    held = json.loads(kept.read_text())
    for option in ("loss", "codes", "unknown_codes"):
        del held[option]
    kept.write_text(json.dumps(held))
    finetune_diagnosis(run, resume=True)
    with pytest.raises(UsageError, match="--resume needs the same loss"):
        finetune_diagnosis(config(four_notes, tmp_path / "run", loss="balanced"), resume=True)


def test_a_code_outside_the_code_set_is_an_error_or_counted(tmp_path, names):
    path = written(tmp_path, ["J18", "Z99"], ["E11"], ["Z99", "A00"], ["E11"])
    said = r"names.tsv needed \(or unknown_codes ignore\), got 2 others in 2 notes; the first: note \w+$"
    with pytest.raises(DataError, match=said):  # what stands where a code is expected may be anything
        finetune_diagnosis(config(path, tmp_path / "refused", codes=names))
    assert not (tmp_path / "refused").exists()
    told = []
    best = finetune_diagnosis(config(path, tmp_path / "run", codes=names, unknown_codes="ignore"), tell=told.append)
    assert load_model(best).config.codes == ("E10", "E11", "J18")
    said = [str(news) for news in told]
    assert "4 notes; 3 codes are not in the code set and were left out" in said
    assert f"train: 1 of 3 codes of {names} are in no note" in said


def test_a_table_without_any_code_of_train_is_refused(tmp_path, names):
    path = written(tmp_path, ["Z99"], ["A00"])
    with pytest.raises(DataError, match=r"notes\.jsonl: notes with codes of .*names\.tsv needed, got none"):
        finetune_diagnosis(config(path, tmp_path / "run", codes=names, unknown_codes="ignore"))


def test_codes_of_a_table_are_cut_as_those_of_the_notes(tmp_path):
    table = tmp_path / "codes.csv"
    table.write_text("code\nJ18.0\nJ18.1\nE11.9\n")
    path = written(tmp_path, ["J18.0"], ["E11.9", "J18.1"])
    best = finetune_diagnosis(config(path, tmp_path / "run", codes=table, code_length=3))
    assert load_model(best).config.codes == ("E11", "J18")


def test_codes_with_like_names_start_alike_and_those_without_are_said_once(tmp_path, names):
    path = written(tmp_path, ["J18"], ["E11"], ["E10"], ["X00", "X01"])
    told = []
    options = {"code_names": names, "learning_rate": 1e-9, "head_learning_rate": 1e-9}
    best = finetune_diagnosis(
        DiagnosisConfig.load(None, train=(path,), dev=(path,), out=tmp_path / "run", **SMALL | {"epochs": 2} | options),
        tell=told.append,
    )
    assert [str(news) for news in told if "no name" in str(news)] == [f"2 of 5 codes have no name in {names}"]
    model = load_model(best)
    codes = model.config.codes
    with torch.no_grad():
        queries, _ = model.attention._weights()
    alike = torch.nn.functional.cosine_similarity(queries[:, None], queries[None], dim=-1)
    at = {code: place for place, code in enumerate(codes)}
    others = [alike[at["E10"], at[code]] for code in ("J18", "X00", "X01")]
    assert alike[at["E10"], at["E11"]] > max(others) + 0.2
    assert queries.norm(dim=1).min() > 0


def test_a_table_without_names_of_the_codes_is_refused(tmp_path, names):
    with pytest.raises(DataError, match=r"names\.tsv: names of the codes to be learned needed, got none"):
        finetune_diagnosis(config(written(tmp_path, ["Z1"], ["Z2"]), tmp_path / "run", code_names=names))


def test_names_start_a_transformer_too(four_notes, tiny_bert, names, tmp_path):
    options = {"encoder": str(tiny_bert), "code_names": names}
    best = finetune_diagnosis(config(four_notes, tmp_path / "run", **options))
    assert load_model(best).config.name_width == 32
    assert len(DiagnosisPredictor.load(best, top=2)(list(read_notes(four_notes)))[0].diagnoses) == 2


def test_names_are_found_in_other_spellings_and_for_cut_codes():
    table = {"A00.0": ("cholera",), "A001": ("霍乱",), "B20": ()}
    found = find_names(("a00.0", "A00.1", "A00", "B20", "A0"), table)
    assert found["a00.0"] == ("cholera",)
    assert found["A00.1"] == ("霍乱",)
    assert found["A00"] == found["A0"] == ("cholera", "霍乱")
    assert found["B20"] == ()
    own = {"A00": ("Cholera",), "A00.0": ("classical cholera",), "A001": ("霍乱",)}
    assert find_names(("A00", "A00.0"), own)["A00"] == ("Cholera",)
    assert find_names(("A00", "A00.0"), own, below=True)["A00"] == ("Cholera", "classical cholera", "霍乱")


@pytest.mark.parametrize("loss", ["bce", "asymmetric", "balanced"])
def test_notes_without_codes_and_empty_texts_and_one_code_in_all_notes(tmp_path, loss):
    path = written(tmp_path, ["J18"], ["J18"], ["J18"])
    notes = [*read_notes(path), Note("empty", "", diagnoses=(Diagnosis("J18"),)), Note("blank", " \n", diagnoses=())]
    if loss != "bce":
        notes.append(Note("none", "No finding. 无异常。", diagnoses=()))
    write_notes(notes, path)
    told = []
    best = finetune_diagnosis(config(path, tmp_path / "run", loss=loss, epochs=3), tell=told.append)
    assert str(told[0]) == f"{len(notes)} notes; 2 notes hold no word and were left out"
    predicted = DiagnosisPredictor.load(best, top=1)(notes)
    assert [len(note.diagnoses) for note in predicted[:5]] == [1, 1, 1, 0, 0]
    assert all(0 <= item.score <= 1 for note in predicted for item in note.diagnoses)


def test_notes_without_a_code_teach_no_code_where_each_note_has_one(tmp_path):
    path = written(tmp_path, ["J18"], ["E11"], [], ["E11"])
    told = []
    finetune_diagnosis(config(path, tmp_path / "run", single=True, loss="balanced"), tell=told.append)
    said = [str(news) for news in told]
    assert "train: 1 notes have no code that is learned and were left out" in said
    assert said[0] == "3 notes"


def test_notes_without_any_code_or_text_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"training needs notes with codes in 1 notes or more, got none"):
        finetune_diagnosis(config(written(tmp_path, [], []), tmp_path / "run"))
    path = tmp_path / "empty.jsonl"
    write_notes([Note("a", "", diagnoses=(Diagnosis("J18"),))], path)
    with pytest.raises(DataError, match="training needs notes with text, got none"):
        finetune_diagnosis(config(path, tmp_path / "other"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter_widths": (4,)}, r"filter_widths: odd numbers needed, got \[4\]"),
        ({"lora_rank": 2}, "lora_rank: a transformer needed, got a CNN"),
        ({"single": True, "loss": "asymmetric"}, "loss: bce or balanced needed where a note has a single code"),
        ({"codes": "a.tsv", "min_notes": 2}, "min_notes: nothing to choose where codes names the codes"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        config(tmp_path, tmp_path, **options)


@pytest.fixture(scope="module")
def trained(four_notes, tmp_path_factory):
    """Folders of a tagger and a diagnoser with a CNN, as the command trains them."""
    folder = tmp_path_factory.mktemp("trained")
    shape = ["--encoder", "cnn", "--filter-widths", "3", "--filter-widths", "5", "--channels", "8", "--epochs", "1"]
    shape += ["--train", str(four_notes), "--dev", str(four_notes)]
    for task, options in {"entities": [], "diagnosis": ["--loss", "asymmetric"]}.items():
        result = CliRunner().invoke(app, ["train", task, "-o", str(folder / task), *shape, *options])
        assert result.exit_code == 0, result.output
    return folder


def test_the_commands_train_a_cnn_of_the_shape_asked_for(trained):
    for task in ("entities", "diagnosis"):
        encoder = load_model(trained / task / "best").config.encoder
        assert (encoder.kind, encoder.filter_widths, encoder.channels) == ("cnn", (3, 5), 8)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_cnn_works_in_spacy(trained, four_notes, lang):
    notes = [note for note in read_notes(four_notes) if note.text.isascii() == (lang == "en")]
    nlp = spacy.blank(lang, config={"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}})
    nlp.add_pipe("clinlp_entities", config={"model": str(trained / "entities" / "best")})
    nlp.add_pipe("clinlp_diagnosis", config={"model": str(trained / "diagnosis" / "best"), "top": 2})
    predicted = DiagnosisPredictor.load(trained / "diagnosis" / "best", top=2)(notes)
    for doc, note in zip(nlp.pipe(note.text for note in notes), predicted, strict=True):
        assert doc.cats == pytest.approx({item.code: item.score for item in note.diagnoses}, rel=1e-4)


@pytest.mark.parametrize("form", ["int8", "onnx", "onnx-int8"])
@pytest.mark.parametrize("task", ["entities", "diagnosis"])
def test_an_export_of_a_cnn_is_refused(trained, tmp_path, task, form):
    with pytest.raises(UsageError, match=f"{form}: an LSTM or a transformer alone needed, got a model of kind cnn"):
        export_model(trained / task / "best", tmp_path / "out", form)
    assert not (tmp_path / "out").exists()
