"""Beside a network: TF-IDF as scikit-learn says it, names of codes, and an ensemble; on good notes and bad."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from clinlp import Diagnosis, Note, Span, UsageError, read_notes, write_notes
from clinlp.data.names import CodeNames, forms, learn_names, table_names
from clinlp.data.ngrams import NgramReader, ngrams
from clinlp.data.titles import read_titles
from clinlp.inference.baselines import TfidfRanker
from clinlp.inference.diagnosis import DiagnosisPredictor, load_ranker
from clinlp.inference.export import export_model
from clinlp.models.baselines import (
    Dictionary,
    DictionaryConfig,
    Ensemble,
    EnsembleConfig,
    Tfidf,
    TfidfConfig,
    pack,
    unpack,
)
from clinlp.models.codes import CodesConfig
from clinlp.models.store import load_model, read_config, save_model
from clinlp.training.baselines import fit_tfidf, fit_weights, name_rates, telling
from clinlp.training.beside import Beside
from clinlp.training.config import DiagnosisConfig
from clinlp.training.finetune import finetune_diagnosis
from clinlp.training.task import Epoch

TEXTS = [
    ("Fever and productive cough; chest film shows pneumonia.", ("J18",)),
    ("Type 2 diabetes, poorly controlled, on metformin 500 mg.", ("E11",)),
    ("Diabetes and hypertension. BP 160/95.", ("E11", "I10")),
    ("Hypertension for 10 years, no cough.", ("I10",)),
    ("患者咳嗽伴发热3天，诊断为肺炎。", ("J18",)),
    ("既往糖尿病十年，口服二甲双胍。", ("E11",)),
    ("高血压病史，血压160/95mmHg，合并糖尿病。", ("I10", "E11")),
    ("高血压，否认咳嗽。", ("I10",)),
]
CODES = ("E11", "I10", "J18")


def notes_of(pairs=TEXTS):
    return [Note(f"n{at}", text, diagnoses=tuple(map(Diagnosis, codes))) for at, (text, codes) in enumerate(pairs)]


def shape(codes=CODES, *, single=False):
    return CodesConfig(codes=codes, single=single)


def words(note, spans):
    return [note.text[span.start : span.end] for span in spans]


# n-grams


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("On 12 mg", ["on", "00", "mg", "on 00", "00 mg", "~ on", "~on ", "~ on "]),
        ("肺部感染", ["肺", "肺部", "肺部感", "肺部感染", "部感染", "感染"]),
        ("CT示结节", ["ct", "示", "结节", "ct 示", "示结节"]),
    ],
)
def test_ngrams_are_words_pairs_parts_and_runs_of_han(text, wanted):
    assert set(wanted) <= set(ngrams(text))


def test_a_border_ends_an_ngram():
    assert not {"fever cough", "肺炎", "热咳"} & set(ngrams("fever, cough. 肺，炎；发热、咳嗽"))


def test_the_reader_counts_what_training_counts():
    for text, _ in TEXTS:
        known = sorted(set(ngrams(text)))
        found = NgramReader(known, np.ones(len(known)))(text)
        assert sorted(known[at] for at in found.features) == sorted(ngrams(text))


@pytest.mark.parametrize("single", [False, True])
def test_probabilities_are_those_of_scikit_learn(single, tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, Normalizer

    notes = [replace(note, diagnoses=note.diagnoses[:1]) for note in notes_of()] if single else notes_of()
    gold = np.array([[any(d.code == code for d in note.diagnoses) for code in CODES] for note in notes])
    texts = [note.text for note in notes]
    vectorizer = TfidfVectorizer(analyzer=ngrams, sublinear_tf=True).fit(texts)
    weights = telling(vectorizer.transform(texts), gold)
    weigh = FunctionTransformer(lambda values: values.multiply(weights).tocsr())
    one = LogisticRegression(C=10.0 if single else 300.0, max_iter=3000, tol=1e-4 if single else 1e-10)
    model = one if single else OneVsRestClassifier(one)
    usual = make_pipeline(vectorizer, weigh, Normalizer(), model).fit(
        texts, gold.argmax(1) if single else gold.astype(int)
    )

    held, reader = fit_tfidf(notes, shape(single=single))
    save_model(tmp_path, held)
    reader.save(tmp_path)
    unseen = ["Cough, cough and metformin.", "肺炎与高血压", "Nothing of the kind", "x"]
    found = load_ranker(tmp_path).probabilities([Note(f"{i}", t) for i, t in enumerate(texts + unseen)])
    np.testing.assert_allclose(found, usual.predict_proba(texts + unseen), atol=1e-5 if single else 1e-3)


def test_an_ngram_weighs_what_it_tells_of_the_code_it_tells_most_of():
    from scipy.sparse import csr_matrix

    held = csr_matrix([[0.5, 2.0, 0.0], [0.5, 0.0, 1.0], [0.5, 0.0, 0.0], [0.5, 0.0, 1.0]])
    gold = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1], [0, 1, 1]], bool)  # the last code says nothing
    # Codes of one and of two of four notes; the n-grams are in four, one and two notes, of which 1, 1, 0 and 2, 0, 2.
    first = [0, (1 - 1 / 4) / np.sqrt(3 / 16 + 1), (2 / 4) / np.sqrt(6 / 16 + 1)]
    second = [0, (1 / 2) / np.sqrt(1 / 4 + 1), (2 - 1) / np.sqrt(1 / 2 + 1)]
    np.testing.assert_allclose(telling(held, gold), np.sqrt(np.maximum(first, second)), rtol=1e-6)
    assert (telling(held, gold[:, 2:]) == 1).all()  # nothing to tell apart


def test_evidence_is_where_the_telling_ngrams_stand():
    model, reader = fit_tfidf(notes_of(), shape())
    notes = [Note("en", "Seen today. Known diabetes, stable."), Note("zh", "今日复诊。糖尿病稳定。")]
    predicted = DiagnosisPredictor(TfidfRanker(model, reader), top=1)(notes)
    assert [note.diagnoses[0].code for note in predicted] == ["E11", "E11"]
    assert any("diabetes" in each for each in words(predicted[0], predicted[0].diagnoses[0].evidence))
    assert any("糖尿病" in each for each in words(predicted[1], predicted[1].diagnoses[0].evidence))
    assert all(0 <= span.score <= 1 for note in predicted for span in note.diagnoses[0].evidence)


def test_prediction_needs_no_scikit_learn(tmp_path, monkeypatch):
    model, reader = fit_tfidf(notes_of(), shape())
    save_model(tmp_path, model)
    reader.save(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] in ("sklearn", "scipy")]:
        monkeypatch.setitem(sys.modules, name, None)
    [note] = DiagnosisPredictor.load(tmp_path, top=1)([Note("a", "diabetes")])
    assert note.diagnoses[0].code == "E11"


def test_a_matrix_is_sparse_where_that_is_smaller():
    torch.manual_seed(1)
    thin = torch.zeros(50, 40)
    thin[3, 7], thin[49, 39] = 1.5, -2.0
    assert "weight.values" in pack({"weight": thin})
    assert "weight" in pack({"weight": torch.randn(50, 40)})
    for matrix in (thin, torch.randn(50, 40), torch.zeros(50, 40)):
        assert torch.equal(unpack(pack({"weight": matrix, "bias": thin[0]}), {"weight": 40})["weight"], matrix)


def test_a_code_of_all_notes_and_one_of_a_single_note_are_learned():
    notes = [replace(n, diagnoses=(*n.diagnoses, Diagnosis("Z00"))) for n in notes_of()]
    notes[0] = replace(notes[0], diagnoses=(*notes[0].diagnoses, Diagnosis("A15")))
    model, reader = fit_tfidf(notes, shape(("A15", "E11", "Z00")))
    found = TfidfRanker(model, reader).probabilities(notes)
    assert (found[:, 2] > 0.9).all()
    assert found[:, 0].argmax() == 0


@pytest.mark.parametrize("single", [False, True])
def test_notes_without_codes_and_text_do_no_harm(single):
    notes = [*notes_of(), Note("e", "", diagnoses=(Diagnosis("E11"),)), Note("w", "Well.", diagnoses=())]
    ranker = TfidfRanker(*fit_tfidf(notes, shape(single=single)))
    assert np.isfinite(ranker.probabilities(notes[:-2])).all()
    [empty, blank] = DiagnosisPredictor(ranker)([Note("a", ""), Note("b", " \n")])
    assert empty.diagnoses == blank.diagnoses == ()


def test_notes_without_any_text_give_the_odds_of_counts():
    model, reader = fit_tfidf([Note("e", "", diagnoses=(Diagnosis("E11"),))], shape())
    assert np.isfinite(TfidfRanker(model, reader).probabilities(notes_of())).all()


# names


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Pneumonia on the left.", True),
        ("No evidence of pneumonia.", False),
        ("Family history: mother had pneumonia.", False),
        ("Return if pneumonia develops.", False),
        ("诊断：肺炎。", True),
        ("未见肺炎。", False),
        ("父亲患有肺炎。", False),
    ],
)
def test_only_what_is_stated_of_the_patient_counts(text, named):
    found = CodeNames({"pneumonia": [0], "肺炎": [0]}).find(Note("n", text))
    assert bool(found) is named
    if named:
        [(start, end)] = found[0]
        assert text[start:end].lower() in ("pneumonia", "肺炎")


def test_names_of_a_table_stand_for_their_codes():
    table = {"E11": ("Type 2 diabetes, unspecified", "T2DM"), "J18": ("肺炎（病原体未特指）",)}
    wanted = {"Type 2 diabetes, unspecified": {0}, "Type 2 diabetes": {0}, "T2DM": {0}}
    assert table_names(table, CODES) == wanted | {"肺炎（病原体未特指）": {2}, "肺炎": {2}}


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("Pneumonia, unspecified (organism)", "Pneumonia"),
        ("Pneumonia, unspecified organism", "Pneumonia"),
        ("Unspecified abdominal pain", "abdominal pain"),
        ("Type 2 diabetes mellitus without complications", "Type 2 diabetes mellitus"),
        ("Anemia, iron deficiency", "iron deficiency Anemia"),
        ("Malignant neoplasm of the colon, unspecified", "carcinoma of colon"),
        ("肺炎（未特指）", "肺炎"),
        ("未特指的贫血", "贫血"),
        ("结肠恶性肿瘤", "结肠癌"),
        ("Unspecified", "Unspecified"),
        ("未特指", "未特指"),
    ],
)
def test_forms_are_what_notes_say(name, last):
    assert forms(name)[0] == name
    assert forms(name)[-1] == last


def test_names_are_learned_from_evidence_and_entities():
    text = "HTN today; sugar high"
    marked = Note("m", text, diagnoses=(Diagnosis("I10", evidence=(Span(0, 3, "E"),)),))
    entities = [
        replace(note, entities=(Span(at, at + 3, "DISEASE"),))
        for note in notes_of()
        if (at := note.text.find("糖尿病")) >= 0
    ]
    held = learn_names([marked, *entities, *notes_of()[:1]], CODES)
    assert held == {"htn": {1}, "糖尿病": {0}}


def test_a_learned_name_is_believed_as_far_as_notes_show_it_was_not_learned_from(tmp_path):
    """Each note has an entity of its own words: learned from all notes it would look certain."""
    texts = [(f"Sees spots{at % 4} again." if at % 2 else f"再次见斑{at % 4}点。") for at in range(16)]
    notes = []
    for at, text in enumerate(texts):
        start = text.index("spots" if at % 2 else "斑")
        end = text.index(" again" if at % 2 else "。")
        code = CODES[at // 4 % 3]
        notes.append(Note(f"n{at}", text, diagnoses=(Diagnosis(code, evidence=(Span(start, end, "E"),)),)))
    write_notes(notes, tmp_path / "train.jsonl")
    finetune_diagnosis(run_config(tmp_path / "train.jsonl", tmp_path / "out", epochs=1))
    model = load_model(tmp_path / "out" / "dictionary")
    assert model.named.max() < 0.9


def test_a_cut_code_is_named_by_what_begins_with_it(tmp_path):
    write_notes(
        notes_of([("Iron deficiency anemia.", ("D50.9",)), ("缺铁性贫血。", ("D50.0",)), *TEXTS]), tmp_path / "t.jsonl"
    )
    rows = "D50,Anemias\nD50.9,Iron deficiency anemia\nD50.0,缺铁性贫血\n"
    (tmp_path / "names.csv").write_text("code,name\n" + rows, "utf-8")
    finetune_diagnosis(
        run_config(tmp_path / "t.jsonl", tmp_path / "out", epochs=1, code_length=3, code_names=tmp_path / "names.csv")
    )
    found = DiagnosisPredictor.load(tmp_path / "out" / "dictionary", top=1)(
        [Note("en", "Known iron deficiency anemia."), Note("zh", "诊断：缺铁性贫血。")]
    )
    assert [note.diagnoses[0].code for note in found] == ["D50", "D50"]
    assert all(note.diagnoses[0].evidence for note in found)


def test_rates_lean_on_all_codes_where_notes_are_few():
    named = np.zeros((20, 2), bool)
    named[:10, 0] = True
    gold = named.copy()
    rates, rest = name_rates(named, gold, np.array([0.5, 0.01]))
    assert rates[0] > 0.9
    assert rates[1] > 0.8  # never named here, but names are right
    assert rest[1] < 0.02
    assert (rates >= rest).all()


# ensemble


@pytest.mark.parametrize("single", [False, True])
def test_weights_are_those_of_the_least_loss_and_never_negative(single):
    rng = np.random.default_rng(3)
    truth = rng.random((300, 4)) if single else rng.random((300, 4)) ** 2
    gold = np.zeros((300, 4), bool)
    if single:
        truth /= truth.sum(1, keepdims=True)
        gold[np.arange(300), [rng.choice(4, p=row) for row in truth]] = True
    else:
        gold = rng.random((300, 4)) < truth
    noise = rng.random((300, 4))
    against = 1 / truth / (1 / truth).sum(1, keepdims=True) if single else 1 - truth
    weight, bias = fit_weights(np.stack([truth, noise, against]), gold, single=single)
    assert (weight >= 0).all()
    assert weight[0] > 0.8 > 0.2 > weight[1]
    assert weight[2] == 0.0
    assert abs(bias) < 0.5


def test_shares_sum_to_one_and_follow_who_raised_the_code():
    model = Ensemble(EnsembleConfig(codes=CODES, members=("a", "b")))
    shares = model.shares(torch.tensor([[[0.9, 0.5, 0.1]], [[0.2, 0.5, 0.1]]]))
    assert torch.allclose(shares.sum(0), torch.ones(1, 3))
    assert shares[0, 0, 0] == 1.0
    assert shares[0, 0, 1] == 0.5


# runs


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with everything beside the network; what it told."""
    folder = tmp_path_factory.mktemp("run")
    write_notes([replace(n, note_id=f"{n.note_id}-{i}") for i in range(3) for n in notes_of()], folder / "train.jsonl")
    (folder / "names.csv").write_text("code,name_en,name_zh\nJ18,Pneumonia,肺炎\nE11,diabetes,糖尿病\n", "utf-8")
    config = run_config(folder / "train.jsonl", folder / "out", code_names=folder / "names.csv")
    told = []
    finetune_diagnosis(config, tell=told.append)
    return config, told


