"""The audit's page and numbers: all there, no word of a note, nothing asked of a network."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from clinlp.metrics.audit import Audit, Sampling, audit
from clinlp.metrics.leakage import NoteLeakage, score_note
from clinlp.note import Note
from clinlp.report.audit import render_audit
from clinlp.spans import Span

SENTINEL = "Zyxqwv"
EN = f"Dr. {SENTINEL} Quoxly saw her on 3 May 2021."
ZH = "患者欧阳若兰，2021年5月3日入院。"


def scored(n: int = 10, *, leaks: bool = True) -> list[NoteLeakage]:
    """English and Chinese notes in turn, two of each patient; the first two leak part of a name and a date."""
    notes = []
    for at in range(n):
        text, name, date = (EN, Span(4, 17, "NAME"), Span(29, 39, "DATE"))
        if at % 2:
            text, name, date = (ZH, Span(2, 6, "NAME"), Span(7, 16, "DATE"))
        gold = Note(f"<b>{at}", text, patient_id=f"{SENTINEL}-{at // 2}", phi=(name, date))
        bad = leaks and at < 2
        found = [Span(name.start, name.end - bad, "X"), *([] if bad else [date]), Span(len(text) - 1, len(text), "X")]
        notes.append(score_note(gold, found))
    return notes


def made(**more: int) -> Audit:
    return audit(
        scored(), Sampling(n_resamples=300), {"n_gold": 12, "n_missing": 2, "n_extra": 0, "n_by_spans": 10} | more
    )


class Page(HTMLParser):
    """Reads the tables, and fails where a tag is closed that is not open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.words = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data


def test_the_numbers_add_up() -> None:
    result = made()
    counts = result.scores.overall
    assert (counts.n_spans, counts.n_spans_removed, counts.n_notes, counts.n_notes_clean) == (20, 16, 10, 8)
    assert counts.n_characters == 5 * (13 + 10 + 4 + 9)
    assert counts.n_characters - counts.n_characters_removed == 1 + 10 + 1 + 9
    assert result.overall.characters.value == counts.character_recall
    assert result.overall.characters.low <= counts.character_recall <= result.overall.characters.high
    assert (result.n_units, result.n_units_leaking) == (5, 1)  # both leaks are of one patient
    assert result.labels["NAME"].notes.value == 0.8
    assert result.over_redaction.value == 10 / (5 * (len(EN) - 23 + len(ZH) - 13))
    data = result.to_dict()
    assert data["leaks"][0] == {
        "note_id": "<b>0",
        "start": 4,
        "end": 17,
        "label": "NAME",
        "n_characters_left": 1,
        "n_letters_left": 1,
    }
    assert data["bound"]["n_leaking"] == 1
    assert SENTINEL not in repr(result) + str(data)


def test_patients_are_drawn_whole_and_notes_alone_where_there_are_none() -> None:
    by_patient = audit(scored(40), Sampling(), {})
    by_note = audit(scored(40), Sampling(unit="notes"), {})
    assert by_patient.overall.notes.low < by_note.overall.notes.low
    assert (by_note.n_units, by_note.n_units_leaking, by_note.sampling.unit) == (40, 2, "notes")
    gold = Note("n", ZH, phi=(Span(2, 6, "NAME"),))
    assert audit([score_note(gold, ())], Sampling(), {}).sampling.unit == "notes"


def test_no_leak_is_bound_by_the_number_of_units() -> None:
    result = audit(scored(leaks=False), Sampling(unit="notes"), {})
    assert result.overall.notes.low == 1.0
    assert result.leaking_at_most == pytest.approx(1 - 0.05 ** (1 / 10))
    page = render_audit(result)
    assert "Leaked spans" not in page
    assert "25.89 %" in page


def test_the_page_shows_every_number() -> None:
    result = made()
    page = Page(render_audit(result, "Audit of <released>"))
    assert ["NAME name 姓名", "10", "2", "0"] in [row[:4] for row in page.rows]
    assert ["all 合计", "20", "4", "2"] in [row[:4] for row in page.rows]
    assert ["<b>0", "4", "17", "NAME", "1", "1"] in page.rows
    assert ["<b>1", "2", "2", "10"] in page.rows
    assert ["gold notes without a counterpart, not scored 缺失，未评分", "2"] in page.rows
    assert "1 of 5 patients with PHI leak" in page.words
    assert "Audit of <released>" in page.words
    assert f"{100 * result.overall.characters.value:.2f} %" in page.words
    assert "A span leaks if any character of it survives" in page.words
    assert "any letter or digit of it survives" in render_audit(audit(scored(), Sampling(), {}, words_only=True))


def test_the_page_asks_nothing_of_a_network_and_runs_nothing() -> None:
    text = render_audit(made())
    page = Page(text)
    assert "<script" not in text
    assert not [value for name, value in page.attributes if name in ("src", "href", "action")]
    assert not re.search(r"url\(|@import|https?:", text)
    [policy] = [value for name, value in page.attributes if name == "content" and value and "default-src" in value]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy


def test_the_page_holds_no_word_of_a_note_and_no_patient() -> None:
    page = render_audit(made())
    assert SENTINEL not in page
    assert "Quoxly" not in page
    assert "若兰" not in page


def test_long_lists_are_cut_and_say_so() -> None:
    phi = (Span(4, 10, "NAME"), Span(11, 17, "NAME"))
    notes = [score_note(Note(f"n{at}", EN, phi=phi), ()) for at in range(1100)]
    page = Page(render_audit(audit(notes, Sampling(n_resamples=100), {})))
    assert "the first 2,000 of 2,200" in page.words
    assert sum(row[0].startswith("n1") for row in page.rows) < 2000
