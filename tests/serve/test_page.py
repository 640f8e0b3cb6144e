from __future__ import annotations

import json
import re
import runpy
import shutil
import time
import zipfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinlp.records import WriteOptions, read_notes, write_notes
from clinlp.serve import ServeConfig
from clinlp.spans import Span

from .serve_cases import RULES, client_of, running

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "bench" / "browser.py"))
CHROMIUM, Browser = BENCH["CHROMIUM"], BENCH["Browser"]
CONTRAST = runpy.run_path(str(Path(__file__).parents[1] / "report" / "contrast.py"))["CONTRAST"]
FILES = ("/", "/page.css", "/words.js", "/service.js", "/page.js", "/files.js", "/report.css")


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
    assert re.findall(r'(?:src|href)="(?!#|data:,")([^"]*)"', page) == [
        "report.css",
        "page.css",
        "words.js",
        "service.js",
        "page.js",
        "files.js",
    ]
    script = "".join(rules.get(path).text for path in FILES if path.endswith(".js"))
    assert re.findall(r"innerHTML|insertAdjacent|eval\(|localStorage|sessionStorage|document\.cookie", script) == []


def test_every_word_is_there_in_both_languages(rules: TestClient) -> None:
    page, words = (rules.get(path).text for path in ("/", "/words.js"))
    script = "".join(rules.get(f"/{name}.js").text for name in ("service", "page", "files"))
    asked = set(re.findall(r'data-t="(\w+)"', page)) | set(re.findall(r'say\("(\w+)"\)', script))
    english, chinese = words.split("  zh: {")
    for said in (english, chinese):
        assert {key for key in asked if not re.search(rf"\b{key}: ", said)} == set()
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
def url() -> Iterator[str]:
    with running(ServeConfig(port=0)) as (found, _):
        yield found


