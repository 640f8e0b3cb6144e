"""Corpora that were annotated with different labels train one model."""

from __future__ import annotations

import json

import pytest

from clinlp.errors import DataError, UsageError
from clinlp.inference.entities import EntityPredictor
from clinlp.note import Note
from clinlp.training.config import EntitiesConfig
from clinlp.training.finetune import finetune_entities

TEXTS = {
    "en": ("Takes {drug} for {disease}.", ("aspirin", "metformin"), ("asthma", "gout")),
    "zh": ("患者因{disease}服用{drug}。", ("阿司匹林", "二甲双胍"), ("哮喘", "痛风")),
}


def corpus(path, lang, annotated):
    """Notes that hold drugs and diseases, of which only some are marked."""
    form, drugs, diseases = TEXTS[lang]
    records = []
    for drug in drugs:
        for disease in diseases:
            text = form.format(drug=drug, disease=disease)
            words = {"DRUG": drug, "DISEASE": disease}
            found = [(text.index(word), label, word) for label, word in words.items() if label in annotated]
            entities = [{"start": at, "end": at + len(word), "label": label} for at, label, word in sorted(found)]
            record = {"note_id": f"{path.stem}{len(records)}", "text": text, "entities": entities}
            records.append(record | {"marked": ",".join(annotated)})
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize("head", ["crf", "linear"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_corpora_of_one_label_each_teach_both(tmp_path, lang, head):
    form, drugs, diseases = TEXTS[lang]
    drugs_only = corpus(tmp_path / "drugs.jsonl", lang, ["DRUG"])
    diseases_only = corpus(tmp_path / "diseases.jsonl", lang, ["DISEASE"])
    options = {"train": (drugs_only, diseases_only), "dev": (drugs_only, diseases_only), "head": head, "epochs": 40}
    options |= {"hidden": 16, "word_width": 16, "dropout": 0.0, "word_dropout": 0.0, "learning_rate": 1e-2}
    text = form.format(drug=drugs[0], disease=diseases[0])

    def found(name, **more):
        best = finetune_entities(EntitiesConfig.load(None, out=tmp_path / name, **options, **more))
        [note] = EntityPredictor.load(best)([Note("n", text)])
        return {(text[span.start : span.end], span.label) for span in note.entities}

    assert found("in-part", annotated="marked") == {(drugs[0], "DRUG"), (diseases[0], "DISEASE")}
    assert json.loads((tmp_path / "in-part" / "best" / "scores.json").read_text())["f1"] == 1.0
    assert found("as-whole") != {(drugs[0], "DRUG"), (diseases[0], "DISEASE")}  # each corpus denies what the other says


def test_an_entity_of_a_label_that_its_note_does_not_name_is_told(tmp_path):
    path = corpus(tmp_path / "both.jsonl", "en", ["DRUG", "DISEASE"])
    path.write_text(path.read_text().replace("DRUG,DISEASE", "DRUG"))
    config = EntitiesConfig.load(None, train=(path,), dev=(path,), out=tmp_path / "out", annotated="marked")
    with pytest.raises(DataError, match="note both0: marked needs all labels of the note's entities, lacks DISEASE"):
        finetune_entities(config)


@pytest.mark.parametrize("value", [3, {"DRUG": 1}, ["DRUG", None], ","])
def test_labels_that_are_none_are_told(tmp_path, value):
    path = corpus(tmp_path / "drugs.jsonl", "en", ["DRUG"])
    records = [json.loads(line) | {"marked": value} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    config = EntitiesConfig.load(None, train=(path,), dev=(path,), out=tmp_path / "out", annotated="marked")
    with pytest.raises(DataError, match="note drugs0: marked needs labels"):
        finetune_entities(config)


@pytest.mark.parametrize("more", [{"head": "pointer"}, {"head": "linear", "focal": 2.0}])
def test_what_cannot_learn_from_parts_is_refused(tmp_path, more):
    with pytest.raises(UsageError, match="annotated"):
        EntitiesConfig.load(None, train=("x.jsonl",), out=tmp_path, annotated="marked", **more)