def run_config(train, out, **options):
    settings = {"epochs": 2, "hidden": 8, "word_width": 16, "dropout": 0.0}
    return DiagnosisConfig.load(None, train=(train,), dev=(train,), out=out, **settings | options)


def test_a_run_measures_all_models_on_dev(trained):
    config, told = trained
    rows = {news.name: news.scores for news in told if isinstance(news, Beside)}
    assert list(rows) == ["network", "tfidf", "likeness", "dictionary", "ensemble"]
    assert rows["tfidf"]["map"] == 1.0
    assert all(set(scores) == {"score", "map", "micro_f1", "macro_f1"} for scores in rows.values())
    for name in ("tfidf", "likeness", "dictionary", "ensemble"):
        assert (config.out / name / "README.md").read_text("utf-8").startswith("# ")
        assert read_config(config.out / name).codes == CODES
    for name in ("best", "tfidf", "likeness", "dictionary", "ensemble", "ensemble/network"):
        assert read_titles(config.out / name) == {"J18": ("Pneumonia", "肺炎"), "E11": ("diabetes", "糖尿病")}


@pytest.mark.parametrize("name", ["tfidf", "likeness", "dictionary", "ensemble"])
def test_every_model_is_loaded_like_a_network(trained, name, tmp_path):
    config, _ = trained
    notes = list(read_notes(config.train[0]))[:8]
    predicted = DiagnosisPredictor.load(config.out / name, top=1)(notes)
    pneumonia = next(note for note in predicted if note.text.startswith("患者咳嗽"))
    assert pneumonia.diagnoses[0].code == "J18"
    assert any("肺炎" in each for each in words(pneumonia, pneumonia.diagnoses[0].evidence))
    shutil.copytree(config.out / name, tmp_path / "moved")
    assert DiagnosisPredictor.load(tmp_path / "moved", top=1)(notes) == predicted
    DiagnosisPredictor.load(tmp_path / "moved").save(tmp_path / "saved")
    assert read_titles(tmp_path / "saved") == read_titles(config.out / name)
    again = DiagnosisPredictor.load(tmp_path / "saved", top=1)(notes)
    assert again == predicted
    assert [d.score for n in again for d in n.diagnoses] == [d.score for n in predicted for d in n.diagnoses]


