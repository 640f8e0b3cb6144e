"""brat standoff: a .txt file for the text, an .ann file beside it for spans and their attributes.

A note has no relations, events, comments or links, and no spans of several parts: the reader counts
the former and reads the latter as the span that covers all parts, which it counts, too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

from clinlp.errors import DataError
from clinlp.note import Note
from clinlp.records.files import encode, encode_file, new_folder
from clinlp.records.folders import new_note_file, note_id_of, read_text
from clinlp.records.layout import SPAN_SETS
from clinlp.records.options import ReadOptions, Record, WriteOptions
from clinlp.records.rows import Broken, Rows, Sink, count_lost
from clinlp.spans import Context, Span

_KINDS: Final = {"R": "relations", "E": "events", "#": "comments", "N": "normalizations", "*": "equivalences"}
_FLAGS: Final = {
    **dict.fromkeys(("negated", "negation", "neg", "absent"), "negated"),
    **dict.fromkeys(("uncertain", "uncertainty", "speculated", "speculation", "possible"), "uncertain"),
    **dict.fromkeys(("historical", "history", "past"), "historical"),
    **dict.fromkeys(("hypothetical", "conditional"), "hypothetical"),
}
_NO: Final = frozenset(("false", "no", "0", "none", "affirmed", "certain", "present"))
_SET: Final = "Set"  # the attribute that says that a span is not an entity
_BREAKS: Final = "[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]"


def read_brat(paths: Sequence[Path], options: ReadOptions, lost: Counter[str]) -> Rows:
    """Every .txt file with the .ann file beside it, counted from 1; the id is the file's name."""
    for number, path in enumerate(paths, 1):
        note_id = note_id_of(path)
        text_path, ann_path = path.with_suffix(".txt"), path.with_suffix(".ann")
        found: Counter[str] = Counter()
        try:
            text = read_text(text_path, options)
            ann = read_text(ann_path, options) if ann_path.exists() else ""
            record = {"note_id": note_id, "text": text} | parse(ann, text, ann_path.name, options.spans, found)
        except DataError as error:
            yield number, Broken(error, note_id)
        else:
            lost.update(found)
            yield number, record


def parse(ann: str, text: str, name: str, default: str, lost: Counter[str]) -> Record:
    """Read the lines of an .ann file as span sets of a record.

    Args:
        name: The file's name, for errors.
        default: The set of spans that do not say theirs.

    Raises:
        DataError: A line is not in brat's form; the message has its number.
    """
    spans: dict[str, Record] = {}
    triggers: dict[str, str] = {}
    n_differ = lost["words_differ"]
    attributes: list[list[str]] = []
    for number, line in enumerate(ann.split("\n"), 1):
        line = line.removesuffix("\r")  # noqa: PLW2901
        if not line.strip():
            continue
        kind = line[0]
        if kind == "T":
            key, spans[key] = _text_bound(line, text, f"{name}:{number}", lost)
        elif kind in "AM":
            attributes.append(re.split(r"[\t ]", line))
        elif kind in _KINDS:
            lost[_KINDS[kind]] += 1
            if kind == "E" and (match := re.match(r"(E\d+)\t\S*?:(T\d+)", line)):
                triggers[match[1]] = match[2]
        else:
            raise DataError(f"{name}:{number}: a line that starts with T, A, E, R, N, M, # or * needed, got another")
    n_differ = lost["words_differ"] - n_differ
    if n_differ > 1 and 2 * n_differ > len(spans):
        raise DataError(
            f"{name}: spans of this text needed, got {n_differ:,} of {len(spans):,} whose words are not those at their "
            "place; were they made for another version of it?"
        )
    for parts in attributes:
        target = triggers.get(parts[2], parts[2]) if len(parts) > 2 else ""
        if target not in spans or not _apply(spans[target], parts[1], parts[3:]):
            lost["attributes"] += 1
    record: Record = {each: [] for each in SPAN_SETS}
    for span in spans.values():
        record[span.pop("set", default)].append(span)
    return record


def _text_bound(line: str, text: str, where: str, lost: Counter[str]) -> tuple[str, Record]:
    match = re.fullmatch(r"(T\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?", line)
    if match is None:
        raise DataError(f"{where}: 'T1<tab>Label start end<tab>words' needed, got another form")
    parts = sorted(tuple(map(int, part.split())) for part in match[3].split(";"))
    start, end = parts[0][0], max(part[1] for part in parts)
    gaps = [text[left[1] : right[0]] for left, right in pairwise(parts)]
    if any(gap.strip() for gap in gaps):
        lost["discontinuous"] += 1  # parts with only white space between them are how brat writes line breaks
    elif match[4] is not None and _letters(match[4]) != _letters(text[start:end]):
        lost["words_differ"] += 1
    return match[1], {"start": start, "end": end, "label": match[2]}


