"""The pages in a real browser: what is drawn, what the mouse and the keys do, that nothing is asked or run."""

from __future__ import annotations

import json
import random
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinlp.deid import deidentify
from clinlp.note import Note
from clinlp.report.page import render
from clinlp.spans import Span

from .test_page import EVIL, chinese, english, evil_note

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "bench" / "browser.py"))
CHROMIUM, Browser = BENCH["CHROMIUM"], BENCH["Browser"]
CONTRAST = runpy.run_path(str(Path(__file__).parent / "contrast.py"))["CONTRAST"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


def show(browser: Any, tmp_path: Path, *notes: Note) -> None:
    page = tmp_path / "page.html"
    page.write_text(render(notes, "notes"), "utf-8")
    browser.open(page)


def test_any_spans_over_any_text_are_drawn_and_keep_the_text(browser: Any, tmp_path: Path) -> None:
    numbers = random.Random(0)  # noqa: S311
    notes = []
    for number in range(40):
        text = "".join(numbers.choice("ab<&\"' 高血压\n😀") for _ in range(numbers.randint(1, 40)))
        starts = [numbers.randrange(len(text)) for _ in range(numbers.randrange(8))]
        spans = tuple(Span(start, numbers.randint(start + 1, len(text)), numbers.choice("xyz")) for start in starts)
        notes.append(Note(f"n{number}", text, entities=spans[::2], phi=spans[1::2], sections=spans[:2]))
    show(browser, tmp_path, *notes)
    drawn = browser.run(
        "notes.map((_, number) => { draw(number); const text = articles[number].querySelector('.text');"
        "return [text.textContent, text.querySelectorAll('.a').length, text.querySelectorAll('.z').length,"
        "text.querySelectorAll('.tag').length, text.querySelectorAll('.sec').length]; })"
    )
    for note, (text, *counts) in zip(notes, drawn, strict=True):
        n = len(note.entities) + len(note.phi)
        assert text == note.text
        assert counts == [n, n, n, len(note.sections)]
    assert browser.complaints == []


def test_an_inner_span_stands_inside_the_outer_one_and_context_is_seen(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, english(), chinese())
    inner = "[...document.querySelectorAll('.uncertain .m')].map(box => box.textContent).join('')"
    assert browser.run(inner) == "left coronary artery左冠状动脉"
    style = "getComputedStyle(document.querySelector('.text .{}')).{}"
    assert browser.run(style.format("negated", "textDecorationLine")) == "line-through"
    assert browser.run(style.format("uncertain", "borderBottomStyle")) == "dashed"
    assert browser.run("document.querySelector('.text .negated').title") == (
        "SYMPTOM symptom or sign 症状体征 · negated 否定 · score 置信度 0.97"
    )
    assert browser.run("document.querySelector('.text[lang=zh-Hans] .negated + .tag').dataset.n") == "症状体征 · 否定"


def test_nothing_of_a_note_is_run_or_becomes_an_element(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, evil_note())
    assert browser.run("document.querySelector('.text').textContent") == EVIL
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 2
    assert browser.complaints == []


def test_evidence_lights_up_by_mouse_and_by_key(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, english())
    lit = "[...document.querySelectorAll('.ev.lit')].map(part => part.textContent).join('|')"
    assert browser.run(lit) == ""
    browser.point(".dx")
    assert browser.run(lit) == "stenosis of the |left|artery"
    browser.point("h1")
    assert browser.run(lit) == ""
    browser.point(".dx", press=True)
    browser.point("h1")
    assert browser.run(lit) == "stenosis of the |left|artery"
    browser.key("Escape")
    assert browser.run(lit) == ""


def test_labels_scores_and_contexts_can_be_left_out(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, english(), chinese())
    shown = "[...document.querySelectorAll('.text .a')].map(box => box.title.split(' ')[0]).join(' ')"
    every = browser.run(shown)
    browser.run("[...bar.querySelectorAll('.chip')].find(each => each.textContent.startsWith('SYMPTOM')).click()")
    browser.settle()
    assert "SYMPTOM" in every
    assert "SYMPTOM" not in browser.run(shown)
    browser.run("[...bar.querySelectorAll('.chip')].find(each => each.textContent.startsWith('uncertain')).click()")
    browser.settle()
    assert browser.run(shown) == "NAME ANATOMY DISEASE NAME ANATOMY"
    move = (
        "const range = bar.querySelector('.slide input'); range.value = 0.95; range.dispatchEvent(new Event('input'))"
    )
    browser.run(f"{{ {move} }}")
    browser.settle()
    assert browser.run(shown) == "NAME DISEASE NAME"  # the one without a score stays
    browser.run("[...bar.querySelectorAll('.chip')].find(each => each.textContent.startsWith('hide PHI')).click()")
    browser.settle()
    assert "王芳" not in browser.run("document.body.innerText")
    assert "患者[NAME]，否认发热" in browser.run("document.querySelector('.text[lang=zh-Hans]').textContent")
    browser.run("[...bar.querySelectorAll('.chip')].find(each => each.textContent.startsWith('NAME')).click()")
    browser.settle()
    assert "王芳" not in browser.run("document.body.innerText")  # what is hidden stays so, whatever is filtered


def test_keys_find_and_move(browser: Any, tmp_path: Path) -> None:
    show(browser, tmp_path, english(), chinese(), replace(chinese(), note_id="zh-2", text=ZH_OTHER, **EMPTY))
    browser.key("j")
    browser.key("j")
    assert browser.run("document.activeElement.textContent.slice(0, 3)") == "患者王"
    browser.key("ArrowRight")
    assert browser.run("document.activeElement.textContent") == "王芳"
    assert "NAME" in browser.run("live.textContent")
    browser.key("/")
    browser.write("肺炎")
    assert browser.run("articles.map(article => article.hidden)") == [True, True, False]
    assert browser.run("[...found].map(String)") == ["肺炎"]
    browser.key("Escape")
    assert browser.run("articles.filter(article => article.hidden).length") == 0


ZH_OTHER = "考虑肺炎。" + "患者一般情况可。" * 200
EMPTY: dict[str, object] = {"entities": (), "phi": (), "sections": (), "diagnoses": None}


def test_thousands_of_notes_hold_few_elements(browser: Any, tmp_path: Path) -> None:
    notes = [replace(each, note_id=f"{each.note_id}-{at}") for at in range(2500) for each in (english(), chinese())]
    show(browser, tmp_path, *notes)
    assert browser.run("articles.length") == 5000
    browser.run("go(4321)")
    browser.settle()
    assert browser.run("document.activeElement.textContent") == ZH_TEXT
    for share in (0.2, 0.4, 0.6, 0.8):
        browser.run(f"scrollTo(0, document.body.scrollHeight * {share})")
        browser.settle()
    assert browser.run("drawn.size") <= 70
    assert browser.complaints == []


ZH_TEXT = chinese().text


@pytest.mark.parametrize("dark", [False, True])
def test_words_can_be_read_in_light_and_dark(tmp_path: Path, dark: bool) -> None:
    """Every text has a contrast of 4.5 at least with what lies behind it (WCAG 2, 1.4.3)."""
    with Browser(tmp_path / "profile", dark=dark) as browser:
        show(browser, tmp_path, english(), chinese())
        found = json.loads(browser.run(CONTRAST))
        assert [each for each in found if each[0] < 4.5] == []


def test_a_released_note_stands_beside_its_original(browser: Any, tmp_path: Path) -> None:
    released = [deidentify(note, "tag") for note in (english(), chinese())]
    page = tmp_path / "page.html"
    page.write_text(render(released, "pairs", {note.note_id: note for note in (english(), chinese())}), "utf-8")
    browser.open(page)
    assert browser.complaints == []
    texts = "[...document.querySelectorAll('article:last-child .pair .text')].map(each => each.textContent)"
    assert browser.run(texts) == [chinese().text, released[1].text]
    left, right = browser.run(
        "[...document.querySelectorAll('.pair .text')].slice(0, 2).map(each => each.getBoundingClientRect().left)"
    )
    assert left < right
    name = next(english().text[span.start : span.end] for span in english().phi if span.label == "NAME")
    for looked_for, n_marks in ((name, 1), ("[NAME]", 1), ("fever", 2)):
        browser.run(f"state.find = {json.dumps(looked_for.lower())}; apply()")
        assert not browser.run("articles[0].hidden"), looked_for
        assert browser.run("[...found].filter(range => articles[0].contains(range.startContainer)).length") >= n_marks
        words = browser.run("[...new Set([...found].map(range => range.toString().toLowerCase()))]")
        assert words == [looked_for.lower()]