def test_evidence_of_an_ensemble_is_shared_among_its_members(trained):
    config, _ = trained
    notes = list(read_notes(config.train[0]))[:8]
    held = DiagnosisPredictor.load(config.out / "ensemble", top=3)(notes)
    members = [
        DiagnosisPredictor.load(config.out / "ensemble" / name, top=3)(notes) for name in ("tfidf", "dictionary")
    ]
    for note in held:
        for diagnosis in note.diagnoses:
            assert sum(span.score for span in diagnosis.evidence) <= 1.001
    code = held[0].diagnoses[0].code
    places = {(s.start, s.end) for s in held[0].diagnoses[0].evidence}
    for found in members:
        theirs = next(d for d in found[0].diagnoses if d.code == code)
        assert {(s.start, s.end) for s in theirs.evidence} <= places


def test_a_killed_run_trains_what_is_missing(trained, tmp_path):
    config, _ = trained
    shutil.copytree(config.out, tmp_path / "out")
    again = config.model_copy(update={"out": tmp_path / "out"})
    shutil.rmtree(again.out / "ensemble")
    (again.out / "ensemble.part").mkdir()
    kept = (again.out / "tfidf" / "model.safetensors").stat().st_mtime_ns
    told = []
    finetune_diagnosis(again, resume=True, tell=told.append)
    assert not any(isinstance(news, Epoch) for news in told)
    assert (again.out / "tfidf" / "model.safetensors").stat().st_mtime_ns == kept
    for name in ("config.json", "labels.json", "model.safetensors"):
        assert (again.out / "ensemble" / name).read_bytes() == (config.out / "ensemble" / name).read_bytes()
    assert not (again.out / "ensemble.part").exists()