def _letters(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _apply(span: Record, attribute: str, values: list[str]) -> bool:
    """Set what an attribute says on a span; False if a note cannot hold it."""
    name, value = attribute.lower(), " ".join(values).strip().lower()
    if name == _SET.lower() and value in SPAN_SETS:
        span["set"] = value
    elif name == "experiencer" and value in ("patient", "family", "other"):
        span.setdefault("context", {})["experiencer"] = value
    elif name in _FLAGS:
        span.setdefault("context", {})[_FLAGS[name]] = value not in _NO
    else:
        return False
    return True


@contextmanager
def write_brat(path: Path, options: WriteOptions, lost: Counter[str]) -> Iterator[Sink]:
    """Open a sink for a folder of .txt and .ann files, with the `annotation.conf` that brat needs."""
    with new_folder(path) as folder:
        sink = _BratSink(folder, options, lost)
        yield sink
        conf = encode(_configuration(sorted(sink.labels)), "utf-8", "annotation.conf")
        (folder / "annotation.conf").write_bytes(conf)


class _BratSink:
    def __init__(self, folder: Path, options: WriteOptions, lost: Counter[str]) -> None:
        self._folder, self._encoding, self._lost = folder, options.encoding, lost
        self.labels: set[str] = set()

    def write(self, note: Note) -> None:
        what = f"note {note.note_id}"
        path = new_note_file(self._folder, note.note_id, ".txt")
        found: Counter[str] = Counter()
        labels: set[str] = set()
        text = encode_file(note.text, self._encoding, what)
        ann = encode_file(_lines(note, labels, found), self._encoding, what)
        path.write_bytes(text)
        path.with_name(path.name.removesuffix(".txt") + ".ann").write_bytes(ann)
        self.labels |= labels
        self._lost.update(found)
        count_lost(note, (*SPAN_SETS, "context"), self._lost)


def _lines(note: Note, labels: set[str], lost: Counter[str]) -> str:
    lines: list[str] = []
    n_attributes = 0
    sets = [(name, span) for name in SPAN_SETS for span in getattr(note, name)]
    for number, (name, span) in enumerate(sets, 1):
        label = re.sub(r"\s", "_", span.label)
        lost["label_spaces"] += label != span.label
        labels.add(label)
        words = re.sub(_BREAKS, " ", note.text[span.start : span.end])
        lines.append(f"T{number}\t{label} {_parts(span, note.text)}\t{words}")
        values = [f"{_SET} T{number} {name}"] if name != "entities" else []
        for value in (*values, *_attributes(span.context, number)):
            n_attributes += 1
            lines.append(f"A{n_attributes}\t{value}")
    return "".join(f"{line}\n" for line in lines)


def _parts(span: Span, text: str) -> str:
    """The span's range; over a line break brat wants two parts."""
    words = text[span.start : span.end]
    parts = [(span.start + m.start(), span.start + m.end()) for m in re.finditer(r"[^\n]+", words)]
    if not parts or (parts[0][0], parts[-1][1]) != (span.start, span.end):
        parts = [(span.start, span.end)]
    return ";".join(f"{start} {end}" for start, end in parts)


def _attributes(context: Context | None, number: int) -> list[str]:
    if context is None:
        return []
    flags = ("negated", "uncertain", "historical", "hypothetical")
    found = [f"{flag.title()} T{number}" for flag in flags if getattr(context, flag)]
    # always said, so that a context without any mark is not read as none
    return [*found, f"Experiencer T{number} {context.experiencer.title()}"]


def _configuration(labels: list[str]) -> str:
    flags = "".join(f"{flag}\tArg:<ENTITY>\n" for flag in ("Negated", "Uncertain", "Historical", "Hypothetical"))
    return (
        "[entities]\n" + "".join(f"{label}\n" for label in labels) + "\n[relations]\n\n[events]\n\n[attributes]\n"
        f"{flags}Experiencer\tArg:<ENTITY>, Value:Patient|Family|Other\n{_SET}\tArg:<ENTITY>, Value:phi|sections\n"
    )
