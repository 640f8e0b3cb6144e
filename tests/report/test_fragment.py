"""Notes in a notebook: the text whole, nothing of it markup, no script, and no word of it in the repr."""

from __future__ import annotations

import re
from html import unescape

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

import clinlp
from clinlp.errors import DataError, UsageError
from clinlp.note import Diagnosis, Note
from clinlp.report.fragment import Shown, fragment, show
from clinlp.spans import Span

from .test_page import EVIL, chinese, english, evil_note


def text_of(html: str) -> str:
    """What a reader sees between the tags of the note's text."""
    inner = html.partition('<div class="text"')[2].partition(">")[2].partition("</div>")[0]
    return unescape(re.sub(r"<[^>]*>", "", inner))


def test_a_cell_shows_a_note_and_its_repr_no_word_of_it() -> None:
    for note in (english(), chinese()):
        shown = clinlp.show(note)
        assert text_of(shown._repr_html_()) == note.text
        assert repr(shown) == "Shown(1 notes)"
    assert not hasattr(Note, "_repr_html_")
    assert isinstance(show([english(), chinese()]), Shown)


def test_context_labels_and_diagnoses_are_seen() -> None:
    html = fragment([chinese()])
    assert 'data-n="症状体征 · 否定"' in html
    assert 'title="SYMPTOM symptom or sign 症状体征 · negated 否定 · score 置信度 0.97"' in html
    assert "70.0%" in html
    assert "article:has(.c0:is(:hover, :focus)) .e0" in html


def test_nothing_of_a_note_becomes_markup() -> None:
    html = fragment([evil_note()])
    assert text_of(html) == EVIL
    assert not re.search(r"<(script|img)|\son\w+=[^ ]*alert\(1\)>", html)


def test_too_many_notes_are_for_a_page() -> None:
    with pytest.raises(DataError, match=r"show: 20 notes at most needed, got 21; clinlp report shows thousands"):
        show([Note(f"n{at}", "x") for at in range(21)])


@given(st.text("ab<&\"' 高血压\n😀", min_size=1, max_size=30), st.data())
@settings(max_examples=60)
def test_any_spans_over_any_text_make_a_whole_fragment(text: str, drawn: st.DataObject) -> None:
    starts = drawn.draw(st.lists(st.integers(0, len(text) - 1), max_size=5))
    spans = tuple(Span(start, drawn.draw(st.integers(start + 1, len(text))), "x<") for start in starts)
    note = Note("n", text, None, None, None, spans[::2], spans[1::2], spans, (Diagnosis("A", 0.5, spans),))
    html = fragment([note])
    assert text_of(html) == text
    assert html.count('class="tag ') == len(spans)
    assert html.count("<span") == html.count("</span>")


def test_what_is_no_note_is_refused_by_what_it_is() -> None:
    for other in (spacy.blank("en")("Seen by Okafor"), "患者来诊", 5, [english(), "x"]):
        with pytest.raises(UsageError, match=r"show: a note or some notes needed, got [A-Za-z]+;") as error:
            clinlp.show(other)  # type: ignore[arg-type]
        assert "Okafor" not in str(error.value)
