"""CoNLL columns: a token and its tag a line, a blank line for each line break, -DOCSTART- before each note.

White space is not held but for line breaks: the text that is read is the tokens joined by spaces
(by nothing beside Chinese). Files without -DOCSTART- have one note a block, as most public sets do.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.records.files import broken_means_data_error, check_encoding, encode, has_surrogate, new_file, open_bytes
from clinlp.records.options import Encoding, ReadOptions, Record, Tokenize, WriteOptions
from clinlp.records.rows import Broken, Rows, Sink, count_lost
from clinlp.spans import Span, flatten

_START: Final = "-DOCSTART-"
_PREFIXES: Final = frozenset("BIESLU")
_HAN_RANGES: Final = ("\u2e80\u9fff", "\uf900\ufaff", "\ufe30\ufe4f", "\uff00\uffef", "\U00020000\U0003ffff")
_HAN: Final = "".join(f"{first}-{last}" for first, last in _HAN_RANGES)


def words(text: str) -> list[tuple[int, int]]:
    """The offsets of plain words, single Han characters and single signs, where nobody gives better ones."""
    return [match.span() for match in re.finditer(rf"[{_HAN}]|[^\W{_HAN}]+|[^\w\s]", text)]


def looks_like_conll(head: bytes) -> bool:
    """Say whether a file starts with columns of which the last one is a tag."""
    line = next((line for line in head.split(b"\n") if line.strip()), b"").strip()
    return line.startswith(_START.encode()) or re.search(rb"\s(O|[BIESLU]-\S+)$", line) is not None


def read_conll(path: Path, options: ReadOptions) -> Rows:
    """Every note with the line on which it starts; tags may be IOB2, IOB1, BIOES or BILOU.

    Raises:
        DataError: The file is not in this encoding.
    """
    with broken_means_data_error(path), open_bytes(path) as file:
        check_encoding(file, path, options.encoding)
        encoding = "utf-8-sig" if options.encoding == "utf-8" else options.encoding
        for line, note_id, block in _blocks(io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="\n")):
            known = None if note_id is not None and has_surrogate(note_id) else note_id
            try:
                yield line, _note(block, known, options)
            except DataError as error:
                yield line, Broken(error, known)


def _blocks(lines: Iterator[str]) -> Iterator[tuple[int, str | None, list[tuple[int, str]]]]:
    """Cut a file into notes: `(line, note_id, [(line, content)])`."""
    block: list[tuple[int, str]] = []
    note_id: str | None = None
    start, whole = 0, False  # whole: within -DOCSTART-, where blank lines do not end the note
    for number, each in enumerate(lines, 1):
        line = each.rstrip("\r\n")
        if line.split("\t")[0].split(" ")[0] == _START:
            if whole or block:
                yield start, note_id, block
            columns = line.split("\t")
            note_id = columns[1] if len(columns) == 3 and columns[1] != "-X-" else None
            start, whole, block = number, True, []
        elif line.strip(" \t") or (whole and block) or (whole and number > start + 1):
            start = start or number
            block.append((number, line))
        elif block:
            yield start, note_id, block
            start, block = 0, []
    if whole or block:
        yield start, note_id, block


def _note(block: list[tuple[int, str]], note_id: str | None, options: ReadOptions) -> Record:
    if block and not block[-1][1].strip(" \t"):
        block = block[:-1]  # the blank line that ends the note
    pieces: list[str] = []
    spans: list[Record] = []
    open_span: Record | None = None
    at, before = 0, "\n"
    for number, line in block:
        if not line.strip(" \t"):
            pieces.append("\n")
            at, before, open_span = at + 1, "\n", None
            continue
        token, tag = _columns(line, number)
        space = _space(before, token)
        pieces += (space, token)
        start, before = at + len(space), token
        at = start + len(token)
        open_span = _extend(open_span, spans, tag, (start, at))
    text = "".join(pieces)
    if has_surrogate(text):
        raise DataError(f"{options.encoding} needed, got other bytes; is it in another encoding?")
    record: Record = {"text": text, options.spans: spans}
    if note_id:
        record["note_id"] = note_id
    return record


def _columns(line: str, number: int) -> tuple[str, str]:
    columns = line.split("\t") if "\t" in line else line.split(" ")
    token, tag = columns[0], columns[-1].strip()
    if len(columns) < 2 or not token.strip():
        raise DataError(f"line {number}: a token and its tag needed, got {len(columns)} columns")
    if tag != "O" and not (tag[:1] in _PREFIXES and tag[1:2] in ("", "-")):
        raise DataError(f"line {number}: a tag such as O, B-DRUG or I-DRUG needed, got another")
    return token, tag


def _extend(span: Record | None, spans: list[Record], tag: str, token: tuple[int, int]) -> Record | None:
    """Read one tag; returns the span that the next tag may continue."""
    if tag == "O":
        return None
    kind, label = tag[0], tag[2:] or "ENTITY"
    if span is None or kind in "BSU" or span["label"] != label:
        span = {"start": token[0], "label": label}
        spans.append(span)
    span["end"] = token[1]
    return None if kind in "ESLU" else span


def _space(before: str, token: str) -> str:
    if before == "\n" or _is_han(before[-1]) or _is_han(token[0]):
        return ""
    return " "


def _is_han(character: str) -> bool:
    return character > "\u2e7f" and any(first <= character <= last for first, last in _HAN_RANGES)


@contextmanager
def write_conll(path: Path, options: WriteOptions, lost: Counter[str], tokenize: Tokenize) -> Iterator[Sink]:
    """Open a sink for IOB2 columns of one span set; what overlaps or cuts a token is counted."""
    with new_file(path) as file:
        yield _ConllSink(file, options, lost, tokenize)


class _ConllSink:
    def __init__(self, file: IO[bytes], options: WriteOptions, lost: Counter[str], tokenize: Tokenize) -> None:
        self._file, self._options, self._lost, self._tokenize = file, options, lost, tokenize

    def write(self, note: Note) -> None:
        found: Counter[str] = Counter()
        note_id = note.note_id
        if re.search(r"[\t\r\n]", note_id) or note_id == "-X-":
            found["note_id"] += 1
            note_id = "-X-"
        tokens = [token for token in self._tokenize(note.text) if note.text[slice(*token)].strip()]
        tags = _tags(tokens, getattr(note, self._options.spans), found)
        lines = [f"{_START}\t{note_id}\tO", ""]
        before, text, at = "\n", [], 0
        for (start, end), tag in zip(tokens, tags, strict=True):
            gap = note.text[at:start].count("\n") if not tag.startswith("I-") else 0
            if gap:
                lines += [""] * gap
                text.append("\n" * gap)
                before = "\n"
            token = note.text[start:end]
            if not token.isprintable():
                token = re.sub(r"[\t\r\n]", " ", token)
            text += (_space(before, token), token)
            lines.append(f"{token}\t{tag}")
            before, at = token, end
        tail = note.text[at:].count("\n")
        text.append("\n" * tail)
        lines += [""] * (tail + 1)
        found["spacing"] += "".join(text) != note.text
        count_lost(note, (self._options.spans,), found)
        what = f"note {note.note_id}"
        encoding: Encoding = "utf-8" if self._options.encoding == "utf-8-sig" else self._options.encoding
        self._file.write(encode("".join(f"{line}\n" for line in lines), encoding, what))
        self._lost.update(found)


def _tags(tokens: list[tuple[int, int]], spans: tuple[Span, ...], lost: Counter[str]) -> list[str]:
    """One tag a token for the spans that share no character and cut no token."""
    flat = flatten(spans)
    lost["overlapping"] += len(spans) - len(flat)
    tags = ["O"] * len(tokens)
    at = 0
    for span in flat:
        while at < len(tokens) and tokens[at][1] <= span.start:
            at += 1
        first = at
        while at < len(tokens) and tokens[at][1] <= span.end:
            at += 1
        cut = (first < len(tokens) and tokens[first][0] < span.start) or (at < len(tokens) and tokens[at][0] < span.end)
        label = re.sub(r"\s", "_", span.label)
        if cut or first == at:
            lost["token_cut"] += 1
            continue
        lost["label_spaces"] += label != span.label
        tags[first:at] = [f"B-{label}"] + [f"I-{label}"] * (at - first - 1)
    return tags