def test_networks_of_other_runs_are_weighed_beside_the_own(trained, tmp_path):
    config, _ = trained
    train = config.train[0]
    joined = run_config(train, tmp_path / "out", seed=2, join=(config.out / "best", config.out / "tfidf"))
    finetune_diagnosis(joined)
    ensemble = tmp_path / "out" / "ensemble"
    assert read_config(ensemble).members == ("network", "network_2", "network_3", "tfidf", "dictionary")
    theirs = (config.out / "best" / "model.safetensors").read_bytes()
    assert (ensemble / "network_2" / "model.safetensors").read_bytes() == theirs
    notes = list(read_notes(train))[:8]
    shutil.copytree(ensemble, tmp_path / "moved")
    shutil.rmtree(tmp_path / "out" / "best")
    found = DiagnosisPredictor.load(tmp_path / "moved", top=1)(notes)
    assert found[0].diagnoses[0].evidence
    assert found == DiagnosisPredictor.load(ensemble, top=1)(notes)


def test_an_ensemble_is_weighed_again_where_other_networks_join(trained, tmp_path):
    config, _ = trained
    shutil.copytree(config.out, tmp_path / "out")
    again = config.model_copy(update={"out": tmp_path / "out"})
    finetune_diagnosis(again.model_copy(update={"join": (config.out / "best",)}), resume=True)
    assert "network_2" in read_config(again.out / "ensemble").members
    finetune_diagnosis(again, resume=True)
    assert "network_2" not in read_config(again.out / "ensemble").members


