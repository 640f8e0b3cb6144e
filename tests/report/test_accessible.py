"""Every page by axe-core's rules in a real browser, light and dark: nothing stands in the way of a reader."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinlp.deid import deidentify
from clinlp.note import Diagnosis, Note
from clinlp.report.audit import render_audit
from clinlp.report.corpus import report_corpus
from clinlp.report.document import render_report
from clinlp.report.evaluation import report_evaluation
from clinlp.report.page import render
from clinlp.report.run import report_run
from clinlp.report.scored import Asked

from . import test_audit, test_corpus, test_evaluation, test_run
from .test_page import chinese, english

pytest.importorskip("axe_playwright_python")
pytest.importorskip("matplotlib")
BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "bench" / "browser.py"))
CHROMIUM, Browser = BENCH["CHROMIUM"], BENCH["Browser"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


@pytest.fixture(scope="module", params=["light", "dark"])
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with Browser(tmp_path_factory.mktemp("profile"), dark=request.param == "dark") as found:
        yield found


def show(browser: Any, tmp_path: Path, page: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(page, "utf-8")
    browser.open(path)


def notes() -> list[Note]:
    codes = (Diagnosis("I10", 0.9), Diagnosis("E11.9", 0.2))
    return [replace(note, diagnoses=codes) for note in (english(), chinese())]


def test_a_page_that_is_not_is_told(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, '<!DOCTYPE html><html lang="en"><title>x</title><img src="data:,"><p>x</p></html>')
    assert {line.split()[0] for line in browser.inaccessible()} >= {"image-alt", "landmark-one-main", "region"}


def test_notes(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, render(notes(), "notes"))
    assert browser.inaccessible() == []
    browser.run("document.querySelector('.dx').click()")
    browser.run("document.querySelector('.bar input[type=search]').focus()")
    browser.write("chest")
    assert browser.inaccessible() == []


def test_no_note(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, render([], "notes"))
    assert browser.inaccessible() == []


def test_released_notes_beside_their_originals(browser: Any, tmp_path: Path) -> None:
    held = notes()
    show(
        browser,
        tmp_path,
        render([deidentify(note, "tag") for note in held], "notes", {note.note_id: note for note in held}),
    )
    assert browser.inaccessible() == []


@pytest.mark.parametrize("texts", [False, True])
def test_an_evaluation(browser: Any, tmp_path: Path, texts: bool) -> None:
    asked = Asked(sampling=test_evaluation.DRAWS, by="sex", frequencies={"I10.9": 60}, show_text=texts)
    made = report_evaluation(*test_evaluation.notes(), ("entities", "diagnoses"), asked)
    show(browser, tmp_path, render_report(made))
    assert browser.inaccessible() == []


def test_a_run(browser: Any, tmp_path: Path) -> None:
    lines = [test_run.line(at, 1 / at, at / 10, best=at == 3) for at in (1, 2, 3)]
    (tmp_path / "log.jsonl").write_text("".join(lines))
    (tmp_path / "config.json").write_text('{"lr": 0.001, "train": ["训练.jsonl"]}')
    show(browser, tmp_path, render_report(report_run(tmp_path)))
    assert browser.inaccessible() == []


def test_a_corpus(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, render_report(report_corpus(test_corpus.notes(), by="ward")))
    assert browser.inaccessible() == []


def test_an_audit(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, render_audit(test_audit.made(), "audit"))
    assert browser.inaccessible() == []
