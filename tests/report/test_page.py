"""The page: it keeps every character, escapes everything, asks nothing of a network, and shows what notes hold."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.note import Diagnosis, Note
from clinlp.report.page import render
from clinlp.spans import Context, Span

VOID = {"meta", "input"}
EVIL = """<script>alert(1)</script>"><img src=x onerror=alert(1)>' $title &amp;"""


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, **wanted: str) -> list[Element]:
        """Elements below, in order, whose attributes hold these words."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if all(word in child.attributes.get(key.rstrip("_"), "").split() for key, word in wanted.items()):
                    found.append(child)
                found += child.all(**wanted)
        return found

    def tags(self, tag: str) -> list[Element]:
        return [element for element in self.all() if element.tag == tag]

    @property
    def words(self) -> str:
        return "".join(child if isinstance(child, str) else child.words for child in self.children)


class Reader(HTMLParser):
    """Builds the tree, and fails where a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(page: str) -> Element:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def draw(*notes: Note) -> Element:
    return read(render(notes, "notes"))


def at(text: str, words: str, label: str, score: float | None = None, context: Context | None = None) -> Span:
    start = text.index(words)
    return Span(start, start + len(words), label, score, context)


EN = "Mrs Ada Lorne denies fever. Severe stenosis of the left coronary artery. Mother: breast cancer."
ZH = "患者王芳，否认发热，考虑左冠状动脉狭窄可能，其母有乳腺癌。"


def english() -> Note:
    stenosis = at(EN, "Severe stenosis of the left coronary artery", "DISEASE", 0.84, Context(uncertain=True))
    return Note(
        "en-1",
        EN,
        lang="en",
        entities=(
            at(EN, "fever", "SYMPTOM", 0.97, Context(negated=True)),
            stenosis,
            at(EN, "left coronary artery", "ANATOMY", 0.9),
            at(EN, "breast cancer", "DISEASE", None, Context(experiencer="family")),
        ),
        phi=(at(EN, "Ada Lorne", "NAME", 1.0),),
        sections=(Span(EN.index("Severe"), EN.index(" Mother"), "assessment"),),
        diagnoses=(
            Diagnosis("I10", 0.2),
            Diagnosis("I25.10", 0.88, (at(EN, "stenosis of the left", "E"), at(EN, "artery", "E"))),
        ),
    )


def chinese() -> Note:
    return Note(
        "zh-1",
        ZH,
        lang="zh",
        entities=(
            at(ZH, "发热", "SYMPTOM", 0.97, Context(negated=True)),
            at(ZH, "左冠状动脉狭窄", "DISEASE", 0.8, Context(uncertain=True)),
            at(ZH, "左冠状动脉", "ANATOMY", 0.9),
        ),
        phi=(at(ZH, "王芳", "NAME", 1.0),),
        sections=(Span(ZH.index("考虑"), len(ZH), "assessment"),),
        diagnoses=(Diagnosis("I25.103", 0.7, (at(ZH, "冠状动脉狭窄可能", "E"),)),),
    )


BOTH = pytest.mark.parametrize("note", [english(), chinese()], ids=["en", "zh"])


@BOTH
def test_the_text_stands_there_whole(note: Note) -> None:
    (text,) = draw(note).all(class_="text")
    assert text.words == note.text
    assert text.attributes["lang"] == {"en": "en", "zh": "zh-Hans"}[str(note.lang)]


@BOTH
def test_every_span_has_one_beginning_one_end_and_its_words(note: Note) -> None:
    (text,) = draw(note).all(class_="text")
    n_spans = len(note.entities) + len(note.phi)
    assert len(text.all(class_="a")) == len(text.all(class_="z")) == n_spans
    for span in note.entities:
        boxes = [box for box in text.all(class_="m") if box.attributes["title"].split()[0] == span.label]
        assert note.text[span.start : span.end] in "".join(box.words for box in boxes)


def test_a_nested_span_stands_inside_the_outer_one() -> None:
    (text,) = draw(english()).all(class_="text")
    outer = [box for box in text.all(class_="m") if box.attributes["title"].startswith("DISEASE")]
    assert any(inner.attributes["title"].startswith("ANATOMY") for box in outer for inner in box.all(class_="m"))


def test_a_span_tells_its_label_context_and_score() -> None:
    (text,) = draw(english()).all(class_="text")
    (fever,) = (box for box in text.all(class_="negated"))
    assert fever.attributes["title"] == "SYMPTOM symptom or sign 症状体征 · negated 否定 · score 置信度 0.97"
    assert fever.attributes["data-n"] == "SYMPTOM · negated"
    (text,) = draw(chinese()).all(class_="text")
    assert text.all(class_="negated")[0].attributes["data-n"] == "症状体征 · 否定"


def test_context_is_visible_without_hovering() -> None:
    (text,) = draw(english()).all(class_="text")
    assert "".join(box.words for box in text.all(class_="uncertain")).startswith("Severe stenosis")
    assert [box.words for box in text.all(class_="family")] == ["breast cancer"]


@BOTH
def test_phi_looks_different_from_entities(note: Note) -> None:
    (text,) = draw(note).all(class_="text")
    span = note.phi[0]
    assert [box.words for box in text.all(class_="phi")] == [note.text[span.start : span.end]]


