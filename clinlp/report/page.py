"""One self-contained HTML page of notes: spans, context, sections, diagnoses and their evidence.

The page asks nothing of a network: style and script stand in it, and its policy allows these two alone.
Filters work without the script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from string import Template
from typing import Final

from clinlp.labels import ENTITY_LABELS
from clinlp.note import Diagnosis, Note
from clinlp.report.assets import asset, policy, showable
from clinlp.report.names import CONTEXT_NAMES, context_marks, label_names, section_name
from clinlp.report.segments import Mark, Segment, lay_out, segments
from clinlp.spans import Span

Kinds = Mapping[tuple[str, str], int]  # (set, label) -> number of its colour and filter

_HUES: Final = (2, 28, 212, 188, 272, 140, 96, 72, 50, 322)  # of ENTITY_LABELS, in their order


def render(notes: Iterable[Note], title: str = "clinlp") -> str:
    """Draw notes as one HTML page that opens offline.

    Entities and PHI may nest and cross. The text is shown as it is, so the page holds whatever PHI
    the notes hold. A lone surrogate or NUL is shown as U+FFFD.

    Args:
        notes: In the order in which they are shown.
        title: Heading of the page.
    """
    notes = list(notes)
    counts = Counter(
        (kind, span.label) for note in notes for kind in ("entities", "phi") for span in getattr(note, kind)
    )
    kinds = {key: number for number, key in enumerate(sorted(counts, key=_rank))}
    style = asset("page.css") + "\n".join(_rules(kinds))
    script = asset("page.js")
    page = Template(asset("page.html")).substitute(
        policy=policy(style, script),
        title=escape(title),
        style=style,
        script=script,
        summary=_summary(notes, counts),
        filters="\n".join(_filters(kinds, counts)),
        outline="\n".join(_outline(number, note) for number, note in enumerate(notes)),
        notes="\n".join(_note(number, note, kinds) for number, note in enumerate(notes)),
    )
    return showable(page)


def _rank(key: tuple[str, str]) -> tuple[str, int, str]:
    """Order labels: entities before PHI, the usual labels first."""
    kind, label = key
    known = list(ENTITY_LABELS)
    return kind, known.index(label) if label in known else len(known), label


def _rules(kinds: Kinds) -> Iterator[str]:
    """Colour each label, and hide its boxes when its filter is off."""
    known = list(ENTITY_LABELS)
    for (kind, label), number in kinds.items():
        if kind == "entities":
            hue = _HUES[known.index(label)] if label in known else round(number * 137.5) % 360
            yield f".l{number} {{ --h: {hue}; }}"
        off = f"body:has(#f{number}:not(:checked)) .text .l{number}"
        yield f"{off} {{ all: unset; }} {off}::after {{ content: none; }}"


def _summary(notes: Sequence[Note], counts: Counter[tuple[str, str]]) -> str:
    n_entities, n_phi = (sum(n for (k, _), n in counts.items() if k == kind) for kind in ("entities", "phi"))
    return (
        f"{len(notes):,} notes 份病历 · {n_entities:,} entities 实体 · {n_phi:,} PHI 隐私信息 · "
        "<kbd>j</kbd> <kbd>k</kbd> next and previous note 上下份病历 · <kbd>←</kbd> <kbd>→</kbd> spans 逐个标注"
    )


def _filters(kinds: Kinds, counts: Counter[tuple[str, str]]) -> Iterator[str]:
    """One box a label, and the key to the context marks."""
    for kind, heading in (("entities", "Entities 实体"), ("phi", "PHI 隐私")):
        chips = []
        for (of, label), number in kinds.items():
            if of != kind:
                continue
            names = escape(" ".join(dict.fromkeys((label, label_names(kind, label)[1]))))
            swatch = f'<i class="m l{number}{" phi" if kind == "phi" else ""}"></i>'
            box = f'<input type="checkbox" id="f{number}" checked>'
            chips.append(f'<label class="chip">{box}{swatch}{names} <b>{counts[kind, label]:,}</b></label>')
        if chips:
            words = (("all", "全选"), ("none", "清除"))
            both = "".join(f'<button type="button" value="{en}">{en} {zh}</button>' for en, zh in words)
            yield f"<fieldset><legend>{heading}</legend>{''.join(chips)}{both}</fieldset>"
    yield '<label class="chip"><input type="checkbox" id="tags" checked>label tags 标签文字</label>'
    keys = "".join(f'<span class="m {mark}">{en} {zh}</span>' for mark, (en, zh) in CONTEXT_NAMES.items())
    yield f'<div class="key" role="note" aria-label="Context · 语境">{keys}</div>'


def _outline(number: int, note: Note) -> str:
    sections = "".join(
        f'<li><a href="#n{number}s{i}">{escape(section_name(section.label, note.lang))}</a></li>'
        for i, section in enumerate(note.sections)
    )
    inner = f"<ol{_lang(note)}>{sections}</ol>" if sections else ""
    return f'<li><a href="#n{number}">{escape(note.note_id)}</a>{inner}</li>'


def _note(number: int, note: Note, kinds: Kinds) -> str:
    diagnoses = _diagnoses(note) if note.diagnoses is not None else ""
    facts = f"{len(note.text):,} characters 字 · {len(note.entities):,} entities 实体 · {len(note.phi):,} PHI"
    name = escape(note.note_id)
    return (
        f'<article id="n{number}" aria-labelledby="h{number}">'
        f'<header><h2 id="h{number}">{name}</h2><span class="faint">{facts}</span></header>'
        f'<div class="body{"" if diagnoses else " wide"}">'
        f'<div class="text"{_lang(note)} tabindex="0" role="group" aria-labelledby="h{number}">'
        f"{''.join(_text(number, note, kinds))}</div>{diagnoses}</div></article>"
    )


def _lang(note: Note) -> str:
    return {"zh": ' lang="zh-Hans"', "en": ' lang="en"', None: ""}[note.lang]


def _text(number: int, note: Note, kinds: Kinds) -> Iterator[str]:
    """The note's text, with a box around every span and an anchor where a section begins."""
    marks = lay_out((kind, span) for kind in ("entities", "phi") for span in getattr(note, kind))
    anchors: dict[int, list[str]] = {}
    for i, section in enumerate(note.sections):
        heading = escape(section_name(section.label, note.lang))
        anchor = f'<span class="sec" id="n{number}s{i}" data-name="{heading}"></span>'
        anchors.setdefault(section.start, []).append(anchor)
    evidence = lay_out((str(i), span) for i, d in enumerate(note.diagnoses or ()) for span in d.evidence)
    for segment in segments(len(note.text), [*marks, *evidence], anchors):
        yield from anchors.get(segment.start, ())
        inner = escape(note.text[segment.start : segment.end])
        supports = sorted({int(mark.kind) for mark in segment.marks if mark.kind.isdigit()})
        for mark in reversed(segment.marks):
            if not mark.kind.isdigit():
                inner = _box(mark, segment, inner, note, kinds)
        yield f'<span class="ev" data-d="{" ".join(map(str, supports))}">{inner}</span>' if supports else inner


