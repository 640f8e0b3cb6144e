"""`clinlp_sentences` and the tokenizer `clinlp.Tokenizer.v1`: clinical sentences and tokens in spaCy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from spacy.attrs import IDX, SENT_START
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import DummyTokenizer, registry
from spacy.vocab import Vocab

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.pipes.base import NotePipe

_NO_START = 2**64 - 1  # -1 as spaCy's arrays hold it: a token that surely begins no sentence


class ClinicalTokenizer(DummyTokenizer):
    """Cuts a text into the tokens of `clinlp.text.tokens`; `doc.text` is the text, exactly.

    One space after a token belongs to it; any other white space is a token of its own, as in spaCy.
    """

    def __init__(self, vocab: Vocab, segmenter: str | None = None) -> None:
        """Cut Chinese into characters, or into the words of a segmenter (`clinlp.text.segment`)."""
        self.vocab, self.segmenter = vocab, segmenter

    def __call__(self, text: str) -> Doc:
        """Cut one text.

        Raises:
            DataError: spaCy cannot hold it, because half of a surrogate pair is in it.
        """
        from clinlp.text.segment import segment
        from clinlp.text.tokens import tokenize

        tokens = segment(text, self.segmenter) if self.segmenter else tokenize(text)
        words: list[str] = []
        spaces: list[bool] = []
        at = 0
        for start, end in (*tokens, (len(text), len(text))):
            if at < start and at and text[at] == " ":
                spaces[-1] = True
                at += 1
            if at < start:
                words.append(text[at:start])
                spaces.append(False)
            if start < end:
                words.append(text[start:end])
                spaces.append(False)
            at = end
        try:
            return Doc(self.vocab, words=words, spaces=spaces)
        except UnicodeEncodeError:
            pass  # its own message would quote a word
        raise DataError("tokenizer: text without lone surrogates needed, got one")


class SentencesPipe(NotePipe):
    """Sets where sentences begin, so that `doc.sents` gives them."""

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Leave the notes as they are: sentences are no spans of a note, and are found Doc by Doc."""
        return notes

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Begin a sentence at the first token of each; white space stays with the sentence before it."""
        from clinlp.text.language import detect_language
        from clinlp.text.sentences import split_sentences

        if not len(doc):
            return
        if doc.has_annotation("DEP"):  # the parse says where sentences begin, and would contradict
            raise DataError(
                "clinlp_sentences: a Doc that is not parsed needed, got a parse; put the pipe before the parser"
            )
        sentences = split_sentences(note.text, note.lang or detect_language(note.text))
        begins: Any = np.full(len(doc), _NO_START, np.uint64)
        starts = doc.to_array(IDX)
        firsts = np.searchsorted(starts, [start for start, _ in sentences[1:]])
        begins[firsts[firsts < len(doc)]] = 1
        begins[0] = 1
        doc.from_array([SENT_START], begins)


@Language.factory("clinlp_sentences", assigns=["token.is_sent_start", "doc.sents"])
def make_sentences_pipe(nlp: Language, name: str) -> SentencesPipe:
    """Build the pipe."""
    return SentencesPipe(name, nlp.lang)


@registry.tokenizers("clinlp.Tokenizer.v1")  # type: ignore[untyped-decorator]
def make_tokenizer(segmenter: str | None = None) -> Callable[[Language], ClinicalTokenizer]:
    """Give what makes the tokenizer of a pipeline.

    Args:
        segmenter: `jieba` or `pkuseg:FOLDER` cut Chinese into words (extra `segment`); else into characters.
    """

    def tokenizer_of(nlp: Language) -> ClinicalTokenizer:
        return ClinicalTokenizer(nlp.vocab, segmenter)

    return tokenizer_of
