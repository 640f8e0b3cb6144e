"""The report of an evaluation: the scores of the metrics, no word of a note unless asked for, no network."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from clinlp.errors import UsageError
from clinlp.metrics.entities import score_entities
from clinlp.metrics.intervals import Sampling
from clinlp.note import Diagnosis, Note
from clinlp.report.document import Report, render_report
from clinlp.report.evaluation import report_evaluation
from clinlp.report.scored import Asked
from clinlp.spans import Span

pytest.importorskip("matplotlib")
EN = "Mrs Quoxly has fever & <b>cough</b>."
ZH = "患者欧阳若兰，发热伴咳嗽。"
SENTINELS = ("Quoxly", "若兰", "cough", "发热")
DRAWS = Sampling(n_resamples=100)


def notes() -> tuple[list[Note], list[Note]]:
    gold, found = [], []
    for number in range(8):
        text, words = (EN, ("fever", "cough")) if number % 2 else (ZH, ("发热", "咳嗽"))
        spans = [Span(text.index(each), text.index(each) + len(each), "SYMPTOM") for each in words]
        note = Note(f"n{number}", text, patient_id=f"p{number // 2}", fields={"sex": "FM"[number % 4 < 2]})
        codes = ("I10.9", "E11.9") if number % 3 else ("J18.9",)
        gold.append(replace(note, entities=tuple(spans), diagnoses=tuple(map(Diagnosis, codes))))
        moved = replace(spans[1], label="DISEASE" if number == 3 else "SYMPTOM", score=0.4 + number / 20)
        kept = (replace(spans[0], score=0.9), moved) if number else ()
        ranked = (Diagnosis("I10.9", 0.3 + number / 20), Diagnosis("J18.9", 0.4))
        found.append(replace(note, entities=kept, diagnoses=ranked))
    return gold, found


@pytest.fixture(scope="module")
def made() -> Report:
    return report_evaluation(
        *notes(), ("entities", "diagnoses"), Asked(sampling=DRAWS, by="sex", frequencies={"I10.9": 60})
    )


def test_the_numbers_are_those_of_the_metrics(made: Report) -> None:
    numbers = json.loads(json.dumps(made.numbers))
    assert numbers["n_notes"] == 8
    assert numbers["entities"]["strict"]["micro"] == score_entities(*notes()).micro.to_dict()
    assert numbers["entities"]["mistakes"] == {"missed": 2, "wrong label": 1}
    assert numbers["entities"]["groups"].keys() == numbers["diagnoses"]["groups"].keys() == {"F", "M"}
    assert [name.partition(",")[0] for name in numbers["diagnoses"]["bands"]] == ["head", "unseen"]
    assert numbers["diagnoses"]["chapters"]["codes"]["X J00-J99 respiration"]["n_gold"] == 3
    assert "of 4 patients" in made.summary


def test_each_part_has_its_figures(made: Report) -> None:
    names = [picture.name for picture in made.pictures]
    assert names == [
        *(f"entities_{name}" for name in ("f1", "confusion", "reliability", "thresholds")),
        *(f"diagnoses_{name}" for name in ("roc", "precision_recall", "reliability", "thresholds", "f1")),
    ]


def test_single_codes_have_a_confusion_matrix() -> None:
    gold = [Note(f"n{at}", "x", diagnoses=(Diagnosis("气虚证" if at % 2 else "I10"),)) for at in range(4)]
    found = [replace(note, diagnoses=(Diagnosis("I10", 0.6), Diagnosis("气虚证", 0.4))) for note in gold]
    report = report_evaluation(gold, found, ("diagnoses",), Asked(sampling=DRAWS))
    assert [each.name for each in report.pictures if "confusion" in each.name] == ["diagnoses_confusion"]
    assert {"gold": "气虚证", "predicted": "I10", "n": 2} in report.numbers["diagnoses"]["confusions"]


def test_no_word_of_a_note_is_shown_or_written(made: Report, tmp_path: Path) -> None:
    for path in made.write(tmp_path):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            assert not [word for word in SENTINELS if word.encode() in file.read_bytes()], file.name


def test_words_are_shown_where_asked_for_and_are_no_markup() -> None:
    page = render_report(report_evaluation(*notes(), ("entities",), Asked(sampling=DRAWS, show_text=True)))
    assert "Quoxly has fever &amp; &lt;b&gt;<mark>cough</mark>" in page
    assert "欧阳若兰，<mark>发热</mark>伴咳嗽。" in page
    assert "<b>cough" not in page


def test_the_page_asks_nothing_of_a_network(made: Report) -> None:
    page = render_report(made)
    assert "default-src 'none'; style-src 'sha256-" in page
    assert "'unsafe" not in page
    assert not re.search(r"\ssrc=|@import|url\((?!#)|<link|<iframe|fetch\(|XMLHttpRequest", page)
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page)
    assert {*re.findall(r'https?://[^"\s]+', page)} <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_files_and_every_mistake(made: Report, tmp_path: Path) -> None:
    names = [path.name for path in made.write(tmp_path / "out")]
    assert names == ["index.html", "scores.json", "errors.jsonl", "figures"]
    rows = [json.loads(line) for line in (tmp_path / "out" / "errors.jsonl").read_text().splitlines()]
    assert {row["what"] for row in rows} == {"entities", "diagnoses"}
    assert {path.suffix for path in (tmp_path / "out" / "figures").iterdir()} == {".svg", ".png"}


def test_a_field_that_no_note_has() -> None:
    with pytest.raises(UsageError, match="by: a field of the gold notes needed, got 'ward'"):
        report_evaluation(*notes(), ("entities",), Asked(sampling=DRAWS, by="ward"))


def test_nothing_found_and_nothing_to_find_can_be_shown() -> None:
    empty = [Note("n", "x", diagnoses=())]
    page = render_report(report_evaluation(empty, empty, ("entities", "phi", "diagnoses"), Asked(sampling=DRAWS)))
    assert page.count('class="card"') == 12
