"""The report of a run: its log and its learning curve, as far as it has come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinlp.errors import DataError, UsageError
from clinlp.report.document import render_report
from clinlp.report.run import report_run

pytest.importorskip("matplotlib")


def line(epoch: int, loss: float, f1: float, *, best: bool) -> str:
    scores = {"score": f1, "f1": f1, "overlap_f1": min(1.0, f1 + 0.1)}
    return json.dumps({"epoch": epoch, "loss": loss, "scores": scores, "seconds": 60.0, "best": best}) + "\n"


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    log = (
        line(1, 0.9, 0.2, best=True) + line(2, 0.5, 0.6, best=True) + line(3, 0.4, 0.5, best=False) + '{"epoch": 4, "lo'
    )
    (tmp_path / "log.jsonl").write_text(log)
    (tmp_path / "config.json").write_text(json.dumps({"lr": 0.001, "train": ["训练.jsonl"], "dev": None}))
    report = report_run(tmp_path)
    assert [picture.name for picture in report.pictures] == ["epochs"]
    assert "the best epoch is 2" in report.pictures[0].says
    assert [row[0] for row in report.sections[0].tables[0].rows] == ["1", "2 *", "3"]
    assert report.cards[0].value == "0.6000"
    assert "训练.jsonl" in render_report(report)


def test_a_learning_curve(tmp_path: Path) -> None:
    share = {"value": 0.5, "low": 0.4, "high": None}
    points = [
        {"share": n / 100, "n_patients": n, "n_notes": n, "epochs": 3, "dev": {"overall": {"f1": share}}}
        for n in (10, 100)
    ]
    (tmp_path / "curve.json").write_text(json.dumps(points))
    assert [picture.name for picture in report_run(tmp_path).pictures] == ["learning_curve"]


@pytest.mark.parametrize("log", ["nothing\n", '{"epoch": 1}\n', "[]\n", ""])
def test_a_log_that_is_none(tmp_path: Path, log: str) -> None:
    (tmp_path / "log.jsonl").write_text(log)
    with pytest.raises(DataError, match=r"log\.jsonl(:1: an epoch with its loss|: an epoch that is done) needed"):
        report_run(tmp_path)


def test_a_folder_that_holds_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a run's folder needed, with log\.jsonl or curve\.json"):
        report_run(tmp_path)
