"""spaCy components `clinlp_phi`, `_entities`, `_diagnosis`, `_sentences`, `_sections`, `_context`, and a tokenizer.

spaCy finds them by their entry points; nothing needs to be imported to add one to a pipeline:

>>> import spacy
>>> nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}})
>>> pipe = nlp.add_pipe("clinlp_phi")
>>> doc = nlp("Seen by Dr. Jane Doe on 03/12/2021.")
>>> [(span.text, span.label_) for span in doc.spans["phi"]]
[('Jane Doe', 'NAME'), ('03/12/2021', 'DATE')]
"""

from __future__ import annotations

from clinlp.pipes.context import make_context_pipe
from clinlp.pipes.convert import doc_to_note, note_to_doc, register_extensions
from clinlp.pipes.diagnosis import make_diagnosis_pipe
from clinlp.pipes.entities import make_entities_pipe
from clinlp.pipes.phi import make_phi_pipe
from clinlp.pipes.prose import make_sentences_pipe, make_tokenizer
from clinlp.pipes.sections import make_sections_pipe

__all__ = [
    "doc_to_note",
    "make_context_pipe",
    "make_diagnosis_pipe",
    "make_entities_pipe",
    "make_phi_pipe",
    "make_sections_pipe",
    "make_sentences_pipe",
    "make_tokenizer",
    "note_to_doc",
    "register_extensions",
]
