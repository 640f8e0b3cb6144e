"""Released notes beside their originals."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import Note, Span, write_notes
from clinlp.cli import main
from clinlp.deid import deidentify
from clinlp.errors import DataError
from clinlp.report.page import render
from clinlp.report.pairs import originals_of, replaced

EN = Note(
    "en",
    "Seen by Dr. Jane Doe on 3 May. Ms. Okafor slept.",
    phi=(Span(12, 20, "NAME"), Span(24, 29, "DATE"), Span(35, 41, "NAME")),
)
ZH = Note(
    "zh",
    "患者王小明，2021年3月5日入院，家属李芳在场。",
    lang="zh",
    phi=(Span(2, 5, "NAME"), Span(6, 15, "DATE"), Span(20, 22, "NAME")),
)
BARE = [Note("en", EN.text), Note("zh", ZH.text, lang="zh")]


@pytest.mark.parametrize("mode", ["tag", "mask", "placeholder"])
def test_what_was_replaced_is_found_in_the_original(mode) -> None:
    for note, words in ((EN, ["Jane Doe", "3 May", "Okafor"]), (ZH, ["王小明", "2021年3月5日", "李芳"])):
        found = replaced(note.text, deidentify(note, mode)) or ()
        covered = "|".join(note.text[span.start : span.end] for span in found)
        assert all(word in covered for word in words)
        assert "slept" not in covered
        assert "入院" not in covered


@given(st.lists(st.integers(0, 46), min_size=2, max_size=6, unique=True))
def test_what_is_not_marked_stands_in_the_released_text_too(places) -> None:
    edges = sorted(places)
    phi = tuple(Span(one, other, "NAME") for one, other in zip(edges[::2], edges[1::2], strict=False))
    note = Note("n", EN.text, phi=phi)
    released = deidentify(note, "tag")
    found = replaced(note.text, released)
    assert found is not None
    borders = [0, *(edge for span in found for edge in (span.start, span.end)), len(note.text)]
    assert all(note.text[start:end] in released.text for start, end in zip(borders[::2], borders[1::2], strict=True))


def test_a_text_that_is_no_release_of_it_marks_nothing() -> None:
    assert replaced("Another note altogether.", deidentify(EN, "tag")) is None
    assert replaced(EN.text, Note("en", EN.text)) == ()


def test_each_needs_one_original() -> None:
    with pytest.raises(DataError, match=r"note zh: an original of this id needed, got none"):
        originals_of([ZH], [EN])
    with pytest.raises(DataError, match=r"original en: an id of its own needed, got it twice"):
        originals_of([EN], [EN, EN])


def test_the_page_shows_the_original_only_where_it_is_given(tmp_path: Path) -> None:
    released = [deidentify(EN, "tag"), deidentify(ZH, "tag")]
    assert "Jane Doe" not in render(released)
    write_notes(released, tmp_path / "released.jsonl")
    write_notes(BARE, tmp_path / "dump.jsonl")
    page = tmp_path / "page.html"
    given = ["report", str(tmp_path / "released.jsonl"), "-o", str(page), "--original", str(tmp_path / "dump.jsonl")]
    assert code(given) == 0
    text = page.read_text("utf-8")
    assert '"before":{"text":"Seen by Dr. Jane Doe' in text
    assert "王小明" in text
    assert code([*given[:3], str(tmp_path / "folder"), *given[4:]]) == 2


def code(given: list[str]) -> object:
    with pytest.raises(SystemExit) as ended:
        main(given)
    return ended.value.code
