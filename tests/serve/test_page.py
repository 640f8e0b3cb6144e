from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinlp.records import read_notes
from clinlp.serve import ServeConfig
from clinlp.spans import Span

from .serve_cases import RULES, client_of, running

FILES = ("/", "/page.css", "/page.js", "/report.css")


@pytest.mark.parametrize("path", FILES)
def test_the_page_asks_nobody_but_its_own_service(rules: TestClient, path: str) -> None:
    answer = rules.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    assert "unsafe" not in policy
    assert re.findall(r"(?:https?:)?//[a-z]", answer.text) == []


def test_the_page_has_no_inline_script_or_style(rules: TestClient) -> None:
    page = rules.get("/").text
    assert re.findall(r"<script(?! src)|<style|\bon[a-z]+=|\bstyle=", page) == []
    assert re.findall(r'(?:src|href)="(?!#|data:,")([^"]*)"', page) == ["report.css", "page.css", "page.js"]
    script = rules.get("/page.js").text
    assert re.findall(r"innerHTML|insertAdjacent|eval\(|localStorage|sessionStorage|document\.cookie", script) == []


def test_every_word_is_there_in_both_languages(rules: TestClient) -> None:
    page, script = rules.get("/").text, rules.get("/page.js").text
    asked = set(re.findall(r'data-t="(\w+)"', page)) | set(re.findall(r'say\("(\w+)"\)', script))
    english, chinese = script.split("  zh: {")[0], script.split("  zh: {")[1].split("};")[0]
    for words in (english, chinese):
        assert {key for key in asked if not re.search(rf"\b{key}: ", words)} == set()
    names = json.loads(unescape(re.findall(r'data-labels="([^"]*)"', page)[0]))
    assert ["DISEASE", "disease", "疾病"] in names["entities"]
    assert {name for name, *_ in names["phi"]} >= {"NAME", "DATE", "MRN"}


def test_the_page_can_be_left_out() -> None:
    with client_of(ServeConfig(**RULES, page=False)) as client:
        assert client.get("/").status_code == 404


NOTES = {
    "en-US": ("Chest pain since Monday.\nSeen by Dr. Jane Doe. Denies fever, takes metformin twice daily. 😀", "twice"),
    "zh-CN": ("姓名：王小明。\n主诉：反复胸闷2年。否认糖尿病，予阿司匹林每日一次。𠮷野家", "每日"),
}


@pytest.fixture(scope="module")
def browser() -> Any:
    api = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here")
    with api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("locale", NOTES)
def test_paste_see_correct_and_train(browser: Any, locale: str, tmp_path: Path) -> None:
    text, words = NOTES[locale]
    context = browser.new_context(locale=locale, accept_downloads=True)
    with running(ServeConfig(port=0)) as (url, _):
        page = context.new_page()
        asked: list[str] = []
        broken: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(url)
        page.fill("#input", text)
        page.wait_for_selector("#text .m")
        page.wait_for_selector("#plain:not(:empty)")
        assert page.evaluate("document.getElementById('text').textContent") == text
        assert "[NAME]" in page.inner_text("#plain")
        n_spans = page.locator("#text .m.a").count()

        page.focus("#text")  # the first span is taken away and comes back, by keyboard
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Delete")
        assert page.locator("#text .m.a").count() < n_spans
        page.focus("#text")
        page.keyboard.press("u")
        assert page.locator("#text .m.a").count() == n_spans

        page.locator("#text [data-s]", has_text=words).first.dblclick()  # by mouse; then by keyboard again
        chosen = page.inner_text("#words")
        assert len(chosen) > 1
        assert chosen in text
        page.keyboard.press("Escape")
        page.focus("#text")
        page.keyboard.press("Escape")
        page.keyboard.press("w")
        page.keyboard.press("Enter")
        page.fill("#label", "OURS")
        page.keyboard.press("Enter")
        page.fill("#code", "X99")
        page.click("#addcode")
        with page.expect_download() as saved:
            page.click("#jsonl")
        saved.value.save_as(tmp_path / "corrected.jsonl")
        context.close()
    assert broken == []
    assert all(each.startswith((url, "data:", "blob:")) for each in asked)
    [note] = read_notes(tmp_path / "corrected.jsonl")
    assert note.text == text
    assert any(span.label == "OURS" and span.start == 0 for span in note.entities)
    assert "X99" in {diagnosis.code for diagnosis in note.diagnoses or ()}
    assert any(span.label == "NAME" for span in note.phi)
    assert all(isinstance(span, Span) and span.score is None for span in note.entities)
    trained(tmp_path)


def trained(folder: Path) -> None:
    """Fine-tune a small tagger on what was saved."""
    from clinlp.training.config import EntitiesConfig
    from clinlp.training.finetune import finetune_entities

    file = folder / "corrected.jsonl"
    config = EntitiesConfig.load(None, train=(file,), dev=(file,), out=folder / "run", epochs=1, hidden=8, word_width=8)
    assert (finetune_entities(config) / "model.safetensors").is_file()