def _box(mark: Mark, segment: Segment, inner: str, note: Note, kinds: Kinds) -> str:
    """Draw one span's box around the part of it that a segment holds."""
    span, kind = mark.span, mark.kind
    held = context_marks(span.context)
    names = label_names(kind, span.label)
    classes = ["m", f"l{kinds[kind, span.label]}", f"d{min(mark.lane, 4)}", *held]
    attributes = ""
    if kind == "phi":
        classes.append("phi")
    if segment.start == span.start:
        classes.append("a")
        attributes += ' tabindex="-1"'
    if segment.end == span.end:
        classes.append("z")
        shown = [names[1], *(CONTEXT_NAMES[key][1] for key in held)] if note.lang == "zh" else [span.label, *held]
        attributes += f' data-n="{escape(" · ".join(shown))}"'
    return f'<span class="{" ".join(classes)}" title="{escape(_tip(span, names, held))}"{attributes}>{inner}</span>'


def _tip(span: Span, names: tuple[str, str], held: Sequence[str]) -> str:
    """Say in one line what a span is."""
    facts = [" ".join(dict.fromkeys((span.label, *names)))]
    facts += [" ".join(CONTEXT_NAMES[key]) for key in held]
    if span.score is not None:
        facts.append(f"score 置信度 {span.score:.2f}")
    return " · ".join(facts)


def _diagnoses(note: Note) -> str:
    """List codes by falling probability, each with a bar."""
    numbered = sorted(
        enumerate(note.diagnoses or ()), key=lambda pair: -(1.0 if pair[1].score is None else pair[1].score)
    )
    rows = "".join(_diagnosis(number, diagnosis) for number, diagnosis in numbered)
    return f"<aside><h3>Diagnoses 诊断</h3>{rows or '<p class=faint>none 无</p>'}</aside>"


def _diagnosis(number: int, diagnosis: Diagnosis) -> str:
    share, bar = "", ""
    if diagnosis.score is not None:
        share = f"{100 * diagnosis.score:.1f}%"
        bar = f'<meter aria-hidden="true" min="0" max="1" value="{diagnosis.score:.4f}">{share}</meter>'
    n = len(diagnosis.evidence)
    return (
        f'<button type="button" class="dx" data-d="{number}" aria-pressed="false"><b>{escape(diagnosis.code)}</b>'
        f"<span>{share}</span>{bar}<small>evidence 依据: {n}</small></button>"
    )
