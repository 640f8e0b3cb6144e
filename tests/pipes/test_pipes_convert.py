"""Notes to Docs and back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy import displacy
from spacy.tokens import Doc, DocBin

from clinlp.errors import DataError
from clinlp.note import Diagnosis, Note
from clinlp.pipes import doc_to_note, note_to_doc
from clinlp.pipes.convert import set_spans
from clinlp.spans import Context, Span

NOTE = Note(
    "n1",
    "母亲患高血压 and no fever.",
    patient_id="p1",
    lang="zh",
    time=date(2024, 1, 31),
    entities=(
        Span(3, 6, "DISEASE", 0.9, Context(experiencer="family")),
        Span(3, 6, "SYMPTOM", 0.2),
        Span(14, 19, "SYMPTOM", 0.5, Context(negated=True)),
        Span(15, 17, "TEST"),  # inside a token
    ),
    phi=(Span(0, 2, "NAME", 0.7),),
    sections=(Span(0, 20, "other"),),
    diagnoses=(Diagnosis("I10", 0.8, (Span(3, 6, "EVIDENCE", 0.6),)),),
    fields={"ward": "A", "n": [1, None]},
)


@pytest.fixture(scope="module")
def nlp() -> Any:
    return spacy.blank("zh", config={"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}})


def scores(note: Note) -> list[Any]:
    return [*[span.score for _, span in note.spans()], *[each.score for each in note.diagnoses or ()]]


def test_a_note_comes_back_whole(nlp: Any) -> None:
    back = doc_to_note(note_to_doc(NOTE, nlp))
    assert back == NOTE
    assert scores(back) == scores(NOTE)


@pytest.mark.parametrize("way", ["bytes", "docbin"])
def test_a_note_comes_back_whole_from_storage(nlp: Any, way: str) -> None:
    doc = note_to_doc(NOTE, nlp)
    if way == "bytes":
        stored = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    else:
        packed = DocBin(store_user_data=True, docs=[doc]).to_bytes()
        [stored] = DocBin().from_bytes(packed).get_docs(nlp.vocab)
    back = doc_to_note(stored)
    assert back == NOTE
    assert scores(back) == scores(NOTE)


@given(st.data())
def test_entities_keep_their_offsets_whatever_the_tokenizer(nlp: Any, data: Any) -> None:
    text = data.draw(st.text(st.sampled_from("ab 1.患\n"), min_size=1, max_size=20))
    starts = st.integers(0, len(text) - 1)
    spans = data.draw(
        st.lists(starts.flatmap(lambda s: st.builds(Span, st.just(s), st.integers(s + 1, len(text)), st.just("X"))))
    )
    note = Note("n", text, lang="zh", entities=tuple(dict.fromkeys(spans)))
    doc = note_to_doc(note, nlp)
    assert doc.text == text
    narrowed = [(span.start_char, span.end_char) for span in doc.spans["entities"]]
    if len(set(narrowed)) + len(doc._.left_out) == len(note.entities):  # else two became one
        assert set(doc_to_note(doc).entities) == set(note.entities)


@given(st.data())
def test_widened_spans_cover_all_they_covered(nlp: Any, data: Any) -> None:
    text = data.draw(st.text(st.sampled_from("ab 1.患\n"), min_size=1, max_size=20))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    doc = nlp.make_doc(text)
    set_spans(doc, "phi", [Span(start, end, "NAME")], "expand")
    hidden = {at for span in doc.spans["phi"] for at in range(span.start_char, span.end_char)}
    assert {at for at in range(start, end) if text[at] != " "} <= hidden


def test_what_is_left_out_is_of_the_latest_spans_and_of_every_group(nlp: Any) -> None:
    doc = nlp.make_doc("fever and pain")
    set_spans(doc, "entities", [Span(1, 3, "X"), Span(0, 5, "Y")], "contract")
    set_spans(doc, "other", [Span(6, 8, "X")], "contract")
    assert doc._.left_out == (Span(1, 3, "X"), Span(6, 8, "X"))
    set_spans(doc, "entities", [Span(0, 5, "Y")], "contract")
    assert doc._.left_out == (Span(6, 8, "X"),)


def test_what_was_changed_in_spacy_counts(nlp: Any) -> None:
    doc = note_to_doc(NOTE, nlp)
    doc.spans["entities"] = [doc.char_span(14, 19, "TEST")]
    doc.spans["phi"] = []
    back = doc_to_note(doc)
    assert back.phi == ()
    assert [(span.start, span.end, span.label, span.score) for span in back.entities if span.start != 15] == [
        (14, 19, "TEST", None)
    ]


def test_a_doc_from_elsewhere_gives_its_ents_and_cats() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "DRUG", "pattern": "aspirin"}])
    doc = nlp("takes aspirin")
    doc.cats["I10"] = 0.5
    note = doc_to_note(doc, note_id="x")
    assert note == Note("x", "takes aspirin", lang="en", entities=(Span(6, 13, "DRUG"),), diagnoses=(Diagnosis("I10"),))
    with pytest.raises(DataError, match="note needs a note_id"):
        doc_to_note(doc)


def test_a_copied_part_of_a_doc_keeps_scores_and_context(nlp: Any) -> None:
    doc = note_to_doc(NOTE, nlp)
    part = doc[6:].as_doc(copy_user_data=True)
    ents = {ent.text: ent for ent in part.ents}
    assert ents["fever"]._.score == 0.5
    assert ents["fever"]._.negated is True


def test_displacy_shows_nested_and_flat_spans(nlp: Any) -> None:
    doc = note_to_doc(NOTE, nlp)
    assert "DISEASE" in displacy.render(doc, style="ent", jupyter=False)
    nested = displacy.render(doc, style="span", jupyter=False, options={"spans_key": "entities"})
    assert "DISEASE" in nested
    assert "SYMPTOM" in nested
