"""Erased notes, a model whose right evidence is known, and evidence in released texts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clinlp import Diagnosis, Note, Span
from clinlp.deid.keys import new_key
from clinlp.inference.attribution import Explanation
from clinlp.inference.faithfulness import erase, measure_faithfulness
from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.text.tokens import tokenize

NOTES = [
    Note("a", "Seen today, the pneumonia is better, he sleeps well and eats well, no other complaints now."),
    Note("b", "今日查房，患者肺炎好转，睡眠可，饮食可，未诉其他不适，继续观察。"),
    Note("c", "x"),
]


def offsets(text):
    return np.array(tokenize(text), np.int32).reshape(-1, 2)


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        ("BP 120/80, no fever", [1, 3], "BP , fever"),
        ("chest-pain", [1], "chest pain"),
        ("2.5mg daily", [0], "mg daily"),
        ("fever", [0], ""),
        ("a\nb c", [1], "a\nc"),
        ("患者咳嗽3天。", [2, 3], "患者3天。"),
        ("患者咳嗽3天。", [0, 1, 4, 5, 6], "咳嗽"),
    ],
)
def test_tokens_are_erased_and_none_grow_together(text, gone, left):
    assert erase(text, offsets(text), gone) == left
    words = [text[start:end] for at, (start, end) in enumerate(tokenize(text)) if at not in gone]
    assert [left[start:end] for start, end in tokenize(left)] == words


class Keyword:
    """A model that says A where it reads one of two words, and B for any note."""

    codes, top, evidence = ("A", "B"), None, True

    def __call__(self, notes):
        said = []
        for note in notes:
            there = "pneumonia" in note.text or "肺炎" in note.text
            both = (Diagnosis("A", 0.9 if there else 0.1), Diagnosis("B", 0.5))
            said.append(replace(note, diagnoses=both if tokenize(note.text) else ()))
        return said


class Pointing:
    """Evidence that names the words one likes."""

    def __init__(self, *words):
        self.words = words

    def explain(self, text, codes, fields=None):
        scores = np.array([any(text[s:e] in word for word in self.words) for s, e in tokenize(text)], np.float32)
        return [Explanation(code, offsets(text), scores) for code in codes]


def test_right_evidence_is_faithful_and_wrong_evidence_is_not():
    right = measure_faithfulness(Keyword(), Pointing("pneumonia", "肺炎"), NOTES)
    wrong = measure_faithfulness(Keyword(), Pointing("sleeps", "睡眠"), NOTES)
    assert (right.evidence.n, right.n_short) == (2, 1)
    assert right.evidence.comprehensiveness_area == pytest.approx(0.8)
    assert right.evidence.sufficiency[1:] == pytest.approx((0.0,) * 4)  # 1 % of the Chinese note is half a word
    assert right.evidence.sufficiency[0] == pytest.approx(0.4)
    assert wrong.evidence.comprehensiveness_area < 0.3
    assert wrong.evidence.sufficiency_area > 0.6
    assert right.floor == wrong.floor
    assert right.floor.comprehensiveness_area < right.evidence.comprehensiveness_area


def test_the_predictor_is_left_as_it_was():
    keyword = Keyword()
    measure_faithfulness(keyword, Pointing("pneumonia"), NOTES[:1], top=2)
    assert (keyword.top, keyword.evidence) == (None, True)


RELEASED = [
    Note(
        "e",
        "Seen by Dr. Jane Doe on 03/12/2021 for pneumonia of the left lung.",
        patient_id="p1",
        lang="en",
        diagnoses=(
            Diagnosis(
                "J18",
                0.9,
                (Span(39, 48, "EVIDENCE", 0.6), Span(17, 34, "EVIDENCE", 0.3), Span(12, 16, "AGAINST", 0.1)),
            ),
        ),
    ),
    Note(
        "z",
        "患者姓名：王小明，住院号：20240318，诊断：肺炎，左肺下叶。",
        patient_id="p2",
        lang="zh",
        diagnoses=(Diagnosis("J18", 0.9, (Span(25, 27, "EVIDENCE", 0.6), Span(6, 10, "EVIDENCE", 0.4))),),
    ),
]
SECRETS = ("Jane", "Doe", "03/12", "王小明", "小明", "20240318")


@pytest.mark.parametrize("mode", ["tag", "placeholder", "mask", "surrogate"])
def test_evidence_is_carried_to_the_released_text_and_never_leaks(mode, tmp_path):
    """A span over PHI grows to the borders of what took its place: the words under it are never the old ones."""
    new_key(tmp_path / "key")
    key = tmp_path / "key" if mode == "surrogate" else None
    config = PipelineConfig(deid=mode, key_file=key, phi="off", entities="off", diagnosis="off")
    for note, released in zip(RELEASED, Pipeline(config)(RELEASED), strict=True):
        assert released.text != note.text
        [before], [after] = note.diagnoses, released.diagnoses
        assert len(after.evidence) == len(before.evidence)
        assert sorted(span.score for span in after.evidence) == sorted(span.score for span in before.evidence)
        words = {span.score: released.text[span.start : span.end] for span in after.evidence}
        assert words[0.6] == ("肺炎" if note.lang == "zh" else "pneumonia")
        assert not any(secret in word for word in words.values() for secret in SECRETS)
        for span in after.evidence:  # whole replacements, never a part of one
            for phi in released.phi:
                assert not span.overlaps(phi) or (span.start <= phi.start and phi.end <= span.end)


@pytest.mark.parametrize("mode", ["tag", "surrogate"])
def test_predicted_evidence_is_of_the_same_words_after_release(mode, tmp_path):
    new_key(tmp_path / "key")
    key = tmp_path / "key" if mode == "surrogate" else None
    notes = [replace(note, diagnoses=None) for note in RELEASED]
    options = {"phi": "off", "entities": "off", "top": 2}
    kept = Pipeline(PipelineConfig(deid="off", **options))(notes)
    for note, released in zip(kept, Pipeline(PipelineConfig(deid=mode, key_file=key, **options))(notes), strict=True):
        assert [each.code for each in note.diagnoses] == [each.code for each in released.diagnoses]
        for before, after in zip(note.diagnoses, released.diagnoses, strict=True):
            assert len(before.evidence) == len(after.evidence)
            for one, other in zip(before.evidence, after.evidence, strict=True):
                if not any(one.overlaps(phi) for phi in note.phi):
                    assert note.text[one.start : one.end] == released.text[other.start : other.end]