@pytest.mark.parametrize(
    ("name", "said"), [("ensemble", "got an ensemble"), ("other/tfidf", "the codes of this run"), ("none", "needed")]
)
def test_a_model_that_cannot_be_weighed_is_refused_before_training(trained, tmp_path, name, said):
    config, _ = trained
    other = tmp_path / "run" / "other" / "tfidf"
    shutil.copytree(config.out, tmp_path / "run")
    shutil.copytree(config.out / "tfidf", other)
    (other / "labels.json").write_text(json.dumps([*CODES[:2], "Q00"]))
    joined = run_config(config.train[0], tmp_path / "out", join=(tmp_path / "run" / name,))
    with pytest.raises(UsageError, match=said):
        finetune_diagnosis(joined)
    assert not (tmp_path / "out").exists()


def test_to_join_without_an_ensemble_is_refused(tmp_path):
    with pytest.raises(UsageError, match="join: an ensemble needed"):
        run_config(tmp_path / "train.jsonl", tmp_path / "out", baselines=False, join=(tmp_path,))


def test_a_run_can_do_without(trained, tmp_path):
    config, _ = trained
    finetune_diagnosis(config.model_copy(update={"out": tmp_path / "out", "baselines": False}))
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir() and "check" not in path.name) == [
        "best",
        "last",
    ]


