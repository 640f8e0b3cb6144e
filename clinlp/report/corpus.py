"""The report of a corpus: how long notes are, which labels, codes, sections and contexts they have, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any, Final, Literal

from clinlp.errors import DataError
from clinlp.metrics.views import BANDS, OTHER, band, chapter, groups
from clinlp.note import Note
from clinlp.report import plots
from clinlp.report.document import Card, Report, Section, Table
from clinlp.report.figures import Picture
from clinlp.report.names import CONTEXT_NAMES, SECTION_NAMES, context_marks, label_names

_ROWS: Final = 30  # of a figure
_TABLE: Final = 200  # rows of a table
_KINDS: Final[dict[Literal["entities", "phi"], str]] = {"entities": "Entities 实体", "phi": "PHI 隐私信息"}


@dataclass(slots=True)
class _Label:
    """What is counted of the spans of a label."""

    n_spans: int = 0
    n_notes: int = 0
    n_characters: int = 0
    n_nested: int = 0
    marks: Counter[str] = field(default_factory=Counter)


def report_corpus(notes: Sequence[Note], by: str | None = None, title: str = "Corpus 语料报告") -> Report:
    """Count what notes hold and draw how it is spread; no word of a note.

    Args:
        by: A field whose values are counted apart.

    Raises:
        DataError: There is no note.
        UsageError: No note has the field, or it has too many values.
        MissingExtraError: matplotlib is not installed.
    """
    if not notes:
        raise DataError("corpus: notes needed, got none")
    parts = [_lengths(notes, by), *(_spans(notes, kind) for kind in _KINDS), _codes(notes), _sections(notes)]
    there = [part for part in parts if part is not None]
    patients = {note.patient_id for note in notes if note.patient_id}
    n_codes = sum(len(note.diagnoses or ()) for note in notes)
    cards = [
        Card("notes 病历", f"{len(notes):,}", f"{len(patients):,} patients 名患者" if patients else ""),
        Card("characters 字符", f"{sum(len(note.text) for note in notes):,}"),
        Card("entities 实体", f"{sum(len(note.entities) for note in notes):,}"),
        Card("PHI 隐私信息", f"{sum(len(note.phi) for note in notes):,}"),
        Card("diagnoses 诊断", f"{n_codes:,}", _annotated(notes)),
    ]
    return Report(
        title=title,
        summary=f"{len(notes):,} notes 份病历",
        cards=cards,
        sections=[section for section, _ in there],
        method="Lengths are characters. A nested span lies within another of its kind. "
        "长度以字符计；嵌套指位于同类另一标注之内。",
        numbers={"n_notes": len(notes), "n_patients": len(patients)}
        | {k: v for _, held in there for k, v in held.items()},
    )


def _annotated(notes: Sequence[Note]) -> str:
    n = sum(note.diagnoses is not None for note in notes)
    return f"{n:,} notes annotated 已标注" if n else ""


Part = tuple[Section, dict[str, Any]]


def _lengths(notes: Sequence[Note], by: str | None) -> Part:
    """Draw how long notes are in each language, and how many a patient has."""
    langs: dict[str, list[int]] = {}
    for note in notes:
        langs.setdefault(note.lang or "(not said)", []).append(len(note.text))
    langs = dict(sorted(langs.items()))
    pictures = [plots.histogram("lengths", ("Length of notes", "病历长度"), langs, ("characters", "字符数"))]
    of_patients = Counter(note.patient_id for note in notes if note.patient_id)
    if len(of_patients) > 1:
        title = ("Notes of each patient", "每名患者的病历数")
        pictures.append(plots.histogram("patients", title, {"": sorted(of_patients.values())}, ("notes", "病历数")))
    rows = [(name, *_spread(held)) for name, held in langs.items()]
    columns = ("language 语种", "notes 病历", "shortest 最短", "median 中位数", "mean 平均", "longest 最长")
    tables = [Table("Length in characters 长度（字符）", columns, rows)]
    numbers: dict[str, Any] = {"lengths": {name: _summary(held) for name, held in langs.items()}}
    if by is not None:
        counted = {name: len(held) for name, held in groups(notes, by).items()}
        named = [(name, f"{n:,}", f"{100 * n / len(notes):.1f}") for name, n in counted.items()]
        tables.append(Table(f"By {by} 按{by}分组", (by, "notes 病历", "%"), named))
        numbers["groups"] = counted
    return Section("Notes 病历", pictures, tables), numbers


def _spans(notes: Sequence[Note], kind: Literal["entities", "phi"]) -> Part | None:
    """Draw how often each label comes, and count its notes, its length, its nesting and its contexts."""
    labels: dict[str, _Label] = {}
    of_notes = []
    for note in notes:
        spans = getattr(note, kind)
        of_notes.append(len(spans))
        for label in {span.label for span in spans}:
            labels.setdefault(label, _Label()).n_notes += 1
        reach = 0  # spans are by start, the longer first: one that ends within what came before is nested
        for span in spans:
            held = labels[span.label]
            held.n_spans += 1
            held.n_characters += len(span)
            held.n_nested += span.end <= reach
            held.marks.update(context_marks(span.context))
            reach = max(reach, span.end)
    if not labels:
        return None
    ordered = sorted(labels, key=lambda label: (-labels[label].n_spans, label))
    marks = [mark for mark in CONTEXT_NAMES if any(labels[label].marks[mark] for label in labels)]
    columns = ["label 类别", "spans 处", "notes 病历", "mean length 平均长度", "nested 嵌套 %"]
    columns += [f"{' '.join(CONTEXT_NAMES[mark])} %" for mark in marks]
    rows = []
    for label in ordered[:_TABLE]:
        held = labels[label]
        shares = [held.n_nested, *(held.marks[mark] for mark in marks)]
        name = " ".join(dict.fromkeys((label, label_names(kind, label)[1])))
        counts = [f"{held.n_spans:,}", f"{held.n_notes:,}", f"{held.n_characters / held.n_spans:.1f}"]
        rows.append([name, *counts, *(f"{100 * n / held.n_spans:.1f}" for n in shares)])
    bars = {label: labels[label].n_spans for label in ordered[:_ROWS]}
    pictures: list[Picture] = [
        plots.bars(f"{kind}_labels", (f"{_KINDS[kind].split()[0]} by label", "各类别数量"), bars)
    ]
    axis = ("spans in a note", "每份病历标注数")
    pictures.append(plots.histogram(f"{kind}_notes", ("Spans in each note", "每份病历标注数"), {"": of_notes}, axis))
    numbers = {
        label: {"n_spans": x.n_spans, "n_notes": x.n_notes, "n_characters": x.n_characters, "n_nested": x.n_nested}
        | ({"context": dict(x.marks)} if x.marks else {})
        for label, x in sorted(labels.items())
    }
    return Section(_KINDS[kind], pictures, [Table("By label 按类别", columns, rows)]), {kind: numbers}


def _codes(notes: Sequence[Note]) -> Part | None:
    """Draw how often codes come, how many a note has, and how many codes are rare."""
    annotated = [note for note in notes if note.diagnoses is not None]
    counts = Counter(code for note in annotated for code in {each.code for each in note.diagnoses or ()})
    if not counts:
        return None
    ordered = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    pictures = [plots.bars("codes", ("The commonest codes", "最常见编码"), dict(list(ordered.items())[:_ROWS]))]
    n_codes = {"": [len({each.code for each in note.diagnoses or ()}) for note in annotated]}
    axis = ("codes of a note", "每份病历编码数")
    pictures.append(plots.histogram("codes_notes", ("Codes of each note", "每份病历编码数"), n_codes, axis))
    bands = Counter(dict.fromkeys(BANDS[:-1], 0))
    bands.update(band(n) for n in counts.values())
    marks = Counter[str]()
    for n in counts.values():
        marks[band(n)] += n
    rows = [
        (name, f"{n:,}", f"{marks[name]:,}", f"{100 * marks[name] / counts.total():.1f}") for name, n in bands.items()
    ]
    columns = ("codes of 编码频次", "codes 编码", "in notes 出现次数", "%")
    below = "head: over 50 notes, torso: 6 to 50, tail: 1 to 5 头部：多于 50 份病历，中部：6–50，尾部：1–5"
    tables = [Table("Frequent and rare codes 常见与罕见编码", columns, rows, below)]
    numbers: dict[str, Any] = {"codes": dict(ordered), "bands": dict(bands)}
    chapters = Counter[str]()
    for code, n in counts.items():
        chapters[chapter(code)] += n
    if 2 * chapters[OTHER] <= counts.total():
        named = {name: n for name, n in sorted(chapters.items(), key=lambda pair: -pair[1]) if n}
        pictures.append(plots.bars("chapters", ("Chapters of ICD-10", "ICD-10 各章"), named))
        numbers["chapters"] = named
    return Section("Diagnoses 诊断", pictures, tables), numbers


def _sections(notes: Sequence[Note]) -> Part | None:
    """Draw how many notes have each section."""
    counts = Counter(label for note in notes for label in {section.label for section in note.sections})
    if not counts:
        return None
    ordered = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    rows = [
        (" ".join(SECTION_NAMES.get(label, (label, ""))).strip(), f"{n:,}", f"{100 * n / len(notes):.1f}")
        for label, n in list(ordered.items())[:_TABLE]
    ]
    table = Table("Notes that have each section 含各节的病历", ("section 节", "notes 病历", "%"), rows)
    bars: Mapping[str, int] = dict(list(ordered.items())[:_ROWS])
    return Section("Sections 分节", [plots.bars("sections", ("Sections", "分节"), bars)], [table]), {
        "sections": ordered
    }


def _spread(held: Sequence[int]) -> tuple[str, ...]:
    numbers: Iterable[float] = (len(held), min(held), median(held), mean(held), max(held))
    return tuple(f"{n:,.0f}" for n in numbers)


def _summary(held: Sequence[int]) -> dict[str, float]:
    return {"n": len(held), "min": min(held), "median": median(held), "mean": round(mean(held), 2), "max": max(held)}
