"""Cross-validation and learning curves: patients kept together, runs done once, predictions that can be compared."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp import DataError, Note, Span, UsageError, read_notes, write_notes
from clinlp.data.splits import deal, nested
from clinlp.metrics.entities import score_entities
from clinlp.training.config import DiagnosisConfig, EntitiesConfig, PhiConfig
from clinlp.training.curves import learning_curve
from clinlp.training.folds import cross_validate
from clinlp.training.runs import Begun
from clinlp.training.task import Epoch

SMALL = {
    "epochs": 2,
    "batch_pieces": 256,
    "hidden": 8,
    "word_width": 8,
    "learning_rate": 0.02,
    "head_learning_rate": 0.02,
    "dev_share": 0.3,
}


class Killed(BaseException):
    """Stands for a signal: nothing in the library catches it."""


def config(kind, path, out, **options):
    return kind.load(None, train=(path,), out=out, **SMALL | options)


def killer(name, epoch):
    """Kills a series in the run of that name, after so many epochs of it."""
    now = ""

    def tell(news):
        nonlocal now
        now = news.name if isinstance(news, Begun) else now
        if isinstance(news, Epoch) and now == name and news.epoch == epoch:
            raise Killed

    return tell


@st.composite
def wards(draw):
    sizes = draw(st.lists(st.integers(1, 5), min_size=4, max_size=30))
    notes = []
    for patient, size in enumerate(sizes):
        for _ in range(size):
            labels = draw(st.lists(st.sampled_from("AB"), max_size=2))
            spans = tuple(Span(at, at + 1, label) for at, label in enumerate(labels))
            notes.append(Note(f"n{len(notes)}", "病历 note", patient_id=f"p{patient}", entities=spans))
    return notes


@settings(max_examples=30)
@given(wards(), st.integers(2, 4), st.randoms())
def test_folds_keep_patients_together_and_do_not_follow_the_order(notes, n_folds, numbers):
    def labels(note):
        return [span.label for span in note.entities]

    folds = deal(notes, n_folds, 1, labels)
    of = dict(zip((note.note_id for note in notes), folds, strict=True))
    assert set(folds) == set(range(n_folds))
    assert len({(note.patient_id, fold) for note, fold in zip(notes, folds, strict=True)}) == len(
        {note.patient_id for note in notes}
    )
    mixed = numbers.sample(notes, len(notes))
    assert deal(mixed, n_folds, 1, labels) == [of[note.note_id] for note in mixed]
    largest = max(Counter(note.patient_id for note in notes).values())
    assert max(Counter(folds).values()) <= -(-len(notes) // n_folds) + largest


def test_rare_labels_are_spread_over_the_folds():
    notes = [
        Note(f"n{at}", "文 text", entities=(Span(0, 1, "RARE" if at % 20 == 0 else "COMMON"),)) for at in range(100)
    ]
    folds = deal(notes, 5, 3, lambda note: [span.label for span in note.entities])
    assert Counter(folds) == dict.fromkeys(range(5), 20)
    rare = Counter(fold for note, fold in zip(notes, folds, strict=True) if note.entities[0].label == "RARE")
    assert rare == dict.fromkeys(range(5), 1)


def test_the_seed_deals_anew():
    notes = [Note(f"n{at}", "文") for at in range(40)]
    assert deal(notes, 4, 1) == deal(notes, 4, 1) != deal(notes, 4, 2)


def test_parts_of_a_curve_nest_and_hold_whole_patients():
    notes = [Note(f"n{at}", "文", patient_id=f"p{at // 2}") for at in range(40)]
    parts = [{note.note_id for note in part} for part in nested(notes, (0.01, 0.3, 1.0), 5)]
    assert [len(part) for part in parts] == [2, 12, 40]
    assert parts[0] < parts[1] < parts[2]


@pytest.fixture(scope="module")
def whole(ward, tmp_path_factory):
    """A cross-validation that nothing broke, its folder and what it told."""
    told, folder = [], tmp_path_factory.mktemp("whole") / "cv"
    return cross_validate(config(EntitiesConfig, ward, folder), 2, tell=told.append), folder, told


def test_cross_validation_predicts_every_note_once(ward, whole):
    made, folder, told = whole
    gold, pooled = list(read_notes(ward)), list(read_notes(folder / "predictions.jsonl"))
    assert [note.note_id for note in pooled] == [note.note_id for note in gold]
    assert not any(note.diagnoses or note.phi or note.fields for note in pooled)
    assert made.pooled.overall["f1"].value == score_entities(gold, pooled).micro.f1
    assert sum(fold.n_notes for fold in made.folds) == len(gold)
    said = json.loads((folder / "scores.json").read_text())
    f1 = [fold["scores"]["f1"] for fold in said["folds"]]
    assert said["mean"]["f1"] == pytest.approx(sum(f1) / 2)
    assert said["std"]["f1"] == pytest.approx(sum((each - sum(f1) / 2) ** 2 for each in f1) ** 0.5)
    assert said["pooled"]["sampling"]["unit"] == "patients"
    assert next(str(news) for news in told if isinstance(news, Begun)).startswith("fold 1 of 2: ")
    patients = [{note.patient_id for note in read_notes(folder / f"fold-{at}" / "predictions.jsonl")} for at in (1, 2)]
    assert not patients[0] & patients[1]
    assert not list(folder.rglob("checkpoint-*"))


def test_notes_without_patients_are_parted_one_by_one_and_that_is_said(ward, tmp_path):
    notes = [replace(note, patient_id=None) for note in read_notes(ward)]
    write_notes(notes, tmp_path / "nobody.jsonl")
    said = []
    cross_validate(config(EntitiesConfig, tmp_path / "nobody.jsonl", tmp_path / "out", epochs=1), 2, tell=said.append)
    assert said[0] == "no note has a patient_id: each counts as a patient of its own"
    said.clear()
    cross_validate(config(EntitiesConfig, ward, tmp_path / "named", epochs=1), 2, tell=said.append)
    assert "no note has a patient_id: each counts as a patient of its own" not in said


def test_a_killed_cross_validation_goes_on_where_it_was(ward, whole, tmp_path):
    unbroken = whole[0]
    broken = config(EntitiesConfig, ward, tmp_path / "broken")
    with pytest.raises(Killed):
        cross_validate(broken, 2, tell=killer("fold 2 of 2", 1))
    first = tmp_path / "broken" / "fold-1"
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    with pytest.raises(UsageError, match="broken: a new folder needed, got one with runs; --resume goes on with them"):
        cross_validate(broken, 2)
    with pytest.raises(UsageError, match="--resume needs the same n_folds, got another value"):
        cross_validate(broken, 3, resume=True)
    with pytest.raises(UsageError, match="--resume needs the same hidden, got another value"):
        cross_validate(broken.model_copy(update={"hidden": 12}), 2, resume=True)
    told = []
    resumed = cross_validate(broken, 2, resume=True, tell=told.append)
    assert [news.epoch for news in told if isinstance(news, Epoch)] == [2]
    assert [news.done for news in told if isinstance(news, Begun)] == [True, False]
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before
    assert resumed.to_dict() == unbroken.to_dict()
    assert list(read_notes(resumed.predictions)) == list(read_notes(unbroken.predictions))


def test_notes_that_changed_are_not_mixed_with_old_folds(ward, tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_bytes(ward.read_bytes())
    made = config(EntitiesConfig, path, tmp_path / "cv", epochs=1)
    with pytest.raises(Killed):
        cross_validate(made, 2, tell=killer("fold 1 of 2", 1))
    write_notes(list(read_notes(ward))[:-1], path)
    with pytest.raises(UsageError, match=r"folds\.json: --resume needs the same notes, got another value"):
        cross_validate(made, 2, resume=True)


@pytest.mark.parametrize(("kind", "score"), [(PhiConfig, "f1"), (DiagnosisConfig, "map")])
def test_phi_and_codes_are_cross_validated_too(ward, tmp_path, kind, score):
    made = cross_validate(config(kind, ward, tmp_path / "cv", epochs=1), 2)
    assert 0 <= made.mean[score] <= 1
    found = list(read_notes(made.predictions))
    assert all((note.diagnoses is None) == (kind is PhiConfig) for note in found)


def test_a_learning_curve_scores_growing_parts_on_the_same_notes(ward, tmp_path):
    options = config(EntitiesConfig, ward, tmp_path / "curve", dev=(ward,))
    with pytest.raises(Killed):
        learning_curve(options, [0.5, 1.0], tell=killer("1 of the patients", 1))
    told = []
    points = learning_curve(options, [1.0, 0.5], resume=True, tell=told.append)
    assert [(point.share, point.n_patients, point.n_notes, point.epochs) for point in points] == [
        (0.5, 6, 12, 4),
        (1.0, 12, 24, 2),
    ]
    assert [news.epoch for news in told if isinstance(news, Epoch)] == [2]  # of the second run alone
    assert points[0].n_marks < points[1].n_marks
    said = json.loads((tmp_path / "curve" / "curve.json").read_text())
    assert [point["dev"]["overall"]["f1"]["value"] for point in said] == [
        point.scores.overall["f1"].value for point in points
    ]


@pytest.mark.parametrize("shares", [[], [0.0, 1.0], [1.5]])
def test_shares_of_nothing_or_more_than_all_are_refused(ward, tmp_path, shares):
    with pytest.raises(UsageError, match="learning curve: shares above 0 and at most 1 needed, got"):
        learning_curve(config(EntitiesConfig, ward, tmp_path / "curve"), shares)


def test_what_cannot_be_dealt_is_refused(ward, tmp_path):
    with pytest.raises(UsageError, match=r"folds: at most as many as patients needed \(12\), got 13"):
        cross_validate(config(EntitiesConfig, ward, tmp_path / "cv"), 13)
    twice = EntitiesConfig.load(None, train=(ward, ward), out=tmp_path / "cv", **SMALL)
    with pytest.raises(DataError, match="note n0: one note of an id needed, got two"):
        cross_validate(twice, 2)
    write_notes([Note("a", "No findings."), Note("b", "无殊。")], tmp_path / "bare.jsonl")
    with pytest.raises(DataError, match=r"bare\.jsonl: notes with something to learn needed, got none"):
        cross_validate(config(EntitiesConfig, tmp_path / "bare.jsonl", tmp_path / "cv"), 2)


def test_folds_that_cannot_be_trained_are_said_before_any_is(tmp_path):
    notes = [Note(f"n{at}", "No fever today.", patient_id=f"p{at}") for at in range(6)]
    notes[2] = replace(notes[2], entities=(Span(3, 8, "SIGN"),))
    path = tmp_path / "notes.jsonl"
    write_notes(notes, path)
    told = []
    with pytest.raises(DataError, match=r"fold \d of 3: training notes with something to learn needed"):
        cross_validate(config(EntitiesConfig, path, tmp_path / "run"), 3, tell=told.append)
    assert not told
    assert not (tmp_path / "run").exists()