@pytest.mark.parametrize("single", [False, True])
def test_bad_notes_stop_no_run(tmp_path, single):
    """A code in all notes, one in a single note, notes without codes, empty text, and a dev part without codes."""
    notes = [replace(n, diagnoses=(Diagnosis("A00"), *n.diagnoses)) for n in notes_of()]
    notes += [Note("o", "Seldom seen.", diagnoses=(Diagnosis("A00"), Diagnosis("X99"))), Note("b", "", diagnoses=())]
    if single:  # those with several codes and without are left out
        notes = [*notes_of(), *notes[:2], Note("b", "", diagnoses=())]
        notes = [replace(note, note_id=f"n{at}") for at, note in enumerate(notes)]
    write_notes([*notes, Note("c", "Well.", diagnoses=())], tmp_path / "train.jsonl")
    write_notes([Note("d1", "Well.", diagnoses=()), Note("d2", "", diagnoses=())], tmp_path / "dev.jsonl")
    config = run_config(tmp_path / "train.jsonl", tmp_path / "out", epochs=1, single=single)
    told = []
    finetune_diagnosis(config.model_copy(update={"dev": (tmp_path / "dev.jsonl",)}), tell=told.append)
    assert any("no code that is learned" in str(news) for news in told)
    assert any("notes have several codes and were left out" in str(news) for news in told) == single
    [found, empty] = DiagnosisPredictor.load(tmp_path / "out" / "ensemble", top=2)([Note("x", "糖尿病"), Note("y", "")])
    assert len(found.diagnoses) == 2
    assert empty.diagnoses == ()


def test_a_folder_whose_parts_do_not_fit_is_refused(trained, tmp_path):
    config, _ = trained
    for name, file, said in (("tfidf", "ngrams.json", "no ngrams.json"), ("dictionary", "names.json", "no names.json")):
        shutil.copytree(config.out / name, tmp_path / name)
        (tmp_path / name / file).unlink()
        with pytest.raises(UsageError, match=said):
            DiagnosisPredictor.load(tmp_path / name)
    shutil.copytree(config.out / "ensemble", tmp_path / "ensemble")
    labels = tmp_path / "ensemble" / "labels.json"
    labels.write_text(json.dumps([*CODES[:2], "Q00"]))
    with pytest.raises(UsageError, match="members of the same codes needed"):
        DiagnosisPredictor.load(tmp_path / "ensemble")


def test_models_of_the_store_are_what_was_saved(tmp_path):
    made = [
        Tfidf(TfidfConfig(codes=CODES, n_features=4)),
        Dictionary(DictionaryConfig(codes=CODES)),
        Ensemble(EnsembleConfig(codes=CODES, members=("a", "b"))),
    ]
    for at, model in enumerate(made):
        save_model(tmp_path / str(at), model)
        again = load_model(tmp_path / str(at))
        assert again.config == model.config
        assert all(torch.equal(again.state_dict()[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["tfidf", "likeness", "dictionary", "ensemble"])
def test_every_model_is_a_spacy_component_and_travels_with_it(trained, name, tmp_path):
    import spacy

    config, _ = trained
    pipeline = spacy.blank("zh" if name == "dictionary" else "en")
    pipeline.add_pipe("clinlp_diagnosis", config={"model": str(config.out / name), "top": 1})
    text = "诊断：肺炎。"
    wanted = pipeline(text).cats
    assert list(wanted) == ["J18"]
    pipeline.to_disk(tmp_path / "pipeline")
    assert spacy.load(tmp_path / "pipeline")(text).cats == wanted
    pipe = pipeline.get_pipe("clinlp_diagnosis")
    held = pipe.to_bytes()
    pipe._predictor = None
    assert pipe.from_bytes(held).pipe([pipeline.make_doc(text)]).__next__().cats == wanted


def test_models_are_evaluated_and_compared_like_any(trained, tmp_path):
    from typer.testing import CliRunner

    from clinlp.cli import app

    config, _ = trained
    gold = str(config.train[0])
    done = CliRunner().invoke(app, ["evaluate", str(config.out / "ensemble"), gold, "--json", str(tmp_path / "s.json")])
    assert done.exit_code == 0, done.output
    both = [str(config.out / name) for name in ("tfidf", "dictionary")]
    done = CliRunner().invoke(app, ["compare", gold, *both, "--shuffles", "100"])
    assert done.exit_code == 0, done.output
    with pytest.raises(UsageError, match="a network needed to export, got a model of the kind tfidf"):
        export_model(both[0], tmp_path / "out", "int8")
