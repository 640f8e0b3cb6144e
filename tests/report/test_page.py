"""The page of notes: its data hold every character, nothing in them is markup, nothing is asked of a network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.note import Diagnosis, Note
from clinlp.report.page import render
from clinlp.spans import Context, Span

VOID = {"meta", "input"}
EVIL = """</script><!--<script>alert(1)</script>"><img src=x onerror=alert(1)>' $title &amp; \u202eabc\u202c \u200b"""


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self) -> list[Element]:
        """Elements below, in order."""
        inner = [child for child in self.children if isinstance(child, Element)]
        return [each for child in inner for each in (child, *child.all())]

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


def data(*notes: Note, title: str = "notes") -> dict[str, Any]:
    found = [each for each in read(render(notes, title)).tags("script") if each.attributes.get("id") == "data"]
    assert len(found) == 1
    return dict(json.loads(found[0].words))


def sliced(text: str, start: int, end: int) -> str:
    """Cut a text as a script does, in UTF-16."""
    held = text.encode("utf-16-le", "surrogatepass")
    return held[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")


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


def evil_note() -> Note:
    span = Span(0, len(EVIL), EVIL, 0.5)
    return Note(EVIL, EVIL, entities=(span,), phi=(span,), sections=(span,), diagnoses=(Diagnosis(EVIL, 0.5, (span,)),))


BOTH = pytest.mark.parametrize("note", [english(), chinese()], ids=["en", "zh"])


@BOTH
def test_text_spans_and_marks_stand_in_the_data(note: Note) -> None:
    held = data(note)
    [row] = held["notes"]
    assert (row["id"], row["text"]) == (note.note_id, note.text)
    assert row["lang"] == {"en": "en", "zh": "zh-Hans"}[str(note.lang)]
    fever = next(span for span in row["spans"] if held["labels"][span[2]][1] == "SYMPTOM")
    assert (row["text"][fever[0] : fever[1]], fever[3]) == ("fever" if note.lang == "en" else "发热", 0.97)
    assert [held["marks"][mark][0] for mark in fever[4]] == ["negated"]
    assert len(row["spans"]) == len(note.entities) + len(note.phi)


def test_labels_have_both_names_and_their_counts() -> None:
    labels = data(english(), chinese())["labels"]
    assert ["entities", "DISEASE", "disease", "疾病", 3] in labels
    assert [label[1] for label in labels] == ["DISEASE", "SYMPTOM", "ANATOMY", "NAME"]
    assert labels[-1][0] == "phi"


def test_sections_are_named_in_the_language_of_the_note_and_the_likeliest_diagnosis_stands_first() -> None:
    one, other = data(english(), chinese())["notes"]
    assert (one["sections"][0][1], other["sections"][0][1]) == ("Assessment", "评估")
    assert [code[:2] for code in one["codes"]] == [["I25.10", 0.88], ["I10", 0.2]]
    assert [EN[start:end] for start, end in one["codes"][0][2]] == ["stenosis of the left", "artery"]


def test_none_predicted_and_not_annotated_are_different() -> None:
    one, other = data(Note("n1", "x", diagnoses=()), Note("n2", "x"))["notes"]
    assert one["codes"] == []
    assert "codes" not in other


def test_a_page_without_notes() -> None:
    assert data()["notes"] == []


# safety


def test_nothing_of_a_note_becomes_markup() -> None:
    text = render([evil_note()], EVIL)
    page = read(text)
    assert [each.attributes.get("type") for each in page.tags("script")] == ["application/json", None]
    assert len(page.tags("style")) == 1
    assert page.tags("img") == []
    assert not [key for element in page.all() for key in element.attributes if key.startswith("on")]
    assert page.tags("h1")[0].words == page.tags("title")[0].words == EVIL
    assert EVIL not in page.tags("style")[0].words + page.tags("script")[1].words
    block = page.tags("script")[0].words
    assert not {"<", ">", "&"} & {*block}
    [row] = json.loads(block)["notes"]
    assert row["id"] == row["text"] == row["codes"][0][0] == EVIL


def test_the_policy_allows_the_style_and_script_of_the_page_and_nothing_else() -> None:
    page = read(render([english()]))
    (policy,) = (m.attributes["content"] for m in page.tags("meta") if "http-equiv" in m.attributes)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    for kind, element in (("style", page.tags("style")[0]), ("script", page.tags("script")[1])):
        digest = hashlib.sha256(element.words.encode()).digest()
        assert rules.pop(f"{kind}-src") == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules == {}


def test_the_page_asks_nothing_of_a_network_and_its_script_writes_no_markup() -> None:
    page = render([english(), chinese()])
    assert not re.search(r"https?:|//\w|@import|url\(|<link|<iframe|fetch\(|XMLHttpRequest|WebSocket|import\(", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", page)
    for element in read(page).all():
        assert "src" not in element.attributes
        assert "style" not in element.attributes
        assert element.attributes.get("href", "#").startswith("#")


def test_what_no_file_can_hold_is_shown_as_such() -> None:
    note = Note("n1", "a\ud800b\x00c 😀 é", entities=(Span(1, 2, "DRUG"), Span(8, 9, "DRUG")))
    render([note]).encode("utf-8")
    [row] = data(note)["notes"]
    assert row["text"] == "a\ufffdb\ufffdc 😀 é"
    assert [sliced(row["text"], *span[:2]) for span in row["spans"]] == ["\ufffd", "é"]


@given(st.text("ab<&\"' 高血压\n😀\u202e\u200d", min_size=1, max_size=30), st.data())
@settings(max_examples=60)
def test_offsets_are_those_of_the_words(text: str, drawn: st.DataObject) -> None:
    starts = drawn.draw(st.lists(st.integers(0, len(text) - 1), max_size=5))
    spans = tuple(Span(start, drawn.draw(st.integers(start + 1, len(text))), "x") for start in starts)
    [row] = data(Note("n", text, entities=spans, diagnoses=(Diagnosis("A", 0.5, spans),)))["notes"]
    words = sorted(text[span.start : span.end] for span in spans)
    assert sorted(sliced(row["text"], *span[:2]) for span in row["spans"]) == words
    assert sorted(sliced(row["text"], *place) for place in row["codes"][0][2]) == words