def test_each_label_has_one_filter_with_its_count() -> None:
    page = draw(english(), chinese())
    chips = {chip.words.split()[0]: chip for chip in page.all(class_="chip")}
    assert chips["DISEASE"].words.split() == ["DISEASE", "疾病", "3"]
    assert chips["NAME"].words.split() == ["NAME", "姓名", "2"]
    number = chips["DISEASE"].tags("input")[0].attributes["id"]
    assert f"body:has(#{number}:not(:checked)) .text .l{number[1:]}" in page.tags("style")[0].words


def test_the_outline_leads_to_every_note_and_section() -> None:
    page = draw(english(), chinese(), Note("n3", "x"))
    links = [link.attributes["href"].removeprefix("#") for link in page.tags("nav")[0].tags("a")]
    assert links == ["n0", "n0s0", "n1", "n1s0", "n2"]
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    assert [link.words for link in page.tags("nav")[0].tags("a")][1::2][:2] == ["Assessment", "评估"]


@BOTH
def test_a_diagnosis_points_to_its_evidence(note: Note) -> None:
    (article,) = draw(note).tags("article")
    for number, diagnosis in enumerate(note.diagnoses or ()):
        parts = (part for part in article.all(class_="ev") if str(number) in part.attributes["data-d"].split())
        lit = "".join(part.words for part in parts)
        assert lit == "".join(note.text[span.start : span.end] for span in diagnosis.evidence)


def test_the_likeliest_diagnosis_stands_first() -> None:
    rows = draw(english()).all(class_="dx")
    assert [row.tags("b")[0].words for row in rows] == ["I25.10", "I10"]
    assert rows[0].tags("meter")[0].attributes["value"] == "0.8800"
    assert [row.attributes["data-d"] for row in rows] == ["1", "0"]


def test_none_predicted_and_not_annotated_look_different() -> None:
    assert "none 无" in draw(Note("n1", "x", diagnoses=())).words
    assert draw(Note("n1", "x")).tags("aside") == []


def test_a_page_without_notes() -> None:
    assert draw().tags("article") == []


# safety


def evil_note() -> Note:
    span = Span(0, len(EVIL), EVIL, 0.5)
    return Note(EVIL, EVIL, entities=(span,), phi=(span,), sections=(span,), diagnoses=(Diagnosis(EVIL, 0.5, (span,)),))


def test_nothing_of_a_note_becomes_markup() -> None:
    page = read(render([evil_note()], EVIL))
    assert len(page.tags("script")) == len(page.tags("style")) == 1
    assert page.tags("img") == []
    assert not [key for element in page.all() for key in element.attributes if key.startswith("on")]
    assert page.tags("h1")[0].words == page.tags("title")[0].words == EVIL
    assert page.all(class_="text")[0].words == EVIL
    assert EVIL not in page.tags("style")[0].words + page.tags("script")[0].words


def test_the_policy_allows_the_style_and_script_of_the_page_and_nothing_else() -> None:
    page = draw(english())
    (policy,) = (m.attributes["content"] for m in page.tags("meta") if "http-equiv" in m.attributes)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    for kind in ("style", "script"):
        digest = hashlib.sha256(page.tags(kind)[0].words.encode()).digest()
        assert rules.pop(f"{kind}-src") == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules == {}


def test_the_page_asks_nothing_of_a_network() -> None:
    page = render([english(), chinese()])
    assert not re.search(r"https?:|//\w|@import|url\(|<link|<iframe|fetch\(|XMLHttpRequest|WebSocket|import\(", page)
    for element in read(page).all():
        assert "src" not in element.attributes
        assert "style" not in element.attributes
        assert element.attributes.get("href", "#").startswith("#")


def test_what_no_file_can_hold_is_shown_as_such() -> None:
    note = Note("n1", "a\ud800b\x00c 😀 é", entities=(Span(1, 2, "DRUG"),))
    page = render([note])
    page.encode("utf-8")
    (text,) = read(page).all(class_="text")
    assert text.words == "a\ufffdb\ufffdc 😀 é"


@st.composite
def notes(draw: st.DrawFn) -> Note:
    text = draw(st.text("ab<&\"' 高血压\n😀", min_size=1, max_size=30))

    def spans() -> tuple[Span, ...]:
        found = []
        for _ in range(draw(st.integers(0, 5))):
            start = draw(st.integers(0, len(text) - 1))
            found.append(
                Span(start, draw(st.integers(start + 1, len(text))), draw(st.sampled_from(["DRUG", "NAME", "x"])))
            )
        return tuple(found)

    return Note("n1", text, None, None, None, spans(), spans(), spans(), (Diagnosis("A", 0.5, spans()),))


@given(notes())
@settings(max_examples=60)
def test_any_spans_over_any_text_make_a_whole_page(note: Note) -> None:
    (text,) = draw(note).all(class_="text")
    assert text.words == note.text
    assert len(text.all(class_="a")) == len(text.all(class_="z")) == len(note.entities) + len(note.phi)
    assert len(text.all(class_="sec")) == len(note.sections)
