"""spaCy's DocBin (.spacy): what `spacy train` reads and spaCy programs write.

Spans are read from the Doc, so that what was changed in spaCy counts; what spaCy has no place for
(context, scores, evidence, fields) is kept in `doc.user_data["clinlp"]` and joined to the spans that
are still there. A DocBin is one packed message: unlike the other formats it is held in memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final

import orjson

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.records.canonical import span_record, to_record
from clinlp.records.files import new_file
from clinlp.records.jsonl import dumps
from clinlp.records.layout import SPAN_SETS
from clinlp.records.marks import left_out, marked_diagnoses, marked_span, set_diagnoses, set_mark
from clinlp.records.options import Record, Tokenize
from clinlp.records.rows import Broken, Rows, Sink
from clinlp.spans import flatten

_KEY: Final = "clinlp"
_ATTRS: Final = ("ORTH", "SPACY", "ENT_IOB", "ENT_TYPE")


def read_docbin(path: Path, lost: Counter[str]) -> Rows:
    """Every Doc as a record, with its number.

    Raises:
        DataError: The file is not a DocBin.
    """
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    try:
        docs = DocBin().from_disk(path).get_docs(Vocab())
    except Exception:  # noqa: BLE001  # zlib, msgpack or a wrong shape, each with its own error
        raise DataError(f"{path}: a spaCy DocBin needed, got something else") from None
    number = 0
    while True:
        number += 1
        try:
            doc = next(docs, None)
            if doc is None:
                return
            row: Record | Broken = _record(doc, lost)
        except DataError as error:
            row = Broken(error)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise DataError(f"{path}: a whole DocBin needed, got {type(error).__name__} at note {number}") from None
        yield number, row


def _record(doc: Any, lost: Counter[str]) -> Record:
    kept = doc.user_data.get(_KEY)
    try:
        record: Record = orjson.loads(kept) if kept else {}
    except (orjson.JSONDecodeError, TypeError):
        raise DataError(f'user_data["{_KEY}"] needs to be JSON, got something else') from None
    record["text"] = doc.text
    for name in SPAN_SETS:
        known: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
        for span in record.get(name, ()):
            known[span["start"], span["end"], span["label"]].append(span)
        record[name] = [_span(doc, key, known) for key in _span_keys(doc, name)]
    if "entities" in doc.spans:
        record["entities"] += [span_record(span) for span in left_out(doc.user_data).get("entities", ())]
    if (marked := marked_diagnoses(doc.user_data)) is not None:
        record["diagnoses"] = to_record(Note("doc", doc.text, diagnoses=marked))["diagnoses"]
    lost["span_groups"] += sum(name not in (*SPAN_SETS, "sc") and len(doc.spans[name]) > 0 for name in doc.spans)
    if doc.cats or "diagnoses" in record:
        listed = [_with_score(each, doc.cats) for each in record.get("diagnoses", ()) if each["code"] in doc.cats]
        codes = {each["code"] for each in listed}
        new = [{"code": code, "score": value} for code, value in doc.cats.items() if value and code not in codes]
        record["diagnoses"] = listed + new
    return record


def _span(doc: Any, key: tuple[int, int, str], known: dict[tuple[Any, ...], list[Record]]) -> Record:
    """A span with what is known of it: by the spaCy pipes, or by the note that the Doc was written from."""
    marked = marked_span(doc.user_data, *key)
    if marked is not None:
        return span_record(marked)
    return known[key].pop(0) if known.get(key) else {"start": key[0], "end": key[1], "label": key[2]}


def _with_score(diagnosis: Record, cats: dict[str, float]) -> Record:
    """A kept diagnosis; a score that was changed in spaCy is the newer one."""
    value = cats[diagnosis["code"]]
    return diagnosis if value == diagnosis.get("score", 1.0) else diagnosis | {"score": value}


def _span_keys(doc: Any, name: str) -> list[tuple[int, int, str]]:
    """The spans of one set; entities may also be the Doc's own, or in the group of a span categorizer."""
    if name in doc.spans:
        spans = doc.spans[name]
    elif name == "entities":
        spans = doc.ents or doc.spans.get("sc", ())
    else:
        spans = ()
    return [(span.start_char, span.end_char, span.label_) for span in spans]


@contextmanager
def write_docbin(path: Path, tokenize: Tokenize) -> Iterator[Sink]:
    """Open a sink for a DocBin; it holds everything. Tokens are cut where a span begins or ends."""
    with new_file(path) as file:
        sink = _DocBinSink(file, tokenize)
        yield sink
        sink.close()


class _DocBinSink:
    def __init__(self, file: IO[bytes], tokenize: Tokenize) -> None:
        from spacy.tokens import Doc, DocBin, Span
        from spacy.vocab import Vocab

        self._file, self._tokenize, self._doc, self._span = file, tokenize, Doc, Span
        self._bin, self._vocab = DocBin(attrs=_ATTRS, store_user_data=True), Vocab()

    def write(self, note: Note) -> None:
        record = to_record(note)
        dumps(record, f"note {note.note_id}")  # refuses what cannot be written before spaCy sees it
        del record["text"]
        starts, words, spaces = _words(note, self._tokenize)
        doc = self._doc(self._vocab, words=words, spaces=spaces)
        first = {start: number for number, start in enumerate(starts)}
        first[len(note.text)] = len(words)
        last = {start + len(word): number + 1 for number, (start, word) in enumerate(zip(starts, words, strict=True))}
        for name in SPAN_SETS:
            spans = getattr(note, name)
            made = [self._span(doc, first[span.start], last[span.end], label=span.label) for span in spans]
            if name == "entities":
                flat = {(span.start, span.end): span.label for span in flatten(spans)}
                doc.set_ents([self._span(doc, first[start], last[end], label) for (start, end), label in flat.items()])
            doc.spans[name] = made
        shown = [span for kind, span in note.spans() if kind in SPAN_SETS]
        counts = Counter((span.start, span.end, span.label) for span in shown)
        for span in shown:
            if counts[span.start, span.end, span.label] == 1:  # of others the record alone can hold what is known
                set_mark(doc.user_data, span, span.start, span.end)
        if note.diagnoses is not None:
            set_diagnoses(doc.user_data, note.diagnoses)
        doc.cats = {each.code: 1.0 if each.score is None else each.score for each in note.diagnoses or ()}
        doc.user_data[_KEY] = dumps(record, f"note {note.note_id}").decode()
        self._bin.add(doc)

    def close(self) -> None:
        """Write all Docs."""
        self._file.write(self._bin.to_bytes())


def _words(note: Note, tokenize: Tokenize) -> tuple[list[int], list[str], list[bool]]:
    """The words of a Doc whose text is the note's, white space included: starts, words, "a space follows"."""
    text = note.text
    shown = [span for name in SPAN_SETS for span in getattr(note, name)]
    begins, ends = {span.start for span in shown}, {span.end for span in shown}
    borders = {0, len(text)} | begins | ends
    for token in tokenize(text):
        borders.update(token)
    starts: list[int] = []
    words: list[str] = []
    spaces: list[bool] = []
    for start, end in pairwise(sorted(borders)):
        # one space after a word is a flag of that word unless a span holds it; other white space is a word
        free = text[start] == " " and start not in begins and start + 1 not in ends
        if free and words and not spaces[-1] and not words[-1].isspace():
            spaces[-1] = True
            start += 1  # noqa: PLW2901
        if start < end:
            starts.append(start)
            words.append(text[start:end])
            spaces.append(False)
    return starts, words, spaces