@pytest.fixture(params=NOTES)
def browser(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with Browser(tmp_path / "profile", lang=request.param) as found:
        found.open(f"{url}/")
        found.wait("document.querySelectorAll('#deid option').length")
        found.text, found.words = NOTES[request.param]
        yield found
        assert found.complaints == []


def paste(browser: Any) -> None:
    browser.run("$('input').focus()")
    browser.write(browser.text)
    browser.wait("document.querySelector('#text .m') && $('plain').textContent")


def keys(browser: Any, *pressed: str) -> None:
    browser.run("$('text').focus()")
    for key in pressed:
        browser.key(key)


@pytest.mark.slow
def test_paste_see_correct_and_train(browser: Any, tmp_path: Path) -> None:
    paste(browser)
    assert browser.run("$('text').textContent") == browser.text
    assert "[NAME]" in browser.run("$('plain').textContent")
    assert browser.run("lang") == ("zh" if "姓名" in browser.text else "en")
    assert browser.run("getComputedStyle(document.querySelector('#text .m')).borderBottomStyle") in ("solid", "dashed")
    named = browser.run("getComputedStyle(document.querySelector('#text .m.z'), '::after').content")
    assert named.strip('"').split(" ")[0] in ("body", "symptom", "姓名")
    n_spans = browser.run("document.querySelectorAll('#text .m.a').length")
    keys(browser, "ArrowRight", "Delete")  # the first span is taken away and comes back
    assert browser.run("document.querySelectorAll('#text .m.a').length") < n_spans
    keys(browser, "u")
    assert browser.run("document.querySelectorAll('#text .m.a').length") == n_spans
    browser.run("choose(spans(note()).find(({ span }) => span.label === 'NAME')); drop()")  # what is no PHI stays
    browser.wait("$('plain').textContent && !$('plain').textContent.includes('[NAME]')")
    keys(browser, "u")
    browser.wait("$('plain').textContent.includes('[NAME]')")

    browser.run(  # words are selected as a mouse does
        f"{{ const part = [...document.querySelectorAll('#text [data-s]')].find(each => each.textContent.includes("
        f"{json.dumps(browser.words)})).firstChild; const at = part.data.indexOf({json.dumps(browser.words)});"
        f"getSelection().setBaseAndExtent(part, at, part, at + {len(browser.words)});"
        "$('text').dispatchEvent(new Event('pointerup')); }"
    )
    assert browser.run("$('words').textContent") == browser.words
    keys(browser, "Escape", "w", "Enter")
    browser.run("$('kind').value = 'entities'; $('label').value = ''")
    browser.write("OURS")
    browser.key("Enter")
    browser.run("$('code').value = 'X99'; $('addcode').click()")
    folder = tmp_path / "saved"
    folder.mkdir()
    held = browser.download(folder, "$('jsonl').click()")
    [note] = read_notes(held)
    assert note.text == browser.text
    assert any(span.label == "OURS" and span.start == 0 for span in note.entities)
    assert "X99" in {diagnosis.code for diagnosis in note.diagnoses or ()}
    assert any(span.label == "NAME" for span in note.phi)
    assert all(isinstance(span, Span) and span.score is None for span in note.entities)
    shutil.copy(held, tmp_path / "corrected.jsonl")
    trained(tmp_path)

    with zipfile.ZipFile(browser.download(folder, "$('brat').click()")) as packed:
        assert packed.testzip() is None
        packed.extractall(tmp_path / "brat")
    [same] = read_notes(tmp_path / "brat")
    assert same.text == note.text
    for kind in ("entities", "phi", "sections"):
        assert getattr(same, kind) == getattr(note, kind)
    write_notes([note], tmp_path / "ours", WriteOptions(format="brat"))
    ours, theirs = (next((tmp_path / name).glob("*.ann")).read_text("utf-8") for name in ("ours", "brat"))
    assert theirs == ours
    assert (tmp_path / "brat" / "annotation.conf").read_text("utf-8") == (
        tmp_path / "ours" / "annotation.conf"
    ).read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_names_of_spans_can_be_read(url: str, tmp_path: Path, dark: bool) -> None:
    """They have a contrast of 4.5 at least with the span's colour (WCAG 2, 1.4.3), in light and in dark."""
    contrast = CONTRAST.replace(
        'matches(".tag, .sec")) check(element, "::before")', 'matches(".m.z")) check(element, "::after")'
    )
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with Browser(tmp_path / "profile", dark=dark) as browser:
        browser.open(f"{url}/")
        browser.wait("document.querySelectorAll('#deid option').length")
        browser.run(f"$('input').value = {json.dumps(NOTES['en-US'][0] + NOTES['zh-CN'][0])}; go()")
        browser.wait("document.querySelector('#text .m')")
        found = json.loads(browser.run(contrast))
    assert len(found) > 5
    assert [each for each in found if each[0] < 4.5] == []


@pytest.mark.slow
@pytest.mark.parametrize("lang", NOTES)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_stands_in_the_way_of_a_reader(url: str, tmp_path: Path, lang: str, dark: bool) -> None:
    """By the rules of axe-core: before a note, with one, and with a span and with words chosen for correction."""
    pytest.importorskip("axe_playwright_python")
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with Browser(tmp_path / "profile", lang=lang, dark=dark) as browser:
        browser.open(f"{url}/")
        browser.wait("document.querySelectorAll('#deid option').length")
        assert browser.inaccessible() == []
        browser.text = NOTES[lang][0]
        paste(browser)
        assert browser.inaccessible() == []
        keys(browser, "ArrowRight")
        assert browser.inaccessible() == []
        keys(browser, "Escape", "w", "Enter")
        assert browser.inaccessible() == []
        assert browser.complaints == []


@pytest.mark.slow
def test_models_and_thresholds_are_switched(browser: Any) -> None:
    paste(browser)
    own = browser.run("[...document.querySelectorAll('#entitiesmodel option')].map(each => each.value)")
    assert own == ["", "entities-en", "entities-zh"]
    before = browser.run("JSON.stringify(notes[0].entities)")
    other = "entities-en" if "姓名" in browser.text else "entities-zh"
    browser.run(f"$('entitiesmodel').value = '{other}'; $('entitiesmodel').dispatchEvent(new Event('change'))")
    browser.wait(f"JSON.stringify(notes[0].entities) !== {json.dumps(before)}")
    browser.run("$('entitiesmodel').value = ''; $('entitiesmodel').dispatchEvent(new Event('change'))")
    browser.wait(f"JSON.stringify(notes[0].entities) === {json.dumps(before)}")
    n_spans = browser.run("document.querySelectorAll('#text .m.a').length")
    browser.run("$('least').value = 1; $('least').dispatchEvent(new Event('input'))")
    assert browser.run("document.querySelectorAll('#text .m.a').length") < n_spans
    n_codes = browser.run("document.querySelectorAll('.dxrow').length")
    assert browser.run("$('leastcodevalue').value") in ("the model's", "模型默认")
    browser.run("$('leastcode').value = 0; $('leastcode').dispatchEvent(new Event('input'))")
    browser.wait(f"document.querySelectorAll('.dxrow').length > {n_codes}")  # those the model did not choose
    browser.run("$('leastcode').value = 1; $('leastcode').dispatchEvent(new Event('input'))")
    assert browser.run("document.querySelectorAll('.dxrow:not(.no)').length") == 0


@pytest.mark.slow
def test_small_files_are_dropped(browser: Any) -> None:
    record = json.dumps({"note_id": "from a dump", "text": browser.text}, ensure_ascii=False)
    browser.run(
        "{ const dropped = new DataTransfer();"
        f"dropped.items.add(new File([{json.dumps(browser.text)}], '病历.txt'));"
        f"dropped.items.add(new File([{json.dumps(record)}], 'dump.jsonl'));"
        "dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, cancelable: true })); }"
    )
    browser.wait("notes.length === 2 && $('plain').textContent")
    assert browser.run("notes.map(each => each.note_id)") == ["病历", "from a dump"]
    assert browser.run("$('place').textContent") == "1 / 2"
    browser.run(
        "{ const dropped = new DataTransfer(); dropped.items.add(new File([new Uint8Array(5e6)], 'large.txt'));"
        "dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, cancelable: true })); }"
    )
    browser.wait("$('status').classList.contains('bad')")
    assert browser.run("notes.length") == 2


def trained(folder: Path) -> None:
    """Fine-tune a small tagger on what was saved."""
    from clinlp.training.config import EntitiesConfig
    from clinlp.training.finetune import finetune_entities

    file = folder / "corrected.jsonl"
    config = EntitiesConfig.load(None, train=(file,), dev=(file,), out=folder / "run", epochs=1, hidden=8, word_width=8)
    assert (finetune_entities(config) / "model.safetensors").is_file()


@pytest.mark.slow
def test_no_released_text_is_saved_but_that_of_the_note_as_it_stands(browser: Any) -> None:
    paste(browser)
    browser.wait("!$('released').disabled")
    browser.run("globalThis.real = fetch; globalThis.fetch = () => Promise.reject(new Error('away'))")
    browser.run("choose(spans(note()).find(({ span }) => span.label === 'NAME')); drop()")
    browser.wait("$('status').classList.contains('bad')")
    assert browser.run("$('released').disabled && note().released === undefined && !$('plain').textContent")
    browser.run(  # the first answer comes last
        "globalThis.fetch = (path, how) => path.includes('deid=tag')"
        " ? new Promise(done => setTimeout(done, 700)).then(() => real(path, how)) : real(path, how)"
    )
    browser.run("$('deid').value = 'tag'; release(); $('deid').value = 'mask'; release()")
    browser.wait("!$('released').disabled")
    masked = browser.run("$('plain').textContent")
    time.sleep(1.5)
    assert browser.run("$('plain').textContent") == browser.run("note().released.text") == masked
    assert "[" not in masked


@pytest.mark.slow
def test_whole_numbers_of_a_file_stay_what_they_are(browser: Any) -> None:
    read = json.dumps('{"note_id":110101199003078515,"fields":{"a":7,"b":1.5,"c":[9007199254740993]}}')
    held = browser.run(f"JSON.parse({read}, exact)")
    assert held == {"note_id": "110101199003078515", "fields": {"a": 7, "b": 1.5, "c": ["9007199254740993"]}}
